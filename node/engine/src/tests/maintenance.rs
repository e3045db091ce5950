//! What a running node does by itself: promotion and retention.

use std::time::Duration;

use towline_api::request::{Administration, Command, Edit, ImportItem, ImportStage, Request, Transition};
use towline_proto::{Column, OriginKind, Verb};
use towline_store::home::Settings;
use towline_store::home::settings::Promote;

use super::pair::{Clock, Replica, meet, pair};

/// Longer than any node leaves a start to others.
const SPREAD: Duration = Duration::from_secs(6);
const MINUTE: Duration = Duration::from_secs(61);

fn auto() -> Settings {
    Settings {
        promote: Promote::Auto,
        ..Settings::default()
    }
}

fn column(replica: &mut Replica, item: &str) -> Column {
    replica.card(item).column
}

#[test]
fn an_item_starts_when_the_last_thing_that_it_waits_for_is_done() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    ann.project.override_settings(auto());
    ann.project.run_maintenance();
    for title in ["one", "two"] {
        ann.create(title, &[]);
    }
    ann.create("waits for both", &["1", "2"]);
    ann.project.run_maintenance();
    ann.does("1", Verb::Merged);
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "3"), Column::Backlog, "one is not done yet");
    ann.does("2", Verb::Merged);
    ann.project.run_maintenance();
    let page = ann.page("3");
    assert_eq!(page.card.column, Column::Coding);
    let line = page
        .history
        .iter()
        .find(|line| line.what.as_str() == "start")
        .unwrap();
    assert_eq!(
        (line.origin.kind, line.origin.id.as_str()),
        (OriginKind::System, "promotion")
    );
    assert_eq!(column(&mut ann, "1"), Column::Done);

    // By way of a successor as well.
    ann.create("replaced", &[]);
    ann.create("successor", &[]);
    ann.create("waits", &["4"]);
    let mut supersede = Transition::plain("4", Verb::Supersede);
    supersede.by = Some("5".into());
    ann.ask(Request::Command(Command::Transition(supersede)));
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "6"), Column::Backlog);
    ann.does("5", Verb::Merged);
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "6"), Column::Coding);
}

#[test]
fn what_a_person_decides_is_left_to_persons() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    ann.project.override_settings(auto());
    ann.project.run_maintenance();
    ann.create("first", &[]);
    for title in ["frozen", "deleted", "an epic", "put back", "rejected on"] {
        ann.create(title, &["1"]);
    }
    ann.create("depends on nothing", &[]);
    ann.does("2", Verb::Freeze);
    ann.does("3", Verb::Delete);
    ann.ask(Request::Command(Command::Edit(Edit {
        item: "4".into(),
        kind: Some(towline_proto::Kind::Epic),
        ..Edit::default()
    })));
    let mut force = Transition::plain("5", Verb::Start);
    (force.force, force.reason) = (true, Some("cannot wait".into()));
    ann.ask(Request::Command(Command::Transition(force)));
    let mut back = Transition::plain("5", Verb::Move);
    back.to = Some(Column::Backlog);
    ann.ask(Request::Command(Command::Transition(back)));
    ann.create("given up", &[]);
    ann.depends("6", "8");
    ann.does("8", Verb::Abandon);
    ann.does("1", Verb::Merged);
    for _ in 0..3 {
        ann.project.run_maintenance();
        clock.check_run(SPREAD);
    }
    for item in ["2", "3", "4", "5", "6", "7"] {
        assert_eq!(column(&mut ann, item), Column::Backlog, "{item}");
    }
    // Off the ice it can start; the others have not changed.
    ann.does("2", Verb::Unfreeze);
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "2"), Column::Coding);
}

