//! Projects to measure: a store in a folder of its own, filled through requests like anybody's.

use std::path::Path;

use anyhow::{Context as _, Result};
use ed25519_dalek::SigningKey;
use towline_api::request::{Administration, Command, IMPORT_CHUNK, NewItem, Reply, Request, Transition};
use towline_engine::{Project, ProjectOptions};
use towline_interchange::import::Parsed;
use towline_proto::{Origin, OriginKind, Verb};
use towline_store::env::SystemEnvironment;

/// The only node's key, in projects without a network.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// Who asks for everything.
pub(crate) fn origin() -> Result<Origin> {
    Origin::new(OriginKind::User, "bench").context("an origin")
}

/// A new project in a folder.
pub(crate) fn project(dir: &Path) -> Result<Project> {
    let key = SigningKey::from_bytes(&KEY);
    let genesis = Project::genesis(&key, &SystemEnvironment, "bench", "bench");
    let opening = ProjectOptions {
        dir: dir.to_owned(),
        key,
        env: Box::new(SystemEnvironment),
    };
    Project::create(opening, &genesis)
}

/// A request for a new item.
pub(crate) fn story(number: usize) -> Result<Request> {
    let body = format!("As user {number} I want story {number}, so that I get {number}.");
    let new = serde_json::json!({ "kind": "story", "title": format!("Story {number}"), "body": body });
    Ok(Request::Command(Command::Create(serde_json::from_value::<
        NewItem,
    >(new)?)))
}

/// A transition that needs nothing but its verb.
pub(crate) fn transition(item: &str, verb: Verb) -> Request {
    Request::Command(Command::Transition(Transition::plain(item, verb)))
}

/// What people type for the item that a request was about.
pub(crate) fn handle(reply: Reply) -> Result<String> {
    match reply {
        Reply::Applied(applied) => Ok(applied.card.handle),
        other => anyhow::bail!("not an applied change: {other:?}"),
    }
}

/// Takes a parsed tracker into a project.
pub(crate) fn import(project: &mut Project, parsed: &Parsed) -> Result<()> {
    let origin = origin()?;
    for items in parsed.items.chunks(IMPORT_CHUNK) {
        let (items, dry_run) = (items.to_vec(), false);
        project.request(
            Some(&origin),
            Request::Administration(Administration::ImportItems { items, dry_run }),
        )?;
    }
    for relations in parsed.relations.chunks(IMPORT_CHUNK) {
        let (relations, dry_run) = (relations.to_vec(), false);
        project.request(
            Some(&origin),
            Request::Administration(Administration::ImportRelations { relations, dry_run }),
        )?;
    }
    Ok(())
}

/// So many items, made of a tracker's by going round.
pub(crate) fn many(parsed: &Parsed, items: usize) -> Parsed {
    let mut out = Parsed::default();
    for (number, item) in parsed.items.iter().cycle().take(items).enumerate() {
        let mut item = item.clone();
        item.external = format!("bench:{number}");
        out.items.push(item);
    }
    out
}
