//! The cache against a real kernel: killed processes and full disks.

use std::io::{BufRead, BufReader};

use std::convert::Infallible;

use towline_node::cache::{Batch, Cache, CacheError, OpenOutcome, Table, meta};
use towline_node::log::Log;
use towline_proto::{Millis, ProjectId};

use crate::tools::{TinyDisk, child_folder, spawn};

const NOW: Millis = Millis(1_700_000_000_000);

/// Not a test of its own: the process that the next one kills. Each batch writes two tables.
#[test]
fn child_that_writes_batches() {
    let Some(folder) = child_folder() else { return };
    let (cache, _) = Cache::open(NOW, &folder.join("cache")).unwrap();
    let begun = cache.u64(Table::Meta, meta::APPLIED).unwrap().unwrap_or(0);
    for number in begun + 1..2_000_000 {
        let mut batch = Batch::default();
        batch.put_u64(Table::Meta, meta::APPLIED, number);
        batch.put(Table::Feed, &number.to_be_bytes(), vec![number as u8; 200]);
        cache.write(batch).unwrap();
        if number % 10 == 0 {
            cache.flush_durable().unwrap();
            println!("durable {number}");
        }
    }
}

#[test]
fn a_killed_process_leaves_whole_batches_and_every_flushed_one() {
    let home = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        let mut child = spawn("cache::child_that_writes_batches", home.path());
        let mut durable = 0;
        let mut heard = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(number) = line.unwrap().strip_prefix("durable ") {
                durable = number.parse().unwrap();
                heard += 1;
            }
            if heard == 15 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let (cache, opened) = Cache::open(NOW, &home.path().join("cache")).unwrap();
        assert!(!opened.is_empty(), "{opened:?}");
        let applied = cache.u64(Table::Meta, meta::APPLIED).unwrap().unwrap();
        assert!(applied >= durable, "{durable} flushed, {applied} there");
        let events = cache.scan(Table::Feed, &[]).map(Result::unwrap).count();
        assert_eq!(
            events as u64, applied,
            "each batch wrote one event and the position"
        );
    }
}

#[test]
fn a_node_starts_on_a_full_disk_because_the_reserve_pays_for_it() {
    let Some(disk) = TinyDisk::mount(8 * 1024 * 1024) else {
        return;
    };
    let project = ProjectId([7; 32]);
    let (log_dir, cache_dir) = (disk.path().join("log"), disk.path().join("cache"));
    drop(Log::create(&log_dir, project).unwrap());
    let (cache, _) = Cache::open(NOW, &cache_dir).unwrap();
    let mut batch = Batch::default();
    batch.put_u64(Table::Cursors, "chat", 12);
    cache.write(batch).unwrap();
    cache.flush_durable().unwrap();
    drop(cache);
    let ballast = disk.fill();
    let (mut log, opened) = Log::open::<Infallible>(&log_dir, project, |_| Ok(())).unwrap();
    assert!(opened.damage.is_none());
    let (cache, opened) = match Cache::open(NOW, &cache_dir) {
        Err(CacheError::Full { .. }) => {
            log.release_reserve();
            Cache::open(NOW, &cache_dir).unwrap()
        }
        other => other.unwrap(),
    };
    assert_eq!(
        opened,
        OpenOutcome::Intact,
        "a full disk is no reason to throw the cache away"
    );
    assert_eq!(cache.u64(Table::Cursors, "chat").unwrap(), Some(12));
    // Nothing is written, nothing hangs, and reading goes on.
    for number in 0..3u64 {
        let mut batch = Batch::default();
        batch.put(Table::Feed, &number.to_be_bytes(), vec![1; 20_000]);
        assert!(matches!(cache.write(batch), Err(CacheError::Full { .. })));
        cache.flush_durable().unwrap();
    }
    assert_eq!(cache.u64(Table::Cursors, "chat").unwrap(), Some(12));
    // When there is room, writing resumes in the same process.
    std::fs::remove_file(ballast).unwrap();
    let mut batch = Batch::default();
    batch.put_u64(Table::Cursors, "chat", 13);
    cache.write(batch).unwrap();
    cache.flush_durable().unwrap();
    drop(cache);
    let (cache, opened) = Cache::open(NOW, &cache_dir).unwrap();
    assert_eq!(opened, OpenOutcome::Intact);
    assert_eq!(cache.u64(Table::Cursors, "chat").unwrap(), Some(13));
}
