//! Every page, light and dark, as wide as a desk and as a phone: nothing that axe-core objects to, nothing that is
//! wider than the screen, no complaint of the browser.

use std::path::PathBuf;

use towline_tests::browser::{Browser, Scheme, keys};
use towline_tests::process::{Place, port, until};

use super::origin;

/// A desk and a phone, in CSS pixels.
const WIDTHS: [u32; 2] = [1440, 390];
/// A small window, for which nothing is wider than the screen either.
const BETWEEN: u32 = 1024;
/// How far a page goes beyond the screen.
const BEYOND: &str = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// The page that the browser shows passes in both schemes and at both widths.
#[track_caller]
pub(super) fn is_accessible(browser: &Browser, page: &str) {
    assert_eq!(objections(browser, page), [] as [String; 0]);
}

/// What is wrong with the page that the browser shows.
fn objections(browser: &Browser, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for width in WIDTHS {
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.looks(width, scheme);
            let looks = format!("{page}, {width} pixels, {}", scheme.as_str());
            // Nothing but the colours depends on the scheme.
            let violations = match scheme {
                Scheme::Light => browser.violations(),
                Scheme::Dark => browser.weak_colours(),
            };
            found.extend(violations.iter().map(|violation| format!("{looks}: {violation}")));
            if browser.script(BEYOND, &[]) != 0 {
                found.push(format!("{looks}: it is wider than the screen"));
            }
            let narrow = "return [...document.querySelectorAll('input, select, textarea')].filter((field) => \
                field.type !== 'checkbox' && field.offsetParent && field.offsetWidth < 64).length";
            if browser.script(narrow, &[]) != 0 {
                found.push(format!("{looks}: a field is too narrow to write in"));
            }
            picture(browser, page, width, scheme);
        }
    }
    browser.looks(BETWEEN, Scheme::Light);
    if browser.script(BEYOND, &[]) != 0 {
        found.push(format!("{page}, {BETWEEN} pixels: it is wider than the screen"));
    }
    picture(browser, page, BETWEEN, Scheme::Light);
    browser.looks(WIDTHS[0], Scheme::Light);
    found
}

/// Keeps a picture for a person to look at, where `TOWLINE_PICTURES` names a folder.
fn picture(browser: &Browser, page: &str, width: u32, scheme: Scheme) {
    if let Some(folder) = std::env::var_os("TOWLINE_PICTURES") {
        let name = format!(
            "{}-{width}-{}.png",
            page.replace([' ', ','], "-"),
            scheme.as_str()
        );
        browser.picture(&PathBuf::from(folder).join(name));
    }
}

/// Pages under test, and all that is wrong with them: one run names everything.
struct Pages {
    browser: Browser,
    found: Vec<String>,
}

impl Pages {
    /// Goes to a page and checks it. Of a page that is a failure itself the browser says so in its log.
    fn visit(&mut self, url: &str, page: &str, status: u16) {
        self.browser.open(url);
        self.check(page, status);
    }

    /// Checks the page that is shown, and what the browser complained about.
    fn check(&mut self, page: &str, status: u16) {
        self.found.extend(objections(&self.browser, page));
        let refused = format!("status of {status}");
        let is_expected = |line: &String| status >= 400 && line.contains(&refused);
        let complaints = self.browser.complaints();
        let unexpected = complaints.iter().filter(|line| !is_expected(line));
        self.found
            .extend(unexpected.map(|line| format!("{page}: {line}")));
        if status >= 400 && !complaints.iter().any(is_expected) {
            self.found.push(format!("{page}: expected the {refused}"));
        }
    }
}

/// A project in which everything has happened that pages can show.
fn lived_in() -> (Place, Place) {
    let ann = Place::of("ann");
    ann.init("shop");
    let does = |place: &Place, commands: &[&[&str]]| {
        for command in commands {
            place.run(command).ok();
        }
    };
    let body = "Long text with `code`, a [link](https://example.org), a list:\n\n- one\n- two\n\n> and a quote\n\n\
        | a | b |\n|---|---|\n| 1 | 2 |\n\n```\nfn main() {}\n```\n";
    does(
        &ann,
        &[
            &["create", "epic", "Sign in without a password"],
            &[
                "create",
                "story",
                "Login",
                "--epic",
                "1",
                "-b",
                body,
                "-l",
                "ui",
                "-l",
                "security",
                "--criterion",
                "Safari 17 can sign in",
                "--criterion",
                "It says why not",
                "-p",
                "0",
                "-a",
                "ben",
            ],
            &[
                "create",
                "bug",
                "The cookie jar leaks",
                "-d",
                "2",
                "-p",
                "1",
                "--epic",
                "1",
            ],
            &["create", "spike", "Which curve?", "-p", "4"],
            &["create", "refactor", "Sweep the yard"],
            &["create", "story", "Look at it later", "--upcoming"],
            &["create", "story", "An old idea"],
            &["create", "story", "Thrown away"],
            &["create", "story", "It will not merge"],
            &[
                "criteria",
                "2",
                "met",
                "1",
                "--evidence",
                "https://example.org/ci/1881",
            ],
            &["criteria", "2", "failed", "2"],
            &["link", "2", "commit", "3f2a1c9"],
            &["link", "2", "related", "4"],
            &["link", "2", "external", "https://example.org/7"],
            &["comment", "2", "In which *chapter*?"],
            &["start", "2", "4", "5", "9"],
            &["block", "4", "-m", "waits for the keys"],
            &["submit", "5", "9"],
            &["pass-qa", "9"],
            &["merge-failed", "9", "--kind", "conflict", "-m", "main has moved"],
            &["abandon", "7", "-m", "nobody wants it"],
            &["delete", "8"],
            &["create", "story", "Done already"],
            &["move", "10", "merge"],
            &["merged", "10"],
        ],
    );
    let node = ann.serve();
    let ticket = ann.invite(&[]);
    ann.listen_on(port(&ticket));
    let ben = Place::of("ben");
    ben.join(&ticket);
    node.stop();
    does(
        &ann,
        &[
            &["edit", "2", "--title", "Sign in with a passkey"],
            &["create", "story", "By Ann"],
            &["pass-qa", "5"],
        ],
    );
    does(
        &ben,
        &[
            &["edit", "2", "--title", "Sign in with a password"],
            &["create", "bug", "By Ben"],
            &["start", "11"],
            &["request-changes", "5", "-m", "a page is missing"],
        ],
    );
    (ann, ben)
}

