//! The list view, filters, saved views and the command palette: by mouse, by keyboard alone and at phone width.

use towline_tests::browser::{Browser, Scheme, keys};
use towline_tests::process::{Place, Running, until};

use super::{card_in, is_in, is_marked, is_quiet, mark, origin, up};

/// Ann's board with items of several kinds, labels and people, and a browser that is signed in.
fn board(ann: &Place) -> (Running<'_>, String, Browser) {
    let (node, link) = up(ann);
    for command in [
        &["create", "epic", "Sign in without a password"] as &[&str],
        &[
            "create",
            "bug",
            "The jar leaks",
            "-l",
            "ui",
            "-a",
            "ben",
            "--epic",
            "1",
        ],
        &["create", "story", "Sweep the yard", "-l", "ops", "-p", "0"],
        &["create", "bug", "Wrong colour", "-l", "ui", "-l", "ops"],
    ] {
        ann.run(command).ok();
    }
    let browser = Browser::start();
    browser.looks(1440, Scheme::Light);
    browser.open(&link);
    browser.sees(&card_in("backlog", "4"));
    let site = origin(&link).to_owned();
    (node, site, browser)
}

fn row(handle: &str) -> String {
    format!("table.list tr[data-handle=\"{handle}\"]")
}

#[test]
fn a_filter_acts_at_once_and_lives_in_the_address() {
    let ann = Place::of("ann");
    let (node, site, browser) = board(&ann);

    // A label and a person on a card filter, and each chip takes its filter away again.
    browser.click(&format!("{} a.label", card_in("backlog", "2")));
    browser.reads(".chip", "ui");
    assert_eq!(browser.count(".card"), 2);
    assert!(browser.url().contains("label=ui"), "{}", browser.url());
    browser.click(".card a.face");
    until("one card is left", || browser.count(".card") == 1);
    assert_eq!(browser.count(".chip"), 2);
    browser.click(".chip[href*=\"assignee=ben\"]");
    until("the label is gone", || {
        browser.count(".card") == 1 && !browser.url().contains("label")
    });
    browser.click(".clear");
    until("all cards are back", || browser.count(".card") == 4);

    // A choice in the menu acts at once.
    browser.click(".more-filters summary");
    browser.choose(".more-filters select[name=kind]", "bug");
    browser.reads(".chip", "bug");
    assert_eq!(browser.count(".card"), 2);

    // So does every letter of the search, without loading the page, and the address can be opened again.
    browser.open(&format!("{site}/p/work"));
    mark(&browser);
    browser.fill("#filter", "yard");
    until("one card is left", || browser.count(".card") == 1);
    until("the address has it", || browser.url().ends_with("text=yard"));
    is_marked(&browser);
    browser.open(&browser.url());
    assert_eq!(browser.count(".card"), 1);

    // Somebody's own view of it is kept, here and on this node alone.
    browser.click(".saved summary");
    browser.fill(".saved input[name=name]", "The yard");
    browser.click(".saved form button");
    browser.reads(".saved a[aria-current]", "The yard");
    browser.open(&format!("{site}/p/work"));
    browser.click(".saved a");
    until("the view is shown", || browser.count(".card") == 1);
    browser.click(".saved form button");
    until("the view is removed", || browser.count(".saved a") == 0);
    is_quiet(&browser);
    node.stop();
}

