//! The context of a command: directory, flags, terminal, clock, environment variables.
//!
//! The only file of the command line that reads the clock or the terminal; it and `user_name` read environment
//! variables. Everything is read once, into a plain value that tests build themselves.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use towline_api::request::{Failure, FailureCode};
use towline_proto::Millis;
use towline_store::home::{BusyTimeout, find};

use super::args::Global;
use super::render::View;
use super::style::Style;
use super::user_name::{variable, variable_as_set};

/// The directory inside a project's root that holds everything of a node.
pub const HOME: &str = ".towline";
/// Bytes of the line end that programs put behind a text.
const LINE_END: u64 = 1;
/// Width for pages that go into a file or a pipe, in columns: titles of 200 characters fit uncut.
const UNBOUNDED: usize = 400;

/// Everything around a command.
#[derive(Debug, Clone)]
pub struct Context {
    /// The current directory, or that of `-C`.
    pub dir: PathBuf,
    /// The global flags.
    pub global: Global,
    /// The terminal and the time, for pages.
    pub view: View,
    /// Colour on standard error, which may be a terminal when standard output is none.
    pub stderr_style: Style,
    /// TOWLINE_USER.
    pub user: Option<String>,
    /// Whether there is a display on which a browser can be shown.
    pub display: bool,
    /// Whether input and output are a terminal.
    pub terminal: bool,
    /// The lines of the terminal, if output is one; a dumb terminal has none.
    pub screen_lines: Option<usize>,
    /// PAGER, where it is set; empty for none.
    pub pager: Option<String>,
    /// VISUAL or EDITOR.
    pub editor: Option<String>,
    /// `--busy-timeout` or TOWLINE_BUSY_TIMEOUT.
    pub busy_timeout: Option<BusyTimeout>,
}

impl Context {
    /// The context of this process.
    ///
    /// # Errors
    /// When the directory of `-C` does not exist, or an environment variable is invalid.
    pub fn of_process(global: Global) -> Result<Self, Failure> {
        let dir = global.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        let dir = dir.canonicalize().map_err(|error| {
            Failure::new(
                FailureCode::Usage,
                format!("cannot use the directory {}: {error}", dir.display()),
            )
        })?;
        let from_environment = || {
            let text = variable("TOWLINE_BUSY_TIMEOUT")?;
            let parsed = text.trim().parse::<BusyTimeout>();
            let refused = |why| Failure::new(FailureCode::Usage, format!("TOWLINE_BUSY_TIMEOUT: {why}"));
            Some(parsed.map_err(refused))
        };
        let busy_timeout = match global.busy_timeout {
            Some(given) => Some(given),
            None => from_environment().transpose()?,
        };
        let wanted = variable("NO_COLOR").is_none();
        let terminal = io::stdout().is_terminal();
        let width = match variable("COLUMNS").and_then(|columns| columns.parse().ok()) {
            Some(columns) => columns,
            None if terminal => {
                terminal_size::terminal_size().map_or(80, |(columns, _)| usize::from(columns.0))
            }
            None => UNBOUNDED,
        };
        Ok(Self {
            dir,
            view: View {
                now: now(),
                width,
                style: Style::new(wanted && terminal),
                zone: TimeZone::system(),
            },
            stderr_style: Style::new(wanted && io::stderr().is_terminal()),
            user: variable("TOWLINE_USER"),
            display: cfg!(target_os = "macos")
                || variable("DISPLAY").is_some()
                || variable("WAYLAND_DISPLAY").is_some(),
            terminal: terminal && io::stdin().is_terminal(),
            screen_lines: screen_lines(terminal),
            pager: pager(),
            editor: variable("VISUAL").or_else(|| variable("EDITOR")),
            busy_timeout,
            global,
        })
    }

    /// The directory that holds the project: the nearest one upwards, where a linked worktree of git counts as
    /// the main checkout.
    ///
    /// # Errors
    /// When there is none.
    pub fn root(&self) -> Result<PathBuf, Failure> {
        find::root(&self.dir, |dir| dir.join(HOME).is_dir()).ok_or_else(|| {
            Failure::new(
                FailureCode::NotFound,
                format!(
                    "no project in {} or its parent directories; run `towline init` to create one or `towline join TICKET` to join one",
                    self.dir.display()
                ),
            )
        })
    }

    /// Prints a message on standard error, unless `--quiet` is given.
    pub fn say(&self, text: &str) {
        if !self.global.quiet {
            // There is nowhere to report that standard error is closed.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Asks a yes-or-no question.
    ///
    /// # Errors
    /// When standard input is not a terminal and `--yes` was not given.
    pub fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if self.global.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::new(
                FailureCode::Usage,
                format!("{question} Cannot ask without a terminal; use --yes to confirm"),
            ));
        }
        let _ = write!(io::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        // Anything longer than a screen line is no answer.
        let mut line = io::stdin().lock().take(80);
        line.read_line(&mut answer).map_err(unreadable)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// The given text, or standard input for `-`, of at most `max_bytes`.
    ///
    /// # Errors
    /// When standard input cannot be read, is not UTF-8, or is longer.
    pub fn text(&self, given: String, max_bytes: usize) -> Result<String, Failure> {
        if given != "-" {
            return Ok(given);
        }
        // It is not read to its end, so its length is unknown.
        let mut bytes = Vec::new();
        let mut stdin = io::stdin().take(max_bytes as u64 + LINE_END + 1);
        stdin.read_to_end(&mut bytes).map_err(unreadable)?;
        let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if whole.len() > max_bytes {
            let message = format!("standard input is too long: at most {max_bytes} bytes are allowed here");
            return Err(Failure::new(FailureCode::Usage, message));
        }
        String::from_utf8(bytes)
            .map_err(|_| unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")))
    }
}

fn screen_lines(terminal: bool) -> Option<usize> {
    if !terminal || variable("TERM").is_none_or(|term| term == "dumb") {
        return None;
    }
    terminal_size::terminal_size().map(|(_, lines)| usize::from(lines.0))
}

/// PAGER; an empty one and `cat` mean none.
fn pager() -> Option<String> {
    let pager = variable_as_set("PAGER")?;
    let plain = matches!(pager.trim(), "" | "cat");
    Some(if plain { String::new() } else { pager })
}

/// The current time.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The log filter: warnings, more with `-v`, or the value of TOWLINE_LOG.
pub(super) fn log_filter(verbose: u8) -> String {
    variable("TOWLINE_LOG").unwrap_or_else(|| {
        match verbose {
            0 => "warn",
            1 => "towline=info,warn",
            2 => "towline=debug,info",
            _ => "debug",
        }
        .to_owned()
    })
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(
        FailureCode::Failure,
        format!("cannot read standard input: {error}"),
    )
}
