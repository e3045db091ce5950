//! What the tests need beside Rust: a browser with its driver and the accessibility checks for it, a chat server, a
//! wrong clock, a disk without modes. Installed where missing, outside the repository, and said before it is done.
//!
//! Nothing here is fatal but a missing nextest: a test that cannot run its real part says so itself,
//! and fails where `CI` is set.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{cargo, command, run, succeeds};

/// Where tests look for what is installed here; the default is `~/.cache/towline-tests`.
pub(crate) const CACHE_VARIABLE: &str = "TOWLINE_TEST_CACHE";
/// The version whose behaviour was studied; a newer one is another experiment.
const SYNAPSE: &str = "1.163.2";
/// The version whose rules the pages pass, and the one that `tests/src/browser/axe.rs` looks for.
const AXE: &str = "4.14.1";
/// Any of these will do.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];

/// The directory that survives between runs.
///
/// # Errors
/// When neither the variable nor a home directory is set.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os(CACHE_VARIABLE) {
        return Ok(dir.into());
    }
    let home =
        std::env::var_os("HOME").with_context(|| format!("neither HOME nor {CACHE_VARIABLE} is set"))?;
    Ok(PathBuf::from(home).join(".cache/towline-tests"))
}

/// Installs what is missing and goes on without what cannot be installed.
pub(crate) fn install() {
    for (what, done) in [
        ("a browser", browser()),
        (
            "the driver of the browser",
            program("chromedriver", "chromium-driver"),
        ),
        ("accessibility checks", axe()),
        ("a chat server", synapse()),
        ("a wrong clock", program("faketime", "faketime")),
        ("a disk without modes", program("mkfs.exfat", "exfatprogs")),
        ("its driver", program("mount.exfat-fuse", "exfat-fuse")),
        ("networks of a test's own", program("ip", "iproute2")),
        ("slow lines", program("tc", "iproute2")),
    ] {
        if let Err(error) = done {
            eprintln!("xtask: WITHOUT {what}: {error:#}");
            eprintln!("xtask: tests that need {what} will say so, and fail where CI is set");
        }
    }
}

/// Finds nextest or builds it.
///
/// # Errors
/// When it is not there and cannot be installed.
pub(crate) fn nextest() -> Result<()> {
    if succeeds(cargo(["nextest", "--version"])) {
        return Ok(());
    }
    eprintln!("xtask: cargo-nextest is missing; building it (once, some minutes)");
    run(cargo(["install", "cargo-nextest", "--locked"]))
}

/// A program of a package. Not started to see whether it is there: some mount before they say anything.
fn program(name: &str, package: &str) -> Result<()> {
    let mut look = command("sh");
    look.args(["-c", "PATH=$PATH:/usr/sbin:/sbin; command -v \"$1\"", "sh", name]);
    if succeeds(look) {
        return Ok(());
    }
    eprintln!("xtask: no {name}; installing {package}");
    apt(package)
}

fn browser() -> Result<()> {
    if BROWSERS
        .iter()
        .any(|name| succeeds(with_args(command(name), &["--version"])))
    {
        return Ok(());
    }
    eprintln!("xtask: no {}; installing chromium", BROWSERS.join(", "));
    apt("chromium")
}

/// axe-core, the published package and nothing else: it has no dependencies, and no script of it runs here.
fn axe() -> Result<()> {
    let dir = cache_dir()?.join(format!("axe-core-{AXE}"));
    if dir.join("node_modules/axe-core/axe.min.js").is_file() {
        return Ok(());
    }
    program("npm", "npm")?;
    eprintln!("xtask: installing axe-core (1 MB) into {}", dir.display());
    std::fs::create_dir_all(&dir)?;
    let args = [
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ];
    let mut npm = with_args(command("npm"), &args);
    npm.arg(&dir).arg(format!("axe-core@{AXE}"));
    run(npm)
}

/// The chat server in a virtual environment of its own.
fn synapse() -> Result<()> {
    let dir = cache_dir()?.join(format!("synapse-{SYNAPSE}"));
    let python = dir.join("bin/python");
    if succeeds(with_args(
        command(&python),
        &["-c", "import synapse.app.homeserver"],
    )) {
        return Ok(());
    }
    let venv = with_args(command("python3"), &["-c", "import venv, ensurepip"]);
    if !succeeds(venv) {
        eprintln!("xtask: python3 has no venv; installing python3-venv");
        apt("python3-venv")?;
    }
    eprintln!(
        "xtask: installing the chat server for tests (38 MB) into {}",
        dir.display()
    );
    // An interrupted run may have left half an environment; `--clear` begins again.
    let mut make = with_args(command("python3"), &["-m", "venv", "--clear"]);
    make.arg(&dir);
    run(make)?;
    let package = format!("matrix-synapse=={SYNAPSE}");
    run(with_args(
        command(&python),
        &["-m", "pip", "install", "--quiet", &package],
    ))
}

/// Installs a package of the system. A new machine may have no list of packages yet, or an old one.
fn apt(package: &str) -> Result<()> {
    let install = ["install", "-y", "--no-install-recommends", package];
    if apt_get(&install).is_ok() {
        return Ok(());
    }
    apt_get(&["update"])?;
    apt_get(&install)
}

fn apt_get(args: &[&str]) -> Result<()> {
    if is_root() {
        return run(with_args(command("apt-get"), args));
    }
    let mut sudo = with_args(command("sudo"), &["-n", "apt-get"]);
    sudo.args(args);
    run(sudo)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn with_args(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    command
}
