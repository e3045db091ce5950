//! The arguments of commands that show the project as a whole and its conflicts.

use clap::{Args, Subcommand};

use super::filter::FilterArgs;

/// `board`.
#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Which items.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show at most COUNT cards per column [default: 5 for done, archived and closed, 30 otherwise]
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = super::at_least_one)]
    pub limit: Option<usize>,
}

/// `conflicts`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ConflictsArgs {
    /// Item; all items if omitted
    #[arg(value_name = "N")]
    pub item: Option<String>,
    /// What to do; lists the conflicts if omitted.
    #[command(subcommand)]
    pub command: Option<ConflictsCommand>,
}

/// The subcommands of `conflicts`.
#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Resolve a conflict by choosing the side to keep
    #[command(
        alias = "settle",
        after_help = "`towline conflicts N` lists the sides and the result of keeping each. A later transition \
        of the item also resolves a conflict about its column.\n\n\
        Examples:\n  towline conflicts resolve 42 --keep b\n  towline conflicts resolve 42 --keep bob --conflict 3f2a"
    )]
    Resolve(ResolveArgs),
}

/// `conflicts resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// Item
    #[arg(value_name = "N")]
    pub item: String,
    /// Side to keep: its letter, its author, its action, or its result
    #[arg(long, value_name = "SIDE")]
    pub keep: String,
    /// Conflict id, or its first digits; needed if the item has several conflicts
    #[arg(long, value_name = "ID")]
    pub conflict: Option<String>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Items: numbers (42, 42a), keys or ids
    #[arg(value_name = "N", required = true)]
    pub items: Vec<String>,
}
