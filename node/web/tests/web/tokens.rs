//! Programs with API tokens: what each scope allows, and what becomes of wrong tokens.

use serde_json::{Value, json};

use super::{board, freeze};

#[tokio::test]
async fn a_program_writes_in_the_name_of_its_token() {
    let board = board().await;
    let bearer = ("authorization", "Bearer s3cret");
    assert_eq!(board.write(&[bearer], freeze("1")).await.status, 200);
    let status = board.get("/api/v1/projects/demo/status").await.json();
    let origin = json!({ "kind": "agent", "id": "coder-2" });
    assert_eq!(status["last_event"]["origin"], origin);

    let mut asked = freeze("2");
    asked["origin"] = origin;
    assert_eq!(board.write(&[bearer], asked.clone()).await.status, 200);
    asked["origin"] = json!({ "kind": "user", "id": "ann" });
    assert_eq!(board.write(&[bearer], asked.clone()).await.status, 403);

    asked["origin"] = Value::Null;
    asked["body"] = json!({ "request": "invite", "role": "owner", "valid_ms": 1000 });
    assert_eq!(board.write(&[bearer], asked).await.status, 403);
}

#[tokio::test]
async fn a_token_that_only_reads_writes_nothing() {
    let board = board().await;
    let public = ("host", "board.example:443");
    let reader = ("authorization", "bearer r3ad");
    let list = board
        .send("GET", "/api/v1/projects/demo/items", &[public, reader], "")
        .await;
    assert_eq!(list.status, 200);
    let refused = board.write(&[reader], freeze("1")).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (403, &json!("not-allowed"))
    );
    let body = json!({ "body": { "request": "status" } });
    assert_eq!(board.write(&[reader], body).await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_ends_the_request() {
    let board = board().await;
    for wrong in ["Bearer wrong", "Bearer 0ld", "Bearer "] {
        let bearer = ("authorization", wrong);
        // From this machine the items can be read without a token.
        let read = board
            .send("GET", "/api/v1/projects/demo/items", &[bearer], "")
            .await;
        assert_eq!(read.status, 401, "{wrong}");
        assert_eq!(read.json()["schema"], "towline.error/v1");
        assert_eq!(read.header("www-authenticate"), Some("Bearer"));
        assert_eq!(board.write(&[bearer], freeze("1")).await.status, 401, "{wrong}");
    }
    // A proxy may send its own password along.
    let basic = ("authorization", "Basic YTpi");
    assert_eq!(board.send("GET", "/p/demo", &[basic], "").await.status, 200);
}

#[tokio::test]
async fn wrong_tokens_are_not_looked_at_for_ever() {
    let board = board().await;
    let status = async |bearer: &str| {
        let bearer = ("authorization", bearer);
        board.send("GET", "/api/v1/projects", &[bearer], "").await.status
    };
    for _ in 0..20 {
        assert_eq!(status("Bearer guess").await, 401);
    }
    assert_eq!(status("Bearer guess").await, 429);
    // Who has a token of this board is not locked out with them.
    assert_eq!(status("Bearer s3cret").await, 200);
}
