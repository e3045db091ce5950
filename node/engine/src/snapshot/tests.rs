//! The snapshot says what the project says, or nothing.

use std::path::Path;

use ed25519_dalek::SigningKey;
use towline_api::request::{Administration, Command, Filter, IMPORT_CHUNK, NewItem, Query, Transition};
use towline_interchange::import::beads;
use towline_proto::{Column, CriterionState, Kind, Origin, OriginKind, ProjectId, Status, Verb};
use towline_store::env::SystemEnvironment;

use super::*;
use crate::Project;
use crate::ProjectOptions;

/// Items of the real tracker that are taken: every kind of stage and relation is among them.
const ITEMS: usize = 400;

/// A moment behind everything that was done.
const LATER: towline_proto::Millis = towline_proto::Millis(u64::MAX);

fn opening(dir: &Path) -> ProjectOptions {
    ProjectOptions {
        dir: dir.to_owned(),
        key: SigningKey::from_bytes(&[7; 32]),
        env: Box::new(SystemEnvironment),
    }
}

fn create(dir: &Path) -> Project {
    let key = SigningKey::from_bytes(&[7; 32]);
    let genesis = Project::genesis(&key, &SystemEnvironment, "demo", "ann's laptop");
    Project::create(opening(dir), &genesis).unwrap()
}

fn reopen(dir: &Path, id: ProjectId) -> Project {
    Project::open(opening(dir), id).unwrap()
}

fn ask(project: &mut Project, request: Request) {
    let ann = Origin::new(OriginKind::User, "ann").unwrap();
    project.request(Some(&ann), request).unwrap();
}

fn story(title: &str) -> Request {
    let json = serde_json::json!({ "kind": "story", "title": title, "labels": ["shop"] });
    Request::Command(Command::Create(serde_json::from_value::<NewItem>(json).unwrap()))
}

/// Lists of every sort.
fn questions() -> Vec<Request> {
    let all = || Filter {
        all: true,
        ..Filter::default()
    };
    let mut filters = vec![
        Filter::default(),
        all(),
        Filter {
            deleted: true,
            ..all()
        },
        Filter {
            limit: 7,
            ..Filter::default()
        },
        Filter {
            kinds: vec![Kind::Bug, Kind::Epic],
            ..all()
        },
        Filter {
            text: Some("Fix the".into()),
            ..all()
        },
        Filter {
            labels: vec!["shop".into()],
            ..Filter::default()
        },
        Filter {
            assignee: Some("ann".into()),
            ..all()
        },
        Filter {
            priorities: vec![0, 2],
            created_since: Millis(1),
            updated_since: Millis(1_764_547_200_000),
            ..all()
        },
        Filter {
            statuses: vec![Status::Blocked, Status::Done],
            limit: 20,
            ..Filter::default()
        },
    ];
    filters.extend(Column::ALL.iter().map(|column| Filter {
        columns: vec![*column, Column::Closed],
        ..Filter::default()
    }));
    let lists = filters.into_iter().map(|filter| Query::List(filter).into());
    lists
        .chain([false, true].map(|all| Request::Query(Query::Ready { asker: None, all })))
        .chain([false, true].map(|all| {
            Request::Query(Query::Ready {
                asker: Some("ann".into()),
                all,
            })
        }))
        .collect()
}

fn json(reply: Reply) -> String {
    serde_json::to_string(&reply).unwrap()
}

fn truth(project: &mut Project) -> Vec<String> {
    let answers = questions()
        .into_iter()
        .map(|request| project.answer(None, request));
    answers.map(|reply| json(reply.unwrap())).collect()
}

fn told(dir: &Path) -> Vec<Option<String>> {
    let answers = questions()
        .into_iter()
        .map(|request| answer(dir, &request, LATER));
    answers.map(|reply| reply.map(json)).collect()
}

fn all_told(dir: &Path) -> Vec<String> {
    told(dir)
        .into_iter()
        .map(|reply| reply.expect("an answer"))
        .collect()
}

