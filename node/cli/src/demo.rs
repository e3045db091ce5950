//! `demo`: two nodes of one project on this machine, with a conflict between them, to look at.
//!
//! Both nodes run in this process, in temporary folders with homes of their own, and listen on free ports of the
//! loopback interface only. Signals that ask the process to stop are noted from the beginning, so that the nodes are
//! stopped and the folders removed whenever they come. Never touches a project of the user.

mod story;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tempfile::TempDir;
use towline_api::document::schema;
use towline_api::request::{Administration, Failure, FailureCode, Query, Reply, Request};
use towline_engine::in_home::{make_project, open_project};
use towline_proto::{Origin, OriginKind, Role, Ticket};
use towline_store::home::init;
use towline_store::home::{Config, Home, key};

use super::args::Global;
use super::context::Context;
use super::launcher::{BoardStart, Launcher, NodeStart, RunningNode};
use super::user_name::variable;
use super::{Backend, CliError, backend, envelope, json, open};

/// How long a step may take that needs both nodes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the nodes are asked whether both know the conflict.
const POLL: Duration = Duration::from_millis(50);
/// How long the invitation is valid, in milliseconds.
const TICKET_MS: u64 = 10 * 60 * 1_000;

/// The demo while it runs. Dropping it stops the nodes, then removes the folders.
struct Demo {
    nodes: Vec<Box<dyn RunningNode>>,
    folder: TempDir,
}

/// One of the two: a name and a folder.
struct Person {
    name: &'static str,
    dir: PathBuf,
}

/// A board, and who is signed in by its link.
#[derive(Serialize)]
struct Board {
    user: &'static str,
    folder: PathBuf,
    board: String,
}

/// Why the preparation ended early.
enum Ended {
    Failed(Failure),
    /// A signal came.
    Stopped,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for node in self.nodes.drain(..) {
            if let Err(failure) = node.stop() {
                tracing::warn!(%failure, "a node of the demo did not stop in order");
            }
        }
    }
}

pub(super) fn run(ctx: &Context, launcher: &dyn Launcher, out: &mut dyn Write) -> Result<(), CliError> {
    let stopped = launcher.stop_signal()?;
    // Not `std::env::temp_dir`, for which an empty variable is the current folder.
    let temporary = variable("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
    let folder = tempfile::Builder::new()
        .prefix("towline-demo-")
        .tempdir_in(temporary)
        .map_err(|error| failed(format!("cannot make a folder for the demo: {error}")))?;
    let mut demo = Demo {
        nodes: Vec::new(),
        folder,
    };
    ctx.say("Preparing two nodes …");
    match demo.prepare(ctx, launcher, &stopped) {
        Ok(boards) => {
            show(ctx, &boards, out)?;
            // The sender ends with the process; without it there is nothing to wait for.
            let _ = stopped.recv();
        }
        Err(Ended::Stopped) => {}
        Err(Ended::Failed(failure)) => return Err(failure.into()),
    }
    drop(demo);
    ctx.say("Stopped both nodes and removed their folders.");
    Ok(())
}

/// What `--dry-run` prints.
pub(super) fn steps() -> Vec<String> {
    vec![
        "create two nodes in a temporary folder, with a project that they share".to_owned(),
        "create some items, and a conflict between the two nodes".to_owned(),
        "start both nodes with their boards on free ports of this machine".to_owned(),
        "print a sign-in link for each board".to_owned(),
        "stop the nodes and remove the folder when you press Ctrl-C".to_owned(),
    ]
}

impl Demo {
    fn prepare(
        &mut self,
        ctx: &Context,
        launcher: &dyn Launcher,
        stopped: &Receiver<()>,
    ) -> Result<Vec<Board>, Ended> {
        let [ann, bob] = ["ann", "bob"].map(|name| Person {
            name,
            dir: self.folder.path().join(name),
        });
        let home = ann.make_home()?;
        {
            let _lock = home.lock("towline demo").map_err(Failure::from)?;
            let key = key::load(&home.key_file()).map_err(Failure::from)?;
            make_project(&home, &key, story::PROJECT, &ann.node_name())?;
        }
        ann.acts_offline(&home, story::beginning())?;
        pause(stopped, Duration::ZERO)?;
        self.nodes.push(ann.start(launcher, &home)?);
        let mut anns_node = backend::running(&ann.context(ctx))?;
        let invitation = Administration::Invite {
            role: Role::Writer,
            valid_ms: TICKET_MS,
        };
        let ticket = ask(&ann, ctx, &mut *anns_node, invitation)?;
        let Reply::Ticket { ticket, .. } = ticket else {
            return Err(unexpected_reply().into());
        };
        let ticket: Ticket = ticket.parse().map_err(|why| failed(format!("{why}")))?;
        pause(stopped, Duration::ZERO)?;
        let bobs_home = bob.make_home()?;
        launcher.join(bob.node_start(&bobs_home)?, &ticket, PATIENCE)?;
        pause(stopped, Duration::ZERO)?;
        // Bob's node does not run now, so that neither sees what the other does.
        bob.acts_offline(&bobs_home, story::bob_meanwhile())?;
        for command in story::ann_meanwhile() {
            ask(&ann, ctx, &mut *anns_node, command)?;
        }
        self.nodes.push(bob.start(launcher, &bobs_home)?);
        let mut bobs_node = backend::running(&bob.context(ctx))?;
        let deadline = Instant::now() + PATIENCE;
        while !(has_conflict(&ann, ctx, &mut *anns_node)? && has_conflict(&bob, ctx, &mut *bobs_node)?) {
            if Instant::now() >= deadline {
                let why = "the two nodes did not find each other on the loopback interface";
                return Err(Failure::new(FailureCode::TimedOut, why).into());
            }
            pause(stopped, POLL)?;
        }
        let mut boards = Vec::new();
        for (person, node) in [(ann, &mut anns_node), (bob, &mut bobs_node)] {
            let Reply::Link { url: board } = node.login(person.name)? else {
                return Err(unexpected_reply().into());
            };
            boards.push(Board {
                user: person.name,
                folder: person.dir,
                board,
            });
        }
        Ok(boards)
    }
}

impl Person {
    /// The context of this person's commands.
    fn context(&self, ctx: &Context) -> Context {
        Context {
            dir: self.dir.clone(),
            global: Global {
                name: Some(self.name.to_owned()),
                project: None,
                agent: false,
                ..ctx.global.clone()
            },
            ..ctx.clone()
        }
    }

    fn origin(&self) -> Result<Origin, Failure> {
        Origin::new(OriginKind::User, self.name).map_err(|why| failed(why.to_string()))
    }

    fn node_name(&self) -> String {
        format!("{}'s laptop", self.name)
    }

    /// A home whose node is reached from this machine only.
    fn make_home(&self) -> Result<Home, Failure> {
        fs::create_dir(&self.dir)
            .map_err(|error| failed(format!("cannot create {}: {error}", self.dir.display())))?;
        let config = Config {
            node_name: self.node_name(),
            user: self.name.to_owned(),
            listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
            board: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            mdns: false,
            ..Config::default()
        };
        Ok(init::init(&self.dir, &config)?.0)
    }

    fn node_start(&self, home: &Home) -> Result<NodeStart, Failure> {
        Ok(NodeStart {
            home: home.clone(),
            lock: home.lock("towline demo")?,
            config: Config::load(&home.config_file())?,
            key: key::load(&home.key_file())?,
        })
    }

    fn start(&self, launcher: &dyn Launcher, home: &Home) -> Result<Box<dyn RunningNode>, Failure> {
        let board = BoardStart {
            title: format!("{} · {}", story::PROJECT, self.name),
            sign_in: None,
        };
        launcher.start(self.node_start(home)?, board)
    }

    /// Gives commands to the store, without a node.
    fn acts_offline(&self, home: &Home, commands: Vec<story::Step>) -> Result<(), Failure> {
        let _lock = home.lock("towline demo")?;
        let key = key::load(&home.key_file())?;
        let place = home.projects()?.into_iter().next();
        let place = place.ok_or_else(|| failed("the project of the demo is missing".to_owned()))?;
        let mut project = open_project(&place, &key)?;
        let origin = self.origin()?;
        let done = commands
            .into_iter()
            .try_for_each(|command| project.request(Some(&origin), command.into()).map(drop));
        project.close();
        done
    }
}

/// Waits, and ends the preparation when a signal has come.
fn pause(stopped: &Receiver<()>, time: Duration) -> Result<(), Ended> {
    match stopped.recv_timeout(time) {
        Err(RecvTimeoutError::Timeout) => Ok(()),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Ended::Stopped),
    }
}

