//! Runs a node for the command line: `towline up`, `serve` and `join`.
//!
//! Owns the tokio runtime of the process. The command line prepares the home and prints; see
//! [`towline_cli::launcher`].

use std::time::Duration;

use tokio::runtime::Runtime;
use towline_api::request::{Failure, FailureCode, Reply};
use towline_cli::CliError;
use towline_cli::launcher::{BoardStart, Launcher, NodeStart, StartedNode};
use towline_proto::Ticket;

use crate::node::Node;
use crate::server::{Server, ServerOptions};

/// Runs a [`Node`] with its [`Server`] in this process.
#[derive(Debug, Clone, Copy)]
pub struct NodeLauncher;

impl Launcher for NodeLauncher {
    fn serve(
        &self,
        start: NodeStart,
        board: BoardStart,
        ready: &mut dyn FnMut(&StartedNode) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        runtime()?.block_on(async {
            let NodeStart {
                home,
                lock,
                config,
                key,
            } = start;
            let node = Node::start(home, lock, &config, key).await?;
            let options = ServerOptions {
                title: board.title,
                fleet: false,
            };
            let server = Server::start(node, &config, options).await?;
            ready(&describe(&server, board.sign_in.as_deref()))?;
            server.run().await?;
            Ok(())
        })
    }

    fn join(&self, start: NodeStart, ticket: &Ticket, timeout: Duration) -> Result<Reply, Failure> {
        runtime()?.block_on(async {
            let NodeStart {
                home,
                lock,
                config,
                key,
            } = start;
            let node = Node::start(home, lock, &config, key).await?;
            let reply = node.join_and_wait(ticket, timeout).await;
            node.stop().await;
            reply
        })
    }
}

fn describe(server: &Server, sign_in: Option<&str>) -> StartedNode {
    let projects = server.node().handle().projects();
    StartedNode {
        name: server.node().name().to_owned(),
        projects: projects.into_iter().map(|link| link.name).collect(),
        board: server.board().to_owned(),
        sign_in: sign_in.map(|who| server.login_link(who)),
    }
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))
}
