//! A number that two items share, and an item whose page says what a person must know of times and
//! waiting.

use serde_json::json;
use towline_api::types::ItemCard;
use towline_proto::Kind;

use super::canned::{NOON, card};
use super::client::Board;
use super::showing;

fn named(mut card: ItemCard, handle: &str, number: u32) -> ItemCard {
    card.handle = handle.into();
    card.number = number;
    card
}

/// Two items were made apart under 39.
async fn board() -> Board {
    let cards = vec![
        named(card(1, Kind::Story, "Made by ann", NOON), "39a", 39),
        named(card(2, Kind::Bug, "Made by bob", NOON), "39b", 39),
        card(3, Kind::Bug, "Alone", NOON),
    ];
    showing(cards).await
}

#[tokio::test]
async fn a_shared_number_shows_both_items_with_links() {
    let board = board().await;
    for path in ["/p/demo/items/39", "/p/demo/items/39/fragment"] {
        let both = board.get(path).await;
        assert_eq!(both.status, 300, "{}", both.body);
        for part in [
            "href=\"/p/demo/items/39a\"",
            "href=\"/p/demo/items/39b\"",
            "Made by ann",
            "Made by bob",
            "<code>39</code>",
        ] {
            assert!(both.body.contains(part), "{part} is missing: {}", both.body);
        }
    }
    let one = board.get("/p/demo/items/39b").await;
    assert_eq!(one.status, 200);
    assert!(one.body.contains("Made by bob") && !one.body.contains("Made by ann"));
}

#[tokio::test]
async fn a_program_that_asks_for_a_shared_number_gets_both_and_is_told_so() {
    let board = board().await;
    let both = board.get("/api/v1/projects/demo/items/39").await;
    assert_eq!(both.status, 300, "{}", both.body);
    let both = both.json();
    assert_eq!(both["schema"], "towline.item-pages/v1");
    assert_eq!(both["items"][0]["handle"], "39a");
    assert_eq!(both["items"][1]["handle"], "39b");
    let one = board.get("/api/v1/projects/demo/items/39a").await;
    assert_eq!(
        (one.status, &one.json()["schema"]),
        (200, &json!("towline.item-page/v1"))
    );
    assert_eq!(board.get("/api/v1/projects/demo/items/40").await.status, 404);
}
