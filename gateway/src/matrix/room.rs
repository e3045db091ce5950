//! Sending into rooms: one thing at a time, because the API has no order between two sends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::account::{Account, AccountError};
use super::client::{Call, MatrixError};
use towline_proto::Millis;

use super::wire::{Members, Nothing, Notice, RoomId};
use crate::http::wall_clock;
use crate::relay::{Body, Line, Outcome, StatusBoard};
use crate::store::{Store, StoreError};

/// A room that said no is asked again after so long, in seconds: somebody has to invite us first.
const FORBIDDEN_S: u64 = 30;
/// An encrypted room stays encrypted; it is looked at again after so long, in seconds.
const ENCRYPTED_S: u64 = 3_600;
/// How long it is taken for known who is in a room, in seconds.
const MEMBERS_S: u64 = 60;
/// Rooms that are remembered; an account in more rooms than this is not a relay's.
const ROOMS: usize = 10_000;
/// Said once in a room that we cannot read.
const ENCRYPTED: &str = "This room is encrypted, and I can neither read nor write encrypted messages. \
    I stay silent here; invite me to a room without encryption.";

/// All rooms of an account, made when first used.
#[derive(Debug)]
pub(crate) struct Rooms {
    account: Arc<Account>,
    store: Store,
    board: Arc<StatusBoard>,
    rooms: Mutex<BTreeMap<String, Arc<Room>>>,
}

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    account: Arc<Account>,
    store: Store,
    board: Arc<StatusBoard>,
    pub(crate) id: String,
    /// Held during every send; not before this instant, because the homeserver said so.
    gate: Mutex<Option<Instant>>,
    /// Whether it is known to be encrypted: once it is, it stays so.
    encrypted: AtomicBool,
    /// Who is in it, and when that was asked.
    members: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Rooms {
    pub(crate) fn new(account: Arc<Account>, store: Store, board: Arc<StatusBoard>) -> Self {
        Self {
            account,
            store,
            board,
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
                store: self.store.clone(),
                board: Arc::clone(&self.board),
                id: id.to_owned(),
                gate: Mutex::new(None),
                encrypted: AtomicBool::new(false),
                members: Mutex::new(None),
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

    /// Answers a message: the answer names it, so that whoever else could answer sees that it was.
    pub(crate) async fn answer(
        &self,
        event: &str,
        transaction: &str,
        plain: &str,
        html: &str,
    ) -> Result<(), AccountError> {
        let mut content = serde_json::to_value(Notice::new(plain, html)).unwrap_or_default();
        if let Some(content) = content.as_object_mut() {
            let reply = json!({ "m.in_reply_to": { "event_id": event } });
            content.insert("m.relates_to".to_owned(), reply);
        }
        self.send("m.room.message", transaction, content).await
    }

    /// Puts a reaction on an event.
    pub(crate) async fn react(&self, event: &str, key: &str) -> Result<(), AccountError> {
        let content =
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key } });
        let transaction = format!("towline-react-{}", event.trim_start_matches('$'));
        self.send("m.reaction", &transaction, content).await
    }

    /// Sends something with content, which never goes into an encrypted room. Whether it is one is asked
    /// before every send: somebody can have switched encryption on a moment ago.
    async fn send(&self, kind: &'static str, transaction: &str, content: Value) -> Result<(), AccountError> {
        let mut not_before = self.gate.lock().await;
        if let Some(at) = *not_before {
            tokio::time::sleep_until(at).await;
        }
        let sent = match self.is_encrypted().await {
            Ok(false) => self.put(kind, transaction, content).await,
            Ok(true) => Err(AccountError::Encrypted(self.id.clone())),
            Err(error) => Err(error),
        };
        *not_before = match &sent {
            Err(AccountError::Matrix(error)) => error.retry_after().map(|wait| Instant::now() + wait),
            Ok(()) | Err(_) => None,
        };
        sent
    }

    async fn put(&self, kind: &'static str, transaction: &str, content: Value) -> Result<(), AccountError> {
        let path = ["rooms", &self.id, "send", kind, transaction].map(str::to_owned);
        self.account
            .call_with(|client, token| {
                let (path, content) = (path.clone(), content.clone());
                async move {
                    let path = path.each_ref().map(String::as_str);
                    let call = Call::new(Method::PUT, &path).body(content);
                    client.call::<Nothing>(Some(&token), call).await
                }
            })
            .await
            .map(|_| ())
    }

    /// Whether the room is encrypted; says so in the room the first time.
    pub(crate) async fn is_encrypted(&self) -> Result<bool, AccountError> {
        if self.encrypted.load(Ordering::Relaxed) {
            return Ok(true);
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
        match state {
            Ok(_) => {
                self.became_encrypted().await;
                Ok(true)
            }
            Err(AccountError::Matrix(error)) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Encryption is on: nothing is sent in the clear from here on but the one sentence that says so.
    pub(crate) async fn became_encrypted(&self) {
        let known = self.encrypted.swap(true, Ordering::Relaxed);
        self.board.room(
            &self.id,
            Some("it is encrypted; nothing is sent there".to_owned()),
        );
        if known {
            return;
        }
        if let Err(error) = self.say_encrypted().await {
            tracing::info!(room = self.id, %error, "cannot say that the room is encrypted");
        }
    }

    /// Said once for all time: the homeserver forgets transaction ids after a day.
    async fn say_encrypted(&self) -> Result<(), AccountError> {
        let name = format!("said that encrypted {}", self.id);
        if self.store.state(&name)?.is_some() {
            return Ok(());
        }
        let content = serde_json::to_value(Notice::new(ENCRYPTED, ENCRYPTED)).unwrap_or_default();
        self.put("m.room.message", "towline-encrypted", content).await?;
        Ok(self.store.set_state(&name, "yes").await?)
    }

    /// Who is in the room, as of a minute ago at the oldest.
    pub(crate) async fn members(&self) -> Result<BTreeSet<String>, AccountError> {
        let mut known = self.members.lock().await;
        if let Some((asked, members)) = &*known
            && asked.elapsed() < Duration::from_secs(MEMBERS_S)
        {
            return Ok(members.clone());
        }
        let joined = self
            .account
            .call_with(|client, token| {
                let room = self.id.clone();
                async move {
                    let path = ["rooms", room.as_str(), "joined_members"];
                    client
                        .call::<Members>(Some(&token), Call::new(Method::GET, &path))
                        .await
                }
            })
            .await?;
        let members: BTreeSet<String> = joined.value.joined.into_keys().collect();
        *known = Some((Instant::now(), members.clone()));
        Ok(members)
    }

    /// Until when the room wants nothing told, if it does.
    pub(crate) fn muted_until(&self) -> Result<Option<Millis>, StoreError> {
        let until = self.store.state(&self.mute_name())?;
        let until = until.and_then(|until| until.parse().ok()).map(Millis);
        Ok(until.filter(|until| *until > wall_clock()))
    }

    /// Tells nothing until a time; at once again with none.
    pub(crate) async fn mute(&self, until: Option<Millis>) -> Result<(), StoreError> {
        let text = until.map_or_else(|| "0".to_owned(), |until| until.0.to_string());
        self.board
            .room(&self.id, until.map(|until| format!("muted until {until}")));
        self.store.set_state(&self.mute_name(), &text).await
    }

    fn mute_name(&self) -> String {
        format!("muted {}", self.id)
    }
}

/// A room as the relay sees it: a configured name that may be an alias.
#[derive(Debug, Clone)]
pub(crate) struct RoomSink {
    rooms: Arc<Rooms>,
    name: String,
    prefix: String,
    room: Arc<OnceCell<Arc<Room>>>,
}

impl RoomSink {
    pub(crate) fn new(rooms: Arc<Rooms>, name: &str, prefix: &str) -> Self {
        Self {
            rooms,
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            room: Arc::default(),
        }
    }

    /// What a command begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
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
            if let Some(until) = room.muted_until()? {
                return Ok(Some(until));
            }
            room.notice(&line.transaction, plain, html).await.map(|()| None)
        };
        match attempt.await {
            Ok(None) => Outcome::Delivered,
            Ok(Some(until)) => Outcome::Later {
                after: Some(Duration::from_millis(until.since(wall_clock()))),
                why: format!("{} is muted until {until}", self.name),
            },
            Err(AccountError::Encrypted(_)) => Outcome::Later {
                after: Some(Duration::from_secs(ENCRYPTED_S)),
                why: format!("{} is encrypted; nothing is sent there", self.name),
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