#[test]
fn a_real_tracker_is_listed_the_same_from_the_snapshot_and_from_the_store() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/beads-tracker.jsonl"
    );
    let mut parsed = beads::read(std::fs::read(path).unwrap().as_slice());
    parsed.items.truncate(ITEMS);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let mut project = create(dir);
    let id = project.id();
    let dry_run = false;
    for items in parsed.items.chunks(IMPORT_CHUNK) {
        let items = items.to_vec();
        ask(
            &mut project,
            Request::Administration(Administration::ImportItems { items, dry_run }),
        );
    }
    for relations in parsed.relations.chunks(IMPORT_CHUNK) {
        let relations = relations.to_vec();
        ask(
            &mut project,
            Request::Administration(Administration::ImportRelations { relations, dry_run }),
        );
    }
    // What the tracker lacks: a claim, criteria, a hold, a forced start, an item that waits.
    ask(&mut project, story("Sell ropes"));
    let shop = (ITEMS + 1).to_string();
    ask(
        &mut project,
        Request::Command(Command::Transition(Transition::plain(&shop, Verb::Start))),
    );
    let (item, text) = (shop.clone(), "they hold".to_owned());
    ask(
        &mut project,
        Request::Command(Command::AddCriterion { item, text }),
    );
    let judged = Request::Command(Command::SetCriterion {
        item: shop.clone(),
        index: 1,
        state: CriterionState::Met,
        evidence: None,
        expect: None,
        state_base: None,
    });
    ask(&mut project, judged);
    ask(&mut project, story("Sell more ropes"));
    let more = (ITEMS + 2).to_string();
    let depends = Request::Command(Command::Depends {
        item: more.clone(),
        add: vec![shop],
        remove: Vec::new(),
    });
    ask(&mut project, depends);
    let mut block = Transition::plain(&more, Verb::Block);
    block.reason = Some("no hemp".into());
    ask(&mut project, Request::Command(Command::Transition(block)));

    let expected = truth(&mut project);
    assert_eq!(
        told(dir),
        vec![None; expected.len()],
        "there is none before the store is closed"
    );
    project.close();
    assert_eq!(all_told(dir), expected);
    assert!(
        expected.iter().filter(|answer| answer.len() > 1_000).count() > 8,
        "they say something"
    );
    // Opening and closing without a change leaves the file alone.
    let written = std::fs::metadata(dir.join(FILE)).unwrap().modified().unwrap();
    let mut project = reopen(dir, id);
    assert_eq!(truth(&mut project), expected);
    project.close();
    assert_eq!(
        std::fs::metadata(dir.join(FILE)).unwrap().modified().unwrap(),
        written
    );
    assert!(answer(dir, &Request::Query(Query::Status), LATER).is_none());
    let epic = Filter {
        epic: Some("1".into()),
        ..Filter::default()
    };
    assert!(answer(dir, &Request::Query(Query::List(epic)), LATER).is_none());
}

/// A closed project with a few items, and what it says.
fn small(dir: &Path) -> (ProjectId, Vec<String>) {
    let mut project = create(dir);
    for number in 0..30 {
        ask(&mut project, story(&format!("Story {number}")));
    }
    for item in ["3", "5", "8"] {
        ask(
            &mut project,
            Request::Command(Command::Transition(Transition::plain(item, Verb::Merged))),
        );
    }
    ask(
        &mut project,
        Request::Command(Command::Transition(Transition::plain("9", Verb::Delete))),
    );
    let (id, said) = (project.id(), truth(&mut project));
    project.close();
    (id, said)
}

#[test]
fn a_snapshot_that_is_older_than_the_log_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (id, before) = small(dir);
    let old = std::fs::read(dir.join(FILE)).unwrap();
    let mut project = reopen(dir, id);
    ask(&mut project, story("One more"));
    let after = truth(&mut project);
    assert_ne!(before, after);
    // As `kill -9` leaves it: the log has the change, the snapshot has not.
    drop(project);
    assert_eq!(told(dir), vec![None; after.len()]);
    reopen(dir, id).close();
    assert_eq!(all_told(dir), after);

    // The old file comes back, as from a backup of half of the folder.
    let new = std::fs::read(dir.join(FILE)).unwrap();
    std::fs::write(dir.join(FILE), old).unwrap();
    assert_eq!(told(dir), vec![None; after.len()]);
    // The other half: the file is new and the log ends earlier, or another record ends in its place.
    std::fs::write(dir.join(FILE), new).unwrap();
    assert_eq!(all_told(dir), after);
    let segment = dir.join("log/00000001.seg");
    let log = std::fs::read(&segment).unwrap();
    let Some(last) = reopen(dir, id).store.applied_up_to() else {
        panic!("something was applied")
    };
    let last = (last & 0xffff_ffff) as usize;
    let mut other = log.clone();
    other[last + 9] ^= 1;
    std::fs::write(&segment, &other).unwrap();
    assert_eq!(told(dir), vec![None; after.len()]);
    other[last..].fill(0);
    std::fs::write(&segment, &other).unwrap();
    assert_eq!(told(dir), vec![None; after.len()]);
    std::fs::write(&segment, &log).unwrap();
    assert_eq!(all_told(dir), after);
    std::fs::write(dir.join("log/00000002.seg"), b"").unwrap();
    assert_eq!(told(dir), vec![None; after.len()]);
}

