//! `--dry-run`: every command says what it would come to or refuses, and nothing is changed by it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use towline_tests::process::{Outcome, Place};

/// Everything that a dry run may not touch, byte for byte: the log, the key and the configuration, and
/// what lies in the folder beside them. Caches may be brought up to date by whoever opens the store.
fn held(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    gather(place.dir(), &mut all);
    all.retain(|path, _| {
        !path.contains(".towline/") || path.contains("/log/") || !path.contains("projects/")
    });
    // Where others are is kept by a running node whenever it learns of it.
    all.retain(|path, _| !path.ends_with("/lock") && !path.ends_with("/peers.json"));
    all
}

fn gather(dir: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, all);
        } else if let Ok(bytes) = fs::read(&path) {
            // The socket of a running node is no file.
            all.insert(path.display().to_string(), bytes);
        }
    }
}

fn shop() -> Place {
    let ann = Place::of("ann");
    ann.init("shop");
    for title in ["Sign in", "Say it in the docs", "Tidy up"] {
        ann.create(title);
    }
    ann.run(&["create", "epic", "Everything about keys"]).ok();
    ann.run(&["start", "3", "--no-claim"]).ok();
    ann.run(&["comment", "3", "Nearly there."]).ok();
    ann.run(&["criteria", "3", "add", "It is tidy"]).ok();
    ann.run(&["delete", "2"]).ok();
    fs::write(ann.dir().join("empty.jsonl"), "").unwrap();
    ann
}

/// A command line for every subcommand, with what its dry run ends with where no node runs and where one
/// does.
const COMMANDS: &[(&[&str], i32, i32)] = &[
    (&["init"], 2, 2),
    (&["deinit"], 0, 0),
    (&["up"], 0, 75),
    (&["serve"], 0, 75),
    (&["down"], 69, 0),
    (&["status"], 0, 0),
    (&["doctor"], 0, 0),
    (&["doctor", "--repair"], 0, 0),
    (&["open"], 69, 0),
    (&["open", "1"], 69, 0),
    (&["demo"], 0, 0),
    (&["config", "promote", "auto"], 0, 0),
    (&["config"], 0, 0),
    (&["rebuild"], 0, 0),
    (&["create", "story", "Another"], 0, 0),
    (&["list"], 0, 0),
    (&["board"], 0, 0),
    (&["show", "1"], 0, 0),
    (&["edit", "1", "--title", "Otherwise"], 0, 0),
    (&["edit", "1"], 2, 2),
    (&["search", "sign"], 0, 0),
    (&["ready"], 0, 0),
    (&["explain", "1"], 0, 0),
    (&["conflicts"], 0, 0),
    (&["conflicts", "resolve", "1", "--keep", "z"], 5, 5),
    (&["log"], 0, 0),
    (&["watch", "-n", "1", "--after", "0"], 69, 0),
    (&["triage", "1"], 5, 5),
    (&["start", "1"], 0, 0),
    (&["submit", "1"], 5, 5),
    (&["submit", "3"], 0, 0),
    (&["request-changes", "3", "-m", "again"], 5, 5),
    (&["pass-qa", "3"], 5, 5),
    (&["approve", "3"], 5, 5),
    (&["merged", "3", "--commit", "3f2a1c9"], 0, 0),
    (&["merge-failed", "3", "--kind", "conflict"], 5, 5),
    (&["retry-merge", "3"], 5, 5),
    (&["give-up-merge", "3"], 5, 5),
    (&["block", "3", "-m", "waits"], 0, 0),
    (&["unblock", "3"], 5, 5),
    (&["freeze", "3"], 0, 0),
    (&["unfreeze", "3"], 5, 5),
    (&["abandon", "3"], 0, 0),
    (&["supersede", "3", "--by", "1"], 0, 0),
    (&["reject", "3", "-m", "no"], 0, 0),
    (&["reopen", "3"], 5, 5),
    (&["archive", "3"], 5, 5),
    (&["move", "3", "qa"], 0, 0),
    (&["claim", "3"], 0, 0),
    (&["release", "3"], 5, 5),
    (&["take-over", "3"], 5, 5),
    (&["delete", "3"], 0, 0),
    (&["restore", "2"], 0, 0),
    (&["purge", "2"], 0, 0),
    (&["assign", "1", "bob"], 0, 0),
    (&["label", "1", "+ui"], 0, 0),
    (&["depends", "add", "1", "3"], 0, 0),
    (&["depends", "tree", "1"], 0, 0),
    (&["epic", "1", "4"], 0, 0),
    (&["epic", "4"], 0, 0),
    (&["comment", "1", "What of it?"], 0, 0),
    (&["undo"], 0, 0),
    (&["undo", "3"], 5, 5),
    (&["criteria", "3", "met", "1"], 0, 0),
    (&["link", "1", "branch", "keys"], 0, 0),
    (&["invite"], 69, 0),
    (&["revoke", "0000"], 3, 3),
    (&["join", "no ticket"], 2, 2),
    (&["members"], 0, 0),
    (&["peers"], 0, 0),
    (&["sync"], 0, 0),
    (&["import", "--from", "jsonl", "empty.jsonl"], 0, 0),
    (&["export", "--to", "csv", "-o", "items.csv"], 0, 0),
    (&["export", "--to", "markdown", "-o", "pages"], 0, 0),
    (&["export", "--to", "bundle", "-o", "log.bundle"], 0, 0),
    (&["token", "create", "--scope", "read"], 0, 0),
    (&["token", "list"], 0, 0),
    (&["token", "revoke", "00000000"], 3, 3),
    (&["completions", "bash"], 0, 0),
    (&["man"], 0, 0),
    (&["man", "pages"], 0, 0),
];

