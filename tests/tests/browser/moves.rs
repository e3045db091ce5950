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

    hold(&browser, &card_in("backlog", "1"), &column("coding"));
    browser.sees(".column.c-coding.over");
    browser.drop_it();
    browser.sees(&card_in("coding", "1"));
    browser.reads("#toast", "coding");
    is_in(&ann, "1", "coding");
    assert_eq!(browser.count(".dragged, .column.no, .column.over"), 0);

    drag(&browser, &card_in("coding", "1"), &column("done"));
    browser.sees(&card_in("done", "1"));
    drag(&browser, &card_in("done", "1"), &column("qa"));
    browser.sees(&card_in("qa", "1"));
    is_in(&ann, "1", "qa");
    is_quiet(&browser);

    // Somebody else moves it while it is held: it stays where they put it, and the page says so.
    hold(&browser, &card_in("qa", "1"), &column("merge"));
    ann.run(&["request-changes", "1", "-m", "a page is missing"]).ok();
    browser.drop_it();
    browser.sees(&card_in("coding", "1"));
    browser.reads("#toast", "coding");
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
fn a_card_is_moved_by_its_menu() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    let browser = board(&ann, &link);
    let menu = |column: &str, handle: &str| format!("{} .move", card_in(column, handle));

    browser.click(&format!("{} summary", menu("backlog", "2")));
    browser.sees(&format!("{}[open]", menu("backlog", "2")));
    // An open menu is not taken away by what happens elsewhere, and closes when another is opened.
    ann.create("In between");
    browser.reads("#announcements", "In between");
    browser.click(&format!("{} summary", menu("backlog", "1")));
    until("one menu is open", || browser.count(".move[open]") == 1);
    browser.click(&format!("{} summary", menu("backlog", "2")));
    browser.choose(&format!("{} select", menu("backlog", "2")), "move:qa");
    browser.click(&format!("{} button", menu("backlog", "2")));
    browser.sees(&card_in("qa", "2"));
    is_in(&ann, "2", "qa");
    is_marked(&browser);

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
    // The menu proposes the next step; two more keys take it.
    browser.press(&["m", keys::TAB, keys::ENTER]);
    browser.sees(&card_in("coding", "3"));
    is_in(&ann, "3", "coding");
    // The card has kept the focus in its new place.
    until("the card has the focus", || focused() == "3");
    browser.press(&["h"]);
    assert_eq!(focused(), "1");
    browser.press(&["l"]);
    assert_eq!(focused(), "3");
    browser.press(&["m"]);
    browser.sees(".move[open]");
    browser.press(&[keys::ESCAPE]);
    assert_eq!((browser.count(".move[open]"), focused()), (0, "3".into()));

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
