//! What a question about a project may look at: shared references to the parts, and the time.
//!
//! Every query is a method of [`QueryContext`], in the file of its subject. It has no way to write: the parts
//! are borrowed, and which documents stay loaded ([`crate::store`]) is all that a query changes.

use std::sync::Arc;
use std::time::Instant;

use towline_api::request::{Failure, FailureCode};
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::{FoldedItem, fold};
use towline_crdt::members::Membership;
use towline_proto::{ItemId, Millis, NodeId, ProjectId, Role};
use towline_store::home::Settings;

use crate::author::Author;
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

/// The failure for a document without the act that creates the item, which the gate rules out.
pub(crate) fn without_creation(id: &ItemId) -> Failure {
    let message = format!("item {} has no create act", id.short());
    Failure::new(FailureCode::Failure, message)
}

impl<'a> QueryContext<'a> {
    /// An item's document.
    pub(crate) fn doc(&self, id: &ItemId) -> Result<Arc<ItemDoc>, Failure> {
        self.store.doc(id)
    }

    /// Folds a document with this project's members.
    pub(crate) fn folded<'d>(&self, doc: &'d ItemDoc) -> Result<FoldedItem<'d>, Failure>
    where
        'a: 'd,
    {
        fold(doc.id(), doc.acts(), self.members).ok_or_else(|| without_creation(&doc.id()))
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
    pub(crate) fn may_write(&self) -> Result<(), Failure> {
        if !self.role().may_write() {
            let (role, name) = (self.role(), self.members.name());
            let why = format!(
                "this node is a {role} of {name} and may not write; an owner can invite it as a writer"
            );
            return Err(Failure::new(FailureCode::NotAllowed, why));
        }
        if let Some(why) = self.store.log.damage() {
            let why = format!("nothing was written: {why}; stop the node and run `towline doctor --repair`");
            return Err(Failure::new(FailureCode::Failure, why));
        }
        if self.author.lacks_own_entry(&self.replication.core) {
            let why = "nothing was written: this node's log is missing its own last entry, so writing is disabled until a peer \
                       sends it back. If no peer has it, stop the node and run `towline doctor --repair`";
            return Err(Failure::new(FailureCode::Failure, why));
        }
        Ok(())
    }
}
