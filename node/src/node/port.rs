//! Starts the network of a node on the port that it had the last time.
//!
//! The port is stored in the home. A port that could not be stored never prevents a start.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use towline_api::request::Failure;
use towline_net::{Net, NetConfig, Route};
use towline_store::home::{Config, Home, files};

use super::{Routes, failed, peers_file};

/// The file with the port.
const PORT_FILE: &str = "port";

/// Starts the network. If the configuration leaves the port open, the last port is used again if it is free:
/// other members remember this node by it, and two nodes that both restart with new ports would never find
/// each other.
pub(super) async fn start_net(
    home: &Home,
    config: &Config,
    key: &SigningKey,
    routes: &Arc<Routes>,
) -> Result<Net, Failure> {
    let file = home.dir().join(PORT_FILE);
    let saved = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok());
    let with_port = |port: u16| {
        let listen = config.listen.iter();
        listen
            .map(|address| address.replace("/tcp/0", &format!("/tcp/{port}")))
            .collect::<Vec<_>>()
    };
    let net_config = |listen: Vec<String>| NetConfig {
        key: key.to_bytes(),
        listen,
        any: config.listen == Config::default().listen,
        announce: config.announce.clone(),
        bootstrap: config.bootstrap.clone(),
        mdns: config.mdns,
        book: peers_file::read(home),
    };
    let route = || Arc::clone(routes) as Arc<dyn Route>;
    if let Some(port) = saved {
        match Net::start(net_config(with_port(port)), route()).await {
            Ok((net, _ended)) => return Ok(net),
            Err(error) => {
                tracing::info!(%error, port, "the port of the last run is in use; another one is used")
            }
        }
    }
    let (net, _ended) = Net::start(net_config(config.listen.clone()), route())
        .await
        .map_err(failed)?;
    let port = net.addresses().iter().find_map(|address| {
        let (_, behind) = address.split_once("/tcp/")?;
        behind.split('/').next()?.parse::<u16>().ok()
    });
    if let Some(port) = port
        && let Err(error) = files::write_atomic(&file, port.to_string().as_bytes(), files::PRIVATE_MODE)
    {
        tracing::warn!(%error, "the port was not saved; after a restart, members may need the new address of this node");
    }
    Ok(net)
}
