//! The repository as the checks see it: tracked files with their text, and what cargo knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
        .to_path_buf()
}

/// Tracked and new files whose names end so, relative to the root, with their text.
pub(crate) fn files(end: &str) -> Vec<(String, String)> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ])
        .current_dir(root())
        .output()
        .expect("git");
    assert!(
        output.status.success(),
        "git ls-files failed; these checks need a clone"
    );
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let wanted = names.lines().filter(|name| name.ends_with(end));
    // A file that was deleted and not yet staged is listed still; one that is no text is no source.
    let read =
        wanted.filter_map(|name| Some((name.to_owned(), std::fs::read_to_string(root().join(name)).ok()?)));
    let files: Vec<_> = read.collect();
    assert!(!files.is_empty(), "no file ends in {end}");
    files
}

/// The packages of the workspace as `cargo metadata` has them.
pub(crate) fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("json");
    metadata["packages"].as_array().expect("packages").clone()
}

/// A text field of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

/// Fails with every finding at once.
#[track_caller]
pub(crate) fn none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
