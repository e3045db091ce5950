//! Adapts the size of the frames to each peer: as many bytes as it handles in a second or two.
//!
//! A frame is stored only when all of it has arrived. On a slow connection, or one that breaks every minute, only
//! small frames make progress; on a fast one, large frames cost less. The measure is the time from sending a frame
//! to its Got, so a slow disk of the peer counts like a slow connection. Nothing here knows an entry or a clock.

use std::collections::BTreeMap;

use towline_proto::{NodeId, limits};

/// The size of the first frame, before anything was measured: five seconds at 50 kbit/s.
const FIRST_BYTES: usize = 32 * 1024;
/// The smallest size; a single larger entry is still sent alone.
const LEAST_BYTES: usize = 4 * 1024;
/// After a full frame that took at most this long, the size is doubled, in milliseconds.
const QUICK_MS: u64 = 1_000;
/// After a frame that took longer than this, the next one is sized to take [`AIM_MS`], in milliseconds.
const SLOW_MS: u64 = 4_000;
/// How long a frame should take on a slow connection, in milliseconds.
const AIM_MS: u64 = 2_000;
/// The divisor of the size when a frame was lost with its connection.
const BROKEN: usize = 4;
/// About the size of the smallest entry, which limits how many are read for a frame.
const ENTRY_BYTES: usize = 128;

/// The frame size of every peer that was sent a frame. It is kept after a disconnect, because a slow connection is
/// usually slow again.
#[derive(Debug, Default)]
pub(crate) struct FrameSizes(BTreeMap<NodeId, usize>);

impl FrameSizes {
    /// How many bytes of entries the next frame should have.
    pub(crate) fn bytes(&self, peer: &NodeId) -> usize {
        self.0.get(peer).copied().unwrap_or(FIRST_BYTES)
    }

    /// How many entries to request from the log for so many bytes.
    pub(crate) fn entries(bytes: usize) -> usize {
        (bytes / ENTRY_BYTES).clamp(1, limits::CATCH_UP_ENTRIES)
    }

    /// The peer acknowledged a frame with so many bytes of entries after so many milliseconds.
    pub(crate) fn acknowledged(&mut self, peer: NodeId, bytes: usize, ms: u64) {
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

    /// A frame was lost with its connection.
    pub(crate) fn lost_frame(&mut self, peer: NodeId) {
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
    fn frames_grow_on_a_fast_connection_and_shrink_on_a_slow_or_broken_one() {
        let mut sizes = FrameSizes::default();
        assert_eq!(sizes.bytes(&BEN), FIRST_BYTES);
        sizes.acknowledged(BEN, 10, 5);
        assert_eq!(sizes.bytes(&BEN), FIRST_BYTES, "a small frame proves nothing");
        for _ in 0..20 {
            sizes.acknowledged(BEN, sizes.bytes(&BEN), QUICK_MS);
        }
        assert_eq!(sizes.bytes(&BEN), limits::CATCH_UP_BYTES);
        sizes.acknowledged(BEN, 60_000, 10_000);
        assert_eq!(sizes.bytes(&BEN), 12_000);
        sizes.acknowledged(BEN, 12_000, AIM_MS);
        assert_eq!(sizes.bytes(&BEN), 12_000);
        for _ in 0..20 {
            sizes.lost_frame(BEN);
        }
        assert_eq!(sizes.bytes(&BEN), LEAST_BYTES);
        // An entry of a megabyte takes minutes and does not make the next frames large.
        sizes.acknowledged(BEN, 1 << 20, 200_000);
        assert_eq!(sizes.bytes(&BEN), LEAST_BYTES);
    }

    #[test]
    fn the_number_of_remembered_peers_is_bounded() {
        let mut sizes = FrameSizes::default();
        for number in 0..=255 {
            sizes.lost_frame(NodeId([number; 32]));
            sizes.lost_frame(NodeId([number; 32].map(|byte: u8| byte ^ 1)));
        }
        sizes.lost_frame(NodeId([9; 32].map(|byte: u8| byte | 0x70)));
        assert!(sizes.0.len() <= 2 * limits::PEERS);
        assert_eq!(FrameSizes::entries(usize::MAX), limits::CATCH_UP_ENTRIES);
    }
}
