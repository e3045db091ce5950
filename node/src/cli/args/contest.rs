//! The arguments of commands that show the project as a whole and what contends in it.

use clap::{Args, Subcommand};

use super::item::FilterArgs;

/// `board`.
#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Which items.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many cards in a column [default: 5 that ended, 30 others]
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = super::at_least_one)]
    pub limit: Option<usize>,
}

/// `conflicts`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ConflictsArgs {
    /// The item; the whole project when it is left out
    #[arg(value_name = "N")]
    pub item: Option<String>,
    /// What to do; shows them when left out
    #[command(subcommand)]
    pub command: Option<ConflictsCommand>,
}

/// What can be done about conflicts.
#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Say which side counts
    #[command(
        after_help = "`towline conflicts N` shows the sides and what keeping each means. Any new step \
        of the item settles a contest about its column too.\n\n\
        Examples:\n  towline conflicts settle 42 --keep b\n  towline conflicts settle 42 --keep bob --conflict 3f2a"
    )]
    Settle(SettleArgs),
}

/// `conflicts settle`.
#[derive(Debug, Args)]
pub struct SettleArgs {
    /// The item
    #[arg(value_name = "N")]
    pub item: String,
    /// Which side: its letter, who did it, what was done, or what keeping it means
    #[arg(long, value_name = "SIDE")]
    pub keep: String,
    /// Which of its conflicts, by the beginning of its id, when there are several
    #[arg(long, value_name = "ID")]
    pub conflict: Option<String>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The items: 42, 42a, a key or an id
    #[arg(value_name = "N", required = true)]
    pub items: Vec<String>,
}
