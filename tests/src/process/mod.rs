//! Real `towline` processes: a node's folder, the commands in it, and the node that runs there.
//!
//! Nothing is in-process but the asking: every command is a process of its own, with an empty home
//! directory and no git identity, and a node is ended and waited for when its value is dropped. Waits
//! look at a state until it is there or [`PATIENCE`] is over; no test sleeps and hopes. This is the only
//! file that knows how to let time pass.

mod place;
pub mod world;

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use towline_proto::Ticket;

pub use place::{Place, Running};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long one command may take: the import of a real tracker is the longest.
const COMMAND_PATIENCE: Duration = Duration::from_secs(150);
/// How often a state is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How often a running command is looked at: most take some milliseconds.
const COMMAND_POLL: Duration = Duration::from_millis(2);

/// How much of a command is shown when it fails, in characters: some texts are long.
const SHOWN_CHARS: usize = 300;

/// The built program of this workspace.
///
/// # Panics
/// When it was not built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let built = test.ancestors().nth(2).expect("target/debug above deps");
    let path = built.join(name);
    assert!(
        path.is_file(),
        "{} is not there; build it with `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// Waits until something is so.
///
/// # Panics
/// When it is not so after [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, so: impl FnMut() -> bool) {
    until_for(PATIENCE, what, so);
}

/// Waits until something is so. The patience is how long a hang is waited for, and promises no speed.
///
/// # Panics
/// When it is not so by then.
#[track_caller]
pub fn until_for(patience: Duration, what: &str, so: impl FnMut() -> bool) {
    let is_so = in_time_for(patience, so);
    assert!(is_so, "not so after {} s: {what}", patience.as_secs());
}

/// Waits until something is so; whether it is before [`PATIENCE`] is over.
pub fn in_time(so: impl FnMut() -> bool) -> bool {
    in_time_for(PATIENCE, so)
}

fn in_time_for(patience: Duration, mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !so() {
        if Instant::now() >= deadline {
            return false;
        }
        let_pass(POLL);
    }
    true
}

/// Lets so much time pass: for the moment of a kill, which is diced and waits for nothing.
pub fn let_pass(time: Duration) {
    thread::sleep(time);
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    asked: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            out,
            err,
            asked,
        } = self;
        write!(f, "`{asked}` ended with {code:?}\nstdout: {out}\nstderr: {err}")
    }
}

impl Outcome {
    /// The standard output of a command that succeeded.
    ///
    /// # Panics
    /// When it did not succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.out
    }

    /// The standard error of a command that was refused with this exit code and said why in these
    /// words.
    ///
    /// # Panics
    /// When it ended in another way or said something else.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing: {self}");
        }
        assert!(!self.err.contains("panicked"), "{self}");
        self.err
    }
}

/// Runs a command to its end; one that hangs is killed.
///
/// # Panics
/// When it cannot be started or hangs.
pub fn finish(mut command: Command) -> Outcome {
    let asked = format!("{command:?}");
    let asked = asked.rsplit("towline\"").next().unwrap_or_default();
    let asked: String = asked.chars().take(SHOWN_CHARS).collect();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let deadline = Instant::now() + COMMAND_PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            break status.code();
        }
        if Instant::now() >= deadline {
            end(&mut child);
            panic!("`{asked}` hangs");
        }
        let_pass(COMMAND_POLL);
    };
    Outcome {
        code,
        out: out.join().expect("a reader"),
        err: err.join().expect("a reader"),
        asked,
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A pipe that breaks has given what it had.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn end(child: &mut Child) {
    // It may have ended by itself; then there is nothing to kill and still something to wait for.
    let _ = child.kill();
    let _ = child.wait();
}

/// The port that a ticket says its inviter listens on.
///
/// # Panics
/// When it says none.
pub fn port(ticket: &str) -> u16 {
    let ticket: Ticket = ticket.parse().expect("a ticket");
    let parts = ticket.addresses.iter().flat_map(|address| address.split('/'));
    parts
        .skip_while(|part| *part != "tcp")
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("a port")
}

/// Numbers that look random and are the same for the same seed, so that a failure can be repeated.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
