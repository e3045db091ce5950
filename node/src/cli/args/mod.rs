//! What can be typed: the global flags and the commands, with their help.
//!
//! Only shapes and texts. What a command comes to is in `plan`; words of the domain (kinds, columns,
//! verbs) come from `towline-proto` and are written nowhere else.

mod contest;
mod grouped;
mod item;
mod minus;
mod node;
mod verbs;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, FromArgMatches, Parser, Subcommand};
use towline_proto::Kind;
use towline_proto::stage::UnknownWord;

use crate::activity_text::STORIES;
use crate::home::BusyTimeout;

pub use contest::{BoardArgs, ConflictsArgs, ConflictsCommand, ExplainArgs, SettleArgs};
pub(crate) use grouped::command;
pub use item::{
    AssignArgs, CommentArgs, CreateArgs, CriteriaArgs, CriterionCommand, DependsCommand, EditArgs, EpicArgs,
    FilterArgs, JudgeArgs, LabelArgs, LinkArgs, ListArgs, LogArgs, ReadyArgs, SearchArgs, ShowArgs,
};
pub use node::{
    ConfigArgs, DoctorArgs, DownArgs, ExportArgs, ExportFormat, ImportArgs, ImportSource, InitArgs,
    InviteArgs, JoinArgs, PeersArgs, RunArgs, SyncArgs, WatchArgs,
};
pub use verbs::VerbCommand;

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
    /// Reads what was typed, the name of the program first.
    ///
    /// # Errors
    /// What is wrong with it; help and version come as errors too.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let behind = words.iter().any(|word| word == "--");
        let matches = command().try_get_matches_from(minus::rewrite(words))?;
        let read = Self::from_arg_matches(&matches)?;
        match read.command.said().into_iter().find(|text| minus::is_flag(text)) {
            Some(flag) if !behind => {
                let flag = towline_proto::text::show(flag, 80);
                let message = format!(
                    "there is no option '{flag}' here; where it is a text, `--` goes before it: -- '{flag}'\n"
                );
                Err(command().error(ErrorKind::UnknownArgument, message))
            }
            _ => Ok(read),
        }
    }
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Work as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Which project, by name or the beginning of its id
    #[arg(long, value_name = "NAME", global = true)]
    pub project: Option<String>,
    /// Print one JSON document (streams: one per line)
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// Answer every question with yes
    #[arg(long, global = true)]
    pub yes: bool,
    /// Say what would be done and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Who asks for this [default: TOWLINE_USER, the setting `user`, git's user.name, the
    /// account's name]
    // Its id must be its own: as `name` it would be hidden wherever a command has a `--name`.
    #[arg(id = "as", long = "as", value_name = "NAME", global = true)]
    pub name: Option<String>,
    /// The one who asks is a coding agent
    #[arg(long, global = true)]
    pub agent: bool,
    /// Wait at most so long while others have the project open [default: TOWLINE_BUSY_TIMEOUT, the setting
    /// `busy_timeout`, 30s]
    #[arg(long, value_name = "TIME", global = true)]
    pub busy_timeout: Option<BusyTimeout>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and a project in this directory
    #[command(
        after_help = "Touches only .towline/ and one line of .gitignore. `git clean -fdx` removes .towline/, and \
        with it what no other member has.\n\n\
        Examples:\n  towline init\n  towline init --name shop --node-name laptop\n  towline init --dry-run"
    )]
    Init(InitArgs),
    /// Take the project out of this directory again
    Deinit,
    /// Start the node and its board; makes the project first if there is none
    #[command(after_help = "Stays in the foreground until Ctrl-C or `towline down`.\n\n\
        Examples:\n  towline up\n  towline up --board 127.0.0.1:7800")]
    Up(RunArgs),
    /// Start the node of an existing project, for service managers and containers
    Serve(RunArgs),
    /// Stop the node that runs here
    Down(DownArgs),
    /// Counts, peers and position of the project
    Status,
    /// Recompute everything derived and compare; check the log
    Doctor(DoctorArgs),
    /// Open the board in a browser
    Open,
    /// The settings of the project and of this machine, or a new value for one
    #[command(
        after_help = "Settings of the project are the same on every node, and take effect at once; a maintainer or an \
        owner changes them, and an empty value puts the default back. One of this machine takes effect at the next \
        start of the node, that of `user` with the next command. Lists take commas.\n\n\
        Examples:\n  towline config\n  towline config archive_after\n  towline config promote auto"
    )]
    Config(ConfigArgs),
    /// Throw the caches away and fold the log again
    Rebuild,

    /// Make an item
    #[command(visible_aliases = ["new", "add"], after_help = "Examples:\n  towline create 'New login'\n  towline create story 'Sign in with a passkey'\n  \
        towline create bug 'Login fails' --priority 0 --label ui --depends 12\n  \
        git log -1 --format=%b | towline create refactor 'Split the parser' --body -")]
    Create(CreateArgs),
    /// Items by column
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  towline list\n  towline list --column coding --column qa\n  \
        towline list --label ui --mine\n  towline list --all --json | jq '.items[].title'"
    )]
    List(ListArgs),
    /// The board in the terminal: columns side by side
    #[command(
        after_help = "What is upcoming stands at the foot of the backlog. Columns that do not fit beside each \
        other stand below.\n\nExamples:\n  towline board\n  towline board --mine\n  towline board --label ui -n 50"
    )]
    Board(BoardArgs),
    /// Everything about an item
    #[command(
        after_help = "An item is 42, 42a where two share the number, a key such as 3f2a, or an id.\n\n\
        Examples:\n  towline show 42\n  towline show 42 --json"
    )]
    Show(ShowArgs),
    /// Change fields of an item, or its description in your editor
    #[command(
        after_help = "Without options the description opens in $VISUAL or $EDITOR.\n\n\
        Examples:\n  towline edit 42\n  towline edit 42 --title 'Login fails on Safari' --priority 1\n  \
        towline edit 42 --body - < notes.md"
    )]
    Edit(EditArgs),
    /// Items that contain every word
    Search(SearchArgs),
    /// What you can start now, best first
    #[command(after_help = "Examples:\n  towline ready\n  towline ready --all\n  towline ready --claim")]
    Ready(ReadyArgs),
    /// Why an item stands where it stands
    #[command(
        after_help = "Examples:\n  towline explain 42\n  towline explain 42 --json | jq -r '.items[].because[]'"
    )]
    Explain(ExplainArgs),
    /// What was decided apart and nobody has settled; settle it
    #[command(
        after_help = "Examples:\n  towline conflicts\n  towline conflicts 42\n  towline conflicts settle 42 --keep b"
    )]
    Conflicts(ConflictsArgs),
    /// The timeline of an item, or of the project
    Log(LogArgs),
    /// Follow what happens
    #[command(after_help = "Needs a running node. With --json each event is one line.\n\n\
        Examples:\n  towline watch\n  towline watch --json --after 120")]
    Watch(WatchArgs),

    /// A transition of the table.
    #[command(flatten)]
    Verb(VerbCommand),

    /// Say who is to do it
    #[command(
        after_help = "Examples:\n  towline assign 42 ann\n  towline assign 42 43 coder-1\n  \
        towline assign 42 --nobody"
    )]
    Assign(AssignArgs),
    /// Add and remove labels
    #[command(
        after_help = "Examples:\n  towline label 42 +ui -old\n  towline label 42 43 --add ui --remove old"
    )]
    Label(LabelArgs),
    /// What must be done first
    #[command(subcommand)]
    Depends(DependsCommand),
    /// See an epic with its items, or put items into one
    #[command(after_help = "Examples:\n  towline epic 7\n  towline epic 42 43 7\n  towline epic 42 --none")]
    Epic(EpicArgs),
    /// Say something about an item
    #[command(
        after_help = "Examples:\n  towline comment 42 'works on my machine'\n  towline comment 42 - < log.md"
    )]
    Comment(CommentArgs),
    /// Acceptance criteria: see, add, judge
    #[command(
        after_help = "Examples:\n  towline criteria 42\n  towline criteria 42 add 'Safari 17 can sign in'\n  \
        towline criteria 42 met 1 --evidence ci/1881"
    )]
    Criteria(CriteriaArgs),
    /// Link commits, branches, pull requests and other trackers
    #[command(
        after_help = "Examples:\n  towline link 42 commit 3f2a1c9\n  towline link 42 external github:acme/shop#7\n  \
        towline link 42 branch fix-login --remove"
    )]
    Link(LinkArgs),

    /// Make a ticket that lets one node join
    #[command(
        after_help = "Hand the printed line to whoever joins; it admits one node, once.\n\n\
        Examples:\n  towline invite\n  towline invite --role reader --expires 2h"
    )]
    Invite(InviteArgs),
    /// Make a ticket void
    Withdraw {
        /// The beginning of the ticket's hash, as `members` shows it
        ticket: String,
    },
    /// Join a project by a ticket
    Join(JoinArgs),
    /// Members and open invitations
    Members,
    /// Connected peers
    Peers(PeersArgs),
    /// See whether peers hold the same, or wait until they do
    #[command(after_help = "Examples:\n  towline sync\n  towline sync --wait --timeout 2m")]
    Sync(SyncArgs),

    /// Bring items over from another tracker; importing again updates
    #[command(
        after_help = "Examples:\n  towline import --from beads issues.jsonl --dry-run\n  \
        towline import --from backlog .\n  towline import --from github issues.json\n  \
        towline import --from jsonl items.jsonl\n  \
        towline import --from bundle log.bundle"
    )]
    Import(ImportArgs),
    /// Write every item out
    #[command(after_help = "Examples:\n  towline export --to jsonl > items.jsonl\n  \
        towline export --to csv -o items.csv\n  \
        towline export --to markdown -o backlog\n  \
        towline export --to bundle -o log.bundle")]
    Export(ExportArgs),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  towline completions bash > ~/.local/share/bash-completion/completions/towline"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them to a directory
    Man {
        /// Where the pages go
        // Its id must be its own: as `directory` it would be taken for that of `-C`.
        #[arg(value_name = "DIRECTORY")]
        into: Option<PathBuf>,
    },
}

impl Command {
    /// The texts that stand for themselves in what was typed: a mistyped option would be taken for one.
    fn said(&self) -> Vec<&str> {
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

/// A parser for kinds: those that there are, and what people call a story elsewhere.
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

/// Reads how many of something are to be shown: none of them would be no answer.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("not a number from 1 up".to_owned()),
    }
}

/// Reads `90s`, `30m`, `24h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    crate::home::settings::span(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_asks_for_nothing() {
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
