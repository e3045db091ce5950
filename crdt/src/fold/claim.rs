//! Claims: who may work on an item, by generation.
//!
//! A claim takes the next generation above every one that its author knew of; of those that did not
//! see each other a person goes before an agent, then a lot that nobody can steer (pipeline spec,
//! *Claims* and the table of cases). Whether a claim still belongs to the column that it was made in
//! is decided in [`super::observed_state`].

use towline_proto::{ActId, ItemId, Op, OriginKind, Register, Rule};

use super::folded_acts::FoldedActs;
use super::observed_state::ObservedState;
use super::request_groups::RequestGroups;
use super::{FoldedAct, Loser, effect};
use crate::doc::NodePrefix;

/// The outcome for the claim.
#[derive(Debug)]
pub(crate) struct ClaimResolution {
    /// The claim that stands, if one does.
    pub(crate) act: Option<ActId>,
    /// Claims that lost.
    pub(super) losers: Vec<Loser>,
}

/// The generation that an operation names.
pub(crate) const fn generation_of(op: &Op) -> Option<u32> {
    match op {
        Op::Claim { generation, .. } | Op::TakeOver { generation, .. } | Op::Release { generation } => {
            Some(*generation)
        }
        _ => None,
    }
}

pub(super) const fn is_claim(op: &Op) -> bool {
    matches!(op, Op::Claim { .. } | Op::TakeOver { .. })
}

/// Chooses among the acts that count in the present column. `newest` is the highest generation that was
/// ever given, by one of `heads`: an older claim never stands, for whoever got the newest works with it
/// until they hear that it does not count.
pub(crate) fn choose(
    all: &FoldedActs<'_>,
    again: &RequestGroups,
    item: ItemId,
    counting: &[ActId],
    heads: &[ActId],
    newest: u32,
) -> ClaimResolution {
    let mut claims: Vec<(ActId, &FoldedAct<'_>)> = counting
        .iter()
        .filter(|id| effect(all, id).is_some_and(is_claim))
        .filter_map(|id| Some((*id, all.get(id)?)))
        .collect();
    let current = |id: &ActId| effect(all, id).and_then(generation_of) == Some(newest);
    claims.sort_by_cached_key(|(id, act)| {
        let root = act.keeps.and_then(|root| all.get(&root)).unwrap_or(act);
        let person = root.record.act.origin.kind == OriginKind::User;
        (
            !current(id),
            !person,
            lot(item, newest, root.record.node),
            act.record.hash,
        )
    });
    let act = claims.first().map(|(id, _)| *id).filter(current);
    // With no claim of the newest generation, that generation was given back or does not count here.
    let latest = |ids: &[ActId]| {
        let of_newest = |id: &&ActId| all.get(id).is_some_and(|act| act.generation == newest);
        ids.iter().filter(of_newest).max().copied()
    };
    let Some(by) = act.or_else(|| latest(counting)).or_else(|| latest(heads)) else {
        return ClaimResolution {
            act,
            losers: Vec::new(),
        };
    };
    let losers = claims
        .iter()
        .filter(|(id, _)| *id != by && !again.is_one(id, &by))
        .map(|(id, _)| Loser {
            act: *id,
            by,
            rule: if current(id) {
                Rule::Claim
            } else {
                Rule::Generation
            },
        });
    ClaimResolution {
        act,
        losers: losers.collect(),
    }
}

/// What decides between claims of one generation: nobody can steer it.
pub(super) fn lot(item: ItemId, generation: u32, author: NodePrefix) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("towline/claim-lot/1");
    hasher
        .update(&item.0)
        .update(&generation.to_le_bytes())
        .update(&author.0);
    *hasher.finalize().as_bytes()
}

/// A claim must take the next generation and a release the present one; what carries an older one
/// comes from a holder that was overtaken. Who takes over must have heard of the claim: it cites a
/// renewal that is not from before it.
pub(super) fn stale(op: &Op, sight: &ObservedState) -> Option<String> {
    let seen = sight.generation;
    match op {
        Op::Claim { generation, .. } | Op::TakeOver { generation, .. }
            if seen.checked_add(1) != Some(*generation) =>
        {
            Some(format!(
                "generation {generation} is not the next one after {seen}"
            ))
        }
        Op::TakeOver { renewal, .. } if sight.claimed_at.is_some_and(|at| *renewal < at) => {
            Some("it cites a renewal from before the claim that it takes over".to_owned())
        }
        Op::Release { generation } if sight.standing.claimed && *generation != seen => Some(format!(
            "generation {generation} is not the present one, which is {seen}"
        )),
        _ => None,
    }
}

/// Whether an act of a register that ends with its column wants something that is lost when the
/// column changed without its author's knowledge. A report and a release have what they want.
pub(super) fn wants(all: &FoldedActs<'_>, id: &ActId) -> bool {
    let about_column = all
        .get(id)
        .is_none_or(|act| act.writes.first() == Some(&Register::Column));
    !about_column
        && effect(all, id).is_some_and(|op| {
            matches!(
                op,
                Op::PassQa | Op::RetryMerge | Op::GiveUpMerge | Op::Claim { .. } | Op::TakeOver { .. }
            )
        })
}
