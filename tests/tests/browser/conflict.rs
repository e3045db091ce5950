//! A conflict between two nodes, resolved on the page of one of them, and known to the other afterwards.

use towline_tests::browser::Browser;
use towline_tests::process::{Place, port, until};

use super::{is_marked, is_quiet, mark};

#[test]
fn a_conflict_of_two_nodes_is_resolved_on_the_page() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Login");
    let of_ann = ann.serve();
    let ticket = ann.invite(&[]);
    // Ben finds Ann where she was when both come back.
    ann.listen_on(port(&ticket));
    let ben = Place::of("ben");
    ben.join(&ticket);
    of_ann.stop();
    ann.run(&["edit", "1", "--title", "Sign in with a passkey"]).ok();
    ben.run(&["edit", "1", "--title", "Sign in with a password"]).ok();

    let of_ann = ann.start(&["up"]);
    let browser = Browser::start();
    browser.open(&of_ann.prints("sign in: "));
    browser.reads(".card .title", "Sign in with a passkey");
    mark(&browser);
    let of_ben = ben.serve();
    // It shows on the board as soon as the two have met.
    browser.sees(".card .badge.conflict");
    is_marked(&browser);
    browser.click(".card .badge.conflict");
    browser.sees("#conflicts");
    assert_eq!(browser.count(".sides > li"), 2);
    assert_eq!(browser.count(".sides > li.effective"), 1);
    let losing = browser.text(".sides > li:not(.effective) .after");
    let title = browser.text("h1");
    assert!(
        losing != title && losing.starts_with("Sign in with a pass"),
        "{losing} over {title}"
    );

    browser.click(".sides > li:not(.effective) button");
    until("the conflict is gone", || browser.count("#conflicts") == 0);
    browser.reads("h1", &losing);
    for place in [&ann, &ben] {
        until("it is resolved for both", || {
            place.json(&["show", "1"])["title"] == losing.as_str() && place.export() == ann.export()
        });
        let open = place.json(&["conflicts"]);
        assert_eq!(open["conflicts"], serde_json::json!([]), "{open}");
    }
    is_quiet(&browser);
    of_ann.stop();
    of_ben.stop();
}
