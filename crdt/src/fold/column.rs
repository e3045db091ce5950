//! Where the item stands: which act of the column wins, and which exits wait for a hold.
//!
//! An exit (done, closed, archived) whose author had not seen a hold that is set waits until it is lifted,
//! unless it is a fact. A contender that does not wait goes before all that do (pipeline spec, *When
//! replicas disagree*, rule 4). Looks at the contenders, at the holds and at the rows of exits behind
//! them, at each once: somebody can make thousands of either. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use towline_proto::{ActId, Closing, Column, Op, Rule, Verb};

use super::folded_acts::FoldedActs;
use super::observed_state::ObservedState;
use super::resolution::{is_fact, sets, tie};
use super::{ColumnValue, FoldedAct, Loser};
use crate::members::Roles;

/// The outcome for the column.
#[derive(Debug)]
pub(crate) struct ColumnResolution {
    /// Where the item stands.
    pub(crate) place: ColumnValue,
    /// The act that put it there.
    pub(crate) act: Option<ActId>,
    /// That act, and those made apart that want the same: what others name who count in this column. What
    /// stands with each of them is in [`rulers`].
    pub(crate) ruling: Arc<[ActId]>,
    /// What takes effect: an act of the column, or the hold that keeps an exit pending.
    pub(crate) winner: ActId,
    /// Acts that contended and lost.
    pub(super) losers: Vec<Loser>,
    /// Where nothing but exits contend and all wait for a hold to be lifted: each, with the first exit
    /// of its row.
    pub(crate) waits: Option<BTreeMap<ActId, ActId>>,
    /// The fact that put it there.
    pub(crate) fact: Option<ActId>,
    /// Holds that a fact went over.
    pub(crate) contradicted: Vec<ActId>,
}

/// Where an act puts the item, if it moves it at all.
pub(super) fn leads_to(op: &Op, verb: Verb, sight: &ObservedState) -> Option<ColumnValue> {
    let column = match op {
        Op::Move { to, .. } => *to,
        _ => towline_proto::table::leads_to(verb, sight.qa)?,
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
        Op::Archive => sight.place.closing.clone(),
        _ => closing.map(Arc::new),
    };
    Some(ColumnValue { column, closing })
}

/// All that rule a column with those that `ruling` lists: each behind what stands with it.
pub(super) fn rulers<'r>(all: &'r FoldedActs<'_>, ruling: &'r [ActId]) -> impl Iterator<Item = ActId> + 'r {
    ruling.iter().flat_map(|id| {
        let with = all.get(id).map(|act| act.stands_with.as_slice());
        with.unwrap_or_default().iter().chain([id]).copied()
    })
}

/// Chooses the column among `heads`. `holds` are the heads of the hold registers that can keep an
/// exit pending.
pub(crate) fn column<R: Roles>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    holds: &[&[ActId]],
) -> Option<ColumnResolution> {
    let contest = Contest::of(all, roles, heads, holds);
    let standing = contest.contenders.iter().find(|contender| !contender.waits);
    match (standing, contest.contenders.first()) {
        (Some(winner), _) => Some(contest.stands(winner)),
        (None, Some(first)) => Some(contest.waits(first)),
        (None, None) => None,
    }
}

/// The holds that are set, in the order of their heads and for looking one up.
struct Holds {
    in_order: Vec<ActId>,
    set: BTreeSet<ActId>,
}

impl Holds {
    fn of(all: &FoldedActs<'_>, heads: &[&[ActId]]) -> Self {
        let heads = heads.iter().copied().flatten().copied();
        let in_order: Vec<ActId> = heads.filter(|hold| sets(all, hold)).collect();
        let set = in_order.iter().copied().collect();
        Self { in_order, set }
    }

    /// Those that an act names.
    fn seen_by(&self, act: &FoldedAct<'_>) -> BTreeSet<ActId> {
        let saw = act.saw.iter();
        saw.filter(|id| self.set.contains(id)).copied().collect()
    }

