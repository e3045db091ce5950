//! Rules about Rust sources: headers, lengths, order of the crates, calls the inner crates never
//! make, sleeps in tests, files that nothing includes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::repo::{files, none, packages, root, text};

/// Lines of a source file at most.
const LINES: usize = 400;

/// Longer files, and why they are one file.
const LONG: &[(&str, &str)] = &[
    (
        "proto/src/act.rs",
        "the closed set of operations; each is listed in three matches without a wildcard",
    ),
    (
        "proto/src/table.rs",
        "the transition table, its refusals and where each verb leads belong side by side",
    ),
];

/// Every crate of the product with the crates that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("crdt", &["proto"]),
    ("sync", &["proto"]),
    ("api", &["proto", "crdt"]),
    ("interchange", &["proto", "api"]),
    ("store", &["proto", "crdt", "api"]),
    ("net", &["proto", "sync", "api", "store"]),
    (
        "engine",
        &["proto", "crdt", "sync", "api", "interchange", "store", "net"],
    ),
    ("socket", &["proto", "api", "store", "net", "engine"]),
    ("web", &["proto", "api", "net", "engine"]),
    (
        "cli",
        &[
            "proto",
            "crdt",
            "api",
            "interchange",
            "store",
            "net",
            "engine",
            "socket",
        ],
    ),
    (
        "node",
        &["proto", "api", "store", "net", "engine", "socket", "web", "cli"],
    ),
    (
        "gateway",
        &["proto", "crdt", "api", "store", "engine", "socket", "cli", "node"],
    ),
];

/// The crates without IO, clock and randomness. Clippy refuses the calls (`clippy.toml` in each of them).
const PURE: &[&str] = &["proto", "crdt", "sync"];
/// What none of them may depend on.
const IMPURE: &[&str] = &[
    "getrandom",
    "rand",
    "tokio",
    "libp2p",
    "sled",
    "tempfile",
    "rustix",
];

/// What makes rows, events and timelines, besides `proto` and `crdt`, which cannot use the words at all.
const WORDLESS: &[&str] = &[
    "node/store/src/cache/",
    "node/engine/src/timeline.rs",
    "node/engine/src/explain.rs",
    "node/engine/src/conflicts/cycle_events.rs",
    "node/engine/src/index/",
    "node/engine/src/pending_batch/",
];
/// The modules with the words.
const WORDS: &[&str] = &["_text::", "labels::", "relative_time::"];

/// Tests that wait for time and not for a state, and why.
const SLEEPS: &[(&str, &str)] = &[
    (
        "tests/src/process/mod.rs",
        "looks at other processes, which cannot wake it, until a deadline",
    ),
    (
        "tests/src/gateway.rs",
        "looks at a gateway's state, which wakes nobody, until a deadline",
    ),
    (
        "tests/src/person.rs",
        "asks the homeserver what was said in a room until a deadline",
    ),
    (
        "tests/src/synapse.rs",
        "asks a starting server whether it answers until a deadline",
    ),
    (
        "tests/src/bench/memory.rs",
        "asks a starting node whether it answers until a deadline",
    ),
    (
        "tests/src/bench/nodes.rs",
        "compares what two nodes hold until a deadline",
    ),
];

fn is_test(name: &str) -> bool {
    name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("tests.rs")
}

/// Code without comment lines and, of a file that ends in them, without its tests.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let own = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    lines(own)
}

fn lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = source.lines().enumerate().map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn every_file_says_what_it_is() {
    let silent = files(".rs")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"));
    none(
        &silent.map(|(name, _)| name).collect::<Vec<_>>(),
        "open each file with a `//!` paragraph",
    );
}

#[test]
fn no_file_is_too_long_without_a_reason() {
    let mut findings = Vec::new();
    let sources = files(".rs");
    for (name, source) in &sources {
        let got = source.lines().count();
        match LONG.iter().any(|(long, _)| long == name) {
            false if got > LINES => findings.push(format!("{name}: {got} lines")),
            true if got <= LINES => findings.push(format!("{name}: {got} lines; take it off the list")),
            _ => {}
        }
    }
    let gone = LONG
        .iter()
        .filter(|(long, _)| !sources.iter().any(|(name, _)| name == long));
    findings.extend(gone.map(|(long, _)| format!("{long}: is not there; take it off the list")));
    none(
        &findings,
        "split files of more than 400 lines, or list them with a reason",
    );
}

