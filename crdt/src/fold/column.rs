//! Decides the column: which act of the column register wins, and which exits wait for a hold.
//!
//! An exit (to done, closed or archived) whose author had not seen a hold that is set stays pending until the
//! hold is lifted, unless the exit is a fact. A candidate that is not pending wins against all pending exits
//! (docs/spec/pipeline.md, *When replicas disagree*, rule 4). Visits each candidate, each hold and each exit
//! before them once, because an item can have thousands. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use towline_proto::{ActId, Closing, Column, Op, Rule, Verb};

use super::folded_acts::FoldedActs;
use super::observed_state::ObservedState;
use super::winner::{is_fact, sets_hold, tie_key};
use super::{ColumnValue, FoldedAct, Loser};
use crate::members::Roles;

/// The decision about the column.
#[derive(Debug)]
pub(crate) struct ColumnDecision {
    /// The value of the column register.
    pub(crate) column_value: ColumnValue,
    /// The act that set it.
    pub(crate) act: Option<ActId>,
    /// That act, and concurrent acts with the same value. An act belongs to this column visit when it names one
    /// of them, or one of their `also_placed_by`: see [`placing_acts`].
    pub(crate) placed_by: Arc<[ActId]>,
    /// The winner: an act of the column, or the hold that keeps an exit pending.
    pub(crate) winner: ActId,
    /// The heads that lost.
    pub(super) losers: Vec<Loser>,
    /// Set when all heads are pending exits: each of them, with the first exit of its chain.
    pub(crate) pending_exits: Option<BTreeMap<ActId, ActId>>,
    /// The fact that put the item here, if it was one.
    pub(crate) fact: Option<ActId>,
    /// Holds that the fact did not know of and went past.
    pub(crate) overridden_holds: Vec<ActId>,
}

/// The column value that an act sets, if it writes the column.
pub(super) fn leads_to(op: &Op, verb: Verb, observed: &ObservedState) -> Option<ColumnValue> {
    let column = match op {
        Op::Move { to, .. } => *to,
        _ => towline_proto::table::leads_to(verb, observed.qa)?,
    };
    let closing = match op {
        Op::Abandon { .. } => Some(Closing::Abandoned),
        Op::Supersede { by } => Some(Closing::Superseded { by: *by }),
        Op::Reject { reason } => Some(Closing::Rejected {
            reason: reason.clone(),
        }),
        _ => None,
    };
    let closing = match op {
        Op::Archive => observed.column_value.closing.clone(),
        _ => closing.map(Arc::new),
    };
    Some(ColumnValue { column, closing })
}

/// The acts of `placed_by`, each preceded by the acts of its `also_placed_by`.
pub(super) fn placing_acts<'r>(
    all: &'r FoldedActs<'_>,
    placed_by: &'r [ActId],
) -> impl Iterator<Item = ActId> + 'r {
    placed_by.iter().flat_map(|id| {
        let with = all.get(id).map(|act| act.also_placed_by.as_slice());
        with.unwrap_or_default().iter().chain([id]).copied()
    })
}

/// Decides the column among `heads`. `holds` are the heads of the hold registers that can keep an exit pending.
pub(crate) fn decide<R: Roles>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    holds: &[&[ActId]],
) -> Option<ColumnDecision> {
    let candidates = Candidates::of(all, roles, heads, holds);
    let not_pending = candidates.sorted.iter().find(|candidate| !candidate.pending);
    match (not_pending, candidates.sorted.first()) {
        (Some(winner), _) => Some(candidates.decide_for(winner)),
        (None, Some(first)) => Some(candidates.decide_pending(first)),
        (None, None) => None,
    }
}

/// The holds that are set, in the order of their heads, and as a set for lookups.
struct SetHolds {
    in_order: Vec<ActId>,
    set: BTreeSet<ActId>,
}

impl SetHolds {
    fn of(all: &FoldedActs<'_>, heads: &[&[ActId]]) -> Self {
        let heads = heads.iter().copied().flatten().copied();
        let in_order: Vec<ActId> = heads.filter(|hold| sets_hold(all, hold)).collect();
        let set = in_order.iter().copied().collect();
        Self { in_order, set }
    }

    /// The holds that an act names as seen.
    fn seen_by(&self, act: &FoldedAct<'_>) -> BTreeSet<ActId> {
        let saw = act.saw.iter();
        saw.filter(|id| self.set.contains(id)).copied().collect()
    }

