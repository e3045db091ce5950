//! The log, the cache and the lock of a home when the process that has them is killed.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use towline_api::failure::OperationError as _;
use towline_proto::{Millis, ProjectId};
use towline_store::cache::{Cache, Table, meta};
use towline_store::home::{Home, HomeError};
use towline_store::log::Log;

const PROJECT: ProjectId = ProjectId([7; 32]);
const NOW: Millis = Millis(1_700_000_000_000);

/// Starts the process that is to be killed.
fn child(what: &str, folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_child"))
        .arg(what)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a process when it has said that something is done so many times; what it said of last.
fn killed_after(mut child: Child, words: &str, times: u64) -> u64 {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut last, mut heard) = (0, 0);
    // What it said before it died is read to the end.
    for line in lines {
        if let Some(number) = line.unwrap().strip_prefix(words) {
            last = number.trim().parse().unwrap();
            heard += 1;
        }
        if heard == times {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(heard >= times, "it ended by itself");
    last
}

/// What an undamaged log holds.
fn read(dir: &Path) -> Vec<Arc<[u8]>> {
    let mut found = Vec::new();
    let (_, opened) = Log::open::<Infallible>(dir, PROJECT, |record| {
        found.push(record.bytes);
        Ok(())
    })
    .unwrap();
    assert!(
        opened.damage.is_none() && opened.shortened.is_none(),
        "{opened:?}"
    );
    found
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    drop(Log::create(&dir, PROJECT).unwrap());
    for round in 1..=5 {
        let acked = killed_after(child("append", home.path()), "acked", 20 * round);
        let found = read(&dir);
        assert!(
            found.len() as u64 >= acked,
            "{acked} acknowledged, {} there",
            found.len()
        );
        for (number, bytes) in found.iter().enumerate() {
            assert_eq!(**bytes, (number as u64).to_le_bytes());
        }
    }
}

#[test]
fn a_killed_process_leaves_whole_batches_and_every_flushed_one() {
    let home = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        let durable = killed_after(child("batch", home.path()), "durable", 15 * round);
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
fn a_second_process_is_told_who_has_the_lock_and_gets_it_when_that_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    std::fs::create_dir(home.dir()).unwrap();
    let mut child = child("lock", folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("held")));
    let busy = home.lock("towline doctor").unwrap_err();
    let expected = format!("`towline up` (pid {})", child.id());
    assert!(
        matches!(&busy, HomeError::Busy { holder } if *holder == expected),
        "{busy}"
    );
    assert_eq!(busy.code().exit(), 75);
    child.kill().unwrap();
    child.wait().unwrap();
    home.lock("towline doctor").unwrap();
}
