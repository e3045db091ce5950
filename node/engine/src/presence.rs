//! Presence: which node was last seen when, and when a claim may be taken over.
//!
//! Measured on this node's monotonic clock, so no other clock matters, and kept in memory only: a node that
//! has just started knows nobody and waits. Nothing here is written to disk. Every node sends heartbeats all
//! the time, not only while it holds a claim, so a new claim is known at once to belong to a running node.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use towline_api::request::Failure;
use towline_crdt::view::ItemView;
use towline_net::{GossipToken, GossipVerdict, NetOutput};
use towline_proto::codec::DecodeError;
use towline_proto::presence::PresenceError;
use towline_proto::stage::Claim;
use towline_proto::{self as proto, ItemId, Millis, NodeId, PresenceBody, ProjectId, Renewal, limits};

use super::Project;
use super::query::QueryContext;
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
pub(crate) struct Presence {
    /// When a node started to run the project; nobody can have been seen before.
    started_at: Option<Instant>,
    nodes: BTreeMap<NodeId, NodePresence>,
    /// When each claim became known here; its node counts as present from then for the usual time.
    claims: ClaimTimes,
    /// When this node sends its next heartbeat.
    due: Option<Instant>,
    /// When the last heartbeat was sent, and the time that it contained.
    said: Option<(Instant, Millis)>,
    /// The item whose claim was renewed last, if one heartbeat cannot contain all claims.
    turn: Option<ItemId>,
    /// The chat accounts under which this node takes commands.
    accounts: Vec<String>,
}

/// When claims became known here, each with its generation.
pub(crate) type ClaimTimes = BTreeMap<ItemId, (u32, Instant)>;

/// The presence of one node.
#[derive(Debug)]
struct NodePresence {
    at: Instant,
    said: Millis,
    renewals: BTreeMap<ItemId, (u32, Millis)>,
    accounts: Vec<String>,
}

impl Presence {
    /// A node runs the project from now on.
    pub(crate) fn start(&mut self, now: Instant) {
        self.started_at.get_or_insert(now);
    }

    /// When claims became known.
    pub(crate) const fn claims(&self) -> &ClaimTimes {
        &self.claims
    }

    /// Goes back to earlier times, after a rollback that noted them anew.
    pub(crate) fn restore_claims(&mut self, claims: ClaimTimes) {
        self.claims = claims;
    }

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

    /// Whether a heartbeat may and should be sent.
    fn is_due(&self, now: Instant) -> bool {
        let gap = Duration::from_millis(limits::PRESENCE_MIN_INTERVAL_MS);
        let too_soon = |(at, _): (Instant, Millis)| now.saturating_duration_since(at) < gap;
        self.due.is_none_or(|due| due <= now) && !self.said.is_some_and(too_soon)
    }

    /// Takes a heartbeat as sent: its content, and the next one after about `every`.
    fn beat(&mut self, context: &BeatContext, mut claims: Vec<Renewal>) -> PresenceBody {
        if claims.len() > limits::PRESENCE_CLAIMS {
            // Those after the last renewed one, then from the beginning.
            let first = claims.iter().position(|claim| Some(claim.item) > self.turn);
            claims.rotate_left(first.unwrap_or(0));
            claims.truncate(limits::PRESENCE_CLAIMS);
            self.turn = claims.last().map(|claim| claim.item);
        }
        // A clock that was set back must not make it look old.
        let at = self
            .said
            .map_or(context.now, |(_, last)| context.now.max(last.plus(1)));
        self.said = Some((context.clock, at));
        // A random interval of three quarters to five quarters.
        let part = u32::try_from(context.random % 512).unwrap_or(256);
        self.due = Some(context.clock + context.every * (768 + part) / 1_024);
        PresenceBody {
            project: context.project,
            node: context.me,
            at,
            claims,
            accounts: self.accounts.clone(),
        }
    }

    /// Changes the chat accounts under which this node accepts commands; the next heartbeat is due at once if
    /// they are others than before.
    fn set_accounts(&mut self, now: Instant, accounts: Vec<String>) -> bool {
        let others = self.accounts != accounts;
        if others {
            self.accounts = accounts;
            self.due = Some(now);
        }
        others
    }

    /// The other nodes that accept commands from chat and were seen recently.
    pub(crate) fn gateways(&self, now: Instant) -> Vec<(NodeId, Vec<String>)> {
        let lately = Duration::from_millis(limits::PRESENCE_INTERVAL_MS) * MISSED;
        let there = |node: &NodePresence| now.saturating_duration_since(node.at) < lately;
        let nodes = self.nodes.iter().filter(|(_, node)| there(node));
        let gateways = nodes.filter(|(_, node)| !node.accounts.is_empty());
        gateways.map(|(id, node)| (*id, node.accounts.clone())).collect()
    }

