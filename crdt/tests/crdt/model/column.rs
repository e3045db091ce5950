//! The column: which act wins, which exits are pending, and where the item is meanwhile.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use towline_proto::{ActId, Closing, Column, Op, Qa, Register, Role, Rule};

use super::observed_state::{ModelConflict, ObservedState};
use super::{ActSet, ColumnValue, Model, ModelAct};

impl Model<'_> {
    /// The column value that an act sets.
    pub(super) fn leads_to(&self, known: &ModelAct<'_>) -> Option<ColumnValue> {
        if !known.writes(&Register::Column) {
            return None;
        }
        let open = |column| Some((column, None));
        match known.op() {
            Op::Create { column, .. } => open(*column),
            Op::Triage | Op::Reopen => open(Column::Backlog),
            Op::Start { .. } | Op::RequestChanges { .. } => open(Column::Coding),
            Op::Submit if known.observed.qa == Some(Qa::Server) => open(Column::Merge),
            Op::Submit => open(Column::Qa),
            Op::PassQa | Op::Approve => open(Column::Merge),
            Op::Merged { .. } => open(Column::Done),
            Op::Move { to, .. } => open(*to),
            Op::Abandon { .. } => Some((Column::Closed, Some(Closing::Abandoned))),
            Op::Supersede { by } => Some((Column::Closed, Some(Closing::Superseded { by: *by }))),
            Op::Reject { reason } => Some((
                Column::Closed,
                Some(Closing::Rejected {
                    reason: reason.clone(),
                }),
            )),
            Op::Archive => {
                let (_, closing) = known.observed.column_value.clone()?;
                Some((Column::Archived, closing))
            }
            Op::Resolve { keep, .. } => {
                let kept = &self.known[keep];
                match &kept.to {
                    Some(to) => Some(to.clone()),
                    None if is_hold(self.effect_op(*keep)) => known.observed.column_value.clone(),
                    None => kept.observed.column_value.clone(),
                }
            }
            op => panic!("{op:?} does not write the column"),
        }
    }

    /// Further acts that put the item where this one does: naming one of them is as good as naming this act.
    fn stands_with(&self, id: ActId) -> (Option<ActId>, ActSet) {
        let known = &self.known[&id];
        let mut rulers = ActSet::from([id]);
        let ruling = match known.op() {
            Op::Resolve { keep, .. } => {
                let kept = &self.known[keep];
                let (ruling, more) = if kept.to.is_some() {
                    self.stands_with(*keep)
                } else if is_hold(self.effect_op(*keep)) {
                    (known.observed.ruling, known.observed.rulers.clone())
                } else {
                    (kept.observed.ruling, kept.observed.rulers.clone())
                };
                rulers.extend(more);
                ruling
            }
            _ => Some(id),
        };
        (ruling, rulers)
    }

    fn is_fact(&self, id: ActId) -> bool {
        matches!(self.effect_op(id), Op::Merged { commit: Some(_) })
    }

    fn column_value(&self, id: ActId) -> &ColumnValue {
        self.known[&id].to.as_ref().expect("it writes the column")
    }

    /// The first exit of the chain of pending exits that ends with this one (done, then archived).
    pub(super) fn first_exit(&self, id: ActId, among: &ActSet) -> ActId {
        let before = self.known[&id].observed.mover;
        match before.filter(|before| !self.kept_by(*before, among).is_empty()) {
            Some(before) => self.first_exit(before, among),
            None => id,
        }
    }

    /// The holds that keep this exit pending: those that its author had not seen.
    fn kept_by(&self, id: ActId, among: &ActSet) -> ActSet {
        let (column, _) = self.column_value(id);
        if column.is_open() || self.is_fact(id) {
            return ActSet::new();
        }
        let mut holds = self.heads(among, &Register::Frozen);
        holds.extend(self.heads(among, &Register::Blocked));
        holds.retain(|hold| is_hold(self.effect_op(*hold)) && !self.known[&id].named.contains(hold));
        holds
    }

    /// An archiving has the rank of the exit that it archives, unless another head has continued from that exit.
    fn stands_for(&self, id: ActId, heads: &[ActId]) -> ActId {
        let archived = |id: ActId| match self.known[&id].op() {
            Op::Archive => self.known[&id].observed.mover,
            _ => None,
        };
        let Some(end) = archived(id) else { return id };
        let leads_on = |head: &&ActId| archived(**head) != Some(end) && self.comes_from(**head, end);
        if heads.iter().any(|head| leads_on(&head)) {
            id
        } else {
            end
        }
    }

    fn comes_from(&self, id: ActId, end: ActId) -> bool {
        let before = self.known[&id].observed.mover;
        before.is_some_and(|before| before == end || self.comes_from(before, end))
    }

    /// How cautious it is; a smaller value is more cautious.
    fn caution(&self, id: ActId) -> (u8, Option<Column>) {
        let known = &self.known[&id];
        if let Op::Resolve { keep, .. } = known.op()
            && self.known[keep].to.is_some()
        {
            return self.caution(*keep);
        }
        let (to, _) = self.column_value(id);
        let from = known.observed.column_value.as_ref().map(|(column, _)| *column);
        match to {
            _ if self.is_fact(id) => (0, None),
            Column::Closed => (1, None),
            Column::Done => (4, None),
            Column::Archived => (5, None),
            open if from.is_some_and(|from| *open < from) => (2, Some(*open)),
            open => (3, Some(*open)),
        }
    }

    fn precedence(&self, id: ActId) -> ((u8, Option<Column>), Reverse<Role>, [u8; 32]) {
        let known = &self.known[&id];
        (self.caution(id), Reverse(known.role), known.record.hash)
    }

    fn same_want(&self, one: ActId, other: ActId) -> bool {
        let sort = |id| {
            let (column, closing) = self.column_value(id).clone();
            let end = closing.map(|closing| match closing {
                Closing::Rejected { .. } => Closing::Rejected {
                    reason: String::new(),
                },
                other => other,
            });
            (column, end)
        };
        sort(one) == sort(other)
    }

    pub(super) fn observe_column(&self, among: &ActSet, observed: &mut ObservedState) {
        let mut heads: Vec<ActId> = self.heads(among, &Register::Column).into_iter().collect();
        let all = heads.clone();
        let end = |id: ActId| self.stands_for(id, &all);
        let kept_by = |id: ActId| match self.is_fact(end(id)) {
            true => ActSet::new(),
            false => self.kept_by(id, among),
        };
        heads.sort_by_key(|id| {
            let (_, role, hash) = self.precedence(*id);
            (!kept_by(*id).is_empty(), self.caution(end(*id)), role, hash)
        });
        let Some(first) = heads.first().copied() else {
            return;
        };
        let mut losers = BTreeMap::new();
        let winner;
        let holds = kept_by(first);
        if holds.is_empty() {
            winner = first;
            observed.mover = Some(first);
            observed.column_value = Some(self.column_value(first).clone());
            let same = |id: &&ActId| self.same_want(first, **id);
            for id in heads.iter().filter(same) {
                let (ruling, rulers) = self.stands_with(*id);
                observed.ruling = observed.ruling.or(ruling);
                observed.rulers.extend(rulers);
            }
            for loser in heads.iter().filter(|id| !same(id)) {
                let rule = if self.is_fact(end(first)) {
                    Rule::Fact
                } else if !kept_by(*loser).is_empty() {
                    Rule::Hold
                } else if self.caution(end(first)) == self.caution(end(*loser)) {
                    Rule::Tie
                } else {
                    Rule::Cautious
                };
                losers.insert(*loser, rule);
            }
        } else {
            winner = holds.first().copied().expect("a hold");
            let found = &self.known[&self.first_exit(first, among)].observed;
            observed.waiting = true;
            observed.mover = found.mover;
            observed.column_value = found.column_value.clone();
            observed.ruling = found.ruling;
            observed.rulers = found.rulers.clone();
            losers.extend(heads.iter().map(|loser| (*loser, Rule::Hold)));
        }
        observed.conflicts.push(ModelConflict {
            register: Register::Column,
            winner,
            losers,
        });
    }
}

pub(super) fn is_hold(op: &Op) -> bool {
    matches!(op, Op::Freeze | Op::Block { .. })
}
