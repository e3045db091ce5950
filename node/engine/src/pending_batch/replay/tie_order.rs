//! Finds nonces for acts that competed, so that the hashes of their records sort in the order in which the
//! acts won.
//!
//! The range of all hash prefixes is divided at the hashes of existing acts, and between them into as many
//! intervals as the order has steps. Each act is tried with ascending nonces until its hash falls into its
//! interval. The search is bounded; an act for which no nonce is found is written without one, and the result
//! is compared with the line afterwards.

use std::collections::BTreeMap;

use towline_api::export_line::ItemLine;
use towline_proto::Act;

/// The most nonces tried for one act, per expected success: one of e^64 acts finds none.
const TRIES_PER_PIECE: u128 = 64;
/// The most nonces tried for one item: some tenths of a second.
const TRIES: u128 = 50_000;
/// The most bytes of records hashed for one item, since records can be large.
const TRIED_BYTES: usize = 32 * 1024 * 1024;
/// The end of the range of hash prefixes of eight bytes.
const END: u128 = 1 << 64;

/// The first eight bytes of a record's hash.
pub(crate) fn hash_prefix(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// The order of one item's ties.
pub(super) struct TieOrder<'w> {
    steps: &'w BTreeMap<u32, u32>,
    /// The bounds that hashes of existing acts set for an act, if any.
    between: BTreeMap<u32, (u128, u128)>,
    pieces: u128,
    tries: u128,
    bytes: usize,
}

impl<'w> TieOrder<'w> {
    pub(super) fn new(line: &'w ItemLine, steps: &'w BTreeMap<u32, u32>, here: &'w [u64]) -> Self {
        Self {
            between: between(&line.ties, here),
            steps,
            pieces: steps.values().max().map_or(1, |last| u128::from(*last) + 1),
            tries: TRIES,
            bytes: TRIED_BYTES,
        }
    }

    /// The act at an index of the line, with a nonce if it needs one.
    pub(super) fn numbered(&mut self, at: usize, mut act: Act) -> Act {
        let Some((at, step)) = u32::try_from(at)
            .ok()
            .and_then(|at| Some((at, *self.steps.get(&at)?)))
        else {
            return act;
        };
        let (low, high) = self.between.get(&at).copied().unwrap_or((0, END));
        let (low, high) = if low < high { (low, high) } else { (0, END) };
        let piece = |step: u128| low + (high - low) * step / self.pieces;
        let (from, to) = (piece(step.into()), piece(u128::from(step) + 1));
        let tries = (TRIES_PER_PIECE * END / (to - from).max(1)).min(self.tries);
        for nonce in 0..u32::try_from(tries).unwrap_or(u32::MAX) {
            act.nonce = nonce.checked_sub(1);
            self.tries = self.tries.saturating_sub(1);
            let record = act.encode();
            let Some(left) = self.bytes.checked_sub(record.len()) else {
                break;
            };
            self.bytes = left;
            let head = u128::from(hash_prefix(&Act::record_hash(&record)));
            if from <= head && head < to {
                return act;
            }
        }
        act.nonce = None;
        act
    }
}

/// The bounds that existing acts set for the other acts of their groups. One pass forward and one back
/// through each group, because a file can contain millions.
fn between(ties: &[Vec<u32>], here: &[u64]) -> BTreeMap<u32, (u128, u128)> {
    let mut between: BTreeMap<u32, (u128, u128)> = BTreeMap::new();
    if here.is_empty() {
        return between;
    }
    let head = |act: u32| usize::try_from(act).ok().and_then(|act| here.get(act));
    for group in ties {
        let mut low = 0;
        for act in group {
            let bounds = between.entry(*act).or_insert((0, END));
            bounds.0 = bounds.0.max(low);
            low = head(*act).map_or(low, |head| low.max(u128::from(*head) + 1));
        }
        let mut high = END;
        for act in group.iter().rev() {
            let bounds = between.entry(*act).or_insert((0, END));
            bounds.1 = bounds.1.min(high);
            high = head(*act).map_or(high, |head| high.min(u128::from(*head)));
        }
    }
    between
}
