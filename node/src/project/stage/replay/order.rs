//! Numbers for acts that stood against each other, so that the hashes of their records come in the
//! order in which they go.
//!
//! All hashes there are lie on a line. It is cut at the hashes of acts that are here already and into
//! as many pieces as the order has steps; each act is given numbers until its hash falls into its piece.
//! The search has an end, and an act for which none is found stays without: what it comes to is
//! compared afterwards.

use std::collections::BTreeMap;

use towline_proto::Act;

use crate::export::line::Line;

/// Numbers that are tried for one act at most, for each that should do: one of e^64 acts finds none.
const TRIES_PER_PIECE: u128 = 64;
/// Numbers that are tried for one item at most: some tenths of a second.
const TRIES: u128 = 50_000;
/// Where the line of hashes ends: as many as there are beginnings of eight bytes.
const END: u128 = 1 << 64;

/// The beginning of a record's hash.
pub(in crate::project) fn head(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// The order of one item's ties.
pub(super) struct Order<'w> {
    line: &'w Line,
    steps: &'w BTreeMap<u32, u32>,
    /// Of the acts that are here, the beginnings of their hashes.
    here: &'w [u64],
    pieces: u128,
    tries: u128,
}

impl<'w> Order<'w> {
    pub(super) fn new(line: &'w Line, steps: &'w BTreeMap<u32, u32>, here: &'w [u64]) -> Self {
        Self {
            line,
            steps,
            here,
            pieces: steps.values().max().map_or(1, |last| u128::from(*last) + 1),
            tries: TRIES,
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
        let (low, high) = self.between(at);
        let piece = |step: u128| low + (high - low) * step / self.pieces;
        let (from, to) = (piece(step.into()), piece(u128::from(step) + 1));
        let tries = (TRIES_PER_PIECE * END / (to - from).max(1)).min(self.tries);
        for nonce in 0..u32::try_from(tries).unwrap_or(u32::MAX) {
            act.nonce = nonce.checked_sub(1);
            self.tries = self.tries.saturating_sub(1);
            let head = u128::from(head(&Act::record_hash(&act.encode())));
            if from <= head && head < to {
                return act;
            }
        }
        act.nonce = None;
        act
    }

    /// Between which hashes of acts that are here an act has to come.
    fn between(&self, at: u32) -> (u128, u128) {
        let (mut low, mut high) = (0, END);
        for group in &self.line.ties {
            let Some(place) = group.iter().position(|act| *act == at) else {
                continue;
            };
            for (other, act) in group.iter().enumerate() {
                let head = usize::try_from(*act).ok().and_then(|act| self.here.get(act));
                match head.map(|head| u128::from(*head)) {
                    Some(head) if other < place => low = low.max(head + 1),
                    Some(head) if other > place => high = high.min(head),
                    _ => {}
                }
            }
        }
        if low < high { (low, high) } else { (0, END) }
    }
}
