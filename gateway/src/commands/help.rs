//! The text of the `help` command, made from the command table.

use towline_proto::text::show;

use super::CommandContext;
use super::table::{COMMANDS, ChatCommand};
use crate::config::ChatRole;

/// The commands that the sender may use. A named command is shown even if the sender may not use it.
pub(super) fn help(context: &CommandContext, wanted: &str) -> Result<String, String> {
    let line = |command: &ChatCommand| format!("{}{} — {}", context.prefix, command.usage(), command.help);
    if wanted.is_empty() {
        let (allowed, others): (Vec<_>, Vec<_>) =
            COMMANDS.iter().partition(|command| command.role <= context.role);
        let mut lines: Vec<_> = allowed.into_iter().map(line).collect();
        for role in [ChatRole::Operator, ChatRole::Admin] {
            let more = others.iter().filter(|command| command.role == role).count();
            if more > 0 {
                lines.push(format!("… and {more} more for {}s", role.as_str()));
            }
        }
        return Ok(lines.join("\n"));
    }
    let named = COMMANDS.iter().filter(|command| {
        let first = command.name.split_whitespace().next();
        command.name.eq_ignore_ascii_case(wanted)
            || first.is_some_and(|first| first.eq_ignore_ascii_case(wanted))
    });
    let lines: Vec<_> = named
        .map(|command| match command.role <= context.role {
            true => line(command),
            false => format!("{} (for {}s)", line(command), command.role.as_str()),
        })
        .collect();
    if lines.is_empty() {
        return Err(format!(
            "there is no command {:?}; `{}help` lists the commands",
            show(wanted, 40),
            context.prefix
        ));
    }
    Ok(lines.join("\n"))
}
