//! Texts that are too long, empty, or would rewrite a terminal: refused with what is wrong, or shown so
//! that they do no harm.

use towline_proto::text::is_unsafe;
use towline_tests::process::{Place, finish};

use super::shop;

/// Turns the rest of a line around.
const TURNED: &str = "turned \u{202e}round";
/// Clears the screen.
const CLEARED: &str = "cleared \u{1b}[2J";

#[test]
fn every_field_says_what_it_cannot_hold() {
    let (ann, _) = shop();
    ann.run(&["start", "1", "--no-claim"]).ok();
    let before = ann.export();
    let long = "x".repeat(201);
    let longer = "x".repeat(70_000);
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        let refused = |args: &[&str], words: &[&str]| drop(ann.run(args).refused(2, words));
        refused(&["create", "story", &long], &["title", "201", "at most 200"]);
        refused(&["edit", "1", "--title", &long], &["title", "201", "at most 200"]);
        refused(&["create", "story", " \t "], &["title", "empty"]);
        refused(&["edit", "1", "--title", ""], &["title", "empty"]);
        refused(&["create", "story", "Sound", "--label", ""], &["label", "empty"]);
        refused(
            &["create", "story", "Sound", "--criterion", " "],
            &["criterion", "empty"],
        );
        refused(&["comment", "1", " \n "], &["comment", "empty"]);
        refused(&["comment", "1", &longer], &["comment", "70000 bytes"]);
        refused(&["block", "1", "-m", " "], &["`block` needs a reason"]);
        refused(&["claim", "1", "--for", " "], &["holder", "empty"]);
        for (text, sign) in [(TURNED, "U+202E"), (CLEARED, "U+001B")] {
            refused(&["create", "story", text], &["title", sign]);
            refused(&["edit", "1", "--title", text], &["title", sign]);
            refused(&["label", "1", "--add", text], &["label", sign]);
            refused(&["create", "bug", "Sound", "--label", text], &["label", sign]);
            refused(&["claim", "1", "--for", text], &["holder", sign]);
            refused(&["assign", "1", text], &["assignee", sign]);
            refused(&["link", "1", "branch", text], &["link", sign]);
            finish(ann.nameless(&["comment", "1", "By whom?", "--as", text]))
                .refused(2, &["control characters"]);
        }
        refused(&["comment", "1", CLEARED], &["comment", "U+001B"]);
        refused(&["block", "1", "-m", CLEARED], &["reason", "U+001B"]);
        refused(&["delete", "1", "-m", CLEARED], &["reason", "U+001B"]);
        refused(
            &["create", "story", "Sound", "--body", CLEARED],
            &["body", "U+001B"],
        );
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
    ann.is_sound();
}

/// Texts of several lines may hold signs of right-to-left scripts; a terminal is not handed them raw.
#[test]
fn what_turns_a_line_around_is_shown_as_a_code() {
    let (ann, _) = shop();
    ann.run(&["block", "1", "-m", TURNED]).ok();
    ann.run(&["comment", "1", TURNED]).ok();
    ann.run(&["edit", "1", "--body", TURNED]).ok();
    ann.run(&["criteria", "1", "add", TURNED]).ok();
    for page in [
        &["show", "1"][..],
        &["explain", "1"],
        &["log", "1"],
        &["log"],
        &["board"],
        &["list"],
    ] {
        let out = ann.run(page).ok();
        let raw = out.chars().find(|c| *c != '\n' && is_unsafe(*c));
        assert_eq!(raw, None, "{page:?}: {out}");
    }
    assert!(ann.run(&["show", "1"]).ok().contains("turned \\u{202e}round"));
}

#[test]
fn a_thousand_labels_are_too_many_and_none_is_written() {
    let (ann, before) = shop();
    let labels: Vec<String> = (0..1_000).map(|n| format!("+label-{n}")).collect();
    let mut args = vec!["label", "1"];
    args.extend(labels.iter().map(String::as_str));
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        ann.run(&args).refused(2, &["1000 labels", "at most 64"]);
        let mut create = vec!["create", "story", "Labelled"];
        for label in &labels {
            create.extend(["--label", label]);
        }
        ann.run(&create).refused(2, &["1000 labels", "at most 64"]);
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
    ann.run(&args[..66]).ok();
    ann.run(&["label", "1", "+one-more"])
        .refused(2, &["65 labels", "at most 64"]);
    // One goes and one comes: that fits.
    ann.run(&["label", "1", "+one-more", "-label-0"]).ok();
    ann.is_sound();
}

#[test]
fn purging_asks_first_and_only_empties_the_trash() {
    let (ann, _) = shop();
    ann.run(&["delete", "1"]).ok();
    let before = ann.export();
    ann.run(&["purge", "1"])
        .refused(2, &["Delete 1 from the trash permanently", "--yes"]);
    ann.run(&["purge", "2", "--yes"])
        .refused(5, &["`purge` is not possible", "not in the trash"]);
    assert_eq!(ann.export(), before);
    ann.run(&["purge", "1", "--yes"]).ok();
    // What is purged may be hidden altogether or told to be gone; it never comes back.
    let restored = ann.run(&["restore", "1"]);
    assert!(matches!(restored.code, Some(3 | 5)), "{restored}");
    ann.is_sound();
}

#[test]
fn a_claim_is_taken_by_force_only_with_a_reason() {
    let (ann, _) = shop();
    ann.run(&["start", "1", "--no-claim"]).ok();
    ann.run(&["claim", "1", "--for", "coder-1"]).ok();
    let before = ann.export();
    ann.run(&["take-over", "1", "--force"]).refused(2, &["--reason"]);
    ann.run(&["take-over", "1", "--force", "-m", " "])
        .refused(2, &["take-over", "reason"]);
    assert_eq!(ann.export(), before);
    ann.run(&["take-over", "1", "--force", "-m", "it hangs"]).ok();
    let log = ann.run(&["log", "1"]).ok();
    assert!(log.contains("by force: it hangs"), "{log}");
}

#[test]
fn an_epic_alone_is_shown_and_nothing_else_is() {
    let (ann, _) = shop();
    ann.run(&["create", "epic", "Sign-in everywhere"]).ok();
    ann.run(&["epic", "1", "2", "3"]).ok();
    let before = ann.export();
    let page = ann.run(&["epic", "3"]).ok();
    for part in ["Sign-in everywhere", "0 of 2 items done", "Say it in the docs"] {
        assert!(page.contains(part), "{page}");
    }
    ann.run(&["epic", "1"])
        .refused(2, &["1 is a story, not an epic", "towline epic 1 EPIC"]);
    assert_eq!(ann.export(), before);
    let listed = ann.json(&["epic", "3"]);
    assert_eq!(listed["schema"], "towline.epic/v1");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let board = ann.json(&["board", "--epic", "3"]);
    assert_eq!(board["columns"][1]["column"], "backlog");
    assert_eq!(board["columns"][1]["count"], 2);
}

#[test]
fn resolving_without_a_conflict_is_refused() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Quiet");
    let before = ann.export();
    ann.run(&["conflicts", "resolve", "1", "--keep", "a"])
        .refused(5, &["no unresolved conflicts"]);
    ann.run(&["conflicts", "resolve", "9", "--keep", "a"])
        .refused(3, &["9"]);
    ann.run(&["conflicts", "resolve", "1"]).refused(2, &["--keep"]);
    ann.run(&["explain", "9"]).refused(3, &["9"]);
    assert_eq!(ann.run(&["conflicts"]).ok(), "");
    assert_eq!(ann.export(), before);
}
