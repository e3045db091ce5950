//! `completions`: the scripts that clap generates, and numbers of items beside them.
//!
//! The scripts for bash, zsh and fish ask `towline completions --items`, which reads the snapshot of cards and waits for
//! nobody: without a project, or while it is in use, it prints nothing. It never fails and never writes.

use std::io::Write;

use clap_complete::Shell;
use towline_api::request::{Filter, Query, Reply, Request};

use super::args::{self, CompletionsArgs};
use super::context::Context;
use super::render::text::{clean, fit};
use super::{CliError, backend, envelope};

/// Columns of a title beside its number.
const TITLE: usize = 60;
/// At most so many numbers: nobody reads more.
const ITEMS: usize = 200;

pub(super) fn run(ctx: &Context, args: &CompletionsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if let Some(shell) = args.shell {
        return Ok(out.write_all(script(shell).as_bytes())?);
    }
    for (handle, title) in items(ctx) {
        writeln!(out, "{handle}\t{title}")?;
    }
    Ok(())
}

/// The items that are open or done, the numbers that people type most.
fn items(ctx: &Context) -> Vec<(String, String)> {
    let filter = Filter {
        limit: ITEMS,
        ..Filter::default()
    };
    let ctx = Context {
        busy_timeout: "0s".parse().ok(),
        ..ctx.clone()
    };
    let list = envelope(&ctx, None, Request::Query(Query::List(filter)));
    let asked = backend::connect_for(&ctx, std::slice::from_ref(&list));
    let Ok(Reply::Cards(cards)) = asked.and_then(|mut backend| backend.request(list)) else {
        return Vec::new();
    };
    let one = |card: &towline_api::types::ItemCard| (clean(&card.handle), fit(&clean(&card.title), TITLE));
    cards.iter().map(one).collect()
}

fn script(shell: Shell) -> String {
    // Collected first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "towline", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let (direct, nested) = (takers(false), takers(true));
    match shell {
        Shell::Bash => script + &bash(&direct.join("|"), &nested.join("|")),
        Shell::Fish => {
            let all = [direct, nested].concat().join(" ");
            let items = "(towline completions --items 2>/dev/null)";
            format!("{script}complete -c towline -n '__fish_seen_subcommand_from {all}' -f -a '{items}'\n")
        }
        Shell::Zsh => zsh(&script),
        _ => script,
    }
}

/// The commands that take items; or those whose subcommands do.
fn takers(nested: bool) -> Vec<String> {
    let tree = args::command();
    let takes = |command: &clap::Command| command.get_positionals().any(is_item);
    let wanted = |command: &&clap::Command| match nested {
        true => !takes(command) && command.get_subcommands().any(takes),
        false => takes(command),
    };
    let found = tree.get_subcommands().filter(wanted);
    found.map(|command| command.get_name().to_owned()).collect()
}

fn is_item(argument: &clap::Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| matches!(name.as_str(), "N" | "M"))
}

/// The first command among the words decides. Options keep the completions that clap gives them.
fn bash(direct: &str, nested: &str) -> String {
    format!(
        r#"
_towline_with_items() {{
    _towline "$@"
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" word depth=0
    case "$cur" in -*) return 0 ;; esac
    case "$prev" in -*) return 0 ;; esac
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$depth:$word" in
            0:{direct}) depth=2 ;;
            0:{nested}) depth=1 ;;
            1:*) depth=2 ;;
        esac
    done
    if [[ "$depth" == 2 ]]; then
        COMPREPLY=( $(compgen -W "$(towline completions --items 2>/dev/null | cut -f1)" -- "$cur") )
    fi
}}
complete -F _towline_with_items -o bashdefault -o default towline
"#,
        direct = direct.replace('|', "|0:"),
        nested = nested.replace('|', "|0:"),
    )
}

/// The generated script with items in the place of files.
fn zsh(script: &str) -> String {
    let tree = args::command();
    let mut starts: Vec<String> = Vec::new();
    let nested = tree.get_subcommands().flat_map(clap::Command::get_subcommands);
    for command in tree.get_subcommands().chain(nested) {
        for argument in command.get_positionals().filter(|argument| is_item(argument)) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            // Behind a colon the script has escapes.
            let help = help.split(':').next().unwrap_or_default();
            starts.push(format!("{} -- {help}", argument.get_id()));
        }
    }
    let is_items = |line: &str| {
        let argument = line.trim_start().trim_start_matches(['\'', '*', ':']);
        starts.iter().any(|start| argument.starts_with(start.as_str()))
    };
    let mut out = String::new();
    for line in script.lines() {
        match line.strip_suffix(":_default' \\").filter(|_| is_items(line)) {
            Some(start) => out.push_str(&format!("{start}:_towline_items' \\")),
            None => out.push_str(line),
        }
        out.push('\n');
        // Behind the first line, which names the command to the shell.
        if line.starts_with("#compdef") {
            out.push_str(ZSH_ITEMS);
        }
    }
    out
}

const ZSH_ITEMS: &str = r#"
_towline_items() {
    local -a items
    items=(${(f)"$(towline completions --items 2>/dev/null | sed 's/:/\\:/g; s/\t/:/')"})
    _describe -t items item items
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_ask_for_items_where_a_command_takes_some() {
        for name in ["show", "edit", "start", "undo", "open", "label", "conflicts"] {
            assert!(takers(false).contains(&name.to_owned()), "{name}");
        }
        assert_eq!(takers(true), ["depends"]);
        assert!(!takers(false).contains(&"list".to_owned()));
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            assert!(script(shell).contains("towline completions --items"), "{shell}");
        }
        let zsh = script(Shell::Zsh);
        assert!(zsh.contains("_towline_items' \\"), "{zsh}");
        assert!(zsh.contains("Words to find:_default' \\"), "{zsh}");
        assert!(!script(Shell::Elvish).contains("completions --items"));
    }
}
