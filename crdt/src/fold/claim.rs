//! Claims: who holds the exclusive right to work on an item, decided by generation.
//!
//! A claim takes the generation after the highest one that its author knew. Among concurrent claims of one
//! generation a person wins against an agent, and otherwise a hash decides, which no author can influence
//! (docs/spec/pipeline.md, *Claims*). Whether a claim still belongs to the item's current column is decided in
//! [`super::observed_state`].

use towline_proto::{ActId, ItemId, Op, OriginKind, Register, Rule};

use super::folded_acts::FoldedActs;
use super::observed_state::ObservedState;
use super::request_groups::RequestGroups;
use super::{FoldedAct, Loser, effect};
use crate::doc::NodePrefix;
use crate::reasons::RefusalReason;

/// The decision about the claim.
#[derive(Debug)]
pub(crate) struct ClaimDecision {
    /// The claim in effect, if there is one.
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

/// Decides among `current_acts`, the acts that belong to the current column. `newest` is the highest generation
/// that any of `heads` gave out. A claim of an older generation is never in effect, even when the newest claim
/// is not either: its holder may still be working with it.
pub(crate) fn decide(
    all: &FoldedActs<'_>,
    requests: &RequestGroups,
    item: ItemId,
    current_acts: &[ActId],
    heads: &[ActId],
    newest: u32,
) -> ClaimDecision {
    let mut claims: Vec<(ActId, &FoldedAct<'_>)> = current_acts
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
            tie_break(item, newest, root.record.node),
            act.record.hash,
        )
    });
    let act = claims.first().map(|(id, _)| *id).filter(current);
    // Without a claim of the newest generation, that generation was released or belongs to another column.
    let latest = |ids: &[ActId]| {
        let of_newest = |id: &&ActId| all.get(id).is_some_and(|act| act.generation == newest);
        ids.iter().filter(of_newest).max().copied()
    };
    let Some(by) = act.or_else(|| latest(current_acts)).or_else(|| latest(heads)) else {
        return ClaimDecision {
            act,
            losers: Vec::new(),
        };
    };
    let losers = claims
        .iter()
        .filter(|(id, _)| *id != by && !requests.same_request(id, &by))
        .map(|(id, _)| Loser {
            act: *id,
            by,
            rule: if current(id) {
                Rule::Claim
            } else {
                Rule::Generation
            },
        });
    ClaimDecision {
        act,
        losers: losers.collect(),
    }
}

/// The tie-break between claims of one generation. It hashes only the item, the generation and the node, so
/// no author can influence it.
pub(super) fn tie_break(item: ItemId, generation: u32, author: NodePrefix) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("towline/claim-lot/1");
    hasher
        .update(&item.0)
        .update(&generation.to_le_bytes())
        .update(&author.0);
    *hasher.finalize().as_bytes()
}

/// Why a claim, release or take-over is refused, if it is. A claim must carry the next generation and a release
/// the current one; an older generation comes from a holder whose claim was taken over. A take-over must name a
/// renewal of the claim that is not older than the claim itself.
pub(super) fn stale_reason(op: &Op, observed: &ObservedState) -> Option<RefusalReason> {
    let seen = observed.generation;
    match op {
        Op::Claim { generation, .. } | Op::TakeOver { generation, .. }
            if seen.checked_add(1) != Some(*generation) =>
        {
            Some(RefusalReason::NotNextGeneration {
                generation: *generation,
                seen,
            })
        }
        Op::TakeOver { renewal, .. } if observed.claimed_at.is_some_and(|at| *renewal < at) => {
            Some(RefusalReason::OldRenewal)
        }
        Op::Release { generation } if observed.state.claimed && *generation != seen => {
            Some(RefusalReason::NotPresentGeneration {
                generation: *generation,
                present: seen,
            })
        }
        _ => None,
    }
}

/// Whether an act of a column-scoped register counts as overridden when the column changed concurrently.
/// A reported failure and a release lose nothing by that.
pub(super) fn is_lost_with_column(all: &FoldedActs<'_>, id: &ActId) -> bool {
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
