//! One project's store: what was said done is there afterwards, whatever is thrown away.

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use towline_api::request::{
    Administration, Command, Failure, Filter, NewItem, Query, Reply, Request, Transition,
};
use towline_engine::handle::Job;
use towline_engine::{Project, ProjectOptions};
use towline_net::NetOutput;
use towline_proto::{Column, Kind, Origin, OriginKind, ProjectId, Role, Verb};
use towline_store::env::SystemEnvironment;

fn opening(dir: &Path) -> ProjectOptions {
    ProjectOptions {
        dir: dir.to_owned(),
        key: SigningKey::from_bytes(&[7; 32]),
        env: Box::new(SystemEnvironment),
    }
}

fn create(dir: &Path) -> Project {
    let genesis = Project::genesis(
        &SigningKey::from_bytes(&[7; 32]),
        &SystemEnvironment,
        "demo",
        "ann's laptop",
    );
    Project::create(opening(dir), &genesis).unwrap()
}

fn reopen(dir: &Path, id: ProjectId) -> Project {
    Project::open(opening(dir), id).unwrap()
}

fn ann() -> Origin {
    Origin::new(OriginKind::User, "ann").unwrap()
}

fn ask(project: &mut Project, request: Request) -> Result<Reply, Failure> {
    project.request(Some(&ann()), request)
}

fn story(title: &str) -> Request {
    let json = serde_json::json!({ "kind": "story", "title": title, "body": "As a user I want it." });
    Request::Command(Command::Create(serde_json::from_value::<NewItem>(json).unwrap()))
}

fn transition(item: &str, verb: Verb) -> Request {
    Request::Command(Command::Transition(Transition::plain(item, verb)))
}

fn everything(project: &mut Project) -> String {
    let Reply::Lines(lines) = ask(
        project,
        Request::Administration(Administration::ExportLines {
            offset: 0,
            limit: 500,
        }),
    )
    .unwrap() else {
        panic!("lines")
    };
    let mut out = Vec::new();
    towline_interchange::export::jsonl::write(lines, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn events(project: &mut Project) -> Vec<(u64, String)> {
    let Reply::Events(events) = ask(
        project,
        Request::Query(Query::Events {
            after: 0,
            limit: 1_000,
        }),
    )
    .unwrap() else {
        panic!("events")
    };
    events
        .into_iter()
        .map(|event| (event.position, event.event.id.to_string()))
        .collect()
}

fn assert_healthy(project: &mut Project) {
    let Reply::Doctor(doctor) = ask(project, Request::Administration(Administration::Doctor)).unwrap() else {
        panic!("doctor")
    };
    assert_eq!(doctor.findings, Vec::<String>::new());
}

#[test]
fn what_was_done_is_there_after_a_clean_stop_a_crash_and_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    let id = project.id();
    ask(&mut project, story("Ship it")).unwrap();
    ask(&mut project, story("Test it")).unwrap();
    ask(&mut project, transition("1", Verb::Start)).unwrap();
    let (before, feed) = (everything(&mut project), events(&mut project));
    assert_eq!(before.lines().count(), 2);
    project.close();

    let mut project = reopen(dir.path(), id);
    assert_eq!(everything(&mut project), before);
    ask(&mut project, transition("1", Verb::Submit)).unwrap();
    let (before, feed_then) = (everything(&mut project), events(&mut project));
    assert!(feed_then.starts_with(&feed));
    // Dropped without `close`: the cache lags behind the log, as after `kill -9`.
    drop(project);

    let mut project = reopen(dir.path(), id);
    assert_eq!(everything(&mut project), before);
    assert_eq!(
        events(&mut project),
        feed_then,
        "the same log gives the same feed"
    );
    assert_healthy(&mut project);
    ask(&mut project, Request::Administration(Administration::Rebuild)).unwrap();
    assert_eq!(everything(&mut project), before);
    assert_eq!(events(&mut project), feed_then);
    assert_healthy(&mut project);
    project.close();

    std::fs::remove_dir_all(dir.path().join("cache")).unwrap();
    let mut project = reopen(dir.path(), id);
    assert_eq!(everything(&mut project), before);
    assert_healthy(&mut project);
}

#[test]
fn a_refused_request_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    ask(&mut project, story("Ship it")).unwrap();
    let before = everything(&mut project);
    let refused = |project: &mut Project, request| ask(project, request).unwrap_err().code.exit();

    assert_eq!(refused(&mut project, transition("1", Verb::Approve)), 5);
    assert_eq!(
        refused(&mut project, transition("1", Verb::Block)),
        2,
        "a reason is missing"
    );
    assert_eq!(refused(&mut project, transition("2", Verb::Start)), 3);
    assert_eq!(refused(&mut project, story("two\nlines")), 2);
    let failure = project.request(None, story("Nobody's")).unwrap_err();
    assert_eq!(failure.code.exit(), 2);
    assert!(failure.message.contains("no user name"), "{failure}");
    let mut stale = Transition::plain("1", Verb::Start);
    stale.expect = Some("0000000000000000".into());
    let failure = ask(&mut project, Request::Command(Command::Transition(stale))).unwrap_err();
    assert_eq!(
        (failure.code.exit(), failure.current.unwrap().column),
        (5, Column::Backlog)
    );
    assert_eq!(everything(&mut project), before);
    assert_healthy(&mut project);
}

