//! `edit` with an editor: one that fails, one that is not there, one that leaves what cannot be used, and
//! two at once. What somebody typed is never lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use towline_tests::process::{Outcome, Place, finish, until};

/// A script that is an editor: it is given the draft as `$1`.
fn editor(place: &Place, name: &str, script: &str) -> PathBuf {
    let path = place.dir().join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// Edits at a terminal, which `script` makes. What was printed there, of both sorts, is in `err`.
fn edit(place: &Place, editor: &Path) -> Outcome {
    let plain = place.command(&["edit", "1"]);
    let mut command = std::process::Command::new("script");
    let typed = std::iter::once(plain.get_program()).chain(plain.get_args());
    let typed: Vec<String> = typed.map(|word| format!("'{}'", word.display())).collect();
    command
        .args(["-q", "-e", "-c", &typed.join(" "), "/dev/null"])
        .stdin(std::process::Stdio::null());
    if let Some(dir) = plain.get_current_dir() {
        command.current_dir(dir);
    }
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .env("EDITOR", editor)
        .env("NO_COLOR", "1")
        .env("SHELL", "/bin/sh")
        .env("TOWLINE_BUSY_TIMEOUT", "2s")
        .env_remove("VISUAL");
    let mut outcome = finish(command);
    outcome.err += &std::mem::take(&mut outcome.out).replace("\r\n", "\n");
    outcome
}

#[test]
fn whoever_has_no_terminal_is_told_so_and_waits_for_no_editor() {
    let ann = notes();
    let before = ann.export();
    let never = editor(&ann, "never", "touch \"$0.ran\"; exec tail -f /dev/null");
    for flags in [&["edit", "1"][..], &["--agent", "edit", "1"]] {
        let mut command = ann.command(flags);
        command.env("EDITOR", &never).stdin(std::process::Stdio::null());
        finish(command).refused(2, &["terminal", "--body -"]);
    }
    assert!(!ann.dir().join("never.ran").exists());
    assert_eq!(ann.export(), before);
}

fn body(place: &Place) -> String {
    place.json(&["show", "1"])["body"].as_str().unwrap().to_owned()
}

fn notes() -> Place {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.run(&["create", "story", "Notes", "--body", "one\ntwo\nthree\n"])
        .ok();
    ann
}

/// The file that a message says the text is in.
fn kept(said: &str) -> Vec<u8> {
    let path = said.split("Your text is in ").nth(1).expect("a file is named");
    fs::read(path.trim()).expect("it is there")
}

#[test]
fn an_editor_that_goes_wrong_changes_nothing_and_loses_nothing() {
    let ann = notes();
    let before = ann.export();
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        let fails = editor(&ann, "fails", "exit 3");
        edit(&ann, &fails).refused(1, &["failed: ", "3", "nothing was written"]);
        let aborted = editor(&ann, "aborted", "echo typed > \"$1\"; exit 1");
        let said = edit(&ann, &aborted).refused(1, &["failed: ", "nothing was written"]);
        assert_eq!(kept(&said), b"typed\n");
        edit(&ann, Path::new("/nowhere/vi"))
            .refused(1, &["/nowhere/vi", "cannot start the editor", "set EDITOR"]);
        let long = editor(&ann, "long", "head -c 262145 /dev/zero | tr '\\0' x > \"$1\"");
        let said = edit(&ann, &long).refused(2, &["262145 bytes", "at most 262144"]);
        assert_eq!(kept(&said).len(), 262_145);
        let nul = editor(&ann, "nul", "printf 'a\\0b' > \"$1\"");
        let said = edit(&ann, &nul).refused(2, &["U+0000"]);
        assert_eq!(kept(&said), b"a\0b");
        let bytes = editor(&ann, "bytes", "printf '\\377\\376' > \"$1\"");
        let said = edit(&ann, &bytes).refused(1, &["UTF-8", "nothing was written"]);
        assert_eq!(kept(&said), b"\xff\xfe");
        let gone = editor(&ann, "gone", "rm \"$1\"");
        edit(&ann, &gone).refused(1, &["cannot read the draft", "nothing was written"]);
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
    let unchanged = editor(&ann, "unchanged", "true");
    assert!(edit(&ann, &unchanged).err.contains("Nothing was changed"));
    assert_eq!(ann.export(), before);
    ann.is_sound();
}

/// Opens, says so, and goes on when it is told to.
fn waiting(place: &Place, name: &str, change: &str) -> PathBuf {
    let dir = place.dir().display();
    let script = format!(
        "touch '{dir}/{name}.open'\nwhile [ ! -e '{dir}/{name}.go' ]; do sleep 0.02; done\nsed -i '{change}' \"$1\""
    );
    editor(place, name, &script)
}

fn is_open(place: &Place, name: &str) {
    let sign = place.dir().join(format!("{name}.open"));
    until("the editor is open", || sign.exists());
}

fn go(place: &Place, name: &str) {
    fs::write(place.dir().join(format!("{name}.go")), "").unwrap();
}

#[test]
fn two_editors_at_once_both_have_their_say() {
    for running in [false, true] {
        let ann = notes();
        let node = running.then(|| ann.serve());
        let first = waiting(&ann, "first", "s/one/ONE/");
        let second = waiting(&ann, "second", "s/three/THREE/");
        thread::scope(|scope| {
            let a = scope.spawn(|| edit(&ann, &first));
            is_open(&ann, "first");
            let b = scope.spawn(|| edit(&ann, &second));
            is_open(&ann, "second");
            // Nobody is kept out while an editor is open.
            ann.run(&["comment", "1", "Written in between."]).ok();
            go(&ann, "second");
            b.join().unwrap().ok();
            assert_eq!(body(&ann), "one\ntwo\nTHREE\n");
            ann.run(&["edit", "1", "--title", "Notes, by two"]).ok();
            go(&ann, "first");
            a.join().unwrap().ok();
        });
        assert_eq!(body(&ann), "ONE\ntwo\nTHREE\n");
        let page = ann.json(&["show", "1"]);
        assert_eq!(page["title"], "Notes, by two");
        assert_eq!(page["comments"], 1);
        if let Some(node) = node {
            node.stop();
        }
        ann.is_sound();
        let left = fs::read_dir(ann.dir().join(".towline")).unwrap();
        let drafts = left.filter(|file| {
            file.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("edit-")
        });
        assert_eq!(drafts.count(), 0, "what was sent is not kept");
    }
}

#[test]
fn what_was_typed_while_the_store_went_away_is_kept() {
    let ann = notes();
    let before = ann.export();
    let late = waiting(&ann, "late", "s/one/ONE/");
    let said = thread::scope(|scope| {
        let edited = scope.spawn(|| edit(&ann, &late));
        is_open(&ann, "late");
        let lock = ann.home().lock("a long backup").unwrap();
        go(&ann, "late");
        let said = edited.join().unwrap().refused(75, &["a long backup"]);
        drop(lock);
        said
    });
    assert_eq!(kept(&said), b"ONE\ntwo\nthree\n");
    assert_eq!(ann.export(), before);
}
