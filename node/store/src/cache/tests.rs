//! Stories of a cache: what it keeps, and that it opens whatever happened to its files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;

use super::testing::item;
use super::*;

const NOW: Millis = Millis(1_700_000_000_000);

fn open(dir: &Path) -> (Cache, OpenOutcome) {
    Cache::open(NOW, dir).unwrap()
}

/// What a document may be saved as: half of it repeats itself.
fn saved(number: u32) -> Vec<u8> {
    let mut saved = vec![number as u8; 4_000];
    blake3::Hasher::new()
        .update(&number.to_le_bytes())
        .finalize_xof()
        .fill(&mut saved[..2_000]);
    saved
}

/// A closed cache with some rows, documents and a cursor.
fn filled(dir: &Path) {
    let (cache, opened) = open(dir);
    assert_eq!(opened, OpenOutcome::Created);
    for number in 0..300 {
        let mut batch = Batch::default();
        batch.put_row(&Row::of(item(number)));
        batch.put_doc(&item(number).id, &saved(number));
        batch.put_u64(Table::Meta, meta::APPLIED, u64::from(number));
        cache.write(batch).unwrap();
    }
    cache.flush_durable().unwrap();
}

#[test]
fn a_batch_is_there_after_a_restart_table_by_table() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    let (cache, _) = open(&dir);
    let mut batch = Batch::default();
    assert!(batch.is_empty());
    for position in [1, 2, 300] {
        batch.put_feed(position, format!("event {position}").as_bytes());
    }
    batch.put_row(&Row::of(item(42)));
    batch.put_doc(&item(42).id, &saved(42));
    batch.put_u64(Table::Cursors, "chat", 2);
    batch.put_u64(Table::Meta, meta::FEED_HEAD, 300);
    batch.put(Table::Quarantine, &[9; 32], "twice");
    assert_eq!(batch.len(), 8);
    cache.write(batch).unwrap();
    let mut batch = Batch::default();
    batch.remove(Table::Quarantine, &[9; 32]);
    cache.write(batch).unwrap();
    cache.flush_durable().unwrap();
    drop(cache);

    let (cache, opened) = open(&dir);
    assert_eq!(opened, OpenOutcome::Intact);
    assert_eq!(cache.row(&item(42).id).unwrap(), Some(item(42)));
    assert_eq!(cache.row(&item(43).id).unwrap(), None);
    assert_eq!(cache.doc(&item(42).id).unwrap(), Some(saved(42)));
    assert_eq!(cache.doc(&item(43).id).unwrap(), None);
    assert_eq!(cache.u64(Table::Cursors, "chat").unwrap(), Some(2));
    assert_eq!(cache.u64(Table::Cursors, "board").unwrap(), None);
    assert_eq!(cache.get(Table::Quarantine, &[9; 32]).unwrap(), None);
    let after = |key: u64| -> Vec<String> {
        cache
            .feed(key)
            .map(|found| String::from_utf8(found.unwrap()).unwrap())
            .collect()
    };
    assert_eq!(after(0), ["event 1", "event 2", "event 300"]);
    assert_eq!(after(3), ["event 300"]);
    let (last, _) = cache.scan(Table::Feed, &[]).next_back().unwrap().unwrap();
    assert_eq!(last, 300u64.to_be_bytes());
    let rows: BTreeMap<_, _> = cache.rows().map(Result::unwrap).collect();
    let row = (Row::of(item(42)), item(42));
    assert_eq!(rows, BTreeMap::from([(item(42).id, Some(row))]));
    assert!(cache.size_on_disk().unwrap() > 0);
    cache.clear().unwrap();
    assert_eq!(Table::ALL.map(|table| cache.scan(table, &[]).count()), [0; 7]);
}

#[test]
fn a_row_of_another_projection_is_to_be_made_again_and_a_bad_one_is_damage() {
    let home = tempfile::tempdir().unwrap();
    let (cache, _) = open(&home.path().join("cache"));
    let mut old = (PROJECTION_VERSION + 1).to_le_bytes().to_vec();
    old.extend_from_slice(b"whatever it was");
    let mut batch = Batch::default();
    batch.put(Table::Rows, item(1).id.as_bytes(), old);
    batch.put(Table::Rows, item(2).id.as_bytes(), vec![0; 3]);
    batch.put(Table::Meta, meta::APPLIED.as_bytes(), "seven!!");
    cache.write(batch).unwrap();
    assert_eq!(cache.row(&item(1).id).unwrap(), None);
    assert!(cache.row(&item(2).id).unwrap_err().is_damage());
    assert!(cache.u64(Table::Meta, meta::APPLIED).unwrap_err().is_damage());
}

#[test]
fn an_open_cache_is_not_moved_aside_by_a_second_opening() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    let (cache, _) = open(&dir);
    assert!(matches!(Cache::open(NOW, &dir), Err(CacheError::Busy { .. })));
    drop(cache);
    assert_eq!(open(&dir).1, OpenOutcome::Intact);
}