    fn unseen_by(&self, act: &FoldedAct<'_>) -> impl Iterator<Item = ActId> {
        let seen = self.seen_by(act);
        let unseen = self.in_order.iter().copied();
        unseen.filter(move |hold| !seen.contains(hold))
    }

    /// Whether there is a hold that an act did not know of.
    fn stop(&self, act: &FoldedAct<'_>) -> bool {
        !self.set.is_empty() && self.seen_by(act).len() < self.set.len()
    }
}

/// A head of the column register.
struct Candidate<'t, 'a> {
    id: ActId,
    act: &'t FoldedAct<'a>,
    /// The act whose rank counts: itself, or for an archiving the exit that it archives.
    end: ActId,
    /// The rank of that act.
    rank: Option<(u8, u8)>,
    /// Whether it is an exit whose author had not seen a hold that is set.
    pending: bool,
}

impl Candidate<'_, '_> {
    fn leads_to(&self) -> &ColumnValue {
        self.act.to.as_ref().unwrap_or(&BACKLOG)
    }
}

static BACKLOG: ColumnValue = ColumnValue::open(Column::Backlog);

struct Candidates<'t, 'a> {
    all: &'t FoldedActs<'a>,
    /// In order of precedence.
    sorted: Vec<Candidate<'t, 'a>>,
    /// For each archiving that counts as the exit which it archives, that exit.
    ends: BTreeMap<ActId, ActId>,
    holds: SetHolds,
}

impl<'t, 'a> Candidates<'t, 'a> {
    fn of<R: Roles>(all: &'t FoldedActs<'a>, roles: &R, heads: &[ActId], holds: &[&[ActId]]) -> Self {
        let mut candidates = Self {
            all,
            sorted: Vec::new(),
            ends: archived_ends(all, heads),
            holds: SetHolds::of(all, holds),
        };
        let candidate = |id: &ActId| {
            let act = all.get(id)?;
            let end = candidates.end(*id);
            Some(Candidate {
                id: *id,
                act,
                end,
                rank: all.get(&end).map(|end| end.rank),
                pending: candidates.is_pending_exit(*id, act),
            })
        };
        let mut sorted: Vec<_> = heads.iter().filter_map(candidate).collect();
        sorted.sort_by_cached_key(|candidate| (candidate.rank, tie_key(candidate.act, roles)));
        candidates.sorted = sorted;
        candidates
    }

    fn end(&self, id: ActId) -> ActId {
        self.ends.get(&id).copied().unwrap_or(id)
    }

    /// Whether an act is a pending exit.
    fn is_pending_exit(&self, id: ActId, act: &FoldedAct<'_>) -> bool {
        let leaves = act.to.as_ref().is_some_and(|place| !place.column.is_open());
        leaves && !is_fact(self.all, &self.end(id)) && self.holds.stop(act)
    }

    /// The decision when a candidate is not pending: the first such candidate wins.
    fn decide_for(&self, winner: &Candidate<'_, '_>) -> ColumnDecision {
        let place = winner.leads_to();
        let same = |other: &&Candidate<'_, '_>| other.id == winner.id || other.leads_to().is_same(place);
        let fact = Some(winner.end).filter(|end| is_fact(self.all, end));
        let (placed_by, losing): (Vec<_>, Vec<_>) = self.sorted.iter().partition(same);
        let losers = losing.into_iter().map(|loser| Loser {
            act: loser.id,
            by: winner.id,
            rule: match fact {
                Some(_) => Rule::Fact,
                None if loser.pending => Rule::Hold,
                None if loser.rank == winner.rank => Rule::Tie,
                None => Rule::Cautious,
            },
        });
        ColumnDecision {
            column_value: place.clone(),
            act: Some(winner.id),
            placed_by: placed_by.iter().map(|candidate| candidate.id).collect(),
            winner: winner.id,
            losers: losers.collect(),
            pending_exits: None,
            fact,
            overridden_holds: match fact {
                Some(_) => self.holds.unseen_by(winner.act).collect(),
                None => Vec::new(),
            },
        }
    }

