//! Items that are made and edited on the pages: every field, with scripts and without; two browsers at once; a form
//! that is out of date.

use serde_json::json;
use towline_tests::browser::{Browser, keys};
use towline_tests::process::{Place, until};

use super::pages::is_accessible;
use super::{holds, is_quiet, origin, up};

/// The form of a field of the item page.
fn form(field: &str) -> String {
    format!(".edit:has(> form [name=field][value={field}]):not(.judge *)")
}

/// Opens the form of a field, if it is closed.
fn open(browser: &Browser, field: &str) {
    let details = form(field);
    browser.sees(&details);
    if browser.count(&format!("{details}[open]")) == 0 {
        browser.click(&format!("{details} > summary"));
    }
}

/// Sends the form of a field.
fn save(browser: &Browser, field: &str) {
    browser.click(&format!("{} form button.primary", form(field)));
}

/// Edits every field of item 2 on its page. Items 1 and 3 are an epic and another item.
fn edit_everything(ann: &Place, browser: &Browser) {
    let value = |field: &str, tag: &str| format!("{} {tag}[name=value]", form(field));
    open(browser, "title");
    browser.retype(&value("title", "input"), "Sell better ropes");
    save(browser, "title");
    holds(ann, "2", "title", &json!("Sell better ropes"));
    for (field, word, held) in [
        ("kind", "bug", json!("bug")),
        ("priority", "0", json!(0)),
        ("qa", "human", json!("human")),
    ] {
        open(browser, field);
        browser.choose(&value(field, "select"), word);
        save(browser, field);
        holds(ann, "2", field, &held);
    }
    open(browser, "assignee");
    browser.fill(&value("assignee", "input"), "ben");
    save(browser, "assignee");
    holds(ann, "2", "assignee", &json!("ben"));
    open(browser, "epic");
    browser.fill(&value("epic", "input"), "1");
    save(browser, "epic");
    until("it is in the epic", || {
        ann.json(&["show", "2"])["epic"]["handle"] == "1"
    });
    open(browser, "labels");
    browser.fill(&value("labels", "input"), "ui");
    save(browser, "labels");
    holds(ann, "2", "labels", &json!(["ui"]));
    browser.click(".labels button[name=remove][value=ui]");
    holds(ann, "2", "labels", &json!([]));
    open(browser, "depends_on");
    browser.fill(&value("depends_on", "input"), "#3");
    save(browser, "depends_on");
    holds(ann, "2", "unmet", &json!(1));
    browser.click("section[aria-labelledby=depends] button[name=remove]");
    holds(ann, "2", "depends_on", &json!([]));
    open(browser, "criteria");
    browser.fill(&value("criteria", "input"), "It holds a car");
    save(browser, "criteria");
    holds(ann, "2", "criteria", &json!(1));
    browser.click(".judge .press button");
    holds(ann, "2", "criteria_met", &json!(1));
    browser.click(".judge .edit > summary");
    browser.choose(".judge select[name=value]", "failed");
    browser.fill(".judge input[name=evidence]", "It broke");
    browser.click(".judge .edit form button.primary");
    until("the criterion failed", || {
        let criterion = &ann.json(&["show", "2"])["criteria_list"][0];
        criterion["state"] == "failed" && criterion["evidence"] == json!(["It broke"])
    });
}

#[test]
fn an_item_is_made_and_edited_with_the_keyboard_and_with_previews() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.run(&["create", "epic", "Ropes"]).ok();
    let browser = Browser::start();
    browser.open(&link);
    browser.sees("a.make");
    browser.press(&["c"]);
    browser.sees("#new-title");
    is_accessible(&browser, "a new item");
    browser.fill("#new-title", "Sell ropes");
    browser.fill("#new-body", "They are *long*.");
    browser.click("button[value=preview]");
    browser.reads("div.preview em", "long");
    browser.click("#new-title");
    browser.press(&[keys::ENTER]);
    browser.reads("h1", "Sell ropes");
    holds(&ann, "2", "body", &json!("They are *long*."));
    ann.create("Buy hemp");

    edit_everything(&ann, &browser);
    open(&browser, "body");
    let body = format!("{} textarea", form("body"));
    browser.retype(&body, "# Why\n\nThey are **strong**.");
    browser.click(&format!("{} button[value=preview]", form("body")));
    browser.reads("div.preview strong", "strong");
    assert_eq!(
        ann.json(&["show", "2"])["body"],
        "They are *long*.",
        "a preview saves nothing"
    );
    is_accessible(&browser, "a form of an item");
    save(&browser, "body");
    browser.reads(".prose strong", "strong");
    browser.fill("#say", "Who *buys* them?");
    browser.click(".say button[value=preview]");
    browser.reads(".say div.preview em", "buys");
    browser.click(".say button.primary");
    browser.reads(".comment em", "buys");
    is_quiet(&browser);
    node.stop();
}

