//! The arguments of commands that are about items.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use towline_proto::{Column, CriterionState, Kind, LinkKind, Qa, Status};

use super::{at_least_one, kinds, one_of};

/// `create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What sort of work: story (also feature, task), bug, spike, refactor or epic [default: story]
    #[arg(value_name = "KIND", allow_hyphen_values = true)]
    pub kind: String,
    /// One line
    #[arg(value_name = "TITLE", allow_hyphen_values = true)]
    pub title: Option<String>,
    /// The description, as markdown; - reads it from the standard input
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// Read the description from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub body_file: Option<PathBuf>,
    /// A label; may be given several times
    #[arg(short, long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// An item that must be done first; may be given several times
    #[arg(short, long = "depends", value_name = "N")]
    pub depends: Vec<String>,
    /// The epic it belongs to
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// Who is to do it
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
    /// 0 (highest) to 4 [default: 2]
    #[arg(short, long, value_name = "0-4", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub priority: Option<u8>,
    /// Who passes it through QA
    #[arg(long, value_parser = one_of(Qa::ALL, Qa::as_str))]
    pub qa: Option<Qa>,
    /// Put it before the backlog, to be looked at later
    #[arg(long)]
    pub upcoming: bool,
    /// What must be true of the work; may be given several times
    #[arg(long = "criterion", value_name = "TEXT", allow_hyphen_values = true)]
    pub criteria: Vec<String>,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which items.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = at_least_one)]
    pub limit: Option<usize>,
}

/// Which items `list` and `board` show.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only this column; may be given several times
    #[arg(short, long = "column", value_parser = one_of(Column::ALL, Column::as_str))]
    pub columns: Vec<Column>,
    /// Only this kind; may be given several times
    #[arg(short, long = "kind", value_parser = kinds())]
    pub kinds: Vec<Kind>,
    /// Only with this label; given several times, with all of them
    #[arg(short, long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Only of this assignee or claim holder
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
    /// Only yours
    #[arg(long, conflicts_with = "assignee")]
    pub mine: bool,
    /// Only with this badge; may be given several times
    #[arg(short, long = "status", value_parser = one_of(Status::ALL, Status::as_str))]
    pub statuses: Vec<Status>,
    /// Only items of this epic
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// Only with these words in the title
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Archived and closed ones too
    #[arg(long)]
    pub all: bool,
    /// Only the trash
    #[arg(long, visible_alias = "trash")]
    pub deleted: bool,
}

/// `ready`.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    /// What you cannot start too, with the reason for each
    #[arg(long, conflicts_with = "claim")]
    pub all: bool,
    /// Start and claim the best one; two who ask never get the same
    #[arg(long)]
    pub claim: bool,
    /// Who is to work on it, when it is not you
    #[arg(long = "for", value_name = "NAME")]
    pub holder: Option<String>,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The items: 42, 42a, a key or an id
    #[arg(value_name = "N", required = true)]
    pub items: Vec<String>,
}

/// `edit`.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The item
    #[arg(value_name = "N")]
    pub item: String,
    /// New title
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub title: Option<String>,
    /// New description; - reads it from the standard input
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// New kind
    #[arg(short, long, value_parser = kinds())]
    pub kind: Option<Kind>,
    /// New priority: 0 (highest) to 4
    #[arg(short, long, value_name = "0-4", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub priority: Option<u8>,
    /// Who passes it through QA
    #[arg(long, value_parser = one_of(Qa::ALL, Qa::as_str))]
    pub qa: Option<Qa>,
    /// New epic; an empty string means none
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// Who is to do it; an empty string means nobody
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
}

/// `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The words
    #[arg(value_name = "TEXT", required = true)]
    pub words: Vec<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
}

/// `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The item; all of them when it is left out
    #[arg(value_name = "N")]
    pub item: Option<String>,
    /// The last so many lines
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
}

/// `assign`.
#[derive(Debug, Args)]
pub struct AssignArgs {
    /// The items, then who is to do them
    #[arg(value_names = ["N", "WHO"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// Take it from whoever has it
    #[arg(long)]
    pub nobody: bool,
}

/// `epic`.
#[derive(Debug, Args)]
pub struct EpicArgs {
    /// An epic, to see it; or items, then the epic they go into
    #[arg(value_names = ["N", "EPIC"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// Take them out of their epic
    #[arg(long)]
    pub none: bool,
}

/// `label`.
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// The items, then +LABEL to add and -LABEL to remove
    #[arg(value_names = ["N", "±LABEL"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// A label to add; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub add: Vec<String>,
    /// A label to remove; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub remove: Vec<String>,
}

/// `depends`.
#[derive(Debug, Subcommand)]
pub enum DependsCommand {
    /// Say that N cannot start before M is done
    #[command(after_help = "Example:\n  towline depends add 42 7 8")]
    Add {
        /// The item that waits
        #[arg(value_name = "N")]
        item: String,
        /// What must be done first
        #[arg(value_name = "M", required = true)]
        on: Vec<String>,
    },
    /// Say that N need not wait for M
    Remove {
        /// The item that waits
        #[arg(value_name = "N")]
        item: String,
        /// What need not be done first any more
        #[arg(value_name = "M", required = true)]
        on: Vec<String>,
    },
    /// What N waits for, what that waits for, and so on
    Tree {
        /// The item
        #[arg(value_name = "N")]
        item: String,
    },
}

/// `comment`.
#[derive(Debug, Args)]
pub struct CommentArgs {
    /// The item
    #[arg(value_name = "N")]
    pub item: String,
    /// What to say, as markdown; - reads it from the standard input
    #[arg(allow_hyphen_values = true)]
    pub text: String,
}

/// `criteria`.
#[derive(Debug, Args)]
pub struct CriteriaArgs {
    /// The item
    #[arg(value_name = "N")]
    pub item: String,
    /// What to do; shows them when left out
    #[command(subcommand)]
    pub command: Option<CriterionCommand>,
}

/// What can be done to criteria.
#[derive(Debug, Subcommand)]
pub enum CriterionCommand {
    /// Add one
    Add {
        /// What must be true of the work; - reads it from the standard input
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// It is true of the work
    Met(JudgeArgs),
    /// It is not true of the work
    Failed(JudgeArgs),
    /// It is left out on purpose
    Skipped(JudgeArgs),
    /// It is to be looked at again
    Open(JudgeArgs),
}

impl CriterionCommand {
    /// The judgement, unless it is an addition.
    pub(crate) fn judgement(&self) -> Option<(CriterionState, &JudgeArgs)> {
        match self {
            Self::Add { .. } => None,
            Self::Met(args) => Some((CriterionState::Met, args)),
            Self::Failed(args) => Some((CriterionState::Failed, args)),
            Self::Skipped(args) => Some((CriterionState::Skipped, args)),
            Self::Open(args) => Some((CriterionState::Open, args)),
        }
    }
}

/// Which criterion is judged, by what.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Which, counted from 1 as `criteria N` shows them
    pub index: usize,
    /// A reference to what proves it: a commit, a run, an address
    #[arg(long, value_name = "REFERENCE", allow_hyphen_values = true)]
    pub evidence: Option<String>,
}

/// `link`.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// The item
    #[arg(value_name = "N")]
    pub item: String,
    /// What it points to
    #[arg(value_parser = one_of(LinkKind::ALL, LinkKind::as_str))]
    pub kind: LinkKind,
    /// Where: a hash, a branch, an address, `tracker:id`
    #[arg(allow_hyphen_values = true)]
    pub target: String,
    /// Remove the link instead
    #[arg(long)]
    pub remove: bool,
}
