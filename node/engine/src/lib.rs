//! One project on this node: its log, everything derived from it, and its part in replication.
//!
//! A [`Project`] is blocking and belongs to one thread. It takes requests and network inputs, applies their
//! changes in memory, makes all of them durable with one sync ([`pending_batch`]), and only then replies and
//! publishes. The rules of the domain are in `towline-crdt` and the rules of replication in `towline-sync`;
//! this module performs what they decide.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actor;
mod author;
mod batch_admission;
mod clock_skew;
mod command;
mod conflicts;
mod dependency_path;
mod doctor;
mod edit_base;
mod errors;
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
mod query;
mod read;
mod refold_on_role_change;
mod repair;
mod replication;
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
mod undo;
mod write;

use towline_crdt::members::Membership;
use towline_proto::{Entry, Millis, NodeId, ProjectId};

pub use actor::{ProjectThread, start};
pub use open::ProjectOptions;
pub use repair::RepairReport;

use snapshot::{SnapshotSource, SnapshotState};
use towline_store::env::Environment;

/// One project on this node: its parts. What takes several of them at once is done here and in the modules of
/// `impl Project`; everything else is a method of a part, or of [`query::QueryContext`].
pub struct Project {
    id: ProjectId,
    /// Clock and randomness.
    env: Box<dyn Environment>,
    /// The first entry.
    genesis: Entry,
    members: Membership,
    /// This node as an author.
    author: author::Author,
    /// Log, cache, documents and feed.
    store: store::Store,
    /// What waits for the next append.
    batch: pending_batch::PendingBatch,
    /// The rows.
    index: index::Index,
    /// The replication core and the network.
    replication: replication::Replication,
    /// Which nodes were last seen when, and when this node sends its next heartbeat.
    presence: presence::Presence,
    settings: settings::SettingsInEffect,
    /// What the project does without a request while a node runs it.
    maintenance: maintenance::Maintenance,
    snapshot: SnapshotState,
    /// Problems found on opening that a person should know about.
    findings: Vec<String>,
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project")
            .field("id", &self.id)
            .field("dir", &self.store.dir())
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
        self.store.feed.head()
    }

    /// What a query may look at, as of now.
    pub(crate) fn query(&self) -> query::QueryContext<'_> {
        query::QueryContext {
            id: self.id,
            me: self.author.node,
            store: &self.store,
            index: &self.index,
            members: &self.members,
            settings: &self.settings.values,
            author: &self.author,
            replication: &self.replication,
            presence: &self.presence,
            findings: &self.findings,
            now: self.env.now(),
            clock: self.env.instant(),
        }
    }

    fn now(&self) -> Millis {
        self.env.now()
    }

    /// Notes the nodes that the inviter named.
    pub(crate) fn introduce(&mut self, nodes: Vec<NodeId>) {
        self.replication.introduce(nodes);
    }

    /// Tells the network which nodes may connect.
    pub(crate) fn publish_members(&self) {
        self.replication.publish_members(&self.members, self.now());
    }

    /// Tells the network which nodes may connect, if it does not know that yet.
    pub(crate) fn publish_changed_members(&mut self) {
        self.replication
            .publish_changed_members(&self.members, self.env.now());
    }

    /// Writes to the cache if much state is unsaved.
    pub(crate) fn save_if_full(&mut self) {
        self.store.save_if_full(&self.index);
    }

    /// Writes derived state, and continues the snapshot of cards if nothing has changed for a while.
    pub(crate) fn save_on_tick(&mut self) {
        self.store.save_or_warn(&self.index);
        self.write_snapshot(SnapshotState::tick);
    }

    fn write_snapshot(&mut self, write: fn(&mut SnapshotState, &SnapshotSource<'_>)) {
        let source = SnapshotSource {
            mark: self.store.mark(),
            may_write: self.query().role().may_write(),
            index: &self.index,
        };
        write(&mut self.snapshot, &source);
    }

    /// Writes derived state and closes the store. The network learns that the project is closed.
    pub fn close(mut self) {
        self.replication.publish_closed();
        self.store.save_or_warn(&self.index);
        self.store.log.release_preallocated();
        self.write_snapshot(SnapshotState::close);
        self.store.flush();
    }
}
