//! Who wins among acts that did not see each other.
//!
//! Facts beat intents; among intents the cautious one takes effect: close before send back before
//! the smaller step forward before done; a hold before its lifting, and a hold before an exit whose
//! author did not know of it. Ties go to the higher role, then to the smaller record hash (pipeline
//! spec, *When replicas disagree*, rules 3 and 4). Each function looks at the contenders only.

use std::collections::BTreeMap;

use towline_proto::{ActId, Column, ItemId, Kind, Op, OriginKind, Qa, Role};

use super::{Folding, Place};
use crate::members::Roles;

type All<'a> = BTreeMap<ActId, Folding<'a>>;

pub(crate) const RULE_FACT: &str = "a merge is a fact and beats intents";
pub(crate) const RULE_CAUTIOUS: &str = "of two intents made apart the more cautious takes effect";
pub(crate) const RULE_HOLD: &str = "a hold set at the same time keeps the item open";
pub(crate) const RULE_CLAIM: &str = "one claim a generation: a person before an agent, then by lot";
pub(crate) const RULE_FIELD: &str = "one field edited apart: the higher role, then by lot";

/// The outcome for the column.
pub(crate) struct ColumnOutcome {
    /// Where the item stands.
    pub(crate) place: Place,
    /// The act that put it there.
    pub(crate) act: Option<ActId>,
    /// What takes effect: an act of the column, or the hold that keeps an exit pending.
    pub(crate) winner: ActId,
    /// Acts that contended and lost.
    pub(crate) losers: Vec<ActId>,
    /// By which rule.
    pub(crate) rule: &'static str,
    /// Holds that a fact went over.
    pub(crate) contradicted: Vec<ActId>,
}

/// Smaller is stronger.
fn rank(act: &Folding<'_>) -> (u8, u8) {
    let to = act.to.as_ref().map_or(Column::Backlog, |place| place.column);
    let from = act.from.as_ref().map_or(to, |place| place.column);
    match &act.record.act.op {
        Op::Merged { commit: Some(_) } => (0, 0),
        Op::Abandon { .. } | Op::Supersede { .. } | Op::Reject { .. } => (1, 0),
        Op::RequestChanges { .. } | Op::Reopen => (2, 0),
        Op::Merged { commit: None } => (4, 0),
        Op::Archive => (5, 0),
        _ if to < from => (2, to as u8),
        _ => (3, to as u8),
    }
}

/// Higher role first, then smaller hash.
fn tie<R: Roles>(act: &Folding<'_>, roles: &R) -> (std::cmp::Reverse<Option<Role>>, [u8; 32]) {
    (std::cmp::Reverse(roles.role(act.record.node)), act.record.hash)
}

fn is_fact(act: &Folding<'_>) -> bool {
    matches!(act.record.act.op, Op::Merged { commit: Some(_) })
}

fn leaves_open(act: &Folding<'_>) -> bool {
    act.to.as_ref().is_some_and(|place| !place.column.is_open())
}

/// Chooses the column among `heads`. `holds` are the heads of the hold registers that can keep an
/// exit pending.
pub(crate) fn column<R: Roles>(
    all: &All<'_>,
    roles: &R,
    heads: &[ActId],
    holds: &[&[ActId]],
) -> Option<ColumnOutcome> {
    let mut contenders: Vec<_> = heads.iter().filter_map(|id| Some((*id, all.get(id)?))).collect();
    contenders.sort_by_cached_key(|(_, act)| (rank(act), tie(act, roles)));
    let (first_id, first) = contenders.first().copied()?;
    let unseen: Vec<ActId> = holds
        .iter()
        .copied()
        .flatten()
        .copied()
        .filter(|id| sets(all, id))
        .collect();
    let unseen_by = |act: &Folding<'_>| -> Vec<ActId> {
        unseen
            .iter()
            .copied()
            .filter(|hold| !act.record.act.saw.contains(hold))
            .collect()
    };
    let place_of = |act: &Folding<'_>| {
        act.to.clone().unwrap_or(Place {
            column: Column::Backlog,
            closing: None,
        })
    };
    let pending = |act: &Folding<'_>| leaves_open(act) && !is_fact(act) && !unseen_by(act).is_empty();

    if let Some((id, act)) = contenders.iter().find(|(_, act)| !pending(act)).copied() {
        let place = place_of(act);
        let differs = |other: &Folding<'_>| other.to.as_ref() != Some(&place);
        let losers: Vec<_> = contenders
            .iter()
            .filter(|(other, act)| *other != id && differs(act))
            .map(|(id, _)| *id)
            .collect();
        let rule = if is_fact(act) { RULE_FACT } else { RULE_CAUTIOUS };
        let contradicted = if is_fact(act) { unseen_by(act) } else { Vec::new() };
        return Some(ColumnOutcome {
            place,
            act: Some(id),
            winner: id,
            losers,
            rule,
            contradicted,
        });
    }
    // Every contender would take the item out of the open columns past a hold that its author did
    // not know of: the item stays where the first of them found it, and the exits stay pending. What
    // that one found may itself be such an exit (abandoned, then archived by the sweep, while
    // somebody apart froze it): the item stays where the first exit of the row found it.
    let hold = unseen_by(first).into_iter().min().unwrap_or(first_id);
    let before = |act: &Folding<'_>| act.column_before.and_then(|id| all.get(&id));
    let mut exit = first;
    while let Some(earlier) = before(exit).filter(|earlier| pending(earlier)) {
        exit = earlier;
    }
    Some(ColumnOutcome {
        place: exit.from.clone().unwrap_or(Place {
            column: Column::Backlog,
            closing: None,
        }),
        act: exit.column_before,
        winner: hold,
        losers: contenders.iter().map(|(id, _)| *id).collect(),
        rule: RULE_HOLD,
        contradicted: Vec::new(),
    })
}

