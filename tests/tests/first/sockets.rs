//! Whether a node runs is asked of the lock: its socket may vanish, or be elsewhere.

use std::fs;

use towline_tests::process::{Place, until};

#[test]
fn a_node_whose_socket_was_removed_is_found_all_the_same() {
    let ann = Place::of("ann");
    ann.init("shop");
    let node = ann.serve();
    fs::remove_file(ann.home().socket()).unwrap();
    ann.run(&["up", "--busy-timeout", "0s"])
        .refused(75, &["already running here", "pid"]);
    ann.create("Through a socket that was made anew");
    fs::remove_file(ann.home().socket()).unwrap();
    // `down`, and it waits for the end.
    node.stop();
    assert!(!ann.home().socket().exists());
}

#[test]
fn a_project_deep_in_the_tree_has_a_node_too() {
    let kept = tempfile::tempdir().unwrap();
    let deep = kept.path().join("d".repeat(100)).join("e".repeat(100));
    let ann = Place::in_folder("ann", kept, deep);
    ann.init("shop");
    let node = ann.serve();
    ann.create("Deep down");
    node.stop();
}

#[test]
fn where_no_socket_can_be_made_it_is_elsewhere_and_up_says_so_only_then() {
    let ann = Place::of("ann");
    ann.init("shop");
    // A folder with something in it stands for a file system without sockets.
    fs::create_dir_all(ann.home().socket().join("in the way")).unwrap();
    let runtime = tempfile::tempdir().unwrap();
    let up = |dir: &std::path::Path| {
        let mut command = ann.command(&["serve"]);
        command.env("XDG_RUNTIME_DIR", dir);
        command
    };
    let node = ann.start_as(up(runtime.path()));
    let sockets = || fs::read_dir(runtime.path().join("towline")).unwrap().count();
    // It answers as soon as it has said that it is up: nothing is waited for here.
    ann.create("Through the other place");
    assert_eq!(sockets(), 1);
    node.stop();
    assert_eq!(sockets(), 0);

    // A variable that leads nowhere is passed over.
    let node = ann.start_as(up(&runtime.path().join("nowhere/at/all")));
    ann.create("Through the last place");
    node.kill();
    until("nobody is there", || {
        let down = ann.run(&["down"]);
        down.code == Some(69) && down.err.contains("no node is running here")
    });
}
