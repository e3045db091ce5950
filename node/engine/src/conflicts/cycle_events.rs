//! The events of dependency cycles: both items of a suspended dependency get one when a cycle appears, and
//! one when it has ended.
//!
//! An event id derives from the acts that form the cycle, as that of a conflict does from its contenders. So
//! every replica that sees the same cycle emits the same event, its end is the end of that cycle, and a cycle
//! that returns because an item was reopened gets another id.

use towline_api::request::Failure;
use towline_crdt::diff::event;
use towline_crdt::fold::{FoldedItem, fold};
use towline_crdt::view::Attribution;
use towline_proto::ids::to_hex;
use towline_proto::{ActId, ConflictSubject, Event, EventKind, ItemId, Rule, Wait};

use super::cycle::{MAX_SIDES, cycle_id};
use crate::index::{CycleChange, WaitEdge, WaitKind};
use crate::pending_batch::PendingBatch;
use crate::query::{QueryContext, without_creation};

/// Dependencies at each end of a long cycle that an event names.
const NAMED: usize = 4;

/// The id of the acts that form a cycle, and the newest of them.
struct CycleActs {
    name: String,
    last: Attribution,
}

impl QueryContext<'_> {
    /// The events of a cycle that appeared or ended; none if the cycle was too large to work out.
    pub(crate) fn cycle_events(
        &self,
        batch: &PendingBatch,
        change: &CycleChange,
    ) -> Result<Vec<Event>, Failure> {
        let Some(cycle_acts) = self.cycle_acts(batch, &change.cycle)? else {
            return Ok(Vec::new());
        };
        let (what, by) = if change.is_suspended {
            let what = EventKind::ConflictRaised {
                conflict: cycle_id(&change.edge),
                rule: Rule::Cycle,
                about: self.subject(&change.cycle),
            };
            (what, None)
        } else {
            (
                EventKind::ConflictsResolved,
                self.removed_by(batch, &change.cycle)?,
            )
        };
        let act = cycle_acts.last.act;
        let stamp = Attribution {
            act,
            ..by.unwrap_or(cycle_acts.last)
        };
        let (from, on) = change.edge;
        let both = [Some(from), (from != on).then_some(on)];
        let rows = both.iter().flatten().filter_map(|id| self.index.get(id));
        let events = rows.map(|row| event(self.id, &row, stamp.clone(), &cycle_acts.name, what.clone()));
        Ok(events.collect())
    }

    fn cycle_acts(&self, batch: &PendingBatch, cycle: &[WaitEdge]) -> Result<Option<CycleActs>, Failure> {
        let mut acts: Vec<ActId> = Vec::new();
        let mut last: Option<Attribution> = None;
        for (from, on, wait) in cycle.iter().rev().take(MAX_SIDES) {
            let made: Vec<Attribution> = self.folded_before_later(batch, from, |folded| {
                let made = match wait {
                    WaitKind::Dependency => folded.dependency_added_by(on),
                    WaitKind::Successor => folded.superseded_by(on).into_iter().collect(),
                };
                made.iter().filter_map(|act| folded.attribution(act)).collect()
            })?;
            acts.extend(made.iter().map(|stamp| stamp.act));
            last = made
                .into_iter()
                .chain(last)
                .max_by_key(|stamp| (stamp.at, stamp.act));
        }
        acts.sort_unstable();
        acts.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("towline/circle/1");
        for act in &acts {
            hasher.update(&act.0);
        }
        let name = to_hex(&hasher.finalize().as_bytes()[..8]);
        Ok(last.map(|last| CycleActs { name, last }))
    }

    /// Who removed an edge from a cycle that has ended. `None` if all edges remain and another dependency is
    /// suspended now.
    fn removed_by(&self, batch: &PendingBatch, cycle: &[WaitEdge]) -> Result<Option<Attribution>, Failure> {
        let gone = cycle.iter().find(|edge| !self.index.still_waits(edge)).copied();
        let Some((from, on, _)) = gone else {
            return Ok(None);
        };
        self.folded_before_later(batch, &from, |folded| folded.dependency_ended_by(&on))
    }

    /// Folds an item as of the entry that is being applied, although its document may contain later entries
    /// already.
    fn folded_before_later<T>(
        &self,
        batch: &PendingBatch,
        id: &ItemId,
        look: impl FnOnce(&FoldedItem<'_>) -> T,
    ) -> Result<T, Failure> {
        let doc = self.doc(id)?;
        let Some(later_acts) = batch.later_acts(id) else {
            return Ok(look(&self.folded(&doc)?));
        };
        let here = doc.acts().iter().filter(|(act, _)| !later_acts.contains(act));
        let here = here.map(|(act, record)| (*act, record.clone())).collect();
        let folded = fold(*id, &here, self.members).ok_or_else(|| without_creation(id))?;
        Ok(look(&folded))
    }

    /// A cycle with the handles of its items; the middle of a long one is left out.
    fn subject(&self, cycle: &[WaitEdge]) -> ConflictSubject {
        let name = |id: &ItemId| self.index.link(id).name();
        let wait = |(from, on, why): &WaitEdge| Wait {
            item: name(from),
            on: name(on),
            why: *why,
        };
        let more = cycle.len().saturating_sub(2 * NAMED);
        // One is named rather than counted.
        let more = if more > 1 { more } else { 0 };
        let skipped = NAMED..NAMED + more;
        let named = cycle.iter().enumerate().filter(|(at, _)| !skipped.contains(at));
        ConflictSubject::Cycle {
            waits: named.map(|(_, edge)| wait(edge)).collect(),
            more,
        }
    }
}
