//! Stories of one node's log: what survives a crash, what is noticed, what is refused.
//!
//! Faults are made with file surgery on real files; the full disk of `node/tests/log.rs` is a real
//! one.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::FileExt;

use tempfile::TempDir;
use towline_proto::{EntryHash, Epoch, Tip};

use super::*;

const PROJECT: ProjectId = ProjectId([7; 32]);

fn small() -> Options {
    Options {
        segment_bytes: 1_024,
        reserve_bytes: 4_096,
        from: 0,
    }
}

fn entry(word: &str) -> (Millis, Arc<[u8]>) {
    (Millis(1_000), word.as_bytes().into())
}

fn tip(seq: u64) -> Tip {
    Tip {
        epoch: Epoch(1),
        seq,
        hash: EntryHash([seq as u8; 32]),
    }
}

/// Opens the log and lists its records as text.
fn reopen(dir: &Path) -> (Log, OpenReport, Vec<String>) {
    let mut words = Vec::new();
    let (log, opened) = Log::open_with::<Infallible>(dir, PROJECT, small(), |record| {
        words.push(String::from_utf8_lossy(&record.bytes).into_owned());
        Ok(())
    })
    .unwrap();
    (log, opened, words)
}

/// A log that holds these records, each in a batch of its own, closed again.
fn written(words: &[&str]) -> (TempDir, PathBuf, Vec<u64>) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    let mut log = Log::create_with(&dir, PROJECT, small()).unwrap();
    let mut positions = Vec::new();
    for (seq, word) in words.iter().enumerate() {
        positions.extend(log.append(&[entry(word)], Some(tip(seq as u64))).unwrap());
    }
    (home, dir, positions)
}

fn segment_file(dir: &Path, number: u32) -> fs::File {
    let path = segment::segment_path(dir, number);
    fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn what_ada_appended_is_there_after_a_restart_in_order() {
    let (_home, dir, positions) = written(&["one", "two", "three"]);
    let (mut log, opened, words) = reopen(&dir);
    assert_eq!(words, ["one", "two", "three"]);
    assert!(opened.damage.is_none() && opened.torn_tail.is_none() && opened.shortened.is_none());
    assert_eq!(opened.own, Some(tip(2)));
    assert_eq!(log.entries(), 3);
    let more = log
        .append(&[entry("four"), entry(&"x".repeat(9_000))], None)
        .unwrap();
    assert_eq!(&*log.read(positions[1]).unwrap().bytes, b"two");
    assert_eq!(log.read(more[1]).unwrap().bytes.len(), 9_000);
    assert_eq!(log.read(more[0]).unwrap().seen_at, Millis(1_000));
    assert!(matches!(log.read(more[0] + 1), Err(LogError::Damaged(_))));
    assert!(matches!(log.read(log.end()), Err(LogError::Position { .. })));
    assert!(matches!(log.read(99 << 32), Err(LogError::Position { .. })));
    let (_, opened, words) = reopen(&dir);
    assert_eq!(words.len(), 5);
    assert_eq!(opened.own, Some(tip(2)), "the batch had no own entry");
}

#[test]
fn a_long_log_rolls_over_segments_and_can_be_read_from_the_middle() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    let mut log = Log::create_with(&dir, PROJECT, small()).unwrap();
    let mut positions = Vec::new();
    for number in 0..100 {
        let word = format!("entry {number} {}", "x".repeat(90));
        positions.extend(log.append(&[entry(&word)], None).unwrap());
    }
    assert!(log.files().count() > 5);
    assert!(positions.is_sorted());
    let end = log.end();
    drop(log);
    let (log, opened, words) = reopen(&dir);
    assert!(opened.damage.is_none() && opened.shortened.is_none());
    assert_eq!((words.len(), log.end()), (100, end));
    let from = Options {
        from: positions[60],
        ..small()
    };
    let mut first = None;
    let (log, opened) = Log::open_with::<Infallible>(&dir, PROJECT, from, |record| {
        first.get_or_insert(record.position);
        Ok(())
    })
    .unwrap();
    assert!(opened.damage.is_none() && opened.shortened.is_none());
    assert_eq!((first, log.entries()), (Some(positions[60]), 40));
    assert!(log.read(positions[3]).is_ok());
}

