//! The JSON of every request, as clients and nodes of other versions write it. Neither names nor fields change.

use std::collections::BTreeSet;

use super::properties::{DRY_RUN, IDEMPOTENT, OverHttp, Properties, TABLE};
use super::*;

/// One example of each request, in full.
const EXAMPLES: &[&str] = &[
    r#"{"request":"list","columns":["coding"],"kinds":["bug"],"labels":["ui"],"assignee":"ann","statuses":["blocked"],"epic":"7","text":"login","priorities":[0,1],"updated_since":"1970-01-01T00:00:00.001Z","created_since":"1970-01-01T00:00:00.002Z","all":true,"deleted":false,"limit":5}"#,
    r#"{"request":"show","item":"42a"}"#,
    r#"{"request":"search","text":"login","limit":10}"#,
    r#"{"request":"ready","asker":"ann","all":false}"#,
    r#"{"request":"take-ready","holder":"ann"}"#,
    r#"{"request":"undo","item":"42"}"#,
    r#"{"request":"settings"}"#,
    r#"{"request":"set","key":"promote","value":"auto"}"#,
    r#"{"request":"settings-line"}"#,
    r#"{"request":"conflicts","item":"42"}"#,
    r#"{"request":"explain","item":"42"}"#,
    r#"{"request":"log","item":null,"limit":20}"#,
    r#"{"request":"status"}"#,
    r#"{"request":"doctor"}"#,
    r#"{"request":"members"}"#,
    r#"{"request":"peers"}"#,
    r#"{"request":"addresses"}"#,
    r#"{"request":"export","offset":0,"limit":100}"#,
    r#"{"request":"export-lines","offset":0,"limit":100}"#,
    r#"{"request":"records","after":0}"#,
    r#"{"request":"carried","project":"0000000000000000000000000000000000000000000000000000000000000001","records":["AAAA"]}"#,
    r#"{"request":"events","after":7,"limit":100}"#,
    r#"{"request":"create","kind":"bug","title":"Login fails","body":"","upcoming":false,"priority":1,"qa":"human","labels":["ui"],"depends_on":["1"],"epic":"7","assignee":"ann","criteria":["It works"]}"#,
    r#"{"request":"edit","item":"42","title":"New","body":"b","body_base":"a","kind":"story","priority":0,"qa":"agent","epic":"","assignee":"","title_base":"Old","kind_base":"bug","priority_base":1,"qa_base":"human","epic_base":"","assignee_base":"ann"}"#,
    r#"{"request":"transition","item":"42","verb":"move","reason":"because","to":"qa","by":null,"commit":null,"failure":null,"holder":"ann","force":false,"no_claim":true,"expect":"r1"}"#,
    r#"{"request":"label","item":"42","add":["a"],"remove":["b"]}"#,
    r#"{"request":"depends","item":"42","add":["1"],"remove":["2"]}"#,
    r#"{"request":"link","item":"42","add":[["branch","fix"]],"remove":[]}"#,
    r#"{"request":"comment","item":"42","text":"hello"}"#,
    r#"{"request":"add-criterion","item":"42","text":"It works"}"#,
    r#"{"request":"set-criterion","item":"42","index":1,"state":"met","evidence":"seen","expect":"a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0","state_base":"open"}"#,
    r#"{"request":"settle","item":"42","conflict":"ab","keep":"a"}"#,
    r#"{"request":"import-items","items":[{"external":"gh:1","kind":"bug","title":"t","body":"","priority":2,"labels":[],"assignee":null,"created_by":"ann","created_at":"1970-01-01T00:00:00.001Z","updated_at":"1970-01-01T00:00:00.002Z","stage":{"stage":"open","column":"backlog"},"frozen":false,"blocked":null,"comments":[],"links":[]}],"dry_run":true}"#,
    r#"{"request":"import-relations","relations":[{"from":"gh:1","kind":"depends-on","to":"gh:2","at":"1970-01-01T00:00:00.001Z","by":"ann","said_by":"","record_at":"1970-01-01T00:00:00Z"}],"dry_run":false}"#,
    r#"{"request":"import-lines","lines":[],"names":{"1":"gh:1"},"pass":"look"}"#,
    r#"{"request":"import-settings","line":{"schema":"towline.settings/v1","settings":{"promote":"auto"},"acts":[]},"dry_run":false}"#,
    r#"{"request":"invite","role":"writer","valid_ms":60000}"#,
    r#"{"request":"withdraw","ticket":"abcd"}"#,
    r#"{"request":"rebuild"}"#,
    r#"{"request":"sync-now"}"#,
    r#"{"request":"once","id":"00000000000000000000000000000001","of":{"request":"comment","item":"42","text":"hello"}}"#,
    r#"{"request":"rehearse","of":{"request":"once","id":"00000000000000000000000000000001","of":{"request":"show","item":"1"}}}"#,
];

