//! Bad input and bad luck: a clear message, the right exit code, and nothing half-done.

mod cycles;
mod disk;
mod editors;
mod import;
mod several;
mod texts;
mod tickets;
mod words;

use std::fs;

use towline_tests::process::{Place, finish};

/// A project with two items, and what it holds.
fn shop() -> (Place, String) {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Sign in with a passkey");
    ann.create("Say it in the docs");
    let before = ann.export();
    (ann, before)
}

#[test]
fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let (ann, _) = shop();
    ann.run(&["depends", "add", "2", "1"]).ok();
    let before = ann.export();
    // Without a node, and through one: the same refusals.
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        let refused = |args: &[&str], code, words: &[&str]| drop(ann.run(args).refused(code, words));
        refused(&["move", "1", "nowhere"], 2, &["nowhere", "backlog", "coding"]);
        refused(
            &["approve", "1"],
            5,
            &["`approve` is not possible", "backlog", "Possible now", "start"],
        );
        refused(&["start", "2"], 5, &["1"]);
        refused(&["show", "99"], 3, &["99"]);
        refused(&["comment", "99", "Is anybody there?"], 3, &["99"]);
        refused(&["depends", "add", "1", "2"], 5, &["cycle"]);
        refused(&["create", "story", &"long ".repeat(60)], 2, &["title", "200"]);
        refused(&["create", "story", "bell\u{7}"], 2, &["title", "U+0007"]);
        refused(
            &["create", "story", "turned \u{202e}round"],
            2,
            &["title", "U+202E"],
        );
        refused(
            &["edit", "1", "--title", "esc\u{1b}[31m"],
            2,
            &["title", "U+001B"],
        );
        refused(&["create", "novel", "No such kind"], 2, &["novel", "story"]);
        refused(
            &["edit", "1", "--title", "Mine", "--expect", "0000000000000000"],
            2,
            &["--expect"],
        );
        refused(&["start", "1", "--expect", "0000000000000000"], 5, &["1"]);
        refused(&["list", "--project", "elsewhere"], 3, &["elsewhere", "shop"]);
        finish(ann.nameless(&["create", "story", "By nobody", "--as", ""])).refused(2, &["--as"]);
        finish(ann.nameless(&["create", "story", "By \u{1b}", "--as", "\u{1b}[2J"]))
            .refused(2, &["control characters"]);
        assert_eq!(ann.export(), before);
        ann.is_sound();
        if let Some(node) = node {
            node.stop();
        }
    }
}

#[test]
fn a_store_in_use_names_who_uses_it() {
    let (ann, before) = shop();
    let lock = ann.home().lock("a long backup").unwrap();
    let pid = std::process::id().to_string();
    // A list takes no lock as long as the log stands still; whatever opens the store does.
    for args in [
        &["create", "story", "Too late"][..],
        &["show", "1"],
        &["serve"],
        &["doctor"],
    ] {
        ann.run(&[args, &["--busy-timeout", "1s"]].concat())
            .refused(75, &["a long backup", &pid]);
    }
    drop(lock);
    assert_eq!(ann.export(), before);
    let node = ann.serve();
    let pid = node.pid().to_string();
    ann.run(&["serve"]).refused(75, &["already running here", &pid]);
    ann.run(&["init"]).refused(2, &["already"]);
    node.stop();
    ann.run(&["down"]).refused(69, &["no node is running"]);
}

#[test]
fn a_folder_without_a_project_says_how_to_get_one() {
    let ann = Place::of("ann");
    ann.run(&["list"]).refused(3, &["towline init", "towline join"]);
    ann.run(&["serve"]).refused(3, &["towline init"]);
    assert_eq!(fs::read_dir(ann.dir()).unwrap().count(), 0, "nothing was made");
}
