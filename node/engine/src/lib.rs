//! One project on this node: its log, everything derived from it, and its part in replication.
//!
//! A [`Project`] is blocking and belongs to one thread. It takes requests and network inputs, applies their
//! changes in memory, makes all of them durable with one sync ([`pending_batch`]), and only then replies and
//! publishes. The rules of the domain are in `towline-crdt` and the rules of replication in `towline-sync`;
//! this module performs what they decide.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actor;
mod batch_admission;
mod clock_skew;
mod conflicts;
mod dependency_path;
mod docs;
mod doctor;
mod explain;
mod export;
mod filter;
pub mod handle;
mod import;
pub mod in_home;
mod index;
mod ingest;
mod jsonl_import;
mod maintenance;
mod membership;
mod offline_entries;
mod open;
mod orphan_file;
mod pending_batch;
mod presence;
mod read;
mod refold_on_role_change;
mod repair;
mod request;
mod search;
mod settings;
pub mod snapshot;
mod store;
#[cfg(test)]
#[path = "../../store/src/cache/testing.rs"]
mod test_row;
#[cfg(test)]
mod tests;
mod timeline;
mod transition;
mod transition_errors;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;
use towline_crdt::doc::ItemDoc;
use towline_crdt::members::Membership;
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, ItemId, Millis, NodeId, ProjectId, RequestId, Tip};
use towline_sync::{Effect, Replica};

pub use actor::{ProjectThread, start};
pub use open::ProjectOptions;
pub use repair::RepairReport;

use towline_api::request::{Failure, FailureCode};
use towline_api::types::FeedEvent;
use towline_net::NetOutput;
use towline_store::cache::Cache;
use towline_store::env::Environment;
use towline_store::log::Log;

/// Events kept in memory for subscribers that are nearly up to date.
const RECENT: usize = 4_096;

/// This node's last entry in the current epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnTip {
    tip: Tip,
}

/// One project on this node.
pub struct Project {
    dir: PathBuf,
    id: ProjectId,
    me: NodeId,
    key: SigningKey,
    env: Box<dyn Environment>,

    log: Log,
    cache: Cache,
    members: Membership,
    genesis: Entry,
    replica: Replica,
    index: index::Index,
    docs: docs::Docs,
    snapshot_state: snapshot::SnapshotState,

    pending: pending_batch::PendingBatch,
    own: Option<OwnTip>,
    /// The id of the request that is being executed, if the caller gave one.
    request_id: Option<RequestId>,
    /// This node's last entry according to the head file, if the log did not contain it when it was opened.
    missing_own_tip: Option<Tip>,
    /// The position of the last entry that documents and rows reflect.
    applied: Option<u64>,
    /// The position of the last event.
    feed_head: u64,
    /// The last events, those that the cache does not hold yet among them.
    recent: VecDeque<FeedEvent>,
    /// The last event that the cache holds.
    feed_stored: u64,
    /// Whether the cache lags behind.
    dirty: bool,
    /// What the project does without a request while a node runs it.
    maintenance: maintenance::Maintenance,
    /// Which nodes were last seen when, and when this node sends its next heartbeat.
    presence: presence::PresenceState,
    members_changed: bool,
    /// The roles that the rows were folded with: [`Membership::roles_digest`] at that time.
    folded_ranks: u64,
    /// Problems found on opening that a person should know about.
    findings: Vec<String>,

    /// The file of orphans that were imported without a network.
    orphan_file: orphan_file::OrphanFile,
    /// Why the last batch of entries from peers could not be stored.
    store_failure: Option<Failure>,
    /// Effects of the replication core that are not performed yet.
    effects: VecDeque<Effect>,
    net: Option<mpsc::Sender<NetOutput>>,
    addresses: BTreeMap<NodeId, String>,
    /// Nodes that the inviter named. They count as members for the network until the log shows this node as a
    /// member.
    introduced: Vec<NodeId>,
    /// Nodes that proved their membership with an entry that this log does not have yet; the oldest are
    /// dropped first.
    vouched: VecDeque<NodeId>,
    /// The entry that admitted this node.
    admission: Option<EntryBytes>,
    /// Where this node can be reached, for tickets.
    my_addresses: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project")
            .field("id", &self.id)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Project {
    /// Which project.
    pub const fn id(&self) -> ProjectId {
        self.id
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        self.members.name()
    }

    /// The position of the last event of its feed.
    pub const fn feed_head(&self) -> u64 {
        self.feed_head
    }

    fn now(&self) -> Millis {
        self.env.now()
    }

    /// An item's document; it is loaded from the cache if necessary.
    fn doc(&mut self, id: &ItemId) -> Result<Arc<ItemDoc>, Failure> {
        if let Some(doc) = self.docs.get(id) {
            return Ok(doc);
        }
        let broken =
            |why: String| Failure::new(FailureCode::Failure, format!("{why}; run `towline rebuild`"));
        let saved = self.cache.doc(id).map_err(|error| broken(error.to_string()))?;
        if saved.is_none() && *id == self.settings_id() {
            return self.no_settings().map(Arc::new);
        }
        let saved = saved
            .ok_or_else(|| broken(format!("the document of item {} is not in the cache", id.short())))?;
        let doc = Arc::new(ItemDoc::load(*id, &saved).map_err(|error| broken(error.to_string()))?);
        self.docs.put_clean(doc.clone());
        Ok(doc)
    }

    /// An item's document, if the item exists.
    fn stored_doc(&mut self, id: &ItemId) -> Result<Option<Arc<ItemDoc>>, Failure> {
        if self.index.row(id).is_none() && *id != self.settings_id() {
            return Ok(None);
        }
        self.doc(id).map(Some)
    }

    fn body(&mut self, id: &ItemId) -> Result<String, Failure> {
        self.doc(id)?
            .body()
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))
    }

    /// Events after a feed position, oldest first.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<FeedEvent>, Failure> {
        let limit = limit.min(RECENT);
        let first_recent = self.recent.front().map_or(u64::MAX, |event| event.position);
        let mut events = Vec::new();
        if after.saturating_add(1) < first_recent {
            for event in self.cache.feed(after.saturating_add(1)) {
                let bytes = event.map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
                let event: FeedEvent = towline_proto::codec::decode(&bytes).map_err(|error| {
                    Failure::new(FailureCode::Failure, format!("the feed is damaged: {error}"))
                })?;
                if event.position >= first_recent || events.len() >= limit {
                    break;
                }
                events.push(event);
            }
        }
        let room = limit.saturating_sub(events.len());
        events.extend(
            self.recent
                .iter()
                .filter(|event| event.position > after)
                .take(room)
                .cloned(),
        );
        Ok(events)
    }
}
