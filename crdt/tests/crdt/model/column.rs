//! Where the item stands: who wins, which exits wait, and where it stands while they do.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use towline_proto::{ActId, Closing, Column, Op, Qa, Register, Role, Rule};

use super::sight::{Contest, Sight};
use super::{Known, Model, Place, Set};

impl Model<'_> {
    /// Where an act leads.
    pub(super) fn leads_to(&self, known: &Known<'_>) -> Option<Place> {
        if !known.writes(&Register::Column) {
            return None;
        }
        let open = |column| Some((column, None));
        match known.op() {
            Op::Create { column, .. } => open(*column),
            Op::Triage | Op::Reopen => open(Column::Backlog),
            Op::Start { .. } | Op::RequestChanges { .. } => open(Column::Coding),
            Op::Submit if known.sight.qa == Some(Qa::Server) => open(Column::Merge),
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
                let (_, closing) = known.sight.place.clone()?;
                Some((Column::Archived, closing))
            }
            Op::Resolve { keep, .. } => {
                let kept = &self.known[keep];
                match &kept.to {
                    Some(to) => Some(to.clone()),
                    None if is_hold(self.effect_op(*keep)) => known.sight.place.clone(),
                    None => kept.sight.place.clone(),
                }
            }
            op => panic!("{op:?} does not write the column"),
        }
    }

    /// What an act must name to count in the column that this one leads to, beside this one.
    fn stands_with(&self, id: ActId) -> (Option<ActId>, Set) {
        let known = &self.known[&id];
        let mut rulers = Set::from([id]);
        let ruling = match known.op() {
            Op::Resolve { keep, .. } => {
                let kept = &self.known[keep];
                let (ruling, more) = if kept.to.is_some() {
                    self.stands_with(*keep)
                } else if is_hold(self.effect_op(*keep)) {
                    (known.sight.ruling, known.sight.rulers.clone())
                } else {
                    (kept.sight.ruling, kept.sight.rulers.clone())
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

    fn place(&self, id: ActId) -> &Place {
        self.known[&id].to.as_ref().expect("it writes the column")
    }

    /// The first of the exits that led one from the other to this one and wait all: done, then archived.
    pub(super) fn first_exit(&self, id: ActId, among: &Set) -> ActId {
        let before = self.known[&id].sight.mover;
        match before.filter(|before| !self.kept_by(*before, among).is_empty()) {
            Some(before) => self.first_exit(before, among),
            None => id,
        }
    }

    /// The holds that keep this act from taking effect: those that its author had not seen.
    fn kept_by(&self, id: ActId, among: &Set) -> Set {
        let (column, _) = self.place(id);
        if column.is_open() || self.is_fact(id) {
            return Set::new();
        }
        let mut holds = self.heads(among, &Register::Frozen);
        holds.extend(self.heads(among, &Register::Blocked));
        holds.retain(|hold| is_hold(self.effect_op(*hold)) && !self.known[&id].named.contains(hold));
        holds
    }

    /// To archive something takes nothing from how it ended: among those of whom nobody has led on from
    /// that end, an archiving stands for it.
    fn stands_for(&self, id: ActId, heads: &[ActId]) -> ActId {
        let archived = |id: ActId| match self.known[&id].op() {
            Op::Archive => self.known[&id].sight.mover,
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
        let before = self.known[&id].sight.mover;
        before.is_some_and(|before| before == end || self.comes_from(before, end))
    }

    /// How cautious it is; less is more.
    fn caution(&self, id: ActId) -> (u8, Option<Column>) {
        let known = &self.known[&id];
        if let Op::Resolve { keep, .. } = known.op()
            && self.known[keep].to.is_some()
        {
            return self.caution(*keep);
        }
        let (to, _) = self.place(id);
        let from = known.sight.place.as_ref().map(|(column, _)| *column);
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
            let (column, closing) = self.place(id).clone();
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

    pub(super) fn judge_column(&self, among: &Set, sight: &mut Sight) {
        let mut heads: Vec<ActId> = self.heads(among, &Register::Column).into_iter().collect();
        let all = heads.clone();
        let end = |id: ActId| self.stands_for(id, &all);
        let kept_by = |id: ActId| match self.is_fact(end(id)) {
            true => Set::new(),
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
            sight.mover = Some(first);
            sight.place = Some(self.place(first).clone());
            let same = |id: &&ActId| self.same_want(first, **id);
            for id in heads.iter().filter(same) {
                let (ruling, rulers) = self.stands_with(*id);
                sight.ruling = sight.ruling.or(ruling);
                sight.rulers.extend(rulers);
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
            let found = &self.known[&self.first_exit(first, among)].sight;
            sight.waiting = true;
            sight.mover = found.mover;
            sight.place = found.place.clone();
            sight.ruling = found.ruling;
            sight.rulers = found.rulers.clone();
            losers.extend(heads.iter().map(|loser| (*loser, Rule::Hold)));
        }
        sight.contests.push(Contest {
            register: Register::Column,
            winner,
            losers,
        });
    }
}

pub(super) fn is_hold(op: &Op) -> bool {
    matches!(op, Op::Freeze | Op::Block { .. })
}
