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

use towline_api::request::{Query, Reply, Request};
use towline_api::types::ItemCard;
use towline_proto::{ItemId, Millis};
use towline_store::cache::{BLOCK_CARDS, Snapshot, SnapshotWriter, publish};
use towline_store::home::files::is_full;
use towline_store::log::LogMark;

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
#[derive(Debug)]
pub(crate) struct SnapshotState {
    file: PathBuf,
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

/// The state from which a snapshot is made.
pub(crate) struct SnapshotSource<'a> {
    /// The mark of the log, if rows reflect all of it.
    pub(crate) mark: Option<LogMark>,
    /// The rows.
    pub(crate) index: &'a Index,
    /// Whether this node may write; otherwise cards list no verbs.
    pub(crate) may_write: bool,
}

impl SnapshotState {
    /// Reads the header of the snapshot in a project's folder.
    pub(crate) fn of(dir: &Path) -> Self {
        let file = dir.join(FILE);
        Self {
            saved: Snapshot::open(&file).map(|snapshot| *snapshot.mark()),
            file,
            last_seen: None,
            quiet_ticks: 0,
            builder: None,
        }
    }

    /// Deletes the snapshot before a rebuild: it may contain the same errors as the rows.
    pub(crate) fn discard(&mut self) {
        self.forget();
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the old snapshot of cards stays until the next one is written");
            }
            _ => {}
        }
    }

    /// Forgets which snapshot there is.
    fn forget(&mut self) {
        (self.saved, self.last_seen, self.quiet_ticks, self.builder) = (None, None, 0, None);
    }

    /// Continues the snapshot if it is stale and the project has been idle for a while.
    pub(crate) fn tick(&mut self, source: &SnapshotSource<'_>) {
        let Some(mark) = source.mark else { return };
        if self.last_seen != Some(mark) {
            (self.last_seen, self.quiet_ticks, self.builder) = (Some(mark), 0, None);
            return;
        }
        self.quiet_ticks = self.quiet_ticks.saturating_add(1);
        if self.saved != Some(mark) && self.quiet_ticks >= QUIET_TICKS {
            self.build(mark, source, TICK_CARDS);
        }
    }

    /// Writes the snapshot if it is stale.
    pub(crate) fn close(&mut self, source: &SnapshotSource<'_>) {
        if let Some(mark) = source.mark.filter(|mark| self.saved != Some(*mark)) {
            self.build(mark, source, usize::MAX);
        }
    }

    /// Adds cards, and writes the file when it has all of them. A snapshot that could not be written is not
    /// retried before something changes; the next command opens the store instead.
    fn build(&mut self, mark: LogMark, source: &SnapshotSource<'_>, cards: usize) {
        let begun = self.builder.take().filter(|builder| builder.mark == mark);
        let mut builder =
            begun.unwrap_or_else(|| SnapshotBuilder::begin(mark, source.index, source.may_write));
        let outcome = builder.add(source.index, cards);
        if outcome.is_ok() && builder.done < builder.order.len() {
            self.builder = Some(builder);
            return;
        }
        match outcome.and_then(|()| builder.publish(&self.file)) {
            // On a full disk the space is left to the log, whose writers get the error.
            Err(error) if is_full(&error) => tracing::debug!("no room for a snapshot of cards"),
            Err(error) => {
                tracing::warn!(%error, "the snapshot of cards was not written; a list without a node will take longer");
            }
            Ok(()) => {}
        }
        self.saved = Some(mark);
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
        Request::Query(Query::List(filter)) => filter.epic.is_none(),
        Request::Query(Query::Ready { .. }) => true,
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
    if let Request::Query(Query::List(filter)) = request {
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
    } else if let Request::Query(Query::Ready { asker, all }) = request {
        let wanted = |deleted: bool, column| !deleted && is_candidate_column(column, *all);
        snapshot.cards(wanted, |card| {
            cards.push(card);
            ControlFlow::Continue(())
        })?;
        cards = select_ready(cards, asker.as_deref(), *all);
    }
    Some(cards)
}
