//! Starts the network: the handle, its configuration and its errors.
//!
//! The handle is cheap to clone and contains no libp2p type. The swarm stops when [`Net::stop`] is called or
//! the last handle is dropped.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use towline_proto::wire::{JoinReply, JoinRequest};
use towline_proto::{NodeId, Ticket, limits};
use tracing::Instrument;

use super::address_book::{AddressBook, SavedNode};
use super::driver::{Command, Driver};
use super::member_registry::MemberRegistry;
use super::metrics::NetMetrics;
use super::{NetOutput, Route, identity, join};

/// The capacity of the channel for outputs of the projects. A project's thread waits while it is full.
const OUTPUTS: usize = 1_024;
/// The capacity of the command channel.
const COMMANDS: usize = 64;

/// The network configuration of a node.
#[derive(Clone)]
pub struct NetConfig {
    /// The node's ed25519 seed.
    pub key: [u8; 32],
    /// Where to listen, as multiaddresses: `/ip4/0.0.0.0/tcp/4001`. May be empty.
    pub listen: Vec<String>,
    /// Whether one of these is enough, because they are defaults and a machine may lack IPv6.
    pub any: bool,
    /// Where others should dial, when that is not where this node listens.
    pub announce: Vec<String>,
    /// Addresses of some members, each ending in `/p2p/` and the node.
    pub bootstrap: Vec<String>,
    /// Whether to discover members on the local network.
    pub mdns: bool,
    /// What [`Net::kept`] gave before the last end.
    pub book: Vec<SavedNode>,
}

impl fmt::Debug for NetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetConfig")
            .field("listen", &self.listen)
            .field("announce", &self.announce)
            .field("bootstrap", &self.bootstrap)
            .field("mdns", &self.mdns)
            .finish_non_exhaustive()
    }
}

/// Why a network operation failed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The seed is not a key.
    #[error("the node's key is not an ed25519 seed")]
    Key,
    /// An address cannot be used.
    #[error("invalid address {address:?}: {why}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// Listening failed.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Where.
        address: String,
        /// What the system says.
        why: String,
    },
    /// A part could not be set up.
    #[error("cannot set up {what}: {why}")]
    Setup {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The other node could not be reached, or hung up.
    #[error("cannot reach the other node: {0}")]
    Unreachable(String),
    /// The other node answered something that this build cannot read.
    #[error("cannot read the answer of the other node: {0}")]
    Unreadable(String),
    /// No answer in time.
    #[error("the other node did not answer within {} s", join::WITHIN.as_secs())]
    Timeout,
    /// The network has been stopped.
    #[error("the network was stopped")]
    Stopped,
}

/// What the driver, its tasks and the handles share.
pub(crate) struct Shared {
    pub(crate) me: NodeId,
    pub(crate) registry: Arc<MemberRegistry>,
    pub(crate) route: Arc<dyn Route>,
    pub(crate) metrics: NetMetrics,
    book: Mutex<AddressBook>,
    pub(crate) listening: RwLock<Vec<Multiaddr>>,
    /// Where others should dial, when that is not where this node listens.
    announce: Vec<Multiaddr>,
    /// The next address record of this node must be newer than this.
    pub(crate) min_record_at: AtomicU64,
}

