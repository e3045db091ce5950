//! Computes the parts of a row that hold several values: labels, dependencies, links, criteria and comments.
//!
//! Reads the finished fold and changes nothing. None of these can conflict: of a set member, adding wins against
//! a concurrent removal, and of several judgements of a criterion the most cautious one is in effect.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, CriterionState, ItemId, Op, Register};

use super::conflict::state_of;
use super::{ActOutcome, FoldState, FoldedAct};
use crate::members::Roles;
use crate::view::{Criterion, Link};

/// Labels, dependencies and links.
#[derive(Default)]
pub(super) struct Sets {
    pub(super) labels: Vec<String>,
    pub(super) depends_on: Vec<ItemId>,
    pub(super) links: Vec<Link>,
}

/// Lists that only grow.
#[derive(Default)]
pub(super) struct AppendOnly {
    pub(super) criteria: Vec<Criterion>,
    pub(super) comments: u32,
    pub(super) body_edit: Option<ActId>,
}

impl<R: Roles> FoldState<'_, R> {
    pub(super) fn project_sets(&self) -> Sets {
        let mut sets = Sets::default();
        for heads in self.heads.values() {
            let Some(op) = heads.iter().filter_map(|id| self.op(id)).find(|op| adds(op)) else {
                continue;
            };
            match op {
                Op::AddLabel { label } => sets.labels.push(label.clone()),
                Op::AddDependency { on } => sets.depends_on.push(*on),
                Op::AddLink { kind, target } => sets.links.push(Link {
                    kind: *kind,
                    target: target.clone(),
                }),
                _ => {}
            }
        }
        sets.labels.sort();
        sets.depends_on.sort_unstable();
        sets.links.sort();
        sets
    }

    pub(super) fn project_lists(&self) -> AppendOnly {
        let mut lists = AppendOnly::default();
        let mut evidence: BTreeMap<ActId, BTreeSet<&String>> = BTreeMap::new();
        let mut in_time: Vec<_> = self.acts.iter().filter(|(_, act)| !is_refused(act)).collect();
        in_time.sort_by_key(|(_, act)| (act.record.act.at, act.order));
        for (id, act) in in_time {
            match &act.record.act.op {
                Op::Comment { .. } | Op::AddCriterion { .. } if act.duplicate_of.is_some() => {}
                Op::Comment { .. } => lists.comments = lists.comments.saturating_add(1),
                Op::EditBody => lists.body_edit = Some(*id),
                Op::AddCriterion { text } => lists.criteria.push(Criterion {
                    id: *id,
                    text: text.clone(),
                    state: self.criterion_state(id),
                    evidence: Vec::new(),
                }),
                Op::SetCriterion {
                    criterion,
                    evidence: Some(proof),
                    ..
                } => {
                    evidence.entry(*criterion).or_default().insert(proof);
                }
                _ => {}
            }
        }
        // In one pass over the acts: an item can have as many criteria as acts.
        for criterion in &mut lists.criteria {
            let given = evidence.remove(&criterion.id).into_iter().flatten();
            criterion.evidence = given.cloned().collect();
        }
        lists
    }

    fn criterion_state(&self, criterion: &ActId) -> CriterionState {
        let state = self.field(&Register::Criterion(*criterion), state_of);
        state.unwrap_or(CriterionState::Open)
    }
}

/// Whether an act was refused. Acts that name a missing act are, and are not shown.
const fn is_refused(act: &FoldedAct<'_>) -> bool {
    matches!(act.outcome, ActOutcome::Refused(_))
}

const fn adds(op: &Op) -> bool {
    matches!(
        op,
        Op::AddLabel { .. } | Op::AddDependency { .. } | Op::AddLink { .. }
    )
}
