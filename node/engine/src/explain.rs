//! Explains the state of an item: what is in effect, which act caused it, and the outcome of every other act,
//! in words for people who have not read the rules.
//!
//! Reads the result of the fold and decides nothing. Relative times in its sentences are those at the time of
//! the request.

use towline_api::activity_text::{IN_FAVOUR, who_did};
use towline_api::relative_time::ago_phrase;
use towline_api::request::Failure;
use towline_api::types::{Explanation, HistoryLine};
use towline_crdt::fold::FoldedItem;
use towline_crdt::view::Conflict;
use towline_proto::{ActId, Closing, Column, Op, Register, Rule, Verb, text};

use crate::query::QueryContext;

/// Characters of an activity in a sentence.
const ACTIVITY_CHARS: usize = 160;
/// The most sentences about one conflict, so that a flood of contenders does not hide the rest.
const CONTENDERS: usize = 5;
/// The most dependencies that are named.
const WAITS: usize = 10;

/// The data for an explanation.
struct ExplainContext<'a> {
    folded: &'a FoldedItem<'a>,
    acts: &'a [HistoryLine],
    handle: String,
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
                handle: self.index.handle(&folded.view),
            };
            explained.push(Explanation {
                card: self.index.card(&folded.view),
                because: self.because(&context),
                conflicts: self.conflicts_of(&folded).into_iter().chain(cycles).collect(),
                acts,
            });
        }
        Ok(explained)
    }

    fn because(&self, context: &ExplainContext<'_>) -> Vec<String> {
        let (view, handle) = (&context.folded.view, &context.handle);
        let by = |register| self.activity(context, context.folded.value_set_by(&register));
        let contest = view.conflicts.iter().find(|one| one.register == Register::Column);
        let hold = contest.filter(|contest| context.is_hold(&contest.winner));
        let mut because = self.place(context, contest, hold);
        if view.purged {
            because.push(format!("It was deleted permanently: {}.", by(Register::Deleted)));
        } else if view.deleted {
            let deed = by(Register::Deleted);
            because.push(format!(
                "It is in the trash: {deed}. Restore it with `towline restore {handle}`."
            ));
        }
        // The hold that keeps it in its column has been mentioned already.
        let untold = |register: &Register| {
            let by = context.folded.value_set_by(register);
            hold.is_none_or(|contest| Some(contest.winner) != by)
        };
        let holds = [
            (view.holds.frozen, Register::Frozen, "frozen", Verb::Unfreeze),
            (
                view.holds.blocked.is_some(),
                Register::Blocked,
                "blocked",
                Verb::Unblock,
            ),
        ];
        for (held, register, word, lift) in holds {
            if !held || !untold(&register) {
                continue;
            }
            let deed = by(register);
            because.push(match view.column.is_open() {
                true => format!("It is {word}: {deed}. Lift that with `towline {lift} {handle}`."),
                false => format!("It was {word}: {deed}. That has no effect in this column."),
            });
        }
        if view.holds.review {
            let deed = by(Register::Review);
            because.push(format!(
                "It waits for approval: {deed}. Approve it with `towline approve {handle}`."
            ));
        }
        if let Some(failure) = &view.holds.failure {
            let deed = by(Register::Failure);
            because.push(match failure.is_final {
                true => format!("Its merge failed and was given up: {deed}."),
                false => format!("Its merge failed: {deed}. Retry it with `towline retry-merge {handle}`."),
            });
        }
        if let Some(claim) = &view.claim {
            because.push(format!(
                "{} works on it: claimed {} on {} (generation {}).",
                text::show(&claim.holder, ACTIVITY_CHARS),
                ago_phrase(self.now, claim.at),
                self.node_name(&claim.node),
                claim.generation
            ));
        }
        let attention = view.attention.iter();
        because.extend(attention.map(|fact| format!("Attention: {}.", text::show(fact, ACTIVITY_CHARS))));
        because.extend(self.waits(context));
        because.extend(self.disputed(context));
        because
    }

    /// Conflicts besides the one about the column.
    fn disputed(&self, context: &ExplainContext<'_>) -> Vec<String> {
        let conflicts = context.folded.view.conflicts.iter();
        let others = conflicts.filter(|conflict| conflict.register != Register::Column);
        others
            .map(|conflict| {
                let about = match &conflict.register {
                    Register::Frozen => "whether it is frozen".to_owned(),
                    Register::Blocked => "whether it is blocked".to_owned(),
                    Register::Review => "whether it waits for approval".to_owned(),
                    Register::Failure => "whether its merge failed".to_owned(),
                    Register::Deleted => "whether it is in the trash".to_owned(),
                    register => format!("its {}", self.about(context.folded, register)),
                };
                let winner = self.activity(context, Some(conflict.winner));
                let losers = conflict.losers.iter().take(CONTENDERS);
                let losers: Vec<_> = losers.map(|act| self.activity(context, Some(*act))).collect();
                format!(
                    "There is a conflict about {about}. In effect: {winner}. Overridden: {}.",
                    losers.join("; ")
                )
            })
            .collect()
    }

    /// Its column and why, and which concurrent moves were overridden.
    fn place(
        &self,
        context: &ExplainContext<'_>,
        contest: Option<&Conflict>,
        hold: Option<&Conflict>,
    ) -> Vec<String> {
        let (view, handle) = (&context.folded.view, &context.handle);
        let column = match view.column {
            Column::Done | Column::Closed | Column::Archived => view.column.to_string(),
            open => format!("in {open}"),
        };
        let place = match &view.closing {
            Some(Closing::Superseded { by }) => {
                let by = self.index.link(by);
                let title = text::show(&by.title, ACTIVITY_CHARS);
                format!("{column}, replaced by {} {title}", by.handle)
                    .trim_end()
                    .to_owned()
            }
            Some(closing) => format!("{column} ({})", closing.status()),
            None => column,
        };
        let mut said = match hold {
            Some(contest) => {
                let deed = self.activity(context, Some(contest.winner));
                let lift = match context.op(&contest.winner) {
                    Some(Op::Freeze) => "unfreeze",
                    _ => "unblock",
                };
                vec![format!(
                    "{handle} stays {place} because {deed}. Lift that with `towline {lift} {handle}`."
                )]
            }
            None => {
                let deed = self.activity(context, view.trail.first().map(|step| step.act));
                vec![format!("{handle} is {place}: {deed}.")]
            }
        };
        let Some(contest) = contest else { return said };
        for loser in contest.losers.iter().take(CONTENDERS) {
            let deed = self.activity(context, Some(*loser));
            let rule = context.rule(loser).unwrap_or(contest.rule);
            said.push(match rule {
                Rule::Hold => {
                    format!("At the same time {deed}. That takes effect when the hold is lifted.")
                }
                rule => format!(
                    "At the same time {deed}. That is overridden: {}.",
                    rule.sentence()
                ),
            });
        }
        if let Some(more) = contest
            .losers
            .len()
            .checked_sub(CONTENDERS)
            .filter(|more| *more > 0)
        {
            said.push(format!("{more} more concurrent changes are overridden."));
        }
        said
    }

    fn waits(&self, context: &ExplainContext<'_>) -> Vec<String> {
        let view = &context.folded.view;
        let waits = view.depends_on.iter().filter_map(|on| {
            let link = self.index.wait(view, on);
            let title = text::show(&link.title, ACTIVITY_CHARS);
            match (link.satisfied, self.index.is_suspended(&view.id, on)) {
                (true, true) => {
                    let note = link.note.as_deref().unwrap_or("suspended");
                    Some(format!("It does not wait for {} {title} ({note}).", link.handle))
                }
                (true, false) => None,
                (false, _) => {
                    let note = link.note.as_deref().unwrap_or("not done");
                    Some(format!("It waits for {} {title} ({note}).", link.handle))
                }
            }
        });
        waits.take(WAITS).collect()
    }

    /// Who did an act, what, and how long ago.
    fn activity(&self, context: &ExplainContext<'_>, act: Option<ActId>) -> String {
        let line = act.and_then(|act| context.acts.iter().find(|line| line.act == act));
        line.map_or_else(
            || "by an act that is not known here".to_owned(),
            |line| {
                let deed = text::show(&who_did(line), ACTIVITY_CHARS);
                let ago = ago_phrase(self.now, line.at);
                // The time is that of the resolution, not of the act that it keeps.
                match deed.split_once(IN_FAVOUR).filter(|_| line.what == "settle") {
                    Some((settled, kept)) => format!("{settled} {ago}{IN_FAVOUR}{kept}"),
                    None => format!("{deed} {ago}"),
                }
            },
        )
    }
}

impl ExplainContext<'_> {
    fn op(&self, act: &ActId) -> Option<&Op> {
        let folding = self.folded.acts.get(act)?;
        let root = folding.keeps.and_then(|root| self.folded.acts.get(&root));
        Some(&root.unwrap_or(folding).record.act.op)
    }

    fn is_hold(&self, act: &ActId) -> bool {
        matches!(self.op(act), Some(Op::Freeze | Op::Block { .. }))
    }

    /// The rule by which an act was overridden.
    fn rule(&self, act: &ActId) -> Option<Rule> {
        let line = self.acts.iter().find(|line| line.act == *act)?;
        match &line.fate {
            towline_api::types::HistoryOutcome::Overtaken { rule, .. } => Some(*rule),
            _ => None,
        }
    }
}
