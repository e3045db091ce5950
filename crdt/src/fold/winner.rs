//! Decides which of several concurrent acts on a register is in effect.
//!
//! Facts win against intents. Among intents the most cautious one wins: closing, then sending back, then the
//! smaller step forward, then done. Setting a hold wins against lifting it, and against an exit whose author did
//! not know of the hold. Ties go to the higher role, then to the smaller record hash (docs/spec/pipeline.md,
//! *When replicas disagree*, rules 3 and 4). Each function looks at the heads of one register only; the column,
//! which also depends on holds, is decided in [`super::column`].

use std::cmp::Reverse;

use towline_proto::{ActId, Column, Kind, Op, Qa, Role, Rule};

use super::folded_acts::FoldedActs;
use super::{FoldedAct, Loser, effect};
use crate::members::Roles;

/// How cautious an act of the column is; the smaller rank wins. Steps forward rank by their column, and done
/// without a commit comes last. An act that resolves a conflict has the rank of the step that it repeats, or
/// when it keeps a hold, the rank of its own effect.
pub(super) fn rank(all: &FoldedActs<'_>, act: &FoldedAct<'_>) -> (u8, u8) {
    if let Op::Resolve { keep, .. } = &act.record.act.op
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

/// The rank of archiving an item that somebody has continued from concurrently.
const ARCHIVING: (u8, u8) = (4, 0);

/// The tie-break: the higher role first, then the smaller hash.
pub(super) fn tie_key<R: Roles>(act: &FoldedAct<'_>, roles: &R) -> (Reverse<Option<Role>>, [u8; 32]) {
    (Reverse(roles.role(act.record.node)), act.record.hash)
}

/// Whether an act is a fact: a merge that names its commit.
pub(super) fn is_fact(all: &FoldedActs<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Merged { commit: Some(_) }))
}

/// Whether an act sets a hold that keeps an item in the open columns.
pub(super) fn is_exit_hold(all: &FoldedActs<'_>, id: &ActId) -> bool {
    matches!(effect(all, id), Some(Op::Freeze | Op::Block { .. }))
}

/// The heads in order of precedence; the first one wins.
fn by_precedence<'f, 'a, K: Ord>(
    all: &'f FoldedActs<'a>,
    heads: &[ActId],
    key: impl Fn(&ActId, &FoldedAct<'a>) -> K,
) -> Vec<(ActId, &'f FoldedAct<'a>)> {
    let mut candidates: Vec<_> = heads.iter().filter_map(|id| Some((*id, all.get(id)?))).collect();
    candidates.sort_by_cached_key(|(id, act)| key(id, act));
    candidates
}

/// Whether an act sets the hold of its register, rather than lifting it.
pub(crate) fn sets_hold(all: &FoldedActs<'_>, id: &ActId) -> bool {
    let Some(act) = all.get(id) else { return false };
    match effect(all, id) {
        Some(Op::Freeze | Op::Block { .. } | Op::MergeFailed { .. } | Op::GiveUpMerge) => true,
        // It sets a hold only when a person has to approve; otherwise it is a step forward.
        Some(Op::PassQa) => {
            let root = act.keeps.and_then(|root| all.get(&root)).unwrap_or(act);
            root.to.is_none()
        }
        _ => false,
    }
}

/// The decision about a hold or a field.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// The act in effect.
    pub(crate) winner: Option<ActId>,
    /// Heads with another value.
    pub(super) losers: Vec<Loser>,
}

impl Decision {
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

/// Decides whether a hold is set: setting wins against lifting.
pub(crate) fn decide_hold<R: Roles>(all: &FoldedActs<'_>, roles: &R, heads: &[ActId]) -> Decision {
    let order = by_precedence(all, heads, |id, act| {
        let gave_up = matches!(effect(all, id), Some(Op::GiveUpMerge));
        (!sets_hold(all, id), !gave_up, tie_key(act, roles))
    });
    Decision::new(&order, Rule::Cautious, |winner, id| {
        sets_hold(all, id) != sets_hold(all, winner)
    })
}

/// Decides about the trash: deleting wins against restoring, and both against purging, which cannot be undone.
pub(crate) fn decide_trash<R: Roles>(all: &FoldedActs<'_>, roles: &R, heads: &[ActId]) -> Decision {
    let caution = |id: &ActId| match effect(all, id) {
        Some(Op::Delete { .. }) => 0,
        Some(Op::Restore) => 1,
        _ => 2,
    };
    let order = by_precedence(all, heads, |id, act| (caution(id), tie_key(act, roles)));
    Decision::new(&order, Rule::Cautious, |winner, id| {
        caution(id) != caution(winner)
    })
}

/// Decides the value of a field: the higher role wins, then the smaller hash.
pub(crate) fn decide_field<R: Roles, T: PartialEq>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    of: impl Fn(&Op) -> Option<T>,
) -> Decision {
    let order = by_precedence(all, heads, |_, act| tie_key(act, roles));
    let value = |id: &ActId| effect(all, id).and_then(&of);
    Decision::new(&order, Rule::Field, |winner, id| value(id) != value(winner))
}

/// Decides the state of a criterion: the most cautious judgement wins, that with the smallest `caution`.
pub(crate) fn decide_criterion<R: Roles>(
    all: &FoldedActs<'_>,
    roles: &R,
    heads: &[ActId],
    caution: impl Fn(&Op) -> u8,
) -> Decision {
    let caution = |id: &ActId| effect(all, id).map(&caution);
    let order = by_precedence(all, heads, |id, act| (caution(id), tie_key(act, roles)));
    Decision::new(&order, Rule::Cautious, |winner, id| {
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
