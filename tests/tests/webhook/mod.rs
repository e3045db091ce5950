//! The gateway against a real HTTP endpoint: signed, one delivery per event, retried, refused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use towline_gateway::Gateway;
use towline_gateway::config::GatewayConfig;
use towline_gateway::webhook::sign::WebhookKey;
use towline_proto::Column;
use towline_tests::gateway;
use towline_tests::memory::{MemoryProject, node};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An endpoint that answers as it is told and remembers what it was sent.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<StatusCode>>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start(answers: &[StatusCode]) -> (Self, SocketAddr) {
        let receiver = Self::default();
        *receiver.answers.lock().unwrap() = answers.iter().rev().copied().collect();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/hook", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, address)
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    let at = header("webhook-timestamp").parse().unwrap();
    let key = WebhookKey::parse(SECRET).unwrap();
    assert!(key.verify(&id, at, body.as_bytes(), &header("webhook-signature")));
    assert_eq!(header("content-type"), "application/cloudevents+json");
    receiver
        .seen
        .lock()
        .unwrap()
        .push((id, serde_json::from_str(&body).unwrap()));
    receiver
        .answers
        .lock()
        .unwrap()
        .pop()
        .unwrap_or(StatusCode::NO_CONTENT)
}

fn config(address: SocketAddr, more: &str) -> GatewayConfig {
    GatewayConfig::parse(&format!(
        "[[webhook]]\nname = \"ci\"\nurl = \"http://{address}/hook\"\nsecret = \"{SECRET}\"\n{more}"
    ))
    .unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    gateway::until(what, async || holds().then_some(())).await;
}

#[tokio::test]
async fn every_event_is_delivered_signed_and_again_until_it_is_taken() {
    let (receiver, address) = Receiver::start(&[StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE]).await;
    let (handle, dir) = (node(), tempfile::tempdir().unwrap());
    let demo = MemoryProject::add_to(&handle, "demo");
    let item = demo.create("Made before anybody listened");
    let start = || {
        let config = config(address, "allow_private = true");
        Gateway::start(handle.clone(), config, dir.path(), CancellationToken::new()).unwrap()
    };
    let gateway = start();
    until("the delivery has started", || gateway.deliveries().len() == 1).await;
    demo.moves(item, Column::Coding);
    demo.moves(item, Column::Qa);
    until("both were tried", || receiver.seen().len() == 2).await;
    until("the refusal is known", || gateway.deliveries()[0].outbox == 1).await;

    // The second attempt is due in five seconds, and a crash does not make it forget.
    gateway.abort().await;
    let gateway = start();
    until("the second attempt", || receiver.seen().len() == 3).await;
    until("it is recorded", || demo.cursor("relay:webhook:ci") == Some(3)).await;
    let seen = receiver.seen();
    assert_eq!(seen[1].0, seen[2].0, "a repetition has its first attempt's id");
    assert_eq!(seen[1].1, seen[2].1);
    let event = &seen[0].1;
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], seen[0].0);
    assert_eq!(event["type"], "towline.stage-changed");
    assert_eq!(event["project"], "demo");
    assert_eq!(event["data"]["what"]["to"], "coding");
    gateway.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_nothing_more_until_somebody_says_so() {
    let (receiver, address) = Receiver::start(&[StatusCode::GONE]).await;
    let (handle, dir) = (node(), tempfile::tempdir().unwrap());
    let demo = MemoryProject::add_to(&handle, "demo");
    let config = config(address, "allow_private = true");
    let gateway = Gateway::start(handle.clone(), config, dir.path(), CancellationToken::new()).unwrap();
    until("the delivery has started", || gateway.deliveries().len() == 1).await;
    demo.create("First");
    until("the endpoint is closed", || {
        gateway.deliveries()[0].error.is_some()
    })
    .await;
    demo.create("Second");
    until("the lag shows", || gateway.deliveries()[0].lag == 2).await;
    assert_eq!(receiver.seen().len(), 1);

    gateway.resend();
    until("both are there", || receiver.seen().len() == 3).await;
    until("it is recorded", || demo.cursor("relay:webhook:ci") == Some(2)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_address_inside_is_not_called_unless_that_is_meant() {
    let (receiver, address) = Receiver::start(&[]).await;
    let (handle, dir) = (node(), tempfile::tempdir().unwrap());
    let demo = MemoryProject::add_to(&handle, "demo");
    let gateway = Gateway::start(
        handle.clone(),
        config(address, ""),
        dir.path(),
        CancellationToken::new(),
    )
    .unwrap();
    until("the delivery has started", || gateway.deliveries().len() == 1).await;
    demo.create("Inside");
    until("the status says why", || {
        gateway.deliveries()[0]
            .error
            .as_ref()
            .is_some_and(|why| why.contains("allow_private"))
    })
    .await;
    assert!(receiver.seen().is_empty());
    gateway.stop().await;
}
