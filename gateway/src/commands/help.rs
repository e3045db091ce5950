//! What is said about the commands themselves, from their table.

use towline_proto::text::show;

use super::Context;
use super::table::{COMMANDS, Command};
use crate::config::Level;

/// The commands that one may give; of one that was named also when it is for others.
pub(super) fn help(context: &Context, wanted: &str) -> Result<String, String> {
    let line = |command: &Command| format!("{}{} — {}", context.prefix, command.usage(), command.help);
    if wanted.is_empty() {
        let (own, others): (Vec<_>, Vec<_>) = COMMANDS
            .iter()
            .partition(|command| command.level <= context.level);
        let mut lines: Vec<_> = own.into_iter().map(line).collect();
        for level in [Level::Operator, Level::Admin] {
            let more = others.iter().filter(|command| command.level == level).count();
            if more > 0 {
                lines.push(format!("… and {more} more for {}s", level.as_str()));
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
        .map(|command| match command.level <= context.level {
            true => line(command),
            false => format!("{} (for {}s)", line(command), command.level.as_str()),
        })
        .collect();
    if lines.is_empty() {
        return Err(format!(
            "there is no command {:?}; `{}help` lists what there is",
            show(wanted, 40),
            context.prefix
        ));
    }
    Ok(lines.join("\n"))
}
