//! The words that the version before had for commands and flags: they still work, and no help shows them.

use serde_json::Value;

use super::{ctx, typed};
use crate::args::{self, Command, DoctorArgs};
use crate::plan::plan;

fn request(line: &[&str]) -> Value {
    let cli = typed(line);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    let plan = plan(&ctx, &cli.command)
        .expect("planned")
        .expect("a command that only asks");
    serde_json::to_value(&plan.requests[0].1).expect("JSON")
}

#[test]
fn the_old_words_mean_the_new_commands() {
    assert_eq!(
        request(&["conflicts", "settle", "42", "--keep", "b"]),
        request(&["conflicts", "resolve", "42", "--keep", "b"])
    );
    assert_eq!(request(&["withdraw", "3f2a"]), request(&["revoke", "3f2a"]));
    for flag in ["--repair", "--mend"] {
        let command = typed(&["doctor", flag]).command;
        assert!(matches!(command, Command::Doctor(DoctorArgs { repair: true })));
    }
}

#[test]
fn no_help_shows_the_old_words() {
    fn pages(command: &mut clap::Command, all: &mut String) {
        all.push_str(&command.render_long_help().to_string());
        for each in command.get_subcommands_mut() {
            pages(each, all);
        }
    }
    let mut all = String::new();
    pages(&mut args::command(), &mut all);
    for word in ["settle", "withdraw", "--mend"] {
        assert!(!all.contains(word), "{word} is shown");
    }
}
