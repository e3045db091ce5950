//! Conflicts: which acts lost against which, in what register and by which rule.
//!
//! Relies on the decisions of [`super::observed_state`] and [`super::winner`]. Each losing act is in exactly one
//! conflict. At the end of a fold, the conflicts among the heads become the open conflicts of the row.

use towline_proto::{ActId, CriterionState, ItemId, Op, Register, RegisterValue, Rule};

use super::column::ColumnDecision;
use super::observed_state::ObservedState;
use super::winner::{self, Decision};
use super::{ActOutcome, FoldState, Loser, effect};
use crate::members::Roles;
use crate::view::Conflict;

/// One register with its winner and the losing heads, each with the rule by which it lost.
#[derive(Debug)]
pub(super) struct RegisterConflict {
    pub(super) register: Register,
    pub(super) winner: ActId,
    pub(super) losers: Vec<Loser>,
}

impl RegisterConflict {
    fn new(register: Register, winner: Option<ActId>, losers: Vec<Loser>) -> Option<Self> {
        let winner = winner.or_else(|| losers.first().map(|loser| loser.by))?;
        (!losers.is_empty()).then_some(Self {
            register,
            winner,
            losers,
        })
    }

    /// Whether an act is the winner or one of the losers.
    pub(super) fn involves(&self, act: &ActId) -> bool {
        self.winner == *act || self.losers.iter().any(|loser| loser.act == *act)
    }

    /// The rule that is shown: the first one, in the order of [`Rule`], by which an act lost.
    pub(super) fn rule(&self) -> Rule {
        let rules = self.losers.iter().map(|loser| loser.rule);
        rules.min().unwrap_or(Rule::Cautious)
    }
}

/// The registers of the stage that can have conflicts.
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
    /// All conflicts among the heads.
    fn open_conflicts(&self, observed: &ObservedState) -> Vec<RegisterConflict> {
        let fields = self.heads.keys().filter(|register| !STAGE.contains(register));
        let registers = STAGE.iter().chain(fields);
        registers
            .filter_map(|register| self.conflict_about(observed, register, || self.heads(register).to_vec()))
            .collect()
    }

    /// The conflict in one register, if there is one; `heads` returns its heads. An item can have thousands of
    /// registers, and an act that resolves a conflict needs only one.
    pub(super) fn conflict_about(
        &self,
        observed: &ObservedState,
        register: &Register,
        heads: impl FnOnce() -> Vec<ActId>,
    ) -> Option<RegisterConflict> {
        if STAGE.contains(register) {
            return self.stage_conflict(observed, register.clone());
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

    fn stage_conflict(&self, observed: &ObservedState, register: Register) -> Option<RegisterConflict> {
        let flag = |outcome: &Decision| (outcome.winner, outcome.losers.clone());
        let (winner, losers) = match &register {
            Register::Column => {
                let column = observed.column.as_ref()?;
                // Acts that were left behind lost against the act that moved the item.
                let by = column.act.unwrap_or(column.winner);
                let left = observed.left_behind.iter().map(|act| Loser {
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
            Register::Frozen => flag(&observed.frozen),
            Register::Blocked => flag(&observed.blocked),
            Register::Review => flag(&observed.review),
            Register::Failure => flag(&observed.failure),
            Register::Deleted => flag(&observed.trash),
            Register::Claim => (observed.claim.act, observed.claim.losers.clone()),
            _ => return None,
        };
        RegisterConflict::new(register, winner, losers)
    }

    /// The acts that had lost in the state that the author of an act observed, in the registers `writes`;
    /// `heads` returns the heads of a register that the author observed.
    pub(super) fn losers_seen(
        &self,
        observed: &ObservedState,
        writes: &[Register],
        heads: impl Fn(&Register) -> Vec<ActId>,
    ) -> Vec<Loser> {
        let contested = writes.iter().filter(|register| register.can_conflict());
        let left = observed
            .column
            .iter()
            .flat_map(|column| left_behind_losers(observed, column));
        let conflicts = contested.flat_map(|register| {
            if STAGE.contains(register) {
                let conflict = self.stage_conflict(observed, register.clone());
                conflict.map(|conflict| conflict.losers).unwrap_or_default()
            } else {
                self.field_losers(register, &heads(register))
            }
        });
        conflicts.chain(left).collect()
    }

    /// The decision about a field or criterion, whatever its type.
    pub(super) fn field_decision(&self, register: &Register, heads: &[ActId]) -> Decision {
        let (acts, roles) = (&self.acts, self.roles);
        match register {
            Register::Title => winner::decide_field(acts, roles, heads, title_of),
            Register::Kind => winner::decide_field(acts, roles, heads, winner::kind_of),
            Register::Priority => winner::decide_field(acts, roles, heads, priority_of),
            Register::Qa => winner::decide_field(acts, roles, heads, winner::qa_of),
            Register::Epic => winner::decide_field(acts, roles, heads, epic_of),
            Register::Assignee => winner::decide_field(acts, roles, heads, assignee_of),
            Register::Imported => winner::decide_field(acts, roles, heads, imported_of),
            Register::Setting(_) => winner::decide_field(acts, roles, heads, setting_of),
            Register::Criterion(_) => winner::decide_criterion(acts, roles, heads, caution_of),
            _ => Decision::default(),
        }
    }

    pub(super) fn field_losers(&self, register: &Register, heads: &[ActId]) -> Vec<Loser> {
        self.field_decision(register, heads).losers
    }

    /// The current value of a field.
    pub(super) fn field<T>(&self, register: &Register, of: fn(&Op) -> Option<T>) -> Option<T> {
        let winner = self.field_decision(register, self.heads(register)).winner?;
        of(effect(&self.acts, &winner)?)
    }

    /// Turns the conflicts among the heads into those of the row, and marks the losers as overridden.
    pub(super) fn mark_conflicts(&mut self, observed: &ObservedState) -> Vec<Conflict> {
        let open = self.open_conflicts(observed);
        // A pending exit has ended nothing yet, and neither has an act that resolves a conflict without moving
        // the item: what they would have superseded is still in effect.
        let waiting = observed
            .column
            .as_ref()
            .filter(|column| column.pending_exits.is_some());
        let placed_by = waiting.and_then(|column| column.act);
        for id in observed.scoped.all().chain(&placed_by) {
            if let Some(act) = self.acts.get_mut(id) {
                act.outcome = ActOutcome::Effective;
            }
        }
        let mut conflicts: Vec<_> = open.iter().map(|conflict| self.to_conflict(conflict)).collect();
        for loser in open.iter().flat_map(|conflict| &conflict.losers) {
            if let Some(act) = self.acts.get_mut(&loser.act) {
                act.outcome = ActOutcome::Overridden {
                    by: loser.by,
                    rule: loser.rule,
                };
            }
        }
        conflicts.sort_by(|a, b| a.id.cmp(&b.id));
        conflicts
    }

    fn to_conflict(&self, conflict: &RegisterConflict) -> Conflict {
        let losers: Vec<ActId> = conflict.losers.iter().map(|loser| loser.act).collect();
        let mut competing = losers.clone();
        competing.push(conflict.winner);
        competing.sort_unstable();
        competing.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("towline/conflict/1");
        for id in &competing {
            hasher.update(&id.0);
        }
        let since = competing
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.record.act.at))
            .max();
        Conflict {
            id: towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8]),
            register: conflict.register.clone(),
            rule: conflict.rule(),
            winner: conflict.winner,
            losers,
            since: since.unwrap_or_default(),
        }
    }
}

