//! Who wins among acts that did not see each other.
//!
//! Facts beat intents; among intents the cautious one takes effect: close before send back before
//! the smaller step forward before done; a hold before its lifting, and a hold before an exit whose
//! author did not know of it. Ties go to the higher role, then to the smaller record hash (pipeline
//! spec, *When replicas disagree*, rules 3 and 4). Each function looks at the contenders only; the column,
//! which also looks at holds, is in [`super::column`].

use std::cmp::Reverse;

use towline_proto::{ActId, Column, Kind, Op, Qa, Role, Rule};

use super::folded_acts::FoldedActs;
use super::{FoldedAct, Loser, effect};
use crate::members::Roles;

/// Smaller is stronger: a step forward is the larger the later its column, done without a commit last. An
/// act that settles ranks as the step that it repeats, or as the settlement.
pub(super) fn rank(all: &FoldedActs<'_>, act: &FoldedAct<'_>) -> (u8, u8) {
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

/// Higher role first, then smaller hash.
pub(super) fn tie<R: Roles>(act: &FoldedAct<'_>, roles: &R) -> (Reverse<Option<Role>>, [u8; 32]) {
    (Reverse(roles.role(act.record.node)), act.record.hash)
}

pub(super) fn is_fact(all: &FoldedActs<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Merged { commit: Some(_) }))
}

/// Whether an act is a hold on leaving the open columns.
pub(super) fn is_hold(all: &FoldedActs<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Freeze | Op::Block { .. }))
}

fn sorted<'f, 'a, K: Ord>(
    all: &'f FoldedActs<'a>,
    heads: &[ActId],
    key: impl Fn(&ActId, &FoldedAct<'a>) -> K,
) -> Vec<(ActId, &'f FoldedAct<'a>)> {
    let mut contenders: Vec<_> = heads.iter().filter_map(|id| Some((*id, all.get(id)?))).collect();
    contenders.sort_by_cached_key(|(id, act)| key(id, act));
    contenders
}

/// Whether an act sets the hold it is about, rather than lifting it.
pub(crate) fn sets(all: &FoldedActs<'_>, id: &ActId) -> bool {
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
pub(crate) struct Resolution {
    /// The act that decides.
    pub(crate) winner: Option<ActId>,
    /// Acts that wanted something else.
    pub(super) losers: Vec<Loser>,
}

impl Resolution {
    fn new(order: &[(ActId, &FoldedAct<'_>)], rule: Rule, differs: impl Fn(&ActId, &ActId) -> bool) -> Self {
        let winner = order.first().map(|(id, _)| *id);
        let losers = winner.iter().flat_map(|by| {
            let others = order.iter().filter(|(id, _)| differs(by, id));
            others.map(|(id, _)| Loser {
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
pub(crate) fn flag<R: Roles>(all: &FoldedActs<'_>, roles: &R, heads: &[ActId]) -> Resolution {
    let order = sorted(all, heads, |id, act| {
        let gave_up = matches!(effect(all, id), Some(Op::GiveUpMerge));
        (!sets(all, id), !gave_up, tie(act, roles))
    });
    Resolution::new(&order, Rule::Cautious, |winner, id| {
        sets(all, id) != sets(all, winner)
    })
}

/// Chooses what becomes of an item in the trash: staying there, where it can be restored, before
/// coming back, before being gone for good.
pub(crate) fn trash<R: Roles>(all: &FoldedActs<'_>, roles: &R, heads: &[ActId]) -> Resolution {
    let caution = |id: &ActId| match effect(all, id) {
        Some(Op::Delete { .. }) => 0,
        Some(Op::Restore) => 1,
        _ => 2,
    };
    let order = sorted(all, heads, |id, act| (caution(id), tie(act, roles)));
    Resolution::new(&order, Rule::Cautious, |winner, id| {
        caution(id) != caution(winner)
    })
}

/// Chooses a field's value: the higher role's, then the smaller hash.
pub(crate) fn field<R: Roles, T: PartialEq>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    of: impl Fn(&Op) -> Option<T>,
) -> Resolution {
    let order = sorted(all, heads, |_, act| tie(act, roles));
    let value = |id: &ActId| effect(all, id).and_then(&of);
    Resolution::new(&order, Rule::Field, |winner, id| value(id) != value(winner))
}

/// Chooses how far a criterion is: the most cautious judgement; `caution` is smaller for it.
pub(crate) fn judgement<R: Roles>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    caution: impl Fn(&Op) -> u8,
) -> Resolution {
    let caution = |id: &ActId| effect(all, id).map(&caution);
    let order = sorted(all, heads, |id, act| (caution(id), tie(act, roles)));
    Resolution::new(&order, Rule::Cautious, |winner, id| {
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
