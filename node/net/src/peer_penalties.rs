//! Peer penalties for what honest peers do not do, and when they add up to a ban.
//!
//! Kept in memory only and measured on the monotonic clock: a restart clears them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use towline_proto::NodeId;

/// How long a penalty counts.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How long a ban lasts.
pub(crate) const BAN: Duration = Duration::from_secs(10 * 60);
/// Penalties within [`REMEMBERED`] that lead to a ban. One can be a bug or a bad connection; three are a
/// pattern.
const STRIKES: usize = 3;
/// The most peers with penalties; only members can get any.
const PEERS: usize = 1_024;

/// The times of penalties by peer.
#[derive(Debug, Default)]
pub(crate) struct PeerPenalties {
    strikes: BTreeMap<NodeId, Vec<Instant>>,
}

impl PeerPenalties {
    /// Adds a penalty. Returns whether the peer is to be banned.
    pub(crate) fn penalize(&mut self, now: Instant, node: NodeId) -> bool {
        if self.strikes.len() >= PEERS && !self.strikes.contains_key(&node) {
            self.expire(now);
            if self.strikes.len() >= PEERS {
                self.strikes.pop_first();
            }
        }
        let strikes = self.strikes.entry(node).or_default();
        strikes.retain(|at| now.duration_since(*at) < REMEMBERED);
        strikes.push(now);
        if strikes.len() < STRIKES {
            return false;
        }
        self.strikes.remove(&node);
        true
    }

    /// Drops penalties that no longer count.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.strikes.retain(|_, strikes| {
            strikes
                .last()
                .is_some_and(|at| now.duration_since(*at) < REMEMBERED)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_penalty_within_the_window_is_one_too_many() {
        let mut penalties = PeerPenalties::default();
        let mallory = NodeId([6; 32]);
        let start = Instant::now();
        assert!(!penalties.penalize(start, mallory));
        assert!(!penalties.penalize(start, mallory));
        let later = start + REMEMBERED;
        assert!(!penalties.penalize(later, mallory), "the first two are forgotten");
        assert!(!penalties.penalize(later, mallory));
        assert!(penalties.penalize(later, mallory));
    }
}
