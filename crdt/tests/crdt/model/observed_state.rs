//! The state that somebody observes who knows a set of acts: column, holds, fields and conflicts.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{
    ActId, CriterionState, FailureKind, ItemId, ItemState, Kind, LinkKind, Millis, NodeId, Op, Qa, Register,
    Rule,
};

use super::{ActSet, ColumnValue, Model};

/// A register with its winner and losers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModelConflict {
    pub(crate) register: Register,
    pub(crate) winner: ActId,
    /// The losers, with the rules.
    pub(crate) losers: BTreeMap<ActId, Rule>,
}

/// The claim in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelClaim {
    pub(super) holder: String,
    pub(super) generation: u32,
    pub(super) node: NodeId,
    pub(super) at: Millis,
}

/// The observed state.
#[derive(Debug, Clone, Default)]
pub(super) struct ObservedState {
    pub(super) column_value: Option<ColumnValue>,
    /// The act that put it there.
    pub(super) ruling: Option<ActId>,
    /// The acts of which another must name one to belong to this column visit: those that put the item here, and
    /// concurrent ones with the same value.
    pub(super) rulers: ActSet,
    /// The head of the column in effect, or the one before the pending exits.
    pub(super) mover: Option<ActId>,
    /// Whether all heads are pending exits.
    pub(super) waiting: bool,
    /// The highest claim generation.
    pub(super) generation: u32,
    pub(super) frozen: bool,
    pub(super) blocked: Option<String>,
    pub(super) review: bool,
    pub(super) failure: Option<(FailureKind, bool)>,
    pub(super) deleted: bool,
    pub(super) purged: bool,
    pub(super) claim: Option<ModelClaim>,
    /// The acts in effect about review, failure and claim.
    pub(super) counting: BTreeMap<Register, ActSet>,
    pub(super) title: Option<String>,
    pub(super) kind: Option<Kind>,
    pub(super) priority: Option<u8>,
    pub(super) qa: Option<Qa>,
    pub(super) epic: Option<ItemId>,
    pub(super) assignee: Option<String>,
    pub(super) labels: BTreeSet<String>,
    pub(super) depends_on: BTreeSet<ItemId>,
    pub(super) links: BTreeSet<(LinkKind, String)>,
    pub(super) criteria: BTreeMap<ActId, CriterionState>,
    /// The project's settings, in the settings document.
    pub(super) settings: BTreeMap<String, Option<String>>,
    pub(super) conflicts: Vec<ModelConflict>,
}

impl ObservedState {
    /// The input of the transition table; `None` for an author who has not seen the item.
    pub(super) fn state(&self) -> Option<ItemState> {
        let (column, _) = self.column_value.as_ref()?;
        Some(ItemState {
            column: *column,
            kind: self.kind.unwrap_or(Kind::Story),
            frozen: self.frozen,
            blocked: self.blocked.is_some(),
            review: self.review,
            failure: self.failure.is_some(),
            claimed: self.claim.is_some(),
            deleted: self.deleted,
            purged: self.purged,
        })
    }

    /// Whether an act lost a conflict here.
    pub(super) fn lost(&self, act: &ActId) -> Option<Rule> {
        let mut conflicts = self.conflicts.iter();
        conflicts.find_map(|conflict| conflict.losers.get(act).copied())
    }
}

impl Model<'_> {
    /// The state of an author who names these acts. Whether a purge takes effect depends on `all` acts.
    pub(super) fn observe(&self, among: &ActSet, all: Option<&ActSet>) -> ObservedState {
        let mut observed = ObservedState::default();
        for register in self.registers(among) {
            self.observe_value(among, &register, &mut observed);
        }
        self.observe_trash(among, all, &mut observed);
        self.observe_hold(among, Register::Frozen, &mut observed);
        self.observe_hold(among, Register::Blocked, &mut observed);
        self.observe_column(among, &mut observed);
        self.observe_column_scoped(among, &mut observed);
        observed.conflicts.retain(|conflict| !conflict.losers.is_empty());
        observed
    }

    fn observe_hold(&self, among: &ActSet, register: Register, observed: &mut ObservedState) {
        let heads = self.heads(among, &register);
        let reasons: BTreeSet<&str> = heads
            .iter()
            .filter_map(|id| match self.effect_op(*id) {
                Op::Freeze => Some("on ice"),
                Op::Block { reason } => Some(reason.as_str()),
                _ => None,
            })
            .collect();
        if reasons.is_empty() {
            return;
        }
        let reasons: Vec<&str> = reasons.into_iter().collect();
        let sets = |id: &ActId| matches!(self.effect_op(*id), Op::Freeze | Op::Block { .. });
        let (setting, lifting): (ActSet, ActSet) = heads.iter().copied().partition(sets);
        if register == Register::Frozen {
            observed.frozen = true;
        } else {
            observed.blocked = Some(reasons.join("; "));
        }
        self.add_conflict(register, &setting, &lifting, Rule::Cautious, observed);
    }

    fn observe_trash(&self, among: &ActSet, all: Option<&ActSet>, observed: &mut ObservedState) {
        let heads = self.heads(among, &Register::Deleted);
        let want = |id: &ActId| match self.effect_op(*id) {
            Op::Delete { .. } => 0,
            Op::Restore => 1,
            _ => 2,
        };
        let Some(first) = heads.iter().map(want).min() else {
            return;
        };
        let (winning, losing): (ActSet, ActSet) = heads.iter().copied().partition(|id| want(id) == first);
        observed.deleted = first != 1;
        observed.purged = first == 2
            && winning.iter().any(|purge| {
                let known = &self.known[purge];
                let trash = |id| matches!(self.effect_op(id), Op::Delete { .. } | Op::Restore | Op::Purge);
                let past = |id: &ActId| known.past.contains(id) || trash(*id);
                all.is_some_and(|all| all.iter().all(past))
            });
        self.add_conflict(Register::Deleted, &winning, &losing, Rule::Cautious, observed);
    }

    /// The first of several acts with the same value: the higher role, then the smaller hash.
    pub(super) fn foremost(&self, ids: &ActSet) -> Option<ActId> {
        let mut ids: Vec<ActId> = ids.iter().copied().collect();
        ids.sort_by_key(|id| {
            let known = &self.known[id];
            (std::cmp::Reverse(known.role), known.record.hash)
        });
        ids.first().copied()
    }

    pub(super) fn add_conflict(
        &self,
        register: Register,
        winning: &ActSet,
        losing: &ActSet,
        rule: Rule,
        observed: &mut ObservedState,
    ) {
        let Some(winner) = self.foremost(winning) else {
            return;
        };
        let losers = losing.iter().map(|loser| (*loser, rule)).collect();
        observed.conflicts.push(ModelConflict {
            register,
            winner,
            losers,
        });
    }
}