impl Shared {
    /// Where this node can be dialled, best first: what is announced, what it listens on, and what only
    /// means something on this machine last.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        let listening = self.listening.read().unwrap_or_else(PoisonError::into_inner);
        let (near, far): (Vec<_>, Vec<_>) = listening
            .iter()
            .partition(|address| identity::is_loopback(address));
        let mut all: Vec<Multiaddr> = Vec::new();
        for address in self.announce.iter().chain(far).chain(near) {
            if !all.contains(address) {
                all.push(address.clone());
            }
        }
        all
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, AddressBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle to the network of a running node.
#[derive(Clone)]
pub struct Net {
    node: NodeId,
    me: PeerId,
    shared: Arc<Shared>,
    outputs: mpsc::Sender<NetOutput>,
    commands: mpsc::Sender<Command>,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Net {
    /// Starts the swarm's task and returns when the listeners have addresses. The second value ends
    /// when the network has stopped.
    ///
    /// # Errors
    /// When the key or an address is wrong, or listening fails.
    pub async fn start(config: NetConfig, route: Arc<dyn Route>) -> Result<(Self, JoinHandle<()>), NetError> {
        let key = identity::keypair(config.key)?;
        let me = key.public().to_peer_id();
        let node = identity::node_of(&me).ok_or(NetError::Key)?;
        let mut announce = Vec::new();
        for text in &config.announce {
            announce.push(identity::parse(text)?.0);
        }
        let mut book = AddressBook::default();
        let now = Instant::now();
        book.restore(now, config.book);
        for text in &config.bootstrap {
            // Written by hand, perhaps long ago: an unusable address must not prevent a start.
            match identity::named(text) {
                Ok((address, named)) => book.add(now, named, [address]),
                Err(error) => tracing::warn!(%error, "an address of `bootstrap` is ignored"),
            }
        }
        let shared = Arc::new(Shared {
            me: node,
            registry: Arc::new(MemberRegistry::new()),
            route,
            metrics: NetMetrics::default(),
            book: Mutex::new(book),
            listening: RwLock::default(),
            announce: announce.clone(),
            min_record_at: AtomicU64::new(0),
        });
        let (outputs, from_projects) = mpsc::channel(OUTPUTS);
        let (commands, from_handles) = mpsc::channel(COMMANDS);
        let mut driver = Driver::new(config.key, key, Arc::clone(&shared), config.mdns)?;
        driver.listen(&config.listen, config.any, &announce).await?;
        let span = tracing::info_span!("net", node = %node.short());
        let task = tokio::spawn(driver.run(from_projects, from_handles).instrument(span));
        let net = Self {
            node,
            me,
            shared,
            outputs,
            commands,
        };
        Ok((net, task))
    }

    /// Which node this is.
    pub const fn me(&self) -> NodeId {
        self.node
    }

    /// Where the projects' threads send what they have for the network.
    pub fn output(&self) -> mpsc::Sender<NetOutput> {
        self.outputs.clone()
    }

    /// Where this node can be dialled, best first: what is announced, what it listens on, and what only
    /// means something on this machine last.
    pub fn addresses(&self) -> Vec<String> {
        let addresses = self.shared.addresses();
        addresses
            .iter()
            .map(|address| identity::full(address, self.me))
            .collect()
    }

    /// Adds addresses of a node, and dials it if it is a member. Invalid addresses are skipped.
    pub async fn dial(&self, node: NodeId, addresses: Vec<String>) {
        let addresses = addresses
            .iter()
            .filter_map(|text| match identity::parse(text) {
                Ok((address, _)) => Some(address),
                Err(error) => {
                    tracing::debug!(node = %node.short(), %error, "an address was ignored");
                    None
                }
            })
            .collect();
        // A stopped network dials nobody.
        let _ = self.commands.send(Command::Dial { node, addresses }).await;
    }

    /// Sends a ticket to its inviter and returns the answer.
    ///
    /// # Errors
    /// When the inviter cannot be reached or does not answer within 30 s.
    pub async fn join(&self, ticket: &Ticket, my_name: &str) -> Result<JoinReply, NetError> {
        let mut addresses = Vec::new();
        for text in &ticket.addresses {
            addresses.push(identity::parse(text)?.0);
        }
        let request = JoinRequest {
            project: ticket.project,
            secret: ticket.secret.clone(),
            name: my_name.to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let command = Command::Join {
            inviter: ticket.inviter,
            addresses,
            request,
            reply,
        };
        self.commands.send(command).await.map_err(|_| NetError::Stopped)?;
        match timeout(join::WITHIN, answer).await {
            Err(_) => Err(NetError::Timeout),
            Ok(Err(_)) => Err(NetError::Stopped),
            Ok(Ok(reply)) => reply,
        }
    }

    /// Every node whose addresses are known, with the best first.
    pub fn address_book(&self) -> Vec<(NodeId, Vec<String>)> {
        let mut all = self.shared.book().all();
        all.retain(|(node, _)| *node != self.node);
        all
    }

    /// What is known of nodes, to be kept on disk and given to [`NetConfig::book`] at the next start, and a
    /// number that grows whenever it changes.
    pub fn saved_nodes(&self) -> (u64, Vec<SavedNode>) {
        let book = self.shared.book();
        (book.changes(), book.saved_nodes())
    }

    /// The number of [`Net::kept`] alone.
    pub fn book_changes(&self) -> u64 {
        self.shared.book().changes()
    }

    /// Adds addresses of nodes, without dialling. Invalid addresses are skipped.
    pub fn note(&self, nodes: &[(NodeId, Vec<String>)]) {
        let now = Instant::now();
        let mut book = self.shared.book();
        for (node, addresses) in nodes.iter().take(limits::WELCOME_PEERS + 1) {
            let addresses = addresses.iter().filter_map(|text| identity::parse(text).ok());
            book.add(now, *node, addresses.map(|(address, _)| address));
        }
    }

    /// The metrics.
    pub fn metrics(&self) -> &NetMetrics {
        &self.shared.metrics
    }

    /// Stops the network: closes every connection and listener, then returns.
    pub async fn stop(self) {
        let (stopped, done) = oneshot::channel();
        if self.commands.send(Command::Stop(stopped)).await.is_ok() {
            // An error means that it was stopping already.
            let _ = done.await;
        }
    }
}
