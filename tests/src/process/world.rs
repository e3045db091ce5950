//! Worlds of their own for processes: another user, a network that nobody else is in, a clock that is wrong.
//!
//! Each needs something of the machine that a test runs on. Where that is missing the test fails; `cargo xtask test`
//! finds out beforehand, and leaves such tests out of the run, which counts them as skipped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user that owns nothing.
pub const NOBODY: u32 = 65_534;

/// Whether this process may do everything.
pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A network that has nothing but a loopback without IPv6, as most containers have it: the words of a command that
/// starts another one in it.
///
/// # Panics
/// Where this user cannot make one.
pub fn lonely_network() -> Vec<String> {
    let enter = if is_root() { "-n" } else { "-rn" };
    let set_up = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec \"$@\"";
    let words = ["unshare", enter, "sh", "-c", set_up, "sh"].map(str::to_owned);
    let mut tried = wrapped(&words, Path::new("true"));
    let tried = tried.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        tried.is_ok_and(|status| status.success()),
        "this user cannot make a network; `cargo xtask test` skips the tests that need one"
    );
    words.to_vec()
}

/// A program behind the words of another that starts it.
pub fn wrapped(words: &[String], program: &Path) -> Command {
    let Some((first, more)) = words.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(more).arg(program);
    command
}

/// A copy of a program that every user can start, in a folder of the test.
///
/// # Panics
/// When it cannot be copied.
pub fn for_everybody(program: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(program.file_name().expect("a program's name"));
    fs::create_dir_all(folder).expect("a folder");
    fs::copy(program, &copy).expect("a copy");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("its mode");
    copy
}

/// Gives a folder to the user that owns nothing, where this process can.
///
/// # Panics
/// When it cannot be given.
pub fn give_away(folder: &Path) {
    if is_root() {
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("another owner");
    }
}
