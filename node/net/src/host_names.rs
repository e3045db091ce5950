//! Host names in addresses: `/dns4/…`, `/dns6/…` and `/dns/…` are looked up with the system's resolver when
//! they are dialed.
//!
//! The system's resolver knows the hosts file, the local network and a VPN, and needs no crate. A name that
//! cannot be looked up fails this one dial; addresses with numbers are dialed unchanged. Nothing is cached here.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;

/// How many addresses of one name are tried, one after the other.
const ADDRESSES: usize = 8;

/// A TCP transport that also dials addresses with host names.
#[derive(Debug)]
pub(super) struct HostNames<T>(Arc<Mutex<T>>);

impl<T> HostNames<T> {
    pub(super) fn new(inner: T) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The transport. A panic while it was locked ended the task that owns the network.
    fn inner(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Transport for HostNames<T>
where
    T: Transport<Error = io::Error> + Send + Unpin + 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<T::Output>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner().listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner().remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some(host) = Host::of(&address) else {
            return Ok(self.inner().dial(address, options)?.boxed());
        };
        let inner = Self(self.0.clone());
        let dial = async move {
            let mut failed = no_address(&host);
            for ip in host.look_up().await? {
                let dial = inner.inner().dial(host.at(ip, &address), options);
                let dialed = match dial {
                    Ok(dial) => dial.await,
                    Err(TransportError::Other(error)) => Err(error),
                    Err(TransportError::MultiaddrNotSupported(_)) => return Err(no_address(&host)),
                };
                match dialed {
                    Ok(connection) => return Ok(connection),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        };
        Ok(dial.boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut *self.inner()).poll(context)
    }
}

/// The host name that an address begins with.
struct Host {
    name: String,
    /// Which addresses of it are meant: of version 4, of version 6, or either.
    wants: fn(&IpAddr) -> bool,
}

impl Host {
    fn of(address: &Multiaddr) -> Option<Self> {
        let (name, wants): (_, fn(&IpAddr) -> bool) = match address.iter().next()? {
            Protocol::Dns4(name) => (name, IpAddr::is_ipv4),
            Protocol::Dns6(name) => (name, IpAddr::is_ipv6),
            Protocol::Dns(name) => (name, |_| true),
            _ => return None,
        };
        let name = name.into_owned();
        Some(Self { name, wants })
    }

    async fn look_up(&self) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((self.name.as_str(), 0)).await?;
        let mut ips: Vec<_> = found.map(|socket| socket.ip()).filter(self.wants).collect();
        ips.dedup();
        ips.truncate(ADDRESSES);
        Ok(ips)
    }

    /// The same address with a number in place of the name.
    fn at(&self, ip: IpAddr, address: &Multiaddr) -> Multiaddr {
        std::iter::once(Protocol::from(ip))
            .chain(address.iter().skip(1))
            .collect()
    }
}

fn no_address(host: &Host) -> io::Error {
    let message = format!("{} has no address that can be dialed", host.name);
    io::Error::new(io::ErrorKind::NotFound, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;
    use libp2p::tcp;
    use tokio::net::TcpListener;

    use super::*;

    async fn dial(address: &str) -> io::Result<()> {
        let mut transport = HostNames::new(tcp::tokio::Transport::new(tcp::Config::default()));
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let dial = transport.dial(address.parse().unwrap(), options).unwrap();
        dial.await.map(drop)
    }

    #[tokio::test]
    async fn a_name_is_dialed_at_the_addresses_that_the_system_knows() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for version in ["dns", "dns4"] {
            let address = format!("/{version}/localhost/tcp/{port}");
            dial(&address).await.unwrap();
        }
        dial(&format!("/ip4/127.0.0.1/tcp/{port}")).await.unwrap();
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_fails_the_dial() {
        assert!(dial("/dns4/towline.invalid/tcp/4001").await.is_err());
        assert!(dial("/dns6/127.0.0.1/tcp/4001").await.is_err(), "no IPv6 address");
    }
}
