//! One person's folder with a node in it: the commands typed there, and the node when it runs.
//!
//! Every command and every node is a process of the built program; nothing is shared with the test but
//! the files, which go with the value.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;
use towline_store::home::{Config, Home, init};

use super::{Outcome, PATIENCE, end, finish, program, until};

/// A folder with a node in it, and whoever types commands there. Everything is gone when it is dropped.
#[derive(Debug)]
pub struct Place {
    who: &'static str,
    dir: PathBuf,
    empty: PathBuf,
    /// The network namespace that it is in, where that is not the machine's.
    space: Option<String>,
    _kept: TempDir,
}

impl Place {
    /// Somebody's empty folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn of(who: &'static str) -> Self {
        let kept = tempfile::tempdir().expect("a folder");
        let dir = kept.path().join("work");
        Self::in_folder(who, kept, dir)
    }

    /// Somebody's folder at a path of the test's choice; the temporary folder is kept beside it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn in_folder(who: &'static str, kept: TempDir, dir: PathBuf) -> Self {
        let empty = kept.path().join("home");
        fs::create_dir_all(&dir).expect("a folder");
        fs::create_dir_all(&empty).expect("a folder");
        Self {
            who,
            dir,
            empty,
            space: None,
            _kept: kept,
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The node's files.
    pub fn home(&self) -> Home {
        Home::at(&self.dir)
    }

    /// The log of the only project.
    ///
    /// # Panics
    /// When there is none.
    pub fn log(&self) -> PathBuf {
        let projects = self.home().projects().expect("projects");
        projects.first().expect("a project").dir().join("log")
    }

    /// Makes a project that listens on this machine only.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn init(&self, project: &str) {
        self.run(&["init", "--name", project, "--node-name", self.who])
            .ok();
        self.listen_on(0);
    }

    /// Changes the configuration: from the next start on the node listens on a port of this machine
    /// and nowhere else; 0 takes a free one.
    ///
    /// # Panics
    /// When the configuration cannot be changed.
    pub fn listen_on(&self, port: u16) {
        self.configure(|config| config.listen = vec![format!("/ip4/127.0.0.1/tcp/{port}")]);
    }

    /// Changes the configuration as a test says; one is made where there is none. Nobody is looked for on the
    /// local network unless the test says so: nodes of other tests are there, too.
    ///
    /// # Panics
    /// When it cannot be changed.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let home = self.home();
        if !home.exists() {
            init::init(&self.dir, &Config::default()).expect("a home");
        }
        let mut config = Config::load(&home.config_file()).expect("a configuration");
        config.board = "127.0.0.1:0".parse().expect("an address");
        config.mdns = false;
        change(&mut config);
        config.store(&home.config_file()).expect("a configuration");
    }

    /// The same folder, with every command and node of it in a network namespace.
    #[must_use]
    pub fn within(mut self, space: &str) -> Self {
        self.space = Some(space.to_owned());
        self
    }

    /// A command that is not started yet, in this person's name.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.nameless(args);
        command.args(["--as", self.who]);
        command
    }

    /// A command in nobody's name.
    pub fn nameless(&self, args: &[&str]) -> Command {
        let mut command = match &self.space {
            // It becomes the program itself, so that its process is the node's.
            Some(space) => {
                let mut ip = Command::new("ip");
                ip.args(["netns", "exec", space]).arg(program("towline"));
                ip
            }
            None => Command::new(program("towline")),
        };
        command
            .current_dir(&self.dir)
            .args(args)
            .env("HOME", &self.empty)
            .env("XDG_CONFIG_HOME", &self.empty)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("GIT_CONFIG_COUNT")
            .env_remove("TOWLINE_USER")
            .env_remove("TOWLINE_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command in this person's name and waits for its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        finish(self.command(args))
    }

    /// Runs a command that must succeed, and reads its one JSON document.
    ///
    /// # Panics
    /// When it fails or prints none.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.run(&[args, &["--json"]].concat()).ok();
        serde_json::from_str(&out).expect("one JSON document")
    }

    /// Makes a story and returns what to type for it.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn create(&self, title: &str) -> String {
        let made = self.json(&["create", "story", title]);
        let handle = made["applied"][0]["card"]["handle"].as_str();
        handle.expect("a handle").to_owned()
    }

    /// Everything, byte for byte.
    ///
    /// # Panics
    /// When it cannot be exported.
    #[track_caller]
    pub fn export(&self) -> String {
        self.run(&["export", "--to", "jsonl"]).ok()
    }

    /// The items of an export, each in full.
    ///
    /// # Panics
    /// When it cannot be exported.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        let export = self.export();
        let lines = export.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("an item"))
            .collect()
    }

    /// Everything is recomputed, and nothing must be found.
    ///
    /// # Panics
    /// When something is found.
    #[track_caller]
    pub fn is_sound(&self) {
        let doctor = self.json(&["doctor"]);
        assert_eq!(doctor["findings"], serde_json::json!([]), "{doctor}");
    }

    /// A new ticket.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn invite(&self, more: &[&str]) -> String {
        let invited = self.json(&[&["invite"], more].concat());
        invited["ticket"].as_str().expect("a ticket").to_owned()
    }

    /// Joins without a node that goes on running, and listens on this machine only from then on.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn join(&self, ticket: &str) {
        // Before it joins: nobody is to be found on the local network by accident.
        self.listen_on(0);
        self.run(&["config", "node_name", self.who]).ok();
        self.run(&["join", "--timeout", "140s", ticket]).ok();
    }

    /// Starts the node and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn serve(&self) -> Running<'_> {
        let running = self.start(&["serve"]);
        until("the node answers", || {
            self.home().socket().exists() && self.run(&["status"]).code == Some(0)
        });
        running
    }

    /// [`Place::serve`] of a node with several projects, of which one is asked.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn serve_in(&self, project: &str) -> Running<'_> {
        let running = self.start(&["serve"]);
        until("the node answers", || {
            self.home().socket().exists() && self.run(&["--project", project, "status"]).code == Some(0)
        });
        running
    }

    /// Starts the node with a command of choice and waits until it prints its first line.
    ///
    /// # Panics
    /// When it ends before that.
    pub fn start(&self, args: &[&str]) -> Running<'_> {
        self.start_as(self.command(args))
    }

    /// Starts the node by a command that was made elsewhere, and waits until it prints its first line.
    ///
    /// # Panics
    /// When it ends before that.
    pub fn start_as(&self, mut command: Command) -> Running<'_> {
        let log = self.empty.join("node.err");
        let err = fs::File::create(&log).expect("a file for what the node says");
        command.stdout(Stdio::piped()).stderr(err);
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, printed) = mpsc::channel();
        thread::spawn(move || {
            // Read to the end, so that the node never waits for a full pipe.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut running = Running {
            place: self,
            child: Some(child),
            said: log,
            printed,
        };
        let first = running.printed.recv_timeout(PATIENCE).unwrap_or_default();
        assert!(!first.is_empty(), "the node did not start: {}", running.said());
        assert!(running.is_alive(), "the node ended: {}", running.said());
        running
    }
}

