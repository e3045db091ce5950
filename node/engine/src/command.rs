//! What a command may look at, and what it decides.
//!
//! A command is a function from a [`CommandContext`] to a [`CommandPlan`]: it checks everything and writes
//! nothing. [`Project::perform`] writes what was planned and makes the reply. So a failure changes nothing.

#[cfg(test)]
mod tests;

use std::ops::Deref;

use towline_api::request::{Failure, Reply};
use towline_crdt::compose::{BodyEdit, Draft};
use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Op, Origin, Register, RequestId};

use crate::Project;
use crate::pending_batch::Work;
use crate::query::QueryContext;
use crate::write::conflict;

/// A project as commands see it: as queries do, and who asks.
pub(crate) struct CommandContext<'a> {
    query: QueryContext<'a>,
    /// Who asks.
    pub(crate) origin: &'a Origin,
    /// The id of the request, if the caller gave one.
    pub(crate) request: Option<RequestId>,
}

/// What a command decided.
pub(crate) struct CommandPlan {
    /// The work; without operations nothing is written.
    pub(crate) work: Work,
    /// What the reply is about.
    pub(crate) reply: PlannedReply,
}

/// What the reply to a command is about.
pub(crate) enum PlannedReply {
    /// An item: the one that is written if there is none here.
    Item {
        /// Which.
        item: Option<ItemId>,
        /// Its column before.
        from: Option<Column>,
        /// A note before all others.
        first: Option<String>,
        /// A note behind them.
        last: Option<String>,
    },
    /// The settings.
    Settings,
}

impl<'a> Deref for CommandContext<'a> {
    type Target = QueryContext<'a>;
    fn deref(&self) -> &Self::Target {
        &self.query
    }
}

impl CommandPlan {
    /// The plan to create an item.
    pub(crate) fn create(drafts: Vec<Draft>, body: Option<BodyEdit>) -> Self {
        Self {
            work: Work {
                drafts,
                body,
                ..Work::default()
            },
            reply: PlannedReply::Item {
                item: None,
                from: None,
                first: None,
                last: None,
            },
        }
    }

    /// The plan to change an item.
    ///
    /// # Errors
    /// When the item is in the trash and would be edited.
    pub(crate) fn change(
        row: &ItemView,
        drafts: Vec<Draft>,
        body: Option<BodyEdit>,
    ) -> Result<Self, Failure> {
        let about_trash = |op: &Op| matches!(op, Op::Resolve { over, .. } if *over == Register::Deleted);
        let mut ops = drafts.iter().map(|draft| &draft.op);
        let is_edit = ops.all(|op| op.verb().is_none() && !about_trash(op));
        if row.deleted && is_edit && !drafts.is_empty() {
            return Err(conflict("the item is in the trash; use `restore` first"));
        }
        let mut plan = Self::create(drafts, body);
        plan.work.item = Some(row.id);
        Ok(plan.about(row))
    }

    /// The plan whose reply is about an item that may be another one than the changed one.
    pub(crate) fn about(mut self, row: &ItemView) -> Self {
        self.reply = PlannedReply::Item {
            item: Some(row.id),
            from: Some(row.column),
            first: None,
            last: None,
        };
        self
    }

    /// Adds a note before all others.
    pub(crate) fn note_first(mut self, note: String) -> Self {
        if let PlannedReply::Item { first, .. } = &mut self.reply {
            *first = Some(note);
        }
        self
    }

    /// Adds a note behind all others.
    pub(crate) fn note_last(mut self, note: Option<String>) -> Self {
        if let PlannedReply::Item { last, .. } = &mut self.reply {
            *last = note;
        }
        self
    }
}

impl<'a> CommandContext<'a> {
    /// Operations as drafts with the current time.
    pub(crate) fn drafts(&self, ops: Vec<Op>) -> Vec<Draft> {
        drafts(self, self.origin, self.request, ops)
    }

    /// The plan to apply operations to an item.
    pub(crate) fn plan(
        &self,
        row: &ItemView,
        ops: Vec<Op>,
        body: Option<BodyEdit>,
    ) -> Result<CommandPlan, Failure> {
        CommandPlan::change(row, self.drafts(ops), body)
    }
}

/// Operations as drafts with the time of a context.
pub(crate) fn drafts(
    context: &QueryContext<'_>,
    origin: &Origin,
    request: Option<RequestId>,
    ops: Vec<Op>,
) -> Vec<Draft> {
    let draft = |op| Draft {
        op,
        origin: origin.clone(),
        at: context.now,
        request,
    };
    ops.into_iter().map(draft).collect()
}

impl Project {
    /// Decides about a command and performs the plan.
    pub(crate) fn command(
        &mut self,
        origin: &Origin,
        request: Option<RequestId>,
        decide: impl FnOnce(&CommandContext<'_>) -> Result<CommandPlan, Failure>,
    ) -> Result<Reply, Failure> {
        let context = CommandContext {
            query: self.query(),
            origin,
            request,
        };
        let plan = decide(&context)?;
        self.perform(plan)
    }

    /// Writes what was planned, and makes the reply.
    pub(crate) fn perform(&mut self, plan: CommandPlan) -> Result<Reply, Failure> {
        let changed = !plan.work.drafts.is_empty();
        let written = match changed {
            true => Some(self.write(plan.work)?),
            false => None,
        };
        match plan.reply {
            PlannedReply::Settings => self.query().settings().map(Reply::Settings),
            PlannedReply::Item {
                item,
                from,
                first,
                last,
            } => {
                let item = item.or(written).ok_or_else(|| conflict("nothing was written"))?;
                let mut applied = self.query().applied(&item, from, changed)?;
                applied.notes.splice(0..0, first);
                applied.notes.extend(last);
                Ok(Reply::Applied(Box::new(applied)))
            }
        }
    }
}
