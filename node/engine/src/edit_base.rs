//! Whether an item still has the values that an edit was made from.
//!
//! A form on a page, or a program, may be an hour old when it is sent. Relies on the index. Bodies are not compared:
//! their difference is merged. Nothing is written here.

use towline_api::request::Edit;
use towline_crdt::view::ItemView;
use towline_proto::{ActId, CriterionState, Field};

use super::command::CommandContext;
use super::errors::EditError;

/// Whether a value is neither the one that was seen nor the new one.
fn is_other<T: PartialEq>(now: &T, seen: Option<&T>, new: Option<&T>) -> bool {
    new.is_some_and(|new| new != now) && seen.is_some_and(|seen| seen != now)
}

impl CommandContext<'_> {
    /// Refuses an edit that was made from other values.
    pub(crate) fn values_are(&self, row: &ItemView, edit: &Edit) -> Result<(), EditError> {
        let epic = row.epic.map(|epic| epic.to_string()).unwrap_or_default();
        let new_epic = match edit.epic.as_deref() {
            Some(named) if !named.is_empty() && edit.epic_base.is_some() => {
                Some(self.index.find_one(named)?.id.to_string())
            }
            named => named.map(str::to_owned),
        };
        let assignee = row.assignee.clone().unwrap_or_default();
        let changed = [
            (
                Field::Title,
                is_other(&row.title, edit.title_base.as_ref(), edit.title.as_ref()),
            ),
            (
                Field::Kind,
                is_other(&row.kind, edit.kind_base.as_ref(), edit.kind.as_ref()),
            ),
            (
                Field::Priority,
                is_other(&row.priority, edit.priority_base.as_ref(), edit.priority.as_ref()),
            ),
            (
                Field::Qa,
                is_other(&row.qa, edit.qa_base.as_ref(), edit.qa.as_ref()),
            ),
            (
                Field::Epic,
                is_other(&epic, edit.epic_base.as_ref(), new_epic.as_ref()),
            ),
            (
                Field::Assignee,
                is_other(&assignee, edit.assignee_base.as_ref(), edit.assignee.as_ref()),
            ),
        ];
        match changed.into_iter().find(|(_, is_other)| *is_other) {
            Some((field, _)) => Err(self.changed(row, field)),
            None => Ok(()),
        }
    }

    /// Refuses to judge a criterion that is another one than the caller saw, or has another state.
    pub(crate) fn criterion_is(
        &self,
        item: &str,
        place: usize,
        state: CriterionState,
        id: Option<ActId>,
        seen: Option<CriterionState>,
    ) -> Result<(), EditError> {
        let row = self.index.find_one(item)?;
        // A place that has no criterion is refused by what follows.
        let criterion = place.checked_sub(1).and_then(|place| row.criteria.get(place));
        let is_other = criterion.is_some_and(|criterion| {
            id.is_some_and(|id| id != criterion.id) || is_other(&criterion.state, seen.as_ref(), Some(&state))
        });
        match is_other {
            true => Err(self.changed(&row, Field::Criteria)),
            false => Ok(()),
        }
    }

    fn changed(&self, row: &ItemView, field: Field) -> EditError {
        let card = Box::new(self.index.card(row));
        EditError::Changed { field, card }
    }
}
