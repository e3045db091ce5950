//! The flags that every command takes.

use std::path::PathBuf;

use clap::Args;
use towline_store::home::BusyTimeout;

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Project to use, by name or by the first digits of its id
    #[arg(long, value_name = "NAME", global = true)]
    pub project: Option<String>,
    /// Print JSON: one document, or one per line for streams. `list`, `ready` and `show` take the fields to
    /// print: --json number,title
    #[arg(long, global = true)]
    pub json: bool,
    /// The fields to print.
    #[arg(
        long,
        hide = true,
        value_name = "FIELDS",
        value_delimiter = ',',
        requires = "json",
        global = true
    )]
    pub json_fields: Vec<String>,
    /// Do not use a pager
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Print nothing but the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more log messages; twice for all of them
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Answer yes to every prompt
    #[arg(long, global = true)]
    pub yes: bool,
    /// Print what would be done, without doing it
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// User name to act as [default: TOWLINE_USER, the setting `user`, git's user.name, the account's
    /// name]
    // Its id must be its own: as `name` it would be hidden wherever a command has a `--name`.
    #[arg(id = "as", long = "as", value_name = "NAME", global = true)]
    pub name: Option<String>,
    /// Act as a coding agent, not as a person
    #[arg(long, global = true)]
    pub agent: bool,
    /// How long to wait while another process has the project open [default: TOWLINE_BUSY_TIMEOUT, the
    /// setting `busy_timeout`, 30s]
    #[arg(long, value_name = "TIME", global = true)]
    pub busy_timeout: Option<BusyTimeout>,
}
