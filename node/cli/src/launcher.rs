//! What the command line asks of the program that contains it: to run a node in this process.
//!
//! The program passes its [`Launcher`] to [`crate::main`], so the command line does not depend on the node and
//! the two are compiled side by side. Everything else goes through a [`crate::Backend`].

use std::sync::mpsc::Receiver;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use towline_api::request::{Failure, Reply};
use towline_proto::Ticket;
use towline_store::home::{Config, Home, Lock};

use crate::CliError;

/// The home in which a node starts. The caller holds the lock and gives it to the node.
#[derive(Debug)]
pub struct NodeStart {
    /// The folder.
    pub home: Home,
    /// Its lock.
    pub lock: Lock,
    /// Its configuration, with the flags of the command.
    pub config: Config,
    /// Its key.
    pub key: SigningKey,
}

/// How the board is served.
#[derive(Debug)]
pub struct BoardStart {
    /// The title of its pages.
    pub title: String,
    /// The user to whom a sign-in link is given; none for `serve`.
    pub sign_in: Option<String>,
}

/// A node that has started.
#[derive(Debug)]
pub struct StartedNode {
    /// What it calls itself.
    pub name: String,
    /// The names of its projects.
    pub projects: Vec<String>,
    /// The address of its board.
    pub board: String,
    /// The link that signs the user in, once.
    pub sign_in: Option<String>,
}

/// A node that runs beside its caller.
pub trait RunningNode {
    /// Stops it in order and waits for it.
    ///
    /// # Errors
    /// When a part of it failed.
    fn stop(self: Box<Self>) -> Result<(), Failure>;
}

/// Runs nodes.
pub trait Launcher {
    /// Runs a node until it is stopped. `ready` is called once, when the socket and the board accept
    /// connections.
    ///
    /// # Errors
    /// When the node cannot start or a part of it fails, and what `ready` returned.
    fn serve(
        &self,
        start: NodeStart,
        board: BoardStart,
        ready: &mut dyn FnMut(&StartedNode) -> Result<(), CliError>,
    ) -> Result<(), CliError>;

    /// Starts a node and leaves it running. When this returns, its socket and its board accept connections.
    ///
    /// # Errors
    /// When the node cannot start.
    fn start(&self, start: NodeStart, board: BoardStart) -> Result<Box<dyn RunningNode>, Failure>;

    /// Sends a message for the first signal that asks this process to stop. From now on such signals do not end it.
    ///
    /// # Errors
    /// When signals cannot be received.
    fn stop_signal(&self) -> Result<Receiver<()>, Failure>;

    /// Joins a project with a temporary node, which runs until the entries have arrived or the time is over.
    ///
    /// # Errors
    /// When the node cannot start or the join fails.
    fn join(&self, start: NodeStart, ticket: &Ticket, timeout: Duration) -> Result<Reply, Failure>;
}
