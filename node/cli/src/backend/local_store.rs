//! The store opened directly, when no node runs: local work needs no daemon. Lists are answered from the snapshot
//! of cards if it is as new as the log, without opening the store and without asking a running node. A store that
//! cannot be written is read from a copy.

use std::collections::VecDeque;

use towline_api::project_names;
use towline_api::request::{Envelope, Failure, FailureCode, Reply};
use towline_api::types::UnavailableProject;
use towline_engine::Project;
use towline_engine::in_home::open_project;
use towline_engine::snapshot::{self, needs_cards_only};
use towline_socket::{Client, HELLO_TIMEOUT};
use towline_store::home::{Home, HomeError, Lock, ProjectHome, ProjectScan, key};

use super::AskedNode;
use super::busy_wait::BusyWait;
use super::read_only::{self, StoreCopy};
use crate::{Backend, Context};

/// One project's store, open for one command.
pub(super) struct LocalStore {
    // Closed when dropped, before the lock behind it is given back.
    project: Option<Project>,
    unavailable: Vec<UnavailableProject>,
    access: StoreAccess,
}

/// How the store is open.
enum StoreAccess {
    /// The project's own folder, under its lock.
    Locked(#[expect(dead_code, reason = "held for as long as the store is open")] Lock),
    /// A copy, because the folder cannot be written.
    Copy(StoreCopy),
}

impl Backend for LocalStore {
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        let closed = || Failure::new(FailureCode::Failure, "the store is closed");
        if let StoreAccess::Copy(copy) = &self.access {
            copy.check_read_only(&envelope.body)?;
        }
        let project = self.project.as_mut().ok_or_else(closed)?;
        match project.request(envelope.origin.as_ref(), envelope.body)? {
            Reply::Status(mut status) => {
                status.unavailable.clone_from(&self.unavailable);
                Ok(Reply::Status(status))
            }
            reply => Ok(reply),
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        if let Some(project) = self.project.take() {
            project.close();
        }
    }
}

/// Replies from the snapshot of cards.
struct SnapshotReplies(VecDeque<Reply>);

impl Backend for SnapshotReplies {
    fn request(&mut self, _: Envelope) -> Result<Reply, Failure> {
        let spent = || {
            Failure::new(
                FailureCode::Failure,
                "the snapshot of cards was asked for more than it holds",
            )
        };
        self.0.pop_front().ok_or_else(spent)
    }
}

/// The running node if there is one, else the store. `requests` are those that a command will send, in their
/// order, if they are all known; if the snapshot answers all of them, nothing is opened. With a running node this
/// works while the log stands still, and leaves the project's thread to writers.
pub(super) fn connect(ctx: &Context, requests: &[Envelope]) -> Result<Box<dyn Backend>, Failure> {
    let home = Home::at(ctx.root()?);
    let mut busy_wait = BusyWait::of(ctx, &home);
    loop {
        if let Some(ready) = from_snapshot(ctx, &home, requests) {
            return Ok(Box::new(ready));
        }
        let busy = match ask_node(&home, requests.first()) {
            Ok(Some(node)) => return Ok(Box::new(node)),
            Err(failure) if failure.code == FailureCode::Busy => failure,
            Err(failure) => return Err(failure),
            Ok(None) => match home.lock("towline") {
                Ok(lock) => return open(ctx, &home, lock).map(|direct| Box::new(direct) as Box<dyn Backend>),
                // Another command, or a node that has no socket yet.
                Err(busy @ HomeError::Busy { .. }) => busy.into(),
                Err(error) if read_only::is_unwritable(&error) => {
                    return read(ctx, &home, error).map(|direct| Box::new(direct) as Box<dyn Backend>);
                }
                Err(error) => return Err(error.into()),
            },
        };
        if !busy_wait.wait() {
            return Err(busy_wait.with_hint(busy));
        }
    }
}

/// The node that runs in a home, with its reply to the first request.
fn ask_node(home: &Home, first: Option<&Envelope>) -> Result<Option<AskedNode>, Failure> {
    let Some(client) = towline_socket::find(home)? else {
        return Ok(None);
    };
    let (client, first) = match first {
        Some(first) => {
            let (client, reply) = client.check_alive_and_ask(HELLO_TIMEOUT, first)?;
            (client, Some(reply))
        }
        None => (client.check_alive(HELLO_TIMEOUT)?, None),
    };
    Ok(Some(AskedNode { client, first }))
}

/// The node that runs in a home, if it accepts this client.
///
/// # Errors
/// Busy when it has no free connection, and what else keeps it from answering.
pub(super) fn node(home: &Home) -> Result<Option<Client>, Failure> {
    let found = towline_socket::find(home)?;
    found.map(|client| client.check_alive(HELLO_TIMEOUT)).transpose()
}

/// The lock for a long time, for example for a node that starts. Waits for commands that hold it.
pub(super) fn lock(ctx: &Context, home: &Home, what: &str) -> Result<Lock, Failure> {
    BusyWait::of(ctx, home).retry_while_busy(|| home.lock(what))
}

/// The replies of the snapshot, if it has all of them.
fn from_snapshot(ctx: &Context, home: &Home, requests: &[Envelope]) -> Option<SnapshotReplies> {
    if requests.is_empty() || !requests.iter().all(|request| needs_cards_only(&request.body)) {
        return None;
    }
    let place = pick(ctx, home).ok()?;
    let replies = requests
        .iter()
        .map(|request| snapshot::answer(place.dir(), &request.body, ctx.view.now));
    Some(SnapshotReplies(replies.collect::<Option<_>>()?))
}

fn open(ctx: &Context, home: &Home, lock: Lock) -> Result<LocalStore, Failure> {
    let key = key::load(&home.key_file())?;
    Ok(LocalStore {
        unavailable: unavailable(home.scan_projects()?.unreadable),
        project: Some(open_project(&pick(ctx, home)?, &key)?),
        access: StoreAccess::Locked(lock),
    })
}

/// Opens a copy of a store that cannot be written.
fn read(ctx: &Context, home: &Home, why: HomeError) -> Result<LocalStore, Failure> {
    let key = key::load(&home.key_file())?;
    let copy = StoreCopy::of(&pick(ctx, home)?, why)?;
    Ok(LocalStore {
        unavailable: unavailable(home.scan_projects()?.unreadable),
        project: Some(open_project(copy.place(), &key)?),
        access: StoreAccess::Copy(copy),
    })
}

fn unavailable(unreadable: Vec<(String, HomeError)>) -> Vec<UnavailableProject> {
    let unavailable = unreadable.into_iter().map(|(name, error)| UnavailableProject {
        name,
        why: error.to_string(),
    });
    unavailable.collect()
}

/// The project that is meant.
fn pick(ctx: &Context, home: &Home) -> Result<ProjectHome, Failure> {
    let ProjectScan { projects, unreadable } = home.scan_projects()?;
    let unavailable = unavailable(unreadable);
    let wanted = ctx.global.project.as_deref();
    let all: Vec<_> = projects
        .iter()
        .map(|place| (place.name.as_str(), &place.id))
        .collect();
    let at = project_names::resolve(&all, &unavailable, wanted)?;
    let gone = || Failure::new(FailureCode::NotFound, "no such project");
    projects.get(at).cloned().ok_or_else(gone)
}
