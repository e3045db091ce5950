//! Commands that people type in chat: one table for help, parsing, permissions and running.
//!
//! Nothing here knows which chat service the text came from, and nothing here writes by itself: a
//! command becomes a request to a project with the person as origin, like any other request.

mod help;
mod parse;
mod render;
mod run;
mod table;

pub use parse::addressed;
use std::time::Duration;

use parse::parse;
use table::Does;
use towline_node::handle::NodeHandle;
use towline_proto::{Origin, ProjectId, RequestId};

use crate::config::Level;

/// Who asks, and where.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks: becomes the origin of what is written.
    pub origin: Origin,
    /// What they may do.
    pub level: Level,
    /// The room's active project.
    pub active: Option<String>,
    /// What a command begins with here, for help.
    pub prefix: String,
    /// The name of the request, by which two gateways that read one message do it once.
    pub request: Option<RequestId>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done: a sign is enough.
    Done,
    /// Lines of text that were asked for.
    Say(String),
    /// One line that says what is wrong and what would be right.
    Error(String),
    /// Done: this is the room's active project now.
    Switch(String),
    /// Done: nothing is told in the room for so long; everything again where no time is given.
    Mute(Option<Duration>),
    /// Done: what was set aside is sent again.
    Resend,
    /// How the relay does is to be said.
    RelayStatus,
}

/// What a command is about, as far as this gateway can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A project.
    Project(ProjectId),
    /// No project, or all.
    None,
    /// A project that this gateway does not know, or a line that it does not understand.
    Unknown,
}

/// What a command is about, without its prefix.
pub fn target(handle: &NodeHandle, context: &Context, text: &str) -> Target {
    let Ok(parsed) = parse(text) else {
        return Target::Unknown;
    };
    match run::project_of(handle, context, &parsed) {
        None => Target::None,
        Some(Ok(link)) => Target::Project(link.id),
        Some(Err(_)) => Target::Unknown,
    }
}

/// Whether a command changes what the gateway keeps of the room, and so is done by each gateway in it.
pub fn is_local(text: &str) -> bool {
    parse(text).is_ok_and(|parsed| {
        matches!(
            parsed.command.does,
            Does::Switch | Does::Mute | Does::Unmute | Does::Resend
        )
    })
}

/// Runs a command, without its prefix.
pub async fn run(handle: &NodeHandle, context: &Context, text: &str) -> Answer {
    if parse::is_followed(text, &context.prefix) {
        return Answer::Error("one command a message: none of these was done".to_owned());
    }
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(error) => return Answer::Error(error.told(&context.prefix)),
    };
    if context.level < parsed.command.level {
        return Answer::Error(format!(
            "`{}` needs the role {}, and {} is a {}; an operator of the gateway can change that in its configuration",
            parsed.command.name,
            parsed.command.level.as_str(),
            context.origin.id,
            context.level.as_str()
        ));
    }
    run::run(handle, context, &parsed)
        .await
        .unwrap_or_else(Answer::Error)
}

#[cfg(test)]
mod tests {
    use towline_proto::{NodeId, OriginKind};

    use super::*;

    fn context(level: Level) -> Context {
        Context {
            origin: Origin::new(OriginKind::User, "@ann:example.org").expect("a user"),
            level,
            active: None,
            prefix: "!".to_owned(),
            request: None,
        }
    }

    async fn answer(level: Level, text: &str) -> Answer {
        run(&NodeHandle::new(NodeId([0; 32])), &context(level), text).await
    }

    #[tokio::test]
    async fn a_viewer_may_not_write() {
        let Answer::Error(line) = answer(Level::Viewer, "move 42 qa").await else {
            panic!("a viewer moved an item");
        };
        assert!(
            line.contains("operator") && line.contains("@ann:example.org"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn help_lists_what_one_may_do_and_says_that_there_is_more() {
        for level in [Level::Viewer, Level::Operator, Level::Admin] {
            let Answer::Say(help) = answer(level, "help").await else {
                panic!("no help");
            };
            for command in table::COMMANDS {
                let listed = help.lines().any(|line| {
                    let line = line.strip_prefix('!').unwrap_or_default();
                    line.split(" — ").next() == Some(command.usage().as_str())
                });
                assert_eq!(
                    listed,
                    command.level <= level,
                    "{} for a {}",
                    command.name,
                    level.as_str()
                );
            }
            assert_eq!(help.contains("more for"), level < Level::Admin, "{help}");
        }
        let Answer::Say(help) = answer(Level::Viewer, "help purge").await else {
            panic!("no help");
        };
        assert!(help.contains("!purge N") && help.contains("admin"), "{help}");
    }

    #[tokio::test]
    async fn an_operator_may_not_do_what_is_an_admins() {
        for text in [
            "purge 1",
            "delete 1",
            "archive 1",
            "mute 1h",
            "relay resend",
            "force-start 1 now",
        ] {
            let Answer::Error(line) = answer(Level::Operator, text).await else {
                panic!("an operator did {text}");
            };
            assert!(line.contains("needs the role admin"), "{line}");
        }
        let hour = std::time::Duration::from_secs(3_600);
        assert_eq!(answer(Level::Admin, "mute 1h").await, Answer::Mute(Some(hour)));
        assert_eq!(answer(Level::Admin, "unmute").await, Answer::Mute(None));
        assert_eq!(answer(Level::Admin, "relay status").await, Answer::RelayStatus);
        for text in [
            "mute",
            "mute soon",
            "mute 0m",
            "mute 99999999999999999999d",
            "mute 31d",
            "mute -1h",
        ] {
            assert!(
                matches!(answer(Level::Admin, text).await, Answer::Error(_)),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_in_one_line() {
        for text in ["move 42 qa", "show demo/1", "status", "switch demo"] {
            let Answer::Error(line) = answer(Level::Admin, text).await else {
                panic!("{text} worked without a project");
            };
            assert!(!line.contains('\n') && line.contains("project"), "{line}");
        }
    }
}
