//! Commands that change items: from a request to the operations that carry it out.
//!
//! Handles are resolved and cycles are checked here; whether an operation is legal is decided when the entry is
//! composed. Nothing is written ([`crate::command`]). Transitions have a module of their own, `transition`.

use std::collections::BTreeSet;

use towline_api::notice_text::link_note_text;
use towline_api::request::{Edit, NewItem};
use towline_api::types::Applied;
use towline_crdt::compose::BodyEdit;
use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, Kind, LinkKind, Op, limits, text};

use super::command::{CommandContext, CommandPlan};
use super::errors::{EditError, StorageError};
use super::query::QueryContext;

/// The middle of 0 to 4.
const DEFAULT_PRIORITY: u8 = 2;

/// Checked before anything is composed, so that the message can name the resulting number.
fn labels_fit(whose: &str, labels: usize) -> Result<(), EditError> {
    if labels <= limits::LABELS {
        return Ok(());
    }
    let whose = whose.to_owned();
    Err(EditError::TooManyLabels { whose, labels })
}

/// A title that is written here must be one legible line.
fn legible(title: &str) -> Result<(), EditError> {
    let checked = text::title(title).and_then(text::legible);
    checked.map(|_| ()).map_err(EditError::InvalidTitle)
}

impl CommandContext<'_> {
    /// Creates an item.
    pub(crate) fn create_item(&self, new: NewItem) -> Result<CommandPlan, EditError> {
        legible(&new.title)?;
        let mut depends_on = Vec::new();
        for on in &new.depends_on {
            depends_on.push(self.index.find_one(on)?.id);
        }
        let epic = new.epic.as_deref().map(|epic| self.epic(epic)).transpose()?;
        let mut ops = vec![Op::Create {
            number: self.index.next_number(),
            kind: new.kind,
            title: new.title,
            column: if new.upcoming {
                Column::Upcoming
            } else {
                Column::Backlog
            },
            priority: new.priority.unwrap_or(DEFAULT_PRIORITY),
            qa: new.qa.unwrap_or(self.settings.qa),
        }];
        labels_fit("the item", new.labels.len())?;
        ops.extend(new.labels.into_iter().map(|label| Op::AddLabel { label }));
        ops.extend(depends_on.into_iter().map(|on| Op::AddDependency { on }));
        ops.extend(epic.map(|epic| Op::SetEpic { epic: Some(epic) }));
        ops.extend(new.assignee.map(|who| Op::Assign { who: Some(who) }));
        ops.extend(new.criteria.into_iter().map(|text| Op::AddCriterion { text }));
        let body = (!new.body.is_empty()).then_some(BodyEdit {
            base: None,
            text: new.body,
        });
        if body.is_some() {
            ops.push(Op::EditBody);
        }
        Ok(CommandPlan::create(self.drafts(ops), body))
    }

    fn epic(&self, wanted: &str) -> Result<ItemId, EditError> {
        let row = self.index.find_one(wanted)?;
        if row.kind == Kind::Epic {
            return Ok(row.id);
        }
        let handle = self.index.handle(&row);
        Err(EditError::NotAnEpic {
            handle,
            kind: row.kind,
        })
    }

    /// Refuses an epic that belongs to the item, directly or not. The walk ends at a cycle of epics, which
    /// concurrent edits can create.
    fn may_belong(&self, row: &ItemView, epic: Option<ItemId>) -> Result<(), EditError> {
        let mut seen = BTreeSet::new();
        let mut above = epic;
        while let Some(id) = above.filter(|id| seen.insert(*id)) {
            if id == row.id {
                let [this, epic] = [Some(id), epic].map(|id| id.and_then(|id| self.index.get(&id)));
                let [this, epic] = [this, epic].map(|row| row.map(|row| self.index.handle(&row)));
                return Err(match (this, epic) {
                    (Some(this), Some(epic)) if this != epic => EditError::EpicBelow { this, epic },
                    _ => EditError::EpicOfItself,
                });
            }
            above = self.index.get(&id).and_then(|row| row.epic);
        }
        Ok(())
    }

    /// Edits fields.
    pub(crate) fn edit(&self, edit: Edit) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(&edit.item)?;
        self.values_are(&row, &edit)?;
        let mut ops = Vec::new();
        if let Some(title) = edit.title.filter(|title| *title != row.title) {
            legible(&title)?;
            ops.push(Op::SetTitle { title });
        }
        if let Some(kind) = edit.kind.filter(|kind| *kind != row.kind) {
            if let Some(item) = self.index.children(&row.id).first() {
                let (epic, item) = (self.index.handle(&row), item.handle.clone());
                return Err(EditError::EpicHasItems { epic, item });
            }
            ops.push(Op::SetKind { kind });
        }
        if let Some(priority) = edit.priority.filter(|priority| *priority != row.priority) {
            ops.push(Op::SetPriority { priority });
        }
        if let Some(qa) = edit.qa.filter(|qa| *qa != row.qa) {
            ops.push(Op::SetQa { qa });
        }
        if let Some(wanted) = edit.epic {
            let epic = if wanted.is_empty() {
                None
            } else {
                Some(self.epic(&wanted)?)
            };
            self.may_belong(&row, epic)?;
            if epic != row.epic {
                ops.push(Op::SetEpic { epic });
            }
        }
        if let Some(who) = edit.assignee {
            let who = (!who.is_empty()).then_some(who);
            if who != row.assignee {
                ops.push(Op::Assign { who });
            }
        }
        let current = match &edit.body {
            Some(_) => Some(self.store.body(&row.id)?),
            None => None,
        };
        let body = match edit.body {
            Some(text) if Some(&text) != current.as_ref() && Some(&text) != edit.body_base.as_ref() => {
                Some(BodyEdit {
                    base: edit.body_base,
                    text,
                })
            }
            _ => None,
        };
        if body.is_some() {
            ops.push(Op::EditBody);
        }
        Ok(self.plan(&row, ops, body)?)
    }

    /// Adds and removes labels.
    pub(crate) fn label(
        &self,
        item: &str,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(item)?;
        let mut ops = Vec::new();
        for label in remove {
            if row.labels.contains(&label) {
                ops.push(Op::RemoveLabel { label });
            }
        }
        let taken = ops.len();
        for label in add {
            if !row.labels.contains(&label) {
                ops.push(Op::AddLabel { label });
            }
        }
        let left = (row.labels.len() + ops.len()).saturating_sub(2 * taken);
        labels_fit(&self.index.handle(&row), left)?;
        Ok(self.plan(&row, ops, None)?)
    }

    /// Adds and removes dependencies; a cycle is refused.
    pub(crate) fn depends(
        &self,
        item: &str,
        add: &[String],
        remove: &[String],
    ) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(item)?;
        let mut ops = Vec::new();
        for wanted in remove {
            let on = self.index.find_one(wanted)?.id;
            if row.depends_on.contains(&on) {
                ops.push(Op::RemoveDependency { on });
            }
        }
        for wanted in add {
            let on = self.index.find_one(wanted)?;
            if row.depends_on.contains(&on.id) {
                continue;
            }
            if self.index.depends_on(&on.id, &row.id) {
                let (this, other) = (self.index.handle(&row), self.index.handle(&on));
                return Err(if on.id == row.id {
                    EditError::WaitsForItself(this)
                } else {
                    let cycle = self.closed_cycle_text(row.id, on.id);
                    EditError::Cycle { this, other, cycle }
                });
            }
            ops.push(Op::AddDependency { on: on.id });
        }
        Ok(self.plan(&row, ops, None)?)
    }

    /// Adds and removes links.
    pub(crate) fn link(
        &self,
        item: &str,
        add: Vec<(LinkKind, String)>,
        remove: Vec<(LinkKind, String)>,
    ) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(item)?;
        let has = |kind: LinkKind, target: &str| {
            row.links
                .iter()
                .any(|link| link.kind == kind && link.target == target)
        };
        let mut ops = Vec::new();
        for (kind, target) in remove {
            if has(kind, &target) {
                ops.push(Op::RemoveLink { kind, target });
            }
        }
        for (kind, target) in add {
            if !has(kind, &target) {
                ops.push(Op::AddLink { kind, target });
            }
        }
        Ok(self.plan(&row, ops, None)?)
    }

    /// Applies one unconditional operation: adds a comment or a criterion.
    pub(crate) fn say(&self, item: &str, op: Op) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(item)?;
        Ok(self.plan(&row, vec![op], None)?)
    }

    /// Sets the state of a criterion, given by its position in the list.
    pub(crate) fn judge(
        &self,
        item: &str,
        place: usize,
        state: towline_proto::CriterionState,
        evidence: Option<String>,
    ) -> Result<CommandPlan, EditError> {
        let row = self.index.find_one(item)?;
        let criterion = place.checked_sub(1).and_then(|place| row.criteria.get(place));
        let Some(criterion) = criterion.map(|criterion| criterion.id) else {
            let count = row.criteria.len();
            return Err(EditError::NoCriterion { place, count });
        };
        let op = Op::SetCriterion {
            criterion,
            state,
            evidence,
        };
        Ok(self.plan(&row, vec![op], None)?)
    }
}

impl QueryContext<'_> {
    /// What a command answers about an item.
    pub(crate) fn applied(
        &self,
        id: &ItemId,
        from: Option<Column>,
        changed: bool,
    ) -> Result<Applied, StorageError> {
        let row = self.index.get(id).ok_or(StorageError::NotIndexed)?;
        let card = self.index.card(&row);
        let mut notes = Vec::new();
        for link in card.depends_on.iter().filter(|link| !link.satisfied) {
            let note = link
                .note
                .as_ref()
                .map(|note| format!(" ({})", link_note_text(note)));
            let note = note.unwrap_or_default();
            notes.push(format!("waits for {}{note}", link.handle));
        }
        Ok(Applied {
            card,
            from,
            notes,
            changed,
            purged: row.purged,
        })
    }
}
