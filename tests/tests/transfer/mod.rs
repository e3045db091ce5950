//! What leaves a project in a file and comes into another: the signed log on a stick, exports that are
//! imported elsewhere, tables and markdown.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use towline_tests::process::{Place, until};

/// Ann and Ben have the same project from here on and never meet again.
fn parted() -> (Place, Place) {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    ann.create("Sign in");
    ann.create("Pay");
    let ticket = ann.invite(&[]);
    let ben = Place::of("ben");
    ben.join(&ticket);
    until("Ben has all", || ann.export() == ben.export());
    of_ann.stop();
    (ann, ben)
}

/// A bundle of one place in the folder of another.
fn carry(from: &Place, to: &Place) -> String {
    from.run(&["export", "--to", "bundle", "-o", "log.bundle"]).ok();
    fs::copy(from.dir().join("log.bundle"), to.dir().join("carried.bundle")).unwrap();
    to.run(&["import", "--from", "bundle", "carried.bundle"]).ok()
}

#[test]
fn two_that_never_meet_hold_the_same_when_a_stick_went_both_ways() {
    let (ann, ben) = parted();
    for (place, name) in [(&ann, "Ann"), (&ben, "Ben")] {
        place.create(&format!("Made by {name}"));
        place
            .run(&["edit", "1", "--title", &format!("Sign in, says {name}")])
            .ok();
        place.run(&["start", "2"]).ok();
    }
    ann.run(&["freeze", "1"]).ok();
    ben.run(&["abandon", "1", "--reason", "nobody wants it"]).ok();
    assert_ne!(ann.export(), ben.export());

    let said = carry(&ann, &ben);
    assert!(
        said.contains("0 waiting, 0 refused") && !said.contains("entries: 0 new"),
        "{said}"
    );
    // Back through a running node.
    let of_ann = ann.serve();
    let said = carry(&ben, &ann);
    assert!(said.contains("0 waiting, 0 refused"), "{said}");
    assert_eq!(ann.export(), ben.export());
    let again = carry(&ben, &ann);
    assert!(again.contains("entries: 0 new"), "{again}");
    let of_ben = ben.serve();
    let again = carry(&ann, &ben);
    assert!(again.contains("entries: 0 new"), "{again}");
    for place in [&ann, &ben] {
        place.is_sound();
    }

    // What an owner and a writer did to each other's work stays so in a project of somebody else's.
    let export = ann.export();
    let cy = Place::of("cy");
    cy.init("elsewhere");
    fs::write(cy.dir().join("items.jsonl"), &export).unwrap();
    let of_cy = cy.serve();
    let said = cy.run(&["import", "--from", "jsonl", "items.jsonl"]).ok();
    assert!(said.contains("4 created, 0 updated, 0 unchanged"), "{said}");
    assert_eq!(cy.export(), export);
    let said = cy.run(&["import", "--from", "jsonl", "items.jsonl"]).ok();
    assert!(said.contains("0 created, 0 updated, 4 unchanged"), "{said}");
    cy.is_sound();
    for running in [of_ann, of_ben, of_cy] {
        running.stop();
    }
}

#[test]
fn a_bundle_that_does_not_fit_is_refused_and_changes_nothing() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Sign in");
    let eve = Place::of("eve");
    eve.init("eve's shop");
    eve.run(&["export", "--to", "bundle", "-o", "log.bundle"]).ok();
    eve.run(&["export", "--to", "bundle"]).refused(2, &["-o"]);
    let before = ann.export();
    let whole = fs::read(eve.dir().join("log.bundle")).unwrap();
    let hand_in = |bytes: &[u8]| {
        fs::write(ann.dir().join("log.bundle"), bytes).unwrap();
        ann.run(&["import", "--from", "bundle", "log.bundle"])
    };
    hand_in(&whole).refused(5, &["project eve's shop", "this is shop"]);
    hand_in(&whole[..whole.len() - 3]).refused(1, &["truncated"]);
    hand_in(&whole[..50]).refused(1, &["truncated"]);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 0x40;
    hand_in(&flipped).refused(1, &["copy it again"]);
    hand_in(b"PK and more").refused(1, &["not a towline bundle"]);
    hand_in(b"").refused(1, &["not a towline bundle"]);
    ann.run(&["import", "--from", "bundle", "nowhere.bundle"])
        .refused(3, &["nowhere.bundle"]);
    ann.run(&["import", "--from", "bundle", "-"])
        .refused(2, &["name the file"]);
    assert_eq!(ann.export(), before);
    ann.is_sound();
    let nobody = Place::of("nobody");
    fs::write(nobody.dir().join("log.bundle"), &whole).unwrap();
    let refused = nobody.run(&["import", "--from", "bundle", "log.bundle"]);
    let code = refused.code.unwrap();
    refused.refused(code, &["towline join TICKET"]);
}