#[test]
fn a_cycle_of_dependencies_is_refused_and_start_waits_for_what_is_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    for title in ["one", "two"] {
        ask(&mut project, story(title)).unwrap();
    }
    let depends = |item: &str, on: &str| {
        Request::Command(Command::Depends {
            item: item.into(),
            add: vec![on.into()],
            remove: vec![],
        })
    };
    ask(&mut project, depends("1", "2")).unwrap();
    assert_eq!(ask(&mut project, depends("2", "1")).unwrap_err().code.exit(), 5);
    assert_eq!(ask(&mut project, depends("1", "1")).unwrap_err().code.exit(), 5);
    let refused = ask(&mut project, transition("1", Verb::Start)).unwrap_err();
    assert!(refused.message.contains("waits for 2"), "{refused}");
    let Reply::Cards(ready) = ask(
        &mut project,
        Request::Query(Query::Ready {
            asker: None,
            all: false,
        }),
    )
    .unwrap() else {
        panic!("cards")
    };
    assert_eq!(
        ready.iter().map(|card| card.handle.as_str()).collect::<Vec<_>>(),
        ["2"]
    );
    // What no `--force` gets over is said first, with what lifts it.
    ask(&mut project, transition("1", Verb::Freeze)).unwrap();
    let refused = ask(&mut project, transition("1", Verb::Start)).unwrap_err();
    assert!(refused.message.contains("frozen; use `unfreeze`"), "{refused}");
    ask(&mut project, transition("1", Verb::Unfreeze)).unwrap();
    ask(&mut project, transition("2", Verb::Merged)).unwrap();
    ask(&mut project, transition("1", Verb::Start)).unwrap();
}

#[test]
fn lists_show_what_is_open_and_search_finds_words_in_bodies() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    for title in ["Fix the login", "Paint the shed"] {
        ask(&mut project, story(title)).unwrap();
    }
    let mut reject = Transition::plain("2", Verb::Reject);
    reject.reason = Some("no shed".into());
    ask(&mut project, Request::Command(Command::Transition(reject))).unwrap();
    let mut titles = |request| match ask(&mut project, request).unwrap() {
        Reply::Cards(cards) => cards.into_iter().map(|card| card.title).collect::<Vec<_>>(),
        _ => panic!("cards"),
    };
    assert_eq!(
        titles(Request::Query(Query::List(Filter::default()))),
        ["Fix the login"]
    );
    assert_eq!(
        titles(Request::Query(Query::List(Filter {
            all: true,
            kinds: vec![Kind::Story],
            ..Filter::default()
        })))
        .len(),
        2
    );
    assert_eq!(
        titles(Request::Query(Query::Search {
            text: "user LOGIN".into(),
            limit: 10
        })),
        ["Fix the login"]
    );
}

