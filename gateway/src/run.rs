//! The gateway process: a node in the gateway's folder, its web pages, and its relay.
//!
//! The node is an ordinary one with its home in `.towline` in the gateway's folder, so `towline -C FOLDER`
//! works with a running gateway as with any node. Only the fleet page and the relay are specific to a gateway.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode, Reply};
use towline_engine::handle::NodeHandle;
use towline_node::node::Node;
use towline_node::server::{Server, ServerOptions};
use towline_proto::Ticket;
use towline_proto::text::show;
use towline_store::home::init::init;
use towline_store::home::{Config as NodeConfig, Home, key};

use crate::cli::{Cli, UpArgs, require_gateway};
use crate::config::GatewayConfig;
use crate::gateway::{Gateway, StartError};

/// The home of the gateway's node; created if it does not exist.
fn open_home(dir: &Path) -> anyhow::Result<Home> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let home = Home::at(dir);
    if home.exists() {
        return Ok(home);
    }
    let config = NodeConfig {
        node_name: "gateway".to_owned(),
        ..NodeConfig::default()
    };
    let (home, _, _) = init(dir, &config)?;
    Ok(home)
}

/// `up`: runs the gateway until it is stopped.
///
/// # Errors
/// When the configuration, the folder or an address cannot be used.
pub fn up(cli: &Cli, args: &UpArgs, out: &mut impl Write) -> anyhow::Result<()> {
    if !args.create {
        require_gateway(cli)?;
    }
    let path = cli.config_path();
    let config = if path.exists() {
        GatewayConfig::read(&path).map_err(|error| usage_error(format!("{}: {error}", path.display())))?
    } else {
        GatewayConfig::default()
    };
    let home = open_home(&cli.dir)?;
    let lock = home.lock("towline-gateway up").map_err(Failure::from)?;
    let mut node_config = NodeConfig::load(&home.config_file())?;
    node_config.board = args.board;
    if !args.listen.is_empty() {
        node_config.listen.clone_from(&args.listen);
    }
    let seed = key::load(&home.key_file())?;
    runtime()?.block_on(async {
        let node = Node::start(home, lock, &node_config, seed).await?;
        let handle = node.handle().clone();
        let face = ServerOptions {
            title: "fleet".to_owned(),
            fleet: true,
        };
        let serving = Server::start(node, &node_config, face).await?;
        let stop = serving.stop_token().child_token();
        let gateway = start_relay(&handle, &config, &cli.dir, &stop)?;
        writeln!(out, "fleet: {}", serving.board())?;
        writeln!(out, "sign in: {}", serving.login_link(&args.who))?;
        out.flush()?;
        let result = serving.run().await;
        if let Some(gateway) = gateway {
            gateway.stop().await;
        }
        result?;
        Ok(())
    })
}

/// Starts the relay. On a full disk the web pages run without it.
fn start_relay(
    handle: &NodeHandle,
    config: &GatewayConfig,
    dir: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Gateway>> {
    match Gateway::start(handle.clone(), config.clone(), dir, stop.clone()) {
        Ok(gateway) => Ok(Some(gateway)),
        Err(StartError::Store(error)) if error.is_full() => {
            tracing::error!(dir = %dir.display(), "the disk is full, so nothing is relayed; free some space and restart the gateway");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// `join`: joins a project through the running gateway, or with a node that runs until the project's items
/// have arrived.
///
/// # Errors
/// When the ticket is invalid, or the inviter does not admit the gateway.
pub fn join(cli: &Cli, ticket: &str, timeout: Duration, out: &mut impl Write) -> anyhow::Result<()> {
    let ticket = ticket
        .parse::<Ticket>()
        .map_err(|error| usage_error(error.to_string()))?;
    let home = open_home(&cli.dir)?;
    let reply = if let Some(client) = towline_socket::find(&home)? {
        client.with_timeout(timeout).join(&ticket.to_string())?
    } else {
        let lock = home.lock("towline-gateway join").map_err(Failure::from)?;
        let config = NodeConfig::load(&home.config_file())?;
        let seed = key::load(&home.key_file())?;
        runtime()?.block_on(async {
            let node = Node::start(home, lock, &config, seed).await?;
            let reply = node.join_and_wait(&ticket, timeout).await;
            node.stop().await;
            reply
        })?
    };
    match reply {
        Reply::Status(status) => {
            writeln!(
                out,
                "joined {} as {}: {} items so far",
                show(&status.name, usize::MAX),
                status.role,
                status.items
            )?;
        }
        _ => writeln!(out, "joined {}", show(&ticket.name, usize::MAX))?,
    }
    Ok(())
}

fn usage_error(message: String) -> Failure {
    Failure::new(FailureCode::Usage, message)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}
