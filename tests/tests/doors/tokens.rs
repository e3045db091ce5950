//! Programs at the HTTP API with a token: what each scope allows, and that a token outlives the node and not its
//! revocation.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use towline_tests::process::Place;

use super::crowds::board_of;

/// Sends one request with a token and returns the status and the document.
fn send(ann: &Place, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let board = board_of(ann);
    let mut stream = TcpStream::connect(board).expect("the board listens");
    let length = body.len();
    let request = format!(
        "{method} /api/v1/projects/shop/{path} HTTP/1.1\r\nHost: {board}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head[9..12].parse().expect("a status");
    (status, serde_json::from_str(body).expect("a document"))
}

fn command(ann: &Place, token: &str, request: Value) -> (u16, Value) {
    send(
        ann,
        token,
        "POST",
        "requests",
        &json!({ "body": request }).to_string(),
    )
}

fn create(ann: &Place, more: &[&str]) -> (String, String) {
    let words = [&["token", "create"], more].concat();
    let made = ann.json(&words);
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    (text("id"), text("token"))
}

#[test]
fn a_program_works_with_a_token_until_it_is_revoked() {
    let ann = super::shop();
    let node = ann.serve();
    // The running node picks up tokens that are made beside it.
    let (id, token) = create(&ann, &["--scope", "write", "--name", "ci", "--expires", "30d"]);
    let (_, reader) = create(&ann, &["--scope", "read", "--name", "dashboard"]);

    let new = json!({ "request": "create", "kind": "bug", "title": "Login fails" });
    let (status, made) = command(&ann, &token, new.clone());
    assert_eq!(status, 200, "{made}");
    let card = &made["applied"][0]["card"];
    assert_eq!(card["origin"], json!({ "kind": "agent", "id": "ci" }));
    let start = json!({ "request": "transition", "item": card["handle"], "verb": "start" });
    let (status, started) = command(&ann, &token, start);
    assert_eq!(
        (status, &started["applied"][0]["card"]["column"]),
        (200, &json!("coding")),
        "{started}"
    );

    assert_eq!(send(&ann, &reader, "GET", "items/2", "").0, 200);
    let (status, refused) = command(&ann, &reader, new.clone());
    assert_eq!(
        (status, &refused["schema"]),
        (403, &json!("towline.error/v1")),
        "{refused}"
    );

    // The power goes, and the token is still there.
    node.kill();
    let node = ann.serve();
    assert_eq!(send(&ann, &token, "GET", "items/2", "").1["title"], "Login fails");

    ann.run(&["token", "revoke", &id]).ok();
    let (status, refused) = command(&ann, &token, new);
    assert_eq!(
        (status, &refused["code"]),
        (401, &json!("not-allowed")),
        "{refused}"
    );
    let listed = ann.json(&["token", "list"]);
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(1));
    assert!(!listed.to_string().contains(&reader), "{listed}");
    assert_eq!(send(&ann, &reader, "GET", "items/2", "").0, 200);
    node.stop();
}

#[test]
fn a_token_command_refuses_what_it_cannot_do() {
    let ann = super::shop();
    ann.run(&["token", "revoke", "00000000"])
        .refused(3, &["token list"]);
    ann.run(&["token", "create", "--scope", "write", "--name", " "])
        .refused(2, &["the name of an API token must not be empty"]);
    ann.run(&["token", "create"]).refused(2, &["--scope"]);
    let printed = ann.run(&["token", "create", "--scope", "read"]).ok();
    assert!(
        printed.starts_with("twl_") && printed.lines().count() == 1,
        "{printed}"
    );
    ann.run(&["--dry-run", "token", "create", "--scope", "read"]).ok();
    assert_eq!(
        ann.json(&["token", "list"])["tokens"].as_array().map(Vec::len),
        Some(1)
    );
}
