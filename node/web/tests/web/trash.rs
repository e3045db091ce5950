//! What a board leads to: the trash and back, all unresolved conflicts, and on a phone what can be
//! done about an item.

use towline_proto::{Column, Kind};

use super::canned::{NOON, card};
use super::client::Board;
use super::showing;

/// One item in the backlog, one in the trash and one that was taken two ways.
async fn board() -> Board {
    let mut gone = card(2, Kind::Bug, "Made by mistake", NOON);
    gone.deleted = true;
    super::canned::update_derived(&mut gone);
    let mut conflicted = card(3, Kind::Bug, "Frames are dropped", NOON);
    conflicted.column = Column::Coding;
    conflicted.conflicts = 1;
    showing(vec![card(1, Kind::Story, "Sign entries", NOON), gone, conflicted]).await
}

#[tokio::test]
async fn the_trash_is_a_link_away_and_its_items_can_come_back() {
    let board = board().await;
    let shown = board.get("/p/demo").await.body;
    assert!(shown.contains("href=\"/p/demo?tab=trash\""), "{shown}");
    assert!(!shown.contains("Made by mistake"));

    let (cookie, csrf) = board.sign_in("ann").await;
    let cookie = ("cookie", cookie.as_str());
    let trash = board.send("GET", "/p/demo?tab=trash", &[cookie], "").await.body;
    assert!(
        trash.contains("Made by mistake") && !trash.contains("Sign entries"),
        "{trash}"
    );
    assert!(trash.contains("value=\"restore\"") && !trash.contains("<select name=\"target\""));

    let action = trash.split("action=\"").filter_map(|part| part.split('"').next());
    let action = action
        .filter(|path| path.ends_with("/act"))
        .last()
        .expect("a form")
        .to_owned();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("csrf={csrf}&target=restore&back=%2Fp%2Fdemo");
    assert_eq!(
        board.send("POST", &action, &[cookie, form], &body).await.status,
        303
    );
    assert!(board.get("/p/demo").await.body.contains("Made by mistake"));
}

#[tokio::test]
async fn the_count_of_conflicts_leads_to_all_of_them() {
    let board = board().await;
    let shown = board.get("/p/demo").await.body;
    let link = "<a class=\"warn\" href=\"/p/demo/conflicts\">1 in conflict</a>";
    assert!(shown.contains(link), "{shown}");

    let open = board.get("/p/demo/conflicts").await;
    assert_eq!(open.status, 200);
    for part in [
        "Frames are dropped",
        "submitted it",
        "sent it back (the second test is missing)",
    ] {
        assert!(open.body.contains(part), "{part} is missing: {}", open.body);
    }
    assert!(!open.body.contains("/settle\""), "nobody is signed in");
    assert!(!open.body.contains("Sign entries"));

    let (cookie, csrf) = board.sign_in("ann").await;
    let cookie = ("cookie", cookie.as_str());
    let page = board.send("GET", "/p/demo/conflicts", &[cookie], "").await.body;
    let value = |name: &str| {
        let after = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    assert_eq!(value("back"), "/p/demo/conflicts");
    let action = page.split("action=\"").filter_map(|part| part.split('"').next());
    let action = action
        .filter(|path| path.ends_with("/settle"))
        .last()
        .expect("a form")
        .to_owned();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!(
        "csrf={csrf}&keep={}&conflict={}&back=%2Fp%2Fdemo%2Fconflicts",
        value("keep"),
        value("conflict")
    );
    assert_eq!(
        board.send("POST", &action, &[cookie, form], &body).await.status,
        303
    );
    let resolved = board.get("/p/demo/conflicts/fragment").await.body;
    assert!(
        resolved.contains("No unresolved conflicts.") && !resolved.contains("Frames"),
        "{resolved}"
    );
}

#[tokio::test]
async fn a_phone_gets_a_way_past_the_history_to_what_can_be_done() {
    let board = board().await;
    let (cookie, _) = board.sign_in("ann").await;
    let cookie = [("cookie", cookie.as_str())];
    let page = board.send("GET", "/p/demo/items/3", &cookie, "").await.body;
    assert!(
        page.contains("href=\"#actions\"") && page.contains("id=\"actions\""),
        "{page}"
    );
    let reader = board.get("/p/demo/items/3").await.body;
    assert!(
        !reader.contains("href=\"#actions\""),
        "nothing can be done without signing in"
    );

    let style = board.get("/assets/board.css").await.body;
    let narrow = style
        .split("@media (max-width: 720px)")
        .nth(1)
        .expect("rules for phones");
    assert!(
        !narrow.contains(".tally { display: none"),
        "what is in conflict is shown on phones"
    );
}
