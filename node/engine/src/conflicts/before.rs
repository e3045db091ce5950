//! The value that a field had before concurrent edits competed for it, so that pages can show each side as a change.
//!
//! Relies on the timeline of the item. What is no field has none. Decides nothing.

use towline_api::types::{HistoryLine, LineValue};
use towline_crdt::fold::FoldedItem;
use towline_crdt::view::Conflict;
use towline_proto::{CriterionState, EditKind, Op, OpKind, Register};

use crate::query::QueryContext;

impl QueryContext<'_> {
    /// The value before the first of the competing acts; `lines` is the timeline, oldest first.
    pub(super) fn value_before(
        &self,
        folded: &FoldedItem<'_>,
        lines: &[HistoryLine],
        conflict: &Conflict,
    ) -> Option<LineValue> {
        let edit = edit_of(&conflict.register)?;
        let competes =
            |line: &HistoryLine| line.act == conflict.winner || conflict.losers.contains(&line.act);
        let first = lines.iter().position(competes)?;
        let mut earlier = lines.iter().take(first).rev().filter(|line| !line.is_lost());
        let found = earlier.find_map(|line| {
            let op = &folded.acts.get(&line.act)?.record.act.op;
            match op {
                Op::Resolve { over, .. } if *over == conflict.register => match &line.value {
                    Some(LineValue::Resolution { kept, .. }) => kept.as_ref()?.value.clone(),
                    _ => None,
                },
                Op::SetCriterion { criterion, .. } => {
                    (conflict.register == Register::Criterion(*criterion)).then(|| line.value.clone())?
                }
                _ if line.what == OpKind::Edit(edit) => line.value.clone(),
                _ => None,
            }
        });
        found.or_else(|| created_with(folded, &conflict.register))
    }
}

/// The edit of a register that is a field.
const fn edit_of(register: &Register) -> Option<EditKind> {
    match register {
        Register::Title => Some(EditKind::Title),
        Register::Kind => Some(EditKind::Kind),
        Register::Priority => Some(EditKind::Priority),
        Register::Qa => Some(EditKind::Qa),
        Register::Epic => Some(EditKind::Epic),
        Register::Assignee => Some(EditKind::Assign),
        Register::Criterion(_) => Some(EditKind::SetCriterion),
        _ => None,
    }
}

/// The value of a field of a new item.
fn created_with(folded: &FoldedItem<'_>, register: &Register) -> Option<LineValue> {
    match register {
        Register::Epic => return Some(LineValue::Epic { epic: None }),
        Register::Assignee => return Some(LineValue::Assignee { who: None }),
        Register::Criterion(_) => {
            return Some(LineValue::Judgement {
                state: CriterionState::Open,
                evidence: None,
            });
        }
        _ => {}
    }
    let mut ops = folded.acts.values().map(|act| &act.record.act.op);
    ops.find_map(|op| match (op, register) {
        (Op::Create { title, .. }, Register::Title) => Some(LineValue::Title { title: title.clone() }),
        (Op::Create { kind, .. }, Register::Kind) => Some(LineValue::Kind { kind: *kind }),
        (Op::Create { priority, .. }, Register::Priority) => {
            Some(LineValue::Priority { priority: *priority })
        }
        (Op::Create { qa, .. }, Register::Qa) => Some(LineValue::Qa { qa: *qa }),
        _ => None,
    })
}
