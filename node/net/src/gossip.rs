//! Gossip: two topics per project, one for entries and one for presence. Every message is held until its
//! project has returned a verdict.
//!
//! Messages carry their authors' signatures, so those of gossipsub are turned off; a message id is the hash
//! of its bytes. A peer can subscribe to a topic only as a member of that project, so members of other
//! projects never see its entries. Losing gossip only costs latency, since catch-up covers it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, TopicHash,
    TopicSubscriptionFilter, ValidationMode,
};
use tokio::time::Instant;
use towline_proto::{NodeId, ProjectId, limits};

use super::member_registry::MemberRegistry;
use super::members_only::CurrentPeer;
use super::{GossipToken, NetError, identity};

/// The overhead of gossipsub's frame, generously.
const ENVELOPE_BYTES: usize = 4 * 1024;
/// How soon after the start meshes are built. With the default of 5 s nothing would arrive until then.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(100);
/// The queue of messages per peer. The default of 5,000 would be 320 MiB.
const QUEUE: usize = 1_024;
/// The most messages that wait for a verdict; the oldest is dropped and not forwarded.
const PENDING: usize = 4_096;
/// How long to wait for a verdict: as long as gossipsub keeps the message (five heartbeats of 1 s).
const VERDICT_WITHIN: Duration = Duration::from_secs(5);
/// The most refused subscriptions that are remembered.
const REFUSALS: usize = 4_096;

const TOPIC_PREFIX: &str = "towline/1/";
/// Behind the prefix. An older node without presence does not recognise this as a project and does not
/// subscribe.
const PRESENCE: &str = "presence/";

/// Gossipsub as it is used here.
pub(crate) type Gossipsub = Behaviour<IdentityTransform, MemberTopics>;

/// What a topic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Entries.
    Entries,
    /// Presence.
    Presence,
}

/// A topic of a project.
pub(crate) fn topic(subject: Subject, project: &ProjectId) -> IdentTopic {
    let subject = match subject {
        Subject::Entries => "",
        Subject::Presence => PRESENCE,
    };
    IdentTopic::new(format!("{TOPIC_PREFIX}{subject}{project}"))
}

/// What a topic is about, and its project.
pub(crate) fn subject_of(topic: &TopicHash) -> Option<(Subject, ProjectId)> {
    let rest = topic.as_str().strip_prefix(TOPIC_PREFIX)?;
    match rest.strip_prefix(PRESENCE) {
        Some(project) => Some((Subject::Presence, project.parse().ok()?)),
        None => Some((Subject::Entries, rest.parse().ok()?)),
    }
}

/// Builds the behaviour.
pub(crate) fn behaviour(filter: MemberTopics) -> Result<Gossipsub, NetError> {
    let broken = |error: &dyn std::fmt::Display| NetError::Setup {
        what: "gossip",
        why: error.to_string(),
    };
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(blake3::hash(&message.data).as_bytes()))
        .max_transmit_size(limits::ENTRY_GOSSIP_BYTES + ENVELOPE_BYTES)
        .heartbeat_initial_delay(FIRST_HEARTBEAT)
        .connection_handler_queue_len(QUEUE)
        // An own entry is sent to every connected member at once. Projects have few nodes, and a mesh that is
        // still being built would otherwise lose the first entries of a new node.
        .flood_publish(true)
        .build()
        .map_err(|error| broken(&error))?;
    Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|error| broken(&error))
}

/// Subscriptions that were refused because the peer was not known as a member yet.
///
/// Peers announce a subscription when they connect and when they subscribe, and not again. If a connected
/// member of one project has joined another and we learn that late, its subscription is lost; the driver
/// checks this list and makes the peer reconnect.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusedSubscriptions(Arc<Mutex<BTreeSet<(NodeId, ProjectId)>>>);

impl RefusedSubscriptions {
    /// Whether the subscription was refused; removes it.
    pub(crate) fn take(&self, node: NodeId, project: ProjectId) -> bool {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(&(node, project))
    }

    /// Removes a disconnected peer.
    pub(crate) fn forget(&self, node: NodeId) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|(other, _)| *other != node);
    }

    fn note(&self, node: NodeId, project: ProjectId) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REFUSALS {
            refused.insert((node, project));
        }
    }
}

