//! Fields, sets and criteria, each decided from its own register alone.

use std::collections::BTreeMap;

use towline_proto::{ActId, CriterionState, Op, Register, Rule};

use super::observed_state::ObservedState;
use super::{ActSet, Model};

impl Model<'_> {
    pub(super) fn observe_value(&self, among: &ActSet, register: &Register, observed: &mut ObservedState) {
        let heads = self.heads(among, register);
        match register {
            Register::Title
            | Register::Kind
            | Register::Priority
            | Register::Qa
            | Register::Epic
            | Register::Assignee => self.observe_field(&heads, register, observed),
            Register::Setting(_) => self.observe_field(&heads, register, observed),
            Register::Criterion(id) => self.observe_criterion(*id, &heads, observed),
            Register::Label(_) | Register::Dependency(_) | Register::Link(..) => {
                for id in &heads {
                    match self.known[id].op() {
                        Op::AddLabel { label } => drop(observed.labels.insert(label.clone())),
                        Op::AddDependency { on } => drop(observed.depends_on.insert(*on)),
                        Op::AddLink { kind, target } => drop(observed.links.insert((*kind, target.clone()))),
                        _ => {}
                    }
                }
            }
            Register::Column
            | Register::Frozen
            | Register::Blocked
            | Register::Review
            | Register::Failure
            | Register::Deleted
            | Register::Claim
            | Register::Imported
            | Register::Comments
            | Register::Body
            | Register::Criteria => {}
        }
    }

    /// The higher role wins, then the smaller hash; heads with the same value do not conflict.
    fn observe_field(&self, heads: &ActSet, register: &Register, observed: &mut ObservedState) {
        let winner = self.foremost(heads).expect("somebody wrote it");
        let value = |id: &ActId| field(register, self.effect_op(*id));
        let (winning, losing): (ActSet, ActSet) =
            heads.iter().copied().partition(|id| value(id) == value(&winner));
        match (register, self.effect_op(winner)) {
            (Register::Title, Op::Create { title, .. } | Op::SetTitle { title }) => {
                observed.title = Some(title.clone());
            }
            (Register::Kind, Op::Create { kind, .. } | Op::SetKind { kind }) => observed.kind = Some(*kind),
            (Register::Priority, Op::Create { priority, .. } | Op::SetPriority { priority }) => {
                observed.priority = Some(*priority);
            }
            (Register::Qa, Op::Create { qa, .. } | Op::SetQa { qa }) => observed.qa = Some(*qa),
            (Register::Epic, Op::SetEpic { epic }) => observed.epic = *epic,
            (Register::Assignee, Op::Assign { who }) => observed.assignee = who.clone(),
            (Register::Setting(key), Op::Set { value, .. }) => {
                observed.settings.insert(key.clone(), value.clone());
            }
            (register, op) => panic!("{op:?} does not write the {register}"),
        }
        self.add_conflict(register.clone(), &winning, &losing, Rule::Field, observed);
    }

    /// Failed, open, skipped, met.
    fn observe_criterion(&self, criterion: ActId, heads: &ActSet, observed: &mut ObservedState) {
        let mut judged: BTreeMap<usize, ActSet> = BTreeMap::new();
        for id in heads {
            let state = match self.effect_op(*id) {
                Op::SetCriterion { state, .. } => *state,
                _ => CriterionState::Open,
            };
            judged.entry(caution(state)).or_default().insert(*id);
        }
        let (first, winning) = judged.pop_first().expect("somebody wrote it");
        let losing = judged.into_values().flatten().collect();
        observed.criteria.insert(criterion, ORDER[first]);
        self.add_conflict(
            Register::Criterion(criterion),
            &winning,
            &losing,
            Rule::Cautious,
            observed,
        );
    }
}

const ORDER: [CriterionState; 4] = [
    CriterionState::Failed,
    CriterionState::Open,
    CriterionState::Skipped,
    CriterionState::Met,
];

fn caution(state: CriterionState) -> usize {
    ORDER
        .iter()
        .position(|other| *other == state)
        .expect("all are listed")
}

/// The value that an operation gives to a field.
fn field(register: &Register, op: &Op) -> String {
    match (register, op) {
        (Register::Title, Op::Create { title, .. } | Op::SetTitle { title }) => title.clone(),
        (Register::Kind, Op::Create { kind, .. } | Op::SetKind { kind }) => kind.to_string(),
        (Register::Priority, Op::Create { priority, .. } | Op::SetPriority { priority }) => {
            priority.to_string()
        }
        (Register::Qa, Op::Create { qa, .. } | Op::SetQa { qa }) => qa.to_string(),
        (_, Op::SetEpic { epic }) => format!("{epic:?}"),
        (_, Op::Assign { who }) => format!("{who:?}"),
        (_, Op::Set { value, .. }) => format!("{value:?}"),
        (register, op) => panic!("{op:?} does not write the {register}"),
    }
}
