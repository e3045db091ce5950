//! Projection: makes the row of an item from the heads of its registers: values, conflicts, column history.
//!
//! Relies on the finished fold. Everything that a row says about one item is computed here and in `lists`.

use std::collections::BTreeSet;

use towline_proto::stage::{Blocked, Claim, Holds, MergeFailure};
use towline_proto::{ActId, Column, Millis, Op, Register, text};

use super::conflict::{assignee_of, epic_of, imported_of, priority_of, title_of};
use super::observed_state::ObservedState;
use super::winner;
use super::{ActOutcome, ColumnValue, FoldState, FoldedAct, FoldedItem, effect, register};
use crate::members::Roles;
use crate::reasons::{NOTICE_COMMIT_CHARS, Notice, NoticedAct, beginning};
use crate::view::{Attribution, ColumnStep, Conflict, ItemView, RefusedAct, TRAIL};

/// The most conflicts and refused acts that a row lists; the timeline shows all.
const LISTED: usize = 32;
/// The most concurrent deletions or purges that are compared by what their authors had seen.
const PURGES: usize = 8;
/// The most commits, or acts concurrent to a deletion, that a notice names.
const NAMED: usize = 4;
/// The most reasons of a block that are shown together.
const REASONS: usize = 8;

/// Turns a finished fold into its result.
pub(super) fn project<'a, R: Roles>(mut state: FoldState<'a, R>) -> Option<FoldedItem<'a>> {
    let observed = state.observe(|register| state.heads(register).to_vec());
    let conflicts = state.mark_conflicts(&observed);
    state.mark_duplicates();
    let view = state.row(&observed, conflicts)?;
    Some(FoldedItem {
        view,
        acts: state.acts,
        heads: state.heads,
        requests: state.requests,
    })
}

