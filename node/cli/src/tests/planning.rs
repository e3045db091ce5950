//! From what is typed to requests.

use serde_json::{Value, json};
use towline_api::request::{Failure, FailureCode};

use super::{ctx, typed};
use crate::args::Cli;
use crate::context::HOME;
use crate::plan::{Plan, plan};

fn planned(line: &[&str]) -> Result<Plan, Failure> {
    let cli = typed(line);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    plan(&ctx, &cli.command).map(|plan| plan.expect("a command that only asks"))
}

/// The requests of a command in their JSON form.
fn requests(line: &[&str]) -> Vec<Value> {
    let plan = planned(line).expect("planned");
    plan.requests
        .iter()
        .map(|(_, request)| serde_json::to_value(request).expect("JSON"))
        .collect()
}

#[test]
fn labels_are_added_with_plus_and_removed_with_minus() {
    let request =
        |item: &str| json!({"request": "label", "item": item, "add": ["ui", "web"], "remove": ["old", "y"]});
    let line = ["label", "42", "43", "+ui", "-old", "-y", "--add", "web"];
    let mut got = requests(&line);
    for each in &mut got {
        each["add"]
            .as_array_mut()
            .expect("labels")
            .sort_by_key(Value::to_string);
    }
    assert_eq!(got, [request("42"), request("43")]);
    let failure = planned(&["label", "42"]).expect_err("no label");
    assert_eq!(failure.code, FailureCode::Usage);
    let behind = requests(&["label", "7", "+new", "--", "-old"]);
    assert_eq!(
        (&behind[0]["item"], &behind[0]["remove"]),
        (&json!("7"), &json!(["old"]))
    );
    for both in [
        &["label", "1", "+x", "-x"][..],
        &["label", "1", "--add", "x", "--", "-x"],
    ] {
        let failure = planned(both).expect_err("contradicts itself");
        assert_eq!(failure.code, FailureCode::Usage);
        assert!(failure.message.contains("\"x\""), "{failure}");
    }
}

#[test]
fn several_items_make_a_request_each() {
    let got = requests(&["start", "4", "5a", "#6", "--force", "-m", "only docs"]);
    assert_eq!(got.len(), 3);
    assert_eq!(got[1]["item"], "5a");
    assert_eq!(got[1]["verb"], "start");
    assert_eq!(got[1]["force"], true);
    assert_eq!(got[1]["reason"], "only docs");
}

#[test]
fn the_last_word_of_move_assign_and_epic_is_where_they_go() {
    let moved = requests(&["move", "4", "5", "qa", "-m", "by hand"]);
    assert_eq!(moved.len(), 2);
    assert_eq!(moved[0]["to"], "qa");
    assert_eq!(moved[1]["item"], "5");
    let assigned = requests(&["assign", "4", "5", "bob"]);
    assert_eq!(assigned.len(), 2);
    assert_eq!(assigned[1]["assignee"], "bob");
    let taken = requests(&["assign", "4", "5", "--nobody"]);
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[1]["assignee"], "");
    assert_eq!(requests(&["epic", "4", "7"])[0]["epic"], "7");
    assert_eq!(requests(&["epic", "4", "--none"])[0]["epic"], "");
    let failure = planned(&["assign", "4"]).expect_err("nobody is named");
    assert_eq!(failure.code, FailureCode::Usage);
}

#[test]
fn every_field_of_create_arrives() {
    let line = [
        "create",
        "bug",
        "Login fails",
        "--body",
        "On Safari",
        "--label",
        "ui",
        "--depends",
        "3",
        "--epic",
        "5",
        "--assignee",
        "bob",
        "--priority",
        "0",
        "--qa",
        "human",
        "--upcoming",
        "--criterion",
        "Safari works",
    ];
    assert_eq!(
        requests(&line),
        [json!({
            "request": "create", "kind": "bug", "title": "Login fails", "body": "On Safari",
            "labels": ["ui"], "depends_on": ["3"], "epic": "5", "assignee": "bob", "priority": 0,
            "qa": "human", "upcoming": true, "criteria": ["Safari works"],
        })]
    );
}

