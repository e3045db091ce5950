//! Detects a linear history: changes of one item that each depend on everything before them.
//!
//! Most of what catch-up brings is linear: the creation of an item and later changes, each made by an author who
//! had all earlier ones. Then the rules of `trial_apply` reduce to arithmetic, because a change that has every
//! other change as an ancestor cannot refer to anything else, and Automerge can apply all changes in one call at a
//! third of the cost. A \"no\" only means that linearity was not proved: the changes are then checked one by one,
//! which also finds the reason for a refusal.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Automerge};

use super::trial_apply::{check_parents, creator, has_op, last_seq};
use super::{CheckedChange, GateError};

/// Whether the changes form a linear history on top of the document, and each passes the rules of `trial_apply`.
///
/// # Errors
/// Why the first change is refused, which is checked against the document itself.
pub(super) fn is_linear(doc: &mut Automerge, changes: &[CheckedChange]) -> Result<bool, GateError> {
    let Some((first, rest)) = changes.split_first() else {
        return Ok(true);
    };
    check_parents(doc, first)?;
    let creator = creator(doc).or_else(|| first.creator.clone());
    let mut known = BTreeSet::from([first.change.hash()]);
    let mut heads: BTreeSet<_> = doc.get_heads().into_iter().collect();
    for dep in &first.header.deps {
        heads.remove(dep);
    }
    heads.insert(first.change.hash());
    let mut last = highest(doc).max(last_op(first));
    let mut seqs = BTreeMap::from([(first.change.actor_id(), first.header.seq)]);
    let mut made: OpRanges<'_> = BTreeMap::from([(first.change.actor_id(), vec![ops(first)])]);
    for checked in rest {
        let (header, actor) = (&checked.header, checked.change.actor_id());
        let seq_before = match seqs.get(actor) {
            Some(seq) => *seq,
            None => last_seq(doc, actor),
        };
        let here = |dep| known.contains(dep) || doc.get_change_meta_by_hash(dep).is_some();
        let follows = !checked.creates
            && heads.iter().all(|head| header.deps.contains(head))
            && header.deps.iter().all(here)
            && header.start_op == last.saturating_add(1)
            && header.seq == seq_before.saturating_add(1)
            && checked.creator == creator
            && checked
                .references
                .iter()
                .all(|(counter, actor)| contains_op(&made, *counter, actor) || has_op(doc, *counter, actor));
        if !follows {
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

/// The highest operation number in a document.
fn highest(doc: &Automerge) -> u64 {
    let heads = doc.get_heads();
    let ops = heads.iter().filter_map(|head| doc.get_change_meta_by_hash(head));
    ops.map(|meta| meta.max_op).max().unwrap_or(0)
}

/// The first and last operation number of each actor's changes, ascending.
type OpRanges<'a> = BTreeMap<&'a ActorId, Vec<(u64, u64)>>;

const fn ops(checked: &CheckedChange) -> (u64, u64) {
    (checked.header.start_op, last_op(checked))
}

/// The number of a change's last operation. A change has at least one, and the scan has bounded the sum.
const fn last_op(checked: &CheckedChange) -> u64 {
    let header = &checked.header;
    header.start_op.saturating_add(header.ops).saturating_sub(1)
}

/// Whether one of the earlier changes contains the operation.
fn contains_op(made: &OpRanges<'_>, counter: u64, actor: &ActorId) -> bool {
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
