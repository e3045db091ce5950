//! The fleet page of a gateway with two projects.

use towline_tests::browser::{Browser, Scheme};
use towline_tests::gateway::{Fleet, Member};

use super::pages::is_accessible;
use super::{is_marked, is_quiet, mark};

#[test]
fn a_gateway_shows_its_projects_and_what_happens_in_them() {
    let (shop, yard) = (Member::new("shop"), Member::new("yard"));
    shop.does(&["create", "story", "Sign in with a passkey"]);
    yard.does(&["create", "bug", "The fence leaks"]);
    let mut fleet = Fleet::configured("");
    fleet.joins(&shop);
    fleet.joins(&yard);
    fleet.up();
    let browser = Browser::start();
    browser.looks(1440, Scheme::Light);
    browser.open(fleet.board());
    browser.reads(".fleet", "shop");
    browser.reads(".fleet", "yard");
    browser.open(&fleet.sign_in_link());
    browser.sees(".who button");
    mark(&browser);
    shop.does(&["comment", "1", "Which chapter?"]);
    browser.reads(".fleet .last", "commented");
    yard.does(&["create", "story", "Paint it"]);
    browser.reads(".fleet li:nth-child(2) .last", "Paint it");
    is_marked(&browser);
    is_accessible(&browser, "the fleet page");

    browser.click(".fleet li:nth-child(2) h2 a");
    browser.sees(".card[data-handle=\"2\"]");
    is_accessible(&browser, "a board of the fleet");
    browser.fill("#find", "passkey");
    browser.press(&[towline_tests::browser::keys::ENTER]);
    browser.reads(".found .title", "Sign in with a passkey");
    is_accessible(&browser, "a search in the fleet");
    browser.click(".found .title");
    browser.reads(".comment", "Which chapter?");
    is_quiet(&browser);
}