#[test]
fn a_damaged_snapshot_gives_correct_cards_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (id, said) = small(dir);
    let path = dir.join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let mut silent = 0;
    // Every byte of the header and the table, and some of the blocks'.
    let table = 64 + 20 * whole[24] as usize;
    let places: Vec<_> = (0..table).chain((table..whole.len()).step_by(23)).collect();
    for at in places.iter().copied() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        for (told, said) in told(dir).into_iter().zip(&said) {
            silent += usize::from(told.is_none());
            assert!(told.is_none_or(|told| told == *said), "byte {at} was flipped");
        }
        if at % 7 == 0 {
            std::fs::write(&path, &whole[..at]).unwrap();
            for (told, said) in told(dir).into_iter().zip(&said) {
                assert!(told.is_none_or(|told| told == *said), "cut at byte {at}");
            }
        }
    }
    assert!(silent > places.len(), "most damage is noticed");
    // Another version or another release, with a checksum that is right.
    for at in [8, 12, 16, 20] {
        let mut bytes = whole.clone();
        bytes[at] += 1;
        let table = 64 + 20 * bytes[24] as usize;
        let crc = crc32fast::hash(&[&bytes[..28], &bytes[32..table]].concat());
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(told(dir), vec![None; said.len()]);
    }
    // Whoever closes the store next makes a good one, of a bad header as of a bad block.
    reopen(dir, id).close();
    assert_eq!(all_told(dir), said);
    let last = whole.len() - 1;
    std::fs::write(&path, &whole[..last]).unwrap();
    assert!(told(dir).contains(&None));
    reopen(dir, id).close();
    assert_eq!(all_told(dir), said);
}

#[test]
fn an_idle_project_writes_its_snapshot_and_a_busy_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (id, _) = small(dir);
    let mut project = reopen(dir, id);
    for number in 0..TICK_CARDS + 10 {
        let origin = Origin::new(OriginKind::User, "ann").unwrap();
        project
            .apply_request(Some(&origin), story(&format!("Late {number}")))
            .unwrap();
    }
    project.commit_pending().unwrap();
    for _ in 0..QUIET_TICKS {
        project.write_snapshot(SnapshotState::tick);
    }
    assert!(project.snapshot.builder.is_none(), "not so soon");
    project.write_snapshot(SnapshotState::tick);
    assert!(project.snapshot.builder.is_some(), "it takes more than one tick");
    ask(&mut project, story("In between"));
    let expected = truth(&mut project);
    project.write_snapshot(SnapshotState::tick);
    assert!(
        project.snapshot.builder.is_none(),
        "begun anew once it rests again"
    );
    assert_eq!(told(dir), vec![None; expected.len()]);
    for _ in 0..QUIET_TICKS + 2 {
        project.write_snapshot(SnapshotState::tick);
    }
    // Killed now: the snapshot has everything.
    drop(project);
    assert_eq!(all_told(dir), expected);
}

#[test]
fn a_rebuild_puts_a_snapshot_of_wrong_rows_right() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let mut project = create(dir);
    let id = project.id();
    ask(&mut project, story("Sell ropes"));
    ask(&mut project, story("Sell nets"));
    // A row that is gone from the cache is gone from the snapshot, and the log knows better.
    let lost = project.index.find_one("2").unwrap().id;
    project.index.remove(&lost);
    project.write_snapshot(SnapshotState::close);
    assert!(!all_told(dir)[0].contains("Sell nets"));
    project.rebuild().unwrap();
    assert_eq!(told(dir)[0], None, "no answer instead of a wrong one");
    let truth = truth(&mut project);
    project.close();
    assert_eq!(all_told(dir), truth);
    assert!(truth[0].contains("Sell nets"));
    reopen(dir, id).close();
    assert_eq!(all_told(dir), truth);
}
