//! Disputes: who lost to whom, about what and why.
//!
//! Relies on what [`super::observed_state`] and [`super::resolution`] decided; each losing act is in one dispute.
//! At the end of a fold the disputes among the heads become the row's conflicts.

use towline_proto::{ActId, CriterionState, ItemId, Kind, Op, Qa, Register, Rule};

use super::column::ColumnResolution;
use super::observed_state::ObservedState;
use super::resolution::{self, Resolution};
use super::{ActOutcome, FoldState, Loser, effect};
use crate::members::Roles;
use crate::view::Conflict;

/// A contest that somebody lost.
#[derive(Debug)]
pub(super) struct RegisterConflict {
    pub(super) register: Register,
    pub(super) winner: ActId,
    pub(super) losers: Vec<Loser>,
}

impl RegisterConflict {
    fn new(register: Register, winner: Option<ActId>, losers: Vec<Loser>) -> Option<Self> {
        let winner = winner.or_else(|| losers.first().map(|lost| lost.by))?;
        (!losers.is_empty()).then_some(Self {
            register,
            winner,
            losers,
        })
    }

    /// Whether an act is one of the contenders.
    pub(super) fn has(&self, act: &ActId) -> bool {
        self.winner == *act || self.losers.iter().any(|lost| lost.act == *act)
    }

    /// The first rule that applies, in the order in which they are listed.
    pub(super) fn rule(&self) -> Rule {
        let rules = self.losers.iter().map(|lost| lost.rule);
        rules.min().unwrap_or(Rule::Cautious)
    }
}

/// The registers of the stage that can be contested.
const STAGE: [Register; 7] = [
    Register::Column,
    Register::Frozen,
    Register::Blocked,
    Register::Review,
    Register::Failure,
    Register::Deleted,
    Register::Claim,
];

