//! The web face as browsers, attackers and programs meet it: a real listener, real requests, and a
//! canned project behind the real queue.
#![allow(clippy::unwrap_used)]

mod canned;
mod claims;
mod client;
mod conflicts;
mod list;
mod shared;
mod strict;
mod tokens;
mod trash;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use towline_api::types::ItemCard;
use towline_engine::handle::NodeHandle;
use towline_proto::{Column, Kind, NodeId};
use towline_web::{Web, WebConfig, router, serve};

use canned::{NOON, card};
use client::{Board, event};

/// A board with one project `demo` of three items.
async fn board() -> Board {
    let mut coding = card(2, Kind::Bug, "Frames are dropped", NOON);
    coding.column = Column::Coding;
    canned::update_derived(&mut coding);
    let hostile = "<script>alert(1)</script>";
    let cards = vec![
        card(1, Kind::Story, "Sign entries", NOON),
        coding,
        card(3, Kind::Spike, hostile, NOON),
    ];
    showing(cards).await
}

/// A board with one project `demo` of these items.
async fn showing(cards: Vec<ItemCard>) -> Board {
    let handle = NodeHandle::new(NodeId([1; 32]));
    handle.add(canned::project("demo", cards));
    let config = WebConfig {
        allowed_hosts: vec!["board.example:443".into()],
        tokens: Some(Arc::new(canned::Tokens)),
        ..WebConfig::default()
    };
    let web = Web::new(handle, config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router(web.clone()), stop.clone()));
    Board {
        address,
        web,
        _stop: stop.drop_guard(),
    }
}

fn freeze(item: &str) -> Value {
    json!({ "body": { "request": "transition", "item": item, "verb": "freeze" } })
}

