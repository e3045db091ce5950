//! What a question about a project may look at: shared references to the parts, and the time.
//!
//! Every query is a method of [`QueryContext`], in the file of its subject. It has no way to write: the parts
//! are borrowed, and which documents stay loaded ([`crate::store`]) is all that a query changes.

use std::sync::Arc;
use std::time::Instant;

use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::{FoldedItem, fold};
use towline_crdt::members::Membership;
use towline_proto::{ItemId, Millis, NodeId, ProjectId, Role};
use towline_store::home::Settings;

use crate::author::Author;
use crate::errors::{StorageError, WriteError};
use crate::index::Index;
use crate::presence::Presence;
use crate::replication::Replication;
use crate::store::Store;

/// A project as queries see it.
#[derive(Clone, Copy)]
pub(crate) struct QueryContext<'a> {
    /// Which project.
    pub(crate) id: ProjectId,
    /// This node.
    pub(crate) me: NodeId,
    /// Log, documents and events.
    pub(crate) store: &'a Store,
    /// The rows.
    pub(crate) index: &'a Index,
    /// The members.
    pub(crate) members: &'a Membership,
    /// The settings in effect.
    pub(crate) settings: &'a Settings,
    /// This node's own log.
    pub(crate) author: &'a Author,
    /// Peers and orphans.
    pub(crate) replication: &'a Replication,
    /// Which node was seen when.
    pub(crate) presence: &'a Presence,
    /// Problems found on opening.
    pub(crate) findings: &'a [String],
    /// The time.
    pub(crate) now: Millis,
    /// The monotonic clock.
    pub(crate) clock: Instant,
}

impl<'a> QueryContext<'a> {
    /// An item's document.
    pub(crate) fn doc(&self, id: &ItemId) -> Result<Arc<ItemDoc>, StorageError> {
        self.store.doc(id)
    }

    /// Folds a document with this project's members.
    pub(crate) fn folded<'d>(&self, doc: &'d ItemDoc) -> Result<FoldedItem<'d>, StorageError>
    where
        'a: 'd,
    {
        fold(doc.id(), doc.acts(), self.members).ok_or(StorageError::NoCreation(doc.id()))
    }

    /// What a node is called.
    pub(crate) fn node_name(&self, node: &NodeId) -> String {
        let member = self.members.member(node);
        member.map_or_else(|| node.short(), |member| member.name.clone())
    }

    /// This node's role.
    pub(crate) fn role(&self) -> Role {
        let me = self.members.member(&self.me);
        me.map_or(Role::Reader, |member| member.role)
    }

    /// Checks that this node may write.
    pub(crate) fn may_write(&self) -> Result<(), WriteError> {
        let role = self.role();
        if !role.may_write() {
            let project = self.members.name().to_owned();
            return Err(WriteError::MayNotWrite { role, project });
        }
        if let Some(damage) = self.store.log.damage() {
            return Err(WriteError::Storage(StorageError::Damaged {
                not_done: "written",
                damage: damage.to_owned(),
            }));
        }
        if self.author.lacks_own_entry(&self.replication.core) {
            return Err(WriteError::Storage(StorageError::LacksOwnEntry));
        }
        Ok(())
    }
}
