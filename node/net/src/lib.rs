//! The network: a libp2p swarm in one task, and its messages with the projects' threads.
//!
//! The swarm transports bytes and knows who is connected; `towline-sync` interprets them. The only rules of
//! the protocol here are framing, membership of connections, and limits.
//!
//! ```text
//!            Net (handle)            projects' threads
//!          join, dial, stop      NetOutput │     ▲ NetInput (Route)
//!                 │                        ▼     │
//!                 └───────────► driver: one task, owns the swarm
//!                                 │            │           │
//!        limits, gate (who may)   │   gossip   │   streams │
//!        ─────────────────────────┴────────────┴───────────┴──► links, joins: a task each
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address_book;
mod admission;
mod backoff;
mod behaviour;
mod connection_policy;
mod driver;
mod exchange;
mod framing;
mod gossip;
mod handshake_limits;
mod host_names;
pub mod identity;
mod join;
pub mod limiter;
mod link;
mod local;
pub mod log_throttle;
mod member_registry;
mod members_only;
mod messages;
mod metrics;
mod peer_penalties;
mod peers;
mod service;
mod streams;
mod transport;

pub use address_book::SavedNode;
pub use messages::{GossipToken, NetInput, NetOutput, Route};
pub use metrics::NetMetrics;
pub(crate) use service::Shared;
pub use service::{Net, NetConfig, NetError};
pub use towline_sync::GossipVerdict;
