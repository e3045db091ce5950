//! Fields, sets and criteria: one register each, whatever else is so.

use std::collections::BTreeMap;

use towline_proto::{ActId, CriterionState, Op, Register, Rule};

use super::sight::Sight;
use super::{Model, Set};

impl Model<'_> {
    pub(super) fn judge_value(&self, among: &Set, register: &Register, sight: &mut Sight) {
        let heads = self.heads(among, register);
        match register {
            Register::Title
            | Register::Kind
            | Register::Priority
            | Register::Qa
            | Register::Epic
            | Register::Assignee => self.judge_field(&heads, register, sight),
            Register::Setting(_) => self.judge_field(&heads, register, sight),
            Register::Criterion(id) => self.judge_criterion(*id, &heads, sight),
            Register::Label(_) | Register::Dependency(_) | Register::Link(..) => {
                for id in &heads {
                    match self.known[id].op() {
                        Op::AddLabel { label } => drop(sight.labels.insert(label.clone())),
                        Op::AddDependency { on } => drop(sight.depends_on.insert(*on)),
                        Op::AddLink { kind, target } => drop(sight.links.insert((*kind, target.clone()))),
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

    /// The higher role, then the smaller hash; those with the same value want the same.
    fn judge_field(&self, heads: &Set, register: &Register, sight: &mut Sight) {
        let winner = self.foremost(heads).expect("somebody wrote it");
        let value = |id: &ActId| field(register, self.effect_op(*id));
        let (winning, losing): (Set, Set) = heads.iter().copied().partition(|id| value(id) == value(&winner));
        match (register, self.effect_op(winner)) {
            (Register::Title, Op::Create { title, .. } | Op::SetTitle { title }) => {
                sight.title = Some(title.clone());
            }
            (Register::Kind, Op::Create { kind, .. } | Op::SetKind { kind }) => sight.kind = Some(*kind),
            (Register::Priority, Op::Create { priority, .. } | Op::SetPriority { priority }) => {
                sight.priority = Some(*priority);
            }
            (Register::Qa, Op::Create { qa, .. } | Op::SetQa { qa }) => sight.qa = Some(*qa),
            (Register::Epic, Op::SetEpic { epic }) => sight.epic = *epic,
            (Register::Assignee, Op::Assign { who }) => sight.assignee = who.clone(),
            (Register::Setting(key), Op::Set { value, .. }) => {
                sight.settings.insert(key.clone(), value.clone());
            }
            (register, op) => panic!("{op:?} does not write the {register}"),
        }
        self.contest(register.clone(), &winning, &losing, Rule::Field, sight);
    }

    /// Failed, open, skipped, met.
    fn judge_criterion(&self, criterion: ActId, heads: &Set, sight: &mut Sight) {
        let mut judged: BTreeMap<usize, Set> = BTreeMap::new();
        for id in heads {
            let state = match self.effect_op(*id) {
                Op::SetCriterion { state, .. } => *state,
                _ => CriterionState::Open,
            };
            judged.entry(caution(state)).or_default().insert(*id);
        }
        let (first, winning) = judged.pop_first().expect("somebody wrote it");
        let losing = judged.into_values().flatten().collect();
        sight.criteria.insert(criterion, ORDER[first]);
        self.contest(
            Register::Criterion(criterion),
            &winning,
            &losing,
            Rule::Cautious,
            sight,
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
