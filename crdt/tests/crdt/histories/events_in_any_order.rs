//! Events of replicas that receive the same acts in different orders: a subscriber that applies every event of one
//! replica, and drops those whose id it knows, ends with the right column, holds and claim.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use towline_crdt::diff::diff;
use towline_crdt::doc::Acts;
use towline_crdt::fold::fold;
use towline_crdt::view::ItemView;
use towline_proto::{ActId, Column, Event, EventId, EventKind, HoldKind, ProjectId};

use super::delivery_order::Dice;
use super::script::{Played, scripts};
use super::{run, runner};
use crate::actors::test_members;

/// The number of replicas that receive each history.
const REPLICAS: u64 = 8;

type CaseResult = Result<(), TestCaseError>;

/// A replica, and a subscriber that knows only its events.
#[derive(Default)]
struct Replica {
    acts: Acts,
    shown: Option<ItemView>,
    heard: Vec<ActId>,
    sent: BTreeMap<EventId, EventKind>,
    follower: Follower,
}

/// The state of a subscriber.
#[derive(Debug, Default)]
struct Follower {
    column: Option<Column>,
    holds: BTreeSet<HoldKind>,
    holder: Option<(String, u32)>,
}

impl Follower {
    fn receives(&mut self, event: &EventKind) -> CaseResult {
        match event {
            EventKind::ItemCreated { column } => self.column = Some(*column),
            EventKind::StageChanged { from, to, .. } => {
                prop_assert_eq!(self.column, Some(*from));
                // These are reset when the column changes.
                if from != to {
                    self.holds.remove(&HoldKind::ReviewHold);
                    self.holds.remove(&HoldKind::MergeFailure);
                }
                self.column = Some(*to);
            }
            EventKind::HoldsChanged { added, removed, .. } => {
                for hold in removed {
                    self.holds.remove(hold);
                }
                self.holds.extend(added);
            }
            EventKind::Claimed { holder, generation } => {
                self.holder = Some((holder.clone(), *generation));
            }
            EventKind::Released { .. } => self.holder = None,
            EventKind::FieldChanged { .. }
            | EventKind::Commented { .. }
            | EventKind::ConflictRaised { .. }
            | EventKind::ConflictsResolved
            | EventKind::ChangedByMerge { .. }
            | EventKind::Deleted
            | EventKind::Restored => {}
        }
        Ok(())
    }

    fn agrees(&self, view: &ItemView) -> CaseResult {
        prop_assert_eq!(self.column, Some(view.column));
        prop_assert_eq!(&self.holds, &view.holds.kinds().into_iter().collect());
        let holder = view.claim.as_ref();
        let holder = holder.map(|claim| (claim.holder.clone(), claim.generation));
        prop_assert_eq!(&self.holder, &holder);
        Ok(())
    }
}

impl Replica {
    /// Adds some acts together and emits the events.
    fn receives(&mut self, played: &Played, news: &[ActId]) -> CaseResult {
        let known = self.acts.clone();
        for id in news {
            self.acts.insert(*id, played.acts[id].clone());
            self.heard.push(*id);
        }
        let cast = test_members();
        let folded = fold(played.item, &self.acts, &cast).expect("a creation");
        let before = self.shown.as_ref().map(|row| (row, &known));
        for Event { id, what, .. } in diff(ProjectId([0; 32]), before, &folded) {
            self.follower.receives(&what)?;
            let earlier = self.sent.insert(id, what.clone());
            // A conflict that opens again is the same one, and has the same event id.
            let is_back = matches!(what, EventKind::ConflictRaised { .. }) && earlier.as_ref() == Some(&what);
            prop_assert!(
                earlier.is_none() || is_back,
                "one id, emitted as {:?} and as {:?}",
                earlier,
                what
            );
        }
        self.follower.agrees(&folded.view)?;
        self.shown = Some(folded.view);
        Ok(())
    }
}

/// All acts in a random causal order.
fn deliver(played: &Played, dice: &mut Dice) -> Vec<ActId> {
    let mut waiting = played.written.clone();
    let mut order: Vec<ActId> = Vec::new();
    let mut there = BTreeSet::new();
    while !waiting.is_empty() {
        let ready = |id: &ActId| played.known[id].1.is_subset(&there);
        let ready: Vec<usize> = (0..waiting.len())
            .filter(|index| ready(&waiting[*index]))
            .collect();
        let id = waiting.remove(ready[dice.below(ready.len())]);
        there.insert(id);
        order.push(id);
    }
    order
}

#[test]
fn events_alone_lead_to_the_same_state_in_every_order() {
    run(runner(60), (scripts(), any::<u64>()), |(script, seed)| {
        let played = script.play();
        let mut rows = BTreeSet::new();
        for number in 0..REPLICAS {
            let mut dice = Dice(seed ^ number);
            let order = deliver(&played, &mut dice);
            let mut replica = Replica::default();
            let mut rest = order.as_slice();
            while !rest.is_empty() {
                // The creation alone, then mostly single acts.
                let many = if replica.heard.is_empty() || dice.below(3) > 0 {
                    1
                } else {
                    1 + dice.below(4)
                };
                let (news, later) = rest.split_at(many.min(rest.len()));
                if let Err(error) = replica.receives(&played, news) {
                    let order: Vec<String> = replica.heard.iter().map(ActId::short).collect();
                    return Err(TestCaseError::fail(format!(
                        "{error}\n{}heard in the order {}, {} at last",
                        played.listing(&played.acts),
                        order.join(" "),
                        news.len()
                    )));
                }
                rest = later;
            }
            rows.insert(format!("{:?}", replica.shown));
        }
        prop_assert_eq!(rows.len(), 1, "all are shown the same");
        Ok(())
    });
}