#[test]
fn broken_lines_are_named_and_the_rest_is_imported() {
    let ann = Place::of("ann");
    ann.init("shop");
    for title in ["One", "Two", "Three"] {
        ann.create(title);
    }
    ann.run(&["depends", "add", "1", "3"]).ok();
    let export = ann.export();
    let lines: Vec<&str> = export.lines().collect();
    let ben = Place::of("ben");
    ben.init("other");
    let file = format!(
        "{}\n{{\"schema\":\"x\"}}\n{}\n{}",
        lines[0],
        lines[2],
        &lines[1][..70]
    );
    fs::write(ben.dir().join("items.jsonl"), file).unwrap();
    let dry = ben.run(&["import", "--from", "jsonl", "items.jsonl", "--dry-run"]);
    dry.refused(1, &["line 2", "line 4", "truncated"]);
    assert_eq!(ben.export(), "");
    ben.run(&["import", "--from", "jsonl", "items.jsonl"])
        .refused(1, &["line 2", "line 4", "truncated"]);
    let whole = format!("{}\n{}\n", lines[0], lines[2]);
    assert_eq!(
        ben.export(),
        whole,
        "what was whole is there, with its numbers and what waits for what"
    );
    ben.is_sound();
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for folder in ["tasks", "drafts", "archive/tasks"] {
        for entry in fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            all.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    all
}

#[test]
fn markdown_goes_into_a_folder_of_its_own() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("../../It's: [a] #title");
    ann.run(&[
        "create",
        "bug",
        "Crash",
        "--body",
        "Boom.\n<!-- SECTION:DESCRIPTION:END -->\n## Steps",
        "-p",
        "0",
    ])
    .ok();
    ann.run(&["depends", "add", "1", "2"]).ok();
    ann.run(&["criteria", "2", "add", "it holds"]).ok();
    ann.run(&["comment", "2", "Seen\n---\ntwice"]).ok();
    ann.run(&["create", "spike", "Later", "--upcoming"]).ok();
    ann.create("Never");
    ann.run(&["abandon", "4"]).ok();
    ann.create("Gone");
    ann.run(&["delete", "5"]).ok();
    ann.run(&["export", "--to", "markdown"]).refused(2, &["-o"]);
    let said = ann.run(&["export", "--to", "markdown", "-o", "out"]);
    assert!(said.err.contains("4 files"), "{said}");
    let first = files(&ann.dir().join("out"));
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let want = [
        "archive/tasks/task-4 - Never.md",
        "drafts/task-3 - Later.md",
        "tasks/task-1 - It-s-a-title.md",
        "tasks/task-2 - Crash.md",
    ];
    assert_eq!(names, want);
    let crash = &first["tasks/task-2 - Crash.md"];
    for part in [
        "id: task-2\ntitle: 'Crash'\nstatus: To Do\n",
        "reporter: '@ann'\n",
        "priority: critical\ntype: bug\n",
        "<!-- SECTION:DESCRIPTION:BEGIN -->\nBoom.\n&lt;!-- SECTION:DESCRIPTION:END -->\n## Steps\n<!-- SECTION:DESCRIPTION:END -->",
        "<!-- AC:BEGIN -->\n- [ ] #1 it holds\n<!-- AC:END -->",
        "author: @ann\n",
        "---\nSeen\n ---\ntwice\n---\n",
    ] {
        assert!(crash.contains(part), "{part:?} is missing: {crash}");
    }
    let odd = &first["tasks/task-1 - It-s-a-title.md"];
    assert!(odd.contains("title: '../../It''s: [a] #title'\n"), "{odd}");
    assert!(odd.contains("dependencies:\n  - 'task-2'\n"), "{odd}");
    ann.run(&["export", "--to", "markdown", "-o", "out"]).ok();
    assert_eq!(files(&ann.dir().join("out")), first, "the same bytes again");
    fs::write(ann.dir().join("out/mine.txt"), "mine").unwrap();
    ann.run(&["export", "--to", "markdown", "-o", "out"])
        .refused(2, &["mine.txt", "--yes"]);
    ann.run(&["export", "--to", "markdown", "-o", "out", "--yes"])
        .ok();
    assert_eq!(
        fs::read_to_string(ann.dir().join("out/mine.txt")).unwrap(),
        "mine"
    );
}

#[test]
fn a_table_has_the_columns_of_others_first() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("=cmd|' /C calc'!A0, \"quoted\"");
    ann.run(&["start", "1"]).ok();
    let table = ann.run(&["export", "--to", "csv"]).ok();
    let header = "Issue ID,Title,Description,Status,Priority,Project,Assignee(s),Creator,Created,Updated,Start Date,Due Date,Completed,Parent Issue,Kind,";
    assert!(table.starts_with(header), "{table}");
    let row = table.split("\r\n").nth(1).unwrap();
    assert!(
        row.starts_with("1,\"'=cmd|' /C calc'!A0, \"\"quoted\"\"\",,In progress,Medium,shop,,ann,"),
        "{row}"
    );
    ann.run(&["export", "--to", "csv", "-o", "items.csv"]).ok();
    assert_eq!(fs::read_to_string(ann.dir().join("items.csv")).unwrap(), table);
}

#[test]
fn an_export_to_a_device_writes_to_it_and_does_not_replace_it() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Sign in");
    let device = ann.dir().join("device");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    let is_kept = || fs::symlink_metadata(&device).unwrap().file_type().is_symlink();
    for format in ["jsonl", "csv"] {
        ann.run(&["export", "--to", format, "-o", "device"]).ok();
        assert!(is_kept(), "{format} replaced the device");
    }
    ann.run(&["export", "--to", "bundle", "-o", "device"])
        .refused(2, &["name a file"]);
    assert!(is_kept(), "a bundle replaced the device");
}
