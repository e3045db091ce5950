//! Trackers brought over into a project: once, again, and in a later version; what was said here in the
//! meantime stays.

mod again;
mod large;
mod older;
mod real;
mod relations;
mod twins;

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tempfile::TempDir;
use towline_api::request::{
    Administration, Command, IMPORT_CHUNK, ImportItem, ImportStage, Query, Reply, Request,
};
use towline_api::types::ImportReport;
use towline_engine::{Project, ProjectOptions};
use towline_interchange::import::{Parsed, backlog, github};
use towline_proto::{Column, CriterionState, Origin, OriginKind};
use towline_store::env::SystemEnvironment;

struct Place {
    dir: TempDir,
    project: Project,
}

fn opening(dir: &Path) -> ProjectOptions {
    ProjectOptions {
        dir: dir.to_owned(),
        key: SigningKey::from_bytes(&[7; 32]),
        env: Box::new(SystemEnvironment),
    }
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let genesis = Project::genesis(
        &SigningKey::from_bytes(&[7; 32]),
        &SystemEnvironment,
        "demo",
        "laptop",
    );
    let project = Project::create(opening(dir.path()), &genesis).unwrap();
    Place { dir, project }
}

impl Place {
    fn ask(&mut self, request: Request) -> Reply {
        let ann = Origin::new(OriginKind::User, "ann").unwrap();
        self.project.request(Some(&ann), request).unwrap()
    }

    fn imports(&mut self, items: Vec<ImportItem>) -> ImportReport {
        let dry_run = false;
        let Reply::Imported(report) = self.ask(Request::Administration(Administration::ImportItems {
            items,
            dry_run,
        })) else {
            panic!("a report")
        };
        report
    }

    /// Everything of a source, as the command line brings it over.
    fn import(&mut self, parsed: &Parsed) -> ImportReport {
        let report = self.takes(parsed);
        assert_eq!(report.problems, [""; 0]);
        report
    }

    /// The same, with whatever problems there are.
    fn takes(&mut self, parsed: &Parsed) -> ImportReport {
        let mut report = ImportReport::default();
        for items in parsed.items.chunks(IMPORT_CHUNK) {
            let part = self.imports(items.to_vec());
            report.created += part.created;
            report.updated += part.updated;
            report.unchanged += part.unchanged;
            report.older += part.older;
            report.refused += part.refused;
            report.items.extend(part.items);
            report.problems.extend(part.problems);
            report.notes.extend(part.notes);
        }
        let mut relations = parsed.relations.clone();
        for relation in &mut relations {
            for end in [&mut relation.from, &mut relation.to, &mut relation.said_by] {
                if let Some((_, id)) = report.items.iter().find(|(name, _)| name == end) {
                    *end = id.to_string();
                }
            }
        }
        for relations in relations.chunks(IMPORT_CHUNK) {
            let request = Request::Administration(Administration::ImportRelations {
                relations: relations.to_vec(),
                dry_run: false,
            });
            let Reply::Imported(part) = self.ask(request) else {
                panic!("a report")
            };
            report.related += part.related;
            report.related_before += part.related_before;
            report.related_older += part.related_older;
            report.linked += part.linked;
            report.problems.extend(part.problems);
        }
        report
    }

    fn export(&mut self) -> Vec<Value> {
        let Reply::Pages(pages) = self.ask(Request::Query(Query::Export {
            offset: 0,
            limit: 500,
        })) else {
            panic!("pages")
        };
        pages
            .iter()
            .map(|page| serde_json::to_value(page).unwrap())
            .collect()
    }

    fn item(&mut self, external: &str) -> Value {
        let is_it = |item: &Value| {
            let links = item["links"].as_array().unwrap();
            links.iter().any(|link| link["target"] == external)
        };
        self.export().into_iter().find(is_it).unwrap()
    }