fn ask(
    person: &Person,
    ctx: &Context,
    node: &mut dyn Backend,
    body: impl Into<Request>,
) -> Result<Reply, Failure> {
    let ctx = person.context(ctx);
    node.request(envelope(&ctx, Some(person.origin()?), body.into()))
}

fn has_conflict(person: &Person, ctx: &Context, node: &mut dyn Backend) -> Result<bool, Failure> {
    match ask(person, ctx, node, Query::Conflicts { item: None })? {
        Reply::Conflicts(open) => Ok(!open.is_empty()),
        _ => Err(unexpected_reply()),
    }
}

fn show(ctx: &Context, boards: &[Board], out: &mut dyn Write) -> Result<(), CliError> {
    if ctx.global.json {
        let document = std::collections::BTreeMap::from([("boards", boards)]);
        out.write_all(json::document(schema::DEMO, document).as_bytes())?;
        return Ok(out.flush()?);
    }
    writeln!(out, "{}\n", story::INTRODUCTION)?;
    for board in boards {
        writeln!(out, "{}'s board:  {}", board.user, board.board)?;
    }
    writeln!(out, "\n{}", story::WHAT_TO_LOOK_AT)?;
    if let Some(folder) = boards.first().map(|board| board.folder.as_path()) {
        in_a_terminal(folder, out)?;
    }
    out.flush()?;
    if ctx.terminal {
        for board in boards {
            open::show(ctx, &board.board);
        }
    }
    ctx.say("Press Ctrl-C to stop both nodes and to remove their folders.");
    Ok(())
}

fn in_a_terminal(folder: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let folder = folder.display();
    let item = story::DISPUTED;
    writeln!(out, "\nIn another terminal:")?;
    writeln!(out, "  towline -C {folder} board")?;
    writeln!(out, "  towline -C {folder} conflicts")?;
    writeln!(out, "  towline -C {folder} explain {item}")?;
    Ok(())
}

fn failed(why: String) -> Failure {
    Failure::new(FailureCode::Failure, why)
}

fn unexpected_reply() -> Failure {
    failed("unexpected reply from a node of the demo".to_owned())
}
