//! Relations of imported items: what they mean stays, and what somebody took away here stays away.

use serde_json::{Value, json};
use towline_api::request::{Command, Edit, FailureCode, Query, Reply, Request};
use towline_interchange::import::{Parsed, beads};
use towline_proto::{Origin, OriginKind};

use super::{Place, counts, place};

fn read(records: &[Value]) -> Parsed {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    beads::read(lines.join("\n").as_bytes())
}

fn record(id: &str, day: u32, edges: &[(&str, &str)]) -> Value {
    let edges: Vec<Value> = edges
        .iter()
        .map(|(word, to)| json!({"issue_id": id, "depends_on_id": to, "type": word}))
        .collect();
    json!({"id": id, "title": id, "issue_type": "task", "status": "open", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": format!("2026-02-{day:02}T00:00:00Z"), "dependencies": edges})
}

fn titles(links: &Value) -> Vec<&str> {
    let links = links.as_array().unwrap();
    links.iter().map(|link| link["title"].as_str().unwrap()).collect()
}

fn targets(item: &Value) -> Vec<&str> {
    let links = item["links"].as_array().unwrap();
    links
        .iter()
        .map(|link| link["target"].as_str().unwrap())
        .collect()
}

#[test]
fn parents_become_epics_and_gates_become_dependencies() {
    let records = [
        record("x-1", 1, &[]),
        record("x-1.1", 1, &[("parent-child", "x-1")]),
        record("x-1.2", 1, &[("parent_child", "x-1")]),
        record(
            "x-2",
            1,
            &[
                ("waits-for", "x-1"),
                ("conditional-blocks", "x-1.1"),
                ("Blocks", "x-1.2"),
            ],
        ),
    ];
    let mut here = place();
    assert_eq!(counts(&here.import(&read(&records))), (4, 0, 0, 5, 0));
    assert_eq!(here.item("beads:x-1")["kind"], "epic");
    for child in ["beads:x-1.1", "beads:x-1.2"] {
        assert_eq!(here.item(child)["epic"]["title"], "x-1");
    }
    assert_eq!(titles(&here.item("beads:x-2")["depends_on"]).len(), 3);
    // The parent alone, which says that it is a task: with items below it, it stays an epic.
    let mut alone = record("x-1", 2, &[]);
    alone["title"] = "x-1 again".into();
    here.import(&read(&[alone]));
    let parent = here.item("beads:x-1");
    assert_eq!(
        (&parent["kind"], &parent["title"]),
        (&"epic".into(), &"x-1 again".into())
    );
    here.restarts();
}

#[test]
fn what_leaves_the_file_is_a_link_until_both_ends_are_here() {
    let mut here = place();
    let child = record(
        "x-1.1",
        1,
        &[("parent-child", "x-1"), ("blocks", "x-9"), ("relates-to", "x-8")],
    );
    let report = here.import(&read(std::slice::from_ref(&child)));
    assert_eq!((report.created, report.related, report.linked), (1, 0, 3));
    assert_eq!(
        targets(&here.item("beads:x-1.1")),
        [
            "beads:x-1.1",
            "part of beads:x-1",
            "related to beads:x-8",
            "waits for beads:x-9"
        ]
    );
    let again = here.import(&read(std::slice::from_ref(&child)));
    assert_eq!((again.unchanged, again.linked, again.related_before), (1, 0, 3));

    // The parent comes with another file, and is no epic there: it becomes one.
    here.import(&read(&[record("x-1", 1, &[])]));
    let report = here.import(&read(&[child]));
    assert_eq!((report.related, report.linked, report.related_before), (1, 0, 2));
    let item = here.item("beads:x-1.1");
    assert_eq!(
        targets(&item),
        ["beads:x-1.1", "related to beads:x-8", "waits for beads:x-9"]
    );
    assert_eq!(item["epic"]["title"], "x-1");
    assert_eq!(here.item("beads:x-1")["kind"], "epic");
    // Nobody is taken for the one that is named.
    let shown = here.project.request(
        Some(&Origin::new(OriginKind::User, "ann").unwrap()),
        Request::Query(Query::Show {
            item: "x-9".to_owned(),
        }),
    );
    assert_eq!(shown.unwrap_err().code, FailureCode::NotFound);
    here.restarts();
}

#[test]
fn what_somebody_took_away_here_stays_away_and_an_older_record_adds_nothing() {
    let mut here = place();
    let parts =
        |day, edges: &[(&str, &str)]| [record("a", 1, &[]), record("b", 1, &[]), record("c", day, edges)];
    let edges = [("blocks", "a"), ("parent-child", "b")];
    here.import(&read(&parts(2, &edges)));
    here.ask(Request::Command(Command::Depends {
        item: "3".to_owned(),
        add: Vec::new(),
        remove: vec!["1".to_owned()],
    }));
    let out_of_epic: Edit = serde_json::from_value(json!({"item": "3", "epic": ""})).unwrap();
    here.ask(Request::Command(Command::Edit(out_of_epic)));
    for day in [2, 3] {
        let report = here.import(&read(&parts(day, &edges)));
        assert_eq!((report.related, report.related_before), (0, 2), "{report:?}");
        let item = here.item("beads:c");
        assert_eq!(
            (titles(&item["depends_on"]).len(), &item["epic"]),
            (0, &Value::Null)
        );
    }
    let older = here.import(&read(&parts(1, &[("blocks", "b")])));
    assert_eq!(
        (older.older, older.related, older.related_older),
        (1, 0, 1),
        "{older:?}"
    );
    assert_eq!(titles(&here.item("beads:c")["depends_on"]).len(), 0);
    let newer = here.import(&read(&parts(4, &[("blocks", "b")])));
    assert_eq!((newer.related, newer.related_older), (1, 0));
    assert_eq!(titles(&here.item("beads:c")["depends_on"]), ["b"]);
    here.restarts();
}

#[test]
fn what_was_superseded_is_not_also_related_after_another_import() {
    let records = [record("old", 1, &[("supersedes", "new")]), record("new", 1, &[])];
    let mut here = place();
    assert_eq!(here.import(&read(&records)).related, 1);
    let before = here.export();
    let again = here.import(&read(&records));
    assert_eq!((again.related, again.related_before), (0, 1));
    assert_eq!(here.export(), before);
    assert_eq!(here.item("beads:old")["status"], "superseded");
}

fn shown(here: &mut Place, wanted: &str) -> Result<String, FailureCode> {
    let origin = Origin::new(OriginKind::User, "ann").unwrap();
    let item = wanted.to_owned();
    match here
        .project
        .request(Some(&origin), Request::Query(Query::Show { item }))
    {
        Ok(Reply::Page(page)) => Ok(page.card.title),
        Ok(other) => panic!("one item, not {other:?}"),
        Err(failure) => Err(failure.code),
    }
}

#[test]
fn the_id_of_another_tracker_names_its_item_and_no_other() {
    let mut here = place();
    here.import(&read(&[
        record("bd-0vu3q", 1, &[]),
        record("PROJ-12", 1, &[]),
        record("3", 1, &[]),
    ]));
    for wanted in ["bd-0vu3q", "BD-0VU3Q", "beads:bd-0vu3q", " bd-0vu3q "] {
        assert_eq!(shown(&mut here, wanted).as_deref(), Ok("bd-0vu3q"), "{wanted}");
    }
    assert_eq!(shown(&mut here, "PROJ-12").as_deref(), Ok("PROJ-12"));
    assert_eq!(shown(&mut here, "bd-0vu3"), Err(FailureCode::NotFound));
    // A number is a number of ours; with its tracker before it, it is the other's.
    assert_eq!(shown(&mut here, "1").as_deref(), Ok("bd-0vu3q"));
    assert_eq!(shown(&mut here, "3").as_deref(), Ok("3"));
    assert_eq!(shown(&mut here, "beads:3").as_deref(), Ok("3"));
    let item = here.item("beads:bd-0vu3q");
    assert_eq!(item["known_as"], json!(["beads:bd-0vu3q"]));
    // The beginning of a key that is also the id of another item names neither.
    let key = here.item("beads:PROJ-12")["key"].as_str().unwrap().to_owned();
    here.import(&read(&[record(&key, 1, &[])]));
    assert_eq!(shown(&mut here, &key), Err(FailureCode::NotFound));
    assert_eq!(
        shown(&mut here, &format!("beads:{key}")).as_deref(),
        Ok(key.as_str())
    );
    // Everything that names an item takes it.
    here.ask(Request::Command(Command::Comment {
        item: "bd-0vu3q".to_owned(),
        text: "Seen.".to_owned(),
    }));
    assert_eq!(here.item("beads:bd-0vu3q")["comments"], 1);
}
