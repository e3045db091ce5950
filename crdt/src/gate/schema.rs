//! Checks every operation of a change against the document schema.
//!
//! A first change makes `acts` and `body`, in this order. Every other operation is either an act, written once
//! under the key derived from its position in its author's log, or an insertion or deletion of a string in the
//! body. Relies on Automerge's decoding of the operations, so it runs under the guard; it needs no document. It
//! does not decide whether an act is legal; the fold does.

use automerge::legacy::{ElementId, Key, ObjectId, Op as RawOp, OpId, OpType};
use automerge::{ActorId, ExpandedChange, ObjType, ScalarValue};
use towline_proto::{Act, ActId, AuthorSeq, ItemId, Op};

use super::GateError;

/// The number of the operation that makes `acts`.
pub(super) const ACTS_OP: u64 = 1;
/// The number of the operation that makes `body`.
pub(super) const BODY_OP: u64 = 2;
const CONTAINERS: [(&str, ObjType); 2] = [("acts", ObjType::Map), ("body", ObjType::Text)];

/// What the operations of a change contain.
#[derive(Debug, Default)]
pub(super) struct ChangeContent {
    pub(super) acts: Vec<(ActId, Act, Vec<u8>)>,
    pub(super) edits_body: bool,
    /// The actor that created the objects which it writes to.
    pub(super) creator: Option<ActorId>,
    /// Body elements of earlier changes that it refers to.
    pub(super) references: Vec<(u64, ActorId)>,
}

/// Checks every operation of a change. Returns its content and the ordinal of the entry's next act.
pub(super) fn read(
    item: &ItemId,
    change: &ExpandedChange,
    author: &AuthorSeq,
    mut ordinal: u32,
) -> Result<(ChangeContent, u32), GateError> {
    let mut found = ChangeContent::default();
    let mut rest = change.operations.as_slice();
    let creates = change.deps.is_empty();
    if creates {
        rest = containers(change)?;
        found.creator = Some(change.actor_id.clone());
        let want = ItemId::derive(item.at(), author, ordinal);
        if *item != want {
            return Err(GateError::Item { got: *item, want });
        }
    }
    let made_before = change.operations.len() - rest.len();
    for (index, op) in rest.iter().enumerate() {
        let ObjectId::Id(object) = &op.obj else {
            return Err(schema(
                "a write to the root outside the making of `acts` and `body`",
            ));
        };
        if *found.creator.get_or_insert_with(|| object.actor().clone()) != *object.actor() {
            return Err(schema("a write to an object of another item"));
        }
        match object.counter() {
            ACTS_OP => {
                let (id, act, record) = act(op, author, ordinal)?;
                let first = creates && found.acts.is_empty();
                if matches!(act.op, Op::Create { .. }) != first {
                    return Err(schema(
                        "an item is created by the first act of its first change, once",
                    ));
                }
                found.acts.push((id, act, record));
                ordinal = ordinal.saturating_add(1);
            }
            BODY_OP => {
                check_edit(change, op, made_before + index, &mut found.references)?;
                found.edits_body = true;
            }
            _ => return Err(schema("a write to an object that is neither `acts` nor `body`")),
        }
    }
    if creates && found.acts.is_empty() {
        return Err(schema("a first change without an act that creates the item"));
    }
    deletes_once(&change.operations)?;
    found.references.sort_unstable();
    found.references.dedup();
    Ok((found, ordinal))
}

