//! The cast: nodes on 127.0.0.1 whose projects are played by the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libp2p::identity::Keypair;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use towline_net::{GossipToken, GossipVerdict, Net, NetConfig, NetInput, NetOutput, Route};
use towline_proto::wire::Message;
use towline_proto::{NodeId, ProjectId};

/// Longest that anything is waited for; on a busy machine handshakes take their time.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const DEMO: ProjectId = ProjectId([0xde; 32]);

/// One node and what its projects are told.
pub(crate) struct Actor {
    pub(crate) net: Net,
    pub(crate) inbox: mpsc::Receiver<(ProjectId, NetInput)>,
    seed: u8,
}

struct Inbox(mpsc::Sender<(ProjectId, NetInput)>);

impl Route for Inbox {
    fn deliver(&self, project: &ProjectId, input: NetInput) -> bool {
        self.0.try_send((*project, input)).is_ok()
    }
}

/// The id of the node with a seed.
pub(crate) fn id(seed: u8) -> NodeId {
    let key = keypair(seed).public().try_into_ed25519().unwrap();
    NodeId(key.to_bytes())
}

pub(crate) fn keypair(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

/// Starts a node.
pub(crate) async fn start(seed: u8) -> Actor {
    start_with(seed, "/ip4/127.0.0.1/tcp/0", 256).await
}

pub(crate) async fn start_with(seed: u8, listen: &str, queue: usize) -> Actor {
    let (sender, inbox) = mpsc::channel(queue);
    let config = NetConfig {
        key: [seed; 32],
        listen: vec![listen.to_owned()],
        any: false,
        announce: vec![],
        bootstrap: vec![],
        mdns: false,
        book: vec![],
    };
    let (net, _) = Net::start(config, Arc::new(Inbox(sender))).await.unwrap();
    assert_eq!(net.me(), id(seed));
    Actor { net, inbox, seed }
}

impl Actor {
    pub(crate) fn id(&self) -> NodeId {
        id(self.seed)
    }

    /// Says who the members of the demo project are.
    pub(crate) async fn members(&self, members: &[NodeId], joinable: bool) {
        self.members_of(DEMO, members, joinable).await;
    }

    pub(crate) async fn members_of(&self, project: ProjectId, members: &[NodeId], joinable: bool) {
        let members = members.to_vec();
        self.say(NetOutput::Members {
            project,
            members,
            joinable,
        })
        .await;
    }

    pub(crate) async fn say(&self, output: NetOutput) {
        self.net.output().send(output).await.unwrap();
    }

    pub(crate) async fn dial(&self, other: &Self) {
        self.net.dial(other.id(), other.net.addresses()).await;
    }

    /// Sends a message that only its number tells from others.
    pub(crate) async fn send(&self, to: NodeId, number: u8) {
        let message = Message::Hello {
            project: DEMO,
            digest: [number; 32],
        };
        self.say(NetOutput::Send { peer: to, message }).await;
    }

    /// Waits for the first input that `wanted` takes; others are skipped.
    pub(crate) async fn wait_for<T>(&mut self, wanted: impl Fn(NetInput) -> Option<T>) -> T {
        let found = timeout(SOON, async {
            loop {
                let (_, input) = self.inbox.recv().await.unwrap();
                if let Some(found) = wanted(input) {
                    return found;
                }
            }
        });
        found.await.expect("it should have come by now")
    }

    pub(crate) async fn wait_connected(&mut self, other: NodeId) {
        self.wait_for(|input| match input {
            NetInput::Connected { peer, address } if peer == other => {
                assert!(address.starts_with("/ip4/127.0.0.1/tcp/"), "{address}");
                Some(())
            }
            _ => None,
        })
        .await;
    }

    pub(crate) async fn wait_disconnected(&mut self, other: NodeId) {
        self.wait_for(|input| match input {
            NetInput::Disconnected { peer } => (peer == other).then_some(()),
            _ => None,
        })
        .await;
    }

    /// Waits for a message and returns its sender and number.
    pub(crate) async fn wait_message(&mut self) -> (NodeId, u8) {
        self.wait_for(|input| match input {
            NetInput::Message {
                peer,
                message: Message::Hello { digest, .. },
            } => Some((peer, digest[0])),
            _ => None,
        })
        .await
    }

    /// Waits for the next gossiped entry.
    pub(crate) async fn wait_gossip(&mut self) -> (NodeId, GossipToken, Vec<u8>) {
        self.wait_for(|input| match input {
            NetInput::Gossip { peer, token, bytes } => Some((peer, token, bytes)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn publish(&self, bytes: &[u8]) {
        self.say(NetOutput::Publish {
            project: DEMO,
            bytes: bytes.to_vec(),
        })
        .await;
    }

    pub(crate) async fn judge(&self, peer: NodeId, token: GossipToken, verdict: GossipVerdict) {
        self.say(NetOutput::Verdict { token, peer, verdict }).await;
    }
}

/// Waits until a counter has reached a value.
pub(crate) async fn reaches(counter: &AtomicU64, value: u64) {
    let mut looks = interval(Duration::from_millis(10));
    let reached = timeout(SOON, async {
        while counter.load(Ordering::Relaxed) < value {
            looks.tick().await;
        }
    });
    reached.await.expect("the counter should have got there by now");
}

/// Introduces two members of the demo project to each other.
pub(crate) async fn befriend(a: &mut Actor, b: &mut Actor) {
    a.members(&[b.id()], false).await;
    b.members(&[a.id()], false).await;
    a.dial(b).await;
    a.wait_connected(b.id()).await;
    b.wait_connected(a.id()).await;
}
