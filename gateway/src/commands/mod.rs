//! Commands that people type in chat: one table for help, parsing, permissions and execution.
//!
//! This module does not depend on a chat service, and it does not write by itself: a command becomes a request
//! to a project with the sender as its origin, like any other request.

mod help;
mod parse;
mod render;
mod run;
mod table;

pub(crate) use parse::command_text;
use std::time::Duration;

use parse::parse;
use table::Action;
use towline_engine::handle::NodeHandle;
use towline_proto::{Origin, ProjectId, RequestId};

use crate::config::ChatRole;

/// The sender of a command, and the room.
#[derive(Debug, Clone)]
pub(crate) struct CommandContext {
    /// The sender: the origin of what the command writes.
    pub(crate) origin: Origin,
    /// The role of the sender.
    pub(crate) role: ChatRole,
    /// The room's active project.
    pub(crate) active: Option<String>,
    /// The prefix of commands in this room.
    pub(crate) prefix: String,
    /// The id of the request: if two gateways execute the same message, it takes effect once.
    pub(crate) request: Option<RequestId>,
}

/// The response to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandResponse {
    /// Done; a reaction is enough.
    Done,
    /// Text to show.
    Text(String),
    /// One line that says what is wrong and what would be valid.
    Error(String),
    /// Done; this is the active project of the room now.
    Switch(String),
    /// Done; the room gets no events for this time, or gets them again if there is none.
    Mute(Option<Duration>),
    /// Done; failed messages are sent again.
    Resend,
    /// The status of the relay has to be shown.
    RelayStatus,
}

/// The project of a command, as far as this gateway can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandTarget {
    /// One project.
    Project(ProjectId),
    /// No project, or all.
    None,
    /// A project that this gateway does not know, or a line that is not a valid command.
    Unknown,
}

/// The project of a command. `text` is without the prefix.
pub(crate) fn target(handle: &NodeHandle, context: &CommandContext, text: &str) -> CommandTarget {
    let Ok(parsed) = parse(text) else {
        return CommandTarget::Unknown;
    };
    match run::project_of(handle, context, &parsed) {
        None => CommandTarget::None,
        Some(Ok(link)) => CommandTarget::Project(link.id),
        Some(Err(_)) => CommandTarget::Unknown,
    }
}

/// Whether a command changes the gateway's own settings, so that every gateway in the room executes it.
pub(crate) fn is_local(text: &str) -> bool {
    parse(text).is_ok_and(|parsed| {
        matches!(
            parsed.command.action,
            Action::Switch | Action::Mute | Action::Unmute | Action::Resend
        )
    })
}

/// Executes a command. `text` is without the prefix.
pub(crate) async fn run(handle: &NodeHandle, context: &CommandContext, text: &str) -> CommandResponse {
    if parse::has_second_command(text, &context.prefix) {
        return CommandResponse::Error("send one command per message; none of these was executed".to_owned());
    }
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return CommandResponse::Error(error.message(&context.prefix)),
    };
    if context.role < parsed.command.role {
        return CommandResponse::Error(format!(
            "`{}` needs the role {}, but {} is a {}; whoever runs the gateway can change roles in its configuration",
            parsed.command.name,
            parsed.command.role.as_str(),
            context.origin.id,
            context.role.as_str()
        ));
    }
    run::run(handle, context, &parsed)
        .await
        .unwrap_or_else(CommandResponse::Error)
}

#[cfg(test)]
mod tests {
    use towline_proto::{NodeId, OriginKind};

    use super::*;

    fn context(role: ChatRole) -> CommandContext {
        CommandContext {
            origin: Origin::new(OriginKind::User, "@ann:example.org").expect("a user"),
            role,
            active: None,
            prefix: "!".to_owned(),
            request: None,
        }
    }

    async fn response(role: ChatRole, text: &str) -> CommandResponse {
        run(&NodeHandle::new(NodeId([0; 32])), &context(role), text).await
    }

    #[tokio::test]
    async fn a_viewer_cannot_write() {
        let CommandResponse::Error(line) = response(ChatRole::Viewer, "move 42 qa").await else {
            panic!("a viewer moved an item");
        };
        assert!(
            line.contains("operator") && line.contains("@ann:example.org"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn help_lists_the_allowed_commands_and_counts_the_others() {
        for role in [ChatRole::Viewer, ChatRole::Operator, ChatRole::Admin] {
            let CommandResponse::Text(help) = response(role, "help").await else {
                panic!("no help");
            };
            for command in table::COMMANDS {
                let listed = help.lines().any(|line| {
                    let line = line.strip_prefix('!').unwrap_or_default();
                    line.split(" — ").next() == Some(command.usage().as_str())
                });
                assert_eq!(
                    listed,
                    command.role <= role,
                    "{} for a {}",
                    command.name,
                    role.as_str()
                );
            }
            assert_eq!(help.contains("more for"), role < ChatRole::Admin, "{help}");
        }
        let CommandResponse::Text(help) = response(ChatRole::Viewer, "help purge").await else {
            panic!("no help");
        };
        assert!(help.contains("!purge N") && help.contains("admin"), "{help}");
    }

    #[tokio::test]
    async fn an_operator_cannot_run_admin_commands() {
        for text in [
            "purge 1",
            "delete 1",
            "archive 1",
            "mute 1h",
            "relay resend",
            "force-start 1 now",
        ] {
            let CommandResponse::Error(line) = response(ChatRole::Operator, text).await else {
                panic!("an operator did {text}");
            };
            assert!(line.contains("needs the role admin"), "{line}");
        }
        let hour = std::time::Duration::from_secs(3_600);
        assert_eq!(
            response(ChatRole::Admin, "mute 1h").await,
            CommandResponse::Mute(Some(hour))
        );
        assert_eq!(
            response(ChatRole::Admin, "unmute").await,
            CommandResponse::Mute(None)
        );
        assert_eq!(
            response(ChatRole::Admin, "relay status").await,
            CommandResponse::RelayStatus
        );
        for text in [
            "mute",
            "mute soon",
            "mute 0m",
            "mute 99999999999999999999d",
            "mute 31d",
            "mute -1h",
        ] {
            assert!(
                matches!(response(ChatRole::Admin, text).await, CommandResponse::Error(_)),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn a_missing_project_is_one_line() {
        for text in ["move 42 qa", "show demo/1", "status", "switch demo"] {
            let CommandResponse::Error(line) = response(ChatRole::Admin, text).await else {
                panic!("{text} worked without a project");
            };
            assert!(!line.contains('\n') && line.contains("project"), "{line}");
        }
    }
}
