//! The command-line arguments: the global flags and the commands, with their help.
//!
//! Only shapes and texts. `plan` turns a command into requests; words of the domain (kinds, columns, verbs)
//! come from `towline-proto` and are written nowhere else.

mod conflicts;
mod filter;
mod global;
mod help_page;
mod item;
mod label_removal;
mod node;
mod since;
mod token;
mod transitions;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::json_fields;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{FromArgMatches, Parser, Subcommand};
use towline_api::activity_text::STORIES;
use towline_proto::Kind;
use towline_proto::stage::UnknownWord;

pub use conflicts::{BoardArgs, ConflictsArgs, ConflictsCommand, ExplainArgs, ResolveArgs};
pub use filter::{FieldFilterArgs, FilterArgs, ListingArgs};
pub use global::Global;
pub(crate) use help_page::command;
pub use item::{
    AssignArgs, CommentArgs, CreateArgs, CriteriaArgs, CriterionCommand, DependsCommand, EditArgs, EpicArgs,
    JudgeArgs, LabelArgs, LinkArgs, ListArgs, LogArgs, ReadyArgs, SearchArgs, ShowArgs, UndoArgs,
};
pub use node::{
    CompletionsArgs, ConfigArgs, DoctorArgs, DownArgs, ExportArgs, ExportFormat, ImportArgs, ImportSource,
    InitArgs, InviteArgs, JoinArgs, OpenArgs, PeersArgs, RunArgs, SyncArgs, WatchArgs,
};
pub use since::Since;
pub use token::{ScopeArg, TokenCommand, TokenCreateArgs};
pub use transitions::TransitionCommand;

