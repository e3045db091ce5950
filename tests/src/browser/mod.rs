//! A real browser for tests of the pages: Chromium, driven by ChromeDriver as a person would use it.
//!
//! Clicks, keys and drags are those of a mouse and a keyboard, scripts only look at what came of them. Everything
//! waits for a state: an element that is not there yet, or is just being replaced, is looked for again until
//! [`crate::process::PATIENCE`] is over.

mod axe;
mod driver;
mod input;

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{PATIENCE, in_time};
use driver::{Driver, Refusal};
pub use input::keys;

/// What the two programs are called, in Debian and elsewhere.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];
const DRIVERS: &[&str] = &["chromedriver"];
/// What WebDriver answers while a page is changing: the same is tried again.
const CHANGING: &[&str] = &[
    "no such element",
    "stale element reference",
    "element not interactable",
    "element click intercepted",
];
/// The key of an element's id in WebDriver's answers, from its specification.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How much of a page a failure tells, in characters.
const SHOWN_CHARS: usize = 2_000;

/// Whether pages are light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// Its name in style sheets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A running browser with one window and an empty profile. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub fn start() -> Self {
        Self::resolving(&[])
    }

    /// Starts a browser that goes to other addresses than the names in its address bar say, as DNS would have it:
    /// pairs of a host and where it is.
    ///
    /// # Panics
    /// When there is no browser, or it does not start.
    pub fn resolving(names: &[(&str, &str)]) -> Self {
        let rules: Vec<_> = names
            .iter()
            .map(|(host, address)| format!("MAP {host} {address}"))
            .collect();
        let more = (!rules.is_empty()).then(|| format!("--host-resolver-rules={}", rules.join(",")));
        let more: Vec<_> = more.into_iter().collect();
        Self {
            driver: Driver::start(&program(DRIVERS), &program(BROWSERS), &more),
        }
    }

    /// Goes to an address and waits until it is loaded.
    ///
    /// # Panics
    /// When the address cannot be loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.well(self.post("/url", json!({ "url": url })));
    }

    /// Goes to an address in a new tab, and returns the tab of before.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn new_tab(&self, url: &str) -> String {
        let before = self.well(self.driver.call(Method::GET, "/window", None));
        let tab = self.well(self.post("/window/new", json!({ "type": "tab" })));
        self.well(self.post("/window", json!({ "handle": tab["handle"] })));
        self.open(url);
        before.as_str().unwrap_or_default().to_owned()
    }

    /// Closes the tab and goes on in another.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn close_tab(&self, other: &str) {
        self.well(self.driver.call(Method::DELETE, "/window", None));
        self.well(self.post("/window", json!({ "handle": other })));
    }

    /// The address of the page.
    #[track_caller]
    pub fn url(&self) -> String {
        let url = self.well(self.driver.call(Method::GET, "/url", None));
        url.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function body in the page and returns what it returns.
    ///
    /// # Panics
    /// When the script fails.
    #[track_caller]
    pub fn script(&self, body: &str, args: &[Value]) -> Value {
        self.well(self.post("/execute/sync", json!({ "script": body, "args": args })))
    }

    /// The visible text of an element, as soon as it is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let text = self.with_element(selector, |id| {
            self.driver
                .call(Method::GET, &format!("/element/{id}/text"), None)
        });
        text.as_str().unwrap_or_default().to_owned()
    }

    /// How many elements there are.
    #[track_caller]
    pub fn count(&self, selector: &str) -> u64 {
        let count = self.script(
            "return document.querySelectorAll(arguments[0]).length",
            &[selector.into()],
        );
        count.as_u64().unwrap_or_default()
    }

    /// Waits until an element is there.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn sees(&self, selector: &str) {
        let is_there = in_time(|| self.count(selector) > 0);
        assert!(is_there, "{selector} is not on the page: {}", self.shown());
    }

    /// Waits until an element is there and says something.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn reads(&self, selector: &str, words: &str) {
        let look = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let text = || self.script(look, &[selector.into()]);
        let is_there = in_time(|| text().as_str().is_some_and(|text| text.contains(words)));
        assert!(is_there, "{selector} does not read {words:?}: {}", self.shown());
    }

    /// Whether pages may run scripts from now on. What tests look at themselves works all the same, unless it waits.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn allows_scripts(&self, allowed: bool) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !allowed }),
        );
    }

    /// Gives the page a size in CSS pixels, and a colour scheme.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn looks(&self, width: u32, scheme: Scheme) {
        let height = if width < 500 { 844 } else { 900 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme.as_str() });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [scheme] }));
    }

    /// What the browser has complained about since this was asked last: errors and warnings of scripts, of style
    /// sheets and of the content security policy, and answers that are failures.
    ///
    /// # Panics
    /// When the browser refuses.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.well(self.post("/se/log", json!({ "type": "browser" })));
        let lines = log.as_array().cloned().unwrap_or_default();
        let said = lines
            .iter()
            .map(|line| format!("{} {}", line["level"], line["message"]));
        said.collect()
    }

    /// A picture of what is on the screen, as a PNG file: to be looked at while a test is written.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn picture(&self, file: &Path) {
        use base64::Engine;
        let picture = self.well(self.driver.call(Method::GET, "/screenshot", None));
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap_or_default());
        std::fs::write(file, bytes.expect("a picture")).expect("a file");
    }

    /// The page as a failure tells of it.
    fn shown(&self) -> String {
        let text = self.script("return document.body.innerText", &[]);
        let text: String = text
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(SHOWN_CHARS)
            .collect();
        format!("after {} s {} shows: {text}", PATIENCE.as_secs(), self.url())
    }

    fn devtools(&self, command: &str, params: Value) {
        let body = json!({ "cmd": command, "params": params });
        self.well(self.post("/goog/cdp/execute", body));
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        self.driver.call(Method::POST, path, Some(body))
    }

    #[track_caller]
    fn well(&self, answer: Result<Value, Refusal>) -> Value {
        answer.unwrap_or_else(|refusal| panic!("{}: {}", refusal.code, refusal.message))
    }

    /// Does something with an element once there is one that can take it.
    #[track_caller]
    fn with_element(&self, selector: &str, act: impl Fn(&str) -> Result<Value, Refusal>) -> Value {
        let mut done = None;
        let mut last = String::new();
        in_time(|| {
            let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
            let answer = found.and_then(|element| act(element[ELEMENT].as_str().unwrap_or_default()));
            match answer {
                Ok(value) => done = Some(value),
                Err(refusal) if CHANGING.contains(&refusal.code.as_str()) => last = refusal.message,
                Err(refusal) => panic!("{selector}: {}: {}", refusal.code, refusal.message),
            }
            done.is_some()
        });
        done.unwrap_or_else(|| panic!("{selector} cannot be used: {last}: {}", self.shown()))
    }
}

/// The first of these programs that is installed.
fn program(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths(&path).collect();
    let files = names
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.join(name)));
    files.into_iter().find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "none of these programs is installed: {}; `cargo xtask test` installs what tests need",
            names.join(", ")
        )
    })
}
