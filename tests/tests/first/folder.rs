//! A node whose folder is taken away while it runs, and one whose terminal goes.

use std::fs;
use std::process::Command;

use towline_tests::process::Place;

#[test]
fn a_node_without_its_folder_ends_with_an_error() {
    for whole in [true, false] {
        let ann = Place::of("ann");
        ann.init("shop");
        ann.create("Here today");
        let node = ann.serve();
        let gone = if whole { ann.home().dir() } else { ann.log() };
        fs::remove_dir_all(gone).unwrap();
        let (code, said) = node.ends();
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("git clean") && said.contains("was removed"),
            "{said}"
        );
        assert!(!said.contains("All data is on disk"), "{said}");
        assert_eq!(ann.home().dir().exists(), !whole, "nothing is made again");
    }
}

#[test]
fn a_node_whose_folder_was_replaced_does_not_write_beside_the_new_one() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("In the backup");
    let (dir, backup) = (ann.home().dir(), ann.dir().join("backup"));
    let copied = Command::new("cp").arg("-a").args([&dir, &backup]).status();
    assert!(copied.unwrap().success());
    let node = ann.serve();
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&backup, &dir).unwrap();
    let (code, said) = node.ends();
    assert_eq!(code, Some(1), "{said}");
    ann.create("After the backup");
    assert!(ann.export().contains("In the backup"));
}

#[test]
fn a_terminal_that_is_closed_ends_a_node_in_order() {
    let ann = Place::of("ann");
    ann.init("shop");
    let node = ann.serve();
    let pid = node.pid().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &pid])
            .status()
            .unwrap()
            .success()
    );
    let (code, said) = node.ends();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("All data is on disk"), "{said}");
}
