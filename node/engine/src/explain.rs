//! Explains the state of an item: what is in effect, which act caused it, and the outcome of every other act.
//!
//! Reads the result of the fold and decides nothing. It names reasons as types; the sentences are made where people
//! read them.

use towline_api::request::Failure;
use towline_api::types::{ColumnHold, Explanation, HistoryLine, HistoryOutcome, StateReason};
use towline_crdt::fold::FoldedItem;
use towline_crdt::view::Conflict;
use towline_proto::{ActId, Closing, Op, Register, Rule};

use crate::query::QueryContext;

/// The most acts that are named of one conflict, so that a flood of contenders does not hide the rest.
const CONTENDERS: usize = 5;
/// The most dependencies that are named.
const WAITS: usize = 10;

/// The data for an explanation.
struct ExplainContext<'a> {
    folded: &'a FoldedItem<'a>,
    acts: &'a [HistoryLine],
}

impl QueryContext<'_> {
    /// Explains the items that a handle refers to.
    pub(crate) fn explain(&self, wanted: &str) -> Result<Vec<Explanation>, Failure> {
        let ids = self.index.find(wanted)?;
        let mut explained = Vec::new();
        for id in ids {
            let cycles = self.cycles_of(&id)?;
            let doc = self.doc(&id)?;
            let folded = self.folded(&doc)?;
            let acts = self.history(&folded);
            let context = ExplainContext {
                folded: &folded,
                acts: &acts,
            };
            explained.push(Explanation {
                card: self.index.card(&folded.view),
                at: self.now,
                reasons: self.reasons(&context),
                conflicts: self.conflicts_of(&folded).into_iter().chain(cycles).collect(),
                acts,
            });
        }
        Ok(explained)
    }

    fn reasons(&self, context: &ExplainContext<'_>) -> Vec<StateReason> {
        let view = &context.folded.view;
        let set_by = |register| context.folded.value_set_by(&register);
        let contest = view.conflicts.iter().find(|one| one.register == Register::Column);
        let hold = contest.filter(|contest| context.hold(&contest.winner).is_some());
        let mut reasons = self.place(context, contest, hold);
        if view.purged {
            reasons.push(StateReason::Purged {
                by: set_by(Register::Deleted),
            });
        } else if view.deleted {
            reasons.push(StateReason::Deleted {
                by: set_by(Register::Deleted),
            });
        }
        // The hold that keeps it in its column has been named already.
        let is_new = |by: &Option<ActId>| hold.is_none_or(|contest| Some(contest.winner) != *by);
        let frozen = Some(set_by(Register::Frozen)).filter(|by| view.holds.frozen && is_new(by));
        reasons.extend(frozen.map(|by| StateReason::Frozen { by }));
        let blocked = Some(set_by(Register::Blocked)).filter(|by| view.holds.blocked.is_some() && is_new(by));
        reasons.extend(blocked.map(|by| StateReason::Blocked { by }));
        if view.holds.review {
            reasons.push(StateReason::Review {
                by: set_by(Register::Review),
            });
        }
        if let Some(failure) = &view.holds.failure {
            reasons.push(StateReason::MergeFailed {
                by: set_by(Register::Failure),
                is_final: failure.is_final,
            });
        }
        if let Some(claim) = &view.claim {
            reasons.push(StateReason::Claimed {
                holder: claim.holder.clone(),
                at: claim.at,
                node_name: self.node_name(&claim.node),
                generation: claim.generation,
            });
        }
        let attention = view.attention.iter().cloned();
        reasons.extend(attention.map(|notice| StateReason::Notice { notice }));
        reasons.extend(self.waits(context));
        reasons.extend(self.other_conflicts(context));
        reasons
    }

    /// Conflicts besides the one about the column.
    fn other_conflicts(&self, context: &ExplainContext<'_>) -> Vec<StateReason> {
        let conflicts = context.folded.view.conflicts.iter();
        let others = conflicts.filter(|conflict| conflict.register != Register::Column);
        others
            .map(|conflict| StateReason::Conflict {
                topic: self.topic(context.folded, &conflict.register),
                winner: conflict.winner,
                losers: conflict.losers.iter().take(CONTENDERS).copied().collect(),
                rule: conflict.rule,
            })
            .collect()
    }

    /// Its column and why, and which concurrent moves were overridden.
    fn place(
        &self,
        context: &ExplainContext<'_>,
        contest: Option<&Conflict>,
        hold: Option<&Conflict>,
    ) -> Vec<StateReason> {
        let view = &context.folded.view;
        let successor = match &view.closing {
            Some(Closing::Superseded { by }) => Some(Box::new(self.index.link(by))),
            Some(Closing::Abandoned | Closing::Rejected { .. }) | None => None,
        };
        let mut reasons = vec![StateReason::Column {
            by: match hold {
                Some(contest) => Some(contest.winner),
                None => view.trail.first().map(|step| step.act),
            },
            held: hold.and_then(|contest| context.hold(&contest.winner)),
            successor,
        }];
        let Some(contest) = contest else { return reasons };
        for loser in contest.losers.iter().take(CONTENDERS) {
            reasons.push(StateReason::Overridden {
                act: *loser,
                rule: context.rule(loser).unwrap_or(contest.rule),
            });
        }
        let count = contest.losers.len().saturating_sub(CONTENDERS);
        if count > 0 {
            reasons.push(StateReason::MoreOverridden { count });
        }
        reasons
    }

    /// What it waits for, and which dependencies are suspended.
    fn waits(&self, context: &ExplainContext<'_>) -> Vec<StateReason> {
        let view = &context.folded.view;
        let links = view.depends_on.iter().map(|on| {
            let is_suspended = self.index.is_suspended(&view.id, on);
            (self.index.wait(view, on), is_suspended)
        });
        let shown = links.filter(|(link, is_suspended)| !link.satisfied || *is_suspended);
        let waits = shown.map(|(link, _)| StateReason::Waits { item: Box::new(link) });
        waits.take(WAITS).collect()
    }
}

impl ExplainContext<'_> {
    fn op(&self, act: &ActId) -> Option<&Op> {
        let folding = self.folded.acts.get(act)?;
        let root = folding.keeps.and_then(|root| self.folded.acts.get(&root));
        Some(&root.unwrap_or(folding).record.act.op)
    }

    /// The hold that an act sets, if it sets one that keeps an item in its column.
    fn hold(&self, act: &ActId) -> Option<ColumnHold> {
        match self.op(act) {
            Some(Op::Freeze) => Some(ColumnHold::Frozen),
            Some(Op::Block { .. }) => Some(ColumnHold::Blocked),
            _ => None,
        }
    }

    /// The rule by which an act was overridden.
    fn rule(&self, act: &ActId) -> Option<Rule> {
        let line = self.acts.iter().find(|line| line.act == *act)?;
        match &line.fate {
            HistoryOutcome::Overridden { rule, .. } => Some(*rule),
            HistoryOutcome::Effective
            | HistoryOutcome::Superseded { .. }
            | HistoryOutcome::Refused { .. } => None,
        }
    }
}
