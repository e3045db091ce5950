//! Presence: which node was last seen when, and when a claim may be taken over.
//!
//! Measured on this node's monotonic clock, so no other clock matters, and kept in memory only: a node that
//! has just started knows nobody and waits. Nothing here is written to disk. Every node sends heartbeats all
//! the time, not only while it holds a claim, so a new claim is known at once to belong to a running node.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use towline_api::request::Failure;
use towline_crdt::view::ItemView;
use towline_net::{GossipToken, GossipVerdict, NetOutput};
use towline_proto::codec::DecodeError;
use towline_proto::presence::PresenceError;
use towline_proto::stage::Claim;
use towline_proto::{ItemId, Millis, NodeId, Presence, PresenceBody, Renewal, limits};

use super::Project;
use super::write::{conflict, usage};

/// Heartbeats within the shortest time after which claims can be taken over.
const BEATS: u32 = 4;
/// How soon a new peer gets a heartbeat: its subscription arrives shortly after its connection.
const ANNOUNCE_WITHIN: Duration = Duration::from_millis(500);
/// Missed heartbeats after which a node counts as absent.
const MISSED: u32 = 3;
/// The most renewals stored per node.
const RENEWALS: usize = 4 * limits::PRESENCE_CLAIMS;

/// The presence of other nodes, and the next heartbeat of this one.
#[derive(Debug, Default)]
pub(crate) struct PresenceState {
    nodes: BTreeMap<NodeId, NodePresence>,
    /// When each claim became known here; its node counts as present from then for the usual time.
    pub(super) claims: BTreeMap<ItemId, (u32, Instant)>,
    /// When this node sends its next heartbeat.
    due: Option<Instant>,
    /// When the last heartbeat was sent, and the time that it contained.
    said: Option<(Instant, Millis)>,
    /// The item whose claim was renewed last, if one heartbeat cannot contain all claims.
    turn: Option<ItemId>,
    /// The chat accounts under which this node takes commands.
    pub(super) accounts: Vec<String>,
}

/// The presence of one node.
#[derive(Debug)]
struct NodePresence {
    at: Instant,
    said: Millis,
    renewals: BTreeMap<ItemId, (u32, Millis)>,
    accounts: Vec<String>,
}

impl PresenceState {
    /// Schedules a heartbeat soon, because a peer has connected.
    pub(crate) fn announce_soon(&mut self, now: Instant) {
        let soon = now + ANNOUNCE_WITHIN;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    fn record(&mut self, now: Instant, body: &PresenceBody) {
        // Only members get here, and their number is limited; a removed member stays until the process ends.
        if self.nodes.len() >= limits::MEMBERS && !self.nodes.contains_key(&body.node) {
            return;
        }
        let node = self.nodes.entry(body.node).or_insert_with(|| NodePresence {
            at: now,
            said: body.at,
            renewals: BTreeMap::new(),
            accounts: Vec::new(),
        });
        node.accounts.clone_from(&body.accounts);
        (node.at, node.said) = (now, body.at.max(node.said));
        // A node with few claims renews all of them each time; one with many alternates.
        let all = body.claims.len() < limits::PRESENCE_CLAIMS;
        if all || node.renewals.len() > RENEWALS {
            node.renewals.clear();
        }
        let renewals = body.claims.iter();
        node.renewals
            .extend(renewals.map(|claim| (claim.item, (claim.generation, body.at))));
    }
}

impl Project {
    /// Sends a heartbeat when one is due.
    pub(super) fn send_heartbeat(&mut self, now: Instant) {
        if self.net.is_none() || self.presence.due.is_some_and(|due| due > now) {
            return;
        }
        let said = self.presence.said;
        let gap = Duration::from_millis(limits::PRESENCE_MIN_INTERVAL_MS);
        if said.is_some_and(|(at, _)| now.saturating_duration_since(at) < gap) {
            return;
        }
        // A clock that was set back must not make it look old.
        let at = said.map_or(self.now(), |(_, last)| self.now().max(last.plus(1)));
        let body = PresenceBody {
            project: self.id,
            node: self.me,
            at,
            claims: self.my_claims(),
            accounts: self.presence.accounts.clone(),
        };
        let presence = Presence::sign(body, &self.key);
        let every = Duration::from_millis(limits::PRESENCE_INTERVAL_MS);
        let every = every.min(self.maintenance.settings().claim_ttl.0 / BEATS);
        // A random interval of three quarters to five quarters.
        let part = u32::try_from(self.env.random_u64() % 512).unwrap_or(256);
        self.presence.said = Some((now, at));
        self.presence.due = Some(now + every * (768 + part) / 1_024);
        self.send_to_net(NetOutput::Presence {
            project: self.id,
            bytes: presence.bytes().to_vec(),
        });
    }

