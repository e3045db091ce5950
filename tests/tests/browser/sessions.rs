//! Who is signed in stays signed in when the node restarts, at the same address, with the form that was open.

use serde_json::json;
use towline_tests::browser::Browser;
use towline_tests::process::Place;

use super::{UP, holds, origin, up};

#[test]
fn a_session_its_address_and_an_open_form_survive_a_restart() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.create("Sell ropes");
    let browser = Browser::start();
    browser.open(&link);
    browser.click(".card .title");
    browser.click(".edit-title > summary");
    browser.retype(".edit-title input[name=value]", "Sell long ropes");
    node.stop();

    let node = ann.start(UP);
    assert_eq!(origin(&node.prints("sign in: ")), origin(&link));
    browser.click(".edit-title button.primary");
    browser.reads("h1", "Sell long ropes");
    holds(&ann, "1", "title", &json!("Sell long ropes"));
    // Who signs out is out after the next restart too.
    browser.click(".who button");
    browser.reads("p.who", "Read only");
    node.stop();
    let node = ann.start(UP);
    node.prints("sign in: ");
    browser.open(&format!("{}/", origin(&link)));
    browser.reads("p.who", "Read only");
    node.stop();
}
