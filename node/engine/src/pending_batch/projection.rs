//! Projects documents to rows, and emits the events for what changed.
//!
//! The events of a single item come from the fold. A cycle of dependencies involves several items, so its
//! events are emitted when all documents of an entry are applied: the same log gives the same events at the
//! same positions, however it is read. `ConflictsSettled` is emitted for an item when it has neither
//! conflicts nor suspended dependencies left. `towline_crdt` defines the events; nothing is published from
//! here before the log is synced.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_api::request::Failure;
use towline_api::types::FeedEvent;
use towline_crdt::doc::ItemDoc;
use towline_crdt::projection_update::{ProjectionUpdate, update_projection};
use towline_crdt::view::ItemView;
use towline_proto::{ActId, Event, EventKind, Millis};

use crate::Project;
use crate::clock_skew::clamp_time;
use crate::query::without_creation;

/// How an entry arrived.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// Whether it arrived long after it was made, so that subscribers do not notify people.
    backfill: bool,
    /// When this node first saw it.
    at: Millis,
}

impl Project {
    /// Applies the documents of one entry: stores their rows and emits the events for the difference. This
    /// node first saw the entry at `seen_at`.
    pub(crate) fn apply_docs(
        &mut self,
        docs: impl IntoIterator<Item = impl Into<Arc<ItemDoc>>>,
        backfill: bool,
        seen_at: Millis,
    ) -> Result<(), Failure> {
        let arrival = Arrival {
            backfill,
            at: seen_at,
        };
        let mut resolved = Vec::new();
        let mut docs = docs.into_iter();
        let staged = docs.try_for_each(|doc| self.apply_doc(doc.into(), arrival, &mut resolved));
        self.emit_cycle_events(arrival, resolved);
        staged
    }

    /// Stores documents that contain the acts of several entries, none of which is applied yet.
    pub(crate) fn apply_docs_ahead(&mut self, docs: impl IntoIterator<Item = (ItemDoc, BTreeSet<ActId>)>) {
        for (doc, later_acts) in docs {
            let id = doc.id();
            self.batch.save_item(&self.store, &self.index, id);
            self.batch.later_acts.insert(id, later_acts);
            self.store.put_doc(Arc::new(doc));
        }
    }

    /// Applies one of those entries: its rows, its events, and the acts that it contains.
    pub(crate) fn apply_updates(
        &mut self,
        commits: Vec<(ProjectionUpdate, BTreeSet<ActId>)>,
        backfill: bool,
        seen_at: Millis,
    ) {
        let arrival = Arrival {
            backfill,
            at: seen_at,
        };
        for (commit, came) in &commits {
            if let Some(later_acts) = self.batch.later_acts.get_mut(&commit.view.id) {
                later_acts.retain(|act| !came.contains(act));
            }
        }
        self.batch
            .later_acts
            .retain(|_, later_acts| !later_acts.is_empty());
        let mut resolved = Vec::new();
        for (commit, _) in commits {
            let before = self.index.get(&commit.view.id);
            self.apply_row(before.as_ref(), commit, arrival, &mut resolved);
        }
        self.emit_cycle_events(arrival, resolved);
    }

    /// Applies one document. `ConflictsSettled` events are collected in `resolved`, because the item may
    /// still be in a cycle.
    fn apply_doc(
        &mut self,
        doc: Arc<ItemDoc>,
        arrival: Arrival,
        resolved: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let id = doc.id();
        if id == self.store.settings_id() {
            self.apply_settings(doc);
            return Ok(());
        }
        let known = self.store.existing_doc(&self.index, &id)?;
        let before = self.index.get(&id);
        let shown = before.as_ref().zip(known.as_ref().map(|doc| doc.acts()));
        let Some(outcome) = update_projection(self.id, shown, &doc, &self.members) else {
            return Err(without_creation(&id));
        };
        self.apply_row(before.as_ref(), outcome, arrival, resolved);
        self.store.put_doc(doc);
        Ok(())
    }

    /// Applies one row in the place of `before` and emits its events, except `ConflictsSettled`, which are
    /// collected in `resolved`.
    fn apply_row(
        &mut self,
        before: Option<&ItemView>,
        outcome: ProjectionUpdate,
        arrival: Arrival,
        resolved: &mut Vec<Event>,
    ) {
        let id = outcome.view.id;
        self.batch.save_item(&self.store, &self.index, id);
        self.batch.feed_before.get_or_insert(self.store.feed.head());
        let claim = before.and_then(|before| before.claim.as_ref());
        let clock = self.env.instant();
        self.presence.note_claim(clock, &outcome.view, claim);
        if outcome.view.imported.is_some() && before.is_none() {
            self.maintenance.note_import(id, clock);
        }
        self.index.replace(before, outcome.view);
        self.maintenance.note_change(&self.settings.values, id);
        for event in outcome.events {
            match event.what {
                EventKind::ConflictsResolved => resolved.push(event),
                _ => self.push_event(event, arrival),
            }
        }
    }

    /// Emits the events of cycles that appeared or ended, and `ConflictsSettled` for items without any
    /// conflict left.
    fn emit_cycle_events(&mut self, arrival: Arrival, mut resolved: Vec<Event>) {
        for change in self.index.take_cycle_changes().into_values() {
            match self.query().cycle_events(&self.batch, &change) {
                Ok(events) if change.is_suspended => events
                    .into_iter()
                    .for_each(|event| self.push_event(event, arrival)),
                Ok(events) => resolved.extend(events),
                Err(failure) => {
                    tracing::error!(%failure, "a dependency cycle is listed, but its event was not emitted");
                }
            }
        }
        let mut emitted = BTreeSet::new();
        for event in resolved {
            let contested = self.index.row(&event.item).is_none_or(|row| row.disputed);
            if !contested && !emitted.contains(&event.item) && !self.index.is_in_cycle(&event.item) {
                emitted.insert(event.item);
                self.push_event(event, arrival);
            }
        }
    }

    fn push_event(&mut self, mut event: Event, arrival: Arrival) {
        let skewed = clamp_time(&mut event.at, arrival.at);
        self.batch.events.push(FeedEvent {
            position: self.store.feed.advance(),
            skewed,
            seen_at: arrival.at,
            backfill: arrival.backfill,
            event,
        });
    }
}
