//! The fleet's events at an endpoint: signed, and all of them, also when the gateway is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use towline_gateway::webhook::sign::WebhookKey;
use towline_tests::gateway::{Fleet, Member, printed, towline, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Everything that an endpoint was sent, by id; bodies that were not signed are counted apart.
#[derive(Clone, Default)]
struct Receiver {
    seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    unsigned: Arc<Mutex<usize>>,
}

impl Receiver {
    async fn start() -> (Self, SocketAddr) {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/hook", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, address)
    }

    fn ids(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().keys().cloned().collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let id = header("webhook-id");
    let at = header("webhook-timestamp").parse().unwrap_or_default();
    let key = WebhookKey::parse(SECRET).unwrap();
    if !key.verify(id, at, body.as_bytes(), header("webhook-signature")) {
        *receiver.unsigned.lock().unwrap() += 1;
        return StatusCode::UNAUTHORIZED;
    }
    receiver
        .seen
        .lock()
        .unwrap()
        .entry(id.to_owned())
        .or_default()
        .insert(body);
    StatusCode::NO_CONTENT
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_webhook_gets_every_event_also_when_the_gateway_is_killed() {
    const ITEMS: usize = 4;
    let (receiver, address) = Receiver::start().await;
    let shop = Member::new("shop");
    shop.does(&["create", "story", "Made before anybody listened"]);
    let mut fleet = Fleet::configured(&format!(
        "[[webhook]]\nname = \"ci\"\nurl = \"http://{address}/hook\"\nsecret = \"{SECRET}\"\n\
         preset = \"all\"\nallow_private = true\n"
    ));
    fleet.joins(&shop);
    fleet.up();
    fleet.relays(1).await;
    let begin = feed(&fleet).await.len();

    for item in 1..=ITEMS {
        let number = item.to_string();
        if item > 1 {
            shop.does(&["create", "story", &format!("Item {item}")]);
        }
        shop.does(&["move", &number, "coding"]);
        fleet.shows("shop", &number, "coding").await;
        // Sometimes at once, sometimes when the endpoint has it, and while the next things happen.
        if item % 2 == 0 {
            let before = receiver.ids().len();
            until("something more was delivered or all was", async || {
                (receiver.ids().len() > before || before > item).then_some(())
            })
            .await;
        }
        fleet.killed();
        shop.does(&["comment", &number, "said while nobody listens"]);
        fleet.up();
    }
    fleet.shows("shop", "4", "coding").await;

    let count = begin + ITEMS - 1 + 2 * ITEMS;
    let told = until("the gateway has every event", async || {
        Some(feed(&fleet).await).filter(|told| told.len() >= count)
    })
    .await;
    let expected: BTreeSet<_> = told.iter().skip(begin).cloned().collect();
    assert_eq!(told.len(), count, "{told:?}");
    until("the endpoint has every event", async || {
        receiver.ids().is_superset(&expected).then_some(())
    })
    .await;
    fleet.delivered().await;
    assert_eq!(receiver.ids(), expected);
    assert_eq!(*receiver.unsigned.lock().unwrap(), 0);
    for (id, bodies) in receiver.seen.lock().unwrap().iter() {
        assert_eq!(
            bodies.len(),
            1,
            "{id} was delivered with different contents: {bodies:?}"
        );
    }
}

/// The ids of the gateway's feed, in order.
async fn feed(fleet: &Fleet) -> Vec<String> {
    let status: Value =
        serde_json::from_str(&fleet.page("/api/v1/projects/shop/status").await.unwrap()).unwrap();
    let head = status["last_event"]["position"]
        .as_u64()
        .unwrap_or_default()
        .to_string();
    if head == "0" {
        return Vec::new();
    }
    let output = towline(
        fleet.folder(),
        &["watch", "--json", "--quiet", "--after", "0", "-n", &head],
    );
    let event = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let id = |line: &str| event(line)["id"].as_str().unwrap_or_default().to_owned();
    printed(&output).lines().map(id).collect()
}
