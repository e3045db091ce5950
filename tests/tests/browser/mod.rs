//! The pages of a real node in a real browser: signing in, live updates, moving cards, resolving a conflict, and
//! every page checked for accessibility, in both colour schemes and at the widths of a phone and a desk.

mod board;
mod conflict;
mod editing;
mod fleet;
mod list;
mod moves;
mod pages;
mod sessions;

use towline_tests::browser::Browser;
use towline_tests::process::{Place, Running, until};

/// What `towline up` takes in tests: nothing but this machine.
const UP: &[&str] = &[
    "up",
    "--no-mdns",
    "--listen",
    "/ip4/127.0.0.1/tcp/0",
    "--board",
    "127.0.0.1:0",
];

/// Ann's node, as `towline up` makes and runs it, and the link that it prints.
fn up(ann: &Place) -> (Running<'_>, String) {
    let running = ann.start(UP);
    let link = running.prints("sign in: ");
    (running, link)
}

/// The address of the board that a link signs in to.
fn origin(link: &str) -> &str {
    link.split_once("/login").expect("a link to sign in").0
}

/// What the node holds of an item, once it holds that.
fn holds(place: &Place, handle: &str, field: &str, value: &serde_json::Value) {
    until(&format!("{field} of {handle} is {value}"), || {
        &place.json(&["show", handle])[field] == value
    });
}

/// A card in a column of the board.
fn card_in(column: &str, handle: &str) -> String {
    format!("ul.cards[data-column=\"{column}\"] .card[data-handle=\"{handle}\"]")
}

/// Waits until the node holds an item in a column.
fn is_in(place: &Place, handle: &str, column: &str) {
    until(&format!("{handle} is in {column}"), || {
        place.json(&["show", handle])["column"] == column
    });
}

/// Marks the page, so that a reload would be noticed.
fn mark(browser: &Browser) {
    browser.script("window.stillHere = true", &[]);
}

/// The page has not been loaded again since it was marked.
#[track_caller]
fn is_marked(browser: &Browser) {
    assert_eq!(
        browser.script("return window.stillHere === true", &[]),
        true,
        "the page was loaded again"
    );
}

/// The browser has not complained about anything.
#[track_caller]
fn is_quiet(browser: &Browser) {
    assert_eq!(browser.complaints(), [] as [String; 0]);
}