#[test]
fn the_crates_depend_one_way() {
    let mut findings = Vec::new();
    for (at, (name, allowed)) in ARROWS.iter().enumerate() {
        let before: Vec<&str> = ARROWS[..at].iter().map(|(name, _)| *name).collect();
        let later = allowed.iter().filter(|on| !before.contains(on));
        findings.extend(later.map(|on| format!("{name} may use {on}, which is not listed before it")));
    }
    for package in packages() {
        let name = text(&package, "name").trim_start_matches("towline-").to_owned();
        // Tests and tools may use everything.
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let used = package["dependencies"].as_array().expect("a list").iter();
        let used = used.filter(|dependency| dependency["kind"].is_null());
        let used = used.filter_map(|dependency| {
            text(dependency, "name")
                .strip_prefix("towline-")
                .map(str::to_owned)
        });
        findings.extend(
            used.filter(|on| !allowed.contains(&on.as_str()))
                .map(|on| format!("{name} uses {on}")),
        );
    }
    none(&findings, "dependencies follow the arrows of ARCHITECTURE.md");
}

#[test]
fn the_inner_crates_are_pure() {
    let mut findings = Vec::new();
    for package in packages() {
        let name = text(&package, "name").trim_start_matches("towline-").to_owned();
        if !PURE.contains(&name.as_str()) {
            continue;
        }
        for dependency in package["dependencies"].as_array().expect("a list") {
            let on = text(dependency, "name");
            let normal = dependency["kind"].is_null();
            if normal && (IMPURE.contains(&on) || (name == "proto" && on == "automerge")) {
                findings.push(format!("{name} depends on {on}"));
            }
        }
        let lints = std::fs::read_to_string(root().join(&name).join("clippy.toml")).unwrap_or_default();
        for list in ["disallowed-methods", "disallowed-types", "disallowed-macros"] {
            if !lints.contains(list) {
                findings.push(format!("{name}/clippy.toml has no {list}"));
            }
        }
    }
    none(&findings, "time, randomness and IO are handed in by the node");
}

#[test]
fn rows_events_and_timelines_are_made_without_words() {
    let mut findings = Vec::new();
    for (name, source) in files(".rs") {
        if is_test(&name) || !WORDLESS.iter().any(|within| name.starts_with(within)) {
            continue;
        }
        for (line, found) in code(&source) {
            for word in WORDS.iter().filter(|word| found.contains(**word)) {
                findings.push(format!("{name}:{line}: {word}"));
            }
        }
    }
    none(
        &findings,
        "rewording changes no row and no event: faces make the words",
    );
}

#[test]
fn no_test_sleeps() {
    let mut findings = Vec::new();
    for (name, source) in files(".rs") {
        if SLEEPS.iter().any(|(allowed, _)| *allowed == name) || name.starts_with("xtask/tests/tidy/") {
            continue;
        }
        let own = code(&source).count();
        let tests = lines(&source).skip(if is_test(&name) { 0 } else { own });
        findings.extend(
            tests
                .filter(|(_, line)| line.contains("sleep("))
                .map(|(line, _)| format!("{name}:{line}")),
        );
    }
    none(&findings, "wait on a state with a deadline, never on a time");
}

#[test]
fn no_source_is_forgotten() {
    let mut reached = BTreeSet::new();
    for package in packages() {
        for target in package["targets"].as_array().expect("a list") {
            let path = PathBuf::from(text(target, "src_path"));
            let dir = path.parent().expect("a directory").to_path_buf();
            reach(&path, &dir, &mut reached);
        }
    }
    let forgotten = files(".rs").into_iter().map(|(name, _)| name);
    let forgotten = forgotten.filter(|name| !reached.contains(&root().join(name)));
    none(
        &forgotten.collect::<Vec<_>>(),
        "no `mod` leads to these files, so nobody compiles them",
    );
}

/// Follows `mod name;` from a file whose modules lie in `dir`.
fn reach(path: &Path, dir: &Path, reached: &mut BTreeSet<PathBuf>) {
    let Ok(source) = std::fs::read_to_string(path) else {
        return;
    };
    if !reached.insert(path.to_path_buf()) {
        return;
    }
    let mut at_path = None;
    for line in source.lines().map(str::trim) {
        if let Some(given) = line.strip_prefix("#[path = \"") {
            at_path = given.split('"').next();
        }
        let Some(name) = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")) else {
            continue;
        };
        if !(name.0.is_empty() || name.0.starts_with("pub")) {
            continue;
        }
        if let Some(given) = at_path.take() {
            let file = path.with_file_name(given);
            let below = file.parent().expect("a directory").to_path_buf();
            reach(&file, &below, reached);
        }
        reach(&dir.join(name.1).with_extension("rs"), &dir.join(name.1), reached);
        reach(&dir.join(name.1).join("mod.rs"), &dir.join(name.1), reached);
    }
}
