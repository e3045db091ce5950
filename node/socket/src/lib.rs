//! The local socket of a running node: how the command line asks it instead of opening the store.
//!
//! Newline-delimited JSON over a Unix stream. The client writes one [`Envelope`] on a line and the
//! server answers with one line, `{"ok": Reply}` or `{"error": Failure}`; a connection may be used
//! again. There are also control lines: `{"control":"hello"}` is answered with the [`NodeInfo`],
//! `{"control":"stop"}` shuts the node down, `{"control":"join","ticket":…}` joins a project and
//! `{"control":"login","who":…}` gives a link to the board that signs somebody in. Access is by file mode: only the user who
//! runs the node can connect. Nothing here looks into a request: see `towline-engine`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bound;
mod client;
mod path;
mod runtime;
mod server;
#[cfg(test)]
mod test_node;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towline_proto::NodeId;

pub use bound::{BoundSocket, find};
pub use client::Client;
pub use server::serve;

use towline_api::request::properties::TimeLimit;
use towline_api::request::{Envelope, Failure, Reply};

/// Longest line that either side takes from a client's request, in bytes: an import chunk of 200
/// items stays below it, a body is at most 256 KiB.
pub const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Longest reply that a client reads, in bytes: 10,000 cards are about 10 MiB.
pub const REPLY_BYTES: usize = 256 * 1024 * 1024;
/// Connections at once. More are refused as busy.
pub const CONNECTIONS: usize = 64;
/// How long a client waits for the connection. It only ever waits when the server's queue is full.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client waits for the reply to `hello`, which does not depend on other work.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client waits for a reply unless it says otherwise.
pub const REPLY_TIMEOUT: Duration = TimeLimit::Short.duration();
/// How long a connection may be idle before the server closes it.
const IDLE: Duration = Duration::from_secs(600);
/// How long a client that has not sent a whole line keeps its connection when others need it.
const FIRST_LINE_GRACE: Duration = Duration::from_secs(1);
/// How long a client may take to send a line that it has begun.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to read what it asked for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the node checks whether its socket still exists.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long connections may finish what they began once the node stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// The identity of a running node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Who it is.
    pub node: NodeId,
    /// Its process.
    pub pid: u32,
    /// Where its board is, when it serves one.
    #[serde(default)]
    pub board: Option<String>,
}

/// A request to the node, not to a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "kebab-case")]
enum ControlRequest {
    /// Who are you?
    Hello,
    /// Stop.
    Stop,
    /// Join a project.
    Join {
        /// The ticket's string.
        ticket: String,
    },
    /// A link that signs somebody in to the board.
    Login {
        /// Whom.
        who: String,
    },
}

/// The requests that the node handles itself.
pub trait ControlHandler: Send + Sync {
    /// Joins a project by a ticket and answers with the project's status.
    fn join(&self, ticket: String) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + '_>>;
    /// A link that signs somebody in to the board.
    ///
    /// # Errors
    /// When the node serves no board.
    fn login(&self, who: &str) -> Result<Reply, Failure>;
    /// The node listens here now.
    fn set_socket(&self, socket: &Path);
}

/// What a client sends.
#[derive(Debug)]
enum ClientMessage {
    Control(ControlRequest),
    Ask(Box<Envelope>),
}

/// What the server writes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ServerMessage {
    Ok(Reply),
    Error(Failure),
    #[serde(untagged)]
    Hello(NodeInfo),
}

/// What a client reads after a request or `stop`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Response {
    Ok(Reply),
    Error(Failure),
}

/// What a client reads after `hello`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HelloResponse {
    Hello(NodeInfo),
    Error { error: Failure },
}