#[test]
fn a_list_is_sorted_grouped_and_changed_several_at_a_time() {
    let ann = Place::of("ann");
    let (node, site, browser) = board(&ann);
    browser.click(".views a[href*=list]");
    browser.sees(&row("4"));
    assert_eq!(browser.count(".column"), 0);
    let handles = || {
        let rows = "return [...document.querySelectorAll('table.list tr[data-handle]')].map((row) => row.dataset.handle).join(' ')";
        browser.script(rows, &[])
    };
    browser.click(".arrange a[href*=\"sort=priority\"]");
    until("the highest priority is first", || handles() == "3 1 2 4");
    browser.click(".arrange a[href*=\"group=label\"]");
    browser.reads(".group:first-child", "ops");
    assert_eq!(handles(), "3 4 2 4 1", "an item stands under each of its labels");
    browser.click(".arrange a[href*=\"group=epic\"]");
    browser.reads(".group", "Sign in without a password");

    // By keyboard alone: two rows are selected, and both are started.
    browser.open(&format!("{site}/p/work?view=list&group=none&sort=title"));
    assert_eq!(browser.count(".acts:not([hidden])"), 1);
    browser.press(&["j", "j", "x", "j", "x"]);
    assert_eq!(browser.count("input[name=item]:checked"), 2);
    browser.choose(".acts select", "start");
    browser.click(".acts button");
    is_in(&ann, "2", "coding");
    is_in(&ann, "3", "coding");
    browser.reads(&row("2"), "Coding");

    // What one of them refuses is told with its reason, and the rest is done. The text stays.
    browser.click(&format!("{} input[name=item]", row("2")));
    browser.click(&format!("{} input[name=item]", row("4")));
    browser.choose(".acts select", "submit");
    browser.fill(".acts input[name=text]", "looks good");
    browser.click(".acts button");
    browser.reads(".refused", "Wrong colour");
    assert_eq!(browser.count(".refused li"), 1);
    is_in(&ann, "2", "qa");
    let kept = "return document.querySelector('.acts input[name=text]').value";
    assert_eq!(browser.script(kept, &[]), "looks good");
    let said = browser.complaints();
    assert!(said.len() == 1 && said[0].contains("409"), "{said:?}");
    browser.choose(".acts select", "label");
    browser.script(
        "document.querySelector('.acts input[name=text]').value = 'later'",
        &[],
    );
    browser.click(".acts button");
    browser.reads(&row("4"), "later");
    is_quiet(&browser);
    node.stop();
}

#[test]
fn the_palette_goes_anywhere_and_acts_on_the_card_in_hand() {
    let ann = Place::of("ann");
    let (node, site, browser) = board(&ann);
    let open = || browser.press_with(keys::CONTROL, "k");

    open();
    browser.sees("#palette[open]");
    browser.press(&["y", "a", "r", "d"]);
    browser.reads("#palette-list [aria-selected=true]", "Sweep the yard");
    browser.press(&[keys::ENTER]);
    until("the item is open", || browser.url().ends_with("/items/3"));

    browser.open(&format!("{site}/p/work"));
    open();
    browser.press(&["4"]);
    browser.reads("#palette-list [aria-selected=true]", "Wrong colour");
    browser.press(&[keys::ESCAPE]);
    until("it is closed", || browser.count("#palette[open]") == 0);

    // Something with the card in hand, and a view, are words too.
    browser.press(&["j", "j", "j"]);
    open();
    browser.press(&["s", "t", "a", "r", "t"]);
    browser.reads("#palette-list [aria-selected=true]", "Start");
    browser.press(&[keys::ENTER]);
    browser.sees(&card_in("coding", "2"));
    is_in(&ann, "2", "coding");
    open();
    browser.press(&["l", "i", "s", "t", keys::ENTER]);
    browser.sees(&row("2"));
    is_quiet(&browser);
    node.stop();
}

#[test]
fn on_a_phone_the_first_card_is_in_sight_and_nothing_is_wider_than_the_screen() {
    let ann = Place::of("ann");
    let (node, site, browser) = board(&ann);
    let top = "return document.querySelector('.card, table.list tr[data-id]').getBoundingClientRect().top";
    let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let field = "return Math.min(...['find', 'filter'].map((id) => document.getElementById(id).offsetWidth))";
    for (width, path) in [(390, ""), (390, "?view=list"), (844, ""), (844, "?view=list")] {
        browser.looks(width, Scheme::Light);
        browser.open(&format!("{site}/p/work{path}"));
        let top = browser.script(top, &[]).as_f64().expect("a card");
        assert!(
            top <= if width == 390 { 281.0 } else { 300.0 },
            "the first card is {top} pixels down, {width} {path}"
        );
        assert_eq!(browser.script(beyond, &[]), 0, "{width} {path}");
        let width_of_field = browser.script(field, &[]).as_f64().expect("a field");
        assert!(
            width_of_field >= 90.0,
            "a search field is {width_of_field} pixels wide, {width} {path}"
        );
    }
    is_quiet(&browser);
    node.stop();
}
