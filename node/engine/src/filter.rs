//! Filters items, by row as well as by card: a list is the same whether an open project or the card snapshot
//! answers it.
//!
//! Pure. Dependencies and epics are not checked here.

use towline_api::request::Filter;
use towline_api::types::ItemCard;
use towline_crdt::view::ItemView;
use towline_proto::{Column, Kind, Millis, Status};
use towline_store::cache::Row;

/// The fields that are checked first: they are in the row header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterFields {
    deleted: bool,
    column: Column,
    kind: Kind,
    status: Status,
    priority: u8,
    updated_at: Millis,
    created_at: Millis,
}

/// The fields that are checked then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterText<'a> {
    title: &'a str,
    labels: &'a [String],
    assignee: Option<&'a str>,
    holder: Option<&'a str>,
}

impl From<&Row> for FilterFields {
    fn from(row: &Row) -> Self {
        Self {
            deleted: row.deleted,
            column: row.column,
            kind: row.kind,
            status: row.status,
            priority: row.priority,
            updated_at: row.updated_at,
            created_at: row.created_at,
        }
    }
}

impl From<&ItemCard> for FilterFields {
    fn from(card: &ItemCard) -> Self {
        Self {
            deleted: card.deleted,
            column: card.column,
            kind: card.kind,
            status: card.status,
            priority: card.priority,
            updated_at: card.updated_at,
            created_at: card.created_at,
        }
    }
}

impl<'a> From<&'a ItemView> for FilterText<'a> {
    fn from(row: &'a ItemView) -> Self {
        Self {
            title: &row.title,
            labels: &row.labels,
            assignee: row.assignee.as_deref(),
            holder: row.claim.as_ref().map(|claim| claim.holder.as_str()),
        }
    }
}

impl<'a> From<&'a ItemCard> for FilterText<'a> {
    fn from(card: &'a ItemCard) -> Self {
        Self {
            title: &card.title,
            labels: &card.labels,
            assignee: card.assignee.as_deref(),
            holder: card.claim.as_ref().map(|claim| claim.holder.as_str()),
        }
    }
}

impl FilterFields {
    /// Whether these fields pass a filter.
    pub(crate) fn pass(&self, filter: &Filter) -> bool {
        shows_column(filter, self.deleted, self.column)
            && (filter.kinds.is_empty() || filter.kinds.contains(&self.kind))
            && (filter.statuses.is_empty() || filter.statuses.contains(&self.status))
            && (filter.priorities.is_empty() || filter.priorities.contains(&self.priority))
            && self.updated_at >= filter.updated_since
            && self.created_at >= filter.created_since
    }
}

impl FilterText<'_> {
    /// Whether these fields pass a filter; its epic is not checked.
    pub(crate) fn pass(&self, filter: &Filter) -> bool {
        let person = |who: &str| self.assignee == Some(who) || self.holder == Some(who);
        let contains = |text: &String| {
            let title = self.title.to_lowercase();
            text.to_lowercase()
                .split_whitespace()
                .all(|word| title.contains(word))
        };
        filter.labels.iter().all(|label| self.labels.contains(label))
            && filter.assignee.as_deref().is_none_or(person)
            && filter.text.as_ref().is_none_or(contains)
    }
}

/// Whether a filter shows items of a column, in the trash or not.
pub(crate) fn shows_column(filter: &Filter, deleted: bool, column: Column) -> bool {
    let shown = match (filter.deleted, deleted) {
        (wanted, deleted) if wanted != deleted => return false,
        (true, _) => true,
        (false, _) if filter.all || !filter.columns.is_empty() => true,
        (false, _) => column.is_open() || column == Column::Done,
    };
    shown && (filter.columns.is_empty() || filter.columns.contains(&column))
}