#[test]
fn nothing_starts_by_itself_unless_the_settings_say_so() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    ann.create("first", &[]);
    ann.create("waits", &["1"]);
    ann.project.run_maintenance();
    ann.does("1", Verb::Merged);
    ann.project.run_maintenance();
    clock.check_run(SPREAD);
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "2"), Column::Backlog);
    // A full look at the start of a node finds what became ready before.
    let mut ann = ann.restart(&clock);
    ann.project.override_settings(auto());
    ann.project.run_maintenance();
    clock.check_run(SPREAD);
    ann.project.run_maintenance();
    assert_eq!(column(&mut ann, "2"), Column::Coding);
}

#[test]
fn two_nodes_that_start_the_same_item_concurrently_have_one_effect() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("first", &[]);
    ann.create("waits", &["1"]);
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        replica.project.override_settings(auto());
        replica.project.run_maintenance();
        replica.does("1", Verb::Merged);
        replica.project.run_maintenance();
        assert_eq!(column(replica, "2"), Column::Coding);
    }
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        let card = replica.card("2");
        assert_eq!((card.column, card.conflicts), (Column::Coding, 0));
        assert!(card.attention.is_empty());
    }
    // Whoever hears of it later leaves the start to the one who did it.
    ann.create("another", &[]);
    ann.create("waits too", &["3"]);
    ann.does("3", Verb::Merged);
    meet(&mut ann, &mut bo);
    bo.project.run_maintenance();
    assert_eq!(column(&mut bo, "4"), Column::Backlog);
    ann.project.run_maintenance();
    meet(&mut ann, &mut bo);
    clock.check_run(SPREAD);
    bo.project.run_maintenance();
    let starts = bo
        .page("4")
        .history
        .iter()
        .filter(|line| line.what.as_str() == "start")
        .count();
    assert_eq!(starts, 1);
}

#[test]
fn an_item_whose_other_dependency_is_suspended_starts_and_one_in_contention_does_not() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for title in ["one", "two", "first"] {
        ann.create(title, &[]);
    }
    ann.depends("1", "3");
    ann.depends("2", "3");
    meet(&mut ann, &mut bo);
    ann.depends("1", "2");
    bo.depends("2", "1");
    meet(&mut ann, &mut bo);
    ann.project.override_settings(auto());
    ann.does("3", Verb::Merged);
    ann.project.run_maintenance();
    clock.check_run(SPREAD);
    ann.project.run_maintenance();
    let columns = [column(&mut ann, "1"), column(&mut ann, "2")];
    assert!(
        columns.contains(&Column::Coding) && columns.contains(&Column::Backlog),
        "{columns:?}"
    );

    ann.create("contended", &["3"]);
    let mut ann = ann.restart(&clock);
    meet(&mut ann, &mut bo);
    for (replica, title) in [(&mut ann, "by ann"), (&mut bo, "by bo")] {
        replica.ask(Request::Command(Command::Edit(Edit {
            item: "4".into(),
            title: Some(title.into()),
            ..Edit::default()
        })));
    }
    meet(&mut ann, &mut bo);
    bo.project.override_settings(auto());
    bo.project.run_maintenance();
    clock.check_run(SPREAD);
    bo.project.run_maintenance();
    assert_eq!(column(&mut bo, "4"), Column::Backlog);
}

fn imported(number: usize) -> ImportItem {
    let at = super::pair::BEGIN;
    serde_json::from_value(serde_json::json!({
        "external": format!("other:{number}"), "kind": "story", "title": format!("item {number}"),
        "body": "", "priority": 2, "labels": [], "assignee": null, "created_by": "cy",
        "created_at": at, "updated_at": at,
        "stage": serde_json::to_value(ImportStage::Done).unwrap(),
        "frozen": false, "blocked": null, "comments": [], "links": [],
    }))
    .unwrap()
}

fn archive_after(replica: &mut Replica, value: &str) {
    replica.ask(Request::Command(Command::Set {
        key: "archive_after".into(),
        value: Some(value.into()),
    }));
}

fn archived(replica: &Replica) -> usize {
    let rows = replica.project.index.rows();
    rows.filter(|row| row.column == Column::Archived).count()
}

