//! Metrics of the network. Counters only grow; `connections` is a gauge.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one node's network.
#[derive(Debug, Default)]
pub struct NetMetrics {
    /// Bytes received on direct streams.
    pub bytes_in: AtomicU64,
    /// Bytes sent on direct streams.
    pub bytes_out: AtomicU64,
    /// Frames received on direct streams, keep-alives included.
    pub frames_in: AtomicU64,
    /// Frames sent on direct streams, keep-alives included.
    pub frames_out: AtomicU64,
    /// Entries that came by gossip.
    pub gossip_in: AtomicU64,
    /// Entries published by gossip.
    pub gossip_out: AtomicU64,
    /// Connections that are open now.
    pub connections: AtomicU64,
    /// Connections that were refused or could not be made.
    pub connections_failed: AtomicU64,
    /// Penalties given.
    pub penalties: AtomicU64,
    /// Messages dropped because a peer's queue was full.
    pub dropped: AtomicU64,
}

impl NetMetrics {
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}
