//! Crowds: more commands at once than a node has places, or than a store lets in, wait for each other.

use std::process::Stdio;

use towline_socket::{CONNECTIONS, Client};
use towline_tests::process::Place;

/// Commands at once, more than a node has places for.
const WITH_A_NODE: usize = CONNECTIONS + 56;
/// Commands at once that each need the store for themselves.
const WITHOUT: usize = 40;

/// Starts so many commands before the first is waited for, and gives the exit codes that are not 0.
fn crowd(place: &Place, count: usize) -> Vec<Option<i32>> {
    let children: Vec<_> = (0..count)
        .map(|n| {
            let mut command = place.command(&["comment", "1", &format!("said by {n}")]);
            command.args(["--busy-timeout", "2m"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let codes = children.into_iter().map(|mut child| child.wait().unwrap().code());
    codes.filter(|code| *code != Some(0)).collect()
}

#[test]
fn everybody_of_a_crowd_is_served_with_and_without_a_node() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Busy");
    assert_eq!(crowd(&ann, WITHOUT), []);
    let node = ann.serve();
    assert_eq!(crowd(&ann, WITH_A_NODE), []);
    node.stop();
    let said = ann.export().matches("said by").count();
    assert_eq!(said, WITHOUT + WITH_A_NODE);
}

/// A client that has a place at the node.
fn greeted(place: &Place) -> Client {
    let mut client = Client::connect(&place.home().socket()).unwrap().unwrap();
    client.hello().unwrap();
    client
}

#[test]
fn whoever_does_not_want_to_wait_is_told_what_for() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Busy");
    let impatient = ["comment", "1", "now", "--busy-timeout", "0s"];
    let lock = ann.home().lock("a long command").unwrap();
    ann.run(&impatient)
        .refused(75, &["in use by `a long command` (pid", "--busy-timeout"]);
    let mut command = ann.command(&["comment", "1", "now"]);
    command.env("TOWLINE_BUSY_TIMEOUT", "soon");
    towline_tests::process::finish(command).refused(2, &["TOWLINE_BUSY_TIMEOUT", "30s"]);
    ann.run(&["config", "busy_timeout", "0s"]).ok();
    ann.run(&["comment", "1", "now"]).refused(75, &["busy_timeout"]);
    drop(lock);

    let node = ann.serve();
    // Whoever has said something whole keeps the place.
    let mut crowd: Vec<_> = (0..CONNECTIONS).map(|_| greeted(&ann)).collect();
    ann.run(&impatient)
        .refused(75, &["no free connection", "--busy-timeout"]);
    let mut patient = ann.command(&["comment", "1", "later", "--busy-timeout", "1m"]);
    let mut waits = patient.stdout(Stdio::null()).spawn().unwrap();
    crowd.clear();
    assert!(waits.wait().unwrap().success());
    node.stop();
}
