//! What the stories need of the machine: a disk that can be filled, and a second process.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A file system of its own with little room; unmounted when dropped.
pub(crate) struct TinyDisk {
    folder: tempfile::TempDir,
}

impl TinyDisk {
    /// Mounts a tmpfs. `None`, loudly, where that is not allowed; under `CI=true` that is a failure.
    pub(crate) fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "towline-test"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(done) if done.status.success() => Some(Self { folder }),
            other => {
                let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
                assert!(
                    !ci,
                    "a tmpfs could not be mounted, and CI must run this: {other:?}"
                );
                eprintln!("SKIPPED: a tmpfs could not be mounted (run as root for this test): {other:?}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes every byte there is; the room comes back when the file is removed.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let mut block = vec![1u8; 64 * 1024];
        while !block.is_empty() {
            if file.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
        path
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// The variable that turns a test into the child of another: the folder that it works in.
const CHILD: &str = "TOWLINE_TEST_CHILD";

/// Runs one test of this binary as another process, with its standard output piped.
pub(crate) fn spawn(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The folder to work in, when this process is such a child.
pub(crate) fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// How many bytes a file has; 0 when it is not there.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
