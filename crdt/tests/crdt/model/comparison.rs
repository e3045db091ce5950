//! The summary of an item in which the model and the fold are compared.

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::fold::{ActOutcome, FoldedItem};
use towline_proto::stage::{Blocked, Claim};
use towline_proto::{
    ActId, Closing, Column, CriterionState, FailureKind, ItemId, Kind, LinkKind, NodeId, Op, Qa, Register,
    Rule,
};

use super::observed_state::ObservedState;
use super::{ActSet, Model};

/// The outcome of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutcomeClass {
    Effective,
    Superseded,
    /// By which rule, while the conflict is open.
    Overridden(Option<Rule>),
    Refused,
}

impl OutcomeClass {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Superseded => "superseded",
            Self::Overridden(Some(_)) => "overtaken, open",
            Self::Overridden(None) => "overtaken, settled",
            Self::Refused => "refused",
        }
    }
}

/// Everything that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) column: Column,
    pub(crate) closing: Option<Closing>,
    pub(crate) frozen: bool,
    pub(crate) blocked: Option<String>,
    pub(crate) review: bool,
    pub(crate) failure: Option<(FailureKind, bool)>,
    pub(crate) trash: (bool, bool),
    pub(crate) claim: Option<(String, u32, NodeId)>,
    pub(crate) generation: u32,
    pub(crate) fields: (String, Kind, u8, Qa, Option<ItemId>, Option<String>),
    pub(crate) labels: BTreeSet<String>,
    pub(crate) depends_on: BTreeSet<ItemId>,
    pub(crate) links: BTreeSet<(LinkKind, String)>,
    pub(crate) criteria: BTreeMap<ActId, CriterionState>,
    pub(crate) settings: BTreeMap<String, Option<String>>,
    pub(crate) comments: u32,
    pub(crate) retries: u32,
    pub(crate) refused: ActSet,
    pub(crate) conflicts: BTreeSet<(Register, ActId, ActSet)>,
    pub(crate) outcomes: BTreeMap<ActId, OutcomeClass>,
    /// The main register of each act, and all registers that it writes.
    pub(crate) writes: BTreeMap<ActId, (Option<Register>, BTreeSet<Register>)>,
}

/// The main register of an act, and all registers that it writes.
fn written(writes: &[Register]) -> (Option<Register>, BTreeSet<Register>) {
    (writes.first().cloned(), writes.iter().cloned().collect())
}

impl Comparison {
    /// The summary of a fold.
    pub(crate) fn by_fold(folded: &FoldedItem<'_>) -> Self {
        let view = folded.view.clone();
        let open = |id: &ActId| view.conflicts.iter().any(|conflict| conflict.losers.contains(id));
        let class = |id: &ActId, outcome: &ActOutcome| match outcome {
            ActOutcome::Effective => OutcomeClass::Effective,
            ActOutcome::Superseded { .. } => OutcomeClass::Superseded,
            ActOutcome::Overridden { rule, .. } => OutcomeClass::Overridden(Some(*rule).filter(|_| open(id))),
            ActOutcome::Refused(_) => OutcomeClass::Refused,
        };
        let outcomes: BTreeMap<ActId, OutcomeClass> = folded
            .acts
            .iter()
            .map(|(id, act)| (*id, class(id, &act.outcome)))
            .collect();
        let refused = outcomes
            .iter()
            .filter(|(_, class)| **class == OutcomeClass::Refused);
        let refused = refused.map(|(id, _)| *id).collect();
        let conflicts = view.conflicts.into_iter();
        Self {
            column: view.column,
            closing: view.closing,
            frozen: view.holds.frozen,
            blocked: view.holds.blocked.map(|Blocked { reason }| reason),
            review: view.holds.review,
            failure: view.holds.failure.map(|failure| (failure.kind, failure.is_final)),
            trash: (view.deleted, view.purged),
            claim: view.claim.map(
                |Claim {
                     holder,
                     generation,
                     node,
                     ..
                 }| (holder, generation, node),
            ),
            generation: view.generation,
            fields: (
                view.title,
                view.kind,
                view.priority,
                view.qa,
                view.epic,
                view.assignee,
            ),
            labels: view.labels.into_iter().collect(),
            depends_on: view.depends_on.into_iter().collect(),
            links: view
                .links
                .into_iter()
                .map(|link| (link.kind, link.target))
                .collect(),
            criteria: view.criteria.iter().map(|one| (one.id, one.state)).collect(),
            settings: folded
                .settings()
                .into_iter()
                .map(|(key, act)| (key.to_owned(), folded.setting(&act)))
                .collect(),
            comments: view.comments,
            retries: view.retries,
            refused,
            conflicts: conflicts
                .map(|conflict| {
                    let losers = conflict.losers.into_iter().collect();
                    (conflict.register, conflict.winner, losers)
                })
                .collect(),
            outcomes,
            writes: folded
                .acts
                .iter()
                .map(|(id, act)| (*id, written(&act.writes)))
                .collect(),
        }
    }
}

