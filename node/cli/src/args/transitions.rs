//! The transitions: one command for each verb of the table, with what the verb needs.

use clap::{Args, Subcommand};
use towline_api::request::Transition;
use towline_proto::{Column, FailureKind, Verb};

use super::one_of;

/// Where `move` leads.
const OPEN: &[Column] = &[
    Column::Upcoming,
    Column::Backlog,
    Column::Coding,
    Column::Qa,
    Column::Merge,
];

/// The items of a transition.
#[derive(Debug, Clone, Args)]
pub struct Items {
    /// Items: numbers (42, 42a), keys or ids
    #[arg(value_name = "N", required = true)]
    pub items: Vec<String>,
    /// Fail if the item has changed since REVISION (from --json)
    #[arg(long, value_name = "REVISION")]
    pub expect: Option<String>,
}

/// Items and a reason.
#[derive(Debug, Clone, Args)]
pub struct WithReason {
    #[command(flatten)]
    target: Items,
    /// Reason; - reads it from standard input
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: String,
}

/// Items and an optional reason.
#[derive(Debug, Clone, Args)]
pub struct MaybeReason {
    #[command(flatten)]
    target: Items,
    /// Reason; - reads it from standard input
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
}

/// Items and who works on them.
#[derive(Debug, Clone, Args)]
pub struct WithHolder {
    #[command(flatten)]
    target: Items,
    /// Who will work on it, if not you
    #[arg(long = "for", value_name = "NAME")]
    holder: Option<String>,
}

/// Items whose claim is taken over.
#[derive(Debug, Clone, Args)]
pub struct TakeOverArgs {
    #[command(flatten)]
    target: WithHolder,
    /// Take it over even if the node of its holder was seen recently; needs a reason
    #[arg(long, requires = "reason")]
    force: bool,
    /// Reason for --force
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        requires = "force",
        allow_hyphen_values = true
    )]
    reason: Option<String>,
}

/// Items to start.
#[derive(Debug, Clone, Args)]
pub struct StartArgs {
    #[command(flatten)]
    target: WithHolder,
    /// Start it without claiming it
    #[arg(long, conflicts_with = "holder")]
    no_claim: bool,
    /// Start it even if a dependency is not done; needs a reason
    #[arg(long, requires = "reason")]
    force: bool,
    /// Reason for --force
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        requires = "force",
        allow_hyphen_values = true
    )]
    reason: Option<String>,
}

/// Items that reached the main branch.
#[derive(Debug, Clone, Args)]
pub struct MergedArgs {
    #[command(flatten)]
    target: Items,
    /// Merged commit; a recorded commit overrides concurrent changes
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
}

/// A merge that failed.
#[derive(Debug, Clone, Args)]
pub struct MergeFailedArgs {
    #[command(flatten)]
    target: Items,
    /// Kind of failure
    #[arg(long, value_parser = one_of(FailureKind::ALL, FailureKind::as_str))]
    kind: FailureKind,
    /// Details; - reads them from standard input
    #[arg(
        short = 'm',
        long = "detail",
        visible_alias = "reason",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    reason: Option<String>,
}

/// An item and its successor.
#[derive(Debug, Clone, Args)]
pub struct SupersedeArgs {
    #[command(flatten)]
    target: Items,
    /// Item that replaces it
    #[arg(long, value_name = "N")]
    by: String,
}

/// Items and where they go.
#[derive(Debug, Clone, Args)]
pub struct MoveArgs {
    /// Items: numbers (42, 42a), keys or ids
    #[arg(value_name = "N", required = true)]
    items: Vec<String>,
    /// Column to move them to
    #[arg(value_name = "COLUMN", required = true, value_parser = one_of(OPEN, Column::as_str))]
    to: Column,
    /// Reason; - reads it from standard input
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Fail if the item has changed since REVISION (from --json)
    #[arg(long, value_name = "REVISION")]
    expect: Option<String>,
}

