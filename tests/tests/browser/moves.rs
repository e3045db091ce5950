//! Moving cards by drag, by their menu and by the keyboard, and what a page says when somebody else was faster.

use towline_tests::browser::{Browser, keys};
use towline_tests::process::{Place, until};

use super::{card_in, is_in, is_marked, is_quiet, mark, up};

/// Ann's board with three stories in the backlog.
fn board(ann: &Place, link: &str) -> Browser {
    for title in ["Drag me", "Choose for me", "Type at me"] {
        ann.create(title);
    }
    let browser = Browser::start();
    browser.looks(1440, towline_tests::browser::Scheme::Light);
    browser.open(link);
    browser.sees(&card_in("backlog", "3"));
    mark(&browser);
    browser
}

/// Takes a card and holds it over something. A press on a card that is replaced in the same moment takes nothing.
fn hold(browser: &Browser, card: &str, over: &str) {
    until("the card is held", || {
        browser.lift(card, over);
        let held = browser.count(".dragged") == 1;
        if !held {
            browser.drop_it();
        }
        held
    });
}

fn drag(browser: &Browser, card: &str, onto: &str) {
    hold(browser, card, onto);
    browser.drop_it();
}

#[test]
fn a_card_is_dragged_to_where_it_may_go_and_nowhere_else() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    let browser = board(&ann, &link);
    let column = |name: &str| format!("ul.cards[data-column={name}]");

    // A held card tells what a drop would be, and a column takes it anywhere.
    hold(&browser, &card_in("backlog", "1"), ".column.c-coding > header");
    browser.sees(".column.c-coding.over > header[data-into=\"Start\"]");
    browser.sees(".column.c-qa > header[data-into=\"Skip coding …\"]");
    browser.drop_it();
    browser.sees(&card_in("coding", "1"));
    browser.reads("#toast", "Coding");
    is_in(&ann, "1", "coding");
    assert_eq!(browser.count(".dragged, .column.no, .column.over"), 0);

    drag(&browser, &card_in("coding", "1"), &column("done"));
    browser.sees(&card_in("done", "1"));
    // What goes past the rules asks for a reason first; without one nothing happens.
    drag(&browser, &card_in("done", "1"), &column("qa"));
    browser.reads("#ask-title", "Move back to QA");
    browser.press(&[keys::ESCAPE]);
    until("the question is closed", || browser.count("#ask[open]") == 0);
    browser.sees(&card_in("done", "1"));
    drag(&browser, &card_in("done", "1"), &column("qa"));
    browser.fill("#ask-reason", "it was never looked at");
    browser.click("#ask-yes");
    browser.sees(&card_in("qa", "1"));
    is_in(&ann, "1", "qa");
    is_quiet(&browser);

    // Somebody else moves it while it is held: it stays where they put it, and the page says so.
    hold(&browser, &card_in("qa", "1"), &column("merge"));
    browser.sees(".column.c-merge > header[data-into=\"Pass QA\"]");
    ann.run(&["request-changes", "1", "-m", "a page is missing"]).ok();
    browser.drop_it();
    browser.sees(&card_in("coding", "1"));
    browser.reads("#toast", "Coding");
    is_in(&ann, "1", "coding");
    is_marked(&browser);
    let said = browser.complaints();
    assert!(said.len() == 1 && said[0].contains("409"), "{said:?}");

    // Nothing is closed by a drag, because that takes a reason: the column says so, and a drop there does nothing.
    drag(&browser, &card_in("coding", "1"), &column("done"));
    browser.sees(&card_in("done", "1"));
    ann.run(&["archive", "1"]).ok();
    browser.click(".tabs .t-archived");
    hold(&browser, &card_in("archived", "1"), &column("closed"));
    browser.sees(".column.c-closed.no");
    assert_eq!(browser.count(".column.over"), 0);
    browser.drop_it();
    assert_eq!(browser.count(".dragged, .column.no"), 0);
    browser.sees(&card_in("archived", "1"));
    is_quiet(&browser);
    node.stop();
}

#[test]
fn a_start_that_waits_for_others_asks_why_and_is_one_by_force() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    let browser = board(&ann, &link);
    ann.run(&["depends", "add", "2", "1"]).ok();
    browser.reads(&card_in("backlog", "2"), "waits for 1");
    drag(&browser, &card_in("backlog", "2"), "ul.cards[data-column=coding]");
    browser.reads("#ask-title", "Start: #2");
    browser.reads("#ask-why", "1 Drag me");
    browser.fill("#ask-reason", "the other half is only docs");
    browser.click("#ask-yes");
    browser.sees(&card_in("coding", "2"));
    is_in(&ann, "2", "coding");
    assert!(
        ann.json(&["show", "2"])["claim"].is_object(),
        "it was started, not moved"
    );
    is_marked(&browser);
    is_quiet(&browser);
    node.stop();
}

