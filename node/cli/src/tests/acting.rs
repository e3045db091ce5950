//! From requests to answers, pages and exit codes.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::Value;
use towline_api::request::{self, Administration, Envelope, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::{Applied, Doctor, ItemPage};
use towline_proto::{Column, Kind, Ticket};

use super::test_node::node_at;
use super::{ctx, typed};
use crate::args::{self, Command};
use crate::context::HOME;
use crate::launcher::{BoardStart, Launcher, NodeStart, RunningNode, StartedNode};
use crate::plan::plan;
use crate::{Backend, CliError, backend, edit, render, run};

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
            card: render::tests::samples::card(4, Kind::Story, Column::Backlog, "Four"),
            body: self.body.clone(),
            criteria_list: Vec::new(),
            known_as: Vec::new(),
            links: Vec::new(),
            remarks: Vec::new(),
            related: Vec::new(),
            successor: None,
            dependants: Vec::new(),
            children: Vec::new(),
            history: Vec::new(),
            open_conflicts: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl Backend for Project {
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        self.asked.push(envelope.body.clone());
        let missing = |item: &str| Err(Failure::new(FailureCode::NotFound, format!("no item {item}")));
        let applied = |page: ItemPage| {
            Ok(Reply::Applied(Box::new(Applied {
                card: page.card,
                from: Some(Column::Backlog),
                notes: Vec::new(),
                changed: true,
                purged: false,
            })))
        };
        let body = match envelope.body {
            Request::DryRun { of } => *of,
            body => body,
        };
        match body {
            Request::Query(Query::Show { item }) if item == "4" => Ok(Reply::Page(Box::new(self.page()))),
            Request::Query(Query::Show { item }) => missing(&item),
            Request::Command(request::Command::Transition(asked)) if asked.item == "4" => {
                applied(self.page())
            }
            Request::Command(request::Command::Transition(asked)) => missing(&asked.item),
            Request::Command(request::Command::Edit(edit)) => {
                if edit.body_base.as_deref() != Some(self.body.as_str()) {
                    return Err(Failure::new(FailureCode::Conflict, "the body has changed"));
                }
                self.body = edit.body.unwrap_or_default();
                applied(self.page())
            }
            Request::Administration(Administration::Doctor) => Ok(Reply::Doctor(Doctor {
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
    let plan = plan(&ctx, &cli.command).expect("planned").expect("requests");
    let mut out = Vec::new();
    let code = run::execute(&ctx, &mut Project::new(), plan, &mut out).expect("written");
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
        out.starts_with(r#"{"schema":"towline.applied/v2","applied":[{"card":{"handle":"4""#),
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
fn a_dry_run_asks_what_would_be_and_says_so() {
    let (code, out) = performed(&["doctor", "--dry-run"]);
    assert_eq!((code, out.is_empty()), (6, false));
    let cli = typed(&["start", "4", "9", "--dry-run", "--json"]);
    let ctx = ctx(&cli, std::path::Path::new("/nowhere"));
    let plan = plan(&ctx, &cli.command)
        .expect("planned")
        .expect("requests")
        .into_dry_run();
    let mut project = Project::new();
    let mut out = Vec::new();
    let code = run::execute(&ctx, &mut project, plan, &mut out).expect("written");
    let document: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(code, 3);
    assert_eq!(document["schema"], "towline.applied/v2");
    assert_eq!(document["dry_run"], true);
    assert!(
        project
            .asked
            .iter()
            .all(|asked| matches!(asked, Request::DryRun { .. }))
    );
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
    let outcome = edit::begin(&ctx, project, "4")
        .and_then(|editing| editing.finish(&ctx, || Ok(Box::new(&mut *project))));
    let drafts = std::fs::read_dir(home.path().join(HOME)).expect("there").count();
    (outcome, drafts)
}

#[test]
fn the_editor_changes_the_description_from_the_text_it_began_with() {
    let mut project = Project::new();
    let (outcome, drafts) = edited(&mut project, "sed -i s/two/zwei/");
    assert!(outcome.expect("sent").is_some());
    assert_eq!((project.body.as_str(), drafts), ("one\nzwei", 0));
    let Some(Request::Command(request::Command::Edit(edit))) = project.asked.last() else {
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
            .all(|asked| matches!(asked, Request::Query(Query::Show { .. })))
    );
}

#[test]
fn the_main_help_page_and_completions_can_be_made() {
    let page = args::command().render_help().to_string();
    for part in [
        "View items:",
        "Move items through the pipeline:",
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
        run::run(&ctx, &NoNode, cli.command, &mut out).expect("printed");
        pages.insert(line.join(" "), out.len());
    }
    assert!(pages.values().all(|length| *length > 1_000), "{pages:?}");
    let cli = typed(&["man", "pages"]);
    assert!(matches!(cli.command, Command::Man { .. }));
    run::run(&ctx(&cli, home.path()), &NoNode, cli.command, &mut Vec::new()).expect("written");
    assert!(home.path().join("pages/towline-request-changes.1").exists());
}

/// A program that runs no nodes.
struct NoNode;

impl Launcher for NoNode {
    fn serve(
        &self,
        _: NodeStart,
        _: BoardStart,
        _: &mut dyn FnMut(&StartedNode) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        Err(Failure::new(FailureCode::Failure, "runs no nodes").into())
    }

    fn start(&self, _: NodeStart, _: BoardStart) -> Result<Box<dyn RunningNode>, Failure> {
        Err(Failure::new(FailureCode::Failure, "runs no nodes"))
    }

    fn stop_signal(&self) -> Result<Receiver<()>, Failure> {
        Err(Failure::new(FailureCode::Failure, "receives no signals"))
    }

    fn join(&self, _: NodeStart, _: &Ticket, _: Duration) -> Result<Reply, Failure> {
        Err(Failure::new(FailureCode::Failure, "runs no nodes"))
    }
}

/// Runs a command against a node that listens below `home`.
fn against(home: &std::path::Path, line: &[&str]) -> String {
    let cli = typed(line);
    let mut out = Vec::new();
    run::run(&ctx(&cli, home), &NoNode, cli.command, &mut out).expect("done");
    String::from_utf8(out).expect("text")
}

#[test]
fn a_running_node_is_asked_watched_and_ended_through_its_socket() {
    let home = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir(home.path().join(HOME)).expect("made");
    let mut node = node_at(home.path());
    let board = against(home.path(), &["open", "--json"]);
    assert!(
        board.contains(r#""board":"http://127.0.0.1:1/login?code=ann""#),
        "{board}"
    );
    let watched = against(home.path(), &["watch", "--json", "--after", "3", "-n", "2"]);
    let positions: Vec<u64> = watched
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is a document"))
        .filter_map(|event| event["position"].as_u64())
        .collect();
    assert_eq!(positions, [4, 5]);
    assert_eq!(against(home.path(), &["withdraw", "9c1e"]), "");
    assert_eq!(against(home.path(), &["down"]), "");
    node.ended().expect("ended well");
    let cli = typed(&["peers"]);
    let failure = backend::running(&ctx(&cli, home.path())).expect_err("it has ended");
    assert_eq!(failure.code, FailureCode::Unreachable);
}
