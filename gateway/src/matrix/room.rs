//! Sending into rooms: one thing at a time, because the API has no order between two sends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::account::{Account, AccountError};
use super::client::{Call, MatrixError};
use super::wire::{Nothing, Notice, RoomId};
use crate::relay::{Body, Line, Outcome};

/// A room that said no is asked again after so long, in seconds: somebody has to invite us first.
const FORBIDDEN_S: u64 = 30;
/// An encrypted room stays encrypted; it is looked at again after so long, in seconds.
const ENCRYPTED_S: u64 = 3_600;
/// Rooms that are remembered; an account in more rooms than this is not a relay's.
const ROOMS: usize = 10_000;
/// Said once in a room that we cannot read.
const ENCRYPTED: &str = "This room is encrypted, and I can neither read nor write encrypted messages. \
    I stay silent here; invite me to a room without encryption.";

/// All rooms of an account, made when first used.
#[derive(Debug)]
pub(crate) struct Rooms {
    account: Arc<Account>,
    rooms: Mutex<BTreeMap<String, Arc<Room>>>,
}

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    account: Arc<Account>,
    pub(crate) id: String,
    /// Held during every send; not before this instant, because the homeserver said so.
    gate: Mutex<Option<Instant>>,
    /// `None` until looked at.
    encrypted: Mutex<Option<bool>>,
}

impl Rooms {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            rooms: Mutex::default(),
        }
    }

    /// The room of an id.
    pub(crate) async fn room(&self, id: &str) -> Arc<Room> {
        let mut rooms = self.rooms.lock().await;
        if rooms.len() >= ROOMS && !rooms.contains_key(id) {
            // A forgotten room only loses its place in the queue of sends, and only while one is out.
            rooms.clear();
        }
        let room = rooms.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Room {
                account: Arc::clone(&self.account),
                id: id.to_owned(),
                gate: Mutex::new(None),
                encrypted: Mutex::new(None),
            })
        });
        Arc::clone(room)
    }

    /// Enters a room by id or alias; entering one twice is entering it once.
    pub(crate) async fn join(&self, name: &str) -> Result<Arc<Room>, AccountError> {
        let joined = self
            .account
            .call_with(|client, token| {
                let name = name.to_owned();
                async move {
                    let path = ["join", name.as_str()];
                    let call = Call::new(Method::POST, &path).body(json!({}));
                    client.call::<RoomId>(Some(&token), call).await
                }
            })
            .await?;
        Ok(self.room(&joined.value.room_id).await)
    }
}

impl Room {
    /// Sends a notice; the same transaction id twice is one message.
    pub(crate) async fn notice(
        &self,
        transaction: &str,
        plain: &str,
        html: &str,
    ) -> Result<(), AccountError> {
        let content = serde_json::to_value(Notice::new(plain, html)).unwrap_or_default();
        self.send("m.room.message", transaction, content).await
    }

    /// Puts a reaction on an event.
    pub(crate) async fn react(&self, event: &str, key: &str) -> Result<(), AccountError> {
        let content =
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key } });
        let transaction = format!("towline-react-{}", event.trim_start_matches('$'));
        self.send("m.reaction", &transaction, content).await
    }

    async fn send(&self, kind: &'static str, transaction: &str, content: Value) -> Result<(), AccountError> {
        let mut not_before = self.gate.lock().await;
        if let Some(at) = *not_before {
            tokio::time::sleep_until(at).await;
        }
        let path = ["rooms", &self.id, "send", kind, transaction].map(str::to_owned);
        let sent = self
            .account
            .call_with(|client, token| {
                let (path, content) = (path.clone(), content.clone());
                async move {
                    let path = path.each_ref().map(String::as_str);
                    let call = Call::new(Method::PUT, &path).body(content);
                    client.call::<Nothing>(Some(&token), call).await
                }
            })
            .await;
        *not_before = match &sent {
            Err(AccountError::Matrix(error)) => error.retry_after().map(|wait| Instant::now() + wait),
            Ok(_) | Err(_) => None,
        };
        sent.map(|_| ())
    }

    /// Whether the room is encrypted, looked up once; says so in the room the first time.
    async fn is_encrypted(&self) -> Result<bool, AccountError> {
        let mut known = self.encrypted.lock().await;
        if let Some(known) = *known {
            return Ok(known);
        }
        let state = self
            .account
            .call_with(|client, token| {
                let room = self.id.clone();
                async move {
                    let path = ["rooms", room.as_str(), "state", "m.room.encryption", ""];
                    client
                        .call::<Nothing>(Some(&token), Call::new(Method::GET, &path))
                        .await
                }
            })
            .await;
        let encrypted = match state {
            Ok(_) => true,
            Err(AccountError::Matrix(error)) if error.status() == Some(404) => false,
            Err(error) => return Err(error),
        };
        if encrypted {
            self.say_encrypted().await?;
        }
        *known = Some(encrypted);
        Ok(encrypted)
    }

    /// Somebody switched encryption on: nothing is sent in the clear from here on.
    pub(crate) async fn became_encrypted(&self) -> Result<(), AccountError> {
        *self.encrypted.lock().await = Some(true);
        self.say_encrypted().await
    }

    /// The transaction id depends on nothing but the room, so restarts do not say it again.
    async fn say_encrypted(&self) -> Result<(), AccountError> {
        self.notice("towline-encrypted", ENCRYPTED, ENCRYPTED).await
    }
}

/// A room as the relay sees it: a configured name that may be an alias.
#[derive(Debug, Clone)]
pub(crate) struct RoomSink {
    rooms: Arc<Rooms>,
    name: String,
    room: Arc<OnceCell<Arc<Room>>>,
}

impl RoomSink {
    pub(crate) fn new(rooms: Arc<Rooms>, name: &str) -> Self {
        Self {
            rooms,
            name: name.to_owned(),
            room: Arc::default(),
        }
    }

    /// Attempts to deliver a line.
    pub(crate) async fn deliver(&self, line: &Line) -> Outcome {
        let Body::Text { plain, html } = &line.body else {
            return Outcome::Refused {
                why: "a room takes lines of text only".to_owned(),
            };
        };
        let attempt = async {
            let room = self.room.get_or_try_init(|| self.rooms.join(&self.name)).await?;
            if room.is_encrypted().await? {
                return Ok(false);
            }
            room.notice(&line.transaction, plain, html).await.map(|()| true)
        };
        match attempt.await {
            Ok(true) => Outcome::Delivered,
            Ok(false) => Outcome::Later {
                after: Some(Duration::from_secs(ENCRYPTED_S)),
                why: format!("{} is encrypted", self.name),
            },
            Err(error) => verdict(&error),
        }
    }
}

/// What a failed send means for its line.
fn verdict(error: &AccountError) -> Outcome {
    let why = error.to_string();
    let AccountError::Matrix(error) = error else {
        return Outcome::Later { after: None, why };
    };
    match error.status() {
        // The message itself is refused; no repetition changes that.
        Some(400 | 413) if !matches!(error, MatrixError::Refused { code, .. } if code == "M_UNKNOWN") => {
            Outcome::Refused { why }
        }
        Some(403 | 404) => Outcome::Later {
            after: Some(Duration::from_secs(FORBIDDEN_S)),
            why,
        },
        _ => Outcome::Later {
            after: error.retry_after(),
            why,
        },
    }
}
