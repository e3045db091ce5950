//! The card snapshot beside a project's store: when it is written, and which requests it answers.
//!
//! It serves commands that would otherwise have to open the store. So it is written when a process closes the
//! store and the log has moved on since the last snapshot. For commands beside a running node, and in case
//! that node is killed, it is also written while the project is idle, a few cards per tick. It starts over
//! when something changes: a growing log makes any snapshot stale, so one written in between would be wasted.
//! A change never waits for it.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use towline_api::request::{Reply, Request};
use towline_api::types::ItemCard;
use towline_proto::{ItemId, Millis};
use towline_store::cache::{BLOCK_CARDS, Snapshot, SnapshotWriter, publish};
use towline_store::home::files::is_full;
use towline_store::log::LogMark;

use super::Project;
use super::clock_skew::clamp_card;
use super::filter::{FilterFields, FilterText, shows_column};
use super::index::{Index, is_candidate_column, select_ready};

/// The file, beside the log and the cache.
const FILE: &str = "rows.snap";
/// Ticks of a quarter of a second without a change before a snapshot is started.
const QUIET_TICKS: u32 = 20;
/// Cards that one tick adds: they delay other jobs by about 5 ms.
const TICK_CARDS: usize = 2 * BLOCK_CARDS;

/// The state of the snapshot.
#[derive(Debug, Default)]
pub(crate) struct SnapshotState {
    /// The state of the log that the file reflects.
    saved: Option<LogMark>,
    /// The state of the log at the last tick.
    last_seen: Option<LogMark>,
    quiet_ticks: u32,
    builder: Option<SnapshotBuilder>,
}

/// A snapshot that is built a few cards at a time.
#[derive(Debug)]
struct SnapshotBuilder {
    mark: LogMark,
    /// The items in the order of the file.
    order: Vec<ItemId>,
    done: usize,
    /// Whether this node may write; otherwise cards list no verbs.
    may_write: bool,
    writer: SnapshotWriter,
}

impl SnapshotState {
    /// Reads the header of the snapshot in a project's folder.
    pub(crate) fn of(dir: &Path) -> Self {
        let saved = Snapshot::open(&dir.join(FILE)).map(|snapshot| *snapshot.mark());
        Self {
            saved,
            ..Self::default()
        }
    }
}

impl Project {
    /// The mark of the log, if rows reflect all of it.
    fn mark(&self) -> Option<LogMark> {
        self.log.mark(self.applied?)
    }

    /// Deletes the snapshot before a rebuild: it may contain the same errors as the rows.
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

    /// Continues the snapshot if it is stale and the project has been idle for a while.
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

    /// Writes the snapshot if it is stale.
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

    /// A snapshot that could not be written is not retried before something changes; the next command opens
    /// the store instead.
    fn finish_snapshot(&mut self, mark: LogMark, outcome: std::io::Result<()>) {
        match outcome {
            // On a full disk the space is left to the log, whose writers get the error.
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

/// Whether cards are enough to answer a request.
pub fn needs_cards_only(request: &Request) -> bool {
    match request {
        // The handle of an epic may be a key prefix, which needs the keys of all items.
        Request::List(filter) => filter.epic.is_none(),
        Request::Ready { .. } => true,
        _ => false,
    }
}

/// Answers a request from the snapshot in a project's folder; `None` if the snapshot is missing, damaged or
/// older than the log, or if the request needs more than cards.
///
/// It takes no lock: a snapshot is replaced atomically, and if the log is unchanged after the file was
/// opened, the answer was correct at that moment, whoever writes next.
pub fn answer(dir: &Path, request: &Request, now: Millis) -> Option<Reply> {
    if !needs_cards_only(request) {
        return None;
    }
    let snapshot = Snapshot::open(&dir.join(FILE))?;
    if !snapshot.mark().is_current(&dir.join("log")) {
        return None;
    }
    let cards = select_cards(&snapshot, request);
    if cards.is_none() {
        // Closing the store reads only the header and would keep the damaged file.
        let _ = std::fs::remove_file(dir.join(FILE));
    }
    let mut cards = cards?;
    cards.iter_mut().for_each(|card| clamp_card(now, card));
    Some(Reply::Cards(cards))
}

/// The cards that a request asks for; `None` if they cannot be read.
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