    /// Stores the chat accounts under which this node accepts commands, and announces them at once.
    pub(super) fn announce(&mut self, accounts: Vec<String>) {
        if self.presence.accounts == accounts {
            return;
        }
        self.presence.accounts = accounts;
        let now = self.env.instant();
        self.presence.due = Some(now);
        self.send_heartbeat(now);
    }

    /// The other nodes that accept commands from chat and were seen recently.
    pub(super) fn gateways(&self) -> Vec<(NodeId, Vec<String>)> {
        let now = self.env.instant();
        let lately = Duration::from_millis(limits::PRESENCE_INTERVAL_MS) * MISSED;
        let nodes = self.presence.nodes.iter();
        let there = nodes.filter(|(_, node)| now.saturating_duration_since(node.at) < lately);
        let gateways = there.filter(|(_, node)| !node.accounts.is_empty());
        gateways.map(|(id, node)| (*id, node.accounts.clone())).collect()
    }

    /// The claims that this node renews: those after the last renewed one, then from the beginning.
    fn my_claims(&mut self) -> Vec<Renewal> {
        let claimed = self.index.shown().filter(|row| row.claimed);
        let mine = claimed.filter_map(|row| {
            let claim = row.view()?.claim.filter(|claim| claim.node == self.me)?;
            let generation = claim.generation;
            Some(Renewal {
                item: row.id,
                generation,
            })
        });
        let mut mine: Vec<Renewal> = mine.collect();
        if mine.len() > limits::PRESENCE_CLAIMS {
            let turn = self.presence.turn;
            let first = mine.iter().position(|claim| Some(claim.item) > turn).unwrap_or(0);
            mine.rotate_left(first);
            mine.truncate(limits::PRESENCE_CLAIMS);
            self.presence.turn = mine.last().map(|claim| claim.item);
        }
        mine
    }

    /// Handles a presence message and decides whether it is forwarded.
    pub(super) fn handle_presence(&mut self, peer: NodeId, token: GossipToken, bytes: &[u8]) {
        let verdict = self.validate_presence(peer, bytes);
        self.send_to_net(NetOutput::Verdict { token, peer, verdict });
    }

    fn validate_presence(&mut self, peer: NodeId, bytes: &[u8]) -> GossipVerdict {
        let presence = match Presence::decode(bytes) {
            Ok(presence) => presence,
            // A peer with a newer version is not to blame.
            Err(PresenceError::Decode(DecodeError::Version { .. })) => return GossipVerdict::Ignore,
            Err(why) => {
                tracing::warn!(peer = %peer.short(), %why, "refused");
                return GossipVerdict::Reject;
            }
        };
        let body = presence.body();
        if body.project != self.id {
            return GossipVerdict::Reject;
        }
        // A member that was removed here may still be one for the peer that forwarded this.
        if body.node == self.me || self.members.member(&body.node).is_none() {
            return GossipVerdict::Ignore;
        }
        let now = self.env.instant();
        if let Some(known) = self.presence.nodes.get(&body.node) {
            let gap = Duration::from_millis(limits::PRESENCE_MIN_INTERVAL_MS);
            let too_soon = now.saturating_duration_since(known.at) < gap;
            // A message from the node itself is new whatever its time says: its clock may have been set back.
            let old = body.at <= known.said && peer != body.node;
            if too_soon || old {
                return GossipVerdict::Ignore;
            }
        }
        if presence.verify().is_err() {
            tracing::warn!(peer = %peer.short(), "refused a presence message with an invalid signature");
            return GossipVerdict::Reject;
        }
        self.presence.record(now, body);
        if peer != body.node {
            self.send_to_net(NetOutput::SignOfLife { node: body.node });
        }
        GossipVerdict::Accept
    }

