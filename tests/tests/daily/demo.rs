//! `towline demo`: two nodes with a conflict between them, which leave nothing behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use towline_tests::process::{Place, finish, until};

use super::get;

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn terminate(pid: u32) {
    let ended = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(ended.expect("kill runs").success());
}

#[test]
fn two_boards_show_one_conflict_until_the_demo_is_stopped() {
    let ann = Place::of("ann");
    let temporary = ann.dir().join("temporary");
    fs::create_dir(&temporary).expect("a folder");
    let mut command = ann.nameless(&["demo"]);
    command.env("TMPDIR", &temporary);
    let demo = ann.start_as(command);
    for who in ["ann", "bob"] {
        let link = demo.prints(&format!("{who}'s board:  "));
        let answer = get(&link);
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    }
    let folder = demo.prints("  towline -C ");
    let folder = Path::new(folder.split(' ').next().expect("a folder"));
    for who in ["ann", "bob"] {
        let home = folder.with_file_name(who);
        let home = home.to_str().expect("a path");
        let open = ann.json(&["-C", home, "conflicts"]);
        assert_eq!(open["conflicts"].as_array().map(Vec::len), Some(1), "{open}");
        assert_eq!(open["conflicts"][0]["item"]["handle"], "3", "{open}");
        assert!(ann.run(&["-C", home, "list"]).ok().contains("Order as a guest"));
    }
    let bob = folder.with_file_name("bob");
    let bob = bob.to_str().expect("a path");
    ann.run(&["-C", bob, "conflicts", "resolve", "3", "--keep", "bob"])
        .ok();
    until("ann's node knows", || {
        let open = ann.json(&["-C", folder.to_str().expect("a path"), "conflicts"]);
        open["conflicts"].as_array().is_some_and(Vec::is_empty)
    });
    terminate(demo.pid());
    let (code, said) = demo.ends();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("removed their folders"), "{said}");
    assert!(is_empty(&temporary), "a folder is left");
}

#[test]
fn a_demo_that_is_stopped_while_it_prepares_leaves_nothing() {
    let ann = Place::of("ann");
    let temporary = ann.dir().join("temporary");
    fs::create_dir(&temporary).expect("a folder");
    let mut command = ann.nameless(&["demo"]);
    command.env("TMPDIR", &temporary).stdout(Stdio::null());
    let mut demo = command.stderr(Stdio::null()).spawn().expect("the program starts");
    until("the demo has begun", || !is_empty(&temporary));
    terminate(demo.id());
    let mut ended = None;
    until("the demo ends", || {
        ended = demo.try_wait().expect("a child of ours");
        ended.is_some()
    });
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert!(is_empty(&temporary), "a folder is left");
}

#[test]
fn a_demo_that_has_no_room_says_so() {
    let ann = Place::of("ann");
    let mut command = ann.nameless(&["demo"]);
    command.env("TMPDIR", ann.dir().join("missing"));
    finish(command).refused(1, &["cannot make a folder"]);
    let steps = ann.run(&["demo", "--dry-run"]).ok();
    assert!(steps.starts_with("would create two nodes"), "{steps}");
}
