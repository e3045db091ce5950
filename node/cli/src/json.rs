//! `--json`: one document with its schema in front, or one a line for streams.
//!
//! The shapes are those of `api::types`; this file gives each its schema name.

use std::collections::BTreeMap;

use serde::Serialize;
use towline_api::request::{Failure, Reply};
use towline_api::types::{FeedEvent, ItemCard, ItemPage};
use towline_proto::Column;

use super::plan::{self, Layout};

#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    schema: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(flatten)]
    data: T,
}

/// A document on one line.
pub(crate) fn document(schema: &str, data: impl Serialize) -> String {
    written(schema, false, data)
}

/// A document, with `dry_run` after its schema if it is one of a dry run.
pub(crate) fn written(schema: &str, dry_run: bool, data: impl Serialize) -> String {
    let document = Document {
        schema,
        dry_run,
        data,
    };
    line(&document)
}

/// Anything on one line.
fn line(data: &impl Serialize) -> String {
    match serde_json::to_string(data) {
        Ok(mut line) => {
            line.push('\n');
            line
        }
        // A type that cannot be encoded would be a bug; it must not look like an empty success.
        Err(error) => {
            format!("{{\"schema\":\"towline.error/v1\",\"code\":\"failure\",\"message\":{error:?}}}\n")
        }
    }
}

/// The cards of a board, by column in the order of the pipeline.
#[derive(Serialize)]
struct BoardDocument<'a> {
    columns: Vec<BoardColumn<'a>>,
}

/// Some of the cards that there are.
#[derive(Serialize)]
struct ItemsDocument<'a> {
    total: usize,
    items: &'a [ItemCard],
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

fn named_document<T: Serialize>(schema: &str, name: &str, data: T) -> String {
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
        return named_document("towline.applied/v1", "applied", applied);
    }
    if layout == Layout::Pages && replies.len() > 1 {
        let pages: Vec<ItemPage> = replies
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Page(page) => Some(*page),
                _ => None,
            })
            .collect();
        return named_document("towline.item-pages/v1", "items", pages);
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
            "towline.explanations/v1",
            "items",
            explained.flatten().collect::<Vec<_>>(),
        );
    }
    if let (Layout::Board { most, only }, Some(Reply::Cards(cards))) = (layout, replies.first()) {
        return document("towline.columns/v1", BoardDocument::of(cards, most, only));
    }
    if let (Layout::Columns { most: Some(most) }, [Reply::Cards(cards)]) = (layout, replies.as_mut_slice()) {
        // `total` says how many there are where fewer were asked for.
        let total = cards.len();
        cards.truncate(most);
        return document("towline.items/v1", ItemsDocument { total, items: cards });
    }
    replies.pop().map_or_else(String::new, |reply| one(&reply))
}

fn one(reply: &Reply) -> String {
    match reply {
        Reply::Cards(cards) => named_document("towline.items/v1", "items", cards),
        Reply::Page(page) => document("towline.item-page/v1", page),
        Reply::Pages(pages) => named_document("towline.item-pages/v1", "items", pages),
        Reply::History(lines) => named_document("towline.history/v1", "lines", lines),
        Reply::Conflicts(open) => named_document("towline.conflicts/v1", "conflicts", open),
        Reply::Explanations(explained) => named_document("towline.explanations/v1", "items", explained),
        Reply::Status(status) => document("towline.status/v1", status),
        Reply::Doctor(found) => document("towline.doctor/v1", found),
        Reply::Members(members) => named_document("towline.members/v1", "members", members),
        Reply::Peers(peers) => named_document("towline.peers/v1", "peers", peers),
        Reply::Addresses(addresses) => named_document("towline.addresses/v1", "addresses", addresses),
        Reply::Events(events) => named_document("towline.events/v2", "events", events),
        Reply::Applied(applied) => named_document("towline.applied/v1", "applied", [applied]),
        Reply::Imported(report) => document("towline.import/v1", report),
        Reply::Lines(lines) => named_document("towline.exports/v1", "lines", lines),
        Reply::Settings(settings) => named_document("towline.config/v1", "project", settings),
        Reply::SettingsLine(line) => named_document("towline.exports/v1", "settings", line),
        Reply::LineOutcomes(taken) => named_document("towline.taken/v1", "lines", taken),
        Reply::ExportedEntries { records, .. } => named_document("towline.records/v1", "records", records),
        Reply::EntriesImported(arrived) => document("towline.arrived/v1", arrived),
        Reply::Ticket { ticket, expires } => document(
            "towline.ticket/v1",
            BTreeMap::from([("ticket", ticket.clone()), ("expires", expires.to_string())]),
        ),
        Reply::Entry(entry) => document("towline.entry/v1", entry),
        Reply::Synced { peers, equal } => document(
            "towline.synced/v1",
            BTreeMap::from([("peers", peers), ("equal", equal)]),
        ),
        Reply::Link { url } => document("towline.board/v1", BTreeMap::from([("board", url)])),
        Reply::Done => document("towline.done/v1", BTreeMap::<&str, ()>::new()),
    }
}

/// An epic and its items.
pub(crate) fn epic(epic: &ItemCard, items: &[ItemCard]) -> String {
    #[derive(Serialize)]
    struct Epic<'a> {
        epic: &'a ItemCard,
        items: &'a [ItemCard],
    }
    document("towline.epic/v1", Epic { epic, items })
}

/// The reply that a command that writes would have got.
pub(crate) fn into_dry_run(replies: Vec<Reply>) -> String {
    let mut applied = Vec::new();
    for reply in replies {
        match reply {
            Reply::Applied(one) => applied.push(*one),
            // The ticket of a dry run cannot be used.
            Reply::Ticket { expires, .. } => {
                let expires = BTreeMap::from([("expires", expires.to_string())]);
                return written("towline.ticket/v1", true, expires);
            }
            Reply::Entry(entry) => return written("towline.entry/v1", true, entry),
            _ => return written("towline.done/v1", true, BTreeMap::<&str, ()>::new()),
        }
    }
    written("towline.applied/v1", true, BTreeMap::from([("applied", applied)]))
}

/// The steps of a command that does more than send requests.
pub(crate) fn steps(steps: &[String]) -> String {
    written("towline.plan/v1", true, BTreeMap::from([("steps", steps)]))
}

/// The document of a command without a result.
pub(crate) fn done() -> String {
    one(&Reply::Done)
}

/// One event of a stream.
pub(crate) fn event(event: &FeedEvent) -> String {
    line(&event.document())
}

/// An error, for the standard error.
pub(crate) fn error(failure: &Failure) -> String {
    document("towline.error/v1", failure)
}
