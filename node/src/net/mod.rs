//! The network: a libp2p swarm in one task, and what it exchanges with the projects' threads.
//!
//! The swarm carries bytes and knows who is connected; what they mean is `towline-sync`'s. It holds
//! no rule of the protocol beyond framing, membership of connections and limits.
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

mod admission;
mod backoff;
mod behaviour;
mod book;
mod conduct;
mod contract;
mod driver;
mod entrance;
mod exchange;
mod framing;
mod gate;
mod gossip;
pub(crate) mod identity;
mod join;
mod link;
mod local;
mod members_only;
mod metrics;
mod names;
mod peers;
mod roll;
mod service;
mod streams;
mod transport;

pub use book::KeptNode;
pub use contract::{GossipToken, NetInput, NetOutput, Route, Verdict};
pub use metrics::NetMetrics;
pub(crate) use service::Shared;
pub use service::{Net, NetConfig, NetError};
