//! A real tracker, imported, aged, and imported again in older and newer versions of itself: nothing that is
//! newer is lost, every record is in one bucket, and two projects that went the same way are equal.
//!
//! A slice of the tracker: all of it takes a minute in a debug build, and `export.rs` brings it over once.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value};
use towline_api::request::{Command, Request, Transition};
use towline_api::types::ImportReport;
use towline_interchange::import::beads;
use towline_proto::Verb;

use super::{Place, data, place};

/// Every so many of the tracker's issues are taken.
const EVERY: usize = 20;

fn slice() -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(data("beads-tracker.jsonl")).unwrap();
    let lines = text.lines().step_by(EVERY);
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(records: &[Map<String, Value>]) -> String {
    let lines: Vec<String> = records
        .iter()
        .map(|record| Value::Object(record.clone()).to_string())
        .collect();
    lines.join("\n")
}

/// The tracker as it was a month before: everything open, otherwise called, with other texts.
fn aged(records: &[Map<String, Value>]) -> Vec<Map<String, Value>> {
    let mut records = records.to_vec();
    for record in &mut records {
        for ended in [
            "closed_at",
            "close_reason",
            "deleted_at",
            "deleted_by",
            "delete_reason",
        ] {
            record.remove(ended);
        }
        record.insert("status".into(), "open".into());
        record.insert("title".into(), "as it was".into());
        record.insert("description".into(), "as it was".into());
        record.insert("labels".into(), serde_json::json!(["old"]));
        record.insert("updated_at".into(), "2020-01-01T00:00:00Z".into());
    }
    records
}

/// The tracker a year later: everything closed and commented on.
fn grown(records: &[Map<String, Value>]) -> Vec<Map<String, Value>> {
    let mut records = records.to_vec();
    let later = Value::from("2027-01-01T00:00:00Z");
    for record in &mut records {
        let comment = serde_json::json!([{"id": "z", "author": "zoe", "text": "late", "created_at": later}]);
        record.insert("comments".into(), comment);
        if record["status"] != "tombstone" {
            record.insert("status".into(), "closed".into());
            record.insert("closed_at".into(), later.clone());
        }
        record.insert("updated_at".into(), later.clone());
    }
    records
}

impl Place {
    fn brings_over(&mut self, records: &[Map<String, Value>]) -> ImportReport {
        let parsed = beads::read(text(records).as_bytes());
        let report = self.takes(&parsed);
        let items = report.created + report.updated + report.unchanged + report.older + report.refused;
        assert_eq!(
            items + parsed.records.repeated + parsed.records.unreadable,
            records.len(),
            "{report:?}"
        );
        let relations = report.related + report.related_before + report.related_older + report.linked;
        assert_eq!(
            relations + report.problems.len(),
            parsed.relations.len(),
            "{report:?}"
        );
        assert_eq!(report.problems, [""; 0]);
        report
    }

    /// What everybody should agree on: without what differs from one project to the other.
    fn told(&mut self) -> BTreeMap<String, Value> {
        let mut told = BTreeMap::new();
        let mut handles = BTreeMap::new();
        let items = self.export();
        for item in &items {
            let name = item["known_as"][0].as_str().unwrap().to_owned();
            handles.insert(item["id"].as_str().unwrap().to_owned(), name);
        }
        for item in items {
            let name = |id: &Value| handles[id.as_str().unwrap()].clone();
            let mut of_item = serde_json::json!({
                "epic": item["epic"].get("id").map(name),
                "depends_on": item["depends_on"].as_array().unwrap().iter().map(|on| name(&on["id"])).collect::<Vec<_>>(),
                "remarks": item["remarks"].as_array().unwrap().len(),
            });
            for field in [
                "title",
                "body",
                "column",
                "status",
                "labels",
                "deleted",
                "kind",
                "priority",
                "created_at",
            ] {
                of_item[field] = item[field].clone();
            }
            told.insert(name(&item["id"]), of_item);
        }
        told
    }
}

#[test]
fn older_and_newer_snapshots_of_a_real_tracker_lose_nothing() {
    let now = slice();
    let mut here = place();
    let first = here.brings_over(&now);
    assert_eq!(first.created, now.len());
    let fresh = here.told();
    let mut before = here.export();
    assert_eq!(here.brings_over(&now).unchanged, now.len());
    assert_eq!(here.export(), before);

    // An older one is not news, whole or in part, also between lines that are new.
    let old = aged(&now);
    let older = here.brings_over(&old);
    assert_eq!((older.older, older.updated, older.created), (now.len(), 0, 0));
    assert_eq!(older.notes.len(), now.len());
    assert_eq!(here.export(), before);

    // Somebody works here, and the tracker goes on.
    let open = before
        .iter()
        .find(|item| item["column"] == "backlog" && item["deleted"] == false)
        .unwrap();
    let handle = open["handle"].as_str().unwrap().to_owned();
    here.ask(Request::Command(Command::Comment {
        item: handle.clone(),
        text: "mine".to_owned(),
    }));
    here.ask(Request::Command(Command::Transition(Transition::plain(
        &handle,
        Verb::Freeze,
    ))));
    let later = grown(&now);
    let newer = here.brings_over(&later);
    assert_eq!(
        (newer.updated + newer.unchanged, newer.older, newer.created),
        (now.len(), 0, 0)
    );
    before = here.export();
    assert!(
        before
            .iter()
            .all(|item| item["deleted"] == true || item["column"] == "done")
    );
    let mine = before
        .iter()
        .find(|item| item["handle"] == handle.as_str())
        .unwrap();
    assert!(
        mine["remarks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|remark| remark["text"] == "mine")
    );
    for records in [&old, &now] {
        let report = here.brings_over(records);
        // Those in the trash were not brought up to date by the newer one.
        assert_eq!((report.older + report.unchanged, report.updated), (now.len(), 0));
        assert_eq!(here.export(), before);
    }

    // The other way round, and with both in one file, it comes to the same. In which open column an item
    // stands is nothing that a later import changes.
    let mut there = place();
    there.brings_over(&old);
    there.brings_over(&now);
    let of_both = there.told();
    for (name, item) in &fresh {
        for field in [
            "title",
            "status",
            "deleted",
            "kind",
            "priority",
            "epic",
            "depends_on",
        ] {
            assert_eq!(of_both[name][field], item[field], "{name}: {field}");
        }
    }
    let mut elsewhere = place();
    let both: Vec<_> = now.iter().chain(&old).cloned().collect();
    elsewhere.brings_over(&both);
    assert_eq!(elsewhere.told(), fresh);
    here.restarts();
}
