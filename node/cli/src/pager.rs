//! The pager: long output on a terminal is shown a screen at a time.
//!
//! Output that fits on the screen is printed as it is. A pager that is missing or cannot be started loses nothing: the
//! output is printed then. Never used for agents, JSON, or a command that runs for long.

use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::args::{Command as Typed, CriteriaArgs, DependsCommand};
use super::context::Context;

/// The pager where PAGER names none. It ends at once when everything fits, passes colours on and leaves the text on
/// the screen.
const DEFAULT: &str = "less -FRX";

/// Whether the output of a command is collected for the pager.
pub(super) fn is_wanted(ctx: &Context, command: &Typed) -> bool {
    let long = match command {
        Typed::List(_)
        | Typed::Board(_)
        | Typed::Show(_)
        | Typed::Search(_)
        | Typed::Explain(_)
        | Typed::Log(_)
        | Typed::Members
        | Typed::Depends(DependsCommand::Tree { .. })
        | Typed::Criteria(CriteriaArgs { command: None, .. }) => true,
        Typed::Ready(args) => !args.claim,
        Typed::Conflicts(args) => args.command.is_none(),
        Typed::Epic(args) => args.words.len() == 1 && !args.none,
        Typed::Config(args) => args.key.is_none(),
        _ => false,
    };
    let global = &ctx.global;
    let off = global.no_pager || global.json || global.agent || global.quiet;
    long && !off && ctx.screen_lines.is_some() && ctx.pager.as_deref() != Some("")
}

/// Shows what a command printed.
pub(super) fn show(ctx: &Context, page: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let lines = page.iter().filter(|byte| **byte == b'\n').count();
    if ctx.screen_lines.is_some_and(|screen| lines < screen) {
        return out.write_all(page);
    }
    match start(ctx.pager.as_deref().unwrap_or(DEFAULT)) {
        Ok(pager) => {
            let ended = fed(pager, page)?;
            // What the shell says of a program that is not there, or is none.
            match ended.code() {
                Some(126 | 127) => out.write_all(page),
                _ => Ok(()),
            }
        }
        Err(_) => out.write_all(page),
    }
}

/// Through the shell, because people put options into PAGER.
fn start(pager: &str) -> io::Result<Child> {
    Command::new("sh")
        .arg("-c")
        .arg(pager)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn fed(mut pager: Child, page: &[u8]) -> io::Result<ExitStatus> {
    if let Some(mut stdin) = pager.stdin.take() {
        // Whoever leaves the pager early has seen enough.
        let _ = stdin.write_all(page);
    }
    pager.wait()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ctx, typed};

    fn shown(pager: &str, lines: usize) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let mut ctx = ctx(&typed(&["list"]), folder.path());
        ctx.screen_lines = Some(10);
        ctx.pager = Some(pager.replace("SEEN", &seen.display().to_string()));
        let mut out = Vec::new();
        show(&ctx, "line\n".repeat(lines).as_bytes(), &mut out).unwrap();
        let seen = std::fs::read_to_string(seen).unwrap_or_default();
        (seen, String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_what_is_longer_than_the_screen_goes_to_the_pager() {
        let long = "line\n".repeat(10);
        assert_eq!(shown("cat > SEEN", 10), (long.clone(), String::new()));
        assert_eq!(shown("cat > SEEN", 9), (String::new(), "line\n".repeat(9)));
        assert_eq!(shown("no-such-pager --x", 10), (String::new(), long));
        let (_, out) = shown("head -n 1 > SEEN", 100_000);
        assert_eq!(out, "", "a pager that is left early");
    }

    #[test]
    fn a_pager_is_for_people_on_a_terminal() {
        let wanted = |line: &[&str], screen_lines, pager: Option<&str>| {
            let cli = typed(line);
            let mut ctx = ctx(&cli, std::path::Path::new("/nowhere"));
            ctx.screen_lines = screen_lines;
            ctx.pager = pager.map(str::to_owned);
            is_wanted(&ctx, &cli.command)
        };
        assert!(wanted(&["list"], Some(24), None));
        assert!(wanted(&["conflicts"], Some(24), Some("more")));
        assert!(!wanted(&["list"], None, None));
        assert!(!wanted(&["list"], Some(24), Some("")));
        for line in [
            &["list", "--no-pager"][..],
            &["list", "--json"],
            &["list", "--agent"],
            &["ready", "--claim"],
            &["watch"],
            &["up"],
            &["conflicts", "resolve", "1", "--keep", "a"],
        ] {
            assert!(!wanted(line, Some(24), None), "{line:?}");
        }
    }
}
