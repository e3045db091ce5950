//! The command table: the name, arguments, required role, help text and action of every command.

use towline_proto::Verb;

use crate::config::ChatRole;

/// An argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg {
    /// `42`, `#42`, `demo/42`.
    Item,
    /// One word, or several in quotes.
    Word(&'static str),
    /// The rest of the line.
    Rest(&'static str),
    /// One optional word.
    Maybe(&'static str),
    /// The rest of the line; optional.
    MaybeRest(&'static str),
}

impl Arg {
    /// The argument as shown in the help.
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
pub(crate) enum Action {
    Help,
    Status,
    AllStatus,
    List,
    Show,
    Explain,
    Conflicts,
    Resolve,
    Ready,
    Create,
    Move,
    /// A transition without a reason.
    Plain(Verb),
    /// A transition with a reason.
    Reason(Verb),
    Supersede,
    Comment,
    Assign,
    Depends,
    Switch,
    /// A start although a dependency is not done.
    ForceStart,
    Mute,
    Unmute,
    Resend,
    RelayStatus,
}

/// A command.
#[derive(Debug)]
pub(crate) struct ChatCommand {
    /// The name: one or more words.
    pub(crate) name: &'static str,
    /// The arguments.
    pub(crate) args: &'static [Arg],
    /// The role that the sender needs.
    pub(crate) role: ChatRole,
    /// One line of help.
    pub(crate) help: &'static str,
    /// What it does.
    pub(crate) action: Action,
}

impl ChatCommand {
    /// The name with its arguments.
    pub(crate) fn usage(&self) -> String {
        let mut words = vec![self.name.to_owned()];
        words.extend(self.args.iter().map(|arg| arg.usage()));
        words.join(" ")
    }
}

const fn viewer(name: &'static str, args: &'static [Arg], help: &'static str, action: Action) -> ChatCommand {
    ChatCommand {
        name,
        args,
        role: ChatRole::Viewer,
        help,
        action,
    }
}

const fn operator(
    name: &'static str,
    args: &'static [Arg],
    help: &'static str,
    action: Action,
) -> ChatCommand {
    ChatCommand {
        name,
        args,
        role: ChatRole::Operator,
        help,
        action,
    }
}

const fn admin(name: &'static str, args: &'static [Arg], help: &'static str, action: Action) -> ChatCommand {
    ChatCommand {
        name,
        args,
        role: ChatRole::Admin,
        help,
        action,
    }
}

const ITEM: &[Arg] = &[Arg::Item];
const ITEM_REASON: &[Arg] = &[Arg::Item, Arg::Rest("REASON")];

/// Former names of commands, which still work.
pub(crate) const ALIASES: &[(&str, &str)] = &[("settle", "resolve")];

/// Every command, in the order of the help text.
pub(crate) const COMMANDS: &[ChatCommand] = &[
    viewer(
        "help",
        &[Arg::Maybe("COMMAND")],
        "list the commands, or explain one",
        Action::Help,
    ),
    viewer(
        "status",
        &[Arg::Maybe("PROJECT")],
        "show the counts of a project",
        Action::Status,
    ),
    viewer(
        "all-status",
        &[],
        "show the counts of every project",
        Action::AllStatus,
    ),
    viewer(
        "list",
        &[Arg::MaybeRest("FILTER")],
        "list items; filter by project/, column, kind, badge, +label, @assignee or words",
        Action::List,
    ),
    viewer("show", ITEM, "show one item", Action::Show),
    viewer(
        "ready",
        &[],
        "list the items that can be started now",
        Action::Ready,
    ),
    viewer(
        "explain",
        ITEM,
        "explain the current state of an item",
        Action::Explain,
    ),
    viewer(
        "conflicts",
        &[Arg::Maybe("N")],
        "list unresolved conflicts",
        Action::Conflicts,
    ),
    operator(
        "create",
        &[Arg::Word("KIND"), Arg::Rest("TITLE")],
        "create an item: story, bug, spike, refactor or epic",
        Action::Create,
    ),
    operator(
        "move",
        &[Arg::Item, Arg::Word("COLUMN"), Arg::MaybeRest("REASON")],
        "move an item to an open column",
        Action::Move,
    ),
    operator("start", ITEM, "start work on an item", Action::Plain(Verb::Start)),
    operator(
        "submit",
        ITEM,
        "submit an item for its checks",
        Action::Plain(Verb::Submit),
    ),
    operator(
        "approve",
        ITEM,
        "approve an item for merging",
        Action::Plain(Verb::Approve),
    ),
    operator(
        "request-changes",
        ITEM_REASON,
        "send an item back to coding",
        Action::Reason(Verb::RequestChanges),
    ),
    operator(
        "block",
        ITEM_REASON,
        "mark an item as blocked",
        Action::Reason(Verb::Block),
    ),
    operator("unblock", ITEM, "unblock an item", Action::Plain(Verb::Unblock)),
    operator(
        "freeze",
        ITEM,
        "pause an item without moving it",
        Action::Plain(Verb::Freeze),
    ),
    operator(
        "unfreeze",
        ITEM,
        "resume a paused item",
        Action::Plain(Verb::Unfreeze),
    ),
    operator(
        "abandon",
        &[Arg::Item, Arg::MaybeRest("REASON")],
        "close an item that nobody will do",
        Action::Reason(Verb::Abandon),
    ),
    operator(
        "reject",
        ITEM_REASON,
        "close an item that should not be done",
        Action::Reason(Verb::Reject),
    ),
    operator(
        "resolve",
        &[Arg::Item, Arg::Word("SIDE"), Arg::Maybe("CONFLICT")],
        "resolve a conflict by keeping one side",
        Action::Resolve,
    ),
    operator(
        "supersede",
        &[Arg::Item, Arg::Word("BY")],
        "close an item that another one replaces",
        Action::Supersede,
    ),
    operator(
        "reopen",
        ITEM,
        "move a closed item back to the backlog",
        Action::Plain(Verb::Reopen),
    ),
    operator(
        "assign",
        &[Arg::Item, Arg::Word("WHO")],
        "assign an item; - removes the assignee",
        Action::Assign,
    ),
    operator(
        "depends",
        &[Arg::Item, Arg::Word("ON")],
        "add a dependency that must be done first",
        Action::Depends,
    ),
    operator(
        "comment",
        &[Arg::Item, Arg::Rest("TEXT")],
        "add a comment",
        Action::Comment,
    ),
    operator(
        "switch",
        &[Arg::Word("PROJECT")],
        "set the active project of this room",
        Action::Switch,
    ),
    admin(
        "archive",
        ITEM,
        "archive a closed item",
        Action::Plain(Verb::Archive),
    ),
    admin(
        "delete",
        &[Arg::Item, Arg::MaybeRest("REASON")],
        "move an item to the trash",
        Action::Reason(Verb::Delete),
    ),
    admin(
        "restore",
        ITEM,
        "restore an item from the trash",
        Action::Plain(Verb::Restore),
    ),
    admin(
        "purge",
        ITEM,
        "remove an item from the trash for good",
        Action::Plain(Verb::Purge),
    ),
    admin(
        "force-start",
        ITEM_REASON,
        "start an item although a dependency is not done",
        Action::ForceStart,
    ),
    admin(
        "mute",
        &[Arg::Word("TIME")],
        "send no events to this room for 30m, 8h or 2d; commands still work",
        Action::Mute,
    ),
    admin("unmute", &[], "send events to this room again", Action::Unmute),
    admin(
        "relay status",
        &[],
        "show the status of every destination",
        Action::RelayStatus,
    ),
    admin("relay resend", &[], "send failed messages again", Action::Resend),
];

/// The name of the command for a transition that takes no more than an item, if there is one.
pub(crate) fn name_of(verb: Verb) -> Option<&'static str> {
    let named = |command: &&ChatCommand| matches!(command.action, Action::Plain(own) if own == verb);
    COMMANDS.iter().find(named).map(|command| command.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_only_the_last_argument_may_be_optional() {
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
    fn every_command_that_changes_something_needs_a_role() {
        for command in COMMANDS {
            let reads = matches!(
                command.action,
                Action::Help
                    | Action::Status
                    | Action::AllStatus
                    | Action::List
                    | Action::Show
                    | Action::Explain
                    | Action::Conflicts
                    | Action::Ready
            );
            let of_relay = matches!(command.action, Action::RelayStatus);
            assert_eq!(
                command.role == ChatRole::Viewer || of_relay,
                reads || of_relay,
                "{}",
                command.name
            );
        }
    }
}
