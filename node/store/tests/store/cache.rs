//! The cache on a full disk. What a killed process leaves is in `tests/tests/crash/stores.rs`.

use std::convert::Infallible;

use towline_proto::{Millis, ProjectId};
use towline_store::cache::{Batch, Cache, CacheError, OpenOutcome, Table};
use towline_store::log::Log;

use crate::tiny_disk::TinyDisk;

const NOW: Millis = Millis(1_700_000_000_000);

#[test]
fn a_node_starts_on_a_full_disk_because_the_reserve_pays_for_it() {
    let disk = TinyDisk::mount(8 * 1024 * 1024);
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
