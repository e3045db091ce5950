//! A peer whose process is stopped: nothing is said of it that it has not said itself.

use std::process::Command;

use towline_tests::process::{Place, Running, port, until};

fn signal(node: &Running<'_>, signal: &str) {
    let pid = node.pid().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success(), "{signal} to {pid}");
}

#[test]
fn nobody_is_in_sync_who_has_not_said_so() {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    ann.create("Sign in with a passkey");
    let ticket = ann.invite(&[]);
    ann.listen_on(port(&ticket));
    let ben = Place::of("ben");
    ben.join(&ticket);
    let of_ben = ben.serve();
    until("Ben is connected", || ann.json(&["sync"])["peers"] == 1);
    ann.run(&["sync", "--wait"]).ok();

    signal(&of_ben, "-STOP");
    for number in 0..6 {
        ann.create(&format!("Written while Ben says nothing, {number}"));
    }
    ann.run(&["sync", "--wait", "--timeout", "3s"])
        .refused(124, &["not in sync", "0 of 1 peer"]);
    assert_eq!(ann.json(&["peers"])["peers"][0]["in_sync"], false);

    signal(&of_ben, "-CONT");
    // Whoever is there answers at once; it need not wait for the next regular look.
    let synced = ann.json(&["sync", "--wait"]);
    assert_eq!((&synced["peers"], &synced["equal"]), (&1.into(), &1.into()));
    assert_eq!(ben.items().len(), 7);
    of_ben.stop();
    of_ann.stop();
}
