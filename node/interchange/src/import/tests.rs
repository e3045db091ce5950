//! The beads importer against the real tracker in `tests/data` and against broken files.

mod forms;

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use towline_api::request::{ImportItem, ImportStage, RelationKind};
use towline_proto::{Column, Kind, LinkKind, text};

use super::beads;
use super::{LINE_BYTES, Parsed, Section};

fn tracker() -> Vec<u8> {
    std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/beads-tracker.jsonl"
    ))
    .expect("the tracker is part of the repository")
}

fn read(text: &str) -> Parsed {
    beads::read(text.as_bytes())
}

fn one(text: &str) -> ImportItem {
    let parsed = read(text);
    assert_eq!(parsed.problems, [], "{text}");
    assert_eq!(parsed.items.len(), 1, "{text}");
    parsed.items.into_iter().next().expect("one")
}

fn counts<T: Debug>(all: impl Iterator<Item = T>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(format!("{one:?}")).or_default() += 1;
    }
    counts
}

fn map<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    pairs
        .into_iter()
        .map(|(key, count)| (key.to_owned(), count))
        .collect()
}

#[test]
fn every_issue_of_a_real_tracker_comes_over() {
    let parsed = beads::read(tracker().as_slice());
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.items.len(), 3_003);
    assert_eq!(
        counts(parsed.items.iter().map(|item| item.kind)),
        map([("Bug", 353), ("Epic", 169), ("Story", 2_481)])
    );
    let stage = |item: &ImportItem| match &item.stage {
        ImportStage::Open { column } => column.as_str(),
        ImportStage::Done => "done",
        ImportStage::Abandoned { .. } => "abandoned",
        ImportStage::Deleted { .. } => "deleted",
    };
    assert_eq!(
        counts(parsed.items.iter().map(stage)),
        map([
            ("\"backlog\"", 311),
            ("\"coding\"", 28),
            ("\"deleted\"", 346),
            ("\"done\"", 2_318)
        ])
    );
    assert_eq!(
        counts(parsed.relations.iter().map(|relation| relation.kind)),
        map([
            ("DependsOn", 644),
            ("Epic", 651),
            ("Related", 86),
            ("SupersededBy", 2)
        ])
    );
    let tally = |section, key| parsed.tally.get(section, key);
    assert_eq!(tally(Section::Kinds, "merge-request -> story"), 102);
    assert_eq!(tally(Section::Fields, "description -> body"), 2_164);
    assert_eq!(
        tally(Section::Fields, "close_reason -> body, under a heading"),
        1_239
    );
    let owners = tally(Section::Fields, "owner -> creator, if nobody else is named")
        + tally(Section::Fields, "owner -> creator")
        + tally(Section::NotCarried, "owner, if somebody else is the creator");
    assert_eq!(owners, 497);
    assert_eq!(tally(Section::Fields, "ephemeral -> label"), 820);
    assert_eq!(tally(Section::Fields, "comment -> comment"), 16);
    assert_eq!(tally(Section::Kinds, "story with parts -> epic"), 5);
    assert_eq!(
        tally(
            Section::Relations,
            "parent-child -> related, because it already has an epic"
        ),
        4
    );
    assert_eq!(
        tally(Section::Fields, "ended before it was created -> time of creation"),
        38
    );
    assert_eq!(tally(Section::Shortened, "title"), 1);
    assert_eq!(tally(Section::NotCarried, "timeout"), 2);
    let left: Vec<_> = parsed
        .tally
        .0
        .keys()
        .filter(|(section, _)| *section == Section::NotCarried)
        .collect();
    assert_eq!(left.len(), 8, "{left:?}");
}

#[test]
fn everything_that_comes_over_can_be_written() {
    for item in beads::read(tracker().as_slice()).items {
        assert!(text::title(&item.title).is_ok(), "{item:?}");
        assert!(text::body(&item.body).is_ok(), "{item:?}");
        for name in item
            .labels
            .iter()
            .chain(&item.assignee)
            .chain([&item.created_by, &item.external])
        {
            assert!(text::name(name).is_ok(), "{item:?}");
        }
        assert!(
            item.created_at.0 > 0 && item.updated_at >= item.created_at,
            "{item:?}"
        );
    }
}

#[test]
fn the_summary_names_what_was_left_out() {
    let rendered = beads::read(tracker().as_slice()).tally.render();
    let (_, left) = rendered.split_once("not carried over\n").expect("a section");
    assert!(left.contains("     347  original_type\n"), "{rendered}");
    assert!(
        rendered.starts_with("kinds\n      27  agent -> story\n     353  bug -> bug\n"),
        "{rendered}"
    );
}

