//! Two people contradict each other with no node running, and read what came of it: what is in conflict, why
//! things are as they are, and how to resolve it.

use serde_json::Value;
use towline_tests::process::{Place, port, until};

/// Ann's folder and Ben's, members of one project and at rest.
fn pair(prepare: impl FnOnce(&Place)) -> (Place, Place) {
    let ann = Place::of("ann");
    ann.init("shop");
    prepare(&ann);
    let node = ann.serve();
    let ticket = ann.invite(&[]);
    // Ben finds Ann where she was when both come back.
    ann.listen_on(port(&ticket));
    let ben = Place::of("ben");
    ben.join(&ticket);
    assert_eq!(ann.export(), ben.export());
    node.stop();
    (ann, ben)
}

/// Both come back, exchange what they have, and rest again.
fn meet(ann: &Place, ben: &Place) {
    let (of_ann, of_ben) = (ann.serve(), ben.serve());
    until("both hold the same", || ann.export() == ben.export());
    of_ann.stop();
    of_ben.stop();
}

fn does(place: &Place, commands: &[&[&str]]) {
    for command in commands {
        place.run(command).ok();
    }
}

fn about(place: &Place) -> Vec<(String, String)> {
    let open = place.json(&["conflicts"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let conflicts = open["conflicts"].as_array().unwrap().iter();
    let mut about: Vec<_> = conflicts
        .map(|conflict| (text(&conflict["item"]["handle"]), text(&conflict["about"])))
        .collect();
    about.sort();
    about
}

#[test]
fn concurrent_changes_are_listed_and_resolved() {
    let (ann, ben) = pair(|ann| {
        for title in [
            "Login",
            "Cookie jar",
            "Say it in the docs",
            "Sweep",
            "Old idea",
            "Trash or not",
        ] {
            ann.create(title);
        }
        does(ann, &[&["start", "1", "3"], &["submit", "3"], &["delete", "6"]]);
    });
    does(
        &ann,
        &[
            &["merged", "1"],
            &["edit", "2", "--title", "The cookie jar leaks"],
            &["pass-qa", "3"],
            &["delete", "4"],
            &["supersede", "5", "--by", "2"],
            &["restore", "6"],
        ],
    );
    does(
        &ben,
        &[
            &["block", "1", "-m", "waits for the keys"],
            &["edit", "2", "--title", "The jar of cookies"],
            &["request-changes", "3", "-m", "a page is missing"],
            &["edit", "4", "--title", "Sweep daily"],
            &["freeze", "5"],
            &["purge", "6", "--yes"],
        ],
    );
    meet(&ann, &ben);

    let expected = [
        ("1", "column"),
        ("2", "title"),
        ("3", "column"),
        ("5", "column"),
        ("6", "trash"),
    ];
    let expected = expected.map(|(item, about)| (item.to_owned(), about.to_owned()));
    assert_eq!(about(&ann), expected);
    assert_eq!(about(&ben), expected);

    // Both read the same, and it says who did what, what is in effect and what to type.
    for place in [&ann, &ben] {
        let page = place.run(&["explain", "1"]).ok();
        for part in [
            "1 stays in coding because ben blocked it (waits for the keys)",
            "Lift that with `towline unblock 1`.",
            "At the same time ann marked it done",
            "That takes effect when the hold is lifted.",
            "towline conflicts resolve 1 --keep a",
            "→ stay in coding",
            "↳ overridden by ben, who blocked it (waits for the keys)",
        ] {
            assert!(page.contains(part), "{part} is missing: {page}");
        }
        let page = place.run(&["explain", "3"]).ok();
        assert!(
            page.contains("3 is in coding: ben sent it back (a page is missing)"),
            "{page}"
        );
        assert!(page.contains("At the same time ann passed its QA"), "{page}");
        let page = place.run(&["explain", "4"]).ok();
        assert!(page.contains("edited at the same time"), "{page}");
        let board = place.run(&["board"]).ok();
        assert_eq!(board.matches("‼ conflict").count(), 5, "{board}");
    }

    // A side is named by its letter, by who did it, by what was done or by what it means.
    let ambiguous = ann.run(&["conflicts", "resolve", "2", "--keep", "title"]);
    ambiguous.refused(
        3,
        &[
            "one side to keep",
            "ann changed the title",
            "ben changed the title",
        ],
    );
    does(
        &ann,
        &[
            &["conflicts", "resolve", "1", "--keep", "done"],
            &["conflicts", "resolve", "2", "--keep", "ben"],
            &["conflicts", "resolve", "3", "--keep", "b"],
            &["conflicts", "resolve", "5", "--keep", "supersede"],
            &["conflicts", "resolve", "6", "--keep", "out of the trash"],
        ],
    );
    assert_eq!(about(&ann), []);
    meet(&ann, &ben);
    assert_eq!(about(&ben), []);
    let page = ben.run(&["explain", "1"]).ok();
    for part in [
        "1 is done: ann resolved the conflict about the column",
        "in favour of ann, who marked it done.",
        "That has no effect in this column.",
        "ann later chose this side",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    let replaced = ben.run(&["show", "5"]).ok();
    assert!(replaced.contains("by 2 The jar of cookies"), "{replaced}");
    let log = ben.run(&["log", "3"]).ok();
    assert!(log.contains("✓ ann @ann  pass-qa"), "{log}");
    ann.is_sound();
    ben.is_sound();
}

#[test]
fn two_concurrent_resolutions_conflict_again() {
    let (ann, ben) = pair(|ann| {
        ann.create("Login");
        does(ann, &[&["start", "1"], &["submit", "1"]]);
    });
    does(&ann, &[&["pass-qa", "1"]]);
    does(&ben, &[&["request-changes", "1", "-m", "a page is missing"]]);
    meet(&ann, &ben);
    does(&ann, &[&["conflicts", "resolve", "1", "--keep", "a"]]);
    does(&ben, &[&["conflicts", "resolve", "1", "--keep", "b"]]);
    meet(&ann, &ben);
    assert_eq!(about(&ann), [("1".to_owned(), "column".to_owned())]);
    let page = ann.run(&["explain", "1"]).ok();
    for part in [
        "1 is in coding: ann resolved the conflict about the column",
        "in favour of ben, who sent it back (a page is missing).",
        "At the same time ben resolved the conflict about the column",
        "ben chose this side, and that choice was overridden too",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    does(&ben, &[&["conflicts", "resolve", "1", "--keep", "merge"]]);
    meet(&ann, &ben);
    assert_eq!(about(&ann), []);
    assert_eq!(ann.json(&["show", "1"])["column"], "merge");
}