/// The transitions of the table.
#[derive(Debug, Clone, Subcommand)]
#[allow(missing_docs)]
pub enum TransitionCommand {
    #[command(about = about(Verb::Triage))]
    Triage(Items),
    #[command(about = about(Verb::Start), after_help = "Starting an item also claims it.\n\n\
        Examples:\n  towline start 4 5 6\n  towline start 4 --no-claim\n  \
        towline start 4 --force -m 'the other half is only docs'")]
    Start(StartArgs),
    #[command(about = about(Verb::Submit))]
    Submit(Items),
    #[command(about = about(Verb::RequestChanges),
        after_help = "Example:\n  towline request-changes 42 -m 'the test is missing'")]
    RequestChanges(WithReason),
    #[command(about = about(Verb::PassQa))]
    PassQa(Items),
    #[command(about = about(Verb::Approve))]
    Approve(Items),
    #[command(about = about(Verb::Merged), visible_alias = "done",
        after_help = "Without --commit, marks the work as done, for example for a spike.\n\n\
        Examples:\n  towline merged 42 --commit 3f2a1c9\n  towline done 42")]
    Merged(MergedArgs),
    #[command(about = about(Verb::MergeFailed),
        after_help = "Example:\n  towline merge-failed 42 --kind conflict -m 'src/lib.rs'")]
    MergeFailed(MergeFailedArgs),
    #[command(about = about(Verb::RetryMerge))]
    RetryMerge(Items),
    #[command(about = about(Verb::GiveUpMerge))]
    GiveUpMerge(Items),
    #[command(about = about(Verb::Block), after_help = "Example:\n  towline block 42 -m 'waits for the keys'")]
    Block(WithReason),
    #[command(about = about(Verb::Unblock))]
    Unblock(Items),
    #[command(about = about(Verb::Freeze))]
    Freeze(Items),
    #[command(about = about(Verb::Unfreeze))]
    Unfreeze(Items),
    #[command(about = about(Verb::Abandon), visible_alias = "close",
        after_help = "Items that depend on it keep waiting. Use `towline done` if the work is done.")]
    Abandon(MaybeReason),
    #[command(about = about(Verb::Supersede), after_help = "Example:\n  towline supersede 42 --by 57")]
    Supersede(SupersedeArgs),
    #[command(about = about(Verb::Reject))]
    Reject(WithReason),
    #[command(about = about(Verb::Reopen))]
    Reopen(Items),
    #[command(about = about(Verb::Archive))]
    Archive(Items),
    #[command(about = about(Verb::Move), after_help = "Example:\n  towline move 42 43 qa -m 'was done by hand'")]
    Move(MoveArgs),
    #[command(about = about(Verb::Claim), after_help = "Examples:\n  towline claim 42\n  towline claim 42 --for coder-1")]
    Claim(WithHolder),
    #[command(about = about(Verb::Release))]
    Release(Items),
    #[command(about = about(Verb::TakeOver), after_help = "Possible once the node of the holder has not been seen for `claim_ttl` (see `towline config`).\n\n\
        Examples:\n  towline take-over 42\n  towline take-over 42 --force -m 'the laptop is at the bottom of a lake'")]
    TakeOver(TakeOverArgs),
    #[command(about = about(Verb::Delete))]
    Delete(MaybeReason),
    #[command(about = about(Verb::Restore))]
    Restore(Items),
    #[command(about = about(Verb::Purge), after_help = "Asks for confirmation, unless --yes is given. A purged item \
        cannot be restored, is not shown anywhere, and its number is not reused. Its entries stay in the signed log.")]
    Purge(Items),
}

/// The help text of the transition table, with a capital letter.
fn about(verb: Verb) -> String {
    let help = verb.rule().help;
    let mut letters = help.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

impl TransitionCommand {
    /// The items, and the transition that each of them is to make.
    pub(crate) fn parts(self) -> (Items, Transition) {
        let plain = |verb| Transition::plain(String::new(), verb);
        let because = |verb, reason| Transition {
            reason,
            ..plain(verb)
        };
        match self {
            Self::Triage(items) => (items, plain(Verb::Triage)),
            Self::Start(args) => {
                let transition = Transition {
                    holder: args.target.holder,
                    force: args.force,
                    no_claim: args.no_claim,
                    ..because(Verb::Start, args.reason)
                };
                (args.target.target, transition)
            }
            Self::Submit(items) => (items, plain(Verb::Submit)),
            Self::RequestChanges(args) => (args.target, because(Verb::RequestChanges, Some(args.reason))),
            Self::PassQa(items) => (items, plain(Verb::PassQa)),
            Self::Approve(items) => (items, plain(Verb::Approve)),
            Self::Merged(args) => {
                let transition = Transition {
                    commit: args.commit,
                    ..plain(Verb::Merged)
                };
                (args.target, transition)
            }
            Self::MergeFailed(args) => {
                let transition = Transition {
                    failure: Some(args.kind),
                    ..because(Verb::MergeFailed, args.reason)
                };
                (args.target, transition)
            }
            Self::RetryMerge(items) => (items, plain(Verb::RetryMerge)),
            Self::GiveUpMerge(items) => (items, plain(Verb::GiveUpMerge)),
            Self::Block(args) => (args.target, because(Verb::Block, Some(args.reason))),
            Self::Unblock(items) => (items, plain(Verb::Unblock)),
            Self::Freeze(items) => (items, plain(Verb::Freeze)),
            Self::Unfreeze(items) => (items, plain(Verb::Unfreeze)),
            Self::Abandon(args) => (args.target, because(Verb::Abandon, args.reason)),
            Self::Supersede(args) => {
                let transition = Transition {
                    by: Some(args.by),
                    ..plain(Verb::Supersede)
                };
                (args.target, transition)
            }
            Self::Reject(args) => (args.target, because(Verb::Reject, Some(args.reason))),
            Self::Reopen(items) => (items, plain(Verb::Reopen)),
            Self::Archive(items) => (items, plain(Verb::Archive)),
            Self::Move(args) => {
                let target = Items {
                    items: args.items,
                    expect: args.expect,
                };
                let transition = Transition {
                    to: Some(args.to),
                    ..because(Verb::Move, args.reason)
                };
                (target, transition)
            }
            Self::Claim(args) => {
                let transition = Transition {
                    holder: args.holder,
                    ..plain(Verb::Claim)
                };
                (args.target, transition)
            }
            Self::Release(items) => (items, plain(Verb::Release)),
            Self::TakeOver(args) => {
                let transition = Transition {
                    holder: args.target.holder,
                    force: args.force,
                    ..because(Verb::TakeOver, args.reason)
                };
                (args.target.target, transition)
            }
            Self::Delete(args) => (args.target, because(Verb::Delete, args.reason)),
            Self::Restore(items) => (items, plain(Verb::Restore)),
            Self::Purge(items) => (items, plain(Verb::Purge)),
        }
    }
}
