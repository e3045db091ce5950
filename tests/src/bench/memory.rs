//! The product's own process: how long a cold `list` takes, and what a node at rest holds.
//!
//! Needs the release binary `towline` beside the bench's own; `cargo xtask bench` builds it.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use towline_api::request::{Filter, Query, Request};
use towline_engine::in_home::open_project;
use towline_interchange::import::Parsed;
use towline_store::home::{Home, key};

use super::{Bench, Goal, Row, at, nodes};

/// Processes that are started one after the other.
const SPAWNS: usize = 20;
/// How long a node may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the node's socket is tried.
const LOOK: Duration = Duration::from_millis(20);

/// Ends a node that was started here, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn binary() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let mut folders = own.ancestors().skip(1).take(2);
    folders.find_map(|folder| Some(folder.join("towline")).filter(|path| path.exists()))
}

pub(crate) fn towline(binary: &Path, root: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(crate) fn timed(mut command: Command) -> Result<Duration> {
    let begun = Instant::now();
    let status = command.status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(begun.elapsed())
}

fn size(path: &Path) -> Result<u64> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        sum += size(&entry?.path())?;
    }
    Ok(sum)
}

/// Starts a node and waits until its socket answers: it listens once every project is open. Nothing
/// else may ask meanwhile, because a command without a node would take the home's lock itself.
fn serve(binary: &Path, root: &Path) -> Result<Running> {
    let said = root.join("said");
    let mut command = towline(binary, root);
    command.stderr(File::create(&said)?).args([
        "serve",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--board",
        "127.0.0.1:0",
    ]);
    let mut node = Running(command.spawn()?);
    let begun = Instant::now();
    while UnixStream::connect(Home::at(root).socket()).is_err() {
        if let Some(status) = node.0.try_wait()? {
            let said = std::fs::read_to_string(&said)?;
            bail!("the node ended with {status}: {}", said.trim());
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "the node's socket was not there after {} s",
            PATIENCE.as_secs()
        );
        std::thread::sleep(LOOK);
    }
    Ok(node)
}

/// Resident memory of a node at rest, in bytes.
pub(crate) fn resident(binary: &Path, root: &Path) -> Result<u64> {
    let node = serve(binary, root)?;
    let text = std::fs::read_to_string(format!("/proc/{}/status", node.0.id()))?;
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    let kilobytes = line.split_whitespace().nth(1).context("VmRSS has a number")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// Cold list, memory and disk of the imported tracker.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn process(bench: &Bench) -> Result<Vec<Row>> {
    let binary = binary()
        .context("no `towline` beside this program; `cargo build --release -p towline-node` makes it")?;
    let dir = tempfile::tempdir()?;
    let (full, empty) = (dir.path().join("full"), dir.path().join("empty"));
    for (root, parsed) in [(&full, &bench.tracker), (&empty, &Parsed::default())] {
        std::fs::create_dir(root)?;
        nodes::home(root, parsed)?;
    }
    let (mut nothing, mut cold, mut cold_empty) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SPAWNS {
        nothing.push(timed(towline(Path::new("/bin/true"), dir.path()))?);
        for (root, times) in [(&full, &mut cold), (&empty, &mut cold_empty)] {
            let mut list = towline(&binary, root);
            list.arg("list");
            times.push(timed(list)?);
        }
    }
    let mut warm = warm_lists(&full)?;
    let items = bench.tracker.items.len() as f64;
    let cold = at(&mut cold, 0.5);
    let disk = size(&Home::at(&full).dir())?.saturating_sub(size(&Home::at(&empty).dir())?) as f64;
    let log = dir_named(&Home::at(&full).dir(), "log")? as f64;
    let (held, bare) = (
        resident(&binary, &full)? as f64,
        resident(&binary, &empty)? as f64,
    );
    let what = format!("cold list of {items} items p50");
    let file = bench.tracker_bytes as f64 / items;
    Ok(vec![
        Row::new(what.clone(), "us", cold, "15 ms", 15_000.0, Goal::AtMost(1.0)),
        Row::new(
            what.clone(),
            "us",
            cold,
            "/bin/true",
            at(&mut nothing, 0.5),
            Goal::None,
        ),
        Row::new(
            what.clone(),
            "us",
            cold,
            "cold list, nothing in it",
            at(&mut cold_empty, 0.5),
            Goal::None,
        ),
        Row::new(
            what,
            "us",
            cold,
            "list in an open project",
            at(&mut warm, 0.5),
            Goal::None,
        ),
        Row::new(
            "memory at rest",
            "MB",
            held / 1e6,
            "a node with nothing",
            bare / 1e6,
            Goal::None,
        ),
        Row::new(
            "memory an item",
            "B",
            (held - bare) / items,
            "goal, 100 MB at 100k",
            1_000.0,
            Goal::AtMost(1.0),
        ),
        Row::new(
            "disk an item, log and cache",
            "B",
            disk / items,
            "goal",
            2_700.0,
            Goal::AtMost(1.0),
        ),
        Row::new(
            "disk an item, log, reserve included",
            "B",
            log / items,
            "the tracker's JSON",
            file,
            Goal::None,
        ),
    ])
}

/// Bytes in every folder of a name below another.
fn dir_named(root: &Path, name: &str) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|file| file == name) {
            sum += size(&path)?;
        } else if path.is_dir() {
            sum += dir_named(&path, name)?;
        }
    }
    Ok(sum)
}

fn warm_lists(root: &Path) -> Result<Vec<Duration>> {
    let home = Home::at(root);
    let _lock = home.lock("bench")?;
    let seed = key::load(&home.key_file())?;
    let place = home.projects()?.pop().context("a project")?;
    let mut project = open_project(&place, &seed)?;
    let mut times = Vec::new();
    for _ in 0..SPAWNS {
        let begun = Instant::now();
        project.request(None, Request::Query(Query::List(Filter::default())))?;
        times.push(begun.elapsed());
    }
    project.close();
    Ok(times)
}