#[test]
fn every_verb_and_its_arguments_become_a_transition() {
    let cases: &[(&[&str], Value)] = &[
        (
            &["merged", "4", "--commit", "3f2a"],
            json!({"verb": "merged", "commit": "3f2a"}),
        ),
        (
            &["merge-failed", "4", "--kind", "conflict", "-m", "lib.rs"],
            json!({"verb": "merge-failed", "failure": "conflict", "reason": "lib.rs"}),
        ),
        (
            &["supersede", "4", "--by", "5"],
            json!({"verb": "supersede", "by": "5"}),
        ),
        (
            &["block", "4", "-m", "no keys"],
            json!({"verb": "block", "reason": "no keys"}),
        ),
        (
            &["claim", "4", "--for", "coder-1"],
            json!({"verb": "claim", "holder": "coder-1"}),
        ),
        (
            &["submit", "4", "--expect", "r9"],
            json!({"verb": "submit", "expect": "r9"}),
        ),
        (
            &["criteria", "4", "met", "2", "--evidence", "ci/1"],
            json!({"request": "set-criterion", "index": 2, "state": "met", "evidence": "ci/1"}),
        ),
        (
            &["criteria", "4", "add", "It works"],
            json!({"request": "add-criterion", "text": "It works"}),
        ),
        (
            &["link", "4", "external", "github:a/b#7"],
            json!({"request": "link", "add": [["external", "github:a/b#7"]], "remove": []}),
        ),
        (
            &["link", "4", "commit", "3f2a", "--remove"],
            json!({"request": "link", "add": [], "remove": [["commit", "3f2a"]]}),
        ),
        (
            &["depends", "add", "4", "5", "6"],
            json!({"request": "depends", "add": ["5", "6"]}),
        ),
        (
            &["invite", "--role", "reader", "--expires", "2h"],
            json!({"request": "invite", "role": "reader", "valid_ms": 7_200_000}),
        ),
    ];
    for (line, wanted) in cases {
        let got = requests(line);
        for (name, value) in wanted.as_object().expect("an object") {
            assert_eq!(&got[0][name], value, "{line:?}: {name}");
        }
    }
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_asked() {
    for line in [
        &["block", "4"][..],
        &["create", "bug", "x", "--priority", "5"],
        &["move", "4"],
        &["move", "4", "nowhere"],
        &["start", "4", "--force"],
        &["invite", "--expires", "soon"],
        &["frobnicate"],
    ] {
        let words = std::iter::once("towline").chain(line.iter().copied());
        let error = Cli::read(words.map(Into::into)).expect_err("refused");
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
    let failure = planned(&["submit", "4", "5", "--expect", "r1"]).expect_err("two items, one revision");
    assert_eq!(failure.code, FailureCode::Usage);
}

#[test]
fn a_missing_name_says_how_to_give_one() {
    let home = tempfile::tempdir().expect("tempdir");
    let mut named = ctx(&typed(&["--as", "bob", "--agent", "ready"]), home.path());
    assert_eq!(named.origin().expect("named").to_string(), "bob (agent)");
    named.global.name = Some("  ".into());
    let failure = named.origin().expect_err("nobody");
    assert_eq!(failure.code, FailureCode::Usage);
    assert!(failure.message.contains("TOWLINE_USER"), "{}", failure.message);
}

#[test]
fn the_configuration_names_the_user_of_a_project() {
    let home = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir_all(home.path().join(HOME)).expect("made");
    std::fs::write(home.path().join(HOME).join("config.toml"), "user = \"carol\"\n").expect("written");
    let deep = home.path().join("src/deep");
    std::fs::create_dir_all(&deep).expect("made");
    let mut below = ctx(&typed(&["ready"]), &deep);
    below.user = None;
    assert_eq!(below.root().expect("found upwards"), home.path());
    assert_eq!(below.origin().expect("configured").id, "carol");
}

#[test]
fn conflicts_are_listed_resolved_and_explained() {
    assert_eq!(
        requests(&["conflicts"])[0],
        json!({"request": "conflicts", "item": null})
    );
    assert_eq!(requests(&["conflicts", "42"])[0]["item"], "42");
    let resolve = ["conflicts", "resolve", "42", "--keep", "b", "--conflict", "c0ff"];
    assert_eq!(
        requests(&resolve),
        [json!({"request": "settle", "item": "42", "conflict": "c0ff", "keep": "b"})]
    );
    let plan = planned(&resolve).expect("planned");
    assert!(plan.writes && plan.signed);
    assert_eq!(
        requests(&["explain", "4", "5"])[1],
        json!({"request": "explain", "item": "5"})
    );
}

#[test]
fn the_board_takes_the_filters_of_a_list() {
    let line = [
        "board", "--mine", "-k", "bug", "-c", "qa", "--label", "ui", "-n", "3",
    ];
    let board = requests(&line);
    assert_eq!(board[0]["assignee"], "ann");
    assert_eq!(board[0]["columns"], json!(["qa"]));
    assert_eq!(board[0]["labels"], json!(["ui"]));
    assert_eq!(board[0]["limit"], 0, "the limit is one of each column");
}

#[test]
fn taking_over_by_force_says_why() {
    let forced = requests(&[
        "take-over",
        "42",
        "--for",
        "coder-2",
        "--force",
        "--reason",
        "it hangs",
    ]);
    assert_eq!(forced[0]["force"], true);
    assert_eq!(forced[0]["reason"], "it hangs");
    assert_eq!(forced[0]["holder"], "coder-2");
    let words = ["towline", "take-over", "42", "--force"].map(Into::into);
    let refused = Cli::read(words).expect_err("no reason").to_string();
    assert!(refused.contains("--reason"), "{refused}");
}

#[test]
fn a_text_that_begins_with_a_hyphen_is_a_text() {
    let said = |line: &[&str], field: &str| requests(line)[0][field].clone();
    assert_eq!(said(&["comment", "1", "- no"], "text"), "- no");
    assert_eq!(
        said(&["comment", "1", "-1 from me", "--json"], "text"),
        "-1 from me"
    );
    assert_eq!(said(&["comment", "1", "--", "--json"], "text"), "--json");
    assert_eq!(said(&["create", "- a title"], "title"), "- a title");
    assert_eq!(
        said(
            &["create", "bug", "--- dashes", "--body", "- one\n- two"],
            "title"
        ),
        "--- dashes"
    );
    assert_eq!(said(&["create", "bug", "x", "--body", "- one"], "body"), "- one");
    assert_eq!(said(&["edit", "1", "--body", "- one"], "body"), "- one");
    assert_eq!(
        said(&["edit", "1", "--title", "-Wall is on"], "title"),
        "-Wall is on"
    );
    assert_eq!(said(&["block", "1", "-m", "- no keys"], "reason"), "- no keys");
    assert_eq!(
        said(&["start", "1", "--force", "-m", "-- now"], "reason"),
        "-- now"
    );
    assert_eq!(
        said(&["merge-failed", "1", "--kind", "other", "-m", "-x"], "reason"),
        "-x"
    );
    assert_eq!(
        said(&["criteria", "1", "add", "- it works"], "text"),
        "- it works"
    );
    assert_eq!(
        said(&["criteria", "1", "met", "1", "--evidence", "-v"], "evidence"),
        "-v"
    );
    assert_eq!(said(&["link", "1", "branch", "-odd"], "add")[0][1], "-odd");
}

#[test]
fn a_mistyped_option_is_no_text() {
    for line in [
        &["comment", "1", "--jsn"][..],
        &["comment", "1", "-m"],
        &["create", "--titel=x"],
        &["create", "bug", "--urgent"],
        &["criteria", "1", "add", "--all"],
        &["link", "1", "branch", "--force"],
    ] {
        let words = std::iter::once("towline").chain(line.iter().copied());
        let refused = Cli::read(words.map(Into::into))
            .expect_err("no such option")
            .to_string();
        assert!(
            refused.contains("unexpected option") && refused.contains("--"),
            "{line:?}: {refused}"
        );
        let (last, first) = line.split_last().expect("words");
        let words = std::iter::once(&"towline").chain(first).chain([&"--", last]);
        assert!(Cli::read(words.map(Into::into)).is_ok(), "{line:?}");
    }
    assert_eq!(requests(&["create", "BUG", "x"])[0]["kind"], "bug");
}

#[test]
fn what_people_type_elsewhere_is_understood() {
    let kind = |line: &[&str]| requests(line)[0]["kind"].clone();
    for line in [
        &["create", "New login"][..],
        &["new", "New login"],
        &["add", "story", "New login"],
        &["create", "feature", "New login"],
        &["create", "task", "New login"],
        &["create", "--priority", "1", "New login"],
    ] {
        assert_eq!(
            (kind(line), requests(line)[0]["title"].clone()),
            (json!("story"), json!("New login")),
            "{line:?}"
        );
    }
    assert_eq!(kind(&["create", "bug", "x"]), "bug");
    assert_eq!(kind(&["edit", "1", "--kind", "task"]), "story");
    assert_eq!(
        requests(&["list", "--kind", "feature"])[0]["kinds"],
        json!(["story"])
    );
    assert_eq!(requests(&["done", "7"])[0]["verb"], "merged");
    assert_eq!(requests(&["close", "7"])[0]["verb"], "abandon");
    for (line, says) in [
        (&["create", "bug"][..], "missing title"),
        (&["create", "novel", "x"], "unknown kind"),
        (&["create", "New", "login"], "quotes"),
    ] {
        let failure = planned(line).expect_err("not understood");
        assert_eq!(failure.code, FailureCode::Usage);
        assert!(failure.message.contains(says), "{failure}");
    }
}

#[test]
fn who_starts_claims_unless_told_not_to() {
    assert_eq!(requests(&["start", "1"])[0]["no_claim"], false);
    assert_eq!(requests(&["start", "1", "--no-claim"])[0]["no_claim"], true);
    assert_eq!(
        requests(&["start", "1", "--for", "coder-1"])[0]["holder"],
        "coder-1"
    );
    let ready = json!({"request": "ready", "asker": "ann", "all": true});
    assert_eq!(requests(&["ready", "--all"]), [ready]);
    let take = json!({"request": "take-ready", "holder": "coder-1"});
    assert_eq!(requests(&["ready", "--claim", "--for", "coder-1"]), [take]);
    let both = ["towline", "ready", "--claim", "--all"];
    assert!(Cli::read(both.map(Into::into)).is_err());
}

#[test]
fn lists_are_filtered_by_priority_and_time() {
    let list = &requests(&["list", "-p", "0,1", "--updated", "7d", "--created", "2026-11-01"])[0];
    assert_eq!(list["priorities"], json!([0, 1]));
    assert_eq!(list["updated_since"], "2026-11-13T12:00:00Z");
    assert_eq!(list["created_since"], "2026-11-01T00:00:00Z");
    for wrong in [["-p", "5"], ["--updated", "soon"], ["--sort", "colour"]] {
        let line = ["towline", "list"].into_iter().chain(wrong);
        assert!(Cli::read(line.map(Into::into)).is_err(), "{wrong:?}");
    }
}

#[test]
fn ready_takes_the_filters_of_a_list_unless_it_claims() {
    let plan = planned(&["ready", "--label", "ui", "-n", "5"]).expect("planned");
    assert_eq!(plan.requests.len(), 1);
    let among = serde_json::to_value(plan.among.expect("a filter")).expect("JSON");
    assert_eq!(
        (&among["request"], &among["labels"]),
        (&json!("list"), &json!(["ui"]))
    );
    assert!(planned(&["ready", "-n", "5"]).expect("planned").among.is_none());
    for both in [["--label", "ui"], ["-n", "5"], ["--sort", "title"]] {
        let line = ["towline", "ready", "--claim"].into_iter().chain(both);
        assert!(Cli::read(line.map(Into::into)).is_err(), "{both:?}");
    }
}
