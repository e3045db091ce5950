//! axe-core in a page: what keeps people with a screen reader, a keyboard or weak eyes out of it.
//!
//! The script is the published npm package, from the cache that `cargo xtask test` fills. The driver hands it to
//! the page's engine directly, so the page's own policy about scripts stays as strict as it is.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Browser;

/// The version of axe-core, which `xtask/src/needs.rs` installs.
const VERSION: &str = "4.14.1";

impl Browser {
    /// Every violation that axe-core finds in the page, with the element and what would be right.
    ///
    /// # Panics
    /// When axe-core is not installed or fails.
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        self.axe(&json!({ "rules": { "target-size": { "enabled": true } } }))
    }

    /// The violations that are about colours alone: for the same page in other ones.
    ///
    /// # Panics
    /// When axe-core is not installed or fails.
    #[track_caller]
    pub fn weak_colours(&self) -> Vec<String> {
        self.axe(
            &json!({ "runOnly": { "type": "rule", "values": ["color-contrast", "link-in-text-block"] } }),
        )
    }

    #[track_caller]
    fn axe(&self, options: &Value) -> Vec<String> {
        if self.script("return typeof axe === 'undefined'", &[]) == true {
            self.script(&source(), &[]);
        }
        let check = "const [options, done] = arguments; \
            axe.run(document, { ...options, resultTypes: ['violations'] }).then(done, (error) => done(String(error)))";
        let body = json!({ "script": check, "args": [options] });
        let result = self.well(self.post("/execute/async", body));
        let violations = result["violations"].as_array();
        let violations = violations.unwrap_or_else(|| panic!("axe-core failed: {result}"));
        violations.iter().flat_map(violation).collect()
    }
}

fn violation(found: &Value) -> Vec<String> {
    let nodes = found["nodes"].as_array().cloned().unwrap_or_default();
    let lines = nodes.iter().map(|node| {
        format!(
            "{} at {}: {}",
            found["id"].as_str().unwrap_or_default(),
            node["target"],
            node["failureSummary"]
                .as_str()
                .unwrap_or_default()
                .replace('\n', " ")
        )
    });
    lines.collect()
}

fn source() -> String {
    let cache = std::env::var_os("TOWLINE_TEST_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/towline-tests")));
    let file = cache
        .expect("TOWLINE_TEST_CACHE or HOME")
        .join(format!("axe-core-{VERSION}/node_modules/axe-core/axe.min.js"));
    std::fs::read_to_string(&file)
        .unwrap_or_else(|_| panic!("{} is not there; `cargo xtask test` installs it", file.display()))
}
