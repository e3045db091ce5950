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
use super::filter::{Facts, Words, looks_at};
use super::index::{Index, concerns, sort_out};
use super::present::clamp_card;
use crate::api::request::{Reply, Request};
use crate::api::types::ItemCard;
use crate::cache::{BLOCK_CARDS, Snapshot, Writer, publish};
use crate::home::files::is_full;
use crate::log::Mark;

/// The file, beside the log and the cache.
const FILE: &str = "rows.snap";
/// Ticks of a quarter of a second without a change after which a snapshot is begun.
const QUIET_TICKS: u32 = 20;
/// Cards that one tick adds: some 5 ms for whoever asks meanwhile.
const TICK_CARDS: usize = 2 * BLOCK_CARDS;

/// How far the snapshot is.
#[derive(Debug, Default)]
pub(crate) struct Snap {
    /// The log as the file has it.
    kept: Option<Mark>,
    /// The log as the last tick saw it.
    seen: Option<Mark>,
    quiet: u32,
    making: Option<Making>,
}

/// A snapshot that is being written a few cards at a time.
#[derive(Debug)]
struct Making {
    mark: Mark,
    /// Items in the order in which they stand in the file, and how many are in it.
    order: Vec<ItemId>,
    done: usize,
    /// Whether this node may: one that may not is proposed nothing.
    may_write: bool,
    writer: Writer,
}

impl Snap {
    /// What is known of the snapshot in a project's folder.
    pub(crate) fn of(dir: &Path) -> Self {
        let kept = Snapshot::open(&dir.join(FILE)).map(|snapshot| *snapshot.mark());
        Self {
            kept,
            ..Self::default()
        }
    }
}

impl Project {
    /// The log as it is, when rows reflect all of it.
    fn mark(&self) -> Option<Mark> {
        self.log.mark(self.applied?)
    }

    /// Forgets the snapshot: it was made from rows that are made again now, and may be as wrong as they.
    pub(crate) fn drop_snapshot(&mut self) {
        self.snap = Snap::default();
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
        if self.snap.seen != Some(mark) {
            self.snap.seen = Some(mark);
            self.snap.quiet = 0;
            self.snap.making = None;
            return;
        }
        self.snap.quiet = self.snap.quiet.saturating_add(1);
        if self.snap.kept == Some(mark) || self.snap.quiet < QUIET_TICKS {
            return;
        }
        let making = self.snap.making.take();
        let mut making = making.unwrap_or_else(|| Making::begin(mark, &self.index, self.role().may_write()));
        let outcome = making.add(&self.index, TICK_CARDS);
        if outcome.is_ok() && making.done < making.order.len() {
            self.snap.making = Some(making);
        } else {
            self.end_snapshot(mark, outcome.and_then(|()| making.publish(&self.snapshot_file())));
        }
    }

    /// Writes the snapshot when it is old.
    pub(crate) fn snapshot_on_close(&mut self) {
        let Some(mark) = self.mark() else { return };
        if self.snap.kept == Some(mark) {
            return;
        }
        let begun = self.snap.making.take().filter(|making| making.mark == mark);
        let mut making = begun.unwrap_or_else(|| Making::begin(mark, &self.index, self.role().may_write()));
        let outcome = making.add(&self.index, usize::MAX);
        self.end_snapshot(mark, outcome.and_then(|()| making.publish(&self.snapshot_file())));
    }

    /// A snapshot that could not be written is not tried again before something changes: the next
    /// command takes the longer way.
    fn end_snapshot(&mut self, mark: Mark, outcome: std::io::Result<()>) {
        match outcome {
            // On a full disk the room is left to the log, and whoever writes is told of that.
            Err(error) if is_full(&error) => tracing::debug!("no room for a snapshot of cards"),
            Err(error) => {
                tracing::warn!(%error, "the snapshot of cards was not written; a list without a node will take longer");
            }
            Ok(()) => {}
        }
        self.snap.kept = Some(mark);
    }
}

impl Making {
    fn begin(mark: Mark, index: &Index, may_write: bool) -> Self {
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
            writer: Writer::default(),
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
    if !snapshot.mark().stands(&dir.join("log")) {
        return None;
    }
    let cards = pick(&snapshot, request);
    if cards.is_none() {
        // Whoever closes the store looks at the header alone, and would keep the file for what it says.
        let _ = std::fs::remove_file(dir.join(FILE));
    }
    let mut cards = cards?;
    cards.iter_mut().for_each(|card| clamp_card(now, card));
    Some(Reply::Cards(cards))
}

/// The cards that a request asks for; none when they cannot be read.
fn pick(snapshot: &Snapshot, request: &Request) -> Option<Vec<ItemCard>> {
    let mut cards = Vec::new();
    if let Request::List(filter) = request {
        let most = if filter.limit == 0 {
            usize::MAX
        } else {
            filter.limit
        };
        let wanted = |deleted: bool, column| looks_at(filter, deleted, column);
        snapshot.cards(wanted, |card| {
            if Facts::from(&card).pass(filter) && Words::from(&card).pass(filter) {
                cards.push(card);
            }
            if cards.len() < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
    } else if let Request::Ready { asker, all } = request {
        let wanted = |deleted: bool, column| !deleted && concerns(column, *all);
        snapshot.cards(wanted, |card| {
            cards.push(card);
            ControlFlow::Continue(())
        })?;
        cards = sort_out(cards, asker.as_deref(), *all);
    }
    Some(cards)
}
