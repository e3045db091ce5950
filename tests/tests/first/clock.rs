//! Clocks that are wrong, and times as people read them.

use std::fs;
use std::path::Path;
use std::process::Command;

use towline_tests::process::{Outcome, Place, finish, program};

/// Runs a command whose clock says something else.
fn at(time: &str, place: &Place, args: &[&str]) -> Outcome {
    let mut command = Command::new("faketime");
    command
        .arg(time)
        .arg(program("towline"))
        .args(args)
        .args(["--as", "ann"])
        .current_dir(place.dir())
        .env_remove("TOWLINE_USER");
    finish(command)
}

#[test]
fn a_clock_before_1970_is_refused_with_words_and_nothing_is_half_made() {
    let ann = Place::of("ann");
    let early = "1969-12-31 00:00:00";
    for args in [&["init"][..], &["up"]] {
        at(early, &ann, args).refused(1, &["before 1970"]);
        assert_eq!(fs::read_dir(ann.dir()).unwrap().count(), 0, "{args:?}");
    }
    ann.init("shop");
    ann.create("In its time");
    let before = ann.export();
    for args in [
        &["create", "bug", "Before its time"][..],
        &["show", "1"],
        &["log"],
        &["doctor"],
        &["rebuild"],
        &["serve"],
        &["up"],
    ] {
        at(early, &ann, args).refused(1, &["before 1970"]);
    }
    // The list needs no store, and the settings no clock.
    at(early, &ann, &["list"]).ok();
    at(early, &ann, &["config"]).ok();
    assert_eq!(ann.export(), before);
    ann.is_sound();
}

#[test]
fn times_of_the_clock_are_local_and_name_their_zone() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("When?");
    let log = |zone: &str| {
        let mut command = ann.command(&["log", "1"]);
        command.env("TZ", zone);
        finish(command).ok()
    };
    assert!(log("UTC").contains(" (UTC)\n"), "{}", log("UTC"));
    if Path::new("/usr/share/zoneinfo/Asia/Kathmandu").exists() {
        assert!(
            log("Asia/Kathmandu").contains(" (+0545)\n"),
            "{}",
            log("Asia/Kathmandu")
        );
    }
    // Rules that need no file of zones.
    assert!(
        log("<+0545>-5:45").contains(" (+0545)\n"),
        "{}",
        log("<+0545>-5:45")
    );
    let unknown = log("Nowhere/Atlantis");
    assert!(unknown.contains(" (UTC)\n"), "{unknown}");
}