#[test]
fn a_log_that_is_closed_keeps_little_room_and_an_append_finds_it() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("log");
    let mut log = Log::create(&dir, PROJECT).unwrap();
    let large = || (Millis(1), Arc::from(vec![7u8; 700_000]));
    for _ in 0..3 {
        log.append(&[large()], None).unwrap();
    }
    let size = || segment_file(&dir, 1).metadata().unwrap().len();
    let grown = size();
    log.release_preallocated();
    let kept = size();
    assert!(kept < grown, "{grown} bytes became {kept}");
    let mark = log.mark(position(1, SEGMENT_HEADER_BYTES)).unwrap();
    assert!(mark.is_current(&dir));
    drop(log);

    let mut found = 0;
    let (mut log, opened) = Log::open::<Infallible>(&dir, PROJECT, |_| {
        found += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!((found, opened.damage, opened.torn_tail), (3, None, None));
    log.append(&[entry("small")], None).unwrap();
    assert_eq!(size(), kept, "there was room for it");
    log.release_preallocated();
    assert_eq!(size(), kept, "and there is no room to give");
}

#[test]
fn a_crash_at_any_byte_of_the_last_append_leaves_everything_before_it() {
    let (_home, dir, positions) = written(&["one", "two"]);
    let head_before = fs::read(dir.join("head")).unwrap();
    let (mut log, ..) = reopen(&dir);
    let last = log
        .append(&[entry("the third was never acknowledged")], None)
        .unwrap()[0];
    let end = log.end();
    drop(log);
    let whole = fs::read(segment::segment_path(&dir, 1)).unwrap();
    for kept in split_position(last).1..split_position(end).1 {
        for zeros_behind in [false, true] {
            let mut torn = whole[..kept as usize].to_vec();
            if zeros_behind {
                // The file was preallocated, so what was not written reads as zeros.
                torn.resize(whole.len(), 0);
            }
            fs::write(segment::segment_path(&dir, 1), &torn).unwrap();
            fs::write(dir.join("head"), &head_before).unwrap();
            let (mut log, opened, words) = reopen(&dir);
            assert_eq!(words, ["one", "two"], "cut after byte {kept}");
            assert!(opened.damage.is_none() && opened.shortened.is_none());
            let clean = kept == split_position(last).1;
            assert_eq!(opened.torn_tail.map(|cut| cut.position), (!clean).then_some(last));
            // The place is free again, and nothing of the torn record shows up later.
            assert_eq!(log.append(&[entry("3")], None).unwrap(), [last]);
            let (.., words) = reopen(&dir);
            assert_eq!(words, ["one", "two", "3"]);
        }
    }
    assert_eq!(positions.len(), 2);
}

#[test]
fn a_batch_torn_out_of_order_by_a_power_cut_is_cut_and_not_called_damage() {
    let (_home, dir, _) = written(&["one"]);
    let head_before = fs::read(dir.join("head")).unwrap();
    let (mut log, ..) = reopen(&dir);
    let batch = log
        .append(&[entry("aaaa"), entry("bbbb"), entry("cccc")], None)
        .unwrap();
    drop(log);
    // The disk wrote the block with the third record and not the one with the second.
    segment_file(&dir, 1)
        .write_all_at(&[0; 20], split_position(batch[1]).1)
        .unwrap();
    fs::write(dir.join("head"), &head_before).unwrap();
    let (_, opened, words) = reopen(&dir);
    assert_eq!(words, ["one", "aaaa"]);
    assert_eq!(opened.torn_tail.map(|cut| cut.position), Some(batch[1]));
    assert!(opened.damage.is_none());
}

#[test]
fn a_flipped_bit_in_the_middle_is_named_and_what_follows_can_be_salvaged() {
    let (_home, dir, positions) = written(&["one", "two", "three", "four"]);
    let (number, offset) = split_position(positions[1]);
    for (at, bit) in [(0, 2), (4, 1), (9, 1), (16, 4)] {
        let file = segment_file(&dir, number);
        let mut byte = [0u8];
        file.read_exact_at(&mut byte, offset + at).unwrap();
        file.write_all_at(&[byte[0] ^ bit], offset + at).unwrap();
        // Even without a head file the records of later batches prove that it was synced.
        let head = fs::read(dir.join("head")).unwrap();
        fs::remove_file(dir.join("head")).unwrap();
        let (mut log, opened, words) = reopen(&dir);
        assert_eq!(words, ["one"]);
        let damage = opened.damage.unwrap();
        assert_eq!((damage.segment, damage.offset), (1, offset));
        assert!(matches!(
            log.append(&[entry("no")], None),
            Err(LogError::ReadOnly { .. })
        ));
        log.trust_end();
        assert!(
            log.append(&[entry("no")], None).is_err(),
            "damage is not trusted away"
        );
        let mut saved = Vec::new();
        let salvaged = Log::salvage::<Infallible>(&dir, PROJECT, |record| {
            saved.push(record.position);
            Ok(())
        })
        .unwrap();
        assert_eq!(saved, [positions[0], positions[2], positions[3]]);
        assert_eq!((salvaged.records, salvaged.gaps.len()), (3, 1));
        file.write_all_at(&byte, offset + at).unwrap();
        fs::write(dir.join("head"), head).unwrap();
    }
    let (.., words) = reopen(&dir);
    assert_eq!(words.len(), 4);
}

#[test]
fn zeros_in_the_middle_are_damage_and_not_the_end_of_the_log() {
    let (_home, dir, positions) = written(&["one", "two", "three"]);
    segment_file(&dir, 1)
        .write_all_at(&[0; 19], split_position(positions[1]).1)
        .unwrap();
    let (_, opened, words) = reopen(&dir);
    assert_eq!(words, ["one"]);
    assert_eq!(opened.damage.unwrap().offset, split_position(positions[1]).1);
}

#[test]
fn damage_in_the_last_acknowledged_record_is_noticed_by_the_head() {
    let (_home, dir, positions) = written(&["one", "two"]);
    segment_file(&dir, 1)
        .write_all_at(b"X", split_position(positions[1]).1 + 17)
        .unwrap();
    let (_, opened, _) = reopen(&dir);
    assert!(
        opened.torn_tail.is_none(),
        "it was acknowledged, so it must not be dropped"
    );
    assert_eq!(opened.damage.unwrap().offset, split_position(positions[1]).1);
}

#[test]
fn a_log_put_back_from_a_backup_is_not_written_until_its_end_is_trusted() {
    let (_home, dir, positions) = written(&["one", "two", "three"]);
    segment_file(&dir, 1)
        .set_len(split_position(positions[2]).1)
        .unwrap();
    let (mut log, opened, words) = reopen(&dir);
    assert_eq!(words, ["one", "two"]);
    let shortened = opened.shortened.unwrap();
    assert_eq!(shortened.found, positions[2]);
    assert!(shortened.recorded > shortened.found);
    assert_eq!(opened.own, Some(tip(2)), "the own tip is still known");
    assert!(matches!(
        log.append(&[entry("no")], None),
        Err(LogError::ReadOnly { .. })
    ));
    log.trust_end();
    log.append(&[entry("three again")], None).unwrap();
    let (_, opened, words) = reopen(&dir);
    assert_eq!(words, ["one", "two", "three again"]);
    assert!(opened.shortened.is_none());
}

#[test]
fn missing_and_shortened_segments_are_damage() {
    let long = "x".repeat(1_100);
    let (_home, dir, _) = written(&[&long, &long, "three"]);
    assert_eq!(segment::list(&dir).unwrap(), [1, 2, 3]);
    let second = segment::segment_path(&dir, 2);
    let kept = fs::read(&second).unwrap();
    // A closed segment that ends where a record ends is whole to the eye, but the next knows better.
    fs::write(&second, &kept[..64]).unwrap();
    assert_eq!(reopen(&dir).1.damage.unwrap().segment, 2);
    fs::write(&second, b"").unwrap();
    assert_eq!(reopen(&dir).1.damage.unwrap().segment, 2);
    fs::remove_file(&second).unwrap();
    let (_, opened, words) = reopen(&dir);
    assert_eq!(
        opened.damage.unwrap().to_string(),
        "log segment 2 is damaged at byte 0: the segment is missing"
    );
    assert_eq!(words.len(), 1);
    fs::write(&second, &kept).unwrap();
    assert!(reopen(&dir).1.damage.is_none());
    fs::remove_file(segment::segment_path(&dir, 3)).unwrap();
    assert!(reopen(&dir).1.shortened.is_some());
}

#[test]
fn a_segment_of_a_newer_format_or_another_project_is_refused_by_name() {
    let (_home, dir, _) = written(&["one"]);
    let other = Log::open::<Infallible>(&dir, ProjectId([8; 32]), |_| Ok(()));
    assert!(matches!(other, Err(LogError::Foreign { .. })));
    segment_file(&dir, 1).write_all_at(&[9], 8).unwrap();
    let newer = Log::open::<Infallible>(&dir, PROJECT, |_| Ok(())).unwrap_err();
    assert!(matches!(
        newer,
        LogError::Newer {
            found: 9,
            known: FORMAT,
            ..
        }
    ));
    assert!(
        newer
            .to_string()
            .contains("log format 9 and this towline reads up to 1")
    );
}

#[test]
fn folders_without_a_log_are_distinguished() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    let open = |dir: &Path| Log::open::<Infallible>(dir, PROJECT, |_| Ok(()));
    assert!(matches!(open(&dir), Err(LogError::Missing { .. })));
    drop(Log::create_with(&dir, PROJECT, small()).unwrap());
    assert!(matches!(Log::create(&dir, PROJECT), Err(LogError::Exists { .. })));
    // A process that died while it made the second segment leaves half of one.
    fs::write(dir.join("00000002.seg.new"), b"half").unwrap();
    assert!(open(&dir).unwrap().1.damage.is_none());
    let aside = Log::move_aside(Millis(5), &dir).unwrap();
    assert!(aside.ends_with("log.damaged-5") && aside.join("00000001.seg").exists());
    assert!(matches!(open(&dir), Err(LogError::Missing { .. })));
}