#[test]
fn what_has_been_over_for_long_goes_out_of_sight_a_hundred_at_a_time() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    for chunk in [0..150, 150..250] {
        let items = chunk.map(imported).collect();
        ann.ask(Request::Administration(Administration::ImportItems {
            items,
            dry_run: false,
        }));
    }
    ann.create("open", &[]);
    ann.project.run_maintenance();
    // As long as nodes spread it, but not the seven days.
    for _ in 0..11 {
        clock.check_run(MINUTE);
        ann.project.run_maintenance();
    }
    assert_eq!(archived(&ann), 0);
    clock.check_run(Duration::from_secs(7 * 86_400));
    let mut ann = ann.restart(&clock);
    ann.project.run_maintenance();
    clock.check_run(Duration::from_secs(59));
    ann.project.run_maintenance();
    assert_eq!(archived(&ann), 0, "not in the first minute");
    clock.check_run(Duration::from_secs(3_000));
    ann.project.run_maintenance();
    assert_eq!(archived(&ann), 0, "and what was imported not in the first hour");
    for (pass, wanted) in [(600, 100), (2, 100), (60, 200), (60, 250), (60, 250)] {
        clock.check_run(Duration::from_secs(pass));
        ann.project.run_maintenance();
        assert_eq!(archived(&ann), wanted);
    }
    assert_eq!(column(&mut ann, "251"), Column::Backlog);
    let line = ann.page("1").history.last().unwrap().clone();
    assert_eq!(
        (line.origin.kind, line.origin.id.as_str()),
        (OriginKind::System, "retention")
    );
}

#[test]
fn nothing_is_archived_early_twice_or_over_the_heads_of_people() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for title in ["contended", "ahead", "kept", "contradicted"] {
        ann.create(title, &[]);
    }
    archive_after(&mut ann, "4h");
    meet(&mut ann, &mut bo);
    // Bo's act names a time that has not come: his clock is ahead.
    let ahead = Clock::new();
    ahead.check_run(Duration::from_secs(30 * 3_600));
    let mut bo = bo.restart(&ahead);
    bo.does("2", Verb::Merged);
    let mut bo = bo.restart(&clock);
    // Done for Ann, abandoned for Bo: one of them lost, and nobody has looked at it.
    ann.does("1", Verb::Merged);
    bo.does("1", Verb::Abandon);
    let mut merged = Transition::plain("4", Verb::Merged);
    merged.commit = Some("3f2a1c9".into());
    ann.ask(Request::Command(Command::Transition(merged)));
    let mut block = Transition::plain("4", Verb::Block);
    block.reason = Some("it breaks the build".into());
    bo.ask(Request::Command(Command::Transition(block)));
    meet(&mut ann, &mut bo);
    assert_eq!(ann.card("4").attention.len(), 1);
    assert_eq!(ann.card("1").conflicts, 1);
    ann.project.run_maintenance();
    for _ in 0..8 {
        clock.check_run(Duration::from_secs(3_600));
        ann.project.run_maintenance();
    }
    assert_eq!(
        column(&mut ann, "2"),
        Column::Done,
        "it was not over for four hours"
    );
    assert_eq!(ann.card("1").conflicts, 1, "unresolved items stay visible");
    assert_eq!(
        column(&mut ann, "4"),
        Column::Done,
        "and so does what a fact contradicts"
    );
    ann.does("3", Verb::Merged);
    archive_after(&mut ann, "never");
    clock.check_run(Duration::from_secs(90 * 3_600));
    ann.project.run_maintenance();
    assert_eq!(archived(&ann), 0);
    archive_after(&mut ann, "4h");
    clock.check_run(MINUTE);
    ann.project.run_maintenance();
    assert_eq!(archived(&ann), 2, "in the end both without a conflict");
    meet(&mut ann, &mut bo);
    bo.project.run_maintenance();
    clock.check_run(MINUTE);
    bo.project.run_maintenance();
    let swept = bo
        .page("3")
        .history
        .iter()
        .filter(|line| line.what.as_str() == "archive")
        .count();
    assert_eq!(swept, 1, "what one node has archived is done with");
}
