//! The benchmarks: every figure as a ratio beside its limit or peer, taken in the same run.
//!
//! Each figure is taken three times and the run with the median ratio is shown. The raw disk and the
//! raw loopback are shown first; on a machine whose sync takes longer than a millisecond the run is
//! called contended and says nothing. Nothing here asserts a figure: `docs/performance.md` keeps them.

mod fold;
mod import;
mod index;
mod memory;
mod micro;
mod nodes;
mod raw;
mod world;
mod writes;

use std::time::Duration;

use anyhow::{Context as _, Result};
use towline_interchange::import::Parsed;

/// Times that each figure is taken.
const RUNS: usize = 3;
/// Appends and round trips for the first line.
const RAW_ROUNDS: usize = 500;
/// Milliseconds of a sync above which the run says nothing.
const CONTENDED_MS: f64 = 1.0;

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only.
    None,
}

/// One figure beside its limit or peer.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    got: f64,
    beside: &'static str,
    limit: f64,
    goal: Goal,
}

impl Row {
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &'static str,
        got: f64,
        beside: &'static str,
        limit: f64,
        goal: Goal,
    ) -> Self {
        Self {
            what: what.into(),
            unit,
            got,
            beside,
            limit,
            goal,
        }
    }

    fn ratio(&self) -> f64 {
        self.got / self.limit
    }

    fn print(&self) {
        let goal = match self.goal {
            Goal::AtMost(goal) => format!("<= {goal}"),
            Goal::AtLeast(goal) => format!(">= {goal}"),
            Goal::None => "-".into(),
        };
        println!(
            "{:<52} {:>11.1} {:>11.1} {:<9} {:>8.2} {:>8}  {}",
            self.what,
            self.got,
            self.limit,
            self.unit,
            self.ratio(),
            goal,
            self.beside
        );
    }
}

/// What every figure is given.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Items of a synthetic project.
    pub(crate) items: usize,
    /// Whether large projects are measured too.
    pub(crate) full: bool,
    /// Sizes at which the durable writes are taken, side by side: they should cost the same.
    pub(crate) sizes: Vec<usize>,
    /// Repetitions of what is timed one by one.
    pub(crate) rounds: usize,
    /// A real tracker.
    pub(crate) tracker: Parsed,
    /// Its size as a file.
    pub(crate) tracker_bytes: u64,
}

/// Items of the large project that `--full` measures.
const FULL_ITEMS: usize = 10_000;

type Figure = fn(&Bench) -> Result<Vec<Row>>;

const FIGURES: [(&str, Figure); 10] = [
    ("durable", writes::durable),
    ("writers", writes::writers),
    ("import", import::import),
    ("catchup", nodes::catch_up),
    ("live", nodes::live),
    ("reconnect", nodes::reconnect),
    ("process", memory::process),
    ("micro", micro::micro),
    ("fold", fold::fold_lengths),
    ("index", index::index),
];

/// The value at a share of sorted times, in microseconds.
pub(crate) fn at(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let place = (times.len() as f64 * share) as usize;
    let time = times.get(place.min(times.len().saturating_sub(1)));
    time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Runs the figures that are named, or all: `[--items N] [--full] [NAME…]`. What is not ours, such as
/// cargo's `--bench`, is passed over.
///
/// # Errors
/// When a figure cannot be taken: its row says why, and the others were taken nevertheless.
pub fn run(args: impl Iterator<Item = String>, default_items: usize) -> Result<()> {
    let (mut items, mut full) = (default_items, false);
    let mut names = Vec::new();
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--items" => items = args.next().context("--items needs a number")?.parse()?,
            "--full" => full = true,
            "--bench" => {}
            name if FIGURES.iter().any(|(known, _)| *known == name) => names.push(arg),
            other => {
                let known: Vec<_> = FIGURES.iter().map(|(name, _)| *name).collect();
                anyhow::bail!("no figure {other:?}; there is {}", known.join(", "));
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/beads-tracker.jsonl");
    let text = std::fs::read(path).with_context(|| format!("reading {path}"))?;
    let mut sizes = vec![items];
    if full {
        items = FULL_ITEMS;
        sizes.push(items);
    }
    let mut bench = Bench {
        items,
        full,
        sizes,
        rounds: 300,
        tracker: towline_interchange::import::beads::read(text.as_slice()),
        tracker_bytes: text.len() as u64,
    };
    if items < 1_000 {
        bench.rounds = 50;
        bench.tracker.items.truncate(items);
        bench.tracker.relations.clear();
    }
    limits()?;
    println!(
        "{:<52} {:>11} {:>11} {:<9} {:>8} {:>8}  beside",
        "figure", "got", "limit", "", "ratio", "goal"
    );
    let (mut failed, mut taken) = (Vec::new(), 0);
    for (name, figure) in FIGURES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            taken += 1;
            // One figure that cannot be taken does not cost the minutes of all others.
            if let Err(why) = median(&bench, figure) {
                println!("{name:<52} failed: {why:#}");
                failed.push(name);
            }
        }
    }
    index::forget();
    anyhow::ensure!(
        failed.is_empty(),
        "{} of {taken} figures failed: {}",
        failed.len(),
        failed.join(", ")
    );
    Ok(())
}

/// The raw disk and loopback, which everything else is measured against.
fn limits() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut disk, mut line) = (raw::Disk::new(dir.path())?, raw::Line::new()?);
    let (mut syncs, mut pings) = (Vec::new(), Vec::new());
    for _ in 0..RAW_ROUNDS {
        syncs.push(disk.append()?);
        pings.push(line.ping()?);
    }
    let sync = at(&mut syncs, 0.5);
    println!(
        "raw append + fdatasync p50 {sync:.0} us, raw TCP round trip p50 {:.0} us{}",
        at(&mut pings, 0.5),
        if sync > CONTENDED_MS * 1e3 {
            "; CONTENDED: these figures say nothing"
        } else {
            ""
        }
    );
    Ok(())
}

fn median(bench: &Bench, figure: Figure) -> Result<()> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(figure(bench)?);
    }
    for row in 0..runs.first().map_or(0, Vec::len) {
        let mut taken: Vec<_> = runs.iter().filter_map(|rows| rows.get(row)).collect();
        taken.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        if let Some(row) = taken.get(taken.len() / 2) {
            row.print();
        }
    }
    Ok(())
}
