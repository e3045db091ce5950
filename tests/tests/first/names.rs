//! Under which name somebody acts who has given none, and that they are told once.

use std::process::Command;

use towline_tests::process::{Place, finish};

#[test]
fn without_any_name_the_account_acts_and_that_is_said_once() {
    let account = Command::new("id").arg("-un").output().unwrap().stdout;
    let account = String::from_utf8(account).unwrap().trim().to_owned();
    let ann = Place::of("ann");
    ann.init("shop");
    let create = |more: &[&str]| finish(ann.nameless(&[&["create", "bug", "Whose?"], more].concat()));
    let note = format!("note: your user name here is {account:?}");
    // Whoever wants no talk has not been told.
    assert!(!create(&["-q"]).err.contains("note:"));
    let told = create(&[]);
    assert!(
        told.err.contains(&note) && told.err.contains("towline config user"),
        "{told}"
    );
    assert!(!create(&[]).err.contains("note:"), "once is enough");
    let log = ann.run(&["log"]).ok();
    assert_eq!(log.matches(&format!("{account} @")).count(), 3, "{log}");
    // A setting that is there counts, and one that is taken back does not.
    for (name, acts) in [("bo", "bo"), ("", account.as_str())] {
        finish(ann.nameless(&["config", "user", name])).ok();
        create(&[]).ok();
        let log = ann.run(&["log", "-n", "1"]).ok();
        assert!(log.contains(&format!("{acts} @")), "{acts}: {log}");
    }
}

#[test]
fn a_node_that_runs_is_named_at_once_where_it_is_in_the_way() {
    let ann = Place::of("ann");
    ann.init("shop");
    let node = ann.serve();
    for args in [
        &["deinit", "--yes"][..],
        &["doctor", "--repair"],
        &["serve"],
        &["up"],
    ] {
        ann.run(args)
            .refused(75, &["already running here", "towline down"]);
    }
    node.stop();
    ann.run(&["deinit", "--yes"]).ok();
    assert!(!ann.home().dir().exists());
}
