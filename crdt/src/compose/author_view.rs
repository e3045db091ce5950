//! What an author has in front of them while they write many edits one after the other, kept current
//! without a new fold for each.
//!
//! An edit of a field, a set or a list is always legal and writes one register: whoever sees all of its
//! heads leaves theirs as the only one. So the heads that a fold would find are known without it, and so
//! are the counts that bound an item. A transition, a settlement and whatever leaves more heads than one
//! act can name need a fold. Relies on `fold::register` for who writes what; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, Op, Register, limits};

use super::ComposeError;
use crate::fold::{FoldedItem, writes};

/// The heads of all registers and what is counted of an item.
#[derive(Debug)]
pub(super) struct AuthorView {
    heads: BTreeMap<Register, Vec<ActId>>,
    labels: BTreeSet<String>,
    comments: usize,
    acts: usize,
}

/// What an edit takes, where it needs no fold.
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

    /// What an operation sees; `None` where it takes a fold to know.
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

    /// Whether the item has room for it.
    pub(super) fn check_room(&self, op: &Op) -> Result<(), ComposeError> {
        check_room(op, self.acts, self.labels.len(), self.comments)
    }

    /// Takes an edit that was made.
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

/// Whether an item with so much has room for an operation.
pub(super) fn check_room(op: &Op, acts: usize, labels: usize, comments: usize) -> Result<(), ComposeError> {
    let full = |what, max| Err(ComposeError::Full { what, max });
    match op {
        _ if acts >= limits::ACTS_PER_ITEM => full("acts", limits::ACTS_PER_ITEM),
        Op::AddLabel { .. } if labels >= limits::LABELS => full("labels", limits::LABELS),
        Op::Comment { .. } if comments >= limits::COMMENTS => full("comments", limits::COMMENTS),
        _ => Ok(()),
    }
}

/// Whether an operation only edits.
pub(super) fn is_edit(op: &Op) -> bool {
    edited(op).is_some()
}

/// The one register of an edit.
fn edited(op: &Op) -> Option<Register> {
    if op.verb().is_some() || matches!(op, Op::Create { .. } | Op::Settle { .. } | Op::Unknown) {
        return None;
    }
    // Who passes the item through QA decides what a transition writes, and nothing of an edit.
    let mut registers = writes(op, towline_proto::Qa::Agent);
    let register = registers.pop()?;
    registers.is_empty().then_some(register)
}
