//! Disks that cannot be written, and disks without modes and sockets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use towline_tests::process::{Place, finish, world};

/// Something that is mounted, until this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a process that is being ended may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn done(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let (out, err) = (output.stdout, output.stderr);
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&out).trim().to_owned());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&err)))
}

/// Takes the rights to write away: by a read-only mount, or, from who is not root, by modes.
fn read_only(dir: &Path) -> Result<Option<Mounted>, String> {
    let path = dir.to_str().unwrap();
    if world::is_root() {
        done("mount", &["--bind", path, path])?;
        let mounted = Mounted(dir.to_owned());
        done("mount", &["-o", "remount,ro,bind", path])?;
        return Ok(Some(mounted));
    }
    done("chmod", &["-R", "a-w", path])?;
    Ok(None)
}

#[test]
fn everything_that_reads_works_where_nothing_can_be_written() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Read me");
    ann.create("And me");
    ann.run(&["depends", "add", "2", "1"]).ok();
    // A snapshot that is older than the log, and one that is as young: both ways are taken below.
    let reading: &[&[&str]] = &[
        &["list"],
        &["ready"],
        &["show", "1"],
        &["log"],
        &["log", "1"],
        &["search", "read"],
        &["export", "--to", "jsonl"],
        &["export", "--to", "csv"],
        &["status"],
        &["board"],
        &["conflicts"],
        &["explain", "1"],
        &["members"],
        &["criteria", "1"],
        &["depends", "tree", "2"],
        &["config"],
        &["doctor"],
        &["create", "bug", "not really", "--dry-run"],
    ];
    let scratch = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = ann.command(args);
        command.env("TMPDIR", scratch.path());
        finish(command)
    };
    let snapshot = ann.log().with_file_name("rows.snap");
    for with_snapshot in [true, false] {
        let before: Vec<_> = reading.iter().map(|args| run(args).ok()).collect();
        assert!(snapshot.exists());
        if !with_snapshot {
            fs::remove_file(&snapshot).unwrap();
        }
        let mounted = read_only(ann.dir()).expect("a disk that cannot be written");
        for (args, before) in reading.iter().zip(before) {
            assert_eq!(run(args).ok(), before, "{args:?}");
        }
        for args in [
            &["create", "bug", "x"][..],
            &["comment", "1", "x"],
            &["rebuild"],
            &["start", "1"],
        ] {
            run(args).refused(1, &["only commands that read work here"]);
        }
        let mut empty = ann.command(&["show", "1"]);
        empty.env("TMPDIR", "");
        finish(empty).ok();
        drop(mounted);
        done("chmod", &["-R", "u+w", ann.dir().to_str().unwrap()]).unwrap();
    }
    let left = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0, "a copy was left behind");
}

/// A file system without modes, owners and sockets.
fn stick(image: &Path, at: &Path) -> Result<(Mounted, Loop), String> {
    fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
    done("mkfs.exfat", &[image.to_str().unwrap()])?;
    let device = Loop(done("losetup", &["-f", "--show", image.to_str().unwrap()])?);
    fs::create_dir(at).unwrap();
    done("mount.exfat-fuse", &[&device.0, at.to_str().unwrap()])?;
    Ok((Mounted(at.to_owned()), device))
}

/// A device that is a file.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = done("losetup", &["-d", &self.0]);
    }
}

#[test]
fn a_stick_without_modes_and_sockets_holds_a_project_whose_key_is_elsewhere() {
    let kept = tempfile::tempdir().unwrap();
    let at = kept.path().join("stick");
    let (mounted, device) = stick(&kept.path().join("image"), &at).expect("a file system without modes");
    let state = kept.path().join("home/.local/state/towline/keys");
    let ann = Place::in_folder("ann", kept, at.join("work"));
    // Without a place for the key nothing is made.
    let mut homeless = ann.command(&["init"]);
    homeless.env_remove("HOME").env_remove("XDG_STATE_HOME");
    finish(homeless).refused(4, &["no file modes", "XDG_STATE_HOME"]);
    assert_eq!(
        fs::read_dir(ann.dir()).unwrap().count(),
        0,
        "something was left behind"
    );

    ann.init("shop");
    let key = fs::read_dir(&state).unwrap().next().unwrap().unwrap();
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    ann.create("On a stick");
    let node = ann.start(&["serve"]);
    ann.run(&["comment", "1", "through the node"]).ok();
    let said = ann.run(&["up"]).refused(75, &["already running here"]);
    assert!(said.contains("pid"), "{said}");
    node.stop();
    assert!(ann.export().contains("through the node"));
    ann.is_sound();
    ann.run(&["deinit", "--yes"]).ok();
    assert_eq!(
        fs::read_dir(&state).unwrap().count(),
        0,
        "the key went with the project"
    );
    drop((mounted, device));
}
