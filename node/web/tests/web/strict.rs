//! What the API does not know is refused by name, in one schema and in our own words.

use serde_json::{Value, json};

use super::board;
use super::client::Answer;

/// The message of a refusal, which has the schema of all failures and no words of a decoder.
fn refusal(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["schema"], "towline.error/v1");
    let message = json["message"].as_str().unwrap().to_owned();
    for word in [
        "eserialize",
        "expected value",
        "expected ident",
        "missing field",
        "unknown field",
    ] {
        assert!(!message.contains(word), "{message}");
    }
    message
}

#[tokio::test]
async fn an_unknown_or_wrong_parameter_is_named() {
    let board = board().await;
    for (path, part) in [
        (
            "items?colour=red",
            "unknown parameter `colour`; known parameters: tab, kind",
        ),
        (
            "status?verbose=1",
            "unknown parameter `verbose`; this address takes none",
        ),
        (
            "log?limit=many",
            "the parameter `limit` must be a whole number from 0; got \"many\"",
        ),
        ("ready?all=perhaps", "the parameter `all` must be true or false"),
        ("log?limit=1&limit=2", "the parameter `limit` is given twice"),
        ("items?kind=epics", "epics"),
    ] {
        let answer = board.get(&format!("/api/v1/projects/demo/{path}")).await;
        let message = refusal(&answer, 400);
        assert!(message.contains(part), "{path}: {message}");
    }
    let answer = board.get("/api/v1/events?since=7").await;
    assert!(refusal(&answer, 400).contains("known parameters: project, after"));
    for path in ["items?kind=bug", "log?limit=5", "search?q=sign&limit=1"] {
        let answer = board.get(&format!("/api/v1/projects/demo/{path}")).await;
        assert!(!answer.body.contains("parameter"), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_unknown_or_wrong_field_is_named() {
    let board = board().await;
    let bearer = ("authorization", "Bearer s3cret");
    let send = async |body: Value| refusal(&board.write(&[bearer], body).await, 400);
    let body = |body: Value| json!({ "body": body });
    assert!(
        send(json!({ "body": {}, "dryrun": true }))
            .await
            .contains("the body has no field `dryrun`")
    );
    assert!(send(json!({})).await.contains("needs the field `body`"));
    let wrong = json!({ "request": "transition", "item": "1", "verb": "freeze", "colour": 1 });
    assert!(
        send(body(wrong))
            .await
            .contains("`transition` has no field `colour`")
    );
    let wrong = json!({ "request": "transition", "item": "1", "verb": "fly" });
    assert!(
        send(body(wrong))
            .await
            .contains("`verb` of `transition` must be one of")
    );
    let wrong = json!({ "body": { "request": "status" }, "origin": { "kind": "robot", "id": "r" } });
    assert!(send(wrong).await.contains("`kind` of `origin`"));

    let typed = ("content-type", "application/json");
    let path = "/api/v1/projects/demo/requests";
    let answer = board.send("POST", path, &[bearer, typed], "{\"body\": ").await;
    assert_eq!(
        refusal(&answer, 400),
        "the body is not valid JSON: line 1, column 9"
    );
    let answer = board.send("POST", path, &[bearer], "{}").await;
    assert!(refusal(&answer, 400).contains("content-type: application/json"));
    let path = "/api/v1/projects/demo/items/1/settle";
    let answer = board
        .send("POST", path, &[bearer, typed], "{\"kept\": \"a\"}")
        .await;
    assert!(
        refusal(&answer, 400).contains("the body has no field `kept`; known fields: origin, keep, conflict")
    );
}

#[tokio::test]
async fn an_unknown_address_and_method_are_failures_like_all_others() {
    let board = board().await;
    assert!(refusal(&board.get("/api/v1/nowhere").await, 404).contains("/openapi.json"));
    let answer = board.send("DELETE", "/api/v1/projects", &[], "").await;
    assert!(refusal(&answer, 405).contains("DELETE"));
}