    fn unseen_by(&self, act: &FoldedAct<'_>) -> impl Iterator<Item = ActId> {
        let seen = self.seen_by(act);
        let unseen = self.in_order.iter().copied();
        unseen.filter(move |hold| !seen.contains(hold))
    }

    fn keep(&self, act: &FoldedAct<'_>) -> bool {
        !self.set.is_empty() && self.seen_by(act).len() < self.set.len()
    }
}

/// One that contends for the column.
struct Contender<'t, 'a> {
    id: ActId,
    act: &'t FoldedAct<'a>,
    /// What it stands for: itself, or the end that it archives.
    end: ActId,
    /// How cautious that is.
    rank: Option<(u8, u8)>,
    /// Whether it is an exit past a hold that its author had not seen.
    waits: bool,
}

impl Contender<'_, '_> {
    fn leads_to(&self) -> &ColumnValue {
        self.act.to.as_ref().unwrap_or(&BACKLOG)
    }
}

static BACKLOG: ColumnValue = ColumnValue::open(Column::Backlog);

struct Contest<'t, 'a> {
    all: &'t FoldedActs<'a>,
    /// Who goes first stands first.
    contenders: Vec<Contender<'t, 'a>>,
    /// What archivings among them stand for.
    ends: BTreeMap<ActId, ActId>,
    holds: Holds,
}

impl<'t, 'a> Contest<'t, 'a> {
    fn of<R: Roles>(all: &'t FoldedActs<'a>, roles: &R, heads: &[ActId], holds: &[&[ActId]]) -> Self {
        let mut contest = Self {
            all,
            contenders: Vec::new(),
            ends: archived_ends(all, heads),
            holds: Holds::of(all, holds),
        };
        let contender = |id: &ActId| {
            let act = all.get(id)?;
            let end = contest.end(*id);
            Some(Contender {
                id: *id,
                act,
                end,
                rank: all.get(&end).map(|end| end.rank),
                waits: contest.is_kept(*id, act),
            })
        };
        let mut contenders: Vec<_> = heads.iter().filter_map(contender).collect();
        contenders.sort_by_cached_key(|contender| (contender.rank, tie(contender.act, roles)));
        contest.contenders = contenders;
        contest
    }

    fn end(&self, id: ActId) -> ActId {
        self.ends.get(&id).copied().unwrap_or(id)
    }

    /// Whether an act is an exit that waits for a hold to be lifted.
    fn is_kept(&self, id: ActId, act: &FoldedAct<'_>) -> bool {
        let leaves = act.to.as_ref().is_some_and(|place| !place.column.is_open());
        leaves && !is_fact(self.all, &self.end(id)) && self.holds.keep(act)
    }

    /// One contender does not wait: the item stands where it leads.
    fn stands(&self, winner: &Contender<'_, '_>) -> ColumnResolution {
        let place = winner.leads_to();
        let same = |other: &&Contender<'_, '_>| other.id == winner.id || other.leads_to().is_same(place);
        let fact = Some(winner.end).filter(|end| is_fact(self.all, end));
        let (ruling, losing): (Vec<_>, Vec<_>) = self.contenders.iter().partition(same);
        let losers = losing.into_iter().map(|loser| Loser {
            act: loser.id,
            by: winner.id,
            rule: match fact {
                Some(_) => Rule::Fact,
                None if loser.waits => Rule::Hold,
                None if loser.rank == winner.rank => Rule::Tie,
                None => Rule::Cautious,
            },
        });
        ColumnResolution {
            place: place.clone(),
            act: Some(winner.id),
            ruling: ruling.iter().map(|contender| contender.id).collect(),
            winner: winner.id,
            losers: losers.collect(),
            waits: None,
            fact,
            contradicted: match fact {
                Some(_) => self.holds.unseen_by(winner.act).collect(),
                None => Vec::new(),
            },
        }
    }