/// A replicated work pipeline for people and coding agents.
#[derive(Debug, Parser)]
#[command(name = "towline", version)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses the arguments, the name of the program first.
    ///
    /// # Errors
    /// What is wrong with it; help and version come as errors too.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let behind = words.iter().any(|word| word == "--");
        let matches = command().try_get_matches_from(json_fields::rewrite(label_removal::rewrite(words)))?;
        let read = Self::from_arg_matches(&matches)?;
        match read
            .command
            .free_texts()
            .into_iter()
            .find(|text| label_removal::is_flag(text))
        {
            Some(flag) if !behind => {
                let flag = towline_proto::text::show(flag, 80);
                let message = format!(
                    "unexpected option '{flag}'; to pass it as text, put `--` before it: -- '{flag}'\n"
                );
                Err(command().error(ErrorKind::UnknownArgument, message))
            }
            _ => Ok(read),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a node and a project in this directory
    #[command(
        after_help = "Changes only .towline/ and one line of .gitignore. `git clean -fdx` deletes .towline/, and \
        with it all data that no other member has.\n\n\
        Examples:\n  towline init\n  towline init --name shop --node-name laptop\n  towline init --dry-run"
    )]
    Init(InitArgs),
    /// Remove the node and its projects from this directory
    Deinit,
    /// Start the node and its board; creates a project first if there is none
    #[command(after_help = "Runs in the foreground until Ctrl-C or `towline down`.\n\n\
        Examples:\n  towline up\n  towline up --board 127.0.0.1:7800")]
    Up(RunArgs),
    /// Start the node of an existing project, for service managers and containers
    Serve(RunArgs),
    /// Stop the running node
    Down(DownArgs),
    /// Show item counts, peers and sync state
    Status,
    /// Check the store for errors
    Doctor(DoctorArgs),
    /// Open the board in a browser, or the page of an item
    #[command(
        after_help = "Prints a link that signs you in once. Without a display, no browser is started.\n\n\
        Examples:\n  towline open\n  towline open 42"
    )]
    Open(OpenArgs),
    /// Show what towline does: two nodes with a conflict between them, and their boards
    #[command(
        after_help = "Both nodes run in temporary folders and listen on this machine only. Ctrl-C stops them and \
        removes the folders; your own projects are not touched.\n\nExample:\n  towline demo"
    )]
    Demo,
    /// Show or change the settings of the project and of this machine
    #[command(
        after_help = "Project settings are shared by all nodes and take effect at once. Only a maintainer or an owner can \
        change them; an empty value restores the default.\n\n\
        Machine settings take effect at the next start of the node; `user` and `busy_timeout` take effect with the \
        next command. Separate the values of a list with commas.\n\n\
        Examples:\n  towline config\n  towline config archive_after\n  towline config promote auto"
    )]
    Config(ConfigArgs),
    /// Delete the cache and rebuild it from the log
    Rebuild,
    /// Manage the API tokens of this node, with which programs use its HTTP API
    #[command(subcommand)]
    Token(TokenCommand),

    /// Create an item
    #[command(visible_aliases = ["new", "add"], after_help = "Examples:\n  towline create 'New login'\n  towline create story 'Sign in with a passkey'\n  \
        towline create bug 'Login fails' --priority 0 --label ui --depends 12\n  \
        git log -1 --format=%b | towline create refactor 'Split the parser' --body -")]
    Create(CreateArgs),
    /// List items by column: what is open, and what was done recently
    #[command(
        visible_alias = "ls",
        after_help = "Done items are listed until they are archived, by default after a week.\n\n\
        Examples:\n  towline list\n  towline list --column coding --column qa\n  \
        towline list --label ui --mine\n  towline list --updated 7d --sort updated\n  \
        towline list --all --json | jq '.items[].title'"
    )]
    List(ListArgs),
    /// Show the board in the terminal, columns side by side
    #[command(
        after_help = "Upcoming items are listed below the backlog. Columns that do not fit side by side are \
        printed below.\n\nExamples:\n  towline board\n  towline board --mine\n  towline board --label ui -n 50"
    )]
    Board(BoardArgs),
    /// Show an item in full
    #[command(
        after_help = "Name an item by its number (42; 42a or 42b if two items share it), its key (3f2a) or its id.\n\n\
        Examples:\n  towline show 42\n  towline show 42 --json"
    )]
    Show(ShowArgs),
    /// Edit fields of an item, or its description in your editor
    #[command(
        after_help = "Without options, opens the description in $VISUAL or $EDITOR.\n\n\
        Examples:\n  towline edit 42\n  towline edit 42 --title 'Login fails on Safari' --priority 1\n  \
        towline edit 42 --body - < notes.md"
    )]
    Edit(EditArgs),
    /// Find items that contain all of the given words
    Search(SearchArgs),
    /// List the items that you can start now, best first
    #[command(
        after_help = "Examples:\n  towline ready\n  towline ready -n 5 --label ui\n  \
        towline ready --all\n  towline ready --claim"
    )]
    Ready(ReadyArgs),
    /// Explain why an item is in its current state
    #[command(
        after_help = "Examples:\n  towline explain 42\n  towline explain 42 --json | jq -r '.items[].because[]'"
    )]
    Explain(ExplainArgs),
    /// List unresolved conflicts, or resolve one
    #[command(
        after_help = "Examples:\n  towline conflicts\n  towline conflicts 42\n  towline conflicts resolve 42 --keep b"
    )]
    Conflicts(ConflictsArgs),
    /// Show the history of an item or of the project
    Log(LogArgs),
    /// Print events as they happen
    #[command(
        after_help = "Needs a running node. With --json, prints one event per line.\n\n\
        Examples:\n  towline watch\n  towline watch --json --after 120"
    )]
    Watch(WatchArgs),

    /// A transition.
    #[command(flatten)]
    Verb(TransitionCommand),

    /// Assign items to someone
    #[command(
        after_help = "Examples:\n  towline assign 42 ann\n  towline assign 42 43 coder-1\n  \
        towline assign 42 --nobody"
    )]
    Assign(AssignArgs),
    /// Add or remove labels
    #[command(
        after_help = "Examples:\n  towline label 42 +ui -old\n  towline label 42 43 --add ui --remove old"
    )]
    Label(LabelArgs),
    /// Manage the dependencies of an item
    #[command(subcommand)]
    Depends(DependsCommand),
    /// Show an epic with its items, or add items to one
    #[command(after_help = "Examples:\n  towline epic 7\n  towline epic 42 43 7\n  towline epic 42 --none")]
    Epic(EpicArgs),
    /// Add a comment
    #[command(
        after_help = "Examples:\n  towline comment 42 'works on my machine'\n  towline comment 42 - < log.md"
    )]
    Comment(CommentArgs),
    /// Take back your last command
    #[command(
        after_help = "Sets back what your last command at this node changed, as a change of its own: the history keeps \
        both. Refused when somebody has changed it since, and for what has no way back, such as a comment. A second \
        `undo` takes back the first.\n\n\
        Examples:\n  towline undo --dry-run\n  towline undo\n  towline undo 42"
    )]
    Undo(UndoArgs),
    /// Show, add or update acceptance criteria
    #[command(
        after_help = "Examples:\n  towline criteria 42\n  towline criteria 42 add 'Safari 17 can sign in'\n  \
        towline criteria 42 met 1 --evidence ci/1881"
    )]
    Criteria(CriteriaArgs),
    /// Link an item to commits, branches, pull requests or other trackers
    #[command(
        after_help = "Examples:\n  towline link 42 commit 3f2a1c9\n  towline link 42 external github:acme/shop#7\n  \
        towline link 42 branch fix-login --remove"
    )]
    Link(LinkArgs),

    /// Create an invitation for one node
    #[command(
        after_help = "Send the printed ticket to the person who joins. It works once, for one node.\n\n\
        Examples:\n  towline invite\n  towline invite --role reader --expires 2h"
    )]
    Invite(InviteArgs),
    /// Revoke an invitation
    #[command(alias = "withdraw")]
    Revoke {
        /// First digits of the ticket's hash, as `towline members` shows it
        ticket: String,
    },
    /// Join a project with a ticket
    Join(JoinArgs),
    /// List members and open invitations
    Members,
    /// List connected peers
    Peers(PeersArgs),
    /// Show whether peers are in sync, or wait until they are
    #[command(after_help = "Examples:\n  towline sync\n  towline sync --wait --timeout 2m")]
    Sync(SyncArgs),

    /// Import items from another tracker or from an export; importing again updates them
    #[command(
        after_help = "Examples:\n  towline import --from beads issues.jsonl --dry-run\n  \
        towline import --from backlog .\n  towline import --from github issues.json\n  \
        towline import --from jsonl items.jsonl\n  \
        towline import --from bundle log.bundle"
    )]
    Import(ImportArgs),
    /// Export all items
    #[command(after_help = "Examples:\n  towline export --to jsonl > items.jsonl\n  \
        towline export --to csv -o items.csv\n  \
        towline export --to markdown -o backlog\n  \
        towline export --to bundle -o log.bundle")]
    Export(ExportArgs),
    /// Print shell completions
    #[command(
        after_help = "The scripts for bash, zsh and fish complete the numbers of items, too.\n\n\
        Example:\n  towline completions bash > ~/.local/share/bash-completion/completions/towline"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them to a directory
    Man {
        /// Directory for the pages
        // Its id must be its own: as `directory` it would be taken for that of `-C`.
        #[arg(value_name = "DIRECTORY")]
        into: Option<PathBuf>,
    },
}

