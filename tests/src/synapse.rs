//! A real Matrix homeserver for tests: Synapse from PyPI, on loopback, gone when the test ends.
//!
//! The installation is kept outside the repository and made once, under a file lock, by whichever
//! test process comes first. Where it cannot be made a test fails; `cargo xtask test` finds out
//! beforehand and skips such tests.
//!
//! Synapse takes a free port itself, and a port that the test holds open leads there: that one is the
//! same from the first moment to the last, also while Synapse is stopped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::forward::{Forward, listening_port};
use crate::person::{self, Person};

/// The version whose behaviour the gateway was measured against.
const VERSION: &str = "1.163.2";
/// Time to start, in seconds: three on an idle machine, far more on one that compiles.
const START_S: u64 = 120;

/// How fast people may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// Never too fast.
    Raised,
    /// Synapse's own limit for messages: ten, then one in five seconds.
    Default,
}

/// A running homeserver.
#[derive(Debug)]
pub struct Synapse {
    dir: tempfile::TempDir,
    python: PathBuf,
    port: Forward,
    child: Option<Child>,
}

impl Synapse {
    /// Starts a homeserver with an empty database.
    ///
    /// # Panics
    /// When it cannot be installed, or does not start.
    pub async fn start(limits: Limits) -> Self {
        let python = tokio::task::spawn_blocking(install)
            .await
            .expect("an installation");
        let python = python.expect("Synapse can be installed");
        let mut synapse = Self::new(python, limits)
            .await
            .expect("a folder and a port for Synapse");
        synapse.up().await;
        synapse
    }

    async fn new(python: PathBuf, limits: Limits) -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = Forward::open()?;
        std::fs::write(dir.path().join("test.yaml"), config(limits))?;
        std::fs::write(dir.path().join("log.yaml"), LOG)?;
        let keys = Command::new(&python)
            .args([
                "-m",
                "synapse.app.homeserver",
                "-c",
                "test.yaml",
                "--generate-keys",
            ])
            .current_dir(dir.path())
            .output()
            .await?;
        if !keys.status.success() {
            return Err(std::io::Error::other(
                String::from_utf8_lossy(&keys.stderr).into_owned(),
            ));
        }
        Ok(Self {
            dir,
            python,
            port,
            child: None,
        })
    }

    /// Starts it, after [`Self::down`] with everything it knew, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn up(&mut self) {
        let log = File::create(self.dir.path().join("out.log")).expect("a log file");
        let child = Command::new(&self.python)
            .args(["-m", "synapse.app.homeserver", "-c", "test.yaml"])
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("Synapse starts");
        let pid = child.id().expect("a process");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(START_S);
        let client = person::http();
        let url = format!("{}/_matrix/client/versions", self.url());
        loop {
            self.port.lead_to(listening_port(pid).unwrap_or_default());
            if client.get(&url).send().await.is_ok() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "Synapse does not start: {}",
                std::fs::read_to_string(self.dir.path().join("out.log")).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops it and waits until the process is gone.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub async fn down(&mut self) {
        self.port.lead_to(0);
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("Synapse is stopped");
        }
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port.port()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Registers somebody.
    ///
    /// # Panics
    /// When the name is taken or the homeserver is down.
    pub async fn person(&self, name: &str) -> Person {
        Person::register(&self.url(), name).await
    }
}

/// Where Python with Synapse is; installs it when it is not there yet.
fn install() -> Result<PathBuf, String> {
    let cache = std::env::var_os("TOWLINE_TEST_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/towline-tests")))
        .ok_or("neither TOWLINE_TEST_CACHE nor HOME says where to keep it")?;
    std::fs::create_dir_all(&cache).map_err(|error| error.to_string())?;
    let lock = File::create(cache.join("synapse.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let venv = cache.join(format!("synapse-{VERSION}"));
    let python = venv.join("bin/python");
    if run(&python, &["-c", "import synapse.app.homeserver"]).is_ok() {
        return Ok(python);
    }
    run(Path::new("python3"), &["-m", "venv", &venv.to_string_lossy()])?;
    let package = format!("matrix-synapse=={VERSION}");
    run(
        &python,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            &package,
        ],
    )?;
    Ok(python)
}

fn run(program: &Path, arguments: &[&str]) -> Result<(), String> {
    let done = std::process::Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if done.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

fn config(limits: Limits) -> String {
    let fast = "{per_second: 10000, burst_count: 10000}";
    let messages = match limits {
        Limits::Raised => format!("rc_message: {fast}\n"),
        Limits::Default => String::new(),
    };
    format!(
        r#"server_name: localhost
listeners: [{{bind_addresses: ["127.0.0.1"], port: 0, type: http, tls: false, resources: [{{names: [client], compress: false}}]}}]
database: {{name: sqlite3, args: {{database: ./homeserver.db}}}}
signing_key_path: ./localhost.signing.key
registration_shared_secret: test-secret
enable_registration: true
enable_registration_without_verification: true
macaroon_secret_key: m
form_secret: f
report_stats: false
trusted_key_servers: []
federation_domain_whitelist: []
enable_media_repo: false
presence: {{enabled: false}}
log_config: ./log.yaml
bcrypt_rounds: 4
rc_registration: {fast}
rc_login: {{address: {fast}, account: {fast}}}
rc_joins: {{local: {fast}}}
rc_invites: {{per_room: {fast}, per_user: {fast}, per_issuer: {fast}}}
{messages}"#
    )
}

const LOG: &str = "version: 1
handlers: {console: {class: logging.StreamHandler}}
root: {level: WARNING, handlers: [console]}
";
