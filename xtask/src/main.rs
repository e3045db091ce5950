//! Development tasks: `cargo xtask test | ci | bench | soak | tidy`.
//!
//! Everything here runs other programs and says which, so that each step can be repeated by hand. It
//! never builds anything into the product and never changes a tracked file.

mod needs;
mod run;

use std::hash::{BuildHasher, Hasher, RandomState};

use anyhow::Result;
use clap::{Parser, Subcommand};

use run::cargo;

/// Where random tests begin: those of proptest, and ours. A run is repeated by setting both.
const SEED_VARIABLES: &[&str] = &["PROPTEST_RNG_SEED", "TOWLINE_FIRST_SEED"];
/// The seed under CI, the same every time: there a failure has to be about the change.
const CI_SEED: u64 = 1;
/// Seeds elsewhere are below this, short enough to be typed.
const SEEDS: u64 = 1_000_000_000;

/// Development tasks of towline.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the tests need and run every test.
    Test {
        /// Install nothing: tests that need what is missing are skipped, or fail where CI is set.
        #[arg(long)]
        no_install: bool,
        /// Only tests that match, passed on to nextest.
        filter: Vec<String>,
    },
    /// What continuous integration runs: format, lints, tests.
    Ci,
    /// Measure; arguments go to the harness.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run the simulation over many seeds, and the long cuts of lines.
    Soak {
        /// How many seeds.
        #[arg(long, value_name = "SEEDS")]
        sim: u64,
    },
    /// Check the rules that no compiler checks: file headers and lengths, crate order, links.
    Tidy,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Test { no_install, filter } => test(no_install, &filter),
        Task::Ci => run::run(run::command(".ci/run")),
        Task::Bench { args } => {
            // One of the figures starts the program itself and finds it beside the harness.
            run::run(cargo(["build", "--release", "--locked", "-p", "towline-node"]))?;
            let mut bench = cargo([
                "run",
                "--release",
                "--locked",
                "-p",
                "towline-tests",
                "--bin",
                "bench",
                "--",
            ]);
            bench.args(args);
            run::run(bench)
        }
        Task::Soak { sim } => soak(sim),
        Task::Tidy => run::run(cargo([
            "test",
            "--locked",
            "-p",
            "towline-xtask",
            "--test",
            "tidy",
        ])),
    }
}

/// Doctests first, because nextest does not run them and its summary should be the last thing read.
fn test(no_install: bool, filter: &[String]) -> Result<()> {
    let missing = needs::missing(!no_install);
    needs::nextest()?;
    if filter.is_empty() {
        run::run(cargo(["test", "--doc", "--workspace", "--locked"]))?;
    }
    // The whole-system tests start the programs as people do; nextest builds only what it links.
    run::run(cargo(["build", "--workspace", "--bins", "--locked"]))?;
    let ci = std::env::var_os("CI").is_some();
    let profile = if ci { "ci" } else { "default" };
    let mut nextest = cargo(["nextest", "run", "--workspace", "--locked", "--profile", profile]);
    nextest
        .args(filter)
        .env(needs::CACHE_VARIABLE, needs::cache_dir()?);
    let random = if ci {
        CI_SEED
    } else {
        RandomState::new().build_hasher().finish() % SEEDS
    };
    for name in SEED_VARIABLES {
        let seed = std::env::var(name).unwrap_or_else(|_| random.to_string());
        eprintln!("xtask: {name}={seed}");
        nextest.env(name, seed);
    }
    // Under CI nothing is left out: what is missing there fails.
    let left_out = if ci { None } else { needs::filter(&missing) };
    if let Some(filter) = left_out {
        eprintln!("xtask: SKIPPING the tests that need {}", missing.join(", "));
        nextest.args(["-E", &filter]);
    }
    run::run(nextest)
}

fn soak(seeds: u64) -> Result<()> {
    needs::nextest()?;
    // The lines are between programs as people start them.
    run::run(cargo(["build", "--release", "--workspace", "--bins", "--locked"]))?;
    let mut soak = cargo([
        "nextest",
        "run",
        "--workspace",
        "--locked",
        "--cargo-profile",
        "release",
    ]);
    soak.args([
        "--profile",
        "soak",
        "--run-ignored",
        "all",
        "-E",
        "test(sim) | (package(towline-tests) & test(/^lines::/))",
        "--no-capture",
    ]);
    soak.env("TOWLINE_SEEDS", seeds.to_string());
    run::run(soak)
}
