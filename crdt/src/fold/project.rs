//! From the registers' heads to the row: the values, the conflicts, the trail.

use std::collections::BTreeSet;

use towline_proto::stage::{Blocked, Claim, Holds, MergeFailure};
use towline_proto::{ActId, Column, Millis, Op, Register, text};

use super::conflict::{assignee_of, epic_of, imported_of, priority_of, title_of};
use super::observed_state::ObservedState;
use super::resolution;
use super::{ActOutcome, ColumnValue, FoldState, FoldedAct, FoldedItem, effect, register};
use crate::members::Roles;
use crate::view::{Attribution, ColumnStep, Conflict, ItemView, RefusedAct, TRAIL};

/// Conflicts and refusals that a row lists at most; the timeline shows all.
const LISTED: usize = 32;
/// Acts about the trash, made apart, of which each is asked what it had seen.
const PURGES: usize = 8;
/// Commits, or things done beside a deletion, that a sentence names at most.
const NAMED: usize = 4;
/// Reasons of a block that are shown together.
const REASONS: usize = 8;

/// Turns a finished fold into its outcome.
pub(super) fn project<'a, R: Roles>(mut machine: FoldState<'a, R>) -> Option<FoldedItem<'a>> {
    let sight = machine.sight(|register| machine.heads(register).to_vec());
    let conflicts = machine.conflicts(&sight);
    machine.mark_repeats();
    let view = machine.row(&sight, conflicts)?;
    Some(FoldedItem {
        view,
        acts: machine.acts,
        heads: machine.heads,
        again: machine.again,
    })
}

