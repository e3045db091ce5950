//! The binaries `towline` and `towline-gateway` as people run them, each process in its own folder.
//!
//! A process belongs to the value that started it: it is ended by its own id, at the latest when the
//! value is dropped, and waited for, so that none outlives its test. The binaries are those that
//! `cargo build --workspace --bins` left beside this test.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use towline_proto::NodeId;
use towline_store::home::{Home, key};

use crate::person;
use crate::process::port;

/// Time for anything to happen, in seconds.
const PATIENCE_S: u64 = 90;
/// Addresses on loopback, so that nothing outside of this machine can reach a test.
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let path = test.parent().and_then(Path::parent).map(|dir| dir.join(name));
    path.filter(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not built; `cargo build --workspace --bins` makes it"))
}

fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary(name));
    command
        .current_dir(folder)
        .env_remove("TOWLINE_USER")
        .env_remove("TOWLINE_GATEWAY_DIR")
        .env_remove("TOWLINE_GATEWAY_CONFIG")
        .env("TOWLINE_LOG", "info")
        .stdin(Stdio::null());
    command
}

/// Waits until something holds.
///
/// # Panics
/// When it takes too long.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it takes too long until {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Runs `towline` in a folder as Ann and returns what it came to.
pub fn towline(folder: &Path, words: &[&str]) -> Output {
    program("towline", folder)
        .args(["--as", "ann"])
        .args(words)
        .output()
        .expect("towline runs")
}

/// Runs `towline-gateway` on a folder and returns what it came to.
pub fn gateway(folder: &Path, words: &[&str]) -> Output {
    program("towline-gateway", folder)
        .arg("-d")
        .arg(folder)
        .args(words)
        .output()
        .expect("towline-gateway runs")
}

/// What a command printed.
///
/// # Panics
/// When it failed.
pub fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a command complained about.
///
/// # Panics
/// When it succeeded.
pub fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "it succeeded: {text}");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// A process that runs until it is told to end.
#[derive(Debug)]
struct Running {
    child: Child,
    said: Receiver<String>,
    log: PathBuf,
}

impl Running {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(file.expect("a log file"))
            .spawn()
            .expect("the process starts");
        let output = child.stdout.take().expect("its output is a pipe");
        let (told, said) = channel();
        // Ends with the process, whose end closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, said, log }
    }

    /// The address in its first line, which it prints when it is ready.
    fn address(&self) -> String {
        let line = self.said.recv_timeout(Duration::from_secs(PATIENCE_S));
        let line = line.unwrap_or_else(|_| panic!("it does not start: {}", self.log()));
        let at = line.find("http://").expect("an address in the first line");
        line[at..].trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and is waited for all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A project's own node, run by `towline serve` in a folder.
#[derive(Debug)]
pub struct Member {
    dir: tempfile::TempDir,
    node: Option<Running>,
    listen: String,
}

impl Member {
    /// Makes a project and starts its node.
    ///
    /// # Panics
    /// When `towline` refuses.
    pub fn new(project: &str) -> Self {
        Self::started(project, LISTEN.to_owned())
    }

    fn started(project: &str, listen: String) -> Self {
        let mut member = Self {
            dir: tempfile::tempdir().expect("a folder"),
            node: None,
            listen,
        };
        let node = format!("{project}-node");
        member.does(&["init", "--name", project, "--node-name", &node]);
        member.up();
        member
    }

    /// The same at an address that it keeps, so that it is found again where it was. The loopback address is its
    /// own, so no other process takes the port while the node is stopped.
    ///
    /// # Panics
    /// When `towline` refuses.
    pub fn settled(project: &str) -> Self {
        let [high, low] = u16::try_from(std::process::id() % 65_000).map_or([0, 1], u16::to_be_bytes);
        let address = format!("127.77.{high}.{}", low.max(1));
        let mut member = Self::started(project, format!("/ip4/{address}/tcp/0"));
        let port = port(&member.does(&["invite"]));
        member.listen = format!("/ip4/{address}/tcp/{port}");
        member
    }

    /// Starts the node and waits until it answers.
    pub fn up(&mut self) {
        let mut serve = program("towline", self.dir.path());
        serve.args(["serve", "--board", "127.0.0.1:0", "--listen", &self.listen]);
        let node = Running::start(serve, self.dir.path().join("node.log"));
        node.address();
        self.node = Some(node);
    }

    /// Asks the node to end and waits until it has.
    ///
    /// # Panics
    /// When it does not end.
    pub fn down(&mut self) {
        self.does(&["down"]);
        if let Some(mut node) = self.node.take() {
            let ended = node.child.wait().expect("the node ends");
            assert!(ended.success(), "{ended}: {}", node.log());
        }
    }

    /// Runs a command there and returns what it printed.
    pub fn does(&self, words: &[&str]) -> String {
        printed(&towline(self.dir.path(), words))
    }

    /// Runs a reading command there with `--json`.
    ///
    /// # Panics
    /// When it does not print JSON.
    pub fn asks(&self, words: &[&str]) -> Value {
        let words: Vec<_> = words.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.does(&words)).expect("JSON")
    }
}

