//! The store opened directly, when no node runs: no daemon is needed for local work. Lists are answered
//! from the snapshot of cards beside it where that is as young as the log, without opening anything and
//! without asking a node that runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cli::{Ask, Context};
use crate::home::{Home, HomeError, Lock, ProjectHome, key};
use crate::project::Project;
use crate::project::snapshot::{self, needs_cards_only};
use crate::request::{Envelope, Failure, FailureCode, Reply, Request};
use crate::run::open_project;
use crate::socket::{Client, GREETING};

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

/// Answers that were there before anybody asked: those of the snapshot of cards.
struct Ready(VecDeque<Reply>);

impl Ask for Ready {
    fn ask(&mut self, _: Envelope) -> Result<Reply, Failure> {
        let spent = || {
            Failure::new(
                FailureCode::Failure,
                "the snapshot was asked for more than it answers",
            )
        };
        self.0.pop_front().ok_or_else(spent)
    }
}

/// The running node if there is one, else the store. What is going to be asked, in its order, is known
/// where a command is nothing but its questions; nobody need be asked then when the snapshot answers all
/// of them. Beside a running node that is so while it rests, and its thread is left to those who write.
pub(super) fn connect(ctx: &Context, asks: &[&Request]) -> Result<Box<dyn Ask>, Failure> {
    let home = Home::at(ctx.root()?);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(ready) = from_snapshot(ctx, &home, asks) {
            return Ok(Box::new(ready));
        }
        if let Some(client) = Client::connect(&home.socket())? {
            return Ok(Box::new(client.greeted(GREETING)?));
        }
        match home.lock("towline") {
            Ok(lock) => return open(ctx, &home, lock).map(|direct| Box::new(direct) as Box<dyn Ask>),
            // Another command, or a node that is just starting and has no socket yet.
            Err(HomeError::Busy { .. }) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The lock for somebody who keeps it for longer, such as a node that starts: a command that is just being
/// done does not keep it from starting.
pub(super) fn lock(home: &Home, what: &str) -> Result<Lock, Failure> {
    patiently(|| home.lock(what)).map_err(Failure::from)
}

fn patiently<T>(mut take: impl FnMut() -> Result<T, HomeError>) -> Result<T, HomeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match take() {
            Err(HomeError::Busy { .. }) if Instant::now() < deadline => std::thread::sleep(POLL),
            outcome => return outcome,
        }
    }
}

/// The answers of the snapshot, when it has all of them.
fn from_snapshot(ctx: &Context, home: &Home, asks: &[&Request]) -> Option<Ready> {
    if asks.is_empty() || !asks.iter().all(|request| needs_cards_only(request)) {
        return None;
    }
    let place = pick(ctx, home).ok()?;
    let replies = asks
        .iter()
        .map(|request| snapshot::answer(place.dir(), request, ctx.view.now));
    Some(Ready(replies.collect::<Option<_>>()?))
}

fn open(ctx: &Context, home: &Home, lock: Lock) -> Result<Direct, Failure> {
    let key = key::load(&home.key_file())?;
    Ok(Direct {
        project: Some(open_project(&pick(ctx, home)?, &key)?),
        _lock: lock,
    })
}

/// The project that is meant.
fn pick(ctx: &Context, home: &Home) -> Result<ProjectHome, Failure> {
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
    match (fits.as_slice(), wanted) {
        ([place], _) => Ok((*place).clone()),
        ([], Some(wanted)) => {
            let message = format!("no project {wanted:?} here; there is: {}", names());
            Err(Failure::new(FailureCode::NotFound, message))
        }
        ([], None) => {
            let message =
                "this node has no project yet; `towline up` makes one, `towline join TICKET` joins one";
            Err(Failure::new(FailureCode::NotFound, message))
        }
        (_, _) => {
            let message = format!(
                "this node has several projects; name one with --project: {}",
                names()
            );
            Err(Failure::new(FailureCode::Usage, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_starts_waits_for_a_command_that_is_being_done() {
        let busy = || HomeError::Busy {
            holder: "`towline` (pid 7)".to_owned(),
        };
        let mut looked = 0;
        let taken = patiently(|| {
            looked += 1;
            if looked < 4 { Err(busy()) } else { Ok(()) }
        });
        assert_eq!((taken.is_ok(), looked), (true, 4));

        let began = Instant::now();
        let given_up = patiently(|| Err::<(), _>(busy()));
        assert!(matches!(given_up, Err(HomeError::Busy { .. })) && began.elapsed() >= PATIENCE);
    }
}
