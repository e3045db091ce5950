//! How large the frames to one peer are: as many bytes as it deals with in a second or two.
//!
//! A frame is stored when all of it has come, so on a slow line, or one that breaks every minute, only small
//! ones make progress; on a quick one, large ones cost less. What is measured is the time from a frame to its
//! Got, so a slow disk at the other end counts as a slow line does. Nothing here knows an entry or a clock.

use std::collections::BTreeMap;

use towline_proto::{NodeId, limits};

/// The first frame, before anything was measured: five seconds at 50 kbit/s.
const FIRST_BYTES: usize = 32 * 1024;
/// The smallest; a single larger entry still travels alone.
const LEAST_BYTES: usize = 4 * 1024;
/// A full frame that took no longer than this is followed by one of twice its size, in milliseconds.
const QUICK_MS: u64 = 1_000;
/// One that took longer than this is followed by what would take [`AIM_MS`], in milliseconds.
const SLOW_MS: u64 = 4_000;
/// What a frame should take on a slow line, in milliseconds.
const AIM_MS: u64 = 2_000;
/// By how much frames shrink when one got lost with its connection.
const BROKEN: usize = 4;
/// The fewest bytes that an entry has, more or less: how many are read at most follows from it.
const ENTRY_BYTES: usize = 128;

/// The pace of every peer that was sent a frame, connected or not: a line that is slow is slow again.
#[derive(Debug, Default)]
pub(crate) struct FrameSizes(BTreeMap<NodeId, usize>);

impl FrameSizes {
    /// Bytes of entries that the next frame aims at.
    pub(crate) fn bytes(&self, peer: &NodeId) -> usize {
        self.0.get(peer).copied().unwrap_or(FIRST_BYTES)
    }

    /// How many entries may be asked of the log for so many bytes.
    pub(crate) fn entries(bytes: usize) -> usize {
        (bytes / ENTRY_BYTES).clamp(1, limits::CATCH_UP_ENTRIES)
    }

    /// A frame with so many bytes of entries was dealt with within so many milliseconds.
    pub(crate) fn took(&mut self, peer: NodeId, bytes: usize, ms: u64) {
        let now = self.bytes(&peer);
        let next = if ms > SLOW_MS {
            let wanted = (bytes as u64).saturating_mul(AIM_MS) / ms;
            usize::try_from(wanted).unwrap_or(usize::MAX).min(now)
        } else if ms <= QUICK_MS && bytes >= now / 2 {
            now.saturating_mul(2)
        } else {
            now
        };
        self.set(peer, next);
    }

    /// A frame got lost.
    pub(crate) fn broke_off(&mut self, peer: NodeId) {
        self.set(peer, self.bytes(&peer) / BROKEN);
    }

    fn set(&mut self, peer: NodeId, bytes: usize) {
        if self.0.len() >= 2 * limits::PEERS && !self.0.contains_key(&peer) {
            self.0.pop_first();
        }
        self.0
            .insert(peer, bytes.clamp(LEAST_BYTES, limits::CATCH_UP_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEN: NodeId = NodeId([2; 32]);

    #[test]
    fn frames_grow_on_a_quick_line_and_shrink_on_a_slow_or_broken_one_within_their_bounds() {
        let mut paces = FrameSizes::default();
        assert_eq!(paces.bytes(&BEN), FIRST_BYTES);
        paces.took(BEN, 10, 5);
        assert_eq!(paces.bytes(&BEN), FIRST_BYTES, "a small frame proves nothing");
        for _ in 0..20 {
            paces.took(BEN, paces.bytes(&BEN), QUICK_MS);
        }
        assert_eq!(paces.bytes(&BEN), limits::CATCH_UP_BYTES);
        paces.took(BEN, 60_000, 10_000);
        assert_eq!(paces.bytes(&BEN), 12_000);
        paces.took(BEN, 12_000, AIM_MS);
        assert_eq!(paces.bytes(&BEN), 12_000);
        for _ in 0..20 {
            paces.broke_off(BEN);
        }
        assert_eq!(paces.bytes(&BEN), LEAST_BYTES);
        // An entry of a megabyte takes minutes and does not make the next frames large.
        paces.took(BEN, 1 << 20, 200_000);
        assert_eq!(paces.bytes(&BEN), LEAST_BYTES);
    }

    #[test]
    fn peers_that_are_remembered_are_few() {
        let mut paces = FrameSizes::default();
        for number in 0..=255 {
            paces.broke_off(NodeId([number; 32]));
            paces.broke_off(NodeId([number; 32].map(|byte: u8| byte ^ 1)));
        }
        paces.broke_off(NodeId([9; 32].map(|byte: u8| byte | 0x70)));
        assert!(paces.0.len() <= 2 * limits::PEERS);
        assert_eq!(FrameSizes::entries(usize::MAX), limits::CATCH_UP_ENTRIES);
    }
}