/// A gateway, run by `towline-gateway up` on a folder.
#[derive(Debug)]
pub struct Fleet {
    dir: tempfile::TempDir,
    process: Option<Running>,
    board: String,
    http: reqwest::Client,
}

impl Fleet {
    /// A folder with a configuration; nothing runs yet.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn configured(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("gateway.toml"), config).expect("a configuration");
        Self {
            dir,
            process: None,
            board: String::new(),
            http: person::http(),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Becomes a member of a project, by a ticket of its node.
    pub fn joins(&self, member: &Member) -> String {
        let ticket = member.does(&["invite"]);
        printed(&gateway(self.folder(), &["join", &ticket]))
    }

    /// Starts it and waits until its page answers.
    pub fn up(&mut self) {
        let mut up = program("towline-gateway", self.folder());
        up.arg("-d").arg(self.folder());
        up.args(["up", "--board", "127.0.0.1:0", "--listen", LISTEN]);
        let process = Running::start(up, self.folder().join("gateway.log"));
        self.board = process.address();
        self.process = Some(process);
    }

    /// The address of its page.
    pub fn board(&self) -> &str {
        &self.board
    }

    /// The link that it prints when it starts, which signs somebody in once.
    ///
    /// # Panics
    /// When it has printed none since it was asked for last.
    pub fn sign_in_link(&self) -> String {
        let process = self.process.as_ref().expect("a running gateway");
        let line = process.said.recv_timeout(Duration::from_secs(PATIENCE_S));
        let line = line.unwrap_or_else(|_| panic!("it prints no link: {}", self.log()));
        let link = line.strip_prefix("sign in: ");
        link.expect("a link in the second line").to_owned()
    }

    /// Keeps it from reaching another gateway on this machine: it neither looks for members nor knows where the
    /// other one listens.
    ///
    /// # Panics
    /// When its configuration or its address book cannot be written.
    pub fn cannot_reach(&self, other: &Self) {
        printed(&towline(self.folder(), &["config", "mdns", "false"]));
        let key = key::load(&Home::at(other.folder()).key_file()).expect("the other one's key");
        let other = NodeId(key.verifying_key().to_bytes()).to_string();
        let book = Home::at(self.folder()).dir().join("peers.json");
        let Ok(text) = std::fs::read(&book) else { return };
        let mut known: Vec<Value> = serde_json::from_slice(&text).expect("an address book");
        known.retain(|row| row["node"] != *other);
        std::fs::write(&book, serde_json::to_vec(&known).expect("JSON")).expect("a written address book");
    }

    /// Ends it as a power cut would: by SIGKILL, with nothing said.
    pub fn killed(&mut self) {
        self.process = None;
    }

    /// Its process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running gateway").child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("gateway.log")).unwrap_or_default()
    }

    /// One of its pages, as a browser on this machine gets it.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn page(&self, path: &str) -> Result<String, String> {
        let answer = self.http.get(format!("{}{path}", self.board)).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        status
            .is_success()
            .then_some(text.clone())
            .ok_or(format!("{path}: {status}: {text}"))
    }

    /// Waits until the gateway holds an item in a column.
    pub async fn shows(&self, project: &str, item: &str, column: &str) {
        let path = format!("/api/v1/projects/{project}/items/{item}");
        until(
            &format!("the gateway has {project}/{item} in {column}"),
            async || {
                let page: Value = serde_json::from_str(&self.page(&path).await.ok()?).ok()?;
                (page["column"] == column).then_some(())
            },
        )
        .await;
    }

    /// The relay's deliveries, as `relay status` prints them.
    pub fn deliveries(&self) -> Vec<Value> {
        self.status()["lanes"].as_array().cloned().unwrap_or_default()
    }

    /// What `relay status --json` says; null where it says nothing.
    pub fn status(&self) -> Value {
        let output = gateway(self.folder(), &["relay", "status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Waits until the relay has its place in so many feeds: what comes later is news to it.
    pub async fn relays(&self, deliveries: usize) {
        until("the deliveries have started", async || {
            (self.deliveries().len() == deliveries).then_some(())
        })
        .await;
    }

    /// Waits until nothing is left to deliver.
    pub async fn delivered(&self) {
        let idle =
            |delivery: &Value| delivery["lag"] == 0 && delivery["outbox"] == 0 && delivery["parked"] == 0;
        until("everything is delivered", async || {
            let deliveries = self.deliveries();
            (!deliveries.is_empty() && deliveries.iter().all(idle)).then_some(())
        })
        .await;
    }
}
