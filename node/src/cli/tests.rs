//! From what is typed to requests, answers and exit codes, without a node.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use towline_proto::{Column, Kind, Millis};

use super::args::{Cli, Command};
use super::context::{Context, HOME};
use super::plan::{Plan, plan};
use super::render::View;
use super::style::Style;
use super::{Ask, args, backend, edit, render, run};
use crate::dto::{Applied, Doctor, ItemPage};
use crate::request::{Envelope, Failure, FailureCode, Reply, Request};

fn typed(line: &[&str]) -> Cli {
    let words = std::iter::once("towline").chain(line.iter().copied());
    Cli::read(words.map(Into::into)).unwrap_or_else(|error| panic!("{error}"))
}

fn ctx(cli: &Cli, dir: &std::path::Path) -> Context {
    Context {
        dir: dir.to_owned(),
        global: cli.global.clone(),
        view: View {
            now: Millis(1_795_176_000_000),
            width: 80,
            style: Style::PLAIN,
            zone: TimeZone::UTC,
        },
        talk: Style::PLAIN,
        user: Some("ann".into()),
        editor: None,
    }
}

fn planned(line: &[&str]) -> Result<Plan, Failure> {
    let cli = typed(line);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    plan(&ctx, &cli.command).map(|plan| plan.expect("a command that only asks"))
}

/// The requests of a command in their JSON form.
fn asks(line: &[&str]) -> Vec<Value> {
    let plan = planned(line).expect("planned");
    plan.asks
        .iter()
        .map(|(_, request)| serde_json::to_value(request).expect("JSON"))
        .collect()
}

#[test]
fn labels_are_added_with_plus_and_removed_with_minus() {
    let request =
        |item: &str| json!({"request": "label", "item": item, "add": ["ui", "web"], "remove": ["old", "y"]});
    let line = ["label", "42", "43", "+ui", "-old", "-y", "--add", "web"];
    let mut got = asks(&line);
    for each in &mut got {
        each["add"]
            .as_array_mut()
            .expect("labels")
            .sort_by_key(Value::to_string);
    }
    assert_eq!(got, [request("42"), request("43")]);
    let failure = planned(&["label", "42"]).expect_err("no label");
    assert_eq!(failure.code, FailureCode::Usage);
}

#[test]
fn several_items_make_a_request_each() {
    let got = asks(&["start", "4", "5a", "#6", "--force", "-m", "only docs"]);
    assert_eq!(got.len(), 3);
    assert_eq!(got[1]["item"], "5a");
    assert_eq!(got[1]["verb"], "start");
    assert_eq!(got[1]["force"], true);
    assert_eq!(got[1]["reason"], "only docs");
}

