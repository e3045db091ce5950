//! The arguments of commands that are about the node, its project and its peers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use towline_interchange::import::github::Repository;
use towline_proto::Role;

use super::{duration, one_of};

/// `init`.
#[derive(Debug, Clone, Default, Args)]
pub struct InitArgs {
    /// Name of the project [default: the directory's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Name of this node [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Create a separate project here, even if this directory already belongs to one
    #[arg(long)]
    pub here: bool,
}

/// `up` and `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Multiaddress to listen on for peers; can be repeated
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// Address of the board and the API; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub board: Option<SocketAddr>,
    /// Do not look for peers on the local network
    #[arg(long)]
    pub no_mdns: bool,
}

/// `doctor`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DoctorArgs {
    /// Rebuild a damaged log from its intact entries; the damaged log is kept in a backup folder
    #[arg(long, alias = "mend")]
    pub repair: bool,
}

/// `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Setting to show or change; all settings if omitted
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// New value
    #[arg(value_name = "VALUE", requires = "key", allow_hyphen_values = true)]
    pub value: Option<String>,
}

/// `open`.
#[derive(Debug, Clone, Args)]
pub struct OpenArgs {
    /// Item; the board if omitted
    #[arg(value_name = "N")]
    pub item: Option<String>,
}

/// `completions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct CompletionsArgs {
    /// Shell to print them for
    #[arg(required_unless_present = "items")]
    pub shell: Option<clap_complete::Shell>,
    /// Print the numbers and titles of items, for the scripts
    #[arg(long, hide = true, conflicts_with = "shell")]
    pub items: bool,
}

/// `down`.
#[derive(Debug, Clone, Args)]
pub struct DownArgs {
    /// How long to wait for the node to stop
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

/// `peers`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PeersArgs {
    /// Print the addresses of this node instead, as `towline config bootstrap` takes them
    #[arg(long)]
    pub me: bool,
}

/// `invite`.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// Role of the new member
    #[arg(long, default_value = "writer", value_parser = one_of(Role::ALL, Role::as_str))]
    pub role: Role,
    /// How long the ticket is valid
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub expires: Duration,
}

/// `join`.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// Ticket that `towline invite` printed; - reads it from standard input
    pub ticket: String,
    /// Name of this node [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// How long to wait for the inviting node
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

/// `sync`.
#[derive(Debug, Clone, Args)]
pub struct SyncArgs {
    /// Wait until all connected peers are in sync
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
}

/// `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Start after this feed position [default: now]
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// Stop after COUNT events
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = super::at_least_one)]
    pub limit: Option<usize>,
}

/// `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// Format of the file
    #[arg(long, value_enum)]
    pub from: ImportSource,
    /// Repository of GitHub issues that have no `url`
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<Repository>,
    /// File to import (for backlog: directory); - reads standard input
    pub file: PathBuf,
}

/// Trackers that can be imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportSource {
    /// An `issues.jsonl` of beads.
    Beads,
    /// The directory of a Backlog.md project, its `backlog` folder, or a folder of tasks.
    Backlog,
    /// The output of `gh issue list --state all --json …`.
    Github,
    /// The output of `towline export --to jsonl`: items with their full history.
    Jsonl,
    /// The output of `towline export --to bundle`, into a copy of the same project.
    Bundle,
}

/// `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Output format
    #[arg(long, value_enum)]
    pub to: ExportFormat,
    /// Write to FILE instead of standard output; required for markdown (a folder) and bundle
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats that can be exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Items with their full history, one per line, for import elsewhere.
    Jsonl,
    /// A table for spreadsheets and other trackers.
    Csv,
    /// One file per item, in the format of Backlog.md.
    Markdown,
    /// The signed log, for another copy of the same project.
    Bundle,
}
