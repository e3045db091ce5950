//! `undo`: the operations that take back somebody's own last command.
//!
//! The acts of one command carry one time. Each of them is taken back by an ordinary operation that sets what held
//! before, which the fold of the earlier acts says. So nothing is removed from the history, and an undo replicates
//! and competes like every other change. It is refused where a register that the command wrote has changed since,
//! where there is a conflict about it, and where the domain has no operation that leads back. Nothing is written
//! here.

use towline_api::activity_text::who_by;
use towline_crdt::doc::Acts;
use towline_crdt::fold::{ActOutcome, FoldedAct, FoldedItem, fold};
use towline_crdt::view::ItemView;
use towline_proto::{ActId, Closing, Column, Op, OpKind, Register};

use super::command::{CommandContext, CommandPlan};
use super::errors::{StorageError, UndoError};

/// The most items that are searched for the last command, the last changed first.
const MAX_SEARCHED: usize = 200;

/// A command: its acts in one item, in causal order.
struct LastCommand {
    view: ItemView,
    /// The item before the command; none for the command that created it.
    before: Option<ItemView>,
    steps: Vec<Step>,
    at: towline_proto::Millis,
}

/// One act of a command.
struct Step {
    op: Op,
    kind: OpKind,
    /// Who changed what it wrote, and what they did, as half a sentence.
    changed: Option<String>,
}

