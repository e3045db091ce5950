//! Somebody in a chat room, with a plain client of their own that shares no code with the gateway.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Time for anything to happen, in seconds.
const PATIENCE_S: u64 = 90;
/// Everybody's password.
pub const PASSWORD: &str = "a password of the tests";

/// A client without any particular settings.
///
/// # Panics
/// When TLS cannot be set up.
pub fn http() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .expect("an HTTP client")
}

/// Somebody in a chat room.
#[derive(Debug, Clone)]
pub struct Person {
    http: reqwest::Client,
    url: String,
    token: String,
    /// Their user id.
    pub id: String,
}

impl Person {
    /// Registers a new account.
    pub(crate) async fn register(url: &str, name: &str) -> Self {
        let mut person = Self {
            http: http(),
            url: url.to_owned(),
            token: String::new(),
            id: String::new(),
        };
        let auth = json!({ "type": "m.login.dummy" });
        let body = json!({ "username": name, "password": PASSWORD, "auth": auth });
        let answer = person.call(Method::POST, "register", Some(body)).await;
        person.token = text(&answer, "access_token");
        person.id = text(&answer, "user_id");
        person
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.try_call(method, path, body)
            .await
            .expect("the homeserver answers")
    }

    async fn try_call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let mut request = self
            .http
            .request(method, format!("{}/_matrix/client/v3/{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        let status = response.status();
        let answer: Value = response.json().await.map_err(|error| error.to_string())?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(format!("{path}: {status}: {answer}"))
    }

    /// Makes a room and invites people.
    ///
    /// # Panics
    /// When the homeserver refuses.
    pub async fn room(&self, invite: &[&Self]) -> String {
        let ids: Vec<_> = invite.iter().map(|person| &person.id).collect();
        let body = json!({ "preset": "private_chat", "invite": ids });
        text(
            &self.call(Method::POST, "createRoom", Some(body)).await,
            "room_id",
        )
    }

    /// Follows an invitation.
    ///
    /// # Panics
    /// When there is none.
    pub async fn join(&self, room: &str) {
        self.call(Method::POST, &format!("join/{room}"), Some(json!({})))
            .await;
    }

    /// Switches a room's encryption on.
    ///
    /// # Panics
    /// When the homeserver refuses.
    pub async fn encrypt(&self, room: &str) {
        let body = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        let path = format!("rooms/{room}/state/m.room.encryption/");
        self.call(Method::PUT, &path, Some(body)).await;
    }

    /// Says something and returns the event's id.
    ///
    /// # Panics
    /// When the homeserver refuses.
    pub async fn say(&self, room: &str, body: &str) -> String {
        let transaction = format!("{:x}", fingerprint(room, body));
        let path = format!("rooms/{room}/send/m.room.message/{transaction}");
        let content = json!({ "msgtype": "m.text", "body": body });
        text(&self.call(Method::PUT, &path, Some(content)).await, "event_id")
    }

    /// Everything in a room, oldest first.
    async fn events(&self, room: &str) -> Result<Vec<Value>, String> {
        let mut from = String::new();
        let mut events = Vec::new();
        loop {
            let path = format!("rooms/{room}/messages?dir=f&limit=200{from}");
            let page = self.try_call(Method::GET, &path, None).await?;
            let chunk = page["chunk"].as_array().cloned().unwrap_or_default();
            let more = !chunk.is_empty();
            events.extend(chunk);
            match page["end"].as_str() {
                Some(end) if more => from = format!("&from={end}"),
                _ => return Ok(events),
            }
        }
    }

    /// What somebody else said in a room, oldest first; each must be a notice that rings nobody.
    async fn notices(&self, room: &str, by: &str) -> Result<Vec<String>, String> {
        let events = self.events(room).await?;
        let theirs = events
            .iter()
            .filter(|event| event["type"] == "m.room.message" && event["sender"] == by);
        let said = theirs.map(|event| {
            let content = &event["content"];
            assert_eq!(content["msgtype"], "m.notice", "{content}");
            assert_eq!(content["m.mentions"], json!({}), "{content}");
            text(content, "body")
        });
        Ok(said.collect())
    }

    /// Waits until somebody else has said so many things and returns them.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn hears(&self, room: &str, by: &str, count: usize) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
        loop {
            let said = self.notices(room, by).await;
            match &said {
                Ok(said) if said.len() >= count => return said.clone(),
                _ => {}
            }
            assert!(
                Instant::now() < deadline,
                "{by} said only {said:#?}; expected {count}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Who has answered a message until now, by a reaction or by a notice in reply, each as often as they did.
    pub async fn answers(&self, room: &str, event: &str) -> Vec<String> {
        let events = self.events(room).await.unwrap_or_default();
        let answers = events.iter().filter(|answer| {
            let relation = &answer["content"]["m.relates_to"];
            relation["event_id"] == event || relation["m.in_reply_to"]["event_id"] == event
        });
        answers.map(|answer| text(answer, "sender")).collect()
    }

    /// Waits until somebody has put a reaction on an event and returns it.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn sees_reaction(&self, room: &str, by: &str, event: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
        loop {
            let events = self.events(room).await.unwrap_or_default();
            let found = events.iter().find(|reaction| {
                let relation = &reaction["content"]["m.relates_to"];
                reaction["type"] == "m.reaction" && reaction["sender"] == by && relation["event_id"] == event
            });
            if let Some(reaction) = found {
                return text(&reaction["content"]["m.relates_to"], "key");
            }
            assert!(Instant::now() < deadline, "no reaction by {by}: {events:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Saying the same thing twice is one transaction, so a test says different things.
fn fingerprint(room: &str, body: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (room, body).hash(&mut hasher);
    hasher.finish()
}