impl<R: Roles> FoldState<'_, R> {
    /// All disputes among the heads.
    fn disputes(&self, sight: &ObservedState) -> Vec<RegisterConflict> {
        let fields = self.heads.keys().filter(|register| !STAGE.contains(register));
        let registers = STAGE.iter().chain(fields);
        registers
            .filter_map(|register| self.dispute(sight, register, || self.heads(register).to_vec()))
            .collect()
    }

    /// The dispute about one register, if there is one: somebody can make thousands of registers, and
    /// whoever settles looks at one. `heads` gives its heads.
    pub(super) fn dispute(
        &self,
        sight: &ObservedState,
        register: &Register,
        heads: impl FnOnce() -> Vec<ActId>,
    ) -> Option<RegisterConflict> {
        if STAGE.contains(register) {
            return self.stage_dispute(sight, register.clone());
        }
        if !register.can_conflict() {
            return None;
        }
        let heads = heads();
        let losers = match heads.len() {
            0 | 1 => Vec::new(),
            _ => self.field_losers(register, &heads),
        };
        RegisterConflict::new(register.clone(), None, losers)
    }

    fn stage_dispute(&self, sight: &ObservedState, register: Register) -> Option<RegisterConflict> {
        let flag = |outcome: &Resolution| (outcome.winner, outcome.losers.clone());
        let (winner, losers) = match &register {
            Register::Column => {
                let column = sight.column.as_ref()?;
                // What the item left behind it lost to the act that led it away.
                let by = column.act.unwrap_or(column.winner);
                let left = sight.left.iter().map(|act| Loser {
                    act: *act,
                    by,
                    rule: Rule::ColumnLeft,
                });
                let winner = if column.losers.is_empty() {
                    by
                } else {
                    column.winner
                };
                (Some(winner), column.losers.iter().copied().chain(left).collect())
            }
            Register::Frozen => flag(&sight.frozen),
            Register::Blocked => flag(&sight.blocked),
            Register::Review => flag(&sight.review),
            Register::Failure => flag(&sight.failure),
            Register::Deleted => flag(&sight.trash),
            Register::Claim => (sight.claim.act, sight.claim.losers.clone()),
            _ => return None,
        };
        RegisterConflict::new(register, winner, losers)
    }

    /// Those that lost in front of the author of an act that writes `writes`; `heads` gives what contended
    /// there about a register.
    pub(super) fn lost(
        &self,
        sight: &ObservedState,
        writes: &[Register],
        heads: impl Fn(&Register) -> Vec<ActId>,
    ) -> Vec<Loser> {
        let contested = writes.iter().filter(|register| register.can_conflict());
        let left = sight.column.iter().flat_map(|column| left_behind(sight, column));
        let disputes = contested.flat_map(|register| {
            if STAGE.contains(register) {
                let dispute = self.stage_dispute(sight, register.clone());
                dispute.map(|dispute| dispute.losers).unwrap_or_default()
            } else {
                self.field_losers(register, &heads(register))
            }
        });
        disputes.chain(left).collect()
    }

    /// The outcome for a field or criterion, whatever its type.
    pub(super) fn field_outcome(&self, register: &Register, heads: &[ActId]) -> Resolution {
        let (acts, roles) = (&self.acts, self.roles);
        match register {
            Register::Title => resolution::field(acts, roles, heads, title_of),
            Register::Kind => resolution::field(acts, roles, heads, resolution::kind_of),
            Register::Priority => resolution::field(acts, roles, heads, priority_of),
            Register::Qa => resolution::field(acts, roles, heads, resolution::qa_of),
            Register::Epic => resolution::field(acts, roles, heads, epic_of),
            Register::Assignee => resolution::field(acts, roles, heads, assignee_of),
            Register::Imported => resolution::field(acts, roles, heads, imported_of),
            Register::Setting(_) => resolution::field(acts, roles, heads, setting_of),
            Register::Criterion(_) => resolution::judgement(acts, roles, heads, caution_of),
            _ => Resolution::default(),
        }
    }

    pub(super) fn field_losers(&self, register: &Register, heads: &[ActId]) -> Vec<Loser> {
        self.field_outcome(register, heads).losers
    }

    /// A field's value.
    pub(super) fn field<T>(&self, register: &Register, of: fn(&Op) -> Option<T>) -> Option<T> {
        let winner = self.field_outcome(register, self.heads(register)).winner?;
        of(effect(&self.acts, &winner)?)
    }

    /// Turns the disputes among the heads into conflicts and marks who lost in the timeline.
    pub(super) fn conflicts(&mut self, sight: &ObservedState) -> Vec<Conflict> {
        let disputes = self.disputes(sight);
        // What an exit that waits would end goes on, and so does what a settlement left as it was.
        let waiting = sight.column.as_ref().filter(|column| column.waits.is_some());
        let ruling = waiting.and_then(|column| column.act);
        for id in sight.found.all().chain(&ruling) {
            if let Some(act) = self.acts.get_mut(id) {
                act.outcome = ActOutcome::Effective;
            }
        }
        let mut conflicts: Vec<_> = disputes.iter().map(|dispute| self.conflict(dispute)).collect();
        for lost in disputes.iter().flat_map(|dispute| &dispute.losers) {
            if let Some(act) = self.acts.get_mut(&lost.act) {
                act.outcome = ActOutcome::Overridden {
                    by: lost.by,
                    rule: lost.rule,
                };
            }
        }
        conflicts.sort_by(|a, b| a.id.cmp(&b.id));
        conflicts
    }

    fn conflict(&self, dispute: &RegisterConflict) -> Conflict {
        let losers: Vec<ActId> = dispute.losers.iter().map(|lost| lost.act).collect();
        let mut contenders = losers.clone();
        contenders.push(dispute.winner);
        contenders.sort_unstable();
        contenders.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("towline/conflict/1");
        for id in &contenders {
            hasher.update(&id.0);
        }
        let since = contenders
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.record.act.at))
            .max();
        Conflict {
            id: towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8]),
            register: dispute.register.clone(),
            rule: dispute.rule(),
            winner: dispute.winner,
            losers,
            since: since.unwrap_or_default(),
        }
    }
}

