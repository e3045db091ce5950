//! Who wins among acts that did not see each other.
//!
//! Facts beat intents; among intents the cautious one takes effect: close before send back before
//! the smaller step forward before done; a hold before its lifting, and a hold before an exit whose
//! author did not know of it. Ties go to the higher role, then to the smaller record hash (pipeline
//! spec, *When replicas disagree*, rules 3 and 4). Each function looks at the contenders only.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use towline_proto::{ActId, Column, Kind, Op, Qa, Role, Rule};

use super::{Folding, Lost, Place, effect};
use crate::members::Roles;

pub(super) type All<'a> = BTreeMap<ActId, Folding<'a>>;

/// The outcome for the column.
#[derive(Debug)]
pub(crate) struct ColumnOutcome {
    /// Where the item stands.
    pub(crate) place: Place,
    /// The act that put it there.
    pub(crate) act: Option<ActId>,
    /// That act, and those made apart that want the same: what others name who count in this column.
    pub(crate) ruling: Vec<ActId>,
    /// What takes effect: an act of the column, or the hold that keeps an exit pending.
    pub(crate) winner: ActId,
    /// Acts that contended and lost.
    pub(super) losers: Vec<Lost>,
    /// Where nothing but exits contend and all wait for a hold to be lifted: each, with the first exit
    /// of its row.
    pub(crate) waits: Option<BTreeMap<ActId, ActId>>,
    /// The fact that put it there.
    pub(crate) fact: Option<ActId>,
    /// Holds that a fact went over.
    pub(crate) contradicted: Vec<ActId>,
}

/// Smaller is stronger: a step forward is the larger the later its column, done without a commit last. An
/// act that settles ranks as the step that it repeats, or as the settlement.
pub(super) fn rank(all: &All<'_>, act: &Folding<'_>) -> (u8, u8) {
    if let Op::Settle { keep, .. } = &act.record.act.op
        && let Some(kept) = all.get(keep).filter(|kept| kept.to.is_some())
    {
        return kept.rank;
    }
    let to = act.to.as_ref().map_or(Column::Backlog, |place| place.column);
    let from = act.from.as_ref().map_or(to, |place| place.column);
    match &act.record.act.op {
        Op::Merged { commit: Some(_) } => (0, 0),
        Op::Abandon { .. } | Op::Supersede { .. } | Op::Reject { .. } => (1, 0),
        Op::Archive => ARCHIVING,
        _ if to < from => (2, to as u8),
        _ => (3, to as u8),
    }
}

/// How cautious it is to archive what somebody has led on from meanwhile.
const ARCHIVING: (u8, u8) = (4, 0);

/// Steps back in which somebody can have led on from an end.
const STEPS: usize = 1_000;

/// What an act stands for among those that contend with it: itself, and where it archives what nobody
/// among them has led on from, the end that it archives. Putting an item out of sight takes nothing from
/// how it ended.
fn stands_for(all: &All<'_>, heads: &[ActId], id: ActId) -> ActId {
    let archives = |id: &ActId| {
        let act = all.get(id)?;
        act.column_before
            .filter(|_| matches!(act.record.act.op, Op::Archive))
    };
    let Some(end) = archives(&id) else { return id };
    let leads_on = |head: &ActId| {
        let before = |id: &ActId| all.get(id).and_then(|act| act.column_before);
        let mut steps = std::iter::successors(before(head), before).take(STEPS);
        archives(head) != Some(end) && steps.any(|step| step == end)
    };
    if heads.iter().any(leads_on) { id } else { end }
}

/// Higher role first, then smaller hash.
pub(super) fn tie<R: Roles>(act: &Folding<'_>, roles: &R) -> (Reverse<Option<Role>>, [u8; 32]) {
    (Reverse(roles.role(act.record.node)), act.record.hash)
}

pub(super) fn is_fact(all: &All<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Merged { commit: Some(_) }))
}

/// Whether an act is a hold on leaving the open columns.
pub(super) fn is_hold(all: &All<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Freeze | Op::Block { .. }))
}

fn leaves_open(act: &Folding<'_>) -> bool {
    act.to.as_ref().is_some_and(|place| !place.column.is_open())
}

