//! The board as programs without scripts meet it: several items in one form, cards that changed, compressed answers.

use towline_proto::{Column, Kind};

use super::canned::{NOON, card, update_derived};
use super::{board, showing};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn several_items_are_changed_by_one_form_and_what_is_refused_is_told() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let cookie = ("cookie", cookie.as_str());
    let page = board.send("GET", "/p/demo?view=list", &[cookie], "").await.body;
    let values: Vec<_> = page
        .split("name=\"item\" value=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .map(|value| value.replace(' ', "+"))
        .collect();
    assert_eq!(values.len(), 3, "{page}");
    let items: String = values.iter().map(|value| format!("&item={value}")).collect();
    let send = |token: &str, target: &str| format!("csrf={token}&back=%2Fp%2Fdemo&target={target}{items}");

    let foreign = board
        .send("POST", "/p/demo/many", &[cookie, FORM], &send("x", "freeze"))
        .await;
    assert_eq!(foreign.status, 403);
    let nothing = format!("csrf={csrf}&target=freeze");
    let nothing = board
        .send("POST", "/p/demo/many", &[cookie, FORM], &nothing)
        .await;
    assert_eq!(nothing.status, 400);
    // The second item is in coding already.
    let some = board
        .send("POST", "/p/demo/many", &[cookie, FORM], &send(&csrf, "start"))
        .await;
    assert_eq!(some.status, 409, "{}", some.body);
    assert!(some.body.contains("2 items changed") && some.body.contains("Frames are dropped"));
    assert!(
        !some.body.contains("Sign entries"),
        "what was done is not offered again"
    );
    // The page of before is out of date for what has changed.
    let again = board
        .send("POST", "/p/demo/many", &[cookie, FORM], &send(&csrf, "freeze"))
        .await;
    assert!(
        again.body.contains("has changed since you looked"),
        "{}",
        again.body
    );
    let status = board.get("/api/v1/projects/demo/items/2").await.json()["status"].clone();
    assert_eq!(status, "frozen");
}

#[tokio::test]
async fn only_the_cards_that_changed_are_sent_and_a_wrong_id_is_refused() {
    let board = board().await;
    let id = board.get("/api/v1/projects/demo/items/2").await.json()["id"].clone();
    let sent = board
        .get(&format!("/p/demo/cards?ids={}", id.as_str().unwrap()))
        .await;
    assert_eq!(sent.status, 200);
    assert!(sent.body.contains("Frames are dropped") && !sent.body.contains("Sign entries"));
    assert_eq!(board.get("/p/demo/cards?ids=nonsense").await.status, 400);
    assert_eq!(board.get("/p/demo/cards").await.status, 400);
}

#[tokio::test]
async fn a_page_is_compressed_for_who_asks_and_a_stream_is_not() {
    let mut cards = Vec::new();
    for number in 1..100 {
        let mut one = card(number, Kind::Story, "One of many", NOON);
        one.column = Column::Qa;
        update_derived(&mut one);
        cards.push(one);
    }
    let board = showing(cards).await;
    let gzip = ("accept-encoding", "gzip");
    let plain = board.get("/p/demo").await;
    assert_eq!(plain.header("content-encoding"), None);
    for (path, compressed) in [
        ("/p/demo", true),
        ("/assets/board.css", true),
        ("/api/v1/events", false),
    ] {
        let head = board.head_of(path, &[gzip]).await;
        assert_eq!(
            head.contains("content-encoding: gzip"),
            compressed,
            "{path}: {head}"
        );
    }
}

#[tokio::test]
async fn the_palette_is_told_a_number_first_and_then_words() {
    let board = board().await;
    let found = board.get("/p/demo/find?q=%232").await.body;
    assert!(
        found.starts_with("<li role=\"option\" data-href=\"/p/demo/items/2\""),
        "{found}"
    );
    let found = board.get("/p/demo/find?q=frames").await.body;
    assert!(
        found.contains("Frames are dropped") && !found.contains("Sign entries"),
        "{found}"
    );
    assert_eq!(board.get("/p/demo/find?q=").await.body, "");
    let hostile = board.get("/p/demo/find?q=script").await.body;
    assert!(
        hostile.contains("&lt;script&gt;") && !hostile.contains("<script"),
        "{hostile}"
    );
}