/// Allows a peer to subscribe to the topics of the projects that it is a member of.
pub(crate) struct MemberTopics {
    pub(crate) registry: Arc<MemberRegistry>,
    pub(crate) current_peer: CurrentPeer,
    pub(crate) refused: RefusedSubscriptions,
}

impl TopicSubscriptionFilter for MemberTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        // Without a current peer this node itself subscribes.
        let Some(peer) = self.current_peer.get() else {
            return true;
        };
        let (Some(node), Some((_, project))) = (identity::node_of(&peer), subject_of(topic)) else {
            return false;
        };
        let allowed = self.registry.is_member_of(&node, &project);
        if !allowed && self.registry.joinable(&project).is_some() {
            self.refused.note(node, project);
        }
        allowed
    }
}

/// Messages that wait for their project's verdict.
#[derive(Debug, Default)]
pub(crate) struct PendingMessages {
    next: u64,
    messages: BTreeMap<u64, PendingMessage>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct PendingMessage {
    pub(crate) id: MessageId,
    pub(crate) from: PeerId,
    since: Instant,
}

impl PendingMessages {
    /// Stores a message; returns the oldest one if there are too many.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        id: MessageId,
        from: PeerId,
    ) -> (GossipToken, Option<PendingMessage>) {
        let pushed_out = if self.messages.len() >= PENDING {
            self.messages.pop_first().map(|(_, waiting)| waiting)
        } else {
            None
        };
        let token = self.next;
        self.next += 1;
        self.messages
            .insert(token, PendingMessage { id, from, since: now });
        (GossipToken(token), pushed_out)
    }

    /// Removes a message; `None` if it is unknown, has a verdict already or is too old.
    pub(crate) fn take(&mut self, token: &GossipToken) -> Option<PendingMessage> {
        self.messages.remove(&token.0)
    }

    /// Removes messages that gossipsub has dropped too.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(first) = self.messages.first_entry()
            && now.duration_since(first.get().since) > VERDICT_WITHIN
        {
            first.remove();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_its_project() {
        let project = ProjectId([0xab; 32]);
        for subject in [Subject::Entries, Subject::Presence] {
            let topic = topic(subject, &project).hash();
            assert_eq!(subject_of(&topic), Some((subject, project)));
        }
        assert_eq!(subject_of(&TopicHash::from_raw("towline/1/nonsense")), None);
    }

    #[test]
    fn pending_messages_are_bounded_in_number_and_time() {
        let mut pending = PendingMessages::default();
        let now = Instant::now();
        let from = PeerId::random();
        let (first, _) = pending.add(now, MessageId::new(b"first"), from);
        for _ in 1..PENDING {
            assert!(pending.add(now, MessageId::new(b"x"), from).1.is_none());
        }
        let (last, pushed_out) = pending.add(now, MessageId::new(b"last"), from);
        assert_eq!(pushed_out.unwrap().id, MessageId::new(b"first"));
        assert!(pending.take(&first).is_none());
        assert_eq!(pending.take(&last).unwrap().id, MessageId::new(b"last"));
        pending.expire(now + VERDICT_WITHIN + Duration::from_secs(1));
        assert!(pending.messages.is_empty());
    }

    #[test]
    fn a_member_of_another_project_cannot_subscribe() {
        let [ours, theirs] = [ProjectId([1; 32]), ProjectId([2; 32])];
        let peer = identity::keypair([3; 32]).unwrap().public().to_peer_id();
        let carol = identity::node_of(&peer).unwrap();
        let registry = Arc::new(MemberRegistry::new());
        registry.set(ours, vec![], false);
        registry.set(theirs, vec![carol], false);
        let current_peer = CurrentPeer::default();
        let refused = RefusedSubscriptions::default();
        let mut filter = MemberTopics {
            registry,
            current_peer: current_peer.clone(),
            refused: refused.clone(),
        };
        for subject in [Subject::Entries, Subject::Presence] {
            let topic = |project| topic(subject, project).hash();
            current_peer.set(None);
            assert!(filter.can_subscribe(&topic(&ours)), "this node itself may");
            current_peer.set(Some(peer));
            assert!(!filter.can_subscribe(&topic(&ours)));
            assert!(filter.can_subscribe(&topic(&theirs)));
        }
        assert!(refused.take(carol, ours));
        assert!(!refused.take(carol, theirs));
    }
}