impl CommandContext<'_> {
    /// Takes back the last command that the caller gave to this node, of one item or of all.
    pub(crate) fn undo(&self, item: Option<&str>) -> Result<CommandPlan, UndoError> {
        let last = self.last_command(item)?;
        let handle = self.index.handle(&last.view);
        if let Some(by) = last.steps.iter().find_map(|step| step.changed.as_ref()) {
            let what = last.steps.first().map_or("", |step| step.kind.as_str());
            let (what, by) = (what.to_owned(), by.clone());
            return Err(UndoError::ChangedSince { handle, what, by });
        }
        let Some(before) = &last.before else {
            if last.view.deleted {
                return Err(UndoError::Nothing(self.origin.id.clone()));
            }
            return Ok(self.plan(&last.view, vec![Op::Delete { reason: None }], None)?);
        };
        let mut ops = Vec::new();
        for step in last.steps.iter().rev() {
            if last.steps.iter().any(|other| resets(&other.kind, &step.op)) {
                continue;
            }
            let reversed = self.reversed(step, before, &last.view);
            ops.extend(reversed.map_err(|why| UndoError::Impossible {
                handle: handle.clone(),
                what: step.kind.as_str(),
                why,
            })?);
        }
        Ok(self.plan(&last.view, ops, None)?)
    }

    /// The last command of the caller at this node.
    fn last_command(&self, item: Option<&str>) -> Result<LastCommand, UndoError> {
        let rows = match item {
            Some(item) => vec![self.index.find_one(item)?.id],
            None => {
                let mut rows: Vec<_> = self.index.shown().map(|row| (row.updated_at, row.id)).collect();
                rows.sort_unstable_by(|a, b| b.cmp(a));
                rows.into_iter().map(|(_, id)| id).take(MAX_SEARCHED).collect()
            }
        };
        let mut last: Option<LastCommand> = None;
        for id in rows {
            let known = last.as_ref().map(|last| last.at);
            if self
                .index
                .get(&id)
                .is_some_and(|row| Some(row.updated_at) < known)
            {
                break;
            }
            let doc = self.doc(&id)?;
            let folded = self.folded(&doc)?;
            if let Some(found) = self.last_command_in(doc.acts(), &folded)?
                && Some(found.at) > known
            {
                last = Some(found);
            }
        }
        let Some(last) = last else {
            return Err(UndoError::Nothing(self.origin.id.clone()));
        };
        // Settings are in a document of their own.
        let settings = self.settings().map_err(UndoError::Storage)?;
        let mine = settings.into_iter().find(|setting| {
            let by = setting.set.as_ref();
            item.is_none() && by.is_some_and(|by| by.origin == *self.origin && by.at > last.at)
        });
        match mine {
            Some(setting) => Err(UndoError::Setting(setting.key)),
            None => Ok(last),
        }
    }

    /// The last command of the caller in one item. What was imported is no command.
    fn last_command_in(
        &self,
        acts: &Acts,
        folded: &FoldedItem<'_>,
    ) -> Result<Option<LastCommand>, StorageError> {
        let imported = |act: &FoldedAct<'_>| matches!(act.record.act.op, Op::MarkImport { .. });
        let import = folded.acts.iter().filter(|(_, act)| imported(act));
        let import = import.map(|(_, act)| act.order).max();
        let mine = |act: &FoldedAct<'_>| {
            act.node == self.me && act.record.act.origin == *self.origin && Some(act.order) > import
        };
        let own = || folded.acts.iter().filter(|(_, act)| mine(act));
        let Some(at) = own().map(|(_, act)| act.record.act.at).max() else {
            return Ok(None);
        };
        let mut group: Vec<_> = own().filter(|(_, act)| act.record.act.at == at).collect();
        group.sort_by_key(|(_, act)| act.order);
        let first = group.first().map_or(0, |(_, act)| act.order);
        let ids: Vec<ActId> = group.iter().map(|(id, _)| **id).collect();
        let steps = group.iter().map(|(id, act)| Step {
            op: act.record.act.op.clone(),
            kind: act.record.act.op.kind(),
            changed: self.changed_since(folded, id, act, &ids),
        });
        let steps: Vec<Step> = steps.collect();
        let earlier: Acts = acts
            .iter()
            .filter(|(id, _)| folded.acts.get(id).is_some_and(|act| act.order < first))
            .map(|(id, record)| (*id, record.clone()))
            .collect();
        let before = fold(folded.view.id, &earlier, self.members).map(|before| before.view);
        Ok(Some(LastCommand {
            view: folded.view.clone(),
            before,
            steps,
            at,
        }))
    }

    /// Who changed what an act wrote, or why it has no effect.
    fn changed_since(
        &self,
        folded: &FoldedItem<'_>,
        id: &ActId,
        act: &FoldedAct<'_>,
        command: &[ActId],
    ) -> Option<String> {
        let by = |act: &ActId| {
            folded.acts.get(act).map_or_else(
                || "another change".to_owned(),
                |act| who_by(&self.summary(folded, act)),
            )
        };
        match &act.outcome {
            ActOutcome::Superseded { by: other } | ActOutcome::Overridden { by: other, .. } => {
                return (!command.contains(other)).then(|| by(other));
            }
            ActOutcome::Refused(_) => return Some("it never took effect".to_owned()),
            ActOutcome::Effective => {}
        }
        if matches!(act.record.act.op, Op::Create { .. }) {
            // Deleting takes back everything that was done to the item.
            let others = folded.acts.iter().filter(|(id, _)| !command.contains(id));
            return others.max_by_key(|(_, act)| act.order).map(|(id, _)| by(id));
        }
        let main = act.writes.first().filter(|register| replaces(register))?;
        let youngest = folded.youngest_head(main)?;
        let competes = youngest != *id && !command.contains(&youngest);
        competes.then(|| by(&youngest))
    }

    /// The operations that lead back from one act, or why there are none.
    fn reversed(&self, step: &Step, before: &ItemView, now: &ItemView) -> Result<Vec<Op>, &'static str> {
        let claim = |holder: &str| Op::Claim {
            holder: holder.to_owned(),
            generation: now.generation.saturating_add(1),
        };
        Ok(vec![match &step.op {
            Op::SetTitle { .. } => Op::SetTitle {
                title: before.title.clone(),
            },
            Op::SetKind { .. } => Op::SetKind { kind: before.kind },
            Op::SetPriority { .. } => Op::SetPriority {
                priority: before.priority,
            },
            Op::SetQa { .. } => Op::SetQa { qa: before.qa },
            Op::SetEpic { .. } => Op::SetEpic { epic: before.epic },
            Op::Assign { .. } => Op::Assign {
                who: before.assignee.clone(),
            },
            Op::AddLabel { label } => Op::RemoveLabel { label: label.clone() },
            Op::RemoveLabel { label } => Op::AddLabel { label: label.clone() },
            Op::AddDependency { on } => Op::RemoveDependency { on: *on },
            Op::RemoveDependency { on } if self.index.depends_on(on, &now.id) => {
                return Err("the dependency would close a cycle now");
            }
            Op::RemoveDependency { on } => Op::AddDependency { on: *on },
            Op::AddLink { kind, target } => Op::RemoveLink {
                kind: *kind,
                target: target.clone(),
            },
            Op::RemoveLink { kind, target } => Op::AddLink {
                kind: *kind,
                target: target.clone(),
            },
            Op::SetCriterion { criterion, .. } => {
                let known = before.criteria.iter().find(|known| known.id == *criterion);
                Op::SetCriterion {
                    criterion: *criterion,
                    state: known.ok_or("the criterion is not known here")?.state,
                    evidence: None,
                }
            }
            Op::Block { .. } | Op::Unblock => match &before.holds.blocked {
                Some(blocked) => Op::Block {
                    reason: blocked.reason.clone(),
                },
                None => Op::Unblock,
            },
            Op::Freeze => Op::Unfreeze,
            Op::Unfreeze => Op::Freeze,
            Op::Delete { .. } => Op::Restore,
            Op::Restore => Op::Delete { reason: None },
            Op::Claim { .. } => Op::Release {
                generation: now.generation,
            },
            Op::Release { .. } => match &before.claim {
                Some(held) => claim(&held.holder),
                None => return Err("nobody held a claim before"),
            },
            Op::MergeFailed { .. } if before.holds.failure.is_none() => Op::RetryMerge,
            Op::MergeFailed { .. } | Op::RetryMerge => match &before.holds.failure {
                Some(failure) => Op::MergeFailed {
                    kind: failure.kind,
                    detail: failure.detail.clone(),
                },
                None => return Err("there was no failed merge before"),
            },
            Op::Merged { commit: Some(_) } => {
                return Err("a merge with a commit is a fact; use `move` if the work is not done");
            }
            Op::Triage
            | Op::Start { .. }
            | Op::Submit
            | Op::RequestChanges { .. }
            | Op::PassQa
            | Op::Approve
            | Op::Merged { commit: None }
            | Op::Abandon { .. }
            | Op::Supersede { .. }
            | Op::Reject { .. }
            | Op::Reopen
            | Op::Archive
            | Op::Move { .. } => return self.moved_back(before, now, claim),
            Op::Comment { .. } => {
                return Err("what was said stays in the history of every node; add another comment");
            }
            Op::AddCriterion { .. } => return Err("a criterion stays; it can be marked as skipped"),
            Op::EditBody => {
                return Err("the description may have been edited by others since; edit it again");
            }
            Op::Resolve { .. } => {
                return Err("a resolved conflict does not open again; change the item instead");
            }
            Op::TakeOver { .. } => return Err("the earlier holder of the claim has to take it over again"),
            Op::GiveUpMerge => return Err("the merge can be retried with `retry-merge`"),
            Op::Purge => return Err("a purged item is gone for good"),
            Op::Create { .. } | Op::MarkImport { .. } | Op::Set { .. } | Op::Unknown => {
                return Err("this version knows no operation that leads back");
            }
        }])
    }

    /// The way back into the column before.
    fn moved_back(
        &self,
        before: &ItemView,
        now: &ItemView,
        claim: impl Fn(&str) -> Op,
    ) -> Result<Vec<Op>, &'static str> {
        if now.column == before.column {
            return Err("it moved the item to no other column; use `request-changes` to send it back");
        }
        let back = match (before.column, &before.closing) {
            (Column::Archived, _) => {
                return Err("only a running node or `archive` puts an item back into the archive");
            }
            (Column::Done, _) if now.column == Column::Archived => {
                return Err("an archived item comes back with `reopen` only");
            }
            (Column::Done, _) => Op::Merged { commit: None },
            (Column::Closed, _) if now.column == Column::Archived => {
                return Err("an archived item comes back with `reopen` only");
            }
            (Column::Closed, Some(Closing::Superseded { by })) => Op::Supersede { by: *by },
            (Column::Closed, Some(Closing::Rejected { reason })) => Op::Reject {
                reason: reason.clone(),
            },
            (Column::Closed, Some(Closing::Abandoned)) => Op::Abandon { reason: None },
            (Column::Closed, None) => return Err("how it was closed is not known here"),
            (to, _) => Op::Move {
                to,
                reason: Some("undo".to_owned()),
            },
        };
        let held = before.claim.as_ref().filter(|held| held.holder == self.origin.id);
        let again = held
            .filter(|_| before.column.is_open())
            .map(|held| claim(&held.holder));
        Ok(std::iter::once(back).chain(again).collect())
    }
}

/// Whether an act in this register replaces earlier ones.
const fn replaces(register: &Register) -> bool {
    !matches!(register, Register::Comments | Register::Body | Register::Criteria)
}

/// Whether the way back from one act takes back another act of the same command: a step of the column ends the claim.
fn resets(step: &OpKind, other: &Op) -> bool {
    let moves = |kind: &OpKind| {
        matches!(
            kind,
            OpKind::Transition(towline_proto::Verb::Start | towline_proto::Verb::Move)
        )
    };
    moves(step) && matches!(other, Op::Claim { .. })
}
