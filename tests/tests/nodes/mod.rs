//! Two nodes as two processes: joining, editing apart, and holding the same afterwards.

mod apart;
mod stopped;

use serde_json::Value;
use towline_tests::process::{Place, port, until};

fn titles(place: &Place) -> Vec<String> {
    let title = |item: &Value| item["title"].as_str().unwrap().to_owned();
    place.items().iter().map(title).collect()
}

fn handle(place: &Place, title: &str) -> String {
    let items = place.items();
    let item = items.iter().find(|item| item["title"] == title);
    item.expect(title)["handle"].as_str().unwrap().to_owned()
}

#[test]
fn members_who_were_let_in_one_after_the_other_meet_when_whoever_let_them_in_is_gone() {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    ann.create("Login");
    let (ben, cem) = (Place::of("ben"), Place::of("cem"));
    ben.join(&ann.invite(&[]));
    // Ben is away while Cem is let in, and Ann leaves for ever.
    cem.join(&ann.invite(&[]));
    of_ann.stop();
    ben.create("By Ben");
    cem.create("By Cem");
    let names = |place: &Place| place.json(&["members"])["members"].to_string();
    assert!(!names(&ben).contains("cem"), "{}", names(&ben));

    let of_ben = ben.serve();
    let mine = ben.run(&["peers", "--me"]).ok();
    cem.run(&["config", "bootstrap", mine.lines().next().unwrap()])
        .ok();
    let of_cem = cem.serve();
    until("both hold the same", || ben.export() == cem.export());
    assert_eq!(ben.items().len(), 3);
    assert!(names(&ben).contains("cem"), "{}", names(&ben));
    of_cem.stop();
    of_ben.stop();
    ben.is_sound();
    cem.is_sound();
}

#[test]
fn two_nodes_that_were_edited_apart_hold_the_same_bytes_afterwards() {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    ann.create("Sign in with a passkey");
    let ticket = ann.invite(&[]);
    // Ben finds Ann where she was when both come back.
    ann.listen_on(port(&ticket));

    let ben = Place::of("ben");
    ben.join(&ticket);
    assert_eq!(titles(&ben), ["Sign in with a passkey"]);
    let of_ben = ben.serve();
    ann.create("Say it in the docs");
    until("Ann's item is with Ben", || titles(&ben).len() == 2);
    ben.run(&["comment", "2", "In which chapter?"]).ok();
    until("Ben's comment is with Ann", || ann.export() == ben.export());

    of_ben.stop();
    ann.create("Made by Ann while Ben was away");
    ann.run(&["edit", "1", "--title", "Sign in with a passkey or a password"])
        .ok();
    ann.run(&["start", "2"]).ok();
    of_ann.stop();
    // No node runs now: commands open the store themselves.
    ben.create("Made by Ben on a train");
    ben.run(&["edit", "1", "--title", "Sign in with a key"]).ok();
    ben.run(&["label", "2", "+docs"]).ok();
    ben.run(&["depends", "add", "2", "1"]).ok();
    ann.run(&["comment", "1", "Written without a node."]).ok();
    assert_ne!(ann.export(), ben.export());

    let of_ann = ann.serve();
    let of_ben = ben.serve();
    until("both hold the same", || ann.export() == ben.export());
    assert_eq!(ann.items().len(), 4);
    let mut numbers = [
        handle(&ann, "Made by Ann while Ben was away"),
        handle(&ann, "Made by Ben on a train"),
    ];
    numbers.sort();
    assert_eq!(numbers, ["3a", "3b"]);
    // Reading the shared number shows both; changing something needs the letter.
    let both = ben.run(&["show", "3"]).ok();
    assert!(
        both.contains("3a  Made by Ann") && both.contains("3b  Made by Ben"),
        "{both}"
    );
    ben.run(&["comment", "3", "Which one?"]).refused(3, &["3a", "3b"]);
    ben.run(&["depends", "tree", "3"]).refused(3, &["3a", "3b"]);
    ben.run(&["show", "3c"])
        .refused(3, &["no item 3c: there are 3a to 3b"]);
    let criteria = ben.run(&["criteria", "3"]).ok();
    assert!(
        criteria.contains("3a  Made") && !criteria.contains("Next:"),
        "{criteria}"
    );
    let found = ben.json(&["search", "3"]);
    assert_eq!(found["items"][0]["handle"], "3a", "{found}");
    ben.run(&["comment", "3b", "Found by its letter."]).ok();
    until("the comment is with Ann", || {
        ann.export().contains("Found by its letter.")
    });
    for place in [&ann, &ben] {
        place.is_sound();
        let synced = place.json(&["sync", "--wait"]);
        assert_eq!(
            (&synced["peers"], &synced["equal"]),
            (&1.into(), &1.into()),
            "{synced}"
        );
    }
    of_ann.stop();
    of_ben.stop();
    assert_eq!(ann.export(), ben.export());
    for place in [&ann, &ben] {
        let before = place.export();
        place.run(&["rebuild"]).ok();
        assert_eq!(place.export(), before, "what is folded again is the same");
        place.is_sound();
    }
}

#[test]
fn up_makes_the_project_and_join_through_a_running_node_fills_another() {
    let ann = Place::of("ann");
    let mut of_ann = ann.start(&[
        "up",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--board",
        "127.0.0.1:0",
    ]);
    ann.create("The first story");
    assert!(of_ann.is_alive());
    let ticket = ann.invite(&[]);

    let ben = Place::of("ben");
    ben.init("another project");
    let of_ben = ben.serve();
    ben.run(&["join", &ticket]).ok();
    let list = ["list", "--project", "work"];
    until("Ann's item is with Ben", || {
        ben.run(&list).out.contains("The first story")
    });
    // Two projects: which one is meant has to be said.
    ben.run(&["list"]).refused(2, &["another project", "work"]);
    ben.run(&["comment", "1", "Hello from Ben", "--project", "work"])
        .ok();
    until("Ben's comment is with Ann", || {
        ann.export().contains("Hello from Ben")
    });
    of_ben.stop();
    of_ann.stop();
}

#[test]
fn a_real_tracker_of_3003_issues_is_imported_and_reaches_a_second_node() {
    let ann = Place::of("ann");
    ann.init("beads");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/beads-tracker.jsonl");
    let imported = ann.run(&["import", "--from", "beads", data, "--json"]);
    let report: Value = serde_json::from_str(&imported.out).expect("a report");
    assert_eq!(report["created"], 3003, "{imported}");
    let whole = ann.export();
    assert_eq!(whole.lines().count(), 3003);

    let of_ann = ann.serve();
    let ben = Place::of("ben");
    ben.join(&ann.invite(&[]));
    of_ann.stop();
    assert!(ben.export() == whole, "the two exports differ");
    ben.is_sound();
}