impl<R: Roles> FoldState<'_, R> {
    /// The row, once every act has its outcome.
    fn row(&self, observed: &ObservedState, mut conflicts: Vec<Conflict>) -> Option<ItemView> {
        let first = self.acts.get(&self.created)?;
        let Op::Create { number, .. } = &first.record.act.op else {
            return None;
        };
        let last = self.last()?;
        let (deleted, purged, concurrent) = self.trash(observed);
        let mut attention = self.attention(observed);
        attention.extend(concurrent);
        let (trail, entered_at, retries) = self.column_history(observed);
        let sets = self.project_sets();
        let lists = self.project_lists();
        conflicts.truncate(LISTED);
        Some(ItemView {
            id: self.item,
            number: *number,
            kind: observed.state.kind,
            title: self.field(&Register::Title, title_of)?,
            column: observed.column_value.column,
            closing: observed.column_value.closing.as_deref().cloned(),
            holds: self.holds(observed),
            deleted,
            purged,
            qa: observed.qa,
            priority: self.field(&Register::Priority, priority_of)?,
            labels: sets.labels,
            depends_on: sets.depends_on,
            epic: self.field(&Register::Epic, epic_of).flatten(),
            assignee: self.field(&Register::Assignee, assignee_of).flatten(),
            origin: first.record.act.origin.clone(),
            request: first.record.act.request,
            claim: self.claim(observed),
            generation: observed.generation,
            retries,
            criteria: lists.criteria,
            links: sets.links,
            comments: lists.comments,
            body_edit: lists.body_edit,
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

    /// The youngest act by its author's clock.
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

    /// The refused acts that the row lists.
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

    /// The heads of the registers that decide what is legal.
    fn stage_heads(&self) -> Vec<ActId> {
        let heads = register::STAGE.iter().flat_map(|register| self.heads(register));
        let heads: BTreeSet<ActId> = heads.copied().collect();
        heads.into_iter().collect()
    }

    pub(super) fn op(&self, id: &ActId) -> Option<&Op> {
        self.acts.get(id).map(|act| &act.record.act.op)
    }

    /// Facts that contradict the state of the item.
    fn attention(&self, observed: &ObservedState) -> Vec<Notice> {
        let Some(column) = &observed.column else {
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
            // Somebody marked it done without a commit. That is an intent, and a failed merge is a fact.
            let is_done = matches!(observed.column_value.column, Column::Done | Column::Archived)
                && observed.column_value.closing.is_none();
            let reports = reports
                .filter(|_| is_done)
                .filter_map(|id| effect(&self.acts, id));
            let acts = reports.map(NoticedAct::of);
            return acts.map(|act| Notice::DoneDespite { act }).collect();
        }
        let losers = column.losers.iter().map(|loser| &loser.act);
        let against = column.overridden_holds.iter().chain(losers).chain(reports);
        let against = against.filter_map(|id| effect(&self.acts, id));
        let against = against.map(|op| Notice::MergedDespite {
            act: NoticedAct::of(op),
        });
        against.chain(self.concurrent_merges()).collect()
    }

    /// A notice that names the commits of several concurrent merges.
    fn concurrent_merges(&self) -> Option<Notice> {
        let heads = self.heads(&Register::Column).iter();
        let commits: BTreeSet<&str> = heads
            .filter_map(|id| match effect(&self.acts, id) {
                Some(Op::Merged { commit }) => commit.as_deref(),
                _ => None,
            })
            .collect();
        let named = commits.iter().take(NAMED);
        (commits.len() > 1).then(|| Notice::MergedRepeatedly {
            commits: named
                .map(|commit| beginning(commit, NOTICE_COMMIT_CHARS))
                .collect(),
        })
    }

    /// Whether the item is deleted, whether it is purged, and a notice about acts concurrent to that.
    fn trash(&self, observed: &ObservedState) -> (bool, bool, Option<Notice>) {
        let Some(winner) = observed.trash.winner.filter(|_| observed.state.deleted) else {
            return (false, false, None);
        };
        let purges = matches!(effect(&self.acts, &winner), Some(Op::Purge));
        let same = |id: &&ActId| matches!(effect(&self.acts, id), Some(Op::Purge)) == purges;
        let heads = self.heads(&Register::Deleted).iter().filter(same).take(PURGES);
        // Of several that did the same, the one whose author had seen most.
        let concurrent = heads.map(|id| self.concurrent_with(*id)).min_by_key(Vec::len);
        let concurrent = concurrent.unwrap_or_default();
        let purged = purges && concurrent.is_empty();
        (true, purged, self.deleted_despite(&concurrent))
    }

    /// A notice about acts concurrent to a deletion. It names the acts that matter when deciding whether to
    /// restore the item, and counts the others.
    fn deleted_despite(&self, acts: &[ActId]) -> Option<Notice> {
        let mut named: BTreeSet<NoticedAct> = BTreeSet::new();
        let mut edits = 0;
        for op in acts.iter().filter_map(|id| effect(&self.acts, id)) {
            match op {
                Op::Merged { commit: Some(_) }
                | Op::Claim { .. }
                | Op::TakeOver { .. }
                | Op::Freeze
                | Op::Block { .. }
                | Op::MergeFailed { .. } => drop(named.insert(NoticedAct::of(op))),
                _ => edits += 1,
            }
        }
        (!acts.is_empty()).then(|| Notice::DeletedDespite {
            acts: named.into_iter().take(NAMED).collect(),
            edits,
            total: acts.len(),
        })
    }

    /// The acts that the author of this act had not seen, but for refused acts and those about the trash.
    fn concurrent_with(&self, act: ActId) -> Vec<ActId> {
        let mut past = BTreeSet::from([act]);
        let mut open = vec![act];
        while let Some(act) = open.pop().and_then(|id| self.acts.get(&id)) {
            let saw = act.saw.iter().copied();
            open.extend(saw.filter(|seen| past.insert(*seen)));
        }
        let about_trash = |op: &Op| matches!(op, Op::Delete { .. } | Op::Restore | Op::Purge);
        let concurrent = self.acts.iter().filter(|(id, act)| {
            let refused = matches!(act.outcome, ActOutcome::Refused(_));
            let trash = effect(&self.acts, id).is_some_and(about_trash);
            !past.contains(id) && !refused && !trash
        });
        concurrent.map(|(id, _)| *id).collect()
    }

    fn holds(&self, observed: &ObservedState) -> Holds {
        let state = observed.state;
        Holds {
            frozen: state.frozen,
            blocked: state.blocked.then(|| self.blocked()),
            review: state.review,
            failure: observed
                .failure
                .winner
                .filter(|_| state.failure)
                .and_then(|id| self.failure(id)),
        }
    }

    /// The reasons of all blocks in effect, each once.
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

    /// The merge failure that an act reports or gives up on.
    fn failure(&self, id: ActId) -> Option<MergeFailure> {
        let mut act = self.root(&id)?;
        let is_final = matches!(act.record.act.op, Op::GiveUpMerge);
        // Giving up can be repeated: go back over every `give-up-merge` to the report.
        while matches!(act.record.act.op, Op::GiveUpMerge) {
            let reported = winner::decide_hold(&self.acts, self.roles, &act.scoped.failure).winner;
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

    fn claim(&self, observed: &ObservedState) -> Option<Claim> {
        let id = observed.claim.act?;
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

    /// For an act that resolves a conflict about the column: the step that it repeats. When it keeps an act that
    /// is no step, the step that had put the item where that act's author saw it. `None` when it keeps a hold.
    fn kept_step(&self, act: &FoldedAct<'_>) -> Option<ActId> {
        let Op::Resolve { keep, .. } = &act.record.act.op else {
            return None;
        };
        let kept = self.acts.get(keep)?;
        if kept.to.is_some() {
            Some(*keep)
        } else if winner::is_exit_hold(&self.acts, keep) {
            None
        } else {
            kept.column_before
        }
    }

    /// Walks the steps of the column back from the present one. Returns the trail, since when the item is in its
    /// column, and how often it was sent back since it last left the backlog.
    fn column_history(&self, observed: &ObservedState) -> (Vec<ColumnStep>, Millis, u32) {
        let place = &observed.column_value;
        let mut trail: Vec<ColumnStep> = Vec::new();
        let mut retries = 0;
        let mut counting = true;
        let mut entered_at = None;
        let mut entered = false;
        let mut next = observed.column_act.or(Some(self.created));
        // The predecessors form no cycle, because the acts were folded in causal order.
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
            // An act that resolves a conflict repeats a step; the step itself comes later and is counted.
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