#[test]
fn the_last_word_of_move_assign_and_epic_is_where_they_go() {
    let moved = asks(&["move", "4", "5", "qa", "-m", "by hand"]);
    assert_eq!(moved.len(), 2);
    assert_eq!(moved[0]["to"], "qa");
    assert_eq!(moved[1]["item"], "5");
    let assigned = asks(&["assign", "4", "5", "bob"]);
    assert_eq!(assigned.len(), 2);
    assert_eq!(assigned[1]["assignee"], "bob");
    let taken = asks(&["assign", "4", "5", "--nobody"]);
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[1]["assignee"], "");
    assert_eq!(asks(&["epic", "4", "7"])[0]["epic"], "7");
    assert_eq!(asks(&["epic", "4", "--none"])[0]["epic"], "");
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
        asks(&line),
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
        let got = asks(line);
        for (name, value) in wanted.as_object().expect("an object") {
            assert_eq!(&got[0][name], value, "{line:?}: {name}");
        }
    }
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_asked() {
    for line in [
        &["block", "4"][..],
        &["create", "chore", "x"],
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

/// A project with item 4 in the backlog and nothing else.
struct Project {
    body: String,
    asked: Vec<Request>,
}

impl Project {
    fn new() -> Self {
        Self {
            body: "one\ntwo".into(),
            asked: Vec::new(),
        }
    }

    fn page(&self) -> ItemPage {
        ItemPage {
            card: render::tests::card(4, Kind::Story, Column::Backlog, "Four"),
            body: self.body.clone(),
            criteria_list: Vec::new(),
            links: Vec::new(),
            remarks: Vec::new(),
            dependants: Vec::new(),
            children: Vec::new(),
            history: Vec::new(),
            open_conflicts: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl Ask for Project {
    fn ask(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        self.asked.push(envelope.body.clone());
        let missing = |item: &str| Err(Failure::new(FailureCode::NotFound, format!("no item {item}")));
        let applied = |page: ItemPage| {
            Ok(Reply::Applied(Box::new(Applied {
                card: page.card,
                from: Some(Column::Backlog),
                notes: Vec::new(),
                changed: true,
            })))
        };
        match envelope.body {
            Request::Show { item } if item == "4" => Ok(Reply::Page(Box::new(self.page()))),
            Request::Show { item } => missing(&item),
            Request::Transition(asked) if asked.item == "4" => applied(self.page()),
            Request::Transition(asked) => missing(&asked.item),
            Request::Edit(edit) => {
                if edit.body_base.as_deref() != Some(self.body.as_str()) {
                    return Err(Failure::new(FailureCode::Conflict, "the body has changed"));
                }
                self.body = edit.body.unwrap_or_default();
                applied(self.page())
            }
            Request::Doctor => Ok(Reply::Doctor(Doctor {
                checked: vec!["the log".into()],
                findings: vec!["an entry is damaged".into()],
            })),
            _ => Ok(Reply::Done),
        }
    }
}

fn performed(line: &[&str]) -> (u8, String) {
    let cli = typed(line);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    let plan = plan(&ctx, &cli.command).expect("planned").expect("asks");
    let mut out = Vec::new();
    let code = run::perform(&ctx, &mut Project::new(), plan, &mut out).expect("written");
    (code, String::from_utf8(out).expect("text"))
}

#[test]
fn a_refused_item_does_not_keep_the_others_back_and_sets_the_exit_code() {
    let (code, out) = performed(&["start", "9", "4"]);
    assert_eq!(code, 3);
    assert_eq!(out, "4  Four  backlog\n");
    let (code, out) = performed(&["start", "4", "-q"]);
    assert_eq!((code, out.as_str()), (0, "4\n"));
    let (code, _) = performed(&["doctor"]);
    assert_eq!(code, 6);
}

#[test]
fn json_is_one_document_with_its_schema_first() {
    let (code, out) = performed(&["start", "4", "9", "4", "--json"]);
    assert_eq!(code, 3);
    assert!(
        out.starts_with(r#"{"schema":"towline.applied/v1","applied":[{"card":{"handle":"4""#),
        "{out}"
    );
    let document: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(document["applied"].as_array().map(Vec::len), Some(2));
    let (_, out) = performed(&["show", "4", "--json"]);
    let document: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(document["schema"], "towline.item-page/v1");
    assert_eq!(document["title"], "Four");
    assert_eq!(document["body"], "one\ntwo");
}

#[test]
fn a_dry_run_says_what_it_would_ask_and_opens_nothing() {
    let cli = typed(&["start", "4", "--dry-run"]);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    let mut out = Vec::new();
    assert_eq!(run::run(&ctx, cli.command, &mut out).expect("planned"), 0);
    let document: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(document["schema"], "towline.requests/v1");
    assert_eq!(document["requests"][0]["verb"], "start");
}

#[test]
fn without_a_project_the_way_to_one_is_said() {
    let home = tempfile::tempdir().expect("tempdir");
    let cli = typed(&["ready"]);
    let ctx = ctx(&cli, home.path());
    let failure = backend::running(&ctx).expect_err("no project");
    assert_eq!(failure.code, FailureCode::NotFound);
    std::fs::create_dir(home.path().join(HOME)).expect("made");
    let failure = backend::running(&ctx).expect_err("no node");
    assert_eq!(failure.code, FailureCode::Unreachable);
}

/// Runs `edit 4` with a shell line as the editor.
fn edited(project: &mut Project, editor: &str) -> (Result<Option<Reply>, Failure>, usize) {
    let home = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir(home.path().join(HOME)).expect("made");
    let mut ctx = ctx(&typed(&["edit", "4"]), home.path());
    ctx.editor = Some(editor.into());
    let outcome = edit::in_editor(&ctx, project, "4");
    let drafts = std::fs::read_dir(home.path().join(HOME)).expect("there").count();
    (outcome, drafts)
}

#[test]
fn the_editor_changes_the_description_from_the_text_it_began_with() {
    let mut project = Project::new();
    let (outcome, drafts) = edited(&mut project, "sed -i s/two/zwei/");
    assert!(outcome.expect("sent").is_some());
    assert_eq!((project.body.as_str(), drafts), ("one\nzwei", 0));
    let Some(Request::Edit(edit)) = project.asked.last() else {
        panic!("an edit was asked for");
    };
    assert_eq!(edit.body_base.as_deref(), Some("one\ntwo"));
}

#[test]
fn an_editor_that_fails_or_changes_nothing_writes_nothing() {
    let mut project = Project::new();
    let (outcome, drafts) = edited(&mut project, "false");
    let failure = outcome.expect_err("the editor failed");
    assert!(
        failure.message.contains("nothing was written"),
        "{}",
        failure.message
    );
    assert_eq!(drafts, 0);
    let (outcome, _) = edited(&mut project, "true");
    assert!(outcome.expect("no error").is_none());
    assert!(
        project
            .asked
            .iter()
            .all(|asked| matches!(asked, Request::Show { .. }))
    );
}

#[test]
fn the_front_page_and_completions_can_be_made() {
    let page = args::command().render_help().to_string();
    for part in [
        "See:",
        "Move:",
        "request-changes  Send it back to coding",
        "--json",
    ] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    let home = tempfile::tempdir().expect("tempdir");
    let mut pages = BTreeMap::new();
    for line in [&["completions", "bash"][..], &["completions", "zsh"], &["man"]] {
        let cli = typed(line);
        let ctx = ctx(&cli, home.path());
        let mut out = Vec::new();
        run::run(&ctx, cli.command, &mut out).expect("printed");
        pages.insert(line.join(" "), out.len());
    }
    assert!(pages.values().all(|length| *length > 1_000), "{pages:?}");
    let cli = typed(&["man", "pages"]);
    assert!(matches!(cli.command, Command::Man { .. }));
    run::run(&ctx(&cli, home.path()), cli.command, &mut Vec::new()).expect("written");
    assert!(home.path().join("pages/towline-request-changes.1").exists());
}