#[test]
fn a_card_is_moved_by_its_menu() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    let browser = board(&ann, &link);
    let opener = |column: &str, handle: &str| format!("{} a.do", card_in(column, handle));
    let open = "#menu:popover-open";

    browser.click(&opener("backlog", "2"));
    browser.sees(open);
    browser.reads("#menu button[value=start]", "Start");
    // An open menu is not taken away by what happens elsewhere, and there is one for all cards.
    ann.create("In between");
    browser.reads("#announcements", "In between");
    browser.sees(open);
    browser.press(&[keys::ESCAPE]);
    until("the menu is closed", || browser.count(open) == 0);
    browser.click(&opener("backlog", "1"));
    browser.sees("#menu[aria-label$=\"#1\"]");
    browser.press(&[keys::ESCAPE]);
    browser.click(&opener("backlog", "2"));
    browser.click("#menu button[value=\"move:qa\"]");
    browser.reads("#ask-title", "Skip coding");
    browser.fill("#ask-reason", "somebody did it by hand");
    browser.click("#ask-yes");
    browser.sees(&card_in("qa", "2"));
    is_in(&ann, "2", "qa");
    is_marked(&browser);
    let log = ann.run(&["log", "2"]).ok();
    assert!(log.contains("somebody did it by hand"), "{log}");

    // The form on the item's own page goes to the server by itself, and comes back to the page.
    browser.click(&format!("{} a.title", card_in("qa", "2")));
    browser.click(".actions button[value=pass-qa]");
    is_in(&ann, "2", "merge");
    browser.sees(".item-head");
    is_quiet(&browser);
    node.stop();
}

#[test]
fn the_keyboard_reaches_moves_blocks_and_freezes_cards() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    let browser = board(&ann, &link);
    let focused = || {
        browser.script(
            "return document.activeElement.closest('.card')?.dataset.handle",
            &[],
        )
    };

    browser.press(&["j"]);
    assert_eq!(focused(), "1");
    browser.press(&["j", "j"]);
    assert_eq!(focused(), "3");
    browser.press(&["k"]);
    assert_eq!(focused(), "2");
    browser.press(&["j"]);
    // The menu proposes the next step; one more key takes it.
    browser.press(&["m", keys::ENTER]);
    browser.sees(&card_in("coding", "3"));
    is_in(&ann, "3", "coding");
    // The card has kept the focus in its new place.
    until("the card has the focus", || focused() == "3");
    browser.press(&["h"]);
    assert_eq!(focused(), "1");
    browser.press(&["l"]);
    assert_eq!(focused(), "3");
    browser.press(&["m"]);
    browser.sees("#menu:popover-open");
    browser.press(&[keys::ESCAPE]);
    until("the menu is closed", || browser.count("#menu:popover-open") == 0);
    assert_eq!(focused(), "3");

    browser.press(&["b"]);
    browser.sees("#ask[open]");
    browser.press(&["w", "a", "i", "t", "s", keys::TAB, keys::ENTER]);
    browser.sees(&format!("{} .s-blocked", card_in("coding", "3")));
    browser.reads(&format!("{} .reason", card_in("coding", "3")), "waits");
    until("the card has the focus", || focused() == "3");
    browser.press(&["b"]);
    until("it goes on", || browser.count(".s-blocked") == 0);
    until("the card has the focus", || focused() == "3");
    browser.press(&["f"]);
    browser.sees(&format!("{} .s-frozen", card_in("coding", "3")));

    browser.press(&["?"]);
    browser.sees("#keys[open]");
    browser.press(&[keys::ESCAPE]);
    until("the help is closed", || browser.count("#keys[open]") == 0);
    browser.press(&["/"]);
    let field = browser.script("return document.activeElement.id", &[]);
    assert_eq!(field, "filter");
    browser.press(&["j"]);
    let typed = browser.script("return document.activeElement.value", &[]);
    assert_eq!(typed, "j", "in a field a letter is a letter");
    is_marked(&browser);

    // Who does not want single letters switches them off, and they stay off.
    browser.press(&[keys::ESCAPE, "?"]);
    browser.click("#keys-on");
    browser.press(&[keys::ESCAPE]);
    browser.open(&browser.url());
    browser.press(&["j"]);
    assert_eq!(focused(), serde_json::Value::Null);
    is_quiet(&browser);
    node.stop();
}