    /// The decision when every candidate is a pending exit: the item stays where the author of the first
    /// candidate saw it. That may be behind another pending exit (the item was abandoned and then archived by
    /// the retention sweep, while somebody else froze it); then the item stays where the author of the first
    /// exit in the chain saw it.
    fn decide_pending(&self, first: &Candidate<'_, '_>) -> ColumnDecision {
        let hold = self.holds.unseen_by(first.act).min().unwrap_or(first.id);
        let first_exits = self.first_exits();
        let exit = first_exits.get(&first.id).and_then(|exit| self.all.get(exit));
        let exit = exit.unwrap_or(first.act);
        let losers = self.sorted.iter().map(|candidate| Loser {
            act: candidate.id,
            by: hold,
            rule: Rule::Hold,
        });
        ColumnDecision {
            column_value: exit.from.clone().unwrap_or(ColumnValue::open(Column::Backlog)),
            act: exit.column_before,
            placed_by: Arc::clone(&exit.placed_by),
            winner: hold,
            losers: losers.collect(),
            pending_exits: Some(first_exits),
            fact: None,
            overridden_holds: Vec::new(),
        }
    }

    /// For each candidate, the first exit of the chain of pending exits that it ends. Candidates can share a
    /// chain, so each chain is walked once.
    fn first_exits(&self) -> BTreeMap<ActId, ActId> {
        let mut known: BTreeMap<ActId, ActId> = BTreeMap::new();
        for candidate in &self.sorted {
            let mut chain = Vec::new();
            let (mut exit, mut act) = (candidate.id, candidate.act);
            let first = loop {
                if let Some(first) = known.get(&exit) {
                    break *first;
                }
                chain.push(exit);
                let before = act.column_before;
                let before = before.and_then(|id| Some((id, self.all.get(&id)?)));
                match before.filter(|(id, act)| self.is_pending_exit(*id, act)) {
                    Some(before) => (exit, act) = before,
                    None => break exit,
                }
            };
            known.extend(chain.into_iter().map(|exit| (exit, first)));
        }
        let first = |candidate: &Candidate<'_, '_>| Some((candidate.id, *known.get(&candidate.id)?));
        self.sorted.iter().filter_map(first).collect()
    }
}

/// How many steps of the column are searched for an exit that somebody continued from.
const STEPS: usize = 1_000;

/// The archivings among `heads` that have the rank of the exit which they archive, with that exit: archiving an
/// item must not weaken the way it ended. Those whose exit another head has continued from (by reopening, say)
/// are left out and rank as archivings.
fn archived_ends(all: &FoldedActs<'_>, heads: &[ActId]) -> BTreeMap<ActId, ActId> {
    let archives = |id: &ActId| {
        let act = all.get(id)?;
        let end = act.column_before?;
        matches!(act.record.act.op, Op::Archive).then_some((*id, end))
    };
    let mut archived: BTreeMap<ActId, ActId> = heads.iter().filter_map(archives).collect();
    if !archived.is_empty() {
        let ends = archived.values().copied().collect();
        let continued = continued_from(all, heads, &archived, &ends);
        archived.retain(|_, end| !continued.contains(end));
    }
    archived
}

/// The exits among `ends` that a head has continued from without archiving them. All heads are walked back
/// together, the youngest step first, so that shared steps are visited once, and no further than the oldest of
/// the exits.
fn continued_from(
    all: &FoldedActs<'_>,
    heads: &[ActId],
    archived: &BTreeMap<ActId, ActId>,
    ends: &BTreeSet<ActId>,
) -> BTreeSet<ActId> {
    let oldest = ends.iter().filter_map(|id| Some(all.get(id)?.order)).min();
    let oldest = oldest.unwrap_or(0);
    let before = |id: &ActId| all.get(id).and_then(|act| act.column_before);
    // The steps to visit by their index in the causal order, with the distance from the nearest head.
    let mut reached: BTreeMap<(usize, ActId), usize> = BTreeMap::new();
    let reach = |reached: &mut BTreeMap<(usize, ActId), usize>, step: Option<ActId>, distance: usize| {
        let step = step.and_then(|id| Some((all.get(&id)?.order, id)));
        if let Some(step) = step.filter(|(order, _)| *order >= oldest && distance <= STEPS) {
            let nearest = reached.entry(step).or_insert(distance);
            *nearest = distance.min(*nearest);
        }
    };
    for head in heads {
        match archived.get(head) {
            Some(end) => reach(&mut reached, before(end), 2),
            None => reach(&mut reached, before(head), 1),
        }
    }
    let mut continued = BTreeSet::new();
    while let Some(((_, step), distance)) = reached.pop_last() {
        if ends.contains(&step) {
            continued.insert(step);
        }
        reach(&mut reached, before(&step), distance.saturating_add(1));
    }
    continued
}
