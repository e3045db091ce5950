//! The work of simulated nodes on real items, with the real gate.
//!
//! A write is one act that `towline-crdt` composes from the node's documents; entries from other nodes pass the gate.
//! After a fleet has healed, all nodes must have the same rows, and the rows must be valid.

use std::collections::BTreeMap;

use towline_crdt::compose::{BodyEdit, Draft, compose};
use towline_crdt::doc::{ItemDoc, NodePrefix};
use towline_crdt::fold::{ActOutcome, FoldedItem, fold};
use towline_crdt::gate::{self, GateError};
use towline_crdt::members::Roles;
use towline_crdt::view::ItemView;
use towline_proto::{
    AuthorSeq, Column, CriterionState, Entry, FailureKind, ItemChange, ItemId, Kind, LinkKind, Millis,
    NodeId, Op, Origin, OriginKind, Payload, Qa, Role,
};

use super::node::{id_of, key};
use super::rng::Rng;

/// The most nodes of a fleet.
const FLEET: u8 = 8;
/// The most tries to find a legal operation.
const TRIES: usize = 6;

/// The members: one owner, one maintainer, and writers.
pub(crate) struct SimMembers(BTreeMap<NodePrefix, (NodeId, Role)>);

impl SimMembers {
    pub(crate) fn new() -> Self {
        let members = (1..=FLEET).map(|number| {
            let node = id_of(&key(number));
            let role = match number {
                1 => Role::Owner,
                2 => Role::Maintainer,
                _ => Role::Writer,
            };
            (NodePrefix::from(&node), (node, role))
        });
        Self(members.collect())
    }
}

impl Roles for SimMembers {
    fn role(&self, node: NodePrefix) -> Option<Role> {
        self.0.get(&node).map(|(_, role)| *role)
    }

    fn node(&self, node: NodePrefix) -> Option<NodeId> {
        self.0.get(&node).map(|(node, _)| *node)
    }
}

/// The gate's answer for an entry.
pub(crate) enum GateAnswer {
    Stored,
    Missing,
    Refused(String),
}

/// A node's documents.
#[derive(Default)]
pub(crate) struct Items {
    docs: BTreeMap<ItemId, ItemDoc>,
}

impl Items {
    /// Admits an entry: all of its changes or none.
    pub(crate) fn take(&mut self, entry: &Entry) -> GateAnswer {
        let Payload::Changes(changes) = &entry.body().payload else {
            return GateAnswer::Stored;
        };
        let author = entry.body().author_seq();
        let mut ordinal = 0;
        let mut taken: BTreeMap<ItemId, ItemDoc> = BTreeMap::new();
        for ItemChange { item, change } in changes {
            let base = taken.get(item).or_else(|| self.docs.get(item));
            let admitted = gate::check(item, change, &author, &mut ordinal)
                .and_then(|checked| gate::apply(base.map(ItemDoc::automerge), &[checked]));
            match admitted {
                Ok(am) => {
                    taken.insert(*item, ItemDoc::new(*item, am).expect("an item's document"));
                }
                Err(GateError::Missing(_)) => return GateAnswer::Missing,
                Err(why) => return GateAnswer::Refused(why.to_string()),
            }
        }
        self.docs.append(&mut taken);
        GateAnswer::Stored
    }

    /// A random write for the next entry, with its description.
    pub(crate) fn work(&self, place: &AuthorSeq, now: Millis, rng: &mut Rng) -> Option<(Payload, String)> {
        let ids: Vec<ItemId> = self.docs.keys().copied().collect();
        for _ in 0..TRIES {
            if ids.is_empty() || (ids.len() < 3 && rng.percent(6)) {
                return self.do_to(None, place, now, create(rng), None);
            }
            let id = ids[rng.below(ids.len())];
            let members = SimMembers::new();
            let view = self.folded(&id, &members).view;
            let op = op(&view, &ids, rng);
            let body = matches!(op, Op::EditBody).then(|| BodyEdit {
                base: None,
                text: format!("{} lines\nof {}\n", rng.below(9), place.node.short()),
            });
            if let Some(work) = self.do_to(Some(id), place, now, op, body) {
                return Some(work);
            }
        }
        None
    }

