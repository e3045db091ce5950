//! Signing in by the printed link, and a board that shows what happens elsewhere without being loaded again.

use serde_json::json;
use towline_tests::browser::Browser;
use towline_tests::process::{Place, until};

use super::{card_in, is_marked, is_quiet, mark, origin, up};

#[test]
fn the_printed_link_signs_in_once_and_signing_out_ends_it() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.create("Say hello");
    let browser = Browser::start();
    browser.open(origin(&link));
    browser.reads(".card h3", "Say hello");
    assert_eq!(browser.count("form[method=post]"), 0, "nobody is signed in");

    browser.open(&link);
    browser.reads(".who", "ann");
    assert!(browser.url().ends_with("/p/work"), "{}", browser.url());
    browser.sees(".card a.do");
    let cookie = browser.script("return document.cookie", &[]);
    assert_eq!(cookie, "", "scripts do not see the session");
    // Whoever opens the link again is signed in already.
    browser.open(&link);
    browser.reads(".who", "ann");
    is_quiet(&browser);

    browser.click(".who button");
    until("nobody is signed in", || browser.count(".who button") == 0);
    assert_eq!(browser.count("form[method=post]"), 0);
    browser.open(&link);
    browser.sees(".failure");
    assert_eq!(browser.count(".who button"), 0, "the link was used");
    let said = browser.complaints();
    assert!(said.len() == 1 && said[0].contains("403"), "{said:?}");
    node.stop();
}

#[test]
fn what_happens_elsewhere_shows_in_every_tab_without_a_reload() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.create("Already there");
    let browser = Browser::start();
    browser.open(&link);
    browser.sees(&card_in("backlog", "1"));
    mark(&browser);
    // The second tab shares the stream of the first.
    let second = browser.new_tab(&browser.url());
    browser.sees(&card_in("backlog", "1"));
    mark(&browser);

    ann.create("Made in a terminal");
    browser.sees(&card_in("backlog", "2"));
    browser.reads("#announcements", "Made in a terminal");
    ann.run(&["start", "2"]).ok();
    browser.sees(&card_in("coding", "2"));
    is_marked(&browser);
    browser.close_tab(&second);
    browser.sees(&card_in("coding", "2"));
    is_marked(&browser);

    // A stream that breaks with the node comes back with the next one on the same address.
    let port = origin(&link).rsplit(':').next().unwrap().to_owned();
    node.stop();
    ann.create("Made while no node ran");
    let board = format!("127.0.0.1:{port}");
    let again = ann.start(&[
        "up",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--board",
        &board,
    ]);
    browser.sees(&card_in("backlog", "3"));
    is_marked(&browser);
    let said = browser.complaints();
    let refused =
        |line: &String| line.contains("ERR_CONNECTION_REFUSED") || line.contains("ERR_INCOMPLETE_CHUNKED");
    assert!(said.iter().all(refused), "{said:?}");

    // A comment that is being written survives what happens meanwhile.
    browser.open(&again.prints("sign in: "));
    browser.click(&format!("{} a.title", card_in("backlog", "1")));
    browser.fill("#say", "Half a sent");
    ann.run(&["comment", "1", "From the terminal"]).ok();
    browser.reads("#announcements", "has a new comment");
    let typed = browser.script("return document.getElementById('say').value", &[]);
    assert_eq!(typed, json!("Half a sent"));
    browser.fill("#say", "ence.");
    browser.click(".say button");
    until("both comments are on the page", || browser.count(".comment") == 2);
    is_quiet(&browser);
    again.stop();
}
