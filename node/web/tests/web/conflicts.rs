//! Conflicts on the board and in the API: shown with their sides, resolved by a button or a program, and
//! by nobody who is not signed in.

use serde_json::json;
use towline_proto::{Column, Kind};

use super::canned::{NOON, card};
use super::client::Board;
use super::showing;

/// A board whose second item was taken two ways.
async fn board() -> Board {
    let mut conflicted = card(2, Kind::Bug, "Frames are dropped", NOON);
    conflicted.column = Column::Coding;
    conflicted.conflicts = 1;
    showing(vec![card(1, Kind::Story, "Sign entries", NOON), conflicted]).await
}

#[tokio::test]
async fn a_conflict_is_on_its_card_and_told_with_its_sides_on_the_page() {
    let board = board().await;
    let cards = board.get("/p/demo").await.body;
    assert!(
        cards.contains("‼ 1") && cards.contains("/items/2#conflicts"),
        "{cards}"
    );
    let page = board.get("/p/demo/items/2").await.body;
    for part in [
        "<h2 id=\"conflicts\">Conflict</h2>",
        "Of concurrent changes, the more cautious one takes effect.",
        "sent it back (the second test is missing)",
        "submitted it",
        "Why it is in Coding",
        "It is frozen: by an act that is not known here.",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    assert!(!page.contains("towline unfreeze"), "the board has buttons");
    assert!(!page.contains("/settle\""), "nobody is signed in");
    let quiet = board.get("/p/demo/items/1").await.body;
    assert!(!quiet.contains("id=\"conflicts\""));
}

#[tokio::test]
async fn a_button_resolves_it_for_the_signed_in_user() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let page = board
        .send("GET", "/p/demo/items/2", &[("cookie", &cookie)], "")
        .await
        .body;
    assert_eq!(page.matches("/settle\"").count(), 2, "{page}");
    let path = page
        .split("action=\"")
        .filter_map(|part| part.split('"').next())
        .find(|path| path.ends_with("/settle"))
        .expect("a form that resolves it")
        .to_owned();
    let keep = page.split("name=\"keep\" value=\"").nth(2).unwrap();
    let keep = keep.split('"').next().unwrap();
    let form = |csrf: &str| format!("csrf={csrf}&back=%2Fp%2Fdemo&conflict=c0ffee&keep={keep}");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let cookie = ("cookie", cookie.as_str());
    let foreign = board.send("POST", &path, &[kind, cookie], &form("foreign")).await;
    assert_eq!(foreign.status, 403);
    let cross = ("sec-fetch-site", "cross-site");
    let cross = board
        .send("POST", &path, &[kind, cookie, cross], &form(&csrf))
        .await;
    assert_eq!(cross.status, 403);
    let open = board.get("/api/v1/projects/demo/conflicts").await.json();
    assert_eq!(open["conflicts"].as_array().map(Vec::len), Some(1), "{open}");

    let resolved = board.send("POST", &path, &[kind, cookie], &form(&csrf)).await;
    assert_eq!(resolved.status, 303, "{}", resolved.body);
    let open = board.get("/api/v1/projects/demo/conflicts").await.json();
    assert_eq!(open["conflicts"], json!([]));
}

#[tokio::test]
async fn in_the_trash_it_has_no_buttons_but_says_what_comes_first() {
    let mut conflicted = card(2, Kind::Bug, "Frames are dropped", NOON);
    (conflicted.conflicts, conflicted.deleted) = (1, true);
    let board = showing(vec![conflicted]).await;
    let (cookie, _) = board.sign_in("ann").await;
    let page = board
        .send("GET", "/p/demo/items/2", &[("cookie", &cookie)], "")
        .await
        .body;
    assert!(
        page.contains("id=\"conflicts\"") && page.contains("Restore it first, then keep a side"),
        "{page}"
    );
    assert!(!page.contains("/settle\""), "{page}");
}

#[tokio::test]
async fn a_program_reads_and_resolves_conflicts() {
    let board = board().await;
    let open = board.get("/api/v1/projects/demo/conflicts?item=2").await.json();
    assert_eq!(open["schema"], "towline.conflicts/v1");
    assert_eq!(open["conflicts"][0]["sides"][1]["key"], "b");
    let explained = board.get("/api/v1/projects/demo/items/2/explain").await.json();
    assert_eq!(explained["schema"], "towline.explanations/v1");
    assert!(explained["items"][0]["because"][0].is_string(), "{explained}");

    let path = "/api/v1/projects/demo/items/2/settle";
    let kind = ("content-type", "application/json");
    let token = ("authorization", "Bearer s3cret");
    let ask = |body: serde_json::Value| body.to_string();
    let keep = ask(json!({ "keep": "b", "origin": { "kind": "agent", "id": "coder-2" } }));
    assert_eq!(board.send("POST", path, &[kind], &keep).await.status, 403);
    let other = ask(json!({ "keep": "b", "origin": { "kind": "agent", "id": "coder-1" } }));
    assert_eq!(board.send("POST", path, &[kind, token], &other).await.status, 403);
    let neither = ask(json!({ "keep": "z" }));
    assert_eq!(
        board.send("POST", path, &[kind, token], &neither).await.status,
        404
    );
    let done = board.send("POST", path, &[kind, token], &keep).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["schema"], "towline.applied/v2");
    assert_eq!(done.json()["applied"][0]["card"]["conflicts"], 0);
}
