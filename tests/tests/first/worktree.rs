//! Linked worktrees of git, and folders below a project.

use std::fs;
use std::path::Path;
use std::process::Command;

use towline_tests::process::Place;

fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(dir)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(args);
    let output = git.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_linked_worktree_has_the_project_of_its_repository() {
    let ann = Place::of("ann");
    git(ann.dir(), &["init", "-q"]);
    git(ann.dir(), &["commit", "-q", "--allow-empty", "-m", "x"]);
    ann.init("shop");
    ann.create("Made in the main checkout");
    let tree = ann.dir().parent().unwrap().join("tree");
    git(
        ann.dir(),
        &["worktree", "add", "-q", tree.to_str().unwrap(), "-b", "w"],
    );
    let there = tree.to_str().unwrap();
    let list = ann.run(&["-C", there, "list"]).ok();
    assert!(list.contains("Made in the main checkout"), "{list}");
    let node = ann.serve();
    ann.run(&["-C", there, "create", "bug", "Made in the worktree"])
        .ok();
    ann.run(&["-C", there, "init"])
        .refused(2, &["already", "linked worktree", "--here"]);
    assert!(!tree.join(".towline").exists());
    node.stop();
    // A worktree that goes takes nothing with it.
    git(ann.dir(), &["worktree", "remove", "--force", there]);
    assert!(ann.export().contains("Made in the worktree"));
}

#[test]
fn a_project_below_another_one_is_made_only_when_asked_for() {
    let ann = Place::of("ann");
    ann.init("shop");
    let below = ann.dir().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let there = below.to_str().unwrap();
    for dry in [&["--dry-run"][..], &[]] {
        ann.run(&[&["-C", there, "init"], dry].concat())
            .refused(2, &["there is already a project in", "inside it", "--here"]);
    }
    assert!(!below.join(".towline").exists());
    ann.run(&["-C", there, "init", "--here", "--name", "inner"]).ok();
    let status = ann.run(&["-C", there, "status"]).ok();
    assert!(status.contains("inner"), "{status}");
    assert!(ann.run(&["status"]).ok().contains("shop"));
}
