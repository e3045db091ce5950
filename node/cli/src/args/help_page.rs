//! The main help page: some sixty commands, in groups.
//!
//! clap lists commands in one column. The page is composed from clap's own command tree, so names
//! and texts are those of the definitions; a test fails when a command has no group.

use std::fmt::Write;

use clap::CommandFactory;
use towline_proto::Verb;

use super::Cli;

const GROUPS: &[(&str, &[&str])] = &[
    (
        "View items",
        &[
            "board",
            "list",
            "ready",
            "show",
            "explain",
            "conflicts",
            "search",
            "log",
            "watch",
            "status",
            "open",
        ],
    ),
    (
        "Edit items",
        &[
            "create", "edit", "comment", "assign", "label", "depends", "epic", "criteria", "link", "undo",
        ],
    ),
    (
        "Run a node",
        &[
            "init", "up", "serve", "down", "config", "token", "deinit", "doctor", "rebuild", "demo",
        ],
    ),
    (
        "Share a project",
        &["invite", "revoke", "join", "members", "peers", "sync"],
    ),
    (
        "Import, export and help",
        &["import", "export", "completions", "man", "help"],
    ),
];

const MOVE: &str = "Move items through the pipeline";

/// The command line with its main help page.
pub(crate) fn command() -> clap::Command {
    let plain = Cli::command();
    let page = page(&plain);
    plain.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{page}Global options:\n{{options}}\n"
    ))
}

fn page(tree: &clap::Command) -> String {
    let mut page = String::new();
    let verbs: Vec<&str> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
    for (heading, names) in GROUPS.iter().copied() {
        group(&mut page, tree, heading, names);
        if heading == "Edit items" {
            group(&mut page, tree, MOVE, &verbs);
        }
    }
    page
}

fn group(page: &mut String, tree: &clap::Command, heading: &str, names: &[&str]) {
    let _ = writeln!(page, "{heading}:");
    for name in names {
        let about = match tree.find_subcommand(name).and_then(clap::Command::get_about) {
            Some(about) => about.to_string(),
            None => "Print this help or the help of a command".to_owned(),
        };
        let _ = writeln!(page, "  {name:<16} {about}");
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_on_the_main_help_page_once_with_a_text() {
        let tree = Cli::command();
        for each in tree.get_subcommands() {
            let name = each.get_name();
            let verb = usize::from(name.parse::<Verb>().is_ok());
            let listed = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(verb + listed, 1, "{name} is in {} groups", verb + listed);
            assert!(each.get_about().is_some(), "{name} says nothing about itself");
        }
    }

    #[test]
    fn every_command_takes_every_global_flag() {
        let mut tree = Cli::command();
        let globals: Vec<String> = tree
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect();
        assert!(globals.iter().any(|flag| flag == "as"));
        tree.build();
        for each in tree.get_subcommands().filter(|each| each.get_name() != "help") {
            for flag in &globals {
                let taken = each.get_arguments().any(|arg| arg.get_long() == Some(flag));
                assert!(taken, "{} does not take --{flag}", each.get_name());
            }
        }
    }

    #[test]
    fn no_argument_of_a_command_is_taken_for_a_global_one() {
        let tree = Cli::command();
        let globals: Vec<_> = tree.get_arguments().map(clap::Arg::get_id).collect();
        for each in tree.get_subcommands() {
            let own = each.get_arguments().map(clap::Arg::get_id);
            let shared: Vec<_> = own.filter(|id| globals.contains(id)).collect();
            assert!(shared.is_empty(), "{}: {shared:?}", each.get_name());
        }
    }

    #[test]
    fn every_verb_of_the_table_is_a_command() {
        let tree = Cli::command();
        for verb in Verb::ALL {
            assert!(tree.find_subcommand(verb.as_str()).is_some(), "{verb}");
        }
    }
}
