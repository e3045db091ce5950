//! Queries on a finished fold: which acts a new act must name as seen, and which act set a value.
//!
//! Relies on the heads of the registers as the fold left them. Decides and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, Millis, Op, Register, limits};

use super::{FoldedItem, conflict, effect, register, winner};
use crate::view::{Attribution, Criterion, Link};

impl FoldedItem<'_> {
    /// The acts that a new act with operation `op` must name as seen: the heads of every register that it reads
    /// or writes. Deleting and purging, and resolving a conflict about that, read all registers. Sorted. Where
    /// dishonest authors left more heads than one act can name, the youngest heads of each register.
    pub fn saw_for(&self, op: &Op) -> Vec<ActId> {
        let over_trash = matches!(op, Op::Resolve { over, .. } if *over == Register::Deleted);
        if over_trash || matches!(op, Op::Delete { .. } | Op::Purge) {
            return self.heads_of(self.heads.values());
        }
        let mut registers = register::writes(op, self.view.qa);
        if op.verb().is_some() || matches!(op, Op::Resolve { .. }) {
            registers.extend_from_slice(register::STAGE);
        }
        self.heads_of(registers.iter().filter_map(|register| self.heads.get(register)))
    }

    /// The acts that set the project's settings, by setting. Meaningful in a fold of the settings document only
    /// ([`crate::settings`]).
    pub fn settings(&self) -> BTreeMap<&str, ActId> {
        let loses = |id: &ActId| {
            let mut open = self.view.conflicts.iter();
            open.any(|conflict| conflict.losers.contains(id))
        };
        let effective = self.heads.iter().filter_map(|(register, heads)| match register {
            Register::Setting(key) => {
                // Several heads can have the same value; the youngest is named as its author's.
                let winners = heads.iter().filter(|id| !loses(id)).copied();
                Some((key.as_str(), self.youngest(winners)?))
            }
            _ => None,
        });
        effective.collect()
    }

    /// The value that an act gives to a setting: its own, or for an act that resolves a conflict that of the
    /// act which it keeps.
    pub fn setting(&self, act: &ActId) -> Option<String> {
        effect(&self.acts, act).and_then(conflict::setting_of).flatten()
    }

    /// All acts that fulfil the same request as this one, including itself; empty when it is the only one.
    pub fn same_request(&self, act: &ActId) -> &[ActId] {
        self.requests.group_of(act)
    }

    /// The heads of each register.
    pub(crate) fn registers(&self) -> &BTreeMap<Register, Vec<ActId>> {
        &self.heads
    }

    /// The act that created the item.
    pub fn created(&self) -> Option<ActId> {
        self.acts
            .iter()
            .find(|(_, act)| matches!(act.record.act.op, Op::Create { .. }))
            .map(|(id, _)| *id)
    }

    /// The youngest head of a register.
    pub fn youngest_head(&self, register: &Register) -> Option<ActId> {
        let heads = self.heads.get(register)?.iter();
        self.youngest(heads.copied())
    }

    /// The act that set the current value of a register. That is not always the youngest head, because of two
    /// concurrent acts the older one can win.
    pub fn value_set_by(&self, register: &Register) -> Option<ActId> {
        let view = &self.view;
        let agrees = |id: &&ActId| {
            let sets = winner::sets_hold(&self.acts, id);
            let Some(op) = effect(&self.acts, id) else {
                return false;
            };
            match register {
                Register::Frozen => sets == view.holds.frozen,
                Register::Blocked => sets == view.holds.blocked.is_some(),
                Register::Review => sets == view.holds.review,
                Register::Failure => sets == view.holds.failure.is_some(),
                Register::Deleted => matches!(op, Op::Restore) != view.deleted,
                Register::Title => conflict::title_of(op).as_deref() == Some(view.title.as_str()),
                Register::Kind => winner::kind_of(op) == Some(view.kind),
                Register::Priority => conflict::priority_of(op) == Some(view.priority),
                Register::Qa => winner::qa_of(op) == Some(view.qa),
                Register::Epic => conflict::epic_of(op) == Some(view.epic),
                Register::Assignee => conflict::assignee_of(op).as_ref() == Some(&view.assignee),
                Register::Label(label) => {
                    matches!(op, Op::AddLabel { .. }) == view.labels.binary_search(label).is_ok()
                }
                Register::Dependency(on) => {
                    matches!(op, Op::AddDependency { .. }) == view.depends_on.binary_search(on).is_ok()
                }
                Register::Link(kind, target) => {
                    let by = |link: &Link| (link.kind, link.target.as_str()).cmp(&(*kind, target.as_str()));
                    matches!(op, Op::AddLink { .. }) == view.links.binary_search_by(by).is_ok()
                }
                Register::Criterion(id) => {
                    let criterion = self.criterion(id);
                    criterion.is_some_and(|criterion| conflict::state_of(op) == Some(criterion.state))
                }
                Register::Column
                | Register::Claim
                | Register::Imported
                | Register::Comments
                | Register::Body
                | Register::Criteria
                | Register::Setting(_) => true,
            }
        };
        let Some(heads) = self.heads.get(register) else {
            // A criterion that nobody has judged has its state from the act that added it.
            return match register {
                Register::Criterion(id) => Some(*id).filter(|id| self.acts.contains_key(id)),
                _ => None,
            };
        };
        let youngest = heads.iter().filter(agrees).max_by_key(|id| self.age(id));
        youngest.copied().or_else(|| self.youngest_head(register))
    }

    /// A criterion of the row. They are sorted by time, and there can be as many as acts, so this is a binary
    /// search.
    fn criterion(&self, id: &ActId) -> Option<&Criterion> {
        let at = |id: &ActId| self.acts.get(id).map(|act| (act.record.act.at, act.order));
        let criteria = &self.view.criteria;
        let index = criteria.binary_search_by_key(&at(id), |criterion| at(&criterion.id));
        criteria.get(index.ok()?)
    }

    /// The youngest of several acts, by their authors' clocks.
    pub(crate) fn youngest(&self, acts: impl Iterator<Item = ActId>) -> Option<ActId> {
        acts.max_by_key(|id| self.age(id))
    }

    fn age(&self, id: &ActId) -> (Option<Millis>, ActId) {
        (self.acts.get(id).map(|act| act.record.act.at), *id)
    }

    /// The act that put the item into its present column: a step of the column, the hold that keeps an exit
    /// pending, or the act that lifted the hold so that a pending exit took effect.
    pub(crate) fn column_set_by(&self) -> Option<ActId> {
        let mut conflicts = self.view.conflicts.iter();
        let leads_nowhere = |id: &ActId| self.acts.get(id).is_some_and(|act| act.to.is_none());
        let keeps = conflicts.find(|conflict| conflict.register == Register::Column);
        if let Some(hold) = keeps.map(|keeps| keeps.winner).filter(leads_nowhere) {
            return Some(hold);
        }
        let step = self.view.trail.first()?.act;
        let exit = self.acts.get(&step).filter(|_| !self.view.column.is_open());
        let saw: BTreeSet<ActId> = exit.iter().flat_map(|exit| exit.saw.iter()).copied().collect();
        let let_through = |id: &&ActId| {
            let Some(lifting) = self.acts.get(id).filter(|_| exit.is_some()) else {
                return false;
            };
            let unseen = |hold: &ActId| !saw.contains(hold) && winner::is_exit_hold(&self.acts, hold);
            !saw.contains(id) && lifting.saw.iter().any(unseen)
        };
        let lifted = [Register::Frozen, Register::Blocked];
        let lifted = lifted
            .iter()
            .filter_map(|register| self.heads.get(register))
            .flatten();
        let lifted = lifted.filter(let_through);
        let youngest = lifted.max_by_key(|id| (self.acts.get(id).map(|act| act.order), **id));
        Some(youngest.copied().unwrap_or(step))
    }

    /// The origin, node and time of an act.
    pub fn attribution(&self, act: &ActId) -> Option<Attribution> {
        let folding = self.acts.get(act)?;
        let origin = folding.record.act.origin.clone();
        Some(Attribution {
            act: *act,
            origin,
            node: folding.node,
            at: folding.record.act.at,
        })
    }

    /// The heads of some registers, sorted. When there are more than an act can name, the youngest head of every
    /// register comes first, then the second youngest and so on, so that flooding one register does not keep
    /// anybody from naming the heads of the others.
    fn heads_of<'h>(&self, registers: impl Iterator<Item = &'h Vec<ActId>>) -> Vec<ActId> {
        let registers: Vec<_> = registers.collect();
        let mut saw: Vec<_> = registers.iter().copied().flatten().copied().collect();
        saw.sort_unstable();
        saw.dedup();
        if saw.len() <= limits::SAW_PER_ACT {
            return saw;
        }
        let age = |id: &ActId| std::cmp::Reverse(self.acts.get(id).map(|act| act.order));
        let mut candidates: Vec<(usize, _, ActId)> = Vec::new();
        for heads in registers {
            let mut heads = heads.clone();
            heads.sort_by_key(age);
            candidates.extend(
                heads
                    .into_iter()
                    .enumerate()
                    .map(|(rank, id)| (rank, age(&id), id)),
            );
        }
        candidates.sort_unstable();
        let mut named = BTreeSet::new();
        for (_, _, id) in candidates {
            if named.len() < limits::SAW_PER_ACT {
                named.insert(id);
            }
        }
        named.into_iter().collect()
    }
}
