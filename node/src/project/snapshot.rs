//! The snapshot of cards beside a project's store: when it is written, and what it answers.
//!
//! It serves commands that would have to open the store, so it is written where a process leaves it: on
//! closing, when the log has moved on since the last one. For commands beside a running node, and against
//! one that is killed, it is also written while nothing happens, a few cards with each tick, and begun anew
//! when something does: a log that goes on growing makes any snapshot stale at once, so one written in
//! between would be wasted. Nothing here is ever between a change and its answer.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use towline_proto::{ItemId, Millis};

use super::Project;
use super::clock_skew::clamp_card;
use super::filter::{FilterFields, FilterText, shows_column};
use super::index::{Index, is_candidate_column, select_ready};
use crate::api::request::{Reply, Request};
use crate::api::types::ItemCard;
use crate::cache::{BLOCK_CARDS, Snapshot, SnapshotWriter, publish};
use crate::home::files::is_full;
use crate::log::LogMark;

/// The file, beside the log and the cache.
const FILE: &str = "rows.snap";
/// Ticks of a quarter of a second without a change after which a snapshot is begun.
const QUIET_TICKS: u32 = 20;
/// Cards that one tick adds: some 5 ms for whoever asks meanwhile.
const TICK_CARDS: usize = 2 * BLOCK_CARDS;

/// How far the snapshot is.
#[derive(Debug, Default)]
pub(crate) struct SnapshotState {
    /// The log as the file has it.
    saved: Option<LogMark>,
    /// The log as the last tick saw it.
    last_seen: Option<LogMark>,
    quiet_ticks: u32,
    builder: Option<SnapshotBuilder>,
}

/// A snapshot that is being written a few cards at a time.
#[derive(Debug)]
struct SnapshotBuilder {
    mark: LogMark,
    /// Items in the order in which they stand in the file, and how many are in it.
    order: Vec<ItemId>,
    done: usize,
    /// Whether this node may: one that may not is proposed nothing.
    may_write: bool,
    writer: SnapshotWriter,
}

impl SnapshotState {
    /// What is known of the snapshot in a project's folder.
    pub(crate) fn of(dir: &Path) -> Self {
        let saved = Snapshot::open(&dir.join(FILE)).map(|snapshot| *snapshot.mark());
        Self {
            saved,
            ..Self::default()
        }
    }
}

impl Project {
    /// The log as it is, when rows reflect all of it.
    fn mark(&self) -> Option<LogMark> {
        self.log.mark(self.applied?)
    }

    /// Forgets the snapshot: it was made from rows that are made again now, and may be as wrong as they.
    pub(crate) fn discard_snapshot(&mut self) {
        self.snapshot_state = SnapshotState::default();
        match std::fs::remove_file(self.snapshot_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the old snapshot of cards stays until the next one is written");
            }
            _ => {}
        }
    }

    fn snapshot_file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Works on the snapshot when it is old and nothing has happened for a while.
    pub(crate) fn snapshot_on_tick(&mut self) {
        let Some(mark) = self.mark() else { return };
        if self.snapshot_state.last_seen != Some(mark) {
            self.snapshot_state.last_seen = Some(mark);
            self.snapshot_state.quiet_ticks = 0;
            self.snapshot_state.builder = None;
            return;
        }
        self.snapshot_state.quiet_ticks = self.snapshot_state.quiet_ticks.saturating_add(1);
        if self.snapshot_state.saved == Some(mark) || self.snapshot_state.quiet_ticks < QUIET_TICKS {
            return;
        }
        let builder = self.snapshot_state.builder.take();
        let mut builder =
            builder.unwrap_or_else(|| SnapshotBuilder::begin(mark, &self.index, self.role().may_write()));
        let outcome = builder.add(&self.index, TICK_CARDS);
        if outcome.is_ok() && builder.done < builder.order.len() {
            self.snapshot_state.builder = Some(builder);
        } else {
            self.finish_snapshot(
                mark,
                outcome.and_then(|()| builder.publish(&self.snapshot_file())),
            );
        }
    }

    /// Writes the snapshot when it is old.
    pub(crate) fn snapshot_on_close(&mut self) {
        let Some(mark) = self.mark() else { return };
        if self.snapshot_state.saved == Some(mark) {
            return;
        }
        let begun = self
            .snapshot_state
            .builder
            .take()
            .filter(|builder| builder.mark == mark);
        let mut builder =
            begun.unwrap_or_else(|| SnapshotBuilder::begin(mark, &self.index, self.role().may_write()));
        let outcome = builder.add(&self.index, usize::MAX);
        self.finish_snapshot(
            mark,
            outcome.and_then(|()| builder.publish(&self.snapshot_file())),
        );
    }

    /// A snapshot that could not be written is not tried again before something changes: the next
    /// command takes the longer way.
    fn finish_snapshot(&mut self, mark: LogMark, outcome: std::io::Result<()>) {
        match outcome {
            // On a full disk the room is left to the log, and whoever writes is told of that.
            Err(error) if is_full(&error) => tracing::debug!("no room for a snapshot of cards"),
            Err(error) => {
                tracing::warn!(%error, "the snapshot of cards was not written; a list without a node will take longer");
            }
            Ok(()) => {}
        }
        self.snapshot_state.saved = Some(mark);
    }
}

