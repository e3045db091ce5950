//! The store opened directly, when no node runs: no daemon is needed for local work.

use std::time::{Duration, Instant};

use crate::cli::{Ask, Context};
use crate::home::{Home, HomeError, Lock, key};
use crate::project::Project;
use crate::request::{Envelope, Failure, FailureCode, Reply};
use crate::run::open_project;
use crate::socket::Client;

/// How long a command waits for another one that has the store open: each takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks again.
const POLL: Duration = Duration::from_millis(10);

/// One project's store, open for one command.
pub(super) struct Direct {
    // Closed when dropped, before the lock behind it is given back.
    project: Option<Project>,
    _lock: Lock,
}

impl Ask for Direct {
    fn ask(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        let closed = || Failure::new(FailureCode::Failure, "the store is closed");
        let project = self.project.as_mut().ok_or_else(closed)?;
        project.request(envelope.origin.as_ref(), envelope.body)
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if let Some(project) = self.project.take() {
            project.close();
        }
    }
}

/// The running node if there is one, else the store.
pub(super) fn connect(ctx: &Context) -> Result<Box<dyn Ask>, Failure> {
    let home = Home::at(ctx.root()?);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = Client::connect(&home.socket())? {
            return Ok(Box::new(client));
        }
        match home.lock("towline") {
            Ok(lock) => return open(ctx, &home, lock).map(|direct| Box::new(direct) as Box<dyn Ask>),
            // Another command, or a node that is just starting and has no socket yet.
            Err(HomeError::Busy { .. }) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(error) => return Err(error.into()),
        }
    }
}

fn open(ctx: &Context, home: &Home, lock: Lock) -> Result<Direct, Failure> {
    let key = key::load(&home.key_file())?;
    let projects = home.projects()?;
    let names = || {
        projects
            .iter()
            .map(|place| place.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let wanted = ctx.global.project.as_deref();
    let fits: Vec<_> = projects
        .iter()
        .filter(|place| {
            wanted.is_none_or(|wanted| place.name == wanted || place.id.to_string().starts_with(wanted))
        })
        .collect();
    let place = match (fits.as_slice(), wanted) {
        ([place], _) => *place,
        ([], Some(wanted)) => {
            let message = format!("no project {wanted:?} here; there is: {}", names());
            return Err(Failure::new(FailureCode::NotFound, message));
        }
        ([], None) => {
            let message =
                "this node has no project yet; `towline up` makes one, `towline join TICKET` joins one";
            return Err(Failure::new(FailureCode::NotFound, message));
        }
        (_, _) => {
            let message = format!(
                "this node has several projects; name one with --project: {}",
                names()
            );
            return Err(Failure::new(FailureCode::Usage, message));
        }
    };
    Ok(Direct {
        project: Some(open_project(place, &key)?),
        _lock: lock,
    })
}
