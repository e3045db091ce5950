//! Which acts stood against each other, and in which order they go where nothing but a tie decides.
//!
//! A tie goes by the author's role and then by the hash of the record, between claims by a lot. All of
//! that is bound to who signed. Whoever writes the same acts again under another key needs the order
//! itself: it is the same for every fold of the same acts and members. Decides and changes nothing.

use std::collections::BTreeSet;

use towline_proto::{ActId, ItemId, Op, Register};

use super::folded_acts::ObservedActs;
use super::{FoldedAct, FoldedItem, claim, effect, register, resolution};
use crate::members::Roles;

impl FoldedItem<'_> {
    /// Groups of two or more acts that contend, or contended in front of somebody, each in the order
    /// of their ties: who stands first goes first.
    pub fn tie_groups<R: Roles>(&self, roles: &R) -> BTreeSet<Vec<ActId>> {
        let mut groups = BTreeSet::new();
        let mut add = |register: &Register, contenders: Vec<ActId>| {
            let group = self.in_order(roles, register, contenders);
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
            let looks = op.verb().is_some() || matches!(op, Op::Settle { .. });
            let read = register::STAGE.iter().filter(|_| looks);
            let registers: BTreeSet<&Register> = act.writes.iter().chain(read).collect();
            let named = ObservedActs::of(&self.acts, saw);
            for register in registers.into_iter().filter(|register| is_decided(register)) {
                add(register, named.contenders(register, None));
            }
        }
        for (register, heads) in self.heads.iter().filter(|(register, _)| is_decided(register)) {
            if heads.len() > 1 {
                add(register, heads.clone());
            }
        }
        groups
    }

    fn in_order<R: Roles>(&self, roles: &R, register: &Register, contenders: Vec<ActId>) -> Vec<ActId> {
        let mut group: Vec<(ActId, &FoldedAct<'_>)> = contenders
            .iter()
            .filter_map(|id| Some((*id, self.acts.get(id)?)))
            .collect();
        if *register == Register::Claim {
            group.retain(|(id, _)| effect(&self.acts, id).is_some_and(claim::is_claim));
            let newest = group.iter().map(|(_, act)| act.generation).max().unwrap_or(0);
            let item: ItemId = self.view.id;
            group.sort_by_cached_key(|(_, act)| {
                let root = act.keeps.and_then(|root| self.acts.get(&root)).unwrap_or(act);
                (claim::lot(item, newest, root.record.node), act.record.hash)
            });
        } else {
            group.sort_by_cached_key(|(_, act)| resolution::tie(act, roles));
        }
        group.into_iter().map(|(id, _)| id).collect()
    }
}

/// Whether of several acts in the register one has to be chosen.
const fn is_decided(register: &Register) -> bool {
    register.can_conflict() || matches!(register, Register::Imported)
}
