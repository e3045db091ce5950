//! ChromeDriver as a child process, and the WebDriver protocol to it: JSON over HTTP on loopback.
//!
//! ChromeDriver takes a free port itself and prints it. It speaks to Chromium through a pipe, so that Chromium
//! ends with it whatever happens to the test. Nothing here knows about pages.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::person;
use crate::process::{PATIENCE, until};

/// What ChromeDriver prints before its port once it listens.
const LISTENS: &str = "started successfully on port ";
/// Arguments of every browser: no window, none of its own traffic, nothing kept, and the pipe.
const ARGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--remote-debugging-pipe",
];

/// A refusal of the driver: its error code, such as `no such element`, and its message.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

/// One session of one ChromeDriver. Both processes are ended and waited for when this is dropped.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    http: reqwest::Client,
    runtime: Runtime,
    /// The address of the session, of the driver itself until there is one.
    url: String,
    profile: TempDir,
}

impl Driver {
    /// Starts the driver and a browser with these arguments beside [`ARGS`].
    ///
    /// # Panics
    /// When one of them does not start.
    pub(super) fn start(driver: &Path, browser: &Path, more: &[String]) -> Self {
        let profile = tempfile::tempdir().expect("a folder for the browser");
        let mut child = Command::new(driver)
            .arg("--port=0")
            .current_dir(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, printed) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            // Read to the end, so that the driver never waits for a full pipe.
            for line in lines {
                if let Some((_, port)) = line.split_once(LISTENS) {
                    let _ = sender.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut driver = Self {
            child,
            http: person::http(),
            runtime: runtime.expect("a runtime"),
            url: String::new(),
            profile,
        };
        let port = printed.recv_timeout(PATIENCE).expect("the port of ChromeDriver");
        driver.url = format!("http://127.0.0.1:{port}");
        driver.open_session(browser, more);
        driver
    }

    fn open_session(&mut self, browser: &Path, more: &[String]) {
        let profile = self.profile.path().join("profile");
        let args = ARGS.iter().map(|arg| (*arg).to_owned());
        let args: Vec<_> = args
            .chain(more.iter().cloned())
            .chain([format!("--user-data-dir={}", profile.display())])
            .collect();
        let options = json!({ "binary": browser, "args": args });
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = self.call(Method::POST, "/session", Some(body));
        let session =
            session.unwrap_or_else(|refusal| panic!("Chromium does not start: {}", refusal.message));
        let id = session["sessionId"].as_str().expect("a session");
        self.url = format!("{}/session/{id}", self.url);
    }

    /// One command of the protocol below the session, or the driver's refusal.
    ///
    /// # Panics
    /// When the driver does not answer.
    pub(super) fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Refusal> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.runtime.block_on(async {
            let response = request.timeout(PATIENCE).send().await?;
            let well = response.status().is_success();
            Ok::<_, reqwest::Error>((well, response.json::<Value>().await?))
        });
        let (well, mut answer) = answer.unwrap_or_else(|error| panic!("ChromeDriver, {path}: {error}"));
        let value = answer["value"].take();
        if well {
            return Ok(value);
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Err(Refusal {
            code: text("error"),
            message: text("message"),
        })
    }

    /// Processes of this browser that still run: those that were started with its folder.
    fn processes(&self) -> usize {
        let profile = self.profile.path().display().to_string();
        let entries = std::fs::read_dir("/proc").expect("the processes");
        let commands = entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        let ours = |command: &Vec<u8>| String::from_utf8_lossy(command).contains(&profile);
        commands.filter(ours).count()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let request = self.http.delete(&self.url).timeout(PATIENCE);
        // A driver that does not answer any more is killed, and its browser ends with the pipe.
        let _ = self.runtime.block_on(async { request.send().await });
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            until("the browser ends", || self.processes() == 0);
        }
    }
}
