//! Acts by which somebody resolves a conflict: such an act keeps one of the competing acts and repeats its
//! effect. (On the wire the operation is called `settle`.)
//!
//! Relies on the conflicts that the author had observed ([`super::conflict`]). When a resolving act competes with
//! further acts, it is treated like the act that it keeps; that is decided elsewhere.

use std::sync::Arc;

use towline_proto::{ActId, Register, Rule};

use super::folded_acts::ObservedActs;
use super::{FoldState, FoldedAct, column, register, winner};
use crate::doc::ActRecord;
use crate::members::Roles;
use crate::reasons::RefusalReason;

/// The most acts in `also_placed_by`: so many resolving acts can follow each other without a step in between.
const MAX_ALSO_PLACED_BY: usize = 64;

/// Whether a resolving act can keep an act that lost by this rule. A recorded merge cannot be undone that way, and
/// a claim of an older generation cannot take effect again.
pub const fn is_keepable(rule: Rule) -> bool {
    match rule {
        Rule::Fact | Rule::Generation => false,
        Rule::Hold
        | Rule::Cautious
        | Rule::Tie
        | Rule::ColumnLeft
        | Rule::Claim
        | Rule::Field
        | Rule::Cycle => true,
    }
}

impl<'a, R: Roles> FoldState<'a, R> {
    /// Folds an act that resolves a conflict: it repeats the effect of the act that it keeps, and supersedes all
    /// heads of the register that its author saw.
    pub(super) fn fold_resolve(&mut self, id: ActId, record: &'a ActRecord, over: &Register, keep: ActId) {
        let seen = ObservedActs::of(&self.acts, &record.act.saw);
        let heads = |register: &Register| seen.heads(register, Some(self.created));
        let observed = self.observe(heads);
        let Some(conflict) = self.conflict_about(&observed, over, || heads(over)) else {
            let register = over.clone();
            return self.refuse(id, record, RefusalReason::NoConflict { register });
        };
        if !conflict.involves(&keep) {
            return self.refuse(id, record, RefusalReason::NoSide);
        }
        let loser = conflict.losers.iter().find(|loser| loser.act == keep);
        if let Some(loser) = loser.filter(|loser| !is_keepable(loser.rule)) {
            let rule = loser.rule;
            return self.refuse(id, record, RefusalReason::NotKeepable { rule });
        }
        let kept = self.acts.get(&keep);
        let root = kept.and_then(|kept| kept.keeps).unwrap_or(keep);
        let placed_by = observed.column.as_ref().map(|column| column.placed_by.clone());
        let placed_by = placed_by.unwrap_or_default();
        let placing = |placed_by: &[ActId]| column::placing_acts(&self.acts, placed_by).collect();
        let (to, mut also_placed_by) = match kept.filter(|_| *over == Register::Column) {
            None => (None, Vec::new()),
            Some(kept) if kept.to.is_some() => {
                let more = kept.also_placed_by.iter().copied();
                (kept.to.clone(), more.chain([keep]).collect())
            }
            Some(_) if winner::is_exit_hold(&self.acts, &keep) => {
                (Some(observed.column_value.clone()), placing(&placed_by))
            }
            Some(kept) => (kept.from.clone(), placing(&kept.placed_by)),
        };
        also_placed_by.drain(..also_placed_by.len().saturating_sub(MAX_ALSO_PLACED_BY));
        let act = FoldedAct {
            writes: register::writes(&record.act.op, observed.qa),
            from: Some(observed.column_value.clone()),
            to,
            column_before: observed.column_act,
            keeps: Some(root),
            generation: observed.generation,
            placed_by,
            scoped: Arc::clone(&observed.scoped),
            also_placed_by,
            ..self.new_act(&id, record)
        };
        let losers = self.losers_seen(&observed, &act.writes, heads);
        let replaced = self.replaced_heads(&act);
        self.insert(id, act, &losers, replaced);
    }
}
