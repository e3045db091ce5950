//! Disks that lie or are full, and a store from the future.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use towline_tests::process::{Dice, Place, until};

use super::shop;

fn first_segment(place: &Place) -> PathBuf {
    place.log().join("00000001.seg")
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_log_is_named_read_and_not_written() {
    let (ann, _) = shop();
    for n in 0..10 {
        ann.run(&["comment", "1", &format!("Comment {n}")]).ok();
    }
    let before = ann.export();
    let used = ann.json(&["status"])["log_bytes"].as_u64().unwrap() as usize;
    change(&first_segment(&ann), |bytes| bytes[used / 2] ^= 0x10);
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        let refused = ann.run(&["create", "story", "Into a damaged log"]);
        refused.refused(1, &["nothing was written", "log segment 1 is damaged at byte"]);
        ann.run(&["show", "1"]).ok();
        assert_eq!(ann.export(), before, "reading goes on, also behind the damage");
        let doctor = ann.run(&["doctor"]);
        assert_eq!(doctor.code, Some(6), "{doctor}");
        assert!(
            doctor.out.contains("log segment 1 is damaged at byte"),
            "{doctor}"
        );
        // Rebuilding would throw away what only the cache still knows.
        ann.run(&["rebuild"])
            .refused(1, &["log segment 1 is damaged at byte", "nothing was rebuilt"]);
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
}

#[test]
fn a_store_of_a_newer_format_is_refused_with_both_versions() {
    let (ann, _) = shop();
    // The byte behind the magic is the version.
    change(&first_segment(&ann), |bytes| bytes[8] = 9);
    let before = fs::read(first_segment(&ann)).unwrap();
    for args in [
        &["list"][..],
        &["create", "story", "Too early"],
        &["doctor"],
        &["serve"],
    ] {
        ann.run(args)
            .refused(1, &["format 9", "up to 1", "newer towline"]);
    }
    assert!(fs::read(first_segment(&ann)).unwrap() == before, "it was touched");
}

#[test]
fn without_a_free_block_a_node_starts_reads_and_syncs_out() {
    let kept = tempfile::tempdir().unwrap();
    let at = kept.path().join("disk");
    let disk = SmallDisk::mount(&at).expect("a tmpfs, which this user may have to be root for");
    let ann = Place::in_folder("ann", kept, at.join("work"));
    ann.init("shop");
    ann.create("Before the disk was full");
    let (bob, running) = (Place::of("bob"), ann.serve());
    bob.join(&ann.invite(&[]));
    ann.run(&["comment", "1", "Not with bob yet"]).ok();
    running.stop();
    let before = ann.export();
    // What was set aside is given up and used up as well.
    fs::remove_file(ann.log().join("reserve")).unwrap();
    disk.fill();
    assert!(ann.export() == before, "reading needs no node");
    ann.run(&["comment", "1", "No room"])
        .refused(1, &["disk is full"]);
    let running = ann.serve();
    assert!(ann.export() == before, "it starts, and holds the same");
    ann.run(&["show", "1"]).ok();
    ann.run(&["comment", "1", "No room"])
        .refused(1, &["disk is full"]);
    let other = bob.serve();
    until("bob has the rest", || bob.export() == before);
    other.stop();
    disk.make_room();
    ann.run(&["comment", "1", "When there was room again"]).ok();
    let after = ann.export();
    running.stop();
    assert!(ann.export() == after, "and the cache of before is caught up");
    ann.is_sound();
    drop(disk);
}

/// A small disk of its own, taken away again when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=6m", "towline-test"])
            .arg(at);
        let output = mount.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Writes until there is no room for another byte.
    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        let block = [1; 4096];
        while file.write_all(&block).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being ended may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Comments that are tried before a disk must have been full.
const TRIES: u64 = 40;

/// A long text that does not get shorter by compression.
fn noise(seed: u64) -> String {
    let mut dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let letter = |_| char::from(b'!' + u8::try_from(dice.below(90)).unwrap());
    (0..30_000).map(letter).collect()
}

#[test]
fn a_full_disk_refuses_writes_keeps_reading_and_goes_on_when_there_is_room() {
    let kept = tempfile::tempdir().unwrap();
    let at = kept.path().join("disk");
    let disk = SmallDisk::mount(&at).expect("a tmpfs, which this user may have to be root for");
    let work = at.join("work");
    let ann = Place::in_folder("ann", kept, work);
    ann.init("shop");
    ann.create("Before the disk was full");
    let mut done = Vec::new();
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        disk.fill();
        // What fits into room that was set aside before is still done; that room ends.
        let full = (0..TRIES).find_map(|n| {
            let said = format!("running {running}, comment {n}");
            let outcome = ann.run(&["comment", "1", &format!("{said}: {}", noise(n))]);
            if outcome.code == Some(0) {
                done.push(said);
                return None;
            }
            Some(outcome)
        });
        full.expect("a full disk").refused(1, &["disk is full"]);
        let before = ann.export();
        ann.run(&["comment", "1", &noise(99)])
            .refused(1, &["disk is full"]);
        assert!(ann.export() == before, "nothing half-done, and reading goes on");
        if let Some(node) = node {
            node.stop();
        }
        let node = ann.serve();
        assert!(ann.export() == before, "starting works, and holds the same");
        disk.make_room();
        ann.create("When there was room again");
        node.stop();
        ann.is_sound();
        let after = ann.export();
        let lost: Vec<_> = done.iter().filter(|said| !after.contains(*said)).collect();
        assert!(lost.is_empty(), "said done and lost: {lost:?}");
    }
    drop(disk);
}
