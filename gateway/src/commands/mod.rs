//! Commands that people type in chat: one table for help, parsing, permissions and running.
//!
//! Nothing here knows which chat service the text came from, and nothing here writes by itself: a
//! command becomes a request to a project with the person as origin, like any other request.

mod parse;
mod render;
mod run;
mod table;

pub use parse::addressed;
use parse::parse;
use towline_node::handle::NodeHandle;
use towline_proto::Origin;

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
}

/// Runs a command, without its prefix.
pub async fn run(handle: &NodeHandle, context: &Context, text: &str) -> Answer {
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
    async fn help_lists_every_command() {
        let Answer::Say(help) = answer(Level::Viewer, "help").await else {
            panic!("no help");
        };
        for command in table::COMMANDS {
            assert!(
                help.contains(&format!("!{}", command.name)),
                "{} is missing",
                command.name
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