    /// Notes when a claim became known here.
    pub(super) fn note_claim(&mut self, row: &ItemView) {
        if self.maintenance.started_at.is_none() {
            return;
        }
        let Some(claim) = &row.claim else {
            self.presence.claims.remove(&row.id);
            return;
        };
        let generation = claim.generation;
        if self.index.get(&row.id).and_then(|before| before.claim).as_ref() != Some(claim) {
            let now = self.env.instant();
            self.presence.claims.insert(row.id, (generation, now));
        }
    }

    /// Forgets the claim on an item that was rolled back.
    pub(super) fn forget_claim(&mut self, item: &ItemId) {
        self.presence.claims.remove(item);
    }

    /// When the node of a claim was last seen, by this node's clock. `None` without a running node.
    pub(super) fn claim_heard(&self, claim: &Claim) -> Option<Millis> {
        self.maintenance.started_at?;
        if claim.node == self.me {
            return Some(self.now());
        }
        let heard = self.presence.nodes.get(&claim.node)?;
        let ago = self.env.instant().saturating_duration_since(heard.at);
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        Some(Millis(self.now().0.saturating_sub(ago)))
    }

    /// The last known renewal of an item's claim; never earlier than the claim.
    pub(super) fn last_renewal(&self, row: &ItemView) -> Millis {
        let Some(claim) = &row.claim else {
            return Millis::default();
        };
        let node = self.presence.nodes.get(&claim.node);
        let renewed = node.and_then(|node| node.renewals.get(&row.id));
        let renewed = renewed.filter(|(generation, _)| *generation == claim.generation);
        renewed.map_or(claim.at, |(_, at)| claim.at.max(*at))
    }

    /// Checks whether a claim may be taken over; returns the reason if it is forced.
    pub(super) fn may_take_over(
        &self,
        row: &ItemView,
        taker: &str,
        force: bool,
        reason: Option<String>,
    ) -> Result<Option<String>, Failure> {
        match (force, reason) {
            (true, Some(reason)) => Ok(Some(reason)),
            (true, None) => Err(usage("`take-over --force` needs a reason")),
            // Without a claim the transition table refuses.
            (false, _) => row
                .claim
                .as_ref()
                .and_then(|claim| self.take_over_refusal(&row.id, claim, taker))
                .map_or(Ok(None), |why_not| Err(conflict(why_not))),
        }
    }

    /// Why a claim cannot be taken over without force; `None` if it can.
    pub(super) fn take_over_refusal(&self, item: &ItemId, claim: &Claim, taker: &str) -> Option<String> {
        let forced = "use `--force` with `--reason` to take it anyway";
        let holder = format!("{} on {}", claim.holder, self.node_name(&claim.node));
        if claim.node == self.me {
            // The holder may take it again, for instance after a crash.
            let other = claim.holder != taker;
            let here = format!("{holder}, which is this node, holds the claim; {forced}");
            return other.then_some(here);
        }
        let Some(started_at) = self.maintenance.started_at else {
            return Some(format!(
                "{holder} holds the claim, and without a running node here it is unknown whether that node is gone; start one with `towline up`, or {forced}"
            ));
        };
        let now = self.env.instant();
        let heard = self.presence.nodes.get(&claim.node).map(|node| node.at);
        let known = self.presence.claims.get(item);
        let known = known.filter(|(generation, _)| *generation == claim.generation);
        let since = [Some(started_at), heard, known.map(|(_, at)| *at)];
        let gone = now.saturating_duration_since(since.into_iter().flatten().max().unwrap_or(started_at));
        let left = self.maintenance.settings().claim_ttl.0.saturating_sub(gone);
        if left.is_zero() {
            return None;
        }
        let last = match heard {
            Some(at) => format!("was last seen {} ago", about(now.saturating_duration_since(at))),
            None => format!(
                "was not seen since this node started {} ago",
                about(now.saturating_duration_since(started_at))
            ),
        };
        Some(format!(
            "{holder} holds the claim, and that node {last}; if it is not seen again, the claim can be taken over in {}; {forced}",
            about(left)
        ))
    }
}

fn about(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m {seconds}s"),
    }
}
