//! The last step of the gate: applies checked changes to a copy of their item's document.
//!
//! Static rules are not enough: some mutated changes that pass them still panic inside Automerge, and some apply
//! but cannot be loaded again. So the copy applies the changes under a guard, is saved and loaded, and must
//! reproduce each change byte for byte. The caller's document is never touched. The rules look at the ancestors of
//! a change only, never at the rest of the document, so that a replica which holds more decides the same.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{ActorId, Automerge, AutomergeError, ChangeHash, ChangeMetadata, ObjId, ROOT, ReadDoc};

use super::{CheckedChange, GateError, linear_history};

/// The most characters that are quoted of a panic's message.
const PANIC_CHARS: usize = 200;

/// Applies changes of one item, in order, to a copy of its document (or to an empty one, when the first of them
/// creates the item), and checks that the result can be saved and loaded. All or nothing: when the changes of
/// several entries are refused together, the caller admits the entries one by one, so that every entry gets its
/// own result.
///
/// One save and load at the end is enough for all of them: loading rebuilds every change from the columns and
/// compares heads, which cover the bytes of all changes by their hashes.
///
/// # Errors
/// Why the first refused change is refused; [`GateError::Missing`] when it depends on changes that are not here.
pub fn admit(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    let admitted = guarded(|| apply_to_copy(doc, changes))?;
    reload(&admitted)?;
    Ok(admitted)
}

/// [`admit`] without the save and load, for entries that passed the gate before: those in this node's own log.
///
/// # Errors
/// As [`admit`].
pub fn apply(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    guarded(|| {
        let before = doc.map(Automerge::get_heads).unwrap_or_default();
        let copy = apply_to_copy(doc, changes)?;
        check_round_trip(&copy, &before, changes)?;
        Ok(copy)
    })
}

/// Saves and loads a document and compares heads. It is saved uncompressed, because deflating takes ten times as
/// long as everything else and cannot lose anything.
///
/// # Errors
/// [`GateError::Unloadable`], or [`GateError::Panicked`].
pub fn reload(doc: &Automerge) -> Result<(), GateError> {
    guarded(|| {
        let loaded = Automerge::load(&doc.save_nocompress())
            .map_err(|error| GateError::Unloadable(error.to_string()))?;
        if loaded.get_heads() == doc.get_heads() {
            return Ok(());
        }
        Err(GateError::Unloadable("other heads than before".into()))
    })
}

/// Runs a closure that hands foreign bytes to Automerge, and turns a panic into an error. Nothing that the closure
/// changes is used after a panic, so it is asserted to be unwind safe.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, GateError>) -> Result<T, GateError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(GateError::Panicked(message.chars().take(PANIC_CHARS).collect()))
    })
}

/// A copy of the document with the changes: applied in one call when they form a linear history, otherwise one by
/// one.
fn apply_to_copy(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    let mut copy = doc.map_or_else(Automerge::new, Automerge::clone);
    if changes.len() > 1 && linear_history::is_linear(&mut copy, changes)? {
        apply_changes(&mut copy, changes)?;
        return Ok(copy);
    }
    for checked in changes {
        apply_one(&mut copy, checked)?;
    }
    Ok(copy)
}

fn apply_one(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
    check_parents(doc, checked)?;
    apply_changes(doc, std::slice::from_ref(checked))
}

/// Checks that a change is new and either creates the item or follows from its ancestors in the document.
pub(super) fn check_parents(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
    let hash = checked.change.hash();
    if doc.get_change_meta_by_hash(&hash).is_some() {
        return Err(GateError::Known(hash));
    }
    if !checked.creates {
        return check_ancestry(doc, checked);
    }
    if doc.get_heads().is_empty() {
        return Ok(());
    }
    Err(GateError::Schema("a second beginning of the item".into()))
}

fn apply_changes(doc: &mut Automerge, changes: &[CheckedChange]) -> Result<(), GateError> {
    let changes: Vec<_> = changes.iter().map(|checked| checked.change.clone()).collect();
    doc.apply_changes(changes).map_err(|error| match error {
        AutomergeError::DuplicateSeqNumber(got, _) => GateError::Seq {
            got,
            want: got.saturating_add(1),
        },
        other => GateError::Inapplicable(other.to_string()),
    })?;
    let missing = doc.get_missing_deps(&[]);
    if missing.is_empty() {
        return Ok(());
    }
    Err(GateError::Missing(missing))
}