fn sorted<'f, 'a, K: Ord>(
    all: &'f All<'a>,
    heads: &[ActId],
    key: impl Fn(&ActId, &Folding<'a>) -> K,
) -> Vec<(ActId, &'f Folding<'a>)> {
    let mut contenders: Vec<_> = heads.iter().filter_map(|id| Some((*id, all.get(id)?))).collect();
    contenders.sort_by_cached_key(|(id, act)| key(id, act));
    contenders
}

/// Chooses the column among `heads`. `holds` are the heads of the hold registers that can keep an
/// exit pending.
pub(crate) fn column<R: Roles>(
    all: &All<'_>,
    roles: &R,
    heads: &[ActId],
    holds: &[&[ActId]],
) -> Option<ColumnOutcome> {
    let ends: BTreeMap<ActId, ActId> = heads
        .iter()
        .map(|id| (*id, stands_for(all, heads, *id)))
        .collect();
    let end = |id: &ActId| ends.get(id).copied().unwrap_or(*id);
    let rank = |id: &ActId| all.get(&end(id)).map(|act| act.rank);
    let contenders = sorted(all, heads, |id, act| (rank(id), tie(act, roles)));
    let (first_id, first) = contenders.first().copied()?;
    let holding: Vec<ActId> = holds.iter().copied().flatten().copied().collect();
    let unseen_by = |act: &Folding<'_>| -> Vec<ActId> {
        let unseen = |hold: &&ActId| sets(all, hold) && !act.record.act.saw.contains(hold);
        holding.iter().filter(unseen).copied().collect()
    };
    let pending = |id: &ActId, act: &Folding<'_>| {
        leaves_open(act) && !is_fact(all, &end(id)) && !unseen_by(act).is_empty()
    };
    let place_of = |act: &Folding<'_>| act.to.clone().unwrap_or(Place::open(Column::Backlog));
    let waiting = contenders.iter().filter(|(id, act)| pending(id, act));
    let waiting: Vec<ActId> = waiting.map(|(id, _)| *id).collect();

    let standing = contenders.iter().find(|(id, _)| !waiting.contains(id)).copied();
    if let Some((winner, act)) = standing {
        let place = place_of(act);
        let (ruling, losing): (Vec<_>, Vec<_>) = contenders
            .iter()
            .partition(|(id, act)| *id == winner || place_of(act).is_same(&place));
        let losers = losing.iter().map(|(id, _)| Lost {
            act: *id,
            by: winner,
            rule: if is_fact(all, &end(&winner)) {
                Rule::Fact
            } else if waiting.contains(id) {
                Rule::Hold
            } else if rank(id) == rank(&winner) {
                Rule::Tie
            } else {
                Rule::Cautious
            },
        });
        return Some(ColumnOutcome {
            act: Some(winner),
            ruling: ruling
                .iter()
                .flat_map(|(id, act)| act.stands_with.iter().copied().chain([*id]))
                .collect(),
            fact: Some(end(&winner)).filter(|end| is_fact(all, end)),
            winner,
            losers: losers.collect(),
            contradicted: if is_fact(all, &end(&winner)) {
                unseen_by(act)
            } else {
                Vec::new()
            },
            waits: None,
            place,
        });
    }
    // Every contender would take the item out of the open columns past a hold that its author did
    // not know of: the item stays where the first of them found it, and the exits stay pending. What
    // that one found may itself be such an exit (abandoned, then archived by the sweep, while
    // somebody apart froze it): the item stays where the first exit of the row found it.
    let hold = unseen_by(first).into_iter().min().unwrap_or(first_id);
    let first_exit = |(id, act): (ActId, &Folding<'_>)| {
        let (mut exit, mut before) = (id, act.column_before);
        while let Some((id, act)) = before.and_then(|id| Some((id, all.get(&id)?))) {
            if !pending(&id, act) {
                break;
            }
            (exit, before) = (id, act.column_before);
        }
        exit
    };
    let waits = contenders.iter().map(|(id, act)| (*id, first_exit((*id, act))));
    let waits: BTreeMap<ActId, ActId> = waits.collect();
    let exit = waits
        .get(&first_id)
        .and_then(|exit| all.get(exit))
        .unwrap_or(first);
    let losers = contenders.iter().map(|(id, _)| Lost {
        act: *id,
        by: hold,
        rule: Rule::Hold,
    });
    Some(ColumnOutcome {
        place: exit.from.clone().unwrap_or(Place::open(Column::Backlog)),
        act: exit.column_before,
        ruling: exit.ruling.clone(),
        winner: hold,
        losers: losers.collect(),
        waits: Some(waits),
        fact: None,
        contradicted: Vec::new(),
    })
}