#[test]
fn sizes_are_checked_before_anything_is_written_and_a_refusing_reader_is_named() {
    let (_home, dir, positions) = written(&["one"]);
    let (mut log, ..) = reopen(&dir);
    let large: Arc<[u8]> = vec![1; RECORD_BYTES + 1].into();
    for bytes in [large, Vec::new().into()] {
        let refused = log.append(&[entry("fine"), (Millis(1), bytes)], None);
        assert!(matches!(refused, Err(LogError::Size { .. })));
    }
    assert!(log.append(&[], None).unwrap().is_empty());
    log.append(&[entry("two")], None).unwrap();
    let refused = Log::open(&dir, PROJECT, |_| Err("not an entry")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the record at {:#x} was not accepted: not an entry", positions[0])
    );
}

#[test]
fn after_a_failed_sync_the_log_is_closed_for_good() {
    let (_home, dir, _) = written(&["one"]);
    let (mut log, ..) = reopen(&dir);
    let real = segment_file(&dir, 1);
    // A device that takes every write and cannot be synced: the kernel's own null device.
    let null = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    log.segments[0].file = null;
    assert!(matches!(
        log.append(&[entry("lost")], None),
        Err(LogError::Io { what: "sync", .. })
    ));
    log.segments[0].file = real;
    let closed = log.append(&[entry("after")], None).unwrap_err();
    assert!(matches!(closed, LogError::Poisoned { .. }) && closed.is_permanent());
    let (.., words) = reopen(&dir);
    assert_eq!(words, ["one"]);
}
