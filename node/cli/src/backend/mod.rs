//! The backend of the command line, and the commands that create, run or remove a node.
//!
//! The running node answers a command through its socket. If none runs, the command opens the store itself. The
//! rest of the command line does not know which.

mod busy_wait;
mod lifecycle;
mod local_store;
mod read_only;
mod transfer;

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use towline_api::request::{Administration, Envelope, Failure, FailureCode, Reply, Request};
use towline_socket::{Client, HELLO_TIMEOUT};
use towline_store::home::{Home, LockHolder};

use super::args::{DownArgs, ExportArgs, ImportArgs, InitArgs, JoinArgs, RunArgs};
use super::context::Context;
use super::launcher::Launcher;
use super::{Backend, CliError, envelope, json, render};
use busy_wait::BusyWait;

/// How often the lock of a node that stops is checked.
const POLL: Duration = Duration::from_millis(50);
/// How often peers are asked whether they are in sync.
const SYNC_POLL: Duration = Duration::from_millis(200);

/// A running node that was asked something already: the reply is there before the request that it belongs to.
struct AskedNode {
    client: Client,
    first: Option<Result<Reply, Failure>>,
}

impl Backend for AskedNode {
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        match self.first.take() {
            Some(reply) => reply,
            None => self.client.ask(&envelope),
        }
    }
}

impl Backend for Client {
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        Self::ask(self, &envelope)
    }
}

/// The running node, or the store opened directly.
///
/// # Errors
/// When there is no project here, or another process has its store open.
pub fn connect(ctx: &Context) -> Result<Box<dyn Backend>, Failure> {
    local_store::connect(ctx, &[])
}

/// As [`connect`], for a command that sends these requests and no others, in this order.
///
/// # Errors
/// As [`connect`].
pub fn connect_for(ctx: &Context, requests: &[Envelope]) -> Result<Box<dyn Backend>, Failure> {
    local_store::connect(ctx, requests)
}

/// The running node and nothing else. The lock says whether one runs; waits for a node that is starting or
/// creating its socket again.
///
/// # Errors
/// When none runs here, or it cannot be reached.
pub fn running(ctx: &Context) -> Result<Box<Client>, Failure> {
    running_within(ctx, HELLO_TIMEOUT)
}

fn running_within(ctx: &Context, within: Duration) -> Result<Box<Client>, Failure> {
    let home = Home::at(ctx.root()?);
    let mut busy_wait = BusyWait::of(ctx, &home);
    loop {
        let busy = match towline_socket::find(&home)?.map(|client| client.check_alive(within)) {
            Some(Ok(client)) => return Ok(Box::new(client)),
            Some(Err(failure)) if failure.code == FailureCode::Busy => failure,
            Some(Err(failure)) => return Err(failure),
            None => match home.holder()? {
                Some(holder) => silent(&holder),
                None => {
                    let why = "no node is running here; start one with `towline up`";
                    return Err(Failure::new(FailureCode::Unreachable, why));
                }
            },
        };
        if !busy_wait.wait() {
            return Err(busy_wait.with_hint(busy));
        }
    }
}

/// A process has the project open and does not answer.
fn silent(holder: &LockHolder) -> Failure {
    let message = format!(
        "{} has the project open and does not answer on its socket; if it is a node that hangs, kill it",
        holder.who
    );
    Failure::new(FailureCode::Unreachable, message)
}

/// `init`.
///
/// # Errors
/// When it cannot be done.
pub fn init(ctx: &Context, args: &InitArgs, out: &mut dyn Write) -> Result<(), CliError> {
    lifecycle::init(ctx, args, out)
}

/// `deinit`.
///
/// # Errors
/// When it cannot be done.
pub fn deinit(ctx: &Context, out: &mut dyn Write) -> Result<(), CliError> {
    lifecycle::deinit(ctx, out)
}

pub(super) use lifecycle::{check_no_project, check_not_running, project_name, run_config};

/// `doctor --repair`.
///
/// # Errors
/// When the store is in use or cannot be repaired.
pub fn repair(ctx: &Context, out: &mut dyn Write) -> Result<(), CliError> {
    lifecycle::repair(ctx, out)
}

/// `up`.
///
/// # Errors
/// When it cannot be done.
pub fn up(
    ctx: &Context,
    launcher: &dyn Launcher,
    args: &RunArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    lifecycle::run(ctx, launcher, args, true, out)
}

/// `serve`.
///
/// # Errors
/// When it cannot be done.
pub fn serve(
    ctx: &Context,
    launcher: &dyn Launcher,
    args: &RunArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    lifecycle::run(ctx, launcher, args, false, out)
}

/// `join`.
///
/// # Errors
/// When it cannot be done.
pub fn join(
    ctx: &Context,
    launcher: &dyn Launcher,
    args: &JoinArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    lifecycle::join(ctx, launcher, args, out)
}

/// `import`.
///
/// # Errors
/// When it cannot be done.
pub fn import(ctx: &Context, args: &ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    transfer::import(ctx, args, out)
}

/// `export`.
///
/// # Errors
/// When it cannot be done.
pub fn export(ctx: &Context, args: &ExportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    transfer::export(ctx, args, out)
}

/// `down`: asks the node to stop and waits until it has.
///
/// # Errors
/// When none runs here, or it does not stop in time.
pub fn down(ctx: &Context, args: &DownArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let home = Home::at(ctx.root()?);
    running(ctx)?.stop()?;
    let deadline = Instant::now() + args.timeout;
    // The lock goes last, with everything stored and the network closed.
    while home.holder().map_err(Failure::from)?.is_some() {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                FailureCode::TimedOut,
                format!("the node did not stop within {} s", args.timeout.as_secs()),
            )
            .into());
        }
        thread::sleep(POLL);
    }
    if ctx.global.json {
        out.write_all(json::done().as_bytes())?;
    }
    ctx.say("Stopped.");
    Ok(())
}

/// `sync --wait`: polls until all connected peers are in sync.
///
/// # Errors
/// When no node runs here, or they are not in sync in time.
pub fn sync_wait(ctx: &Context, timeout: Duration, out: &mut dyn Write) -> Result<(), CliError> {
    let mut backend = running_within(ctx, timeout.min(HELLO_TIMEOUT))?.with_timeout(timeout);
    let deadline = Instant::now() + timeout;
    loop {
        let reply = Backend::request(
            &mut backend,
            envelope(ctx, None, Request::Administration(Administration::SyncStatus)),
        )?;
        let Reply::Synced { peers, equal } = reply else {
            return Err(unexpected_reply("sync").into());
        };
        if peers > 0 && peers == equal {
            let page = if ctx.global.json {
                json::replies(super::plan::Layout::Plain, vec![reply])
            } else {
                render::synced(peers, equal)
            };
            out.write_all(page.as_bytes())?;
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                FailureCode::TimedOut,
                format!(
                    "not in sync after {} s: {}",
                    timeout.as_secs(),
                    render::synced(peers, equal).trim_end()
                ),
            )
            .into());
        }
        thread::sleep(SYNC_POLL);
    }
}

fn unexpected_reply(what: &str) -> Failure {
    Failure::new(
        FailureCode::Failure,
        format!("unexpected reply from the node to {what}; it may run another version of towline"),
    )
}
