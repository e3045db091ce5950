//! What somebody has in front of them who knows a set of acts: where the item stands, what holds it,
//! what contends.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{
    ActId, CriterionState, FailureKind, ItemId, ItemState, Kind, LinkKind, Millis, NodeId, Op, Qa, Register,
    Rule,
};

use super::{Model, Place, Set};

/// A contest that somebody lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contest {
    pub(crate) register: Register,
    pub(crate) winner: ActId,
    /// Who lost, and by which rule.
    pub(crate) losers: BTreeMap<ActId, Rule>,
}

/// Who works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) holder: String,
    pub(super) generation: u32,
    pub(super) node: NodeId,
    pub(super) at: Millis,
}

/// Everything that somebody sees.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    pub(super) place: Option<Place>,
    /// The act that put it there.
    pub(super) ruling: Option<ActId>,
    /// What an act must name to count in this column: the acts that rule it, and those that were made
    /// apart and want the same.
    pub(super) rulers: Set,
    /// The head of the column that stands, or stood before the exits that wait.
    pub(super) mover: Option<ActId>,
    /// Whether nothing but exits contend, and all wait for a hold.
    pub(super) waiting: bool,
    /// The highest generation that was ever given.
    pub(super) generation: u32,
    pub(super) frozen: bool,
    pub(super) blocked: Option<String>,
    pub(super) review: bool,
    pub(super) failure: Option<(FailureKind, bool)>,
    pub(super) deleted: bool,
    pub(super) purged: bool,
    pub(super) claim: Option<Held>,
    /// The acts about review, failure and claim that count here.
    pub(super) counting: BTreeMap<Register, Set>,
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
    /// Of the project's settings, where the document is that.
    pub(super) settings: BTreeMap<String, Option<String>>,
    pub(super) contests: Vec<Contest>,
}

impl Sight {
    /// What the table asks for; nothing for somebody who has not seen the item.
    pub(super) fn state(&self) -> Option<ItemState> {
        let (column, _) = self.place.as_ref()?;
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

    /// Whether an act lost a contest here.
    pub(super) fn lost(&self, act: &ActId) -> Option<Rule> {
        let mut contests = self.contests.iter();
        contests.find_map(|contest| contest.losers.get(act).copied())
    }
}

impl Model<'_> {
    /// What somebody sees who names these. Whether a purge counts can only be told from `all` acts
    /// that there are.
    pub(super) fn judge(&self, among: &Set, all: Option<&Set>) -> Sight {
        let mut sight = Sight::default();
        for register in self.registers(among) {
            self.judge_value(among, &register, &mut sight);
        }
        self.judge_trash(among, all, &mut sight);
        self.judge_hold(among, Register::Frozen, &mut sight);
        self.judge_hold(among, Register::Blocked, &mut sight);
        self.judge_column(among, &mut sight);
        self.judge_tied(among, &mut sight);
        sight.contests.retain(|contest| !contest.losers.is_empty());
        sight
    }

    fn judge_hold(&self, among: &Set, register: Register, sight: &mut Sight) {
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
        let (setting, lifting): (Set, Set) = heads.iter().copied().partition(sets);
        if register == Register::Frozen {
            sight.frozen = true;
        } else {
            sight.blocked = Some(reasons.join("; "));
        }
        self.contest(register, &setting, &lifting, Rule::Cautious, sight);
    }

    fn judge_trash(&self, among: &Set, all: Option<&Set>, sight: &mut Sight) {
        let heads = self.heads(among, &Register::Deleted);
        let want = |id: &ActId| match self.effect_op(*id) {
            Op::Delete { .. } => 0,
            Op::Restore => 1,
            _ => 2,
        };
        let Some(first) = heads.iter().map(want).min() else {
            return;
        };
        let (winning, losing): (Set, Set) = heads.iter().copied().partition(|id| want(id) == first);
        sight.deleted = first != 1;
        sight.purged = first == 2
            && winning.iter().any(|purge| {
                let known = &self.known[purge];
                let trash = |id| matches!(self.effect_op(id), Op::Delete { .. } | Op::Restore | Op::Purge);
                let past = |id: &ActId| known.past.contains(id) || trash(*id);
                all.is_some_and(|all| all.iter().all(past))
            });
        self.contest(Register::Deleted, &winning, &losing, Rule::Cautious, sight);
    }

    /// Who of several that want the same stands for them: the higher role, then the smaller hash.
    pub(super) fn foremost(&self, ids: &Set) -> Option<ActId> {
        let mut ids: Vec<ActId> = ids.iter().copied().collect();
        ids.sort_by_key(|id| {
            let known = &self.known[id];
            (std::cmp::Reverse(known.role), known.record.hash)
        });
        ids.first().copied()
    }

    pub(super) fn contest(
        &self,
        register: Register,
        winning: &Set,
        losing: &Set,
        rule: Rule,
        sight: &mut Sight,
    ) {
        let Some(winner) = self.foremost(winning) else {
            return;
        };
        let losers = losing.iter().map(|loser| (*loser, rule)).collect();
        sight.contests.push(Contest {
            register,
            winner,
            losers,
        });
    }
}