    /// The same after a restart from the log alone.
    fn restarts(mut self) {
        let (before, id) = (self.export(), self.project.id());
        self.project.close();
        fs::remove_dir_all(self.dir.path().join("cache")).unwrap();
        self.project = Project::open(opening(self.dir.path()), id).unwrap();
        assert_eq!(self.export(), before);
        let Reply::Doctor(doctor) = self.ask(Request::Administration(Administration::Doctor)) else {
            panic!("doctor")
        };
        assert_eq!(doctor.findings, Vec::<String>::new());
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data")).join(name)
}

fn criteria(item: &Value) -> Vec<(String, String)> {
    let all = item["criteria_list"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter()
        .map(|one| (text(&one["text"]), text(&one["state"])))
        .collect()
}

fn counts(report: &ImportReport) -> (usize, usize, usize, usize, usize) {
    (
        report.created,
        report.updated,
        report.unchanged,
        report.related,
        report.related_before,
    )
}

#[test]
fn a_backlog_comes_over_once_and_its_later_version_updates() {
    let mut here = place();
    let mut parsed = backlog::read(&data("backlog-project")).unwrap();
    assert_eq!(counts(&here.import(&parsed)), (8, 0, 0, 4, 0));
    let pay = here.item("backlog:task-1");
    let epic = pay["id"].clone();
    assert_eq!(
        (&pay["kind"], &pay["column"], &pay["comments"]),
        (&"epic".into(), &"coding".into(), &2.into())
    );
    let said = |text: &str, state: &str| (text.to_owned(), state.to_owned());
    assert_eq!(
        criteria(&pay),
        [
            said("A card is charged once", "met"),
            said(
                "A card that is declined says why\nin the words of the bank",
                "open"
            ),
            said("Tests pass", "met"),
            said("Documentation updated", "open"),
        ]
    );
    let form = here.item("backlog:task-1.1");
    assert_eq!((&form["epic"]["id"], &form["column"]), (&epic, &"done".into()));
    let slow = here.item("backlog:task-10");
    assert_eq!(slow["depends_on"].as_array().unwrap().len(), 1);

    let before = here.export();
    assert_eq!(counts(&here.import(&parsed)), (0, 0, 8, 0, 4));
    assert_eq!(here.export(), before);

    // Somebody here judges a criterion that nobody ticked there, and the task goes on over there.
    here.ask(Request::Command(Command::SetCriterion {
        item: pay["handle"].as_str().unwrap().to_owned(),
        index: 4,
        state: CriterionState::Failed,
        evidence: None,
        expect: None,
        state_base: None,
    }));
    let later = &mut parsed.items[1];
    later.title = "Pay by card or phone".to_owned();
    later.criteria[0].state = CriterionState::Open;
    later.criteria[1].state = CriterionState::Met;
    later.criteria.remove(2);
    later.criteria[2].state = CriterionState::Open;
    let mut further = later.criteria[0].clone();
    further.text = "A phone is charged once".to_owned();
    further.state = CriterionState::Met;
    later.criteria.push(further);
    assert_eq!(counts(&here.import(&parsed)), (0, 1, 7, 0, 4));
    let pay = here.item("backlog:task-1");
    assert_eq!(pay["title"], "Pay by card or phone");
    assert_eq!(
        criteria(&pay),
        [
            said("A card is charged once", "open"),
            said(
                "A card that is declined says why\nin the words of the bank",
                "met"
            ),
            said("Tests pass", "skipped"),
            said("Documentation updated", "failed"),
            said("A phone is charged once", "met"),
        ]
    );
    assert_eq!(counts(&here.import(&parsed)), (0, 0, 8, 0, 4));
    here.restarts();
}

#[test]
fn a_task_that_moves_to_another_folder_moves_here() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| dir.path().join("backlog").join(name);
    for name in ["tasks", "completed", "archive/tasks"] {
        fs::create_dir_all(folder(name)).unwrap();
    }
    let text = |id: &str| {
        format!("---\nid: {id}\ntitle: {id}\nstatus: In Progress\ncreated_date: 2026-01-02\n---\n")
    };
    for id in ["task-1", "task-2"] {
        fs::write(folder("tasks").join(format!("{id} - T.md")), text(id)).unwrap();
    }
    let mut here = place();
    let read = || backlog::read(dir.path()).unwrap();
    assert_eq!(here.import(&read()).created, 2);
    let moved = |from: &str, to: &str, name: &str| {
        fs::rename(folder(from).join(name), folder(to).join(name)).unwrap();
    };
    moved("tasks", "completed", "task-1 - T.md");
    moved("tasks", "archive/tasks", "task-2 - T.md");
    assert_eq!(here.import(&read()).updated, 2);
    assert_eq!(here.item("backlog:task-1")["column"], "done");
    let archived = here.item("backlog:task-2");
    assert_eq!(
        (&archived["column"], &archived["status"]),
        (&"closed".into(), &"abandoned".into())
    );
    moved("archive/tasks", "tasks", "task-2 - T.md");
    assert_eq!(here.import(&read()).updated, 1);
    assert_eq!(here.item("backlog:task-2")["column"], "backlog");
    here.restarts();
}

#[test]
fn issues_come_over_once_and_a_closed_one_is_done_at_the_next_import() {
    let mut here = place();
    let text = fs::read_to_string(data("github-issues.json")).unwrap();
    let parsed = github::read(text.as_bytes());
    assert_eq!(counts(&here.import(&parsed)), (8, 0, 0, 4, 0));
    let numbers: Vec<_> = (1..=8)
        .map(|number| here.item(&format!("github:acme/shop#{number}"))["number"].clone())
        .collect();
    assert_eq!(numbers, (1..=8).map(Value::from).collect::<Vec<_>>());
    let upgrade = here.item("github:acme/shop#6");
    let link = serde_json::json!({"kind": "pull-request", "target": "https://github.com/acme/shop/pull/41"});
    assert!(upgrade["links"].as_array().unwrap().contains(&link), "{upgrade}");
    let (card, declined) = (here.item("github:acme/shop#1"), here.item("github:acme/shop#5"));
    assert_eq!(
        (&card["kind"], &declined["epic"]["id"]),
        (&"epic".into(), &card["id"])
    );
    let crash = here.item("github:acme/shop#2");
    assert_eq!(declined["depends_on"][0]["id"], crash["id"]);
    let duplicate = here.item("github:acme/shop#8");
    let related = serde_json::json!({"kind": "related", "target": crash["id"]});
    assert!(
        duplicate["links"].as_array().unwrap().contains(&related),
        "{duplicate}"
    );

    let before = here.export();
    assert_eq!(counts(&here.import(&parsed)), (0, 0, 8, 0, 4));
    assert_eq!(here.export(), before);

    let mut later = parsed;
    later.items[1].stage = ImportStage::Done;
    later.items[6].stage = ImportStage::Open {
        column: Column::Backlog,
    };
    assert_eq!(counts(&here.import(&later)), (0, 2, 6, 0, 4));
    assert_eq!(here.item("github:acme/shop#2")["column"], "done");
    assert_eq!(here.item("github:acme/shop#7")["column"], "backlog");
    here.restarts();
}

#[test]
fn a_record_without_criteria_is_the_record_that_it_was_before_there_were_any() {
    let text = fs::read_to_string(data("github-issues.json")).unwrap();
    let item = &github::read(text.as_bytes()).items[0];
    let encoded = serde_json::to_value(item).unwrap();
    assert!(encoded.get("criteria").is_none(), "{encoded}");
    assert_eq!(&serde_json::from_value::<ImportItem>(encoded).unwrap(), item);
}
