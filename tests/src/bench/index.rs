//! What lists cost in a large project: cold through the program, warm in an open project, and what the
//! index holds in memory.
//!
//! The project is made once for all runs, through the import like anybody's: the tracker's items go round,
//! and what is done in the older rounds has been put away, as the tracker's own keepers would. Cold
//! figures need the release binary `towline` beside the bench's own.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use towline_api::request::{Filter, ImportStage, Query, Reply, Request};
use towline_engine::Project;
use towline_engine::in_home::open_project;
use towline_interchange::import::Parsed;
use towline_proto::limits;
use towline_store::home::{Home, key};

use super::memory::{binary, resident, timed, towline};
use super::{Bench, Goal, Row, at, nodes, world};

/// Sizes, the larger one with `--full` alone.
const SIZES: [usize; 2] = [10_000, 100_000];
/// A cold list may take so long, in microseconds: at 10,000 items and at 100,000.
const COLD_GOALS_US: [f64; 2] = [15_000.0, 80_000.0];
/// Times that each command is started, and each request asked.
const ASKED: usize = 15;
/// Times for what takes seconds in a large project.
const SLOW: usize = 3;
/// Milliseconds between two rounds of the tracker: some forty days.
const ROUND_MS: u64 = 3_456_789_012;
/// What memory at rest may be an item, in bytes: 100 MB at 100,000.
const MEMORY_GOAL: f64 = 1_000.0;

/// Homes that were made already, by their number of items: making one takes a minute.
static HOMES: Mutex<BTreeMap<usize, tempfile::TempDir>> = Mutex::new(BTreeMap::new());

fn home(parsed: &Parsed, items: usize) -> Result<PathBuf> {
    let mut homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = homes.get(&items) {
        return Ok(made.path().to_owned());
    }
    let dir = tempfile::tempdir()?;
    nodes::home(dir.path(), &aged(parsed, items))?;
    let path = dir.path().to_owned();
    homes.insert(items, dir);
    Ok(path)
}

/// Removes the homes that were made.
pub(crate) fn forget() {
    HOMES.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// So many items of a tracker's shape, with its relations inside each round.
fn aged(parsed: &Parsed, items: usize) -> Parsed {
    let mut out = world::many(parsed, items);
    let round = parsed.items.len().max(1);
    let rounds = items.div_ceil(round);
    for (number, item) in out.items.iter_mut().enumerate() {
        // Earlier rounds are older, and no two rounds say quite the same: equal rows beside each other
        // would make the snapshot smaller than a real one.
        let back = rounds - 1 - number / round;
        for at in [&mut item.created_at, &mut item.updated_at] {
            at.0 =
                at.0.saturating_sub(ROUND_MS * u64::try_from(back).unwrap_or_default());
        }
        if back > 0 {
            item.title = said_again(&item.title, number);
            if item.stage == ImportStage::Done {
                item.stage = ImportStage::Abandoned { reason: None };
            }
        }
    }
    let places: BTreeMap<_, _> = parsed.items.iter().map(|item| &item.external).zip(0..).collect();
    for begin in (0..items).step_by(round) {
        for relation in &parsed.relations {
            let place = |name: &String| places.get(name).map(|place: &usize| begin + place);
            let (Some(from), Some(to)) = (place(&relation.from), place(&relation.to)) else {
                continue;
            };
            if from.max(to) < items {
                let mut relation = relation.clone();
                (relation.from, relation.to) = (format!("bench:{from}"), format!("bench:{to}"));
                out.relations.push(relation);
            }
        }
    }
    out
}

/// The words of a title in another order.
fn said_again(title: &str, number: usize) -> String {
    let mut words: Vec<_> = title.split_whitespace().collect();
    let by = number % words.len().max(1);
    words.rotate_left(by);
    let title = format!("{} {number}", words.join(" "));
    title.chars().take(limits::TITLE_CHARS).collect()
}

/// Lists of projects of all sizes.
pub(crate) fn index(bench: &Bench) -> Result<Vec<Row>> {
    let sizes = SIZES
        .into_iter()
        .zip(COLD_GOALS_US)
        .take(if bench.full { 2 } else { 1 });
    let mut rows = Vec::new();
    for (items, goal) in sizes {
        let items = if bench.rounds < 300 { bench.items } else { items };
        rows.extend(of(bench, items, goal)?);
    }
    Ok(rows)
}

fn of(bench: &Bench, items: usize, goal: f64) -> Result<Vec<Row>> {
    let root = home(&bench.tracker, items)?;
    let mut rows = cold(&root, items, goal)?;
    rows.extend(warm(&root, items)?);
    rows.extend(held(&root, items)?);
    Ok(rows)
}

/// The one project's folder.
fn project_dir(root: &Path) -> Result<PathBuf> {
    let place = Home::at(root).projects()?.pop().context("a project")?;
    Ok(place.dir().to_owned())
}

fn spawned(binary: &Path, root: &Path, args: &[&str], times: usize) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let mut command = towline(binary, root);
        command.args(args);
        taken.push(timed(command)?);
    }
    Ok(at(&mut taken, 0.5))
}