/// What the item left behind it lost to the act that led it away.
fn left_behind<'s>(
    sight: &'s ObservedState,
    column: &'s ColumnResolution,
) -> impl Iterator<Item = Loser> + 's {
    let by = column.act.unwrap_or(column.winner);
    sight.left.iter().map(move |act| Loser {
        act: *act,
        by,
        rule: Rule::ColumnLeft,
    })
}

pub(super) fn title_of(op: &Op) -> Option<String> {
    match op {
        Op::Create { title, .. } | Op::SetTitle { title } => Some(title.clone()),
        _ => None,
    }
}

pub(super) const fn priority_of(op: &Op) -> Option<u8> {
    match op {
        Op::Create { priority, .. } | Op::SetPriority { priority } => Some(*priority),
        _ => None,
    }
}

pub(super) const fn epic_of(op: &Op) -> Option<Option<ItemId>> {
    match op {
        Op::SetEpic { epic } => Some(*epic),
        _ => None,
    }
}

pub(super) fn assignee_of(op: &Op) -> Option<Option<String>> {
    match op {
        Op::Assign { who } => Some(who.clone()),
        _ => None,
    }
}

pub(super) fn imported_of(op: &Op) -> Option<String> {
    match op {
        Op::MarkImport { digest, .. } => Some(digest.clone()),
        _ => None,
    }
}

pub(super) fn setting_of(op: &Op) -> Option<Option<String>> {
    match op {
        Op::Set { value, .. } => Some(value.clone()),
        _ => None,
    }
}

pub(super) const fn state_of(op: &Op) -> Option<CriterionState> {
    match op {
        Op::SetCriterion { state, .. } => Some(*state),
        _ => None,
    }
}

/// Of judgements made apart the more cautious stands: failed, open, skipped, met.
const fn caution_of(op: &Op) -> u8 {
    match state_of(op) {
        Some(CriterionState::Failed) => 0,
        Some(CriterionState::Open) => 1,
        Some(CriterionState::Skipped) => 2,
        Some(CriterionState::Met) => 3,
        None => 4,
    }
}

/// What a row says about a register, as people read it: what was shown before and after a merge.
pub(crate) fn shown(view: &crate::view::ItemView, register: &Register) -> Option<String> {
    let either = |is: bool, yes: &str, no: &str| Some(if is { yes } else { no }.to_owned());
    match register {
        Register::Column => Some(match &view.closing {
            Some(closing) => closing.status().to_string(),
            None => view.column.to_string(),
        }),
        Register::Frozen => either(view.holds.frozen, "frozen", "not frozen"),
        Register::Blocked => either(view.holds.blocked.is_some(), "blocked", "not blocked"),
        Register::Review => either(view.holds.review, "waits for approval", "approved"),
        Register::Failure => either(view.holds.failure.is_some(), "merge failed", "to be merged"),
        Register::Deleted => either(view.deleted, "deleted", "not deleted"),
        Register::Claim => Some(match &view.claim {
            Some(claim) => format!("claimed by {}", claim.holder),
            None => "not claimed".to_owned(),
        }),
        Register::Title => Some(view.title.clone()),
        Register::Kind => Some(Kind::as_str(view.kind).to_owned()),
        Register::Priority => Some(format!("P{}", view.priority)),
        Register::Qa => Some(Qa::as_str(view.qa).to_owned()),
        Register::Epic => Some(view.epic.map_or("no epic".to_owned(), |epic| epic.key())),
        Register::Assignee => Some(view.assignee.clone().unwrap_or_else(|| "nobody".to_owned())),
        Register::Criterion(id) => {
            let criterion = view.criteria.iter().find(|criterion| criterion.id == *id)?;
            Some(criterion.state.to_string())
        }
        _ => None,
    }
}