/// A node that runs. It is killed and waited for when this is dropped.
#[derive(Debug)]
pub struct Running<'a> {
    place: &'a Place,
    child: Option<Child>,
    said: PathBuf,
    /// Lines of its standard output after the first.
    printed: mpsc::Receiver<String>,
}

impl Running<'_> {
    /// Its process.
    ///
    /// # Panics
    /// Never: it runs as long as this value lives.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What it prints behind these words, in a line of its own after the first.
    ///
    /// # Panics
    /// When it prints no such line.
    pub fn prints(&self, words: &str) -> String {
        loop {
            let line = self.printed.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line begins with {words:?}: {}", self.said()));
            if let Some(rest) = line.strip_prefix(words) {
                return rest.to_owned();
            }
        }
    }

    /// What it has said on the standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends it as people do, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not end well.
    pub fn stop(mut self) {
        self.place.run(&["down"]).ok();
        let mut child = self.child.take().expect("it runs");
        let mut ended = None;
        until("the node ends", || {
            ended = child.try_wait().expect("a child of ours");
            ended.is_some()
        });
        let status = ended.expect("an exit");
        assert!(status.success(), "{status}: {}", self.said());
    }

    /// Waits until it ends by itself, and gives its exit code and what it has said.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let mut child = self.child.take().expect("it runs");
        let mut ended = None;
        until("the node ends", || {
            ended = child.try_wait().expect("a child of ours");
            ended.is_some()
        });
        (ended.and_then(|status| status.code()), self.said())
    }

    /// Ends it as a power cut does: SIGKILL, without a word.
    pub fn kill(mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            if thread::panicking() {
                eprintln!("the node of {} said: {}", self.place.who, self.said());
            }
            end(&mut child);
        }
    }
}
