//! The arguments of commands that are about the node, its project and its peers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use towline_proto::Role;

use super::{duration, one_of};
use crate::import::github::Repository;

/// `init`.
#[derive(Debug, Clone, Default, Args)]
pub struct InitArgs {
    /// What people call the project [default: the directory's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What people call this node [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Make a project of its own here, although this directory belongs to one already
    #[arg(long)]
    pub here: bool,
}

/// `up` and `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Where peers reach this node, as a multiaddress; may be given several times
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// Where the board and the API are served; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub board: Option<SocketAddr>,
    /// Do not look for peers on the local network
    #[arg(long)]
    pub no_mdns: bool,
}

/// `doctor`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DoctorArgs {
    /// Make a damaged log anew from what is whole in it; the old one is set aside
    #[arg(long)]
    pub mend: bool,
}

/// `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Which setting; all when absent
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// What it becomes
    #[arg(value_name = "VALUE", requires = "key", allow_hyphen_values = true)]
    pub value: Option<String>,
}

/// `down`.
#[derive(Debug, Clone, Args)]
pub struct DownArgs {
    /// Wait at most so long for its end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
}

/// `peers`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PeersArgs {
    /// Print where this node can be dialled instead, as `config bootstrap` takes it
    #[arg(long)]
    pub me: bool,
}

/// `invite`.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// What the new member may do
    #[arg(long, default_value = "writer", value_parser = one_of(Role::ALL, Role::as_str))]
    pub role: Role,
    /// For how long the ticket can be used
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub expires: Duration,
}

/// `join`.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The line that `towline invite` printed; - reads it from the standard input
    pub ticket: String,
    /// What people call this node [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// Wait at most so long for the inviter
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

/// `sync`.
#[derive(Debug, Clone, Args)]
pub struct SyncArgs {
    /// Wait until every connected peer holds the same
    #[arg(long)]
    pub wait: bool,
    /// Wait at most so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
}

/// `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Begin after this position of the feed [default: now]
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = super::at_least_one)]
    pub limit: Option<usize>,
}

/// `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// Which tracker wrote it
    #[arg(long, value_enum)]
    pub from: ImportSource,
    /// Which repository GitHub issues without a `url` are of
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<Repository>,
    /// The file, for backlog the directory; - reads the standard input
    pub file: PathBuf,
}

/// Trackers that can be imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportSource {
    /// An `issues.jsonl` of beads.
    Beads,
    /// The directory of a Backlog.md project, its folder `backlog`, or a folder of tasks.
    Backlog,
    /// What `gh issue list --state all --json …` wrote.
    Github,
    /// What `export --to jsonl` wrote: everything, act by act.
    Jsonl,
    /// What `export --to bundle` wrote, into a copy of the same project.
    Bundle,
}

/// `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// In which format
    #[arg(long, value_enum)]
    pub to: ExportFormat,
    /// Write to FILE instead of the standard output; for markdown the folder, and needed, as for bundle
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats that can be exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Everything, one item a line, to be imported elsewhere.
    Jsonl,
    /// A table for spreadsheets and other trackers.
    Csv,
    /// One file an item, in the shape of Backlog.md.
    Markdown,
    /// The signed log, to be carried to another copy of the same project.
    Bundle,
}
