//! Acts that settle a contest: what they repeat, and when they cannot.
//!
//! Relies on what contended in front of their author ([`super::conflict`]). Decides nothing about what an
//! act that settles contends with in its turn: it stands for what it keeps.

use std::sync::Arc;

use towline_proto::{ActId, Register, Rule};

use super::folded_acts::ObservedActs;
use super::{FoldState, FoldedAct, column, register, resolution};
use crate::doc::ActRecord;
use crate::members::Roles;

/// Acts that one which settles stands with at most: as many settled one after another without a step
/// between them.
const STANDS_WITH: usize = 64;

/// Why an act that lost by a rule cannot be what counts, whoever says so.
pub const fn why_not_keepable(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Fact => Some("a recorded merge cannot be undone here; use `reopen` or `move` instead"),
        Rule::Generation => {
            Some("a newer claim was made, so this one cannot take effect again; use `claim` instead")
        }
        Rule::Hold
        | Rule::Cautious
        | Rule::Tie
        | Rule::ColumnLeft
        | Rule::Claim
        | Rule::Field
        | Rule::Cycle => None,
    }
}

impl<'a, R: Roles> FoldState<'a, R> {
    /// Takes an act that says which of several contenders counts: it repeats the effect of one, and
    /// supersedes all that contended in front of its author.
    pub(super) fn take_settlement(&mut self, id: ActId, record: &'a ActRecord, over: &Register, keep: ActId) {
        let named = ObservedActs::of(&self.acts, &record.act.saw);
        let contenders = |register: &Register| named.contenders(register, Some(self.created));
        let sight = self.sight(contenders);
        let Some(dispute) = self.dispute(&sight, over, || contenders(over)) else {
            return self.refuse(id, record, format!("nothing contended about the {over}"));
        };
        if !dispute.has(&keep) {
            return self.refuse(id, record, "what it keeps did not contend".to_owned());
        }
        let lost = dispute.losers.iter().find(|lost| lost.act == keep);
        if let Some(why) = lost.and_then(|lost| why_not_keepable(lost.rule)) {
            return self.refuse(id, record, why.to_owned());
        }
        let kept = self.acts.get(&keep);
        let root = kept.and_then(|kept| kept.keeps).unwrap_or(keep);
        let ruling = sight.column.as_ref().map(|column| column.ruling.clone());
        let ruling = ruling.unwrap_or_default();
        let rulers = |ruling: &[ActId]| column::rulers(&self.acts, ruling).collect();
        let (to, mut stands_with) = match kept.filter(|_| *over == Register::Column) {
            None => (None, Vec::new()),
            Some(kept) if kept.to.is_some() => {
                let more = kept.stands_with.iter().copied();
                (kept.to.clone(), more.chain([keep]).collect())
            }
            Some(_) if resolution::is_hold(&self.acts, &keep) => (Some(sight.place.clone()), rulers(&ruling)),
            Some(kept) => (kept.from.clone(), rulers(&kept.ruling)),
        };
        stands_with.drain(..stands_with.len().saturating_sub(STANDS_WITH));
        let folding = FoldedAct {
            writes: register::writes(&record.act.op, sight.qa),
            from: Some(sight.place.clone()),
            to,
            column_before: sight.column_act,
            keeps: Some(root),
            generation: sight.generation,
            ruling,
            found: Arc::clone(&sight.found),
            stands_with,
            ..self.folding(&id, record)
        };
        let lost = self.lost(&sight, &folding.writes, contenders);
        let gone = self.gone(&folding);
        self.enter(id, folding, &lost, gone);
    }
}
