//! The last stage: applying checked changes to a scratch copy of their item's document.
//!
//! Rules alone are not enough: of the mutants that pass them, some still panic inside Automerge and
//! some apply but cannot be read again. So the copy takes the changes under a guard, must give each
//! back byte for byte, and must survive being saved and loaded. The caller's document is never
//! touched. What a rule looks at is the change's ancestors, never the rest of the document: a replica
//! that holds more must not decide otherwise.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{ActorId, Automerge, AutomergeError, ChangeHash, ChangeMetadata, ObjId, ROOT, ReadDoc};

use super::{Checked, Refusal};

/// Longest excerpt of a panic's message, in characters.
const PANIC_CHARS: usize = 200;

/// Applies changes of one item, in order, to a copy of its document (or to none, when the first of
/// them creates it), and checks that the result can be saved and loaded. All or nothing; when a batch
/// is refused, the caller admits its entries one by one to find the guilty one.
///
/// # Errors
/// The first change's reason; [`Refusal::Missing`] when it depends on changes that are not here.
pub fn admit(doc: Option<&Automerge>, changes: &[Checked]) -> Result<Automerge, Refusal> {
    let admitted = apply(doc, changes)?;
    reload(&admitted)?;
    Ok(admitted)
}

/// [`admit`] without the save and load, which cost about as much as the rest. Catch-up applies entry
/// by entry with this and calls [`reload`] once for the batch, before anything of it is stored.
///
/// # Errors
/// As [`admit`].
pub fn apply(doc: Option<&Automerge>, changes: &[Checked]) -> Result<Automerge, Refusal> {
    guarded(|| {
        let mut scratch = doc.map_or_else(Automerge::new, Automerge::clone);
        for checked in changes {
            step(&mut scratch, checked)?;
        }
        Ok(scratch)
    })
}

/// Checks that a document reads back with the same heads once it is saved. Saved uncompressed: deflating
/// takes ten times as long as everything else and cannot break what inflates again.
///
/// # Errors
/// [`Refusal::Unloadable`], or [`Refusal::Panicked`].
pub fn reload(doc: &Automerge) -> Result<(), Refusal> {
    guarded(|| {
        let loaded = Automerge::load(&doc.save_nocompress())
            .map_err(|error| Refusal::Unloadable(error.to_string()))?;
        if loaded.get_heads() == doc.get_heads() {
            return Ok(());
        }
        Err(Refusal::Unloadable("other heads than before".into()))
    })
}

/// Runs what hands foreign bytes to Automerge; a panic becomes a refusal. Nothing that the closure
/// changes is used after a panic, so being unwind safe is asserted.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(Refusal::Panicked(said.chars().take(PANIC_CHARS).collect()))
    })
}

fn step(doc: &mut Automerge, checked: &Checked) -> Result<(), Refusal> {
    let hash = checked.change.hash();
    if doc.get_change_meta_by_hash(&hash).is_some() {
        return Err(Refusal::Known(hash));
    }
    if checked.creates {
        if !doc.get_heads().is_empty() {
            return Err(Refusal::Schema("a second beginning of the item".into()));
        }
    } else {
        lineage(doc, checked)?;
    }
    doc.apply_changes([checked.change.clone()])
        .map_err(|error| match error {
            AutomergeError::DuplicateSeqNumber(got, _) => Refusal::Seq {
                got,
                want: got.saturating_add(1),
            },
            other => Refusal::Inapplicable(other.to_string()),
        })?;
    let missing = doc.get_missing_deps(&[]);
    if !missing.is_empty() {
        return Err(Refusal::Missing(missing));
    }
    let kept = doc.get_change_by_hash(&hash);
    if kept.is_some_and(|kept| kept.raw_bytes() == checked.change.raw_bytes()) {
        return Ok(());
    }
    Err(Refusal::NotCanonical)
}

/// Checks that the change follows from its ancestors, all of which must be in the document.
fn lineage(doc: &mut Automerge, checked: &Checked) -> Result<(), Refusal> {
    let header = &checked.header;
    let (mut missing, mut max_op) = (Vec::new(), 0);
    for dep in &header.deps {
        match doc.get_change_meta_by_hash(dep) {
            Some(meta) => max_op = max_op.max(meta.max_op),
            None => missing.push(*dep),
        }
    }
    if !missing.is_empty() {
        return Err(Refusal::Missing(missing));
    }
    let want = max_op.saturating_add(1);
    if header.start_op != want {
        return Err(Refusal::StartOp {
            got: header.start_op,
            want,
        });
    }
    let actor = checked.change.actor_id();
    let want = last_seq(doc, actor).saturating_add(1);
    if header.seq != want {
        return Err(Refusal::Seq {
            got: header.seq,
            want,
        });
    }
    let unseen = unseen(doc, &header.deps);
    // Two changes of one actor side by side could give two operations the same number.
    if unseen.iter().any(|meta| *meta.actor == *actor) {
        return Err(Refusal::Lineage(
            "it does not build on its author's change before it".into(),
        ));
    }
    references(doc, checked, &unseen)
}

/// Checks that every object and element which the change names comes from its ancestors.
fn references(doc: &Automerge, checked: &Checked, unseen: &[ChangeMetadata<'_>]) -> Result<(), Refusal> {
    let acts = doc.get(ROOT, "acts").ok().flatten();
    let maker = match &acts {
        Some((_, ObjId::Id(_, actor, _))) => Some(actor),
        Some((_, ObjId::Root)) | None => None,
    };
    if checked.creator.as_ref() != maker {
        return Err(Refusal::Schema("a write to an object of another item".into()));
    }
    for (counter, actor) in &checked.refers {
        let hidden = unseen
            .iter()
            .any(|meta| *meta.actor == *actor && (meta.start_op..=meta.max_op).contains(counter));
        let exists = doc
            .hash_for_opid(&ObjId::Id(*counter, actor.clone(), 0))
            .is_some();
        if hidden || !exists {
            return Err(Refusal::Lineage(format!(
                "it uses operation {counter}@{actor}, which they do not hold"
            )));
        }
    }
    Ok(())
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
fn last_seq(doc: &mut Automerge, actor: &ActorId) -> u64 {
    let own = doc.get_actor().clone();
    doc.set_actor(actor.clone());
    let last = doc.get_last_local_change().map_or(0, |change| change.seq());
    doc.set_actor(own);
    last
}