impl<R: Roles> FoldState<'_, R> {
    /// The row, once every act has its fate.
    fn row(&self, sight: &ObservedState, mut conflicts: Vec<Conflict>) -> Option<ItemView> {
        let first = self.acts.get(&self.created)?;
        let Op::Create { number, .. } = &first.record.act.op else {
            return None;
        };
        let last = self.last()?;
        let (deleted, purged, beside) = self.trash(sight);
        let mut attention = self.attention(sight);
        attention.extend(beside);
        let (trail, entered_at, retries) = self.walk(sight);
        let sets = self.project_sets();
        let said = self.project_lists();
        conflicts.truncate(LISTED);
        Some(ItemView {
            id: self.item,
            number: *number,
            kind: sight.standing.kind,
            title: self.field(&Register::Title, title_of)?,
            column: sight.place.column,
            closing: sight.place.closing.as_deref().cloned(),
            holds: self.holds(sight),
            deleted,
            purged,
            qa: sight.qa,
            priority: self.field(&Register::Priority, priority_of)?,
            labels: sets.labels,
            depends_on: sets.depends_on,
            epic: self.field(&Register::Epic, epic_of).flatten(),
            assignee: self.field(&Register::Assignee, assignee_of).flatten(),
            origin: first.record.act.origin.clone(),
            request: first.record.act.request,
            claim: self.claim(sight),
            generation: sight.generation,
            retries,
            criteria: said.criteria,
            links: sets.links,
            comments: said.comments,
            body_edit: said.body_edit,
            imported: self.field(&Register::Imported, imported_of),
            conflicts,
            attention,
            refused: self.refused(),
            trail,
            updated_at: last.at,
            last,
            created_at: first.record.act.at,
            entered_at,
            heads: self.stage_heads(),
        })
    }

    /// The youngest act by its time.
    fn last(&self) -> Option<Attribution> {
        let acts = self.acts.iter();
        let (id, last) = acts.max_by_key(|(id, act)| (act.record.act.at, **id))?;
        Some(Attribution {
            act: *id,
            origin: last.record.act.origin.clone(),
            node: last.node,
            at: last.record.act.at,
        })
    }

    /// What never took effect, as far as a row lists it.
    fn refused(&self) -> Vec<RefusedAct> {
        let refused = self.acts.iter().filter_map(|(id, act)| match &act.outcome {
            ActOutcome::Refused(why) => Some(RefusedAct {
                act: *id,
                why: why.clone(),
            }),
            ActOutcome::Effective | ActOutcome::Superseded { .. } | ActOutcome::Overridden { .. } => None,
        });
        refused.take(LISTED).collect()
    }

    /// The heads of all that decides what is legal.
    fn stage_heads(&self) -> Vec<ActId> {
        let heads = register::STAGE.iter().flat_map(|register| self.heads(register));
        let heads: BTreeSet<ActId> = heads.copied().collect();
        heads.into_iter().collect()
    }

    pub(super) fn op(&self, id: &ActId) -> Option<&Op> {
        self.acts.get(id).map(|act| &act.record.act.op)
    }

    /// Where a fact contradicts what else was wanted.
    fn attention(&self, sight: &ObservedState) -> Vec<String> {
        let Some(column) = &sight.column else {
            return Vec::new();
        };
        let knew = |id: &ActId| {
            let acts = [column.fact, column.act].into_iter().flatten();
            let mut acts = acts.filter_map(|act| self.acts.get(&act));
            acts.any(|act| act.saw.contains(id))
        };
        let reports = self.heads(&Register::Failure).iter();
        let reports = reports.filter(|id| matches!(self.op(id), Some(Op::MergeFailed { .. })) && !knew(id));
        if column.fact.is_none() {
            // Somebody called it done. That is no fact, and a report that it cannot be merged is.
            let is_done = matches!(sight.place.column, Column::Done | Column::Archived)
                && sight.place.closing.is_none();
            let reports = reports
                .filter(|_| is_done)
                .filter_map(|id| effect(&self.acts, id));
            return reports
                .map(|op| format!("done, but {} at the same time", past(op)))
                .collect();
        }
        let lost = column.losers.iter().map(|lost| &lost.act);
        let against = column.contradicted.iter().chain(lost).chain(reports);
        let against = against.filter_map(|id| effect(&self.acts, id));
        let against = against.map(|op| format!("merged, but {} at the same time", past(op)));
        against.chain(self.merged_apart()).collect()
    }

    /// The commits of several merges that did not know of each other.
    fn merged_apart(&self) -> Option<String> {
        let heads = self.heads(&Register::Column).iter();
        let commits: BTreeSet<&str> = heads
            .filter_map(|id| match effect(&self.acts, id) {
                Some(Op::Merged { commit }) => commit.as_deref(),
                _ => None,
            })
            .collect();
        let named: Vec<_> = commits
            .iter()
            .take(NAMED)
            .map(|commit| text::show(commit, 16))
            .collect();
        (commits.len() > 1).then(|| {
            format!(
                "merged more than once at the same time, as {}",
                named.join(" and ")
            )
        })
    }

    /// Whether the item is in the trash, whether it was emptied out of there, and what people should
    /// know about it.
    fn trash(&self, sight: &ObservedState) -> (bool, bool, Option<String>) {
        let Some(winner) = sight.trash.winner.filter(|_| sight.standing.deleted) else {
            return (false, false, None);
        };
        let purges = matches!(effect(&self.acts, &winner), Some(Op::Purge));
        let same = |id: &&ActId| matches!(effect(&self.acts, id), Some(Op::Purge)) == purges;
        let heads = self.heads(&Register::Deleted).iter().filter(same).take(PURGES);
        // Of several who did the same the one who had seen most.
        let beside = heads.map(|id| self.beside(*id)).min_by_key(Vec::len);
        let beside = beside.unwrap_or_default();
        let purged = purges && beside.is_empty();
        (true, purged, self.done_beside(&beside))
    }

    /// What was done to an item while somebody put it into the trash. What matters to whoever decides whether
    /// it belongs there is named, the rest is counted.
    fn done_beside(&self, acts: &[ActId]) -> Option<String> {
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut edits = 0;
        for op in acts.iter().filter_map(|id| effect(&self.acts, id)) {
            match op {
                Op::Merged { commit: Some(commit) } => {
                    named.insert(format!("merged ({})", text::show(commit, 16)));
                }
                Op::Claim { holder, .. } | Op::TakeOver { holder, .. } => {
                    named.insert(format!("claimed by {}", text::show(holder, 40)));
                }
                Op::Freeze | Op::Block { .. } | Op::MergeFailed { .. } => drop(named.insert(past(op))),
                _ => edits += 1,
            }
        }
        let mut said: Vec<String> = named.into_iter().take(NAMED).collect();
        match edits {
            0 => {}
            1 => said.push("edited".to_owned()),
            many => said.push(format!("edited {many} times")),
        }
        let back = if acts.len() == 1 { "both" } else { "all" };
        let said = match said.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            Some((only, _)) => only.clone(),
            None => String::new(),
        };
        (!acts.is_empty())
            .then(|| format!("deleted, but {said} at the same time; `restore` brings {back} back"))
    }

    /// What was done to the item that this act's author had not seen.
    fn beside(&self, act: ActId) -> Vec<ActId> {
        let mut past = BTreeSet::from([act]);
        let mut open = vec![act];
        while let Some(act) = open.pop().and_then(|id| self.acts.get(&id)) {
            let saw = act.saw.iter().copied();
            open.extend(saw.filter(|seen| past.insert(*seen)));
        }
        let about_trash = |op: &Op| matches!(op, Op::Delete { .. } | Op::Restore | Op::Purge);
        let beside = self.acts.iter().filter(|(id, act)| {
            let refused = matches!(act.outcome, ActOutcome::Refused(_));
            let trash = effect(&self.acts, id).is_some_and(about_trash);
            !past.contains(id) && !refused && !trash
        });
        beside.map(|(id, _)| *id).collect()
    }

    fn holds(&self, sight: &ObservedState) -> Holds {
        let standing = sight.standing;
        Holds {
            frozen: standing.frozen,
            blocked: standing.blocked.then(|| self.blocked()),
            review: standing.review,
            failure: sight
                .failure
                .winner
                .filter(|_| standing.failure)
                .and_then(|id| self.failure(id)),
        }
    }

    /// The reasons of all who block it, each once.
    fn blocked(&self) -> Blocked {
        let heads = self.heads(&Register::Blocked).iter();
        let reasons: BTreeSet<&str> = heads
            .filter_map(|id| match effect(&self.acts, id) {
                Some(Op::Block { reason }) => Some(reason.as_str()),
                _ => None,
            })
            .collect();
        let reasons: Vec<&str> = reasons.into_iter().take(REASONS).collect();
        let (reason, _) = text::fit_lines(&reasons.join("; "), towline_proto::limits::NOTE_BYTES);
        Blocked { reason }
    }

    /// The failure that an act reports or gives up on.
    fn failure(&self, id: ActId) -> Option<MergeFailure> {
        let mut act = self.root(&id)?;
        let is_final = matches!(act.record.act.op, Op::GiveUpMerge);
        // Behind one who gave up again stands the one who gave up first, and then the report.
        while matches!(act.record.act.op, Op::GiveUpMerge) {
            let reported = resolution::flag(&self.acts, self.roles, &act.found.failure).winner;
            act = self.root(&reported?)?;
        }
        match &act.record.act.op {
            Op::MergeFailed { kind, detail } => Some(MergeFailure {
                kind: *kind,
                detail: detail.clone(),
                is_final,
            }),
            _ => None,
        }
    }

    fn claim(&self, sight: &ObservedState) -> Option<Claim> {
        let id = sight.claim.act?;
        let act = self.root(&id)?;
        let (Op::Claim { holder, generation }
        | Op::TakeOver {
            holder, generation, ..
        }) = &act.record.act.op
        else {
            return None;
        };
        Some(Claim {
            act: id,
            holder: holder.clone(),
            node: act.node,
            generation: *generation,
            at: act.record.act.at,
        })
    }

    /// For an act that settles where the item stands: the step that it repeats, or the one that had
    /// brought the item to where an act was done that leads nowhere. None where it keeps a hold.
    fn kept_step(&self, act: &FoldedAct<'_>) -> Option<ActId> {
        let Op::Settle { keep, .. } = &act.record.act.op else {
            return None;
        };
        let kept = self.acts.get(keep)?;
        if kept.to.is_some() {
            Some(*keep)
        } else if resolution::is_hold(&self.acts, keep) {
            None
        } else {
            kept.column_before
        }
    }

    /// Walks the acts that ruled the column, youngest first: the trail, since when it stands there,
    /// and how often it was sent back since it last left the backlog.
    fn walk(&self, sight: &ObservedState) -> (Vec<ColumnStep>, Millis, u32) {
        let place = &sight.place;
        let mut trail: Vec<ColumnStep> = Vec::new();
        let mut retries = 0;
        let mut counting = true;
        let mut entered_at = None;
        let mut entered = false;
        let mut next = sight.column_act.or(Some(self.created));
        // The chain of predecessors is acyclic because the acts were taken in causal order.
        while let Some(id) = next {
            let Some(act) = self.acts.get(&id) else { break };
            let column = act.to.as_ref().map_or(place.column, |to| to.column);
            if trail.len() < TRAIL {
                trail.push(ColumnStep { column, act: id });
            }
            entered = entered || column != place.column;
            if !entered {
                entered_at = Some(act.record.act.at);
            }
            // An act that settles a contest repeats a step; the step itself follows and is counted.
            if counting && matches!(act.record.act.op, Op::RequestChanges { .. }) {
                retries += 1;
            }
            let in_backlog = |place: &ColumnValue| matches!(place.column, Column::Upcoming | Column::Backlog);
            let step = act.keeps.is_none();
            let left_backlog =
                act.from.as_ref().is_none_or(in_backlog) && act.to.as_ref().is_none_or(|to| !in_backlog(to));
            counting = counting && !(step && left_backlog);
            if trail.len() >= TRAIL && entered && !counting {
                break;
            }
            next = self.kept_step(act).or(act.column_before);
        }
        let made = self.acts.get(&self.created).map(|act| act.record.act.at);
        (trail, entered_at.or(made).unwrap_or_default(), retries)
    }
}

/// What was done to the item, for a sentence.
fn past(op: &Op) -> String {
    match op {
        Op::Block { reason } => format!("blocked ({})", text::show(reason, 80)),
        Op::Freeze => "frozen".into(),
        Op::Abandon { .. } => "abandoned".into(),
        Op::Reject { .. } => "rejected".into(),
        Op::Supersede { .. } => "superseded".into(),
        Op::RequestChanges { .. } => "sent back".into(),
        Op::MergeFailed { kind, .. } => format!("a failed merge ({kind}) was reported"),
        Op::Move { to, .. } => format!("moved to {to}"),
        Op::Merged { .. } => "marked done".into(),
        Op::Triage => "triaged".into(),
        Op::Start { .. } => "started".into(),
        Op::Submit => "submitted".into(),
        Op::PassQa => "passed by QA".into(),
        Op::Approve => "approved".into(),
        Op::Reopen => "reopened".into(),
        Op::Archive => "archived".into(),
        op => op.name().to_owned(),
    }
}
