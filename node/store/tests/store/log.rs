//! The log on a full disk. What a killed process leaves is in `tests/tests/crash/stores.rs`.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use towline_proto::{Millis, ProjectId};
use towline_store::log::{Log, LogError, OpenReport, Options};

use crate::tiny_disk::TinyDisk;

const PROJECT: ProjectId = ProjectId([7; 32]);

fn reopen(dir: &Path) -> (Log, OpenReport, Vec<Arc<[u8]>>) {
    let mut found = Vec::new();
    let (log, opened) = Log::open::<Infallible>(dir, PROJECT, |record| {
        found.push(record.bytes);
        Ok(())
    })
    .unwrap();
    (log, opened, found)
}

#[test]
fn a_full_disk_refuses_clearly_keeps_what_was_done_and_resumes() {
    let disk = TinyDisk::mount(4 * 1024 * 1024);
    let dir = disk.path().join("log");
    let reserve = dir.join("reserve");
    let mut log = Log::create(&dir, PROJECT).unwrap();
    let entry = |number: u64| (Millis(number), Arc::from(vec![number as u8; 40_000]));
    log.append(&[entry(0)], None).unwrap();
    assert_eq!(size(&reserve), 1024 * 1024);
    let ballast = disk.fill();
    let mut written = 1;
    let refused = loop {
        match log.append(&[entry(written)], None) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1_000, "the disk never gets full");
    };
    assert!(
        matches!(refused, LogError::Full { .. }) && !refused.is_permanent(),
        "{refused}"
    );
    assert!(refused.to_string().contains("the disk is full"));
    assert_eq!(size(&reserve), 0, "the reserve was given up for the clean-up");
    // Somebody else takes the freed room: nothing more fits, and what was done can still be read.
    disk.fill();
    assert!(matches!(
        log.append(&[entry(written)], None),
        Err(LogError::Full { .. })
    ));
    assert_eq!(log.entries(), written);
    drop(log);
    let (mut log, opened, found) = reopen(&dir);
    assert!(
        opened.damage.is_none() && opened.shortened.is_none(),
        "{opened:?}"
    );
    assert_eq!(found.len() as u64, written);
    assert!(matches!(
        log.append(&[entry(written)], None),
        Err(LogError::Full { .. })
    ));
    std::fs::remove_file(ballast).unwrap();
    log.append(&[entry(written)], None).unwrap();
    assert_eq!(size(&reserve), 1024 * 1024, "the reserve is there again");
    assert_eq!(reopen(&dir).2.len() as u64, written + 1);
}

#[test]
fn a_batch_that_does_not_fit_leaves_nothing_of_itself() {
    let disk = TinyDisk::mount(2 * 1024 * 1024);
    let dir = disk.path().join("log");
    let options = Options {
        reserve_bytes: 64 * 1024,
        ..Options::default()
    };
    let mut log = Log::create_with(&dir, PROJECT, options).unwrap();
    let entry = |bytes: usize| (Millis(1), Arc::from(vec![7u8; bytes]));
    log.append(&[entry(10)], None).unwrap();
    let batch: Vec<_> = (0..4).map(|_| entry(1_000_000)).collect();
    assert!(matches!(log.append(&batch, None), Err(LogError::Full { .. })));
    log.append(&[entry(20)], None).unwrap();
    let (_, _, found) = reopen(&dir);
    assert_eq!(
        found.iter().map(|bytes| bytes.len()).collect::<Vec<_>>(),
        [10, 20]
    );
}

/// How many bytes a file has; 0 when it is not there.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}
