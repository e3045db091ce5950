//! The gateway's store after a restart, beside a second gateway, and on a full disk.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use super::*;

#[tokio::test]
async fn an_event_is_recorded_only_once_even_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = GatewayStore::open(dir.path()).expect("open");
        assert!(store.record_handled("$a").await.expect("write"));
        assert!(!store.record_handled("$a").await.expect("read"));
        store.set_state("since", "s1").await.expect("write");
    }
    let store = GatewayStore::open(dir.path()).expect("open again");
    assert!(!store.record_handled("$a").await.expect("read"));
    assert!(store.record_handled("$b").await.expect("write"));
    assert_eq!(store.state("since").expect("read").as_deref(), Some("s1"));
}

#[tokio::test]
async fn two_gateways_cannot_share_a_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let _first = GatewayStore::open(dir.path()).expect("open");
    assert!(matches!(GatewayStore::open(dir.path()), Err(StoreError::Busy(_))));
}

/// A small file system, unmounted when dropped.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// Mounts a tmpfs. `None`, with a message, where that is not allowed; under `CI=true` that is a failure.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "towline-test"])
            .arg(folder.path())
            .output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "cannot mount a tmpfs, and CI must run this test: {mounted:?}"
        );
        eprintln!("SKIPPED: cannot mount a tmpfs (run this test as root): {mounted:?}");
        None
    }

    /// Writes a file that takes all free space, and returns its path.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .expect("a file");
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
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_reads_succeed_and_writes_wait_for_free_space() {
    let Some(disk) = TinyDisk::mount() else { return };
    let dir = disk.0.path();
    let store = GatewayStore::open(dir).expect("open");
    store.set_state("since", "s1").await.expect("write");

    let ballast = disk.fill();
    let mut batch = StoreBatch::default();
    batch.insert(b"since".to_vec(), vec![b'x'; 20_000]);
    let refused = store.try_write(|inner| &inner.state, batch).await;
    assert!(
        matches!(&refused, Err(error) if error.is_full()),
        "it was written to a full disk: {refused:?}"
    );
    assert_eq!(store.state("since").expect("read").as_deref(), Some("s1"));
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.set_state("since", &"s2".repeat(10_000)).await })
    };
    tokio::task::yield_now().await;

    std::fs::remove_file(ballast).expect("remove the ballast");
    waiting.await.expect("the task").expect("write");
    drop(store);

    // A gateway does not start its relay on a full disk, and loses nothing by it.
    let ballast = disk.fill();
    let error = GatewayStore::open(dir).expect_err("open on a full disk");
    assert!(error.is_full(), "{error}");
    std::fs::remove_file(ballast).expect("remove the ballast");
    let store = GatewayStore::open(dir).expect("open again");
    let expected = "s2".repeat(10_000);
    assert_eq!(store.state("since").expect("read"), Some(expected));
}
