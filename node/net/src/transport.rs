//! TCP, configured so that undelivered data does not keep a connection open for ever.
//!
//! When a cable is pulled while this node sends, the system retransmits for a quarter of an hour and keeps
//! the connection open; closing it waits for undelivered data. If the system supports it, a shorter limit is
//! set. A slow connection is not affected: what matters is that something is delivered, not how fast.

use std::error::Error;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, noise, tcp, yamux};

use super::host_names::HostNames;

/// How long sent data may stay undelivered.
#[cfg(target_os = "linux")]
const UNDELIVERED: Duration = Duration::from_secs(15);

/// Encrypted and multiplexed TCP.
///
/// # Errors
/// When the key cannot be used for encryption.
pub(super) fn tcp(key: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn Error + Send + Sync>> {
    let config = tcp::Config::default().nodelay(true);
    Ok(HostNames::new(tcp::tokio::Transport::new(config))
        .map(|stream, _| {
            give_up_on_the_dead(&stream);
            stream
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

#[cfg(target_os = "linux")]
fn give_up_on_the_dead(stream: &tcp::tokio::TcpStream) {
    let limit = u32::try_from(UNDELIVERED.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream.0, limit) {
        tracing::debug!(%error, "cannot enable keepalive; a broken connection is noticed only by a timeout");
    }
}

/// On other systems only the link's timeout detects this.
#[cfg(not(target_os = "linux"))]
fn give_up_on_the_dead(_: &tcp::tokio::TcpStream) {}
