//! The commands: name, what follows it, who may, what it does.

use towline_proto::Verb;

use crate::config::Level;

/// What may follow a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg {
    /// `42`, `#42`, `demo/42`.
    Item,
    /// One word, or several in quotes.
    Word(&'static str),
    /// Everything that is left.
    Rest(&'static str),
    /// One word that may be missing.
    Maybe(&'static str),
    /// Everything that is left, which may be nothing.
    MaybeRest(&'static str),
}

impl Arg {
    /// How help writes it.
    pub(crate) fn usage(self) -> String {
        match self {
            Self::Item => "N".to_owned(),
            Self::Word(name) | Self::Rest(name) => name.to_owned(),
            Self::Maybe(name) | Self::MaybeRest(name) => format!("[{name}]"),
        }
    }
}

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Help,
    Status,
    AllStatus,
    List,
    Show,
    Explain,
    Conflicts,
    Settle,
    Ready,
    Create,
    Move,
    /// A transition without anything to say.
    Plain(Verb),
    /// A transition with a reason.
    Reason(Verb),
    Supersede,
    Comment,
    Assign,
    Depends,
    Switch,
    /// A start although something it waits for is not done.
    ForceStart,
    Mute,
    Unmute,
    Resend,
    RelayStatus,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// One or more words.
    pub(crate) name: &'static str,
    /// What follows.
    pub(crate) args: &'static [Arg],
    /// Who may.
    pub(crate) level: Level,
    /// One line of help.
    pub(crate) help: &'static str,
    /// What it does.
    pub(crate) does: Does,
}

impl Command {
    /// How to type it.
    pub(crate) fn usage(&self) -> String {
        let mut words = vec![self.name.to_owned()];
        words.extend(self.args.iter().map(|arg| arg.usage()));
        words.join(" ")
    }
}

const fn reads(name: &'static str, args: &'static [Arg], help: &'static str, does: Does) -> Command {
    Command {
        name,
        args,
        level: Level::Viewer,
        help,
        does,
    }
}

const fn writes(name: &'static str, args: &'static [Arg], help: &'static str, does: Does) -> Command {
    Command {
        name,
        args,
        level: Level::Operator,
        help,
        does,
    }
}

const fn rules(name: &'static str, args: &'static [Arg], help: &'static str, does: Does) -> Command {
    Command {
        name,
        args,
        level: Level::Admin,
        help,
        does,
    }
}

const ITEM: &[Arg] = &[Arg::Item];
const ITEM_REASON: &[Arg] = &[Arg::Item, Arg::Rest("REASON")];

/// Every command, in the order of help.
pub(crate) const COMMANDS: &[Command] = &[
    reads("help", &[Arg::Maybe("COMMAND")], "this list", Does::Help),
    reads(
        "status",
        &[Arg::Maybe("PROJECT")],
        "counts of a project",
        Does::Status,
    ),
    reads("all-status", &[], "counts of every project", Does::AllStatus),
    reads(
        "list",
        &[Arg::MaybeRest("FILTER")],
        "items; filter by project/, column, kind, badge, +label, @assignee or words",
        Does::List,
    ),
    reads("show", ITEM, "one item", Does::Show),
    reads("ready", &[], "what can be started now", Does::Ready),
    reads("explain", ITEM, "why it stands where it stands", Does::Explain),
    reads(
        "conflicts",
        &[Arg::Maybe("N")],
        "what was decided apart and is not settled",
        Does::Conflicts,
    ),
    writes(
        "create",
        &[Arg::Word("KIND"), Arg::Rest("TITLE")],
        "a new item: story, bug, spike, refactor or epic",
        Does::Create,
    ),
    writes(
        "move",
        &[Arg::Item, Arg::Word("COLUMN"), Arg::MaybeRest("REASON")],
        "put it into any open column",
        Does::Move,
    ),
    writes("start", ITEM, "begin work on it", Does::Plain(Verb::Start)),
    writes(
        "submit",
        ITEM,
        "hand it in to be checked",
        Does::Plain(Verb::Submit),
    ),
    writes(
        "approve",
        ITEM,
        "let it through to merge",
        Does::Plain(Verb::Approve),
    ),
    writes(
        "request-changes",
        ITEM_REASON,
        "send it back to coding",
        Does::Reason(Verb::RequestChanges),
    ),
    writes(
        "block",
        ITEM_REASON,
        "say that it cannot go on",
        Does::Reason(Verb::Block),
    ),
    writes(
        "unblock",
        ITEM,
        "say that it can go on",
        Does::Plain(Verb::Unblock),
    ),
    writes("freeze", ITEM, "put it on ice", Does::Plain(Verb::Freeze)),
    writes(
        "unfreeze",
        ITEM,
        "take it off the ice",
        Does::Plain(Verb::Unfreeze),
    ),
    writes(
        "abandon",
        &[Arg::Item, Arg::MaybeRest("REASON")],
        "close it: nobody is going to do it",
        Does::Reason(Verb::Abandon),
    ),
    writes(
        "reject",
        ITEM_REASON,
        "close it: it should not be done",
        Does::Reason(Verb::Reject),
    ),
    writes(
        "settle",
        &[Arg::Item, Arg::Word("SIDE"), Arg::Maybe("CONFLICT")],
        "say which side of a conflict counts",
        Does::Settle,
    ),
    writes(
        "supersede",
        &[Arg::Item, Arg::Word("BY")],
        "close it: another item takes its place",
        Does::Supersede,
    ),
    writes(
        "reopen",
        ITEM,
        "bring it back to the backlog",
        Does::Plain(Verb::Reopen),
    ),
    writes(
        "assign",
        &[Arg::Item, Arg::Word("WHO")],
        "give it to somebody; - is nobody",
        Does::Assign,
    ),
    writes(
        "depends",
        &[Arg::Item, Arg::Word("ON")],
        "say what must be done first",
        Does::Depends,
    ),
    writes(
        "comment",
        &[Arg::Item, Arg::Rest("TEXT")],
        "say something about it",
        Does::Comment,
    ),
    writes(
        "switch",
        &[Arg::Word("PROJECT")],
        "this room's active project",
        Does::Switch,
    ),
    rules(
        "archive",
        ITEM,
        "put what is over out of sight",
        Does::Plain(Verb::Archive),
    ),
    rules(
        "delete",
        &[Arg::Item, Arg::MaybeRest("REASON")],
        "put it into the trash",
        Does::Reason(Verb::Delete),
    ),
    rules(
        "restore",
        ITEM,
        "bring it back from the trash",
        Does::Plain(Verb::Restore),
    ),
    rules(
        "purge",
        ITEM,
        "empty it out of the trash for good",
        Does::Plain(Verb::Purge),
    ),
    rules(
        "force-start",
        ITEM_REASON,
        "begin work although something it waits for is not done",
        Does::ForceStart,
    ),
    rules(
        "mute",
        &[Arg::Word("TIME")],
        "tell nothing in this room for 30m, 8h or 2d; commands are answered",
        Does::Mute,
    ),
    rules(
        "unmute",
        &[],
        "tell what happens in this room again",
        Does::Unmute,
    ),
    rules(
        "relay status",
        &[],
        "how every destination does",
        Does::RelayStatus,
    ),
    rules("relay resend", &[], "send again what was set aside", Does::Resend),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_only_the_last_argument_may_be_open_ended() {
        let names: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in COMMANDS {
            let open = |arg: &Arg| matches!(arg, Arg::Rest(_) | Arg::Maybe(_) | Arg::MaybeRest(_));
            let before_last = command.args.len().saturating_sub(1);
            assert!(
                !command.args.iter().take(before_last).any(open),
                "{}",
                command.name
            );
        }
    }

    #[test]
    fn everything_that_changes_something_needs_a_role() {
        for command in COMMANDS {
            let reads = matches!(
                command.does,
                Does::Help
                    | Does::Status
                    | Does::AllStatus
                    | Does::List
                    | Does::Show
                    | Does::Explain
                    | Does::Conflicts
                    | Does::Ready
            );
            let of_relay = matches!(command.does, Does::RelayStatus);
            assert_eq!(
                command.level == Level::Viewer || of_relay,
                reads || of_relay,
                "{}",
                command.name
            );
        }
    }
}