/// Checks that the document returns exactly these changes, byte for byte, as those that were not in it `before`.
fn check_round_trip(
    doc: &Automerge,
    before: &[ChangeHash],
    changes: &[CheckedChange],
) -> Result<(), GateError> {
    let kept: BTreeMap<_, _> = doc
        .get_changes(before)
        .into_iter()
        .map(|change| (change.hash(), change))
        .collect();
    let same = |checked: &CheckedChange| {
        kept.get(&checked.change.hash())
            .is_some_and(|kept| kept.raw_bytes() == checked.change.raw_bytes())
    };
    if kept.len() == changes.len() && changes.iter().all(same) {
        return Ok(());
    }
    Err(GateError::NotCanonical)
}

/// Checks the operation number and sequence number of a change against its ancestors, all of which must be in the
/// document.
fn check_ancestry(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
    let header = &checked.header;
    let (mut missing, mut max_op) = (Vec::new(), 0);
    for dep in &header.deps {
        match doc.get_change_meta_by_hash(dep) {
            Some(meta) => max_op = max_op.max(meta.max_op),
            None => missing.push(*dep),
        }
    }
    if !missing.is_empty() {
        return Err(GateError::Missing(missing));
    }
    let want = max_op.saturating_add(1);
    if header.start_op != want {
        return Err(GateError::StartOp {
            got: header.start_op,
            want,
        });
    }
    let actor = checked.change.actor_id();
    let want = last_seq(doc, actor).saturating_add(1);
    if header.seq != want {
        return Err(GateError::Seq {
            got: header.seq,
            want,
        });
    }
    let others = non_ancestors(doc, &header.deps);
    // Two concurrent changes of one actor could give two operations the same number.
    if others.iter().any(|meta| *meta.actor == *actor) {
        return Err(GateError::Lineage(
            "it does not build on its author's change before it".into(),
        ));
    }
    check_references(doc, checked, &others)
}

/// Checks that every object and element to which the change refers comes from its ancestors.
fn check_references(
    doc: &Automerge,
    checked: &CheckedChange,
    others: &[ChangeMetadata<'_>],
) -> Result<(), GateError> {
    if checked.creator != creator(doc) {
        return Err(GateError::Schema("a write to an object of another item".into()));
    }
    for (counter, actor) in &checked.references {
        let is_hidden = others
            .iter()
            .any(|meta| *meta.actor == *actor && (meta.start_op..=meta.max_op).contains(counter));
        if is_hidden || !has_op(doc, *counter, actor) {
            return Err(GateError::Lineage(format!(
                "it uses operation {counter}@{actor}, which they do not hold"
            )));
        }
    }
    Ok(())
}

/// The actor that created the item.
pub(super) fn creator(doc: &Automerge) -> Option<ActorId> {
    match doc.get(ROOT, "acts").ok().flatten() {
        Some((_, ObjId::Id(_, actor, _))) => Some(actor),
        Some((_, ObjId::Root)) | None => None,
    }
}

/// Whether the document contains an operation.
pub(super) fn has_op(doc: &Automerge, counter: u64, actor: &ActorId) -> bool {
    doc.hash_for_opid(&ObjId::Id(counter, actor.clone(), 0)).is_some()
}

/// The changes in the document that are not ancestors of a change with these dependencies.
fn non_ancestors<'a>(doc: &'a Automerge, deps: &[ChangeHash]) -> Vec<ChangeMetadata<'a>> {
    let deps_set: BTreeSet<&ChangeHash> = deps.iter().collect();
    if doc.get_heads().iter().all(|head| deps_set.contains(head)) {
        return Vec::new();
    }
    doc.get_changes_meta(deps)
}

/// The sequence number of an actor's last change in the document. Automerge reports it for the document's own
/// actor only, so the actor is set for the query and then restored.
pub(super) fn last_seq(doc: &mut Automerge, actor: &ActorId) -> u64 {
    let own = doc.get_actor().clone();
    doc.set_actor(actor.clone());
    let last = doc.get_last_local_change().map_or(0, |change| change.seq());
    doc.set_actor(own);
    last
}
