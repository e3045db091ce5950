//! What an author has observed while writing many edits in a row, kept current without a fold for each.
//!
//! An edit of a field, a set or a list is always legal and writes one register. It names all heads of that
//! register, so afterwards it is the only head. The heads that a fold would find are therefore known without one,
//! and so are the counts that limit an item. A transition, an act that resolves a conflict, and an edit of a
//! register with more heads than one act can name still need a fold. Relies on `fold::register` for what an
//! operation writes; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, Op, Register, limits};

use super::ComposeError;
use crate::fold::{FoldedItem, writes};

/// The heads of all registers, and the counts that have a limit.
#[derive(Debug)]
pub(super) struct AuthorView {
    heads: BTreeMap<Register, Vec<ActId>>,
    labels: BTreeSet<String>,
    comments: usize,
    acts: usize,
}

/// An edit that needs no fold.
#[derive(Debug)]
pub(super) struct FieldEdit {
    register: Register,
    /// The acts that it names as seen.
    pub(super) saw: Vec<ActId>,
}

impl AuthorView {
    pub(super) fn of(folded: &FoldedItem<'_>) -> Self {
        Self {
            heads: folded.registers().clone(),
            labels: folded.view.labels.iter().cloned().collect(),
            comments: folded.view.comments as usize,
            acts: folded.acts.len(),
        }
    }

    /// The edit that an operation is, with what it must name as seen; `None` when that needs a fold.
    pub(super) fn edit(&self, op: &Op) -> Option<FieldEdit> {
        let register = edited(op)?;
        let mut saw = self.heads.get(&register).cloned().unwrap_or_default();
        if saw.len() > limits::SAW_PER_ACT {
            return None;
        }
        saw.sort_unstable();
        saw.dedup();
        Some(FieldEdit { register, saw })
    }

    /// Checks the limits of the item.
    pub(super) fn check_room(&self, op: &Op) -> Result<(), ComposeError> {
        check_room(op, self.acts, self.labels.len(), self.comments)
    }

    /// Applies an edit that was written.
    pub(super) fn apply(&mut self, id: ActId, op: &Op, edit: FieldEdit) {
        self.acts += 1;
        match op {
            Op::AddLabel { label } => drop(self.labels.insert(label.clone())),
            Op::RemoveLabel { label } => drop(self.labels.remove(label)),
            Op::Comment { .. } => self.comments += 1,
            _ => {}
        }
        self.heads.insert(edit.register, vec![id]);
    }
}

/// Checks the limits of an item with these counts.
pub(super) fn check_room(op: &Op, acts: usize, labels: usize, comments: usize) -> Result<(), ComposeError> {
    let full = |what, max| Err(ComposeError::Full { what, max });
    match op {
        _ if acts >= limits::ACTS_PER_ITEM => full("acts", limits::ACTS_PER_ITEM),
        Op::AddLabel { .. } if labels >= limits::LABELS => full("labels", limits::LABELS),
        Op::Comment { .. } if comments >= limits::COMMENTS => full("comments", limits::COMMENTS),
        _ => Ok(()),
    }
}

/// Whether an operation is an edit.
pub(super) fn is_edit(op: &Op) -> bool {
    edited(op).is_some()
}

/// The register that an edit writes.
fn edited(op: &Op) -> Option<Register> {
    if op.verb().is_some() || matches!(op, Op::Create { .. } | Op::Resolve { .. } | Op::Unknown) {
        return None;
    }
    // The QA mode matters for transitions only, so any value will do.
    let mut registers = writes(op, towline_proto::Qa::Agent);
    let register = registers.pop()?;
    registers.is_empty().then_some(register)
}
