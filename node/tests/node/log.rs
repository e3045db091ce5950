//! The log and the home against a real kernel: killed processes, full disks, held locks.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use towline_node::home::{Home, HomeError};
use towline_node::log::{Log, LogError, OpenReport, Options};
use towline_proto::{Millis, ProjectId};

use crate::tools::{TinyDisk, child_folder, size, spawn};

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

/// Not a test of its own: the process that the next one kills. It says which number is durable.
#[test]
fn child_that_appends_for_ever() {
    let Some(folder) = child_folder() else { return };
    let (mut log, _, found) = reopen(&folder.join("log"));
    let mut number = found.len() as u64;
    // Bounded all the same, should nobody come to kill it.
    while number < 2_000_000 {
        let batch: Vec<_> = (0..3)
            .map(|ahead| (Millis(1), Arc::from((number + ahead).to_le_bytes())))
            .collect();
        log.append(&batch, None).unwrap();
        number += 3;
        println!("acked {number}");
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    drop(Log::create(&dir, PROJECT).unwrap());
    for round in 1..=5u64 {
        let mut child = spawn("log::child_that_appends_for_ever", home.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acked = 0;
        let mut heard = 0;
        for line in lines {
            // Killed while it runs; what it said before it died is read to the end.
            if let Some(number) = line.unwrap().strip_prefix("acked ") {
                acked = number.parse().unwrap();
                heard += 1;
            }
            if heard == 20 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acked > 0);
        let (_, opened, found) = reopen(&dir);
        assert!(
            opened.damage.is_none() && opened.shortened.is_none(),
            "{opened:?}"
        );
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
fn a_full_disk_refuses_clearly_keeps_what_was_done_and_resumes() {
    let Some(disk) = TinyDisk::mount(4 * 1024 * 1024) else {
        return;
    };
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
    let Some(disk) = TinyDisk::mount(2 * 1024 * 1024) else {
        return;
    };
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

/// Not a test of its own: the process that has the lock until its standard input is closed.
#[test]
fn child_that_holds_the_lock() {
    let Some(folder) = child_folder() else { return };
    let _lock = Home::at(folder).lock("towline up").unwrap();
    println!("held");
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_second_process_is_told_who_has_the_lock_and_gets_it_when_that_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    std::fs::create_dir(home.dir()).unwrap();
    let mut child = spawn("log::child_that_holds_the_lock", folder.path());
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