#[test]
fn each_status_has_its_place() {
    let at = |status: &str| one(&format!(r#"{{"id":"a","title":"T","status":"{status}"}}"#));
    let open = |column| ImportStage::Open { column };
    assert_eq!(at("open").stage, open(Column::Backlog));
    assert_eq!(at("in_progress").stage, open(Column::Coding));
    assert_eq!(at("hooked").stage, open(Column::Coding));
    assert_eq!(at("hooked").labels, ["status:hooked"]);
    assert_eq!(at("blocked").stage, open(Column::Backlog));
    assert_eq!(at("blocked").blocked.as_deref(), Some(beads::BLOCKED));
    assert!(at("deferred").frozen);
    assert_eq!(at("pinned").labels, ["status:pinned"]);
    assert_eq!(at("closed").stage, ImportStage::Done);
    assert_eq!(at("in_review").labels, ["status:in_review"]);
    assert_eq!(at("in_review").stage, open(Column::Backlog));
    let gone = one(
        r#"{"id":"a","title":"T","status":"tombstone","delete_reason":"noise","deleted_by":"ann","deleted_at":"2026-01-02T00:00:00Z"}"#,
    );
    let reason = Some("noise (deleted by ann)".to_owned());
    assert_eq!(gone.stage, ImportStage::Deleted { reason });
    assert_eq!(gone.updated_at.to_string(), "2026-01-02T00:00:00Z");
}

#[test]
fn what_has_no_field_here_stands_in_the_body() {
    let item = one(concat!(
        r#"{"id":"bd-1","title":"Ship it","description":"Why.\n","design":"How.","acceptance_criteria":"- it ships","#,
        r#""notes":"Careful.","close_reason":"Shipped","status":"closed","issue_type":"feature","priority":0,"#,
        r#""owner":"ann@example.org","external_ref":"gh-7","created_at":"2025-11-02T21:58:07-08:00"}"#
    ));
    assert_eq!(
        item.body,
        "Why.\n\n## Design\n\nHow.\n\n## Acceptance criteria\n\n- it ships\n\n## Notes\n\nCareful.\n\n## Close reason\n\nShipped"
    );
    assert_eq!((item.kind, item.priority), (Kind::Story, 0));
    assert_eq!(item.labels, [""; 0]);
    assert_eq!(item.created_by, "ann@example.org");
    assert_eq!(item.assignee, None);
    assert_eq!(item.links, [(LinkKind::External, "gh-7".to_owned())]);
    assert_eq!(item.created_at.to_string(), "2025-11-03T05:58:07Z");
}

#[test]
fn a_title_that_is_too_long_stands_whole_in_the_body() {
    let long = format!("{}\\n{}", "x".repeat(150), "y".repeat(150));
    let item = one(&format!(r#"{{"id":"a","title":"{long}"}}"#));
    assert_eq!(item.title.chars().count(), 200);
    assert!(item.body.starts_with("## Full title\n\nxxx") && item.body.ends_with('y'));
}

#[test]
fn no_issue_can_pass_for_another_at_the_next_import() {
    let item = one(r#"{"id":"a","title":"T","issue_type":"bug","external_ref":" beads:b"}"#);
    assert_eq!(
        (item.links, item.labels),
        (vec![], vec!["see:beads:b".to_owned()])
    );
}

#[test]
fn relations_keep_their_direction() {
    let relation = |word: &str| {
        format!(
            r#"{{"issue_id":"new","depends_on_id":"old","type":"{word}","created_by":"ann","created_at":"2026-01-02T00:00:00Z"}}"#
        )
    };
    let parsed = read(&format!(
        "{{\"id\":\"new\",\"title\":\"N\",\"dependencies\":[{},{}]}}\n{{\"id\":\"old\",\"title\":\"O\"}}\n",
        relation("blocks"),
        relation("supersedes"),
    ));
    assert_eq!(parsed.problems, []);
    let said: Vec<_> = parsed
        .relations
        .iter()
        .map(|r| (r.from.as_str(), r.kind, r.to.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("beads:new", RelationKind::DependsOn, "beads:old"),
            ("beads:new", RelationKind::SupersededBy, "beads:old"),
        ]
    );
    assert_eq!(parsed.relations[0].by, "ann");
    let related = |word: &str| parsed.tally.get(Section::Relations, word);
    assert_eq!(related("supersedes -> superseded by"), 1);
}

#[test]
fn the_summary_does_not_say_superseded_of_what_only_is_related() {
    let text = concat!(
        r#"{"id":"old","title":"O","status":"closed","dependencies":[{"issue_id":"old","depends_on_id":"new","type":"supersedes"}]}"#,
        "\n",
        r#"{"id":"new","title":"N"}"#,
    );
    let tally = read(text).tally;
    let said = "supersedes -> related, because it is already closed";
    assert_eq!(tally.get(Section::Relations, said), 1, "{}", tally.render());
    let issues = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/github-issues.json"
    ));
    let tally = super::github::read(issues.unwrap().as_slice()).tally;
    let said = "duplicate -> related, because it is already closed";
    assert_eq!(tally.get(Section::Relations, said), 1, "{}", tally.render());
}

#[test]
fn a_broken_line_is_named_and_the_rest_is_read() {
    let text = [
        r#"{"id":"a","title":"first"}"#,
        "{ this is no issue",
        r#"["neither","is","this"]"#,
        r#"{"title":"no id"}"#,
        "",
        r#"{"id":"a","title":"first again"}"#,
        r#"{"_type":"memory","key":"k"}"#,
        r#"{"id":"b","title":7,"labels":"x","priority":"high","created_at":"yesterday"}"#,
        r#"{"id":"c","title":"last","dependencies":[{"depends_on_id":"nowhere"},{"depends_on_id":"c"},{}]}"#,
    ];
    let parsed = read(&text.join("\r\n"));
    let ids: Vec<_> = parsed.items.iter().map(|item| item.external.as_str()).collect();
    assert_eq!(ids, ["beads:a~1", "beads:a~2", "beads:b", "beads:c"]);
    assert_eq!(parsed.items[2].title, "b");
    let lines: Vec<_> = parsed.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 4, 8, 8, 8, 8, 9, 9]);
    let problem = |at: usize| parsed.problems[at].to_string();
    assert_eq!(
        problem(3),
        "line 8: `created_at`: invalid time \"yesterday\"; expected for example 2026-11-20T12:35:00Z"
    );
    assert_eq!(parsed.relations.len(), 1);
    assert_eq!(parsed.relations[0].to, "beads:nowhere");
    assert_eq!(
        parsed.notes,
        [
            "2 different issues have the id beads:a (line 1; line 6); each becomes an item of its own, and references to the id mean the oldest"
        ]
    );
    let records = parsed.records;
    assert_eq!((records.repeated, records.unreadable, records.others), (0, 3, 1));
    assert_eq!(parsed.tally.get(Section::NotCarried, "lines of type memory"), 1);
    assert_eq!(
        parsed
            .tally
            .get(Section::Problems, "lines and fields that could not be read"),
        9
    );
}

#[test]
fn a_file_cut_off_in_the_middle_says_so() {
    let whole = tracker();
    let parsed = beads::read(&whole[..whole.len() / 2]);
    assert!(parsed.items.len() > 1_000);
    let cut: Vec<_> = parsed
        .problems
        .iter()
        .filter(|problem| problem.what.contains("truncated"))
        .collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0].line, parsed.items.len() + 1);
}

