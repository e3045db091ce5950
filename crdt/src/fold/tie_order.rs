//! The order in which ties were broken, for an export that is imported under another key.
//!
//! Ties are broken by role and record hash, and between claims by a hash over the node. All of these depend on
//! the signer, so an import that signs the same acts anew needs the order itself. The order is the same
//! in every fold of the same acts and members. Decides and changes nothing.

use std::collections::BTreeSet;

use towline_proto::{ActId, ItemId, Op, Register};

use super::folded_acts::ObservedActs;
use super::{FoldedAct, FoldedItem, claim, effect, register, winner};
use crate::members::Roles;

impl FoldedItem<'_> {
    /// Groups of two or more acts that compete at the end of the fold, or did in the state that some author
    /// observed. Each group is in the order in which ties are broken: the first act wins.
    pub fn tie_groups<R: Roles>(&self, roles: &R) -> BTreeSet<Vec<ActId>> {
        let mut groups = BTreeSet::new();
        let mut add = |register: &Register, heads: Vec<ActId>| {
            let group = self.in_tie_order(roles, register, heads);
            if group.len() > 1 {
                groups.insert(group);
            }
        };
        for act in self.acts.values() {
            let saw = &act.saw;
            let op = &act.record.act.op;
            if saw.len() < 2 {
                continue;
            }
            let looks = op.verb().is_some() || matches!(op, Op::Resolve { .. });
            let read = register::STAGE.iter().filter(|_| looks);
            let registers: BTreeSet<&Register> = act.writes.iter().chain(read).collect();
            let seen = ObservedActs::of(&self.acts, saw);
            for register in registers.into_iter().filter(|register| has_winner(register)) {
                add(register, seen.heads(register, None));
            }
        }
        for (register, heads) in self.heads.iter().filter(|(register, _)| has_winner(register)) {
            if heads.len() > 1 {
                add(register, heads.clone());
            }
        }
        groups
    }

    fn in_tie_order<R: Roles>(&self, roles: &R, register: &Register, heads: Vec<ActId>) -> Vec<ActId> {
        let mut group: Vec<(ActId, &FoldedAct<'_>)> = heads
            .iter()
            .filter_map(|id| Some((*id, self.acts.get(id)?)))
            .collect();
        if *register == Register::Claim {
            group.retain(|(id, _)| effect(&self.acts, id).is_some_and(claim::is_claim));
            let newest = group.iter().map(|(_, act)| act.generation).max().unwrap_or(0);
            let item: ItemId = self.view.id;
            group.sort_by_cached_key(|(_, act)| {
                let root = act.keeps.and_then(|root| self.acts.get(&root)).unwrap_or(act);
                (claim::tie_break(item, newest, root.record.node), act.record.hash)
            });
        } else {
            group.sort_by_cached_key(|(_, act)| winner::tie_key(act, roles));
        }
        group.into_iter().map(|(id, _)| id).collect()
    }
}

/// Whether one of several heads of the register has to be chosen.
const fn has_winner(register: &Register) -> bool {
    register.can_conflict() || matches!(register, Register::Imported)
}