    /// Every contender would take the item out of the open columns past a hold that its author did not
    /// know of: the item stays where the strongest of them found it, and the exits stay pending. What that
    /// one found may itself be such an exit (abandoned, then archived by the sweep, while somebody apart
    /// froze it): the item stays where the first exit of the row found it.
    fn waits(&self, first: &Contender<'_, '_>) -> ColumnResolution {
        let hold = self.holds.unseen_by(first.act).min().unwrap_or(first.id);
        let waits = self.first_exits();
        let exit = waits.get(&first.id).and_then(|exit| self.all.get(exit));
        let exit = exit.unwrap_or(first.act);
        let losers = self.contenders.iter().map(|contender| Loser {
            act: contender.id,
            by: hold,
            rule: Rule::Hold,
        });
        ColumnResolution {
            place: exit.from.clone().unwrap_or(ColumnValue::open(Column::Backlog)),
            act: exit.column_before,
            ruling: Arc::clone(&exit.ruling),
            winner: hold,
            losers: losers.collect(),
            waits: Some(waits),
            fact: None,
            contradicted: Vec::new(),
        }
    }

    /// For each contender the first exit of the row that it is the last of. Many can share a row, and a
    /// row is gone through once.
    fn first_exits(&self) -> BTreeMap<ActId, ActId> {
        let mut known: BTreeMap<ActId, ActId> = BTreeMap::new();
        for contender in &self.contenders {
            let mut row = Vec::new();
            let (mut exit, mut act) = (contender.id, contender.act);
            let first = loop {
                if let Some(first) = known.get(&exit) {
                    break *first;
                }
                row.push(exit);
                let before = act.column_before;
                let before = before.and_then(|id| Some((id, self.all.get(&id)?)));
                match before.filter(|(id, act)| self.is_kept(*id, act)) {
                    Some(before) => (exit, act) = before,
                    None => break exit,
                }
            };
            known.extend(row.into_iter().map(|exit| (exit, first)));
        }
        let first = |contender: &Contender<'_, '_>| Some((contender.id, *known.get(&contender.id)?));
        self.contenders.iter().filter_map(first).collect()
    }
}

/// Steps back in which somebody can have led on from an end.
const STEPS: usize = 1_000;

/// What archivings among `heads` stand for, where they do not stand for themselves: the end that each
/// archives, if nobody among them has led on from that. Putting an item out of sight takes nothing from
/// how it ended.
fn archived_ends(all: &FoldedActs<'_>, heads: &[ActId]) -> BTreeMap<ActId, ActId> {
    let archives = |id: &ActId| {
        let act = all.get(id)?;
        let end = act.column_before?;
        matches!(act.record.act.op, Op::Archive).then_some((*id, end))
    };
    let mut archived: BTreeMap<ActId, ActId> = heads.iter().filter_map(archives).collect();
    if !archived.is_empty() {
        let ends = archived.values().copied().collect();
        let led_on = led_on(all, heads, &archived, &ends);
        archived.retain(|_, end| !led_on.contains(end));
    }
    archived
}

/// From which of `ends` a head has led on that does not archive it. All go back together, the youngest
/// step first, so that what many share is gone through once, and no further than to the oldest end.
fn led_on(
    all: &FoldedActs<'_>,
    heads: &[ActId],
    archived: &BTreeMap<ActId, ActId>,
    ends: &BTreeSet<ActId>,
) -> BTreeSet<ActId> {
    let oldest = ends.iter().filter_map(|id| Some(all.get(id)?.order)).min();
    let oldest = oldest.unwrap_or(0);
    let before = |id: &ActId| all.get(id).and_then(|act| act.column_before);
    // Each step by its place in the causal order, with how far it is from the nearest head.
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
    let mut led_on = BTreeSet::new();
    while let Some(((_, step), distance)) = reached.pop_last() {
        if ends.contains(&step) {
            led_on.insert(step);
        }
        reach(&mut reached, before(&step), distance.saturating_add(1));
    }
    led_on
}