#[test]
fn a_line_without_end_is_skipped_and_the_next_is_read() {
    let mut text = format!(r#"{{"id":"big","title":"{}"}}"#, "x".repeat(LINE_BYTES));
    text.push_str("\n{\"id\":\"a\",\"title\":\"after it\"}\n");
    let parsed = read(&text);
    assert_eq!(parsed.items.len(), 1);
    assert_eq!(parsed.problems[0].line, 1);
    assert!(parsed.problems[0].what.contains("longer than"));
}

#[test]
fn nothing_of_a_hostile_file_reaches_the_terminal_as_it_is() {
    let parsed = read(concat!(
        r#"{"id":"a\u001b[2J","title":"T"}"#,
        "\n",
        r#"{"id":"b","title":"\u202eT","labels":["\u200e"],"created_by":"\u200f","issue_type":"x\u001b[31m","zz\u001b":1}"#,
        "\n",
    ));
    assert_eq!(parsed.items.len(), 1);
    let item = &parsed.items[0];
    assert_eq!(
        (item.title.as_str(), item.created_by.as_str()),
        ("T", beads::NOBODY)
    );
    let shown = format!("{}{}", parsed.problems[0], parsed.tally.render());
    assert!(!shown.chars().any(|c| c != '\n' && text::is_unsafe(c)), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_importer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        beads::read(bytes.as_slice());
    }

    #[test]
    fn no_change_of_a_byte_makes_the_importer_panic(at in 0usize..20_000, byte in any::<u8>()) {
        let mut bytes = tracker();
        bytes.truncate(20_000);
        bytes[at] = byte;
        let parsed = beads::read(bytes.as_slice());
        prop_assert!(!parsed.items.is_empty());
    }
}