/// Whether an act sets the hold it is about, rather than lifting it.
pub(crate) fn sets(all: &All<'_>, id: &ActId) -> bool {
    all.get(id).is_some_and(|act| match &act.record.act.op {
        Op::Freeze | Op::Block { .. } | Op::Delete { .. } | Op::MergeFailed { .. } | Op::GiveUpMerge => true,
        // Of the acts that write the review hold only this one sets it; see `register::writes`.
        Op::PassQa => act.to.is_none(),
        _ => false,
    })
}

/// The outcome for a hold or the trash.
pub(crate) struct FlagOutcome {
    /// Whether it holds.
    pub(crate) set: bool,
    /// The act that decides.
    pub(crate) winner: ActId,
    /// Acts that wanted the opposite.
    pub(crate) losers: Vec<ActId>,
}

/// Chooses whether a hold holds: setting wins over lifting.
pub(crate) fn flag<R: Roles>(all: &All<'_>, roles: &R, heads: &[ActId]) -> Option<FlagOutcome> {
    let mut contenders: Vec<_> = heads.iter().filter_map(|id| Some((*id, all.get(id)?))).collect();
    contenders.sort_by_cached_key(|(id, act)| {
        let gave_up = matches!(act.record.act.op, Op::GiveUpMerge);
        (!sets(all, id), !gave_up, tie(act, roles))
    });
    let (winner, _) = contenders.first().copied()?;
    let set = sets(all, &winner);
    let losers = contenders
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| sets(all, id) != set)
        .collect();
    Some(FlagOutcome { set, winner, losers })
}

/// Chooses a field's value: the higher role's, then the smaller hash.
pub(crate) fn field<R: Roles>(all: &All<'_>, roles: &R, heads: &[ActId]) -> Option<ActId> {
    let contenders = heads.iter().filter_map(|id| Some((*id, all.get(id)?)));
    contenders
        .min_by_key(|(_, act)| tie(act, roles))
        .map(|(id, _)| id)
}

/// The outcome for the claim.
pub(crate) struct ClaimOutcome {
    /// The claim that stands.
    pub(crate) act: ActId,
    /// Claims of the same generation that lost.
    pub(crate) losers: Vec<ActId>,
}

fn generation_of(op: &Op) -> Option<u32> {
    match op {
        Op::Claim { generation, .. } | Op::TakeOver { generation, .. } | Op::Release { generation } => {
            Some(*generation)
        }
        _ => None,
    }
}

/// The highest generation among the heads of the claim register.
pub(crate) fn generation(all: &All<'_>, heads: &[ActId]) -> u32 {
    heads
        .iter()
        .filter_map(|id| generation_of(&all.get(id)?.record.act.op))
        .max()
        .unwrap_or(0)
}

/// Chooses the claim: the highest generation; of one generation a person before an agent, then the
/// smallest hash of (item, generation, author), which nobody can steer.
pub(crate) fn claim(all: &All<'_>, item: ItemId, heads: &[ActId]) -> Option<ClaimOutcome> {
    let newest = generation(all, heads);
    let mut claims: Vec<_> = heads
        .iter()
        .filter_map(|id| Some((*id, all.get(id)?)))
        .filter(|(_, act)| matches!(act.record.act.op, Op::Claim { .. } | Op::TakeOver { .. }))
        .filter(|(_, act)| generation_of(&act.record.act.op) == Some(newest))
        .collect();
    claims.sort_by_cached_key(|(id, act)| {
        let person = act.record.act.origin.kind == OriginKind::User;
        let mut hasher = blake3::Hasher::new_derive_key("towline/claim-lot/1");
        hasher
            .update(&item.0)
            .update(&newest.to_le_bytes())
            .update(&act.record.node.0);
        (!person, *hasher.finalize().as_bytes(), *id)
    });
    let mut claims = claims.into_iter().map(|(id, _)| id);
    let act = claims.next()?;
    Some(ClaimOutcome {
        act,
        losers: claims.collect(),
    })
}

/// A claim ends when the column changes: it stands while it saw the act that rules the column.
pub(crate) fn claim_stands(all: &All<'_>, claim: ActId, column_act: Option<ActId>) -> bool {
    let saw = all
        .get(&claim)
        .map(|act| act.record.act.saw.as_slice())
        .unwrap_or_default();
    column_act.is_none_or(|column| saw.contains(&column))
}

/// The QA mode that an operation sets.
pub(crate) fn qa_of(op: &Op) -> Option<Qa> {
    match op {
        Op::Create { qa, .. } | Op::SetQa { qa } => Some(*qa),
        _ => None,
    }
}

/// The kind that an operation sets.
pub(crate) fn kind_of(op: &Op) -> Option<Kind> {
    match op {
        Op::Create { kind, .. } | Op::SetKind { kind } => Some(*kind),
        _ => None,
    }
}
