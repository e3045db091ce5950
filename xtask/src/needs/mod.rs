//! What the tests need beside Rust: a browser with its driver and the accessibility checks for it, a chat server, a
//! wrong clock, disks and networks of a test's own. Installed where missing, outside the repository, and said before
//! it is done.
//!
//! Nothing here is fatal but a missing nextest: tests whose need is missing are named and left out, or, where `CI` is
//! set, run and fail.

mod table;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

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

/// Whether this machine has what some tests need, and how to get it.
struct Need {
    what: &'static str,
    /// Installs it where it is missing.
    install: fn() -> Result<()>,
    /// Whether it works, as far as can be told without a test.
    works: fn() -> Result<()>,
}

const NEEDS: &[Need] = &[
    Need {
        what: table::BROWSER,
        install: install_browser,
        works: browser_works,
    },
    Need {
        what: table::CHAT,
        install: install_synapse,
        works: synapse_works,
    },
    Need {
        what: table::CLOCK,
        install: || program("faketime", "faketime"),
        works: || shell("faketime '2020-01-01' true"),
    },
    Need {
        what: table::STICK,
        install: || {
            program("mkfs.exfat", "exfatprogs")?;
            program("mount.exfat-fuse", "exfat-fuse")
        },
        works: || shell(STICK_WORKS),
    },
    Need {
        what: table::MOUNTS,
        install: || Ok(()),
        works: || {
            shell(
                "d=$(mktemp -d) && mount -t tmpfs -o size=64k test \"$d\"; s=$?; umount \"$d\"; rmdir \"$d\"; exit $s",
            )
        },
    },
    Need {
        what: table::LOOPBACK,
        install: || program("ip", "iproute2"),
        works: || shell("if [ \"$(id -u)\" = 0 ]; then unshare -n true; else unshare -rn true; fi"),
    },
    Need {
        what: table::LAN,
        install: || {
            program("ip", "iproute2")?;
            program("tc", "iproute2")
        },
        works: || shell("n=towline$$; ip netns add $n && ip netns delete $n"),
    },
];

/// A file as a device, with a file system on it, that can be mounted.
const STICK_WORKS: &str = "d=$(mktemp -d) && truncate -s 8M \"$d/image\" && mkfs.exfat \"$d/image\" && mkdir \"$d/at\" \
    && l=$(losetup -f --show \"$d/image\") && mount.exfat-fuse \"$l\" \"$d/at\"; s=$?; \
    umount \"$d/at\"; losetup -d \"$l\"; rm -r \"$d\"; exit $s";

/// The needs that this machine does not meet, after what is missing was installed, unless nothing is to be.
pub(crate) fn missing(install: bool) -> Vec<&'static str> {
    let mut missing = Vec::new();
    for need in NEEDS {
        let installed = if install { (need.install)() } else { Ok(()) };
        if let Err(error) = installed.and_then(|()| (need.works)()) {
            eprintln!("xtask: WITHOUT {}: {error:#}", need.what);
            missing.push(need.what);
        }
    }
    missing
}

/// The filter of nextest that leaves out the tests that need what is missing; none where nothing is.
pub(crate) fn filter(missing: &[&str]) -> Option<String> {
    let tests = table::TESTS.iter().filter(|(what, ..)| missing.contains(what));
    let tests: Vec<_> = tests
        .map(|(_, package, name)| format!("(package({package}) & test(/^{name}/))"))
        .collect();
    (!tests.is_empty()).then(|| format!("not ({})", tests.join(" | ")))
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

fn install_browser() -> Result<()> {
    if !browser() {
        eprintln!("xtask: no {}; installing chromium", BROWSERS.join(", "));
        apt("chromium")?;
    }
    program("chromedriver", "chromium-driver")?;
    install_axe()
}

fn browser_works() -> Result<()> {
    ensure!(browser(), "none of {} runs", BROWSERS.join(", "));
    ensure!(
        succeeds(with_args(command("chromedriver"), &["--version"])),
        "chromedriver does not run"
    );
    let script = axe_script()?;
    ensure!(script.is_file(), "{} is not there", script.display());
    Ok(())
}

fn browser() -> bool {
    BROWSERS
        .iter()
        .any(|name| succeeds(with_args(command(name), &["--version"])))
}

fn axe_script() -> Result<PathBuf> {
    Ok(cache_dir()?.join(format!("axe-core-{AXE}/node_modules/axe-core/axe.min.js")))
}

/// axe-core, the published package and nothing else: it has no dependencies, and no script of it runs here.
fn install_axe() -> Result<()> {
    if axe_script()?.is_file() {
        return Ok(());
    }
    let dir = cache_dir()?.join(format!("axe-core-{AXE}"));
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

fn synapse_python() -> Result<PathBuf> {
    Ok(cache_dir()?.join(format!("synapse-{SYNAPSE}/bin/python")))
}

fn synapse_works() -> Result<()> {
    let has = with_args(
        command(synapse_python()?),
        &["-c", "import synapse.app.homeserver"],
    );
    ensure!(succeeds(has), "Synapse {SYNAPSE} does not run");
    Ok(())
}

/// The chat server in a virtual environment of its own.
fn install_synapse() -> Result<()> {
    if synapse_works().is_ok() {
        return Ok(());
    }
    let dir = cache_dir()?.join(format!("synapse-{SYNAPSE}"));
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
        command(synapse_python()?),
        &["-m", "pip", "install", "--quiet", &package],
    ))
}

/// A line of shell that succeeds where something works.
fn shell(line: &str) -> Result<()> {
    let output = command("sh")
        .args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin; {line}")])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.trim());
    Ok(())
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