#[test]
fn every_page_is_accessible_light_and_dark_on_a_desk_and_on_a_phone() {
    let (ann, ben) = lived_in();
    ann.configure(|config| config.allowed_hosts = vec!["board.example".into()]);
    let node = ann.start(&["up"]);
    let link = node.prints("sign in: ");
    let of_ben = ben.serve();
    until("both hold the same", || ann.export() == ben.export());
    of_ben.stop();
    let site = origin(&link);
    let here = site.trim_start_matches("http://");
    let browser = Browser::resolving(&[("board.example:80", here), ("elsewhere.example:80", here)]);
    let mut pages = Pages {
        browser,
        found: Vec::new(),
    };
    let at = |path: &str| format!("{site}{path}");

    // Who is not signed in, and who may not come in.
    pages.visit(&at("/p/shop"), "the board, read only", 200);
    pages.visit(&at("/p/shop/items/2"), "an item, read only", 200);
    pages.visit(&at("/login?code=used"), "a used link", 403);
    pages.visit("http://board.example/", "the demand to sign in", 401);
    pages.visit("http://elsewhere.example/", "an unknown host", 421);

    pages.browser.open(&link);
    for (path, page, status) in [
        ("/p/shop", "the board", 200),
        ("/p/shop?tab=progress", "the board, in progress", 200),
        ("/p/shop?tab=done", "the board, done", 200),
        ("/p/shop?tab=archived", "the board, archived", 200),
        ("/p/shop?tab=trash", "the trash", 200),
        ("/p/shop?text=nothing+at+all", "a board without a card", 200),
        ("/p/shop?view=list", "the list", 200),
        (
            "/p/shop?view=list&group=epic&sort=title&label=ui",
            "a list, grouped and filtered",
            200,
        ),
        ("/p/shop/conflicts", "the conflicts", 200),
        ("/p/shop/items/1", "an epic", 200),
        ("/p/shop/items/2", "an item with everything", 200),
        ("/p/shop/items/3", "an item that waits", 200),
        ("/p/shop/items/4", "a blocked item", 200),
        ("/p/shop/items/7", "a closed item", 200),
        ("/p/shop/items/8", "an item in the trash", 200),
        ("/p/shop/items/9", "a failed merge", 200),
        ("/p/shop/items/11", "a number of two items", 300),
        ("/search", "the search", 200),
        ("/search?q=the", "a search with hits", 200),
        ("/search?q=zebra", "a search without hits", 200),
        ("/nowhere", "an unknown page", 404),
        ("/p/nobody", "an unknown project", 404),
        ("/p/shop/items/999", "an unknown item", 404),
    ] {
        pages.visit(&at(path), page, status);
    }

    // What opens on a page.
    pages.browser.open(&at("/p/shop"));
    pages.browser.press(&["?"]);
    pages.browser.sees("#keys[open]");
    pages.check("the help", 200);
    pages.browser.press(&[keys::ESCAPE]);
    pages.browser.click(".more-filters summary");
    pages.browser.sees(".more-filters[open]");
    pages.check("the filters", 200);
    pages.browser.press(&[keys::ESCAPE, "j", "m"]);
    pages.browser.sees("#menu:popover-open");
    pages.check("a menu", 200);
    pages.browser.press(&[keys::ESCAPE, "b"]);
    pages.browser.sees("#ask[open]");
    pages.check("a question", 200);
    pages.browser.press(&[keys::ESCAPE]);
    pages.browser.press_with(keys::CONTROL, "k");
    pages.browser.press(&["b"]);
    pages.browser.sees("#palette[open] [role=option]");
    pages.check("the palette", 200);
    pages.browser.open(&at("/p/shop?view=list"));
    pages.browser.click("table.list input[name=item]");
    pages.check("a list with a selection", 200);

    // A form of a page that is out of date, and one that is refused but can be forced.
    pages.browser.open(&at("/p/shop/items/9"));
    pages.browser.script(
        "for (const field of document.querySelectorAll('.actions [name=expect]')) field.value = 'of-before'",
        &[],
    );
    pages.browser.click(".actions button[value=retry-merge]");
    pages.browser.sees(".failure .card");
    pages.check("a change in between", 409);
    let items = ann.items();
    let of_ben = items
        .iter()
        .find(|item| item["title"] == "By Ben")
        .expect("Ben's item");
    let handle = of_ben["handle"].as_str().expect("a handle");
    pages.browser.open(&at(&format!("/p/shop/items/{handle}")));
    // As on a page from before Ben's node was heard of.
    pages.browser.sees(".actions button[value=freeze]");
    pages.browser.script(
        "document.querySelector('.actions button[value=freeze]').value = 'take-over'",
        &[],
    );
    pages.browser.click(".actions button[value=take-over]");
    pages.browser.sees(".failure .notice");
    pages.check("a claim that is held", 409);
    node.stop();
    assert_eq!(pages.found, [] as [String; 0]);
}