/// The two operations that a first change begins with; gives what follows them.
fn containers(change: &ExpandedChange) -> Result<&[RawOp], GateError> {
    if change.seq != 1 {
        return Err(GateError::Seq {
            got: change.seq,
            want: 1,
        });
    }
    if change.start_op.get() != 1 {
        return Err(GateError::StartOp {
            got: change.start_op.get(),
            want: 1,
        });
    }
    let Some((made, rest)) = change.operations.split_at_checked(CONTAINERS.len()) else {
        return Err(schema("a first change that does not make `acts` and `body`"));
    };
    for (op, (name, kind)) in made.iter().zip(CONTAINERS) {
        let right = op.obj == ObjectId::Root
            && op.key == Key::Map(name.into())
            && op.action == OpType::Make(kind)
            && op.pred.is_empty()
            && !op.insert;
        if !right {
            return Err(schema(
                "a first change makes `acts` (a map), then `body` (a text)",
            ));
        }
    }
    Ok(rest)
}

fn act(op: &RawOp, author: &AuthorSeq, ordinal: u32) -> Result<(ActId, Act, Vec<u8>), GateError> {
    let Key::Map(key) = &op.key else {
        return Err(schema("an act without a key"));
    };
    let OpType::Put(ScalarValue::Bytes(record)) = &op.action else {
        return Err(schema("something under `acts` that is not the bytes of a record"));
    };
    if op.insert || !op.pred.is_empty() {
        return Err(schema("an act that overwrites another"));
    }
    let want = ActId::derive(&author.node, author.epoch, author.seq, ordinal);
    if key.as_str() != want.to_string() {
        return Err(GateError::ActKey {
            got: key.chars().take(80).collect(),
            want,
        });
    }
    Ok((want, Act::decode(record)?, record.clone()))
}

/// Checks the operation at `index` of `change`, an insertion into or deletion from the body.
fn check_edit(
    change: &ExpandedChange,
    op: &RawOp,
    index: usize,
    references: &mut Vec<(u64, ActorId)>,
) -> Result<(), GateError> {
    let Key::Seq(element) = &op.key else {
        return Err(schema("a key in the body"));
    };
    let right = match (&op.action, element) {
        (OpType::Put(ScalarValue::Str(text)), _) => op.insert && op.pred.is_empty() && !text.is_empty(),
        (OpType::Delete, ElementId::Id(id)) => !op.insert && op.pred.len() == 1 && op.pred.get(0) == Some(id),
        _ => false,
    };
    if !right {
        return Err(schema(
            "the body takes insertions of strings and deletions, nothing else",
        ));
    }
    match element {
        ElementId::Head => Ok(()),
        ElementId::Id(id) => check_element(change, id, index, references),
    }
}

/// Refuses a change that deletes an element twice: Automerge could not reproduce the change.
fn deletes_once(operations: &[RawOp]) -> Result<(), GateError> {
    let mut deleted: Vec<(u64, &ActorId)> = operations
        .iter()
        .filter(|op| op.action == OpType::Delete)
        .filter_map(|op| op.pred.get(0))
        .map(|id| (id.counter(), id.actor()))
        .collect();
    deleted.sort_unstable();
    if deleted.is_sorted_by(|one, next| one < next) {
        return Ok(());
    }
    Err(schema("an element that is deleted twice in one change"))
}

/// Checks a reference to an element of this change, or records one to an element of an earlier change.
fn check_element(
    change: &ExpandedChange,
    id: &OpId,
    index: usize,
    references: &mut Vec<(u64, ActorId)>,
) -> Result<(), GateError> {
    let (own, counter) = (*id.actor() == change.actor_id, id.counter());
    let start = change.start_op.get();
    if own && counter >= start {
        // An earlier operation of this change must have inserted it.
        let made = usize::try_from(counter - start).ok().filter(|at| *at < index);
        if made
            .and_then(|at| change.operations.get(at))
            .is_some_and(|op| op.insert)
        {
            return Ok(());
        }
    } else if counter > BODY_OP && counter < start {
        // Operations of ancestors have smaller numbers. Whether this is one of them needs the document.
        references.push((counter, id.actor().clone()));
        return Ok(());
    }
    Err(schema(
        "an edit next to something that is no element of the body yet",
    ))
}

fn schema(what: &str) -> GateError {
    GateError::Schema(what.into())
}
