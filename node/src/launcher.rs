//! Runs a node for the command line: `towline up`, `serve` and `join`.
//!
//! Owns the tokio runtime of the process. The command line prepares the home and prints; see
//! [`towline_cli::launcher`].

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode, Reply};
use towline_cli::CliError;
use towline_cli::launcher::{BoardStart, Launcher, NodeStart, RunningNode, StartedNode};
use towline_proto::Ticket;

use crate::node::Node;
use crate::server::{Server, ServerOptions, termination_signal};

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

    fn start(&self, start: NodeStart, board: BoardStart) -> Result<Box<dyn RunningNode>, Failure> {
        let runtime = runtime()?;
        let server = runtime.block_on(async {
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
            Server::start(node, &config, options).await
        })?;
        Ok(Box::new(NodeBeside {
            stop: server.stop_token().clone(),
            end: runtime.spawn(server.run()),
            runtime,
        }))
    }

    fn stop_signal(&self) -> Result<Receiver<()>, Failure> {
        let runtime = runtime()?;
        let asked = {
            let _entered = runtime.enter();
            termination_signal()
        };
        let (sender, stopped) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            runtime.block_on(asked);
            // Nobody listens when the command has ended.
            let _ = sender.send(());
        });
        Ok(stopped)
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

/// A node with a runtime of its own.
struct NodeBeside {
    stop: CancellationToken,
    end: JoinHandle<Result<(), Failure>>,
    runtime: Runtime,
}

impl RunningNode for NodeBeside {
    fn stop(self: Box<Self>) -> Result<(), Failure> {
        self.stop.cancel();
        let ended = self.runtime.block_on(self.end);
        ended.map_err(|error| Failure::new(FailureCode::Failure, format!("the node panicked: {error}")))?
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
