//! Entering documents, rows and events into what waits for the next append, with what it takes to undo
//! it. Nobody outside sees any of it before the log is synced.

use std::sync::Arc;

use towline_crdt::commit::{Commit, commit};
use towline_crdt::doc::ItemDoc;
use towline_proto::Millis;

use crate::dto::FeedEvent;
use crate::project::Project;
use crate::project::present::clamp;
use crate::request::{Failure, FailureCode};

impl Project {
    /// Enters a document: its row, and the events that tell the difference, which this node saw first
    /// at `seen_at`.
    pub(crate) fn stage_doc(
        &mut self,
        doc: impl Into<Arc<ItemDoc>>,
        backfill: bool,
        seen_at: Millis,
    ) -> Result<(), Failure> {
        let doc = doc.into();
        let id = doc.id();
        let before = self.index.get(&id);
        let Some(outcome) = commit(self.id, before, &doc, &self.members) else {
            return Err(Failure::new(
                FailureCode::Failure,
                format!("item {} has no creation", id.short()),
            ));
        };
        self.stage_row(outcome, backfill, seen_at);
        self.docs.put(doc);
        Ok(())
    }

    /// Enters a row and its events; the document that it is of is entered behind it.
    pub(in crate::project) fn stage_row(&mut self, outcome: Commit, backfill: bool, seen_at: Millis) {
        let id = outcome.view.id;
        let before = self.index.get(&id).cloned();
        self.stage.rows_before.entry(id).or_insert(before);
        let unstored = self.docs.unstored(&id);
        self.stage.docs_before.entry(id).or_insert(unstored);
        self.stage.feed_before.get_or_insert(self.feed_head);
        self.note_claim(&outcome.view);
        self.index.put(outcome.view);
        self.upkeep.changed(id);
        for mut event in outcome.events {
            self.feed_head = self.feed_head.saturating_add(1);
            let skewed = clamp(&mut event.at, seen_at);
            self.stage.events.push(FeedEvent {
                position: self.feed_head,
                skewed,
                seen_at,
                backfill,
                event,
            });
        }
    }
}