#[test]
fn a_body_is_found_before_and_after_it_is_stored_and_as_it_was_edited() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    let id = project.id();
    ask(&mut project, story("Fix the login")).unwrap();
    ask(&mut project, story("Paint the shed")).unwrap();
    let found = |project: &mut Project, text: &str| {
        let text = text.into();
        match ask(project, Request::Query(Query::Search { text, limit: 10 })).unwrap() {
            Reply::Cards(cards) => cards.into_iter().map(|card| card.handle).collect::<Vec<_>>(),
            _ => panic!("cards"),
        }
    };
    assert_eq!(found(&mut project, "USER login"), ["1"]);
    project.close();
    let mut project = reopen(dir.path(), id);
    assert_eq!(found(&mut project, "want user"), ["1", "2"]);
    let edit = towline_api::request::Edit {
        item: "2".into(),
        body: Some("Green, with a Roof.".into()),
        ..Default::default()
    };
    ask(&mut project, Request::Command(Command::Edit(edit))).unwrap();
    for _ in 0..2 {
        assert_eq!(found(&mut project, "user"), ["1"]);
        assert_eq!(found(&mut project, "roof shed"), ["2"]);
        project.close();
        project = reopen(dir.path(), id);
    }
}

#[test]
fn a_damaged_log_is_reported_refuses_writes_and_can_be_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let mut project = create(dir.path());
    let id = project.id();
    for title in ["one", "two", "three", "four"] {
        ask(&mut project, story(title)).unwrap();
    }
    project.close();
    let segment = dir.path().join("log/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = find(&bytes, b"three");
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();

    let mut project = reopen(dir.path(), id);
    let Reply::Doctor(doctor) = ask(&mut project, Request::Administration(Administration::Doctor)).unwrap()
    else {
        panic!("doctor")
    };
    assert!(
        doctor
            .findings
            .iter()
            .any(|finding| finding.contains("log segment 1 is damaged")),
        "{doctor:?}"
    );
    let refused = ask(&mut project, story("five")).unwrap_err();
    assert!(refused.message.contains("log segment 1 is damaged"), "{refused}");
    drop(project);

    // What a mending that was killed may leave behind: a half-made log that must not be taken for one.
    std::fs::create_dir_all(dir.path().join("mending/log")).unwrap();
    std::fs::write(dir.path().join("mending/log/00000001.seg"), b"half").unwrap();
    let repaired = Project::repair(opening(dir.path()), id).unwrap();
    // The genesis and the first two; the fourth follows the third in this node's chain.
    assert_eq!((repaired.kept, repaired.left_out, repaired.gaps), (3, 1, 1));
    assert!(repaired.old_log.exists());
    let mut project = reopen(dir.path(), id);
    assert_healthy(&mut project);
    assert_eq!(everything(&mut project).lines().count(), 2);
    ask(&mut project, story("five")).unwrap();
    assert_healthy(&mut project);
    let before = everything(&mut project);
    project.close();

    // Killed between setting the old log aside and putting the new one in its place.
    std::fs::create_dir(dir.path().join("mending")).unwrap();
    std::fs::rename(dir.path().join("log"), dir.path().join("mending/log")).unwrap();
    assert!(Project::open(opening(dir.path()), id).is_err());
    let repaired = Project::repair(opening(dir.path()), id).unwrap();
    assert_eq!((repaired.left_out, repaired.gaps), (0, 0));
    let mut project = reopen(dir.path(), id);
    assert_eq!(everything(&mut project), before);
    assert_healthy(&mut project);
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}

#[test]
fn the_network_knows_that_a_ticket_is_out_before_anybody_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let (net, mut told) = tokio::sync::mpsc::channel(64);
    let addresses = || vec!["/ip4/127.0.0.1/tcp/7".to_owned()];
    let started = towline_engine::start(create(folder.path()), Some(net), Arc::new(addresses)).unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let body = Box::new(Request::Administration(Administration::Invite {
        role: Role::Writer,
        valid_ms: 60_000,
    }));
    let origin = Some(ann());
    started
        .link
        .jobs
        .blocking_send(Job::Request { origin, body, reply })
        .unwrap();
    answer.blocking_recv().unwrap().unwrap();
    let mut joinable = false;
    while let Ok(output) = told.try_recv() {
        if let NetOutput::Members { joinable: now, .. } = output {
            joinable = now;
        }
    }
    assert!(joinable, "whoever shows the ticket at once would be hung up on");
    started.link.jobs.blocking_send(Job::Stop).unwrap();
    started.thread.join().unwrap();
}
