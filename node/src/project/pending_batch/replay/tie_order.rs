//! Numbers for acts that stood against each other, so that the hashes of their records come in the
//! order in which they go.
//!
//! All hashes there are lie on a line. It is cut at the hashes of acts that are here already and into
//! as many pieces as the order has steps; each act is given numbers until its hash falls into its piece.
//! The search has an end, and an act for which none is found stays without: what it comes to is
//! compared afterwards.

use std::collections::BTreeMap;

use towline_proto::Act;

use crate::export::line::ItemLine;

/// Numbers that are tried for one act at most, for each that should do: one of e^64 acts finds none.
const TRIES_PER_PIECE: u128 = 64;
/// Numbers that are tried for one item at most: some tenths of a second.
const TRIES: u128 = 50_000;
/// Bytes of records that are hashed for one item at most, for records can be large.
const TRIED_BYTES: usize = 32 * 1024 * 1024;
/// Where the line of hashes ends: as many as there are beginnings of eight bytes.
const END: u128 = 1 << 64;

/// The beginning of a record's hash.
pub(in crate::project) fn hash_prefix(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// The order of one item's ties.
pub(super) struct TieOrder<'w> {
    steps: &'w BTreeMap<u32, u32>,
    /// Between which hashes of acts that are here an act has to come, where there are any.
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

    /// The act at a place of the line, with a number where it needs one.
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

/// Between which hashes of acts that are here the others of their groups have to come: one way through
/// the groups and back, for a file can name millions.
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
