//! The arguments that choose items: filters, order and number. `list`, `board` and `ready` share them.

use clap::Args;
use towline_proto::{Column, Kind, Status};

use super::since::Since;
use super::{at_least_one, kinds, one_of};
use crate::listing::SortKey;

/// Which items `list` and `board` show.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only this column; can be repeated
    #[arg(short, long = "column", value_parser = one_of(Column::ALL, Column::as_str))]
    pub columns: Vec<Column>,
    /// Only with this status; can be repeated
    #[arg(short, long = "status", value_parser = one_of(Status::ALL, Status::as_str))]
    pub statuses: Vec<Status>,
    /// By their fields.
    #[command(flatten)]
    pub fields: FieldFilterArgs,
    /// Include archived and closed items
    #[arg(long)]
    pub all: bool,
    /// Only items in the trash
    #[arg(long, visible_alias = "trash")]
    pub deleted: bool,
}

/// Items with these fields.
#[derive(Debug, Default, Args)]
pub struct FieldFilterArgs {
    /// Only this kind; can be repeated
    #[arg(short, long = "kind", value_parser = kinds())]
    pub kinds: Vec<Kind>,
    /// Only with this label; if repeated, with all of them
    #[arg(short, long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Only with this assignee or claim holder
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
    /// Only your items
    #[arg(long, conflicts_with = "assignee")]
    pub mine: bool,
    /// Only with this priority, 0 (highest) to 4; can be repeated
    #[arg(short, long = "priority", value_name = "0-4", value_delimiter = ',',
        value_parser = clap::value_parser!(u8).range(0..=4))]
    pub priorities: Vec<u8>,
    /// Only items of this epic
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// Only with this text in the title
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Only changed since then: 7d ago, or on a day such as 2026-11-30
    #[arg(long, value_name = "SINCE")]
    pub updated: Option<Since>,
    /// Only created since then
    #[arg(long, value_name = "SINCE")]
    pub created: Option<Since>,
}

impl FieldFilterArgs {
    /// Whether nothing is filtered.
    pub(crate) const fn is_empty(&self) -> bool {
        let Self {
            kinds,
            labels,
            assignee,
            mine,
            priorities,
            epic,
            text,
            updated,
            created,
        } = self;
        kinds.is_empty()
            && labels.is_empty()
            && assignee.is_none()
            && !*mine
            && priorities.is_empty()
            && epic.is_none()
            && text.is_none()
            && updated.is_none()
            && created.is_none()
    }
}

/// How many items a list shows, in which order.
#[derive(Debug, Args)]
pub struct ListingArgs {
    /// Show at most COUNT items [default: 50; with --json all]
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Sort by this
    #[arg(long, value_name = "KEY", value_enum)]
    pub sort: Option<SortKey>,
}