/// Acts that were left behind lost against the act that moved the item.
fn left_behind_losers<'s>(
    observed: &'s ObservedState,
    column: &'s ColumnDecision,
) -> impl Iterator<Item = Loser> + 's {
    let by = column.act.unwrap_or(column.winner);
    observed.left_behind.iter().map(move |act| Loser {
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

/// The order of caution of a judgement: failed, open, skipped, met.
const fn caution_of(op: &Op) -> u8 {
    match state_of(op) {
        Some(CriterionState::Failed) => 0,
        Some(CriterionState::Open) => 1,
        Some(CriterionState::Skipped) => 2,
        Some(CriterionState::Met) => 3,
        None => 4,
    }
}

/// The value of a register that a merge can change, for saying what it changed.
pub(crate) fn value_of(view: &crate::view::ItemView, register: &Register) -> Option<RegisterValue> {
    let hold = |set| RegisterValue::Hold { set };
    Some(match register {
        Register::Column => match &view.closing {
            Some(closing) => RegisterValue::Closed {
                status: closing.status(),
            },
            None => RegisterValue::Column { column: view.column },
        },
        Register::Frozen => hold(view.holds.frozen),
        Register::Blocked => hold(view.holds.blocked.is_some()),
        Register::Review => hold(view.holds.review),
        Register::Failure => hold(view.holds.failure.is_some()),
        Register::Deleted => RegisterValue::Trash {
            deleted: view.deleted,
        },
        Register::Claim => RegisterValue::Claim {
            holder: view.claim.as_ref().map(|claim| claim.holder.clone()),
        },
        Register::Title => RegisterValue::Title {
            title: view.title.clone(),
        },
        Register::Kind => RegisterValue::Kind { kind: view.kind },
        Register::Priority => RegisterValue::Priority {
            priority: view.priority,
        },
        Register::Qa => RegisterValue::Qa { qa: view.qa },
        Register::Epic => RegisterValue::Epic { epic: view.epic },
        Register::Assignee => RegisterValue::Assignee {
            who: view.assignee.clone(),
        },
        Register::Criterion(id) => {
            let criterion = view.criteria.iter().find(|criterion| criterion.id == *id)?;
            RegisterValue::Criterion {
                state: criterion.state,
            }
        }
        _ => return None,
    })
}