/// Whether the flag was heard. A refusal is the answer that the command would get.
fn speaks(said: &Outcome) -> bool {
    let words = [&said.out, &said.err];
    let heard = |text: &&String| text.contains("would") || text.contains("dry-run");
    said.code != Some(0) || words.iter().any(heard)
}

#[test]
fn no_command_ignores_the_flag_and_none_acts() {
    let ann = shop();
    let help = ann.run(&["--help"]).ok();
    let listed = help
        .lines()
        .take_while(|line| !line.starts_with("Global options"));
    for name in listed
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split(' ').next())
    {
        let tried = COMMANDS.iter().any(|(line, ..)| line[0] == name);
        assert!(
            tried || name == "help" || name.is_empty(),
            "{name} is not in the table"
        );
    }
    for running in [false, true] {
        let mut node = running.then(|| ann.serve());
        let (before, export) = (held(&ann), ann.export());
        let mut wrong = Vec::new();
        for (line, alone, beside) in COMMANDS {
            let said = ann.run(&[line, &["--dry-run"][..]].concat());
            let wanted = if running { beside } else { alone };
            if said.code != Some(*wanted) || !speaks(&said) {
                wrong.push(said.to_string());
            }
            let alive = node.as_mut().is_none_or(|node| node.is_alive());
            assert!(alive, "{line:?} ended the node");
        }
        assert_eq!(wrong, [""; 0], "with a node: {running}");
        let after = held(&ann);
        let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed: Vec<_> = paths
            .into_iter()
            .filter(|path| before.get(*path) != after.get(*path))
            .collect();
        assert_eq!(changed, [""; 0], "these have changed, with a node: {running}");
        assert_eq!(ann.export(), export);
        ann.is_sound();
    }
}

#[test]
fn a_dry_run_gives_the_answer_or_the_refusal_that_the_command_would_get() {
    let ann = shop();
    for running in [false, true] {
        let _node = running.then(|| ann.serve());
        let line = ann.run(&["start", "1", "--dry-run"]).ok();
        assert_eq!(line, "would: 1  Sign in  backlog → coding, claimed by ann\n");
        let made = ann.run(&["create", "bug", "A fifth", "--dry-run"]).ok();
        assert_eq!(made, "would: 5  A fifth  backlog\n");
        let json = ann.json(&["submit", "3", "--dry-run"]);
        assert_eq!(json["schema"], "towline.applied/v2");
        assert_eq!(json["dry_run"], true);
        assert_eq!(json["applied"][0]["card"]["column"], "qa");
        assert!(ann.json(&["show", "3"])["dry_run"].is_null());
        let long = "x".repeat(300);
        ann.run(&["create", "story", &long, "--dry-run"])
            .refused(2, &["200"]);
        ann.run(&["submit", "1", "--dry-run"]).refused(5, &["backlog"]);
        ann.run(&["purge", "3", "--dry-run"]).refused(5, &["trash"]);
        ann.run(&["comment", "99", "Nobody", "--dry-run"])
            .refused(3, &["99"]);
    }
    // The fifth is still to be made.
    assert_eq!(ann.create("The fifth"), "5");
}

#[test]
fn nothing_is_made_joined_or_used_up_where_nothing_is_yet() {
    let ann = shop();
    let _node = ann.serve();
    let ticket = ann.invite(&[]);
    let ben = Place::of("ben");
    for line in [&["up"][..], &["init"], &["join", &ticket]] {
        let said = ben.run(&[line, &["--dry-run"]].concat()).ok();
        assert!(
            said.contains("would create") && said.contains(".towline"),
            "{line:?}: {said}"
        );
        assert!(!ben.dir().join(".towline").exists(), "{line:?} made a home");
    }
    let plan = ben.json(&["init", "--dry-run"]);
    assert_eq!(
        (&plan["schema"], &plan["dry_run"]),
        (&"towline.plan/v1".into(), &true.into())
    );
    ben.run(&["serve", "--dry-run"]).refused(3, &["no project"]);
    ben.join(&ticket);
    assert_eq!(ben.items().len(), ann.items().len());
}