#[tokio::test]
async fn a_page_renamed_to_this_address_is_refused() {
    let board = board().await;
    for host in ["evil.example", "localhost.evil.example", "board.example", ""] {
        let answer = board.send("GET", "/p/demo", &[("host", host)], "").await;
        assert_eq!(answer.status, 421, "{host:?}");
        assert!(!answer.body.contains("Sign entries"));
        let style = board
            .send("GET", "/assets/board.css", &[("host", host)], "")
            .await;
        assert_eq!(style.status, 200, "the refusal has a style sheet: {host:?}");
    }
    assert_eq!(
        board
            .send("GET", "/p/demo", &[("host", "localhost:9")], "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn under_a_public_name_nothing_is_shown_before_signing_in() {
    let board = board().await;
    let public = ("host", "board.example:443");
    for path in ["/", "/p/demo", "/api/v1/projects", "/api/v1/events", "/metrics"] {
        let answer = board.send("GET", path, &[public], "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("demo"), "{path}");
    }
    let (cookie, _) = board.sign_in("ann").await;
    assert_eq!(
        board
            .send("GET", "/p/demo", &[public, ("cookie", &cookie)], "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn every_answer_forbids_foreign_scripts_and_frames() {
    let board = board().await;
    for path in [
        "/p/demo",
        "/p/demo/items/3",
        "/search?q=script",
        "/api/v1/projects",
        "/nowhere",
        "/assets/board.js",
    ] {
        let answer = board.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        if !path.starts_with("/api/") {
            assert!(!answer.body.contains("<script>"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_write_needs_a_session_its_token_and_this_site() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let (_, foreign) = board.sign_in("mallory").await;
    let cookie = ("cookie", cookie.as_str());
    let token = ("x-csrf-token", csrf.as_str());

    assert_eq!(board.write(&[], freeze("1")).await.status, 403);
    assert_eq!(board.write(&[token], freeze("1")).await.status, 403);
    assert_eq!(board.write(&[cookie], freeze("1")).await.status, 403);
    assert_eq!(
        board
            .write(&[cookie, ("x-csrf-token", &foreign)], freeze("1"))
            .await
            .status,
        403
    );
    let cross = ("sec-fetch-site", "cross-site");
    assert_eq!(
        board.write(&[cookie, token, cross], freeze("1")).await.status,
        403
    );
    let origin = ("origin", "http://evil.example");
    assert_eq!(
        board.write(&[cookie, token, origin], freeze("1")).await.status,
        403
    );
    let status = board.get("/api/v1/projects/demo/items/1").await.json()["status"].clone();
    assert_eq!(status, "active");

    let answer = board.write(&[cookie, token], freeze("1")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["schema"], "towline.applied/v2");
    assert_eq!(answer.json()["applied"][0]["card"]["status"], "frozen");
}

#[tokio::test]
async fn a_signed_in_person_acts_only_as_themselves() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let mut asked = freeze("1");
    asked["origin"] = json!({ "kind": "user", "id": "bob" });
    let answer = board
        .write(&[("cookie", &cookie), ("x-csrf-token", &csrf)], asked)
        .await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn a_stale_move_shows_the_card_as_it_stands() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let cookie = ("cookie", cookie.as_str());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("csrf={csrf}&expect=r1-0&target=start&back=%2Fp%2Fdemo%3Fkind%3Dstory");

    let moved = board
        .send("POST", "/p/demo/items/1/act", &[cookie, form], &body)
        .await;
    assert_eq!(moved.status, 303);
    assert_eq!(moved.header("location"), Some("/p/demo?kind=story"));

    let stale = board
        .send("POST", "/p/demo/items/1/act", &[cookie, form], &body)
        .await;
    assert_eq!(stale.status, 409);
    assert!(stale.body.contains("has changed since you looked"));
    assert!(stale.body.contains("<strong>Coding</strong>"), "{}", stale.body);

    let asked =
        json!({ "body": { "request": "transition", "item": "1", "verb": "freeze", "expect": "r1-0" } });
    let stale = board.write(&[cookie, ("x-csrf-token", &csrf)], asked).await;
    assert_eq!(stale.status, 409);
    assert_eq!(stale.json()["current"]["column"], "coding");
}

#[tokio::test]
async fn a_comment_is_said_by_whoever_is_signed_in() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let body = format!("csrf={csrf}&text=It+is+*here*&back=//evil.example");
    let answer = board
        .send("POST", "/p/demo/items/2/comment", &headers, &body)
        .await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let page = board.get("/p/demo/items/2").await.body;
    assert!(page.contains("It is <em>here</em>") && page.contains("<strong>ann</strong>"));
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let board = board().await;
    let link = board.web.login_link("", "ann");
    assert_eq!(board.get(&link).await.status, 303);
    assert_eq!(board.get(&link).await.status, 403);
}

#[tokio::test]
async fn too_large_a_body_is_refused_unread() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let mut asked = freeze("1");
    asked["body"]["reason"] = Value::from("x".repeat(1024 * 1024));
    let answer = board
        .write(&[("cookie", &cookie), ("x-csrf-token", &csrf)], asked)
        .await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn unchanged_assets_cost_an_empty_answer() {
    let board = board().await;
    let first = board.get("/assets/board.css").await;
    let tag = first.header("etag").unwrap();
    let again = board
        .send("GET", "/assets/board.css", &[("if-none-match", tag)], "")
        .await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_that_was_seen() {
    let board = board().await;
    let (cookie, csrf) = board.sign_in("ann").await;
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    let mut stream = BufReader::new(board.open("GET", "/api/v1/events?project=demo", &[], "").await);
    assert_eq!(event(&mut stream).await.1, "hello");
    for item in ["1", "2", "3"] {
        assert_eq!(board.write(&headers, freeze(item)).await.status, 200);
    }
    let (id, _, first) = event(&mut stream).await;
    assert_eq!((id.as_str(), &first["number"]), ("1", &json!(1)));
    drop(stream);

    let resumed = [("last-event-id", id.as_str())];
    let mut stream = BufReader::new(
        board
            .open("GET", "/api/v1/events?project=demo&after=0", &resumed, "")
            .await,
    );
    assert_eq!(event(&mut stream).await.1, "hello");
    assert_eq!(event(&mut stream).await.2["number"], 2);
    assert_eq!(event(&mut stream).await.0, "3");
}

#[tokio::test]
async fn a_place_that_the_feed_never_had_means_fetch_anew() {
    let board = board().await;
    let mut stream = BufReader::new(board.open("GET", "/api/v1/events?after=99", &[], "").await);
    assert_eq!(event(&mut stream).await.1, "hello");
    let (id, name, data) = event(&mut stream).await;
    assert_eq!(
        (id.as_str(), name.as_str(), &data["position"]),
        ("0", "resync", &json!(0))
    );
    assert_eq!(board.get("/api/v1/events?after=soon").await.status, 400);
}

#[tokio::test]
async fn a_stream_ends_when_the_node_stops_and_streams_are_bounded() {
    let board = board().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = BufReader::new(board.open("GET", "/api/v1/events", &[], "").await);
        assert_eq!(event(&mut stream).await.1, "hello");
        open.push(stream);
    }
    assert_eq!(board.get("/api/v1/events").await.status, 503);
    assert!(
        board
            .get("/metrics")
            .await
            .body
            .contains("towline_sse_clients 64")
    );
    let mut stream = open.pop().unwrap();
    drop(board);
    let mut rest = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut rest)).await;
    ended.expect("the stream ends").unwrap();
}

#[tokio::test]
async fn one_project_is_the_start_page_and_metrics_count_its_items() {
    let board = board().await;
    assert_eq!(board.get("/").await.header("location"), Some("/p/demo"));
    let metrics = board.get("/metrics").await.body;
    assert!(
        metrics.contains("towline_items{project=\"demo\",column=\"backlog\"} 2"),
        "{metrics}"
    );
    assert_eq!(board.get("/healthz").await.body, "ok\n");
    assert_eq!(board.get("/p/nothing").await.status, 404);
    let listed = board.get("/api/v1/projects/demo/items?kind=bug").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_description_of_a_card_is_that_of_a_real_one() {
    let board = board().await;
    let api = board.get("/openapi.json").await.json();
    let described = &api["components"]["schemas"]["card"];
    let items = board.get("/api/v1/projects/demo/items").await.json();
    let card = items["items"][0].as_object().unwrap();
    for field in card.keys() {
        assert!(
            described["properties"][field].is_object(),
            "{field} is not described"
        );
    }
    for field in described["required"].as_array().unwrap() {
        assert!(card.contains_key(field.as_str().unwrap()), "{field} is missing");
    }
}

#[tokio::test]
async fn a_link_that_signs_in_leads_to_a_page_of_this_site_and_nowhere_else() {
    let board = board().await;
    for (to, leads) in [
        ("/p/demo/items/2", "/p/demo/items/2"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/p/", "/"),
        ("/p/demo%0d%0aSet-Cookie:%20a=b", "/"),
    ] {
        let link = format!("{}&to={to}", board.web.login_link("", "ann"));
        let answer = board.get(&link).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some(leads)),
            "{to}"
        );
    }
}