/// Commands without a node.
fn cold(root: &Path, items: usize, goal: f64) -> Result<Vec<Row>> {
    let binary = binary()
        .context("no `towline` beside this program; `cargo build --release -p towline-node` makes it")?;
    let snapshot = project_dir(root)?.join("rows.snap");
    let nothing = spawned(Path::new("/bin/true"), root, &[], ASKED)?;
    // Whatever ran before may have left the log further than the snapshot.
    spawned(&binary, root, &["status"], 1)?;
    let mut reads = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        black_box(std::fs::read(&snapshot)?);
        reads.push(begun.elapsed());
    }
    let read = at(&mut reads, 0.5);
    let list = spawned(&binary, root, &["list"], ASKED)?;
    let what = |name: &str| format!("cold {name}, {items} items");
    let mut rows = vec![
        Row::new(what("list"), "us", list, "goal", goal, Goal::AtMost(1.0)),
        Row::new(what("list"), "us", list, "/bin/true", nothing, Goal::None),
        Row::new(what("list"), "us", list, "reading rows.snap", read, Goal::None),
    ];
    for (name, args) in [
        ("list --all", &["list", "--all"][..]),
        ("list --json", &["list", "--json"]),
        ("list --limit 50", &["list", "--limit", "50"]),
        ("ready", &["ready"]),
    ] {
        let took = spawned(&binary, root, args, ASKED)?;
        rows.push(Row::new(what(name), "us", took, "/bin/true", nothing, Goal::None));
    }
    let mut opened = Vec::new();
    for _ in 0..SLOW {
        std::fs::remove_file(&snapshot)?;
        let mut command = towline(&binary, root);
        command.arg("list");
        opened.push(timed(command)?);
    }
    let opened = at(&mut opened, 0.5);
    rows.push(Row::new(
        what("list"),
        "us",
        list,
        "cold list, no snapshot",
        opened,
        Goal::None,
    ));
    Ok(rows)
}

fn asked(project: &mut Project, request: &Request, times: usize) -> Result<(f64, usize, f64)> {
    let (mut taken, mut copied, mut shown) = (Vec::new(), Vec::new(), 0);
    for _ in 0..times {
        let begun = Instant::now();
        let Reply::Cards(cards) = project.request(None, request.clone())? else {
            bail!("not cards")
        };
        taken.push(begun.elapsed());
        let begun = Instant::now();
        black_box(cards.clone());
        copied.push(begun.elapsed());
        shown = cards.len();
    }
    Ok((at(&mut taken, 0.5), shown, at(&mut copied, 0.5)))
}

/// Requests to an open project, beside a copy of what they answer; and what closing costs when the
/// snapshot is old.
fn warm(root: &Path, items: usize) -> Result<Vec<Row>> {
    let home = Home::at(root);
    let _lock = home.lock("bench")?;
    let seed = key::load(&home.key_file())?;
    let place = home.projects()?.pop().context("a project")?;
    let mut project = open_project(&place, &seed)?;
    let search = |text: &str| {
        Request::Query(Query::Search {
            text: text.into(),
            limit: 1_000,
        })
    };
    let all = Filter {
        all: true,
        ..Filter::default()
    };
    let first = Filter {
        limit: 50,
        ..Filter::default()
    };
    let mut rows = Vec::new();
    for (name, request, times) in [
        ("list", Request::Query(Query::List(Filter::default())), ASKED),
        ("list --all", Request::Query(Query::List(all)), SLOW),
        ("first 50 of the board", Request::Query(Query::List(first)), ASKED),
        (
            "ready",
            Request::Query(Query::Ready {
                asker: None,
                all: false,
            }),
            ASKED,
        ),
        ("search in titles", search("merge"), SLOW),
        ("search in bodies", search("nowhere-to-be-found"), SLOW),
    ] {
        let (took, shown, copy) = asked(&mut project, &request, times)?;
        let what = format!("warm {name}, {items} items, {shown} shown");
        rows.push(Row::new(what, "us", took, "copying the answer", copy, Goal::None));
    }
    project.close();
    let mut closing = Vec::new();
    let mut unchanged = Vec::new();
    for round in 0..SLOW {
        let mut project = open_project(&place, &seed)?;
        unchanged.push(closed(project));
        project = open_project(&place, &seed)?;
        project.request(Some(&world::origin()?), world::story(items + round)?)?;
        closing.push(closed(project));
    }
    rows.push(Row::new(
        format!("close after a change, {items} items"),
        "us",
        at(&mut closing, 0.5),
        "close without one",
        at(&mut unchanged, 0.5),
        Goal::None,
    ));
    Ok(rows)
}

fn closed(project: Project) -> Duration {
    let begun = Instant::now();
    project.close();
    begun.elapsed()
}

/// Memory of a node with the project, beside one with nothing; size of the snapshot.
#[allow(clippy::cast_precision_loss)]
fn held(root: &Path, items: usize) -> Result<Vec<Row>> {
    let binary = binary().context("no `towline` beside this program")?;
    let empty = tempfile::tempdir()?;
    nodes::home(empty.path(), &Parsed::default())?;
    let full = resident(&binary, root)? as f64;
    let bare = resident(&binary, empty.path())? as f64;
    let snapshot = std::fs::metadata(project_dir(root)?.join("rows.snap"))?.len() as f64;
    let each = (full - bare) / items as f64;
    Ok(vec![
        Row::new(
            format!("memory an item, {items} items"),
            "B",
            each,
            "goal",
            MEMORY_GOAL,
            Goal::AtMost(1.0),
        ),
        Row::new(
            format!("snapshot an item, {items} items"),
            "B",
            snapshot / items as f64,
            "disk goal of all",
            2_700.0,
            Goal::None,
        ),
    ])
}