#[test]
fn a_newer_format_is_refused_and_an_older_one_moved_aside() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    filled(&dir);
    fs::write(dir.join("format"), "towline cache 7\nwhat/9\n").unwrap();
    let newer = Cache::open(NOW, &dir).unwrap_err();
    assert!(
        newer
            .to_string()
            .contains("cache format 7 and this towline reads up to 1")
    );
    for text in ["towline cache 1\ndocs/0 rows/0\n", "gibberish", ""] {
        fs::write(dir.join("format"), text).unwrap();
        let (cache, opened) = open(&dir);
        assert!(opened.is_empty() && matches!(opened, OpenOutcome::Replaced { .. }));
        assert_eq!(cache.rows().count(), 0);
    }
    let beside = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(
        beside, 2,
        "the cache and one that was set aside, however often it happened"
    );
}

#[test]
fn a_snapshot_that_a_crash_left_half_made_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    filled(&dir);
    fs::write(dir.join("sled/snap.0000000000000FFF.generating"), b"half").unwrap();
    let (cache, opened) = open(&dir);
    assert!(matches!(opened, OpenOutcome::Repaired { .. }), "{opened:?}");
    assert_eq!(cache.rows().count(), 300);
}

#[test]
fn an_emptied_or_flipped_snapshot_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    filled(&dir);
    drop(open(&dir));
    let snapshot = fs::read_dir(dir.join("sled"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
        .expect("sled writes a snapshot when it opens");
    let mut bytes = fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&snapshot, bytes).unwrap();
    let (cache, opened) = open(&dir);
    assert_eq!(
        opened,
        OpenOutcome::Repaired {
            removed: "the snapshot"
        }
    );
    assert_eq!(cache.rows().count(), 300);
}

#[test]
fn what_cannot_be_repaired_is_moved_aside_and_reported() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    filled(&dir);
    fs::write(dir.join("sled/conf"), b"not a configuration of sled").unwrap();
    let (cache, opened) = open(&dir);
    let OpenOutcome::Replaced { aside, why } = opened else {
        panic!("{opened:?}");
    };
    assert!(aside.ends_with(format!("cache.damaged-{}", NOW.0)) && aside.join("sled/db").exists());
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(cache.rows().count(), 0);
    drop(cache);
    assert_eq!(open(&dir).1, OpenOutcome::Intact);
}

/// Damages the data file in many places; every time the cache opens and every read answers. sled does
/// not always notice: it may come back with older pages, so rows may be missing, but never made up.
#[test]
fn flipped_bits_and_lost_blocks_always_end_with_an_open_cache() {
    const ROUNDS: usize = 24;
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    filled(&whole);
    let data = fs::read(whole.join("sled/db")).unwrap();
    let used = data.iter().rposition(|byte| *byte != 0).unwrap();
    let mut outcomes = BTreeMap::<&str, u32>::new();
    for round in 0..ROUNDS {
        let dir = home.path().join(format!("round-{round}"));
        copy(&whole, &dir);
        let file = fs::OpenOptions::new()
            .write(true)
            .open(dir.join("sled/db"))
            .unwrap();
        // Half of the rounds hit the end of the file, which sled reads when it opens.
        let reach = if round < ROUNDS / 2 { used } else { 60_000 };
        let at = used - reach * (round % (ROUNDS / 2)) / (ROUNDS / 2);
        if round % 2 == 0 {
            file.write_all_at(&[data[at] ^ 4], at as u64).unwrap();
        } else {
            file.write_all_at(&[0; 512], (at / 512 * 512) as u64).unwrap();
        }
        let (cache, opened) = open(&dir);
        let outcome = match opened {
            OpenOutcome::Created => "fresh",
            OpenOutcome::Intact => "kept",
            OpenOutcome::Repaired { .. } => "repaired",
            OpenOutcome::Replaced { .. } => "replaced",
        };
        *outcomes.entry(outcome).or_default() += 1;
        // A page is read when it is asked for, so damage may show up only now: as an error.
        let read = read_all(&cache);
        let cache = match read {
            Err(damage) => {
                assert!(damage.is_damage(), "{damage}");
                *outcomes.entry("damage met by a read").or_default() += 1;
                drop(cache);
                Cache::replace(NOW, &dir, &damage).unwrap().0
            }
            Ok((applied, rows)) => {
                assert!(rows.iter().all(|row| *row == item(row.number)));
                let expected = applied.map_or(0, |applied| applied as usize + 1);
                if rows.len() != expected {
                    *outcomes.entry("rows silently missing").or_default() += 1;
                }
                cache
            }
        };
        let mut batch = Batch::default();
        batch.put_row(&Row::of(item(1)));
        cache.write(batch).unwrap();
        assert_eq!(cache.row(&item(1).id).unwrap(), Some(item(1)));
    }
    // For whoever looks at this test: how sled took it.
    println!("{outcomes:?}");
}

fn read_all(cache: &Cache) -> Result<(Option<u64>, Vec<ItemView>), CacheError> {
    let applied = cache.u64(Table::Meta, meta::APPLIED)?;
    let rows = cache.rows().collect::<Result<Vec<_>, _>>()?;
    for row in rows.iter().flat_map(|(_, row)| row) {
        let doc = cache.doc(&row.0.id)?;
        assert!(
            doc.is_none_or(|doc| doc == saved(row.0.number)),
            "never something else"
        );
    }
    let whole = rows
        .into_iter()
        .filter_map(|(_, row)| row.map(|(_, whole)| whole));
    Ok((applied, whole.collect()))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
