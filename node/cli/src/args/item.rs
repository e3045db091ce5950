//! The arguments of commands that are about items.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use towline_proto::{CriterionState, Kind, LinkKind, Qa};

use super::filter::{FieldFilterArgs, FilterArgs, ListingArgs};
use super::{at_least_one, kinds, one_of};

/// `create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Kind of work: story (also feature or task), bug, spike, refactor or epic [default: story]
    #[arg(value_name = "KIND", allow_hyphen_values = true)]
    pub kind: String,
    /// Title, one line
    #[arg(value_name = "TITLE", allow_hyphen_values = true)]
    pub title: Option<String>,
    /// Description in Markdown; - reads it from standard input
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// Read the description from FILE
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub body_file: Option<PathBuf>,
    /// Label; can be repeated
    #[arg(short, long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Item that must be done first; can be repeated
    #[arg(short, long = "depends", value_name = "N")]
    pub depends: Vec<String>,
    /// Epic that it belongs to
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// Who should do it
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
    /// Priority, 0 (highest) to 4 [default: 2]
    #[arg(short, long, value_name = "0-4", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub priority: Option<u8>,
    /// Who does its QA
    #[arg(long, value_parser = one_of(Qa::ALL, Qa::as_str))]
    pub qa: Option<Qa>,
    /// Put it into the upcoming column instead of the backlog
    #[arg(long)]
    pub upcoming: bool,
    /// Acceptance criterion; can be repeated
    #[arg(long = "criterion", value_name = "TEXT", allow_hyphen_values = true)]
    pub criteria: Vec<String>,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which items.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How many, in which order.
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// `ready`.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    /// Also list the items that you cannot start, with the reason for each
    #[arg(long, conflicts_with = "claim")]
    pub all: bool,
    /// Start and claim the first one; two callers never get the same item
    #[arg(long, conflicts_with_all = ["FieldFilterArgs", "ListingArgs"])]
    pub claim: bool,
    /// Who will work on it, if not you
    #[arg(long = "for", value_name = "NAME")]
    pub holder: Option<String>,
    /// Which of them.
    #[command(flatten)]
    pub filter: FieldFilterArgs,
    /// How many, in which order.
    #[command(flatten)]
    pub listing: ListingArgs,
}

/// `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Items: numbers (42, 42a), keys or ids
    #[arg(value_name = "N", required = true)]
    pub items: Vec<String>,
}

/// `edit`.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Item
    #[arg(value_name = "N")]
    pub item: String,
    /// New title
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub title: Option<String>,
    /// New description; - reads it from standard input
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// New kind
    #[arg(short, long, value_parser = kinds())]
    pub kind: Option<Kind>,
    /// New priority: 0 (highest) to 4
    #[arg(short, long, value_name = "0-4", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub priority: Option<u8>,
    /// Who does its QA
    #[arg(long, value_parser = one_of(Qa::ALL, Qa::as_str))]
    pub qa: Option<Qa>,
    /// New epic; an empty string removes it
    #[arg(short, long, value_name = "N")]
    pub epic: Option<String>,
    /// New assignee; an empty string removes it
    #[arg(short, long, value_name = "NAME")]
    pub assignee: Option<String>,
}

/// `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Words to find
    #[arg(value_name = "TEXT", required = true)]
    pub words: Vec<String>,
    /// Show at most COUNT items
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
}

/// `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Item; all items if omitted
    #[arg(value_name = "N")]
    pub item: Option<String>,
    /// Show the last COUNT lines
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    pub limit: usize,
}

/// `assign`.
#[derive(Debug, Args)]
pub struct AssignArgs {
    /// Items, then the assignee
    #[arg(value_names = ["N", "WHO"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// Remove the assignee
    #[arg(long)]
    pub nobody: bool,
}

/// `epic`.
#[derive(Debug, Args)]
pub struct EpicArgs {
    /// An epic to show; or items, then the epic to add them to
    #[arg(value_names = ["N", "EPIC"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// Remove the items from their epic
    #[arg(long)]
    pub none: bool,
}

/// `label`.
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// Items, then +LABEL to add and -LABEL to remove
    #[arg(value_names = ["N", "±LABEL"], num_args = 1.., required = true)]
    pub words: Vec<String>,
    /// Label to add; can be repeated
    #[arg(long, value_name = "LABEL")]
    pub add: Vec<String>,
    /// Label to remove; can be repeated
    #[arg(long, value_name = "LABEL")]
    pub remove: Vec<String>,
}

/// `depends`.
#[derive(Debug, Subcommand)]
pub enum DependsCommand {
    /// Make N wait until M is done
    #[command(after_help = "Example:\n  towline depends add 42 7 8")]
    Add {
        /// Item that waits
        #[arg(value_name = "N")]
        item: String,
        /// Items that must be done first
        #[arg(value_name = "M", required = true)]
        on: Vec<String>,
    },
    /// Stop N from waiting for M
    Remove {
        /// Item that waits
        #[arg(value_name = "N")]
        item: String,
        /// Items to stop waiting for
        #[arg(value_name = "M", required = true)]
        on: Vec<String>,
    },
    /// Show what N waits for, directly and indirectly
    Tree {
        /// Item
        #[arg(value_name = "N")]
        item: String,
    },
}

/// `comment`.
#[derive(Debug, Args)]
pub struct CommentArgs {
    /// Item
    #[arg(value_name = "N")]
    pub item: String,
    /// Comment in Markdown; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    pub text: String,
}

/// `undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Item; the one of your last command if omitted
    #[arg(value_name = "N")]
    pub item: Option<String>,
}

/// `criteria`.
#[derive(Debug, Args)]
pub struct CriteriaArgs {
    /// Item
    #[arg(value_name = "N")]
    pub item: String,
    /// What to do; shows the criteria if omitted.
    #[command(subcommand)]
    pub command: Option<CriterionCommand>,
}

/// The subcommands of `criteria`.
#[derive(Debug, Subcommand)]
pub enum CriterionCommand {
    /// Add a criterion
    Add {
        /// What must be true of the work; - reads it from standard input
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Mark a criterion as met
    Met(JudgeArgs),
    /// Mark a criterion as failed
    Failed(JudgeArgs),
    /// Mark a criterion as skipped on purpose
    Skipped(JudgeArgs),
    /// Reopen a criterion
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
    /// Number of the criterion, as `towline criteria N` shows it
    pub index: usize,
    /// Reference that proves it: a commit, a CI run, a URL
    #[arg(long, value_name = "REFERENCE", allow_hyphen_values = true)]
    pub evidence: Option<String>,
}

/// `link`.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// Item
    #[arg(value_name = "N")]
    pub item: String,
    /// Kind of link
    #[arg(value_parser = one_of(LinkKind::ALL, LinkKind::as_str))]
    pub kind: LinkKind,
    /// Target: a hash, a branch, a URL or `tracker:id`
    #[arg(allow_hyphen_values = true)]
    pub target: String,
    /// Remove the link instead
    #[arg(long)]
    pub remove: bool,
}
