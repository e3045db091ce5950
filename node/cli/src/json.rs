//! `--json`: one document with its schema in front, or one a line for streams.
//!
//! The documents are those of `towline_api::document`; this file chooses one for the replies to a command.

use std::collections::BTreeMap;

use serde::Serialize;
use towline_api::document::{self, Document, schema};
use towline_api::request::{Failure, Reply};
use towline_api::types::{FeedEvent, ItemCard, ItemPage};
use towline_proto::Column;

use super::plan::{self, Layout};

/// A document on one line.
pub(crate) fn document(schema: &'static str, data: impl Serialize) -> String {
    document::line(&Document::new(schema, data))
}

/// A document, with `dry_run` after its schema if it is one of a dry run.
pub(crate) fn written(schema: &'static str, dry_run: bool, data: impl Serialize) -> String {
    document::line(&Document::new(schema, data).with_dry_run(dry_run))
}

/// The cards of a board, by column in the order of the pipeline.
#[derive(Serialize)]
struct BoardDocument<'a> {
    columns: Vec<BoardColumn<'a>>,
}

/// Some of the cards that there are.
#[derive(Serialize)]
struct ItemsDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    items: Vec<&'a ItemCard>,
}

#[derive(Serialize)]
struct BoardColumn<'a> {
    column: Column,
    /// How many there are; `items` may hold fewer.
    count: usize,
    items: Vec<&'a ItemCard>,
}

impl<'a> BoardDocument<'a> {
    fn of(cards: &'a [ItemCard], most: Option<usize>, only: plan::ColumnSelection) -> Self {
        let columns = Column::ALL.iter().map(|column| {
            let mut items: Vec<_> = cards.iter().filter(|card| card.column == *column).collect();
            let count = items.len();
            items.truncate(most.unwrap_or(usize::MAX));
            BoardColumn {
                column: *column,
                count,
                items,
            }
        });
        let wanted = |column: &BoardColumn<'_>| {
            let ended = matches!(column.column, Column::Archived | Column::Closed);
            only.has(column.column) && (column.count > 0 || !ended || only.names(column.column))
        };
        Self {
            columns: columns.filter(wanted).collect(),
        }
    }
}

fn named_document<T: Serialize>(schema: &'static str, name: &str, data: T) -> String {
    document(schema, BTreeMap::from([(name, data)]))
}

/// One document for all replies to a command.
pub(crate) fn replies(layout: Layout, mut replies: Vec<Reply>) -> String {
    if layout == Layout::Applied {
        let applied: Vec<_> = replies
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Applied(applied) => Some(*applied),
                _ => None,
            })
            .collect();
        return document::applied(&applied).to_line();
    }
    if layout == Layout::Pages && replies.len() > 1 {
        let pages: Vec<ItemPage> = replies
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Page(page) => Some(*page),
                _ => None,
            })
            .collect();
        return named_document(schema::ITEM_PAGES, "items", pages);
    }
    if replies.len() > 1
        && replies
            .iter()
            .all(|reply| matches!(reply, Reply::Explanations(_)))
    {
        let explained = replies.into_iter().filter_map(|reply| match reply {
            Reply::Explanations(explained) => Some(explained),
            _ => None,
        });
        return named_document(
            schema::EXPLANATIONS,
            "items",
            explained.flatten().collect::<Vec<_>>(),
        );
    }
    if let (Layout::Board { most, only }, Some(Reply::Cards(cards))) = (layout, replies.first()) {
        return document(schema::COLUMNS, BoardDocument::of(cards, most, only));
    }
    if let (Layout::Columns(listing) | Layout::Ready(listing), [Reply::Cards(cards)]) =
        (layout, replies.as_slice())
    {
        let items = listing.choose(cards, listing.most.unwrap_or(usize::MAX));
        // `total` says how many there are where fewer were asked for.
        let total = listing.most.map(|_| cards.len());
        return document(schema::ITEMS, ItemsDocument { total, items });
    }
    replies
        .pop()
        .map_or_else(String::new, |reply| document::reply(&reply).to_line())
}

/// An epic and its items.
pub(crate) fn epic(epic: &ItemCard, items: &[ItemCard]) -> String {
    #[derive(Serialize)]
    struct Epic<'a> {
        epic: &'a ItemCard,
        items: &'a [ItemCard],
    }
    document(schema::EPIC, Epic { epic, items })
}

/// The reply that a command that writes would have got.
pub(crate) fn into_dry_run(replies: Vec<Reply>) -> String {
    let mut applied = Vec::new();
    for reply in replies {
        match reply {
            Reply::Applied(one) => applied.push(*one),
            // The ticket of a dry run cannot be used.
            Reply::Ticket { expires, .. } => {
                return written(schema::TICKET, true, BTreeMap::from([("expires", expires)]));
            }
            Reply::Entry(_) => return document::reply(&reply).with_dry_run(true).to_line(),
            _ => return document::reply(&Reply::Done).with_dry_run(true).to_line(),
        }
    }
    document::applied(&applied).with_dry_run(true).to_line()
}

/// The steps of a command that does more than send requests.
pub(crate) fn steps(steps: &[String]) -> String {
    written(schema::PLAN, true, BTreeMap::from([("steps", steps)]))
}

/// The document of a command without a result.
pub(crate) fn done() -> String {
    document::reply(&Reply::Done).to_line()
}

/// One event of a stream.
pub(crate) fn event(event: &FeedEvent) -> String {
    event.document().to_line()
}

/// An error, for the standard error.
pub(crate) fn error(failure: &Failure) -> String {
    document::failure(failure).to_line()
}