impl SnapshotBuilder {
    fn begin(mark: LogMark, index: &Index, may_write: bool) -> Self {
        let mut order: Vec<_> = index
            .shown()
            .map(|row| (row.deleted, Index::board_order(row)))
            .collect();
        order.sort_unstable();
        Self {
            mark,
            order: order.into_iter().map(|(_, (.., id))| id).collect(),
            done: 0,
            may_write,
            writer: SnapshotWriter::default(),
        }
    }

    fn add(&mut self, index: &Index, cards: usize) -> std::io::Result<()> {
        let end = self.done.saturating_add(cards).min(self.order.len());
        for ids in self
            .order
            .get(self.done..end)
            .unwrap_or_default()
            .chunks(BLOCK_CARDS)
        {
            for mut card in index.cards(ids.iter().filter_map(|id| index.row(id))) {
                if !self.may_write {
                    card.legal.clear();
                }
                self.writer.push(card)?;
            }
        }
        self.done = end;
        Ok(())
    }

    fn publish(self, path: &Path) -> std::io::Result<()> {
        publish(path, &self.writer.finish(&self.mark)?)
    }
}

/// Whether a request can be answered from cards alone.
pub(crate) fn needs_cards_only(request: &Request) -> bool {
    match request {
        // The handle of an epic may be a prefix of its key, which takes the keys of all items.
        Request::List(filter) => filter.epic.is_none(),
        Request::Ready { .. } => true,
        _ => false,
    }
}

/// Answers a request from the snapshot in a project's folder; none when it is not there, not whole, or
/// older than the log, or when the request needs more.
///
/// It takes no lock: a snapshot is replaced as a whole, and when the log is found to be as it was after
/// the file was opened, the answer was true at that moment, whoever writes next.
pub(crate) fn answer(dir: &Path, request: &Request, now: Millis) -> Option<Reply> {
    if !needs_cards_only(request) {
        return None;
    }
    let snapshot = Snapshot::open(&dir.join(FILE))?;
    if !snapshot.mark().is_current(&dir.join("log")) {
        return None;
    }
    let cards = select_cards(&snapshot, request);
    if cards.is_none() {
        // Whoever closes the store looks at the header alone, and would keep the file for what it says.
        let _ = std::fs::remove_file(dir.join(FILE));
    }
    let mut cards = cards?;
    cards.iter_mut().for_each(|card| clamp_card(now, card));
    Some(Reply::Cards(cards))
}

/// The cards that a request asks for; none when they cannot be read.
fn select_cards(snapshot: &Snapshot, request: &Request) -> Option<Vec<ItemCard>> {
    let mut cards = Vec::new();
    if let Request::List(filter) = request {
        let most = if filter.limit == 0 {
            usize::MAX
        } else {
            filter.limit
        };
        let wanted = |deleted: bool, column| shows_column(filter, deleted, column);
        snapshot.cards(wanted, |card| {
            if FilterFields::from(&card).pass(filter) && FilterText::from(&card).pass(filter) {
                cards.push(card);
            }
            if cards.len() < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
    } else if let Request::Ready { asker, all } = request {
        let wanted = |deleted: bool, column| !deleted && is_candidate_column(column, *all);
        snapshot.cards(wanted, |card| {
            cards.push(card);
            ControlFlow::Continue(())
        })?;
        cards = select_ready(cards, asker.as_deref(), *all);
    }
    Some(cards)
}
