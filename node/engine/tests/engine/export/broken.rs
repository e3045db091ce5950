//! Lines that are broken or made to harm: each is refused by itself, with a reason, and the rest is taken.

use serde_json::{Value, json};
use towline_api::request::{Administration, Reply, Request};
use towline_api::types::{ImportPass, LineOutcome};
use towline_interchange::import::jsonl as jsonl_import;

use super::lively;
use super::store::Store;

fn whole() -> Value {
    let mut ann = Store::new(7);
    ann.create(
        "story",
        "Whole",
        json!({ "criteria": ["it works"], "labels": ["ui"] }),
    );
    serde_json::to_value(ann.lines().remove(0)).unwrap()
}

/// Why a line is refused, by the reader or by the project; nothing when it is taken.
fn refusal(line: &Value) -> Option<String> {
    let mut other = Store::new(8);
    let before = other.export();
    let file = jsonl_import::read(line.to_string().as_bytes());
    if let Some(problem) = file.problems.first() {
        return Some(problem.clone());
    }
    let lines: Vec<_> = file.lines.iter().map(|(_, line)| line.clone()).collect();
    let names = file.names(&lines);
    let Reply::LineOutcomes(taken) = other.ask(Request::Administration(Administration::ImportLines {
        lines,
        names,
        pass: ImportPass::Create,
    })) else {
        panic!("taken")
    };
    match taken.as_slice() {
        [LineOutcome::Rejected { why }] => {
            assert_eq!(other.export(), before, "nothing was written");
            Some(why.clone())
        }
        _ => None,
    }
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    assert_eq!(refusal(&whole()), None);
    let long: Vec<Value> = vec![
        json!({ "op": "triage", "at": "2026-01-01T00:00:00Z", "origin": { "kind": "user", "id": "x" } });
        50_001
    ];
    let many: Vec<u32> = vec![0; 300];
    let cases: Vec<(&str, Value, &str)> = vec![
        ("/schema", json!("towline.export/v9"), "schema"),
        ("/ref", json!("beads:bd-1"), "`ref`"),
        ("/number", json!(0), "handle"),
        ("/number", json!(-1), "invalid value"),
        ("/title", json!(7), "invalid type"),
        ("/acts", json!([]), "no acts"),
        ("/acts", json!(long), "50001 acts"),
        ("/acts/0/op", json!("triage"), "first act"),
        ("/acts/1/op", json!("create"), "first act"),
        ("/acts/1/op", json!("explode"), "does not know this operation"),
        ("/acts/1/with", json!({}), "missing field"),
        ("/acts/1/with", json!({ "label": 7, "text": 7 }), "invalid type"),
        ("/acts/1/with", json!({ "label": "", "text": "" }), "empty"),
        ("/acts/0/with/number", json!(99_999_999_999_u64), "invalid value"),
        ("/acts/0/with/priority", json!(9), "priority"),
        ("/acts/0/with/column", json!("done"), "backlog or upcoming"),
        ("/acts/0/origin/id", json!(""), "no user name"),
        ("/acts/1/saw", json!([1]), "not before it"),
        ("/acts/1/saw", json!([4_000_000_000_u32]), "not before it"),
        ("/acts/1/saw", json!(["zz"]), "did not match"),
        ("/acts/1/saw", json!(many), "at most 256"),
        ("/acts/0/saw", json!([0]), "not before it"),
        ("/ties", json!([[0, 1], [1, 0]]), "cycle"),
        ("/ties", json!([[0, 77]]), "77"),
        ("/body", json!("bell \u{7}"), "body"),
        ("/acts/1/at", json!("yesterday"), "time"),
    ];
    for (place, value, want) in cases {
        let mut line = whole();
        if line.pointer(place).is_none() {
            let (parent, name) = place.rsplit_once('/').unwrap();
            line.pointer_mut(parent).unwrap()[name] = Value::Null;
        }
        *line.pointer_mut(place).unwrap() = value;
        let why = refusal(&line).unwrap_or_else(|| panic!("{place} was taken"));
        assert!(why.contains(want), "{place}: {why}");
    }
}

#[test]
fn huge_numbers_would_leave_none_for_others() {
    let mut line = whole();
    line["number"] = json!(u32::MAX);
    line["handle"] = json!(u32::MAX.to_string());
    assert!(refusal(&line).unwrap().contains("999999999"));
    let mut line = whole();
    line["acts"][0]["with"]["number"] = json!(u32::MAX);
    assert!(refusal(&line).unwrap().contains("number"));
}

#[test]
fn a_line_that_names_what_is_not_in_the_file_is_refused() {
    let mut line = whole();
    let act = json!({ "op": "add-dependency", "with": { "on": "12" }, "at": "2026-01-01T00:00:00Z", "origin": { "kind": "user", "id": "x" } });
    line["acts"].as_array_mut().unwrap().push(act);
    assert!(refusal(&line).unwrap().contains("item 12"));
}

#[test]
fn ties_that_cannot_be_kept_cost_a_bounded_search() {
    let mut line = whole();
    let acts = line["acts"].as_array_mut().unwrap();
    for number in 0..3_000 {
        let at = "2026-01-01T00:00:00Z";
        acts.push(json!({ "op": "set-title", "with": { "title": format!("t{number}") }, "at": at, "origin": { "kind": "user", "id": "x" } }));
    }
    let all: Vec<usize> = (0..acts.len()).collect();
    line["ties"] = json!([all]);
    let mut other = Store::new(8);
    let taken = other.import(&format!("{line}\n"));
    let [LineOutcome::Created { differs, .. }] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert!(differs.iter().any(|field| field == "ties"), "{differs:?}");
}

#[test]
fn ties_that_are_named_over_and_over_are_read_once() {
    let mut line = whole();
    let acts = line["acts"].as_array_mut().unwrap();
    for number in 0..1_000 {
        let at = "2026-01-01T00:00:00Z";
        acts.push(json!({ "op": "set-title", "with": { "title": format!("t{number}") }, "at": at, "origin": { "kind": "user", "id": "x" } }));
    }
    let all: Vec<usize> = (0..acts.len()).collect();
    let mut ties = vec![all];
    ties.resize(1_000_000, vec![0, 1]);
    line["ties"] = json!(ties);
    let text = format!("{line}\n");
    let mut other = Store::new(8);
    let taken = other.import(&text);
    assert!(
        matches!(taken.as_slice(), [LineOutcome::Created { .. }]),
        "{taken:?}"
    );
}

#[test]
fn a_file_with_broken_lines_gives_the_whole_ones() {
    let mut ann = lively();
    let export = ann.export();
    let lines: Vec<&str> = export.lines().collect();
    let cut = lines[3].get(..lines[3].len() / 2).unwrap();
    let text = format!("{}\nno json\n{}\n\n{}\n[]\n{cut}", lines[0], lines[0], lines[1]);
    let file = jsonl_import::read(text.as_bytes());
    assert_eq!(
        file.lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 5]
    );
    let problems = file.problems.join("\n");
    for want in [
        "line 2: ",
        "line 3: the same item as on line 1",
        "line 6: ",
        "line 7: incomplete",
    ] {
        assert!(problems.contains(want), "{problems}");
    }
    let old = jsonl_import::read(&br#"{"schema":"towline.item-page/v1","handle":"1"}"#[..]);
    assert!(
        old.problems[0].contains("towline.export/v1"),
        "{:?}",
        old.problems
    );
}
