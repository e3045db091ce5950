//! Updates the acceptance criteria of an imported item.
//!
//! A criterion is found by its text. A judgement made here is not reverted by what the other tracker does not
//! say: an unticked box there only means that nobody looked, and a criterion that disappeared there becomes
//! skipped only if nobody but imports ever judged it. Works on the row and the acts alone; nothing is looked
//! up or written here.

use std::collections::BTreeSet;

use towline_crdt::doc::Acts;
use towline_crdt::view::ItemView;
use towline_proto::{ActId, CriterionState, Op, OriginKind};

use super::draft::ItemDrafts;

pub(super) fn update_criteria(drafting: &mut ItemDrafts<'_>, row: &ItemView, acts: &Acts) {
    let item = drafting.item;
    let judged_here: BTreeSet<ActId> = acts
        .values()
        .filter(|record| record.act.origin.kind != OriginKind::Import)
        .filter_map(|record| match &record.act.op {
            Op::SetCriterion { criterion, .. } => Some(*criterion),
            _ => None,
        })
        .collect();
    for (place, criterion) in item.criteria.iter().enumerate() {
        let Some(there) = row.criteria.iter().find(|there| there.text == criterion.text) else {
            drafting.criterion(item.updated_at, place, criterion);
            continue;
        };
        let says_nothing = criterion.state == CriterionState::Open && judged_here.contains(&there.id);
        if there.state != criterion.state && !says_nothing {
            judge(drafting, there.id, criterion.state);
        }
    }
    for there in &row.criteria {
        let made_by_import = acts
            .get(&there.id)
            .is_some_and(|record| record.act.origin.kind == OriginKind::Import);
        let still_said = item.criteria.iter().any(|criterion| criterion.text == there.text);
        let settled = there.state == CriterionState::Skipped || judged_here.contains(&there.id);
        if made_by_import && !still_said && !settled {
            judge(drafting, there.id, CriterionState::Skipped);
        }
    }
}

fn judge(drafting: &mut ItemDrafts<'_>, criterion: ActId, state: CriterionState) {
    drafting.changed(Op::SetCriterion {
        criterion,
        state,
        evidence: None,
    });
}
