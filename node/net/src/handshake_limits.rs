//! Limits inbound handshakes: their number, and how long each may take.
//!
//! Wraps the transport that accepts connections, so that it decides before libp2p has spent anything on the
//! remote side. A connection that sends nothing, or half of a handshake, is closed after
//! [`HANDSHAKE_TIMEOUT`]; before that it can be evicted by a new one (see `limiter.rs`). Outbound dials pass
//! unchanged.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use tokio::time::timeout;

use crate::limiter::{Limiter, Limits, Source};

/// How long a handshake may take: about four round trips and two kilobytes, on a slow connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(6);
/// Limits of concurrent handshakes. Each costs this node a key agreement before it knows the remote side.
const HANDSHAKES: Limits = Limits {
    total: 64,
    per_source: 16,
    grace: Duration::ZERO,
};

/// The source of a connection.
pub(super) fn source_of(address: &Multiaddr) -> Source {
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    });
    ip.map_or(Source::LOCAL, Source::from)
}

/// Why a connection was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError<E> {
    /// The handshake failed.
    #[error("{0}")]
    Handshake(E),
    /// It took too long.
    #[error("the handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    TimedOut,
    /// It was evicted before it finished.
    #[error("a newer handshake replaced this one")]
    Evicted,
}

/// A transport with limited inbound handshakes.
#[derive(Debug)]
pub(super) struct LimitedTransport<T> {
    inner: T,
    limiter: Limiter,
}

impl<T> LimitedTransport<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            limiter: Limiter::new(HANDSHAKES),
        }
    }
}

impl<T> Transport for LimitedTransport<T>
where
    T: Transport + Unpin,
    T::Output: Send + 'static,
    T::Error: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = HandshakeError<T::Error>;
    type ListenerUpgrade = BoxFuture<'static, Result<T::Output, Self::Error>>;
    type Dial = BoxFuture<'static, Result<T::Output, Self::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        let listening = self.inner.listen_on(id, address);
        listening.map_err(|error| error.map(HandshakeError::Handshake))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        match self.inner.dial(address, options) {
            Ok(dial) => Ok(dial.map_err(HandshakeError::Handshake).boxed()),
            Err(error) => Err(error.map(HandshakeError::Handshake)),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        loop {
            let event = match Pin::new(&mut self.inner).poll(context) {
                Poll::Ready(event) => event.map_err(HandshakeError::Handshake),
                Poll::Pending => return Poll::Pending,
            };
            let permit = match &event {
                TransportEvent::Incoming { send_back_addr, .. } => {
                    match self.limiter.enter(source_of(send_back_addr)) {
                        // Dropping the event closes the connection.
                        None => continue,
                        permit => permit,
                    }
                }
                _ => None,
            };
            return Poll::Ready(event.map_upgrade(|upgrade| {
                async move {
                    let evicted = async {
                        match &permit {
                            Some(permit) => permit.evicted().await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        handshake = timeout(HANDSHAKE_TIMEOUT, upgrade) => match handshake {
                            Ok(handshake) => handshake.map_err(HandshakeError::Handshake),
                            Err(_) => Err(HandshakeError::TimedOut),
                        },
                        () = evicted => Err(HandshakeError::Evicted),
                    }
                }
                .boxed()
            }));
        }
    }
}