#[test]
fn an_item_is_made_and_edited_without_scripts() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.run(&["create", "epic", "Ropes"]).ok();
    let browser = Browser::start();
    browser.allows_scripts(false);
    browser.open(&link);
    browser.click("a.make");
    browser.fill("#new-title", "Sell ropes");
    browser.fill("#new-body", "They are *long*.");
    browser.click("button[value=preview]");
    browser.reads("section.preview em", "long");
    assert_eq!(ann.items().len(), 1, "a preview makes nothing");
    // What is refused stays on the page.
    browser.fill("#new-epic", "99");
    browser.click("form.edit-form button.primary");
    browser.reads("[role=alert]", "99");
    is_accessible_too(&browser, "a new item that was refused");
    browser.complaints();
    browser.retype("#new-epic", "1");
    browser.click("form.edit-form button.primary");
    browser.reads("h1", "Sell ropes");
    until("it is in the epic", || {
        ann.json(&["show", "2"])["epic"]["handle"] == "1"
    });
    ann.run(&["edit", "2", "--epic", ""]).ok();
    ann.create("Buy hemp");
    browser.open(&format!("{}/p/{}/items/2", origin(&link), project(&ann)));

    edit_everything(&ann, &browser);
    open(&browser, "body");
    browser.retype(&format!("{} textarea", form("body")), "They are **strong**.");
    browser.click(&format!("{} button[value=preview]", form("body")));
    browser.reads("section.preview strong", "strong");
    is_accessible_too(&browser, "a preview");
    browser.click(".draft button.primary");
    browser.reads(".story > section .prose strong", "strong");
    holds(&ann, "2", "body", &json!("They are **strong**."));
    browser.fill("#say", "Who *buys* them?");
    browser.click(".say button[value=preview]");
    browser.reads("section.preview em", "buys");
    browser.click(".say button.primary");
    browser.reads(".comment em", "buys");
    is_quiet(&browser);
    node.stop();
}

/// Checks a page that was loaded without scripts: the check itself needs them.
#[track_caller]
fn is_accessible_too(browser: &Browser, page: &str) {
    browser.allows_scripts(true);
    is_accessible(browser, page);
    browser.allows_scripts(false);
}

/// The name of the only project of a place.
fn project(place: &Place) -> String {
    place.json(&["status"])["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

#[test]
fn two_browsers_edit_one_title_and_one_body_and_nothing_is_lost() {
    let ann = Place::of("ann");
    let (node, link) = up(&ann);
    ann.run(&["create", "story", "Sell ropes", "-b", "one\n\ntwo\n\nthree"])
        .ok();
    let [first, second] = [Browser::start(), Browser::start()];
    first.open(&link);
    first.click(".card .title");
    let link = ann.run(&["open"]).ok();
    second.open(
        link.lines()
            .find(|line| line.contains("/login"))
            .expect("a link")
            .trim(),
    );
    second.click(".card .title");
    for browser in [&first, &second] {
        open(browser, "body");
    }
    let body = format!("{} textarea", form("body"));
    first.retype(&body, "ONE\n\ntwo\n\nthree");
    second.retype(&body, "one\n\ntwo\n\nTHREE");
    save(&first, "body");
    holds(&ann, "1", "body", &json!("ONE\n\ntwo\n\nthree"));
    save(&second, "body");
    holds(&ann, "1", "body", &json!("ONE\n\ntwo\n\nTHREE"));

    for browser in [&first, &second] {
        browser.sees("h1");
        open(browser, "title");
    }
    let title = format!("{} input[name=value]", form("title"));
    first.retype(&title, "Sell short ropes");
    second.retype(&title, "Sell long ropes");
    save(&first, "title");
    holds(&ann, "1", "title", &json!("Sell short ropes"));
    save(&second, "title");
    // Nothing was written, and both are on the page.
    second.reads(".draft .value", "Sell short ropes");
    second.reads("h1", "changed meanwhile");
    assert_eq!(ann.json(&["show", "1"])["title"], "Sell short ropes");
    let typed = second.script(
        "return document.querySelector('.draft input[name=value]').value",
        &[],
    );
    assert_eq!(typed, "Sell long ropes");
    is_accessible(&second, "a title that changed meanwhile");
    second.click(".draft button.primary");
    second.reads("h1", "Sell long ropes");
    holds(&ann, "1", "title", &json!("Sell long ropes"));
    node.stop();
}