/// Whether an act sets the hold it is about, rather than lifting it.
pub(crate) fn sets(all: &All<'_>, id: &ActId) -> bool {
    let Some(act) = all.get(id) else { return false };
    match effect(all, id) {
        Some(Op::Freeze | Op::Block { .. } | Op::MergeFailed { .. } | Op::GiveUpMerge) => true,
        // Only where a person has to approve does it set a hold; elsewhere it is a step forward.
        Some(Op::PassQa) => {
            let root = act.keeps.and_then(|root| all.get(&root)).unwrap_or(act);
            root.to.is_none()
        }
        _ => false,
    }
}

/// The outcome for a hold or a field.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The act that decides.
    pub(crate) winner: Option<ActId>,
    /// Acts that wanted something else.
    pub(super) losers: Vec<Lost>,
}

impl Outcome {
    fn new(order: &[(ActId, &Folding<'_>)], rule: Rule, differs: impl Fn(&ActId, &ActId) -> bool) -> Self {
        let winner = order.first().map(|(id, _)| *id);
        let losers = winner.iter().flat_map(|by| {
            let others = order.iter().filter(|(id, _)| differs(by, id));
            others.map(|(id, _)| Lost {
                act: *id,
                by: *by,
                rule,
            })
        });
        Self {
            losers: losers.collect(),
            winner,
        }
    }
}

/// Chooses whether a hold holds: setting wins over lifting.
pub(crate) fn flag<R: Roles>(all: &All<'_>, roles: &R, heads: &[ActId]) -> Outcome {
    let order = sorted(all, heads, |id, act| {
        let gave_up = matches!(effect(all, id), Some(Op::GiveUpMerge));
        (!sets(all, id), !gave_up, tie(act, roles))
    });
    Outcome::new(&order, Rule::Cautious, |winner, id| {
        sets(all, id) != sets(all, winner)
    })
}

/// Chooses what becomes of an item in the trash: staying there, where it can be restored, before
/// coming back, before being gone for good.
pub(crate) fn trash<R: Roles>(all: &All<'_>, roles: &R, heads: &[ActId]) -> Outcome {
    let caution = |id: &ActId| match effect(all, id) {
        Some(Op::Delete { .. }) => 0,
        Some(Op::Restore) => 1,
        _ => 2,
    };
    let order = sorted(all, heads, |id, act| (caution(id), tie(act, roles)));
    Outcome::new(&order, Rule::Cautious, |winner, id| {
        caution(id) != caution(winner)
    })
}

/// Chooses a field's value: the higher role's, then the smaller hash.
pub(crate) fn field<R: Roles, T: PartialEq>(
    all: &All<'_>,
    roles: &R,
    heads: &[ActId],
    of: impl Fn(&Op) -> Option<T>,
) -> Outcome {
    let order = sorted(all, heads, |_, act| tie(act, roles));
    let value = |id: &ActId| effect(all, id).and_then(&of);
    Outcome::new(&order, Rule::Field, |winner, id| value(id) != value(winner))
}

/// Chooses how far a criterion is: the most cautious judgement; `caution` is smaller for it.
pub(crate) fn judgement<R: Roles>(
    all: &All<'_>,
    roles: &R,
    heads: &[ActId],
    caution: impl Fn(&Op) -> u8,
) -> Outcome {
    let caution = |id: &ActId| effect(all, id).map(&caution);
    let order = sorted(all, heads, |id, act| (caution(id), tie(act, roles)));
    Outcome::new(&order, Rule::Cautious, |winner, id| {
        caution(id) != caution(winner)
    })
}

/// The QA mode that an operation sets.
pub(crate) const fn qa_of(op: &Op) -> Option<Qa> {
    match op {
        Op::Create { qa, .. } | Op::SetQa { qa } => Some(*qa),
        _ => None,
    }
}

/// The kind that an operation sets.
pub(crate) const fn kind_of(op: &Op) -> Option<Kind> {
    match op {
        Op::Create { kind, .. } | Op::SetKind { kind } => Some(*kind),
        _ => None,
    }
}