/// Requests as the oldest and the shortest clients write them.
const SHORT: &[(&str, &str)] = &[
    (
        r#"{"request":"list"}"#,
        r#"{"request":"list","columns":[],"kinds":[],"labels":[],"assignee":null,"statuses":[],"epic":null,"text":null,"all":false,"deleted":false,"limit":0}"#,
    ),
    (r#"{"later":1,"request":"status"}"#, r#"{"request":"status"}"#),
    (
        r#"{"item":"42","request":"show"}"#,
        r#"{"request":"show","item":"42"}"#,
    ),
    (
        r#"{"request":"conflicts"}"#,
        r#"{"request":"conflicts","item":null}"#,
    ),
];

fn written(json: &str) -> String {
    let request: Request = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    serde_json::to_string(&request).unwrap()
}

#[test]
fn the_json_of_every_request_stays() {
    for json in EXAMPLES {
        assert_eq!(&written(json), json);
    }
    for (short, full) in SHORT {
        assert_eq!(&written(short), full);
    }
}

#[test]
fn every_request_has_an_example() {
    let names: BTreeSet<_> = EXAMPLES
        .iter()
        .filter_map(|json| json.split('"').nth(3))
        .collect();
    let known = TABLE.iter().map(|row| row.name).chain([IDEMPOTENT, DRY_RUN]);
    assert_eq!(names, known.collect());
}

#[test]
fn every_row_is_that_of_its_request() {
    for json in EXAMPLES {
        let request: Request = serde_json::from_str(json).unwrap();
        let name = json.split('"').nth(3).unwrap();
        match &request {
            Request::Idempotent { of, .. } | Request::DryRun { of } => {
                assert_eq!(request.properties(), of.properties());
            }
            Request::Query(_) | Request::Command(_) | Request::Administration(_) => {
                assert_eq!(Some(request.properties()), Properties::named(name));
            }
        }
    }
}

/// Optional fields are given in full in the examples, so that both lists are the same.
#[test]
fn the_described_fields_are_those_of_the_json() {
    for json in EXAMPLES {
        let example: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        let name = example["request"].as_str().unwrap();
        let Some(row) = Properties::named(name) else {
            continue;
        };
        let Some(fields) = fields::of(name) else {
            assert_eq!(row.http, OverHttp::Refused, "{name} has no description");
            continue;
        };
        assert_ne!(
            row.http,
            OverHttp::Refused,
            "{name} is described, but HTTP refuses it"
        );
        let described: BTreeSet<_> = fields.iter().map(|field| field.name).chain(["request"]).collect();
        let given: BTreeSet<_> = example.keys().map(String::as_str).collect();
        assert_eq!(described, given, "{name}");
        for field in fields {
            let mut without = example.clone();
            without.remove(field.name);
            let read = serde_json::from_value::<Request>(without.into());
            // An edit without an item is read, and refused when it is executed.
            let is_edited = (name, field.name) == ("edit", "item");
            assert_eq!(
                read.is_err() || is_edited,
                field.required,
                "{name}: {}",
                field.name
            );
        }
    }
}

#[test]
fn a_dry_run_writes_nothing_and_does_not_come_over_http() {
    let of = Box::new(Request::from(Command::ClaimReady { holder: None }));
    assert!(of.writes() && of.over_http() == OverHttp::Write);
    let dry = Request::DryRun { of };
    assert!(!dry.writes() && dry.over_http() == OverHttp::Refused);
}

#[test]
fn an_unknown_or_incomplete_request_is_refused_in_words() {
    let refused = |json: &str| serde_json::from_str::<Request>(json).unwrap_err().to_string();
    assert!(refused(r#"{"request":"fly"}"#).starts_with("unknown variant `fly`"));
    assert!(refused(r#"{"request":"show"}"#).starts_with("missing field `item`"));
    assert!(refused(r#"{"item":"1"}"#).starts_with("missing field `request`"));
}