impl Command {
    /// The free texts among the arguments: a mistyped option would be taken for one.
    fn free_texts(&self) -> Vec<&str> {
        match self {
            Self::Create(args) => std::iter::once(args.kind.as_str())
                .chain(args.title.as_deref())
                .collect(),
            Self::Comment(args) => vec![&args.text],
            Self::Link(args) => vec![&args.target],
            Self::Config(args) => args.value.as_deref().into_iter().collect(),
            Self::Criteria(CriteriaArgs {
                command: Some(CriterionCommand::Add { text }),
                ..
            }) => vec![text],
            _ => Vec::new(),
        }
    }
}

/// A parser for a closed vocabulary, so that help, completions and errors list its words.
fn one_of<T>(all: &'static [T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(move |each| word(*each))).try_map(|text| text.parse::<T>())
}

/// A parser for kinds: the known ones, and the names that other trackers have for a story.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    let word = |kind: &Kind| {
        let value = PossibleValue::new(kind.as_str());
        let others = STORIES.iter().filter(|_| *kind == Kind::Story);
        value.aliases(others.copied())
    };
    PossibleValuesParser::new(Kind::ALL.iter().map(word)).try_map(|text| kind(&text))
}

/// The kind that a word means.
pub(crate) fn kind(word: &str) -> Result<Kind, UnknownWord> {
    match word.to_lowercase().as_str() {
        word if STORIES.contains(&word) => Ok(Kind::Story),
        word => word.parse(),
    }
}

/// Parses a count of at least 1.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number of at least 1".to_owned()),
    }
}

/// Parses `90s`, `30m`, `24h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    towline_store::home::settings::span(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_at_least_one() {
        for command in ["list", "board", "log", "search x", "watch"] {
            for (count, fits) in [("1", true), ("0", false), ("-1", false), ("many", false)] {
                let line = format!("towline {command} -n {count}");
                let read = Cli::read(line.split(' ').map(OsString::from));
                assert_eq!(read.is_ok(), fits, "{line}");
            }
        }
    }

    #[test]
    fn durations_have_a_unit_and_an_end() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "h",
            "24",
            "0s",
            "-1h",
            "1.5h",
            "99999999999999999999s",
            "400d",
            "3é",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
