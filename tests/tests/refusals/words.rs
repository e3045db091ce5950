//! What commands say: the sentence of a refusal, what is looked at before anybody is asked, and one JSON
//! document from every command.

use std::fs;
use std::process::Stdio;

use towline_tests::process::{Place, finish};

use super::shop;

#[test]
fn a_refusal_says_what_stands_against_it_and_what_there_is() {
    let (ann, before) = shop();
    let refused = |args: &[&str], code, words: &[&str]| drop(ann.run(args).refused(code, words));
    refused(&["show", "999"], 3, &["error: no item 999\n"]);
    refused(
        &["show", "1c"],
        3,
        &["no item 1c: only one item has the number 1\n"],
    );
    refused(
        &["pass-qa", "1"],
        5,
        &["`pass-qa` is not possible: the item is in backlog. Possible now"],
    );
    refused(&["unblock", "1"], 5, &["the item is not blocked"]);
    refused(&["merged", "1", "--commit", "zz"], 2, &["7 to 64 hex digits"]);
    for hidden in ["\u{200b}", "\u{3164}", "pay\u{e0041}", "a\u{200d}b"] {
        refused(&["create", "story", hidden], 2, &["title", "is invisible"]);
        refused(&["edit", "1", "--title", hidden], 2, &["title", "is invisible"]);
    }
    assert_eq!(ann.export(), before);
    ann.run(&["freeze", "1"]).ok();
    let both = ann.run(&["block", "1", "-m", "waits"]).ok();
    assert!(both.contains("frozen and blocked"), "{both}");
}

#[test]
fn what_would_change_nothing_is_neither_offered_nor_taken() {
    let (ann, _) = shop();
    let legal = |item: &str| ann.json(&["show", item])["legal"].to_string();
    ann.run(&["edit", "1", "--qa", "human"]).ok();
    ann.run(&["move", "1", "qa"]).ok();
    ann.run(&["pass-qa", "1"]).ok();
    assert!(!legal("1").contains("pass-qa") && legal("1").contains("approve"));
    ann.run(&["pass-qa", "1"]).refused(5, &["approve"]);
    ann.run(&["move", "2", "merge"]).ok();
    ann.run(&["merge-failed", "2", "--kind", "conflict"]).ok();
    ann.run(&["give-up-merge", "2"]).ok();
    assert!(!legal("2").contains("give-up-merge") && legal("2").contains("retry-merge"));
    ann.run(&["give-up-merge", "2"]).refused(5, &["retry-merge"]);
    ann.is_sound();
}

#[test]
fn nobody_is_asked_about_what_cannot_be_purged() {
    let (ann, _) = shop();
    ann.run(&["purge", "999"]).refused(3, &["no item 999"]);
    ann.run(&["purge", "1", "--json"])
        .refused(5, &["not in the trash"]);
    ann.run(&["delete", "1"]).ok();
    ann.run(&["purge", "1"]).refused(2, &["--yes"]);
    let purged = ann.run(&["purge", "1", "--yes"]).ok();
    assert!(purged.contains("deleted permanently"), "{purged}");
    ann.run(&["show", "1"]).refused(3, &["purged"]);
}

#[test]
fn names_are_looked_at_before_anything_is_made() {
    let ann = Place::of("ann");
    ann.run(&["init", "--name", "p\u{1b}[31mx"])
        .refused(2, &["name", "U+001B"]);
    ann.run(&["init", "--node-name", "n\u{7}"])
        .refused(2, &["name", "U+0007"]);
    assert!(!ann.dir().join(".towline").exists());
    ann.init("shop");
    ann.run(&["config", "node_name", "lap\u{1b}[2Jtop"])
        .refused(2, &["U+001B"]);
    let said = ann.run(&["config", "user", "zoe"]);
    assert!(said.err.contains("next command"), "{said}");
    let said = ann.run(&["config", "allowed_hosts", "board.example:8443"]);
    assert!(said.err.contains("next start"), "{said}");
    assert_eq!(ann.run(&["config", "allowed_hosts"]).ok(), "board.example:8443\n");
}

#[test]
fn a_text_that_is_too_long_names_the_limit_and_not_what_was_read() {
    let (ann, before) = shop();
    let file = ann.dir().join("long.txt");
    fs::write(&file, "x".repeat(400_000)).unwrap();
    let mut command = ann.command(&["comment", "1", "-"]);
    command.stdin(Stdio::from(fs::File::open(&file).unwrap()));
    let said = finish(command).refused(2, &["too long"]);
    let most = towline_proto::limits::NOTE_BYTES.to_string();
    assert!(said.contains(&most) && !said.contains("262145"), "{said}");
    assert_eq!(ann.export(), before);
}

#[test]
fn every_command_that_was_done_prints_its_document() {
    let ann = Place::of("ann");
    assert_eq!(
        ann.json(&["init", "--name", "shop"])["schema"],
        "towline.project/v1"
    );
    ann.listen_on(0);
    ann.create("Sign in");
    ann.create("Sign out");
    let edited = ann.json(&["edit", "1", "--title", "Sign in"]);
    assert_eq!(edited["applied"][0]["changed"], false, "{edited}");
    let one = ann.json(&["list", "-n", "1"]);
    assert_eq!(
        (one["items"].as_array().unwrap().len(), &one["total"]),
        (1, &2.into())
    );
    let board = ann.json(&["board", "-c", "coding"]);
    assert_eq!(board["columns"].as_array().unwrap().len(), 1, "{board}");
    let node = ann.serve();
    assert_eq!(ann.json(&["down"])["schema"], "towline.done/v1");
    drop(node);
    assert_eq!(ann.json(&["deinit", "--yes"])["schema"], "towline.done/v1");
}