    /// Whether a message is no news: it follows the last one too soon, or another peer brings an older one. A
    /// message from the node itself is new whatever its time says: its clock may have been set back.
    fn is_old(&self, now: Instant, peer: NodeId, body: &PresenceBody) -> bool {
        let gap = Duration::from_millis(limits::PRESENCE_MIN_INTERVAL_MS);
        self.nodes.get(&body.node).is_some_and(|known| {
            now.saturating_duration_since(known.at) < gap || body.at <= known.said && peer != body.node
        })
    }

    /// Notes when the claim of a row became known here; `before` is the claim of the row that it replaces.
    pub(crate) fn note_claim(&mut self, now: Instant, row: &ItemView, before: Option<&Claim>) {
        if self.started_at.is_none() {
            return;
        }
        match &row.claim {
            None => drop(self.claims.remove(&row.id)),
            Some(claim) if before != Some(claim) => {
                self.claims.insert(row.id, (claim.generation, now));
            }
            Some(_) => {}
        }
    }

    /// Forgets the claim on an item that was rolled back.
    pub(crate) fn forget_claim(&mut self, item: &ItemId) {
        self.claims.remove(item);
    }
}

/// What a heartbeat is made from besides claims.
struct BeatContext {
    project: ProjectId,
    me: NodeId,
    now: Millis,
    clock: Instant,
    random: u64,
    every: Duration,
}

impl Project {
    /// Sends a heartbeat when one is due.
    pub(crate) fn send_heartbeat(&mut self, clock: Instant) {
        if self.replication.net.is_none() || !self.presence.is_due(clock) {
            return;
        }
        let every = Duration::from_millis(limits::PRESENCE_INTERVAL_MS);
        let context = BeatContext {
            project: self.id,
            me: self.author.node,
            now: self.now(),
            clock,
            random: self.env.random_u64(),
            every: every.min(self.settings.values.claim_ttl.0 / BEATS),
        };
        let claims = self.query().own_claims();
        let presence = proto::Presence::sign(self.presence.beat(&context, claims), &self.author.key);
        self.replication.send(NetOutput::Presence {
            project: self.id,
            bytes: presence.bytes().to_vec(),
        });
    }

    /// Stores the chat accounts under which this node accepts commands, and announces them at once.
    pub(crate) fn announce(&mut self, accounts: Vec<String>) {
        let now = self.env.instant();
        if self.presence.set_accounts(now, accounts) {
            self.send_heartbeat(now);
        }
    }

    /// Handles a presence message and decides whether it is forwarded.
    pub(crate) fn handle_presence(&mut self, peer: NodeId, token: GossipToken, bytes: &[u8]) {
        let verdict = self.validate_presence(peer, bytes);
        self.replication.send(NetOutput::Verdict { token, peer, verdict });
    }

    fn validate_presence(&mut self, peer: NodeId, bytes: &[u8]) -> GossipVerdict {
        let presence = match proto::Presence::decode(bytes) {
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
        if body.node == self.author.node || self.members.member(&body.node).is_none() {
            return GossipVerdict::Ignore;
        }
        let now = self.env.instant();
        if self.presence.is_old(now, peer, body) {
            return GossipVerdict::Ignore;
        }
        if presence.verify().is_err() {
            tracing::warn!(peer = %peer.short(), "refused a presence message with an invalid signature");
            return GossipVerdict::Reject;
        }
        self.presence.record(now, body);
        if peer != body.node {
            self.replication.send(NetOutput::SignOfLife { node: body.node });
        }
        GossipVerdict::Accept
    }
}

impl QueryContext<'_> {
    /// The claims that this node holds.
    fn own_claims(&self) -> Vec<Renewal> {
        let claimed = self.index.shown().filter(|row| row.claimed);
        let mine = claimed.filter_map(|row| {
            let claim = row.view()?.claim.filter(|claim| claim.node == self.me)?;
            let generation = claim.generation;
            Some(Renewal {
                item: row.id,
                generation,
            })
        });
        mine.collect()
    }

    /// When the node of a claim was last seen, by this node's clock. `None` without a running node.
    pub(super) fn claim_heard(&self, claim: &Claim) -> Option<Millis> {
        self.presence.started_at?;
        if claim.node == self.me {
            return Some(self.now);
        }
        let heard = self.presence.nodes.get(&claim.node)?;
        let ago = self.clock.saturating_duration_since(heard.at);
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        Some(Millis(self.now.0.saturating_sub(ago)))
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
        let Some(started_at) = self.presence.started_at else {
            return Some(format!(
                "{holder} holds the claim, and without a running node here it is unknown whether that node is gone; start one with `towline up`, or {forced}"
            ));
        };
        let now = self.clock;
        let heard = self.presence.nodes.get(&claim.node).map(|node| node.at);
        let known = self.presence.claims.get(item);
        let known = known.filter(|(generation, _)| *generation == claim.generation);
        let since = [Some(started_at), heard, known.map(|(_, at)| *at)];
        let gone = now.saturating_duration_since(since.into_iter().flatten().max().unwrap_or(started_at));
        let left = self.settings.claim_ttl.0.saturating_sub(gone);
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
