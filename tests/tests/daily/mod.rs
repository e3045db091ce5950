//! What people do every day on the command line, as real processes: short lists, the page of an item, taking a command
//! back, a demo to show to somebody.

mod demo;

use std::io::{Read, Write};
use std::net::TcpStream;

use towline_tests::process::Place;

/// The answer to a GET request for an address of this machine.
fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("an address");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("the board listens");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_list_is_short_filtered_and_says_how_to_see_more() {
    let ann = Place::of("ann");
    ann.init("shop");
    for number in 0..60 {
        let priority = (number % 5).to_string();
        ann.run(&["create", &format!("Item {number}"), "-p", &priority])
            .ok();
    }
    ann.run(&["start", "60"]).ok();
    let list = ann.run(&["list"]);
    assert!(list.err.contains("50 of 60 items are shown; use -n 60"), "{list}");
    let out = list.ok();
    assert!(
        out.contains("BACKLOG  49 of 59") && out.contains("CODING  1"),
        "{out}"
    );
    assert_eq!(ann.json(&["list"])["items"].as_array().map(Vec::len), Some(60));
    let some = ann.json(&["list", "-p", "0,1", "-n", "3", "--sort", "number"]);
    assert_eq!(some["total"], 24);
    assert_eq!(some["items"][2]["number"], 6);
    let none = ann.json(&[
        "list",
        "--created",
        "2026-01-01",
        "--updated",
        "1970-01-02T00:00:00Z",
    ]);
    assert_eq!(none["items"].as_array().map(Vec::len), Some(60));
    let ready = ann.json(&["ready", "-p", "4", "-n", "2"]);
    assert_eq!(ready["total"], 11);
    assert_eq!(ready["items"][0]["number"], 5);
}

#[test]
fn the_last_command_is_taken_back_unless_it_has_no_way_back() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Login fails");
    ann.run(&["edit", "1", "--title", "Sign-in fails"]).ok();
    let would = ann.run(&["undo", "--dry-run"]).ok();
    assert!(would.starts_with("would: 1  Login fails"), "{would}");
    assert!(ann.run(&["show", "1"]).ok().contains("Sign-in fails"));
    assert!(ann.run(&["undo"]).ok().contains("Login fails"));
    ann.run(&["comment", "1", "On Safari"]).ok();
    ann.run(&["undo", "1"]).refused(5, &["comment", "history"]);
    let bob = ann.nameless(&["undo", "--as", "bob"]);
    towline_tests::process::finish(bob).refused(3, &["bob"]);
}

#[test]
fn the_page_of_an_item_is_opened_signed_in() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Login fails");
    ann.run(&["open", "1"]).refused(69, &["towline up"]);
    let node = ann.serve();
    let link = ann.run(&["open", "1"]).ok();
    let answer = get(link.trim());
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    assert!(
        location.is_some_and(|page| page.starts_with("/p/") && page.ends_with("/items/1")),
        "{answer}"
    );
    ann.run(&["open", "7"]).refused(3, &["no item 7"]);
    node.stop();
}