impl Model<'_> {
    /// The summary of the model; `all` are the ids of all acts, including those with missing predecessors.
    pub(crate) fn compare(&self, all: &ActSet) -> Comparison {
        let standing = self.accepted();
        let observed = self.observe(&standing, Some(&standing));
        let (column, closing) = observed.column_value.clone().expect("a creation");
        let claim = observed.claim.as_ref();
        let conflicts = observed.conflicts.iter();
        Comparison {
            column,
            closing,
            frozen: observed.frozen,
            blocked: observed.blocked.clone(),
            review: observed.review,
            failure: observed.failure,
            trash: (observed.deleted, observed.purged),
            claim: claim.map(|held| (held.holder.clone(), held.generation, held.node)),
            generation: observed.generation,
            fields: (
                observed.title.clone().expect("a creation"),
                observed.kind.expect("a creation"),
                observed.priority.expect("a creation"),
                observed.qa.expect("a creation"),
                observed.epic,
                observed.assignee.clone(),
            ),
            labels: observed.labels.clone(),
            depends_on: observed.depends_on.clone(),
            links: observed.links.clone(),
            criteria: self.criteria(&standing, &observed),
            settings: observed.settings.clone(),
            comments: self.comments(&standing),
            retries: observed.ruling.map_or(0, |ruling| self.retries(ruling)),
            refused: all.difference(&standing).copied().collect(),
            conflicts: conflicts
                .map(|conflict| {
                    let losers = conflict.losers.keys().copied().collect();
                    (conflict.register.clone(), conflict.winner, losers)
                })
                .collect(),
            outcomes: all
                .iter()
                .map(|id| (*id, self.outcome(*id, &standing, &observed)))
                .collect(),
            writes: all
                .iter()
                .map(|id| {
                    let writes = self.known.get(id).map(|known| known.writes.as_slice());
                    (*id, written(writes.unwrap_or_default()))
                })
                .collect(),
        }
    }

    /// How often it was sent back since it last left the backlog, up to this step.
    fn retries(&self, step: ActId) -> u32 {
        let known = &self.known[&step];
        let sent_back = u32::from(matches!(known.op(), Op::RequestChanges { .. }));
        let in_backlog = |place: &super::ColumnValue| place.0 <= Column::Backlog;
        let from = known.observed.column_value.as_ref();
        let leaves = from.is_none_or(in_backlog) && !known.to.as_ref().is_some_and(in_backlog);
        match known.observed.ruling {
            Some(before) if !leaves => sent_back + self.retries(before),
            _ => sent_back,
        }
    }

    fn outcome(&self, id: ActId, standing: &ActSet, observed: &ObservedState) -> OutcomeClass {
        if !standing.contains(&id) {
            return OutcomeClass::Refused;
        }
        if let Some(rule) = observed.lost(&id) {
            return OutcomeClass::Overridden(Some(rule));
        }
        let about = &self.known[&id].writes[0];
        let adds = matches!(about, Register::Comments | Register::Body | Register::Criteria);
        let counts = observed.counting.values().any(|counting| counting.contains(&id));
        let goes_on = observed.waiting && observed.mover == Some(id);
        if adds || counts || goes_on || self.heads(standing, about).contains(&id) {
            return OutcomeClass::Effective;
        }
        let later = standing.iter().map(|later| &self.known[later]);
        let mut replaced_by =
            later.filter(|later| later.writes(about) && self.heads(&later.named, about).contains(&id));
        if replaced_by.all(|later| later.observed.lost(&id).is_some()) {
            OutcomeClass::Overridden(None)
        } else {
            OutcomeClass::Superseded
        }
    }
}

impl Comparison {
    /// The differences, one per line.
    pub(crate) fn against(&self, model: &Self) -> String {
        let lines = |comparison: &Self| -> Vec<String> {
            let all = format!("{comparison:#?}");
            all.lines().map(str::to_owned).collect()
        };
        let (ours, theirs) = (lines(self), lines(model));
        let only = |some: &[String], others: &[String], who: &str| -> String {
            let missing = some.iter().filter(|line| !others.contains(line));
            missing.map(|line| format!("{who}: {}\n", line.trim())).collect()
        };
        only(&ours, &theirs, "fold") + &only(&theirs, &ours, "model")
    }
}
