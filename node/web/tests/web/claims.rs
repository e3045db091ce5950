//! Claims, clocks and waiting as the page of an item tells them, and the take-over as a last resort.

use towline_api::types::LinkNote;
use towline_proto::stage::Claim;
use towline_proto::{ActId, Column, ItemId, ItemName, Kind, Millis, NodeId};

use super::canned::{NOON, card, dependency, update_derived};
use super::client::Board;
use super::showing;

/// Items in coding that a coder on another node claims; the node of the first one was heard of.
async fn board() -> Board {
    let claimed = |number: u32, heard: Option<Millis>| {
        let mut item = card(number, Kind::Bug, "Frames are dropped", NOON);
        item.column = Column::Coding;
        item.claim = Some(Claim {
            act: ActId([3; 16]),
            holder: "coder-1".into(),
            node: NodeId([9; 32]),
            generation: 4,
            at: NOON,
        });
        item.claim_heard = heard;
        update_derived(&mut item);
        item
    };
    // Heard of in a time to come, which is shown as now.
    let mut ahead = claimed(1, Some(Millis(u64::MAX / 2)));
    ahead.skewed = true;
    let mut cycle = card(5, Kind::Story, "Part of a cycle", NOON);
    let mut suspended = dependency(NOON);
    (suspended.satisfied, suspended.suspended) = (true, true);
    suspended.note = Some(LinkNote::Suspended {
        with: vec![ItemName {
            id: ItemId([6; 16]),
            handle: "6".into(),
        }],
        more: false,
    });
    cycle.depends_on = vec![suspended, dependency(NOON)];
    showing(vec![ahead, claimed(2, None), cycle]).await
}

#[tokio::test]
async fn who_claims_an_item_is_told_with_when_its_node_was_heard_of() {
    let board = board().await;
    let heard = board.get("/p/demo/items/1").await.body;
    assert!(heard.contains("its node was last seen just now"), "{heard}");
    let silent = board.get("/p/demo/items/2").await.body;
    assert!(
        silent.contains("its node was not seen since this node started"),
        "{silent}"
    );
    let free = board.get("/p/demo/items/5").await.body;
    assert!(!free.contains("its node was"));
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_marked_on_cards_items_and_history() {
    let board = board().await;
    let marks = |page: &str| page.matches("clock ahead").count();
    assert_eq!(marks(&board.get("/p/demo").await.body), 1);
    let page = board.get("/p/demo/items/1").await.body;
    assert_eq!(marks(&page), 2, "the item and the line of its history: {page}");
    assert!(
        page.contains("title=\"The clock of the author was more than ten minutes ahead"),
        "{page}"
    );
    assert_eq!(marks(&board.get("/p/demo/items/2").await.body), 0);
}

#[tokio::test]
async fn a_suspended_dependency_is_not_called_satisfied() {
    let board = board().await;
    let page = board.get("/p/demo/items/5").await.body;
    assert!(!page.contains("✓ satisfied"), "{page}");
    assert!(page.contains("◌ suspended") && page.contains("it closes a cycle with 6"));
    assert_eq!(page.matches("○ waiting").count(), 1);
}

#[tokio::test]
async fn a_refused_take_over_leads_to_a_form_that_forces_it_for_a_reason() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let page = board.send("GET", "/p/demo/items/1", &headers[..1], "").await.body;
    let button = page
        .split("<button")
        .find(|part| part.contains("value=\"take-over\""));
    assert!(button.is_some(), "{page}");
    let path = "/p/demo/items/1/act";
    let ask = |more: &str| format!("csrf={csrf}&expect=r1-0&target=take-over&back=%2Fp%2Fdemo{more}");

    let refused = board.send("POST", path, &headers, &ask("&reason=it+hangs")).await;
    assert_eq!(refused.status, 409, "a reason alone forces nothing");
    for part in [
        "that node was last seen 3m ago",
        "Take over by force",
        "name=\"force\" value=\"yes\"",
        "name=\"reason\" required",
        "name=\"expect\" value=\"r1-0\"",
    ] {
        assert!(refused.body.contains(part), "{part} is missing: {}", refused.body);
    }
    let unreasoned = board
        .send("POST", path, &headers, &ask("&force=yes&reason=+"))
        .await;
    assert_eq!(unreasoned.status, 400, "{}", unreasoned.body);
    let stale = ask("").replace("r1-0", "r1-old");
    let stale = board.send("POST", path, &headers, &stale).await;
    assert_eq!(stale.status, 409);
    assert!(
        !stale.body.contains("Take over by force"),
        "the item changed: look first"
    );

    let forced = board
        .send("POST", path, &headers, &ask("&force=yes&reason=it+hangs"))
        .await;
    assert_eq!(forced.status, 303, "{}", forced.body);
    assert!(
        board
            .get("/p/demo/items/1")
            .await
            .body
            .contains("ann, generation")
    );
}
