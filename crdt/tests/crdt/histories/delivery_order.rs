//! The same acts give the same row in every delivery order, also when some are delivered twice: as changes through the
//! gate into one document, and directly into the fold.

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjType, ROOT, ReadDoc};
use proptest::prelude::*;
use towline_crdt::doc::{Acts, ItemDoc};
use towline_crdt::fold::fold;
use towline_crdt::gate::{self, GateError};
use towline_proto::{ActId, AuthorSeq, ItemId, codec};

use super::script::{Played, scripts};
use super::{both, run, runner};
use crate::actors::test_members;

/// The number of orders in which each set of acts is delivered.
const ORDERS: u64 = 50;

fn digest(item: ItemId, acts: &Acts) -> blake3::Hash {
    let cast = test_members();
    let folded = fold(item, acts, &cast).expect("a creation");
    blake3::hash(&codec::encode(&folded.view))
}

/// A small random generator, seeded by a number that is printed when a test fails.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

#[test]
fn any_order_of_the_same_acts_gives_one_row() {
    run(runner(24), (scripts(), any::<u64>()), |(script, seed)| {
        let played = script.play();
        let (comparison, model) = both(played.item, &played.acts);
        prop_assert_eq!(comparison, model);
        let wanted = digest(played.item, &played.acts);
        for order in 0..ORDERS {
            let mut dice = Dice(seed ^ order);
            let mut waiting = played.written.clone();
            let mut acts = Acts::new();
            while !waiting.is_empty() {
                // The creation first, because without it there is no item.
                let index = if acts.is_empty() {
                    0
                } else {
                    dice.below(waiting.len())
                };
                let id = waiting.swap_remove(index);
                acts.insert(id, played.acts[&id].clone());
                if dice.below(8) == 0 {
                    digest(played.item, &acts);
                }
            }
            prop_assert_eq!(digest(played.item, &acts), wanted, "order {} of {}", order, seed);
        }
        Ok(())
    });
}

/// A change that is sent, with the position of its entry.
struct SentChange {
    author: AuthorSeq,
    bytes: Vec<u8>,
}

/// Each act as the change that its author made in their state.
fn sent_changes(played: &Played) -> Vec<SentChange> {
    let mut made: BTreeMap<ActId, Change> = BTreeMap::new();
    let mut desks: BTreeMap<AuthorSeq, Automerge> = BTreeMap::new();
    let mut sent_changes = Vec::new();
    for id in &played.written {
        let (author, knew) = &played.known[id];
        let desk = AuthorSeq { seq: 0, ..*author };
        let am = desks
            .entry(desk)
            .or_insert_with(|| Automerge::new().with_actor(ActorId::from(author.actor())));
        let news = played
            .written
            .iter()
            .filter(|id| knew.contains(id))
            .map(|id| made[id].clone());
        am.apply_changes(news).expect("in causal order");
        let mut tx = am.transaction();
        let acts = match tx.get(ROOT, "acts").expect("readable") {
            Some((_, acts)) => acts,
            None => {
                let acts = tx.put_object(ROOT, "acts", ObjType::Map).expect("made");
                tx.put_object(ROOT, "body", ObjType::Text).expect("made");
                acts
            }
        };
        tx.put(&acts, id.to_string(), played.acts[id].act.encode())
            .expect("written");
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        let change = am.get_change_by_hash(&hash.expect("a change")).expect("there");
        sent_changes.push(SentChange {
            author: *author,
            bytes: change.raw_bytes().to_vec(),
        });
        made.insert(*id, change);
    }
    sent_changes
}

/// Delivers the changes in a random order, some twice and some before their dependencies.
fn deliver(item: ItemId, sent_changes: &[SentChange], dice: &mut Dice) -> Automerge {
    let mut doc: Option<Automerge> = None;
    let mut waiting: Vec<usize> = (0..sent_changes.len()).collect();
    let mut admitted: Vec<usize> = Vec::new();
    while !waiting.is_empty() {
        let again = !admitted.is_empty() && dice.below(6) == 0;
        let drawn = if again {
            dice.below(admitted.len())
        } else {
            dice.below(waiting.len())
        };
        let index = if again { admitted[drawn] } else { waiting[drawn] };
        let SentChange { author, bytes } = &sent_changes[index];
        let checked = gate::check(&item, bytes, author, &mut 0).expect("well formed");
        match gate::admit(doc.as_ref(), &[checked]) {
            Ok(next) => {
                assert!(!again, "a change is admitted once");
                doc = Some(next);
                waiting.swap_remove(drawn);
                admitted.push(index);
            }
            Err(GateError::Known(_)) => assert!(again, "only what was delivered is known"),
            Err(refusal) => assert!(refusal.is_missing() && !again, "{refusal}"),
        }
    }
    doc.expect("a document")
}

#[test]
fn any_order_of_delivery_through_the_gate_gives_one_row() {
    run(runner(2), (scripts(), any::<u64>()), |(script, seed)| {
        let mut played = script.play();
        // A document for each act and order is expensive, so only the beginning of the history is used.
        played.cut(14);
        let sent_changes = sent_changes(&played);
        let wanted = digest(played.item, &played.acts);
        let mut heads = BTreeSet::new();
        for order in 0..ORDERS {
            let am = deliver(played.item, &sent_changes, &mut Dice(seed ^ order));
            let doc = ItemDoc::new(played.item, am).expect("an item's document");
            prop_assert_eq!(doc.acts(), &played.acts);
            prop_assert_eq!(
                digest(doc.id(), doc.acts()),
                wanted,
                "order {} of {}",
                order,
                seed
            );
            heads.insert(doc.heads());
        }
        prop_assert_eq!(heads.len(), 1);
        let (comparison, model) = both(played.item, &played.acts);
        prop_assert_eq!(comparison, model);
        Ok(())
    });
}
