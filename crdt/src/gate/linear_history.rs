//! Whether changes of one item follow each other in a chain, found without applying them.
//!
//! Most that catch-up brings is such a chain: an item's creation and what was done to it since, each
//! change made by somebody who held all that is before it. Then the rules of `scratch` come to
//! arithmetic, because no change has anything to be blind to, and Automerge can take all of them at
//! once, which costs it a third of taking one after the other. A "no" means only that the chain was
//! not seen to hold: the changes are then judged one by one, which says why.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Automerge};

use super::trial_apply::{begins_or_follows, holds, last_seq, maker};
use super::{CheckedChange, GateError};

/// Whether each change passes the rules for its ancestors in the document with those before it.
///
/// # Errors
/// The reason of the first one, which is judged against the document itself.
pub(super) fn is_linear(doc: &mut Automerge, changes: &[CheckedChange]) -> Result<bool, GateError> {
    let Some((first, rest)) = changes.split_first() else {
        return Ok(true);
    };
    begins_or_follows(doc, first)?;
    let maker = maker(doc).or_else(|| first.creator.clone());
    let mut known = BTreeSet::from([first.change.hash()]);
    let mut heads: BTreeSet<_> = doc.get_heads().into_iter().collect();
    for dep in &first.header.deps {
        heads.remove(dep);
    }
    heads.insert(first.change.hash());
    let mut last = highest(doc).max(last_op(first));
    let mut seqs = BTreeMap::from([(first.change.actor_id(), first.header.seq)]);
    let mut made: Made<'_> = BTreeMap::from([(first.change.actor_id(), vec![ops(first)])]);
    for checked in rest {
        let (header, actor) = (&checked.header, checked.change.actor_id());
        let seq_before = match seqs.get(actor) {
            Some(seq) => *seq,
            None => last_seq(doc, actor),
        };
        let here = |dep| known.contains(dep) || doc.get_change_meta_by_hash(dep).is_some();
        let right = !checked.creates
            && heads.iter().all(|head| header.deps.contains(head))
            && header.deps.iter().all(here)
            && header.start_op == last.saturating_add(1)
            && header.seq == seq_before.saturating_add(1)
            && checked.creator == maker
            && checked
                .refers
                .iter()
                .all(|(counter, actor)| makes(&made, *counter, actor) || holds(doc, *counter, actor));
        if !right {
            return Ok(false);
        }
        heads = BTreeSet::from([checked.change.hash()]);
        known.insert(checked.change.hash());
        last = last_op(checked);
        seqs.insert(actor, header.seq);
        made.entry(actor).or_default().push(ops(checked));
    }
    Ok(true)
}

/// The number of the last operation in a document.
fn highest(doc: &Automerge) -> u64 {
    let heads = doc.get_heads();
    let ops = heads.iter().filter_map(|head| doc.get_change_meta_by_hash(head));
    ops.map(|meta| meta.max_op).max().unwrap_or(0)
}

/// The first and the last operation of each actor's changes; they ascend along a chain.
type Made<'a> = BTreeMap<&'a ActorId, Vec<(u64, u64)>>;

const fn ops(checked: &CheckedChange) -> (u64, u64) {
    (checked.header.start_op, last_op(checked))
}

/// The number of a change's last operation; it holds at least one, and the scan bounds the sum.
const fn last_op(checked: &CheckedChange) -> u64 {
    let header = &checked.header;
    header.start_op.saturating_add(header.ops).saturating_sub(1)
}

/// Whether one of the changes before has an operation of this number.
fn makes(made: &Made<'_>, counter: u64, actor: &ActorId) -> bool {
    let Some(ranges) = made.get(actor) else {
        return false;
    };
    let behind = ranges.partition_point(|(_, last)| *last < counter);
    ranges.get(behind).is_some_and(|(first, _)| *first <= counter)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "linear_history_tests.rs"]
mod tests;