    /// An act that resolves an open conflict in favour of the winner.
    pub(crate) fn resolution(&self, place: &AuthorSeq, now: Millis) -> Option<(Payload, String)> {
        let members = SimMembers::new();
        self.docs.keys().find_map(|id| {
            let view = self.folded(id, &members).view;
            let conflict = view.conflicts.first()?;
            let op = Op::Resolve {
                over: conflict.register.clone(),
                keep: conflict.winner,
            };
            self.do_to(Some(*id), place, now, op, None)
        })
    }

    fn do_to(
        &self,
        item: Option<ItemId>,
        place: &AuthorSeq,
        now: Millis,
        op: Op,
        body: Option<BodyEdit>,
    ) -> Option<(Payload, String)> {
        let id = item.unwrap_or_else(|| ItemId::derive(now, place, 0));
        let said = format!("{} on {}", op.name(), id.key().get(..4).unwrap_or_default());
        let kind = if place.node.0[0].is_multiple_of(2) {
            OriginKind::User
        } else {
            OriginKind::Agent
        };
        let draft = Draft {
            op,
            origin: Origin::new(kind, "somebody").expect("a name"),
            at: now,
            request: None,
        };
        let base = item.and_then(|id| self.docs.get(&id));
        let made = compose(base, id, place, &mut 0, &SimMembers::new(), vec![draft], body).ok()?;
        let changes = made
            .changes
            .into_iter()
            .map(|change| ItemChange { item: id, change });
        Some((Payload::Changes(changes.collect()), said))
    }

    fn folded<'a>(&'a self, id: &ItemId, members: &'a SimMembers) -> FoldedItem<'a> {
        let doc = &self.docs[id];
        fold(*id, doc.acts(), members).expect("a creation")
    }

    /// Every row, with the heads and the body that belong to it.
    pub(crate) fn rows(&self) -> Vec<(ItemView, String)> {
        let members = SimMembers::new();
        let rows = self
            .docs
            .iter()
            .map(|(id, doc)| (self.folded(id, &members).view, doc.body().expect("a body")));
        rows.collect()
    }

    /// How many conflicts are open.
    pub(crate) fn open(&self) -> usize {
        self.rows().iter().map(|(row, _)| row.conflicts.len()).sum()
    }

    /// Checks that all rows are valid and that no intent was lost silently.
    pub(crate) fn check(&self) {
        let members = SimMembers::new();
        for id in self.docs.keys() {
            lawful(&self.folded(id, &members));
        }
    }
}

fn lawful(folded: &FoldedItem<'_>) {
    let view = &folded.view;
    let worked = matches!(view.column, Column::Coding | Column::Qa | Column::Merge);
    let ended = matches!(view.column, Column::Closed | Column::Archived);
    assert!(
        view.column != Column::Closed || view.closing.is_some(),
        "closed for a reason"
    );
    assert!(view.closing.is_none() || ended, "an end belongs to the end");
    assert!(
        !view.holds.review || view.column == Column::Qa,
        "a review is about QA"
    );
    assert!(
        view.holds.failure.is_none() || view.column == Column::Merge,
        "a merge fails in merge"
    );
    assert!(
        view.claim.is_none() || worked,
        "only what is worked on is claimed"
    );
    assert!(
        view.claim
            .as_ref()
            .is_none_or(|claim| claim.generation == view.generation)
    );
    assert_eq!(view.trail.first().map(|step| step.column), Some(view.column));
    for (id, act) in &folded.acts {
        let losses = view
            .conflicts
            .iter()
            .filter(|conflict| conflict.losers.contains(id))
            .count();
        assert!(losses <= 1, "{} lost twice", act.record.act.op.name());
        let superseded = |by: &towline_proto::ActId| folded.acts[by].record.act.saw.contains(id);
        match &act.outcome {
            ActOutcome::Refused(_) | ActOutcome::Effective => assert_eq!(losses, 0),
            ActOutcome::Superseded { by } => assert!(superseded(by) && losses == 0),
            ActOutcome::Overridden { .. } if losses == 1 => {}
            ActOutcome::Overridden { .. } => {
                let settled = folded.acts.keys().any(superseded);
                assert!(settled, "{} was lost silently", act.record.act.op.name());
            }
        }
    }
}

