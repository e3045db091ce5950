//! Which signatures of a catch-up frame are checked, by the sender and by the receiver.
//!
//! Consecutive entries of one (author, epoch) within a frame, each naming the hash of the one before it, are a run.
//! A hash commits to everything before it, so the signature of the last entry vouches for the whole run. The
//! receiver checks only that signature, and the sender makes sure that it is good. The other signatures are not
//! covered by any hash, so a relaying node could damage them. A run is therefore at most [`RUN_ENTRIES`] long, and a
//! node that stores one can cut its own frames at a good signature again.

use std::collections::BTreeMap;
use std::sync::Arc;

use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, Epoch, NodeId};

use crate::send_plan::PlannedEntry;

/// The most entries that one signature vouches for. With 256, a check of 44 µs costs 0.2 µs per entry, and a frame
/// has room for many runs.
pub(crate) const RUN_ENTRIES: usize = 256;

/// An entry of a frame whose run has a good signature.
#[derive(Debug)]
pub(crate) struct CheckedEntry {
    pub(crate) entry: Entry,
    /// Whether its own signature was checked, and not only that of a later entry of its run.
    pub(crate) verified: bool,
}

/// Checks the signatures of a received frame and keeps the good runs, in order. `known` says which entries need no
/// check because they are known already. Also returns how many entries were dropped for a bad signature.
pub(crate) fn check(entries: Vec<Entry>, known: impl Fn(&Entry) -> bool) -> (Vec<CheckedEntry>, usize) {
    struct Run {
        last: usize,
        entries: usize,
        good: bool,
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut run_of: Vec<usize> = Vec::with_capacity(entries.len());
    let mut open: BTreeMap<(NodeId, Epoch), usize> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let key = (entry.body().author, entry.body().epoch);
        let goes_on = open.get(&key).copied().filter(|run| {
            runs.get(*run).is_some_and(|run| {
                run.entries < RUN_ENTRIES && entries.get(run.last).is_some_and(|last| follows(entry, last))
            })
        });
        let number = goes_on.unwrap_or(runs.len());
        match runs.get_mut(number) {
            Some(run) => {
                run.last = at;
                run.entries += 1;
            }
            None => runs.push(Run {
                last: at,
                entries: 1,
                good: false,
            }),
        }
        open.insert(key, number);
        run_of.push(number);
    }
    for run in &mut runs {
        run.good = entries
            .get(run.last)
            .is_some_and(|last| known(last) || last.verify().is_ok());
    }
    let total = entries.len();
    let good: Vec<CheckedEntry> = entries
        .into_iter()
        .zip(run_of)
        .enumerate()
        .filter_map(|(at, (entry, run))| {
            let run = runs.get(run).filter(|run| run.good)?;
            Some(CheckedEntry {
                entry,
                verified: run.last == at,
            })
        })
        .collect();
    let bad = total - good.len();
    (good, bad)
}

fn follows(entry: &Entry, last: &Entry) -> bool {
    matches!(entry.body().prev.as_slice(), [tip] if *tip == last.tip())
}

/// What to do with a record that was read for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendDecision {
    /// Send it in this frame.
    Send,
    /// Send it in a later frame that reaches a good signature.
    Later,
    /// It cannot be read, so nothing of its epoch from here on can be sent.
    Unreadable,
}

/// Decides which records can be sent, so that each run ends at an entry with a good signature. The counterpart of
/// [`check`]: both cut runs at the same length.
pub(crate) fn sendable(planned: &[PlannedEntry], records: &[EntryBytes]) -> Vec<SendDecision> {
    let mut decisions = vec![SendDecision::Later; planned.len().min(records.len())];
    let mut runs: BTreeMap<(NodeId, Epoch), Vec<usize>> = BTreeMap::new();
    for (at, (entry, _)) in planned.iter().zip(records).enumerate() {
        runs.entry(entry.run()).or_default().push(at);
    }
    for run in runs.values() {
        let readable = run
            .iter()
            .take_while(|at| records.get(**at).is_some_and(|record| !record.0.is_empty()))
            .count();
        let (whole, broken) = run.split_at(readable);
        mark(&mut decisions, broken, SendDecision::Unreadable);
        for piece in whole.chunks(RUN_ENTRIES) {
            let good = piece
                .iter()
                .rposition(|at| records.get(*at).is_some_and(|record| is_good(&record.0)))
                .map_or(0, |last| last + 1);
            let (send, _) = piece.split_at(good);
            mark(&mut decisions, send, SendDecision::Send);
            if good < piece.len() {
                break;
            }
        }
    }
    decisions
}

fn mark(decisions: &mut [SendDecision], which: &[usize], decision: SendDecision) {
    for at in which {
        if let Some(slot) = decisions.get_mut(*at) {
            *slot = decision;
        }
    }
}

fn is_good(bytes: &Arc<[u8]>) -> bool {
    Entry::decode(bytes.clone()).is_ok_and(|entry| entry.verify().is_ok())
}
