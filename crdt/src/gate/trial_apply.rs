//! The last stage: applying checked changes to a scratch copy of their item's document.
//!
//! Rules alone are not enough: of the mutants that pass them, some still panic inside Automerge and
//! some apply but cannot be read again. So the copy takes the changes under a guard and must survive
//! being saved and loaded, which gives back each of them byte for byte. The caller's document is never
//! touched. What a rule looks at is the change's ancestors, never the rest of the document: a replica
//! that holds more must not decide otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{ActorId, Automerge, AutomergeError, ChangeHash, ChangeMetadata, ObjId, ROOT, ReadDoc};

use super::{CheckedChange, GateError, linear_history};

/// Longest excerpt of a panic's message, in characters.
const PANIC_CHARS: usize = 200;

/// Applies changes of one item, in order, to a copy of its document (or to none, when the first of
/// them creates it), and checks that the result can be saved and loaded. All or nothing; when the
/// changes of several entries are refused together, the caller admits its entries one by one: what
/// is said of an entry is what is said of it alone.
///
/// That a document with all of them reads back stands for each of its parts: reading rebuilds every
/// change from the columns and compares heads, which name the bytes of all changes by their hashes,
/// and what comes later only adds to the columns.
///
/// # Errors
/// The first change's reason; [`GateError::Missing`] when it depends on changes that are not here.
pub fn admit(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    let admitted = guarded(|| join(doc, changes))?;
    reload(&admitted)?;
    Ok(admitted)
}

/// [`admit`] without the save and load, for entries that passed the gate before: those of this
/// node's own log.
///
/// # Errors
/// As [`admit`].
pub fn apply(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    guarded(|| {
        let before = doc.map(Automerge::get_heads).unwrap_or_default();
        let scratch = join(doc, changes)?;
        gives_back(&scratch, &before, changes)?;
        Ok(scratch)
    })
}

/// Checks that a document reads back with the same heads once it is saved. Saved uncompressed: deflating
/// takes ten times as long as everything else and cannot break what inflates again.
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

/// Runs what hands foreign bytes to Automerge; a panic becomes a refusal. Nothing that the closure
/// changes is used after a panic, so being unwind safe is asserted.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, GateError>) -> Result<T, GateError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(GateError::Panicked(said.chars().take(PANIC_CHARS).collect()))
    })
}

/// A copy of the document with the changes: at once where each builds on all that is before it, or
/// else one after the other.
fn join(doc: Option<&Automerge>, changes: &[CheckedChange]) -> Result<Automerge, GateError> {
    let mut scratch = doc.map_or_else(Automerge::new, Automerge::clone);
    if changes.len() > 1 && linear_history::is_linear(&mut scratch, changes)? {
        enter(&mut scratch, changes)?;
        return Ok(scratch);
    }
    for checked in changes {
        step(&mut scratch, checked)?;
    }
    Ok(scratch)
}

fn step(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
    begins_or_follows(doc, checked)?;
    enter(doc, std::slice::from_ref(checked))
}

/// Checks that a change is new and stands where it may stand in this document.
pub(super) fn begins_or_follows(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
    let hash = checked.change.hash();
    if doc.get_change_meta_by_hash(&hash).is_some() {
        return Err(GateError::Known(hash));
    }
    if !checked.creates {
        return lineage(doc, checked);
    }
    if doc.get_heads().is_empty() {
        return Ok(());
    }
    Err(GateError::Schema("a second beginning of the item".into()))
}

fn enter(doc: &mut Automerge, changes: &[CheckedChange]) -> Result<(), GateError> {
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

/// Checks that the document gives these changes, and nothing else that was not in it `before`, back
/// byte for byte.
fn gives_back(doc: &Automerge, before: &[ChangeHash], changes: &[CheckedChange]) -> Result<(), GateError> {
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

/// Checks that the change follows from its ancestors, all of which must be in the document.
fn lineage(doc: &mut Automerge, checked: &CheckedChange) -> Result<(), GateError> {
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
    let unseen = unseen(doc, &header.deps);
    // Two changes of one actor side by side could give two operations the same number.
    if unseen.iter().any(|meta| *meta.actor == *actor) {
        return Err(GateError::Lineage(
            "it does not build on its author's change before it".into(),
        ));
    }
    references(doc, checked, &unseen)
}

/// Checks that every object and element which the change names comes from its ancestors.
fn references(
    doc: &Automerge,
    checked: &CheckedChange,
    unseen: &[ChangeMetadata<'_>],
) -> Result<(), GateError> {
    if checked.creator != maker(doc) {
        return Err(GateError::Schema("a write to an object of another item".into()));
    }
    for (counter, actor) in &checked.refers {
        let hidden = unseen
            .iter()
            .any(|meta| *meta.actor == *actor && (meta.start_op..=meta.max_op).contains(counter));
        if hidden || !holds(doc, *counter, actor) {
            return Err(GateError::Lineage(format!(
                "it uses operation {counter}@{actor}, which they do not hold"
            )));
        }
    }
    Ok(())
}

/// Who made the item.
pub(super) fn maker(doc: &Automerge) -> Option<ActorId> {
    match doc.get(ROOT, "acts").ok().flatten() {
        Some((_, ObjId::Id(_, actor, _))) => Some(actor),
        Some((_, ObjId::Root)) | None => None,
    }
}

/// Whether the document has this operation.
pub(super) fn holds(doc: &Automerge, counter: u64, actor: &ActorId) -> bool {
    doc.hash_for_opid(&ObjId::Id(counter, actor.clone(), 0)).is_some()
}

/// The changes that are no ancestors of a change with these dependencies.
fn unseen<'a>(doc: &'a Automerge, deps: &[ChangeHash]) -> Vec<ChangeMetadata<'a>> {
    let deps_set: BTreeSet<&ChangeHash> = deps.iter().collect();
    if doc.get_heads().iter().all(|head| deps_set.contains(head)) {
        return Vec::new();
    }
    doc.get_changes_meta(deps)
}

/// The number of an actor's last change in the document. Automerge tells it of the document's own
/// actor only, so that is lent for the question and put back.
pub(super) fn last_seq(doc: &mut Automerge, actor: &ActorId) -> u64 {
    let own = doc.get_actor().clone();
    doc.set_actor(actor.clone());
    let last = doc.get_last_local_change().map_or(0, |change| change.seq());
    doc.set_actor(own);
    last
}