fn create(rng: &mut Rng) -> Op {
    Op::Create {
        number: 1,
        kind: if rng.percent(90) { Kind::Story } else { Kind::Epic },
        title: "Ship it".into(),
        column: Column::Backlog,
        priority: 2,
        qa: [Qa::Agent, Qa::Human, Qa::Server][rng.below(3)],
    }
}

/// A random operation, mostly one that moves the item forward.
fn op(view: &ItemView, ids: &[ItemId], rng: &mut Rng) -> Op {
    let reason = || "because".to_owned();
    let word = ["a", "b", "c"][rng.below(3)].to_owned();
    let onward = match view.column {
        Column::Upcoming => Op::Triage,
        Column::Backlog => Op::Start { force: None },
        Column::Coding => Op::Submit,
        Column::Qa if view.holds.review => Op::Approve,
        Column::Qa => Op::PassQa,
        Column::Merge => Op::Merged {
            commit: Some(word.clone()),
        },
        Column::Done | Column::Closed => Op::Archive,
        Column::Archived => Op::Reopen,
    };
    match rng.below(34) {
        0..8 => onward,
        8 => Op::RequestChanges { reason: reason() },
        9 => Op::Merged { commit: None },
        10 => Op::MergeFailed {
            kind: FailureKind::Conflict,
            detail: reason(),
        },
        11 => Op::RetryMerge,
        12 => Op::GiveUpMerge,
        13 => Op::Block { reason: word },
        14 => Op::Unblock,
        15 => Op::Freeze,
        16 => Op::Unfreeze,
        17 => Op::Abandon { reason: None },
        18 => Op::Reject { reason: word },
        19 => Op::Supersede {
            by: ids[rng.below(ids.len())],
        },
        20 => Op::Reopen,
        21 => Op::Move {
            to: [Column::Backlog, Column::Coding, Column::Qa, Column::Merge][rng.below(4)],
            reason: None,
        },
        22 | 23 => Op::Claim {
            holder: word,
            generation: view.generation + 1,
        },
        24 => Op::Release {
            generation: view.generation,
        },
        25 => Op::TakeOver {
            holder: word,
            generation: view.generation + 1,
            renewal: view.claim.as_ref().map(|claim| claim.at).unwrap_or_default(),
            force: None,
        },
        26 => Op::Delete { reason: None },
        27 => [Op::Restore, Op::Restore, Op::Purge][rng.below(3)].clone(),
        28 => Op::SetTitle { title: word },
        29 => match rng.below(3) {
            0 => Op::SetPriority {
                priority: rng.below(5) as u8,
            },
            1 => Op::SetQa { qa: Qa::Human },
            _ => Op::Assign { who: Some(word) },
        },
        30 => match rng.below(4) {
            0 => Op::AddLabel { label: word },
            1 => Op::RemoveLabel { label: word },
            2 => Op::AddLink {
                kind: LinkKind::Commit,
                target: word,
            },
            _ => Op::AddDependency {
                on: ids[rng.below(ids.len())],
            },
        },
        31 => match (view.criteria.first(), rng.below(3)) {
            (Some(criterion), which) => Op::SetCriterion {
                criterion: criterion.id,
                state: [
                    CriterionState::Met,
                    CriterionState::Failed,
                    CriterionState::Skipped,
                ][which],
                evidence: None,
            },
            (None, _) => Op::AddCriterion { text: word },
        },
        32 => Op::EditBody,
        _ => match view.conflicts.first() {
            Some(conflict) => Op::Resolve {
                over: conflict.register.clone(),
                keep: conflict.losers[rng.below(conflict.losers.len())],
            },
            None => Op::Comment { text: word },
        },
    }
}
