//! Whom the command line asks, and the commands that make, run or leave a node.
//!
//! A command is answered by the running node through its socket, or, when none runs, by the store
//! opened directly; the rest of the command line does not know which.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::args::{DownArgs, ExportArgs, ImportArgs, InitArgs, JoinArgs, RunArgs};
use super::context::{Context, HOME};
use super::{Ask, Trouble, envelope, json, render};
use crate::request::{Envelope, Failure, FailureCode, Reply, Request};
use crate::socket::Client;

/// How often something is looked at that cannot tell us of its change.
const POLL: Duration = Duration::from_millis(50);
/// How often peers are asked whether they hold the same.
const SYNC_POLL: Duration = Duration::from_millis(200);

impl Ask for Client {
    fn ask(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        Self::ask(self, &envelope)
    }
}

/// Where the node of a project listens.
pub fn socket_path(root: &Path) -> PathBuf {
    root.join(HOME).join("node.sock")
}

/// The running node, or the store opened directly.
///
/// # Errors
/// When there is no project here, or somebody else has its store open.
pub fn connect(ctx: &Context) -> Result<Box<dyn Ask>, Failure> {
    if let Some(client) = Client::connect(&socket_path(ctx.root()?))? {
        return Ok(Box::new(client));
    }
    Err(not_wired("opening the store"))
}

/// The running node and nothing else.
///
/// # Errors
/// When none runs here.
pub fn running(ctx: &Context) -> Result<Box<Client>, Failure> {
    Client::connect(&socket_path(ctx.root()?))?.map_or_else(
        || {
            Err(Failure::new(
                FailureCode::Unreachable,
                "no node is running here; `towline up` starts one",
            ))
        },
        |client| Ok(Box::new(client)),
    )
}

/// `init`.
///
/// # Errors
/// When it cannot be done.
pub fn init(_ctx: &Context, _args: &InitArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("init").into())
}

/// `deinit`.
///
/// # Errors
/// When it cannot be done.
pub fn deinit(_ctx: &Context, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("deinit").into())
}

/// `up`.
///
/// # Errors
/// When it cannot be done.
pub fn up(_ctx: &Context, _args: &RunArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("up").into())
}

/// `serve`.
///
/// # Errors
/// When it cannot be done.
pub fn serve(_ctx: &Context, _args: &RunArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("serve").into())
}

/// `join`.
///
/// # Errors
/// When it cannot be done.
pub fn join(_ctx: &Context, _args: &JoinArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("join").into())
}

/// `import`.
///
/// # Errors
/// When it cannot be done.
pub fn import(_ctx: &Context, _args: &ImportArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("import").into())
}

/// `export`.
///
/// # Errors
/// When it cannot be done.
pub fn export(_ctx: &Context, _args: &ExportArgs, _out: &mut dyn Write) -> Result<(), Trouble> {
    Err(not_wired("export").into())
}

/// `down`: asks the node to end and waits until it has.
///
/// # Errors
/// When none runs here, or it does not end in time.
pub fn down(ctx: &Context, args: &DownArgs) -> Result<(), Trouble> {
    let path = socket_path(ctx.root()?);
    running(ctx)?.stop()?;
    let deadline = Instant::now() + args.timeout;
    while Client::connect(&path)?.is_some() {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                FailureCode::TimedOut,
                format!("the node has not ended after {} s", args.timeout.as_secs()),
            )
            .into());
        }
        thread::sleep(POLL);
    }
    ctx.say("the node has ended");
    Ok(())
}

/// `open`: prints the address of the board and shows it in a browser.
///
/// # Errors
/// When no node runs here, or it serves no board.
pub fn open(ctx: &Context, out: &mut dyn Write) -> Result<(), Trouble> {
    let info = running(ctx)?.hello()?;
    let Some(board) = info.board else {
        return Err(Failure::new(
            FailureCode::Unreachable,
            "the node serves no board; start it with `towline up --board 127.0.0.1:0`",
        )
        .into());
    };
    if ctx.global.json {
        let address = std::collections::BTreeMap::from([("board", &board)]);
        out.write_all(json::document("towline.board/v1", address).as_bytes())?;
        return Ok(());
    }
    writeln!(out, "{board}")?;
    out.flush()?;
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let opened = Command::new(opener)
        .arg(&board)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if opened.is_err() {
        ctx.say("there is no browser to open it in; open the address yourself");
    }
    Ok(())
}

/// `sync --wait`: asks until every connected peer holds the same.
///
/// # Errors
/// When no node runs here, or they do not hold the same in time.
pub fn sync_wait(ctx: &Context, timeout: Duration, out: &mut dyn Write) -> Result<(), Trouble> {
    let mut ask = running(ctx)?.with_timeout(timeout);
    let deadline = Instant::now() + timeout;
    loop {
        let reply = Ask::ask(&mut ask, envelope(ctx, None, Request::SyncNow))?;
        let Reply::Synced { peers, equal } = reply else {
            return Err(not_wired("sync").into());
        };
        if peers > 0 && peers == equal {
            let page = if ctx.global.json {
                json::replies(super::plan::Shape::Plain, vec![reply])
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

fn not_wired(what: &str) -> Failure {
    Failure::new(FailureCode::Failure, format!("{what} is not wired yet"))
}
