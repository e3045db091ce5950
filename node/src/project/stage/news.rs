//! What an entry changes for people: its documents' rows, and the events that tell the difference.
//!
//! An item's own events come from the fold. A circle of dependencies takes more than one item to see, so
//! what the index noted is told when all documents of an entry are in: the same log gives the same events
//! at the same positions, however it is read. An item is told settled when neither contests nor circles
//! of it are left. Relies on `towline_crdt` for what an event is; nobody outside hears of anything here
//! before the log is synced.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_crdt::doc::ItemDoc;
use towline_crdt::projection_update::{ProjectionUpdate, update_projection};
use towline_proto::{ActId, Event, EventKind, ItemId, Millis};

use crate::api::request::{Failure, FailureCode};
use crate::api::types::FeedEvent;
use crate::project::Project;
use crate::project::present::clamp;

/// How an entry came.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Long after it was made, so that it is no news.
    backfill: bool,
    /// When this node saw it first.
    at: Millis,
}

impl Project {
    /// Enters the documents of one entry: their rows, and the events that tell the difference, which this
    /// node saw first at `seen_at`.
    pub(crate) fn stage_docs(
        &mut self,
        docs: impl IntoIterator<Item = impl Into<Arc<ItemDoc>>>,
        backfill: bool,
        seen_at: Millis,
    ) -> Result<(), Failure> {
        let seen = Seen {
            backfill,
            at: seen_at,
        };
        let mut settled = Vec::new();
        let mut docs = docs.into_iter();
        let staged = docs.try_for_each(|doc| self.stage_doc(doc.into(), seen, &mut settled));
        self.tell_circles(seen, settled);
        staged
    }

    /// Enters documents with the acts of several entries, none of which is entered yet.
    pub(in crate::project) fn stage_ahead(
        &mut self,
        docs: impl IntoIterator<Item = (ItemDoc, BTreeSet<ActId>)>,
    ) {
        for (doc, coming) in docs {
            let id = doc.id();
            self.keep_before(&id);
            self.stage.coming.insert(id, coming);
            self.docs.put(Arc::new(doc));
        }
    }

    /// Enters one of those entries: rows and events, and which acts it brought.
    pub(in crate::project) fn stage_commits(
        &mut self,
        commits: Vec<(ProjectionUpdate, BTreeSet<ActId>)>,
        backfill: bool,
        seen_at: Millis,
    ) {
        let seen = Seen {
            backfill,
            at: seen_at,
        };
        for (commit, came) in &commits {
            if let Some(coming) = self.stage.coming.get_mut(&commit.view.id) {
                coming.retain(|act| !came.contains(act));
            }
        }
        self.stage.coming.retain(|_, coming| !coming.is_empty());
        let mut settled = Vec::new();
        for (commit, _) in commits {
            self.stage_row(commit, seen, &mut settled);
        }
        self.tell_circles(seen, settled);
    }

    /// Keeps what an item is before the stage, once.
    fn keep_before(&mut self, id: &ItemId) {
        let before = self.index.get(id);
        self.stage.rows_before.entry(*id).or_insert(before);
        let unstored = self.docs.unstored(id);
        self.stage.keep_doc(*id, unstored);
    }

    /// Enters one document. What is said to be settled is handed out: there may be circles left.
    fn stage_doc(&mut self, doc: Arc<ItemDoc>, seen: Seen, settled: &mut Vec<Event>) -> Result<(), Failure> {
        let id = doc.id();
        if id == self.settings_id() {
            self.stage_settings(doc);
            return Ok(());
        }
        let known = self.stored_doc(&id)?;
        let before = self.index.get(&id);
        let shown = before.as_ref().zip(known.as_ref().map(|doc| doc.acts()));
        let Some(outcome) = update_projection(self.id, shown, &doc, &self.members) else {
            return Err(Failure::new(
                FailureCode::Failure,
                format!("item {} has no create act", id.short()),
            ));
        };
        self.stage_row(outcome, seen, settled);
        self.docs.put(doc);
        Ok(())
    }

    /// Enters one row and its events but for what is said to be settled.
    fn stage_row(&mut self, outcome: ProjectionUpdate, seen: Seen, settled: &mut Vec<Event>) {
        let id = outcome.view.id;
        self.keep_before(&id);
        self.stage.feed_before.get_or_insert(self.feed_head);
        self.note_claim(&outcome.view);
        if outcome.view.imported.is_some() && self.index.row(&id).is_none() {
            self.upkeep.arrived(id, self.world.instant());
        }
        self.index.put(outcome.view);
        self.upkeep.changed(id);
        for event in outcome.events {
            match event.what {
                EventKind::ConflictsSettled => settled.push(event),
                _ => self.enter(event, seen),
            }
        }
    }

    /// Tells of circles that came or went, and of items that nothing contends about any more.
    fn tell_circles(&mut self, seen: Seen, mut settled: Vec<Event>) {
        for turn in self.index.take_turns().into_values() {
            match self.circle_news(&turn) {
                Ok(news) if turn.is_suspended => news.into_iter().for_each(|event| self.enter(event, seen)),
                Ok(news) => settled.extend(news),
                Err(failure) => {
                    tracing::error!(%failure, "a dependency cycle is listed, but its event was not emitted");
                }
            }
        }
        let mut told = BTreeSet::new();
        for event in settled {
            let contested = self
                .index
                .get(&event.item)
                .is_none_or(|row| !row.conflicts.is_empty());
            if !contested && !told.contains(&event.item) && !self.index.is_in_circle(&event.item) {
                told.insert(event.item);
                self.enter(event, seen);
            }
        }
    }

    fn enter(&mut self, mut event: Event, seen: Seen) {
        self.feed_head = self.feed_head.saturating_add(1);
        let skewed = clamp(&mut event.at, seen.at);
        self.stage.events.push(FeedEvent {
            position: self.feed_head,
            skewed,
            seen_at: seen.at,
            backfill: seen.backfill,
            event,
        });
    }
}
