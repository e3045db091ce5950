//! What the model and the fold are compared in.

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::fold::{ActOutcome, FoldedItem};
use towline_proto::stage::{Blocked, Claim};
use towline_proto::{
    ActId, Closing, Column, CriterionState, FailureKind, ItemId, Kind, LinkKind, NodeId, Op, Qa, Register,
    Rule,
};

use super::sight::Sight;
use super::{Model, Set};

/// What became of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Effective,
    Superseded,
    /// By which rule, while the contest is open.
    Overtaken(Option<Rule>),
    Refused,
}

impl Class {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Superseded => "superseded",
            Self::Overtaken(Some(_)) => "overtaken, open",
            Self::Overtaken(None) => "overtaken, settled",
            Self::Refused => "refused",
        }
    }
}

/// Everything that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
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
    pub(crate) refused: Set,
    pub(crate) conflicts: BTreeSet<(Register, ActId, Set)>,
    pub(crate) fates: BTreeMap<ActId, Class>,
    /// What each act is about, and all that it replaces.
    pub(crate) writes: BTreeMap<ActId, (Option<Register>, BTreeSet<Register>)>,
}

/// What an act is about, and all that it replaces.
fn written(writes: &[Register]) -> (Option<Register>, BTreeSet<Register>) {
    (writes.first().cloned(), writes.iter().cloned().collect())
}

impl Told {
    /// What the fold says.
    pub(crate) fn by_fold(folded: &FoldedItem<'_>) -> Self {
        let view = folded.view.clone();
        let open = |id: &ActId| view.conflicts.iter().any(|conflict| conflict.losers.contains(id));
        let class = |id: &ActId, outcome: &ActOutcome| match outcome {
            ActOutcome::Effective => Class::Effective,
            ActOutcome::Superseded { .. } => Class::Superseded,
            ActOutcome::Overridden { rule, .. } => Class::Overtaken(Some(*rule).filter(|_| open(id))),
            ActOutcome::Refused(_) => Class::Refused,
        };
        let fates: BTreeMap<ActId, Class> = folded
            .acts
            .iter()
            .map(|(id, act)| (*id, class(id, &act.outcome)))
            .collect();
        let refused = fates.iter().filter(|(_, class)| **class == Class::Refused);
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
            fates,
            writes: folded
                .acts
                .iter()
                .map(|(id, act)| (*id, written(&act.writes)))
                .collect(),
        }
    }
}

impl Model<'_> {
    /// What the model says; `all` are the ids of all acts, also of those that are not in their place.
    pub(crate) fn tell(&self, all: &Set) -> Told {
        let standing = self.accepted();
        let sight = self.judge(&standing, Some(&standing));
        let (column, closing) = sight.place.clone().expect("a creation");
        let claim = sight.claim.as_ref();
        let conflicts = sight.contests.iter();
        Told {
            column,
            closing,
            frozen: sight.frozen,
            blocked: sight.blocked.clone(),
            review: sight.review,
            failure: sight.failure,
            trash: (sight.deleted, sight.purged),
            claim: claim.map(|held| (held.holder.clone(), held.generation, held.node)),
            generation: sight.generation,
            fields: (
                sight.title.clone().expect("a creation"),
                sight.kind.expect("a creation"),
                sight.priority.expect("a creation"),
                sight.qa.expect("a creation"),
                sight.epic,
                sight.assignee.clone(),
            ),
            labels: sight.labels.clone(),
            depends_on: sight.depends_on.clone(),
            links: sight.links.clone(),
            criteria: self.criteria(&standing, &sight),
            settings: sight.settings.clone(),
            comments: self.comments(&standing),
            retries: sight.ruling.map_or(0, |ruling| self.retries(ruling)),
            refused: all.difference(&standing).copied().collect(),
            conflicts: conflicts
                .map(|contest| {
                    let losers = contest.losers.keys().copied().collect();
                    (contest.register.clone(), contest.winner, losers)
                })
                .collect(),
            fates: all
                .iter()
                .map(|id| (*id, self.outcome(*id, &standing, &sight)))
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
        let in_backlog = |place: &super::Place| place.0 <= Column::Backlog;
        let from = known.sight.place.as_ref();
        let leaves = from.is_none_or(in_backlog) && !known.to.as_ref().is_some_and(in_backlog);
        match known.sight.ruling {
            Some(before) if !leaves => sent_back + self.retries(before),
            _ => sent_back,
        }
    }

    fn outcome(&self, id: ActId, standing: &Set, sight: &Sight) -> Class {
        if !standing.contains(&id) {
            return Class::Refused;
        }
        if let Some(rule) = sight.lost(&id) {
            return Class::Overtaken(Some(rule));
        }
        let about = &self.known[&id].writes[0];
        let adds = matches!(about, Register::Comments | Register::Body | Register::Criteria);
        let counts = sight.counting.values().any(|counting| counting.contains(&id));
        let goes_on = sight.waiting && sight.mover == Some(id);
        if adds || counts || goes_on || self.heads(standing, about).contains(&id) {
            return Class::Effective;
        }
        let later = standing.iter().map(|later| &self.known[later]);
        let mut replaced_by =
            later.filter(|later| later.writes(about) && self.heads(&later.named, about).contains(&id));
        if replaced_by.all(|later| later.sight.lost(&id).is_some()) {
            Class::Overtaken(None)
        } else {
            Class::Superseded
        }
    }
}

impl Told {
    /// Where the two differ, a line each.
    pub(crate) fn against(&self, model: &Self) -> String {
        let lines = |told: &Self| -> Vec<String> {
            let all = format!("{told:#?}");
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
