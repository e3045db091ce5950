//! What a finished fold answers beside its row: what a new act has to name as seen, who did what.
//!
//! Relies on the heads of the registers as the fold left them. Decides and changes nothing.

use towline_proto::{ActId, Op, Register, limits};

use super::{Folded, register};
use crate::view::Stamp;

impl Folded<'_> {
    /// What a new act doing `op` must name as seen: the heads of every register that it reads or
    /// writes; to put an item into the trash or out of it for good reads all. Sorted, and where
    /// dishonest authors left more heads than one act can name, the youngest.
    pub fn saw(&self, op: &Op) -> Vec<ActId> {
        if matches!(op, Op::Delete { .. } | Op::Purge) {
            return self.heads_of(self.heads.values());
        }
        let mut registers = register::writes(op, self.view.qa);
        if op.verb().is_some() || matches!(op, Op::Settle { .. }) {
            registers.extend_from_slice(register::STAGE);
        }
        self.heads_of(registers.iter().filter_map(|register| self.heads.get(register)))
    }

    /// The act that created the item.
    pub fn created(&self) -> Option<ActId> {
        self.acts
            .iter()
            .find(|(_, act)| matches!(act.record.act.op, Op::Create { .. }))
            .map(|(id, _)| *id)
    }

    /// The youngest head of a register: who to name for what it says now.
    pub fn head(&self, register: &Register) -> Option<ActId> {
        let heads = self.heads.get(register)?.iter();
        heads
            .copied()
            .max_by_key(|id| (self.acts.get(id).map(|act| act.record.act.at), *id))
    }

    /// Who did an act, where and when.
    pub fn stamp(&self, act: &ActId) -> Option<Stamp> {
        let folding = self.acts.get(act)?;
        let origin = folding.record.act.origin.clone();
        Some(Stamp {
            act: *act,
            origin,
            node: folding.node,
            at: folding.record.act.at,
        })
    }

    fn heads_of<'h>(&self, heads: impl Iterator<Item = &'h Vec<ActId>>) -> Vec<ActId> {
        let mut saw: Vec<_> = heads.flatten().copied().collect();
        saw.sort_unstable();
        saw.dedup();
        if saw.len() > limits::SAW_PER_ACT {
            saw.sort_by_key(|id| std::cmp::Reverse(self.acts.get(id).map(|act| act.order)));
            saw.truncate(limits::SAW_PER_ACT);
            saw.sort_unstable();
        }
        saw
    }
}
