//! Sends messages to rooms, one at a time, because the API does not guarantee the order of two sends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;
use towline_proto::Millis;

use super::account::{Account, AccountError};
use super::client::{Call, MatrixError};
use super::wire::{EmptyResponse, MembersResponse, Notice, RoomIdResponse};
use crate::http::wall_clock;
use crate::relay::{DeliveryOutcome, MessageBody, OutboxMessage, StatusRegistry};
use crate::store::{GatewayStore, StoreError};

/// Wait before a room that rejected us is tried again, in seconds: somebody has to invite us first.
const FORBIDDEN_S: u64 = 30;
/// Wait before the next attempt in an encrypted room, in seconds; it stays encrypted.
const ENCRYPTED_S: u64 = 3_600;
/// How long the member list of a room is cached, in seconds.
const MEMBERS_S: u64 = 60;
/// Maximum number of rooms in memory; a gateway's account is in far fewer.
const ROOMS: usize = 10_000;
/// The message that is sent once to an encrypted room.
const ENCRYPTED: &str = "This room is encrypted, and encrypted rooms are not supported. \
    I send nothing here and read no commands; invite me to a room without encryption.";

/// All rooms of an account, created on first use.
#[derive(Debug)]
pub(crate) struct Rooms {
    account: Arc<Account>,
    store: GatewayStore,
    registry: Arc<StatusRegistry>,
    rooms: Mutex<BTreeMap<String, Arc<Room>>>,
}

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    account: Arc<Account>,
    store: GatewayStore,
    registry: Arc<StatusRegistry>,
    pub(crate) id: String,
    /// Locked during every send. Holds the earliest time of the next one, if the homeserver asked to wait.
    send_lock: Mutex<Option<Instant>>,
    /// Whether it is known to be encrypted; encryption cannot be switched off.
    encrypted: AtomicBool,
    /// The cached member list, with the time of the request.
    members: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Rooms {
    pub(crate) fn new(account: Arc<Account>, store: GatewayStore, registry: Arc<StatusRegistry>) -> Self {
        Self {
            account,
            store,
            registry,
            rooms: Mutex::default(),
        }
    }

    /// The room with an id.
    pub(crate) async fn room(&self, id: &str) -> Arc<Room> {
        let mut rooms = self.rooms.lock().await;
        if rooms.len() >= ROOMS && !rooms.contains_key(id) {
            // Only the order of sends that are in progress is lost.
            rooms.clear();
        }
        let room = rooms.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Room {
                account: Arc::clone(&self.account),
                store: self.store.clone(),
                registry: Arc::clone(&self.registry),
                id: id.to_owned(),
                send_lock: Mutex::new(None),
                encrypted: AtomicBool::new(false),
                members: Mutex::new(None),
            })
        });
        Arc::clone(room)
    }

    /// Joins a room by id or alias; joining it again has no effect.
    pub(crate) async fn join(&self, name: &str) -> Result<Arc<Room>, AccountError> {
        let joined = self
            .account
            .call_with(|client, token| {
                let name = name.to_owned();
                async move {
                    let path = ["join", name.as_str()];
                    let call = Call::new(Method::POST, &path).body(json!({}));
                    client.call::<RoomIdResponse>(Some(&token), call).await
                }
            })
            .await?;
        Ok(self.room(&joined.value.room_id).await)
    }
}

impl Room {
    /// Sends a notice; the homeserver drops a second one with the same transaction id.
    pub(crate) async fn notice(
        &self,
        transaction: &str,
        plain: &str,
        html: &str,
    ) -> Result<(), AccountError> {
        let content = serde_json::to_value(Notice::new(plain, html)).unwrap_or_default();
        self.send("m.room.message", transaction, content).await
    }

    /// Replies to a message. The reply names the message, so that other gateways see that it was answered.
    pub(crate) async fn reply(
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

    /// Adds a reaction to an event.
    pub(crate) async fn react(&self, event: &str, key: &str) -> Result<(), AccountError> {
        let content =
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key } });
        let transaction = format!("towline-react-{}", event.trim_start_matches('$'));
        self.send("m.reaction", &transaction, content).await
    }

    /// Sends an event, unless the room is encrypted. This is checked before every send, because encryption can be
    /// switched on at any time.
    async fn send(&self, kind: &'static str, transaction: &str, content: Value) -> Result<(), AccountError> {
        let mut not_before = self.send_lock.lock().await;
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
                    client.call::<EmptyResponse>(Some(&token), call).await
                }
            })
            .await
            .map(|_| ())
    }

    /// Whether the room is encrypted. The first time, a message in the room says that it is not supported.
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
                        .call::<EmptyResponse>(Some(&token), Call::new(Method::GET, &path))
                        .await
                }
            })
            .await;
        match state {
            Ok(_) => {
                self.mark_encrypted().await;
                Ok(true)
            }
            Err(AccountError::Matrix(error)) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Marks the room as encrypted. From now on nothing is sent to it except the message that says so.
    pub(crate) async fn mark_encrypted(&self) {
        let known = self.encrypted.swap(true, Ordering::Relaxed);
        self.registry
            .set_room_note(&self.id, Some("encrypted; nothing is sent to it".to_owned()));
        if known {
            return;
        }
        if let Err(error) = self.send_encrypted_notice().await {
            tracing::info!(room = self.id, %error, "cannot send the notice that the room is encrypted");
        }
    }

    /// Sends the notice only once. The transaction id is not enough for this, because the homeserver forgets it after
    /// a day.
    async fn send_encrypted_notice(&self) -> Result<(), AccountError> {
        let name = format!("said that encrypted {}", self.id);
        if self.store.state(&name)?.is_some() {
            return Ok(());
        }
        let content = serde_json::to_value(Notice::new(ENCRYPTED, ENCRYPTED)).unwrap_or_default();
        self.put("m.room.message", "towline-encrypted", content).await?;
        Ok(self.store.set_state(&name, "yes").await?)
    }

    /// The members of the room, cached for at most a minute.
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
                        .call::<MembersResponse>(Some(&token), Call::new(Method::GET, &path))
                        .await
                }
            })
            .await?;
        let members: BTreeSet<String> = joined.value.joined.into_keys().collect();
        *known = Some((Instant::now(), members.clone()));
        Ok(members)
    }

    /// The time until which the room is muted, if it is.
    pub(crate) fn muted_until(&self) -> Result<Option<Millis>, StoreError> {
        let until = self.store.state(&self.mute_key())?;
        let until = until.and_then(|until| until.parse().ok()).map(Millis);
        Ok(until.filter(|until| *until > wall_clock()))
    }

    /// Mutes the room until a time, or unmutes it.
    pub(crate) async fn mute(&self, until: Option<Millis>) -> Result<(), StoreError> {
        let text = until.map_or_else(|| "0".to_owned(), |until| until.0.to_string());
        self.registry
            .set_room_note(&self.id, until.map(|until| format!("muted until {until}")));
        self.store.set_state(&self.mute_key(), &text).await
    }

    fn mute_key(&self) -> String {
        format!("muted {}", self.id)
    }
}

/// A room as a destination of the relay, by its configured name, which may be an alias.
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

    /// The prefix of commands.
    pub(crate) fn command_prefix(&self) -> &str {
        &self.prefix
    }

    /// Tries to deliver a message.
    pub(crate) async fn deliver(&self, message: &OutboxMessage) -> DeliveryOutcome {
        let MessageBody::Text { plain, html } = &message.body else {
            return DeliveryOutcome::Rejected {
                why: "a room accepts only text".to_owned(),
            };
        };
        let attempt = async {
            let room = self.room.get_or_try_init(|| self.rooms.join(&self.name)).await?;
            if let Some(until) = room.muted_until()? {
                return Ok(Some(until));
            }
            room.notice(&message.transaction, plain, html)
                .await
                .map(|()| None)
        };
        match attempt.await {
            Ok(None) => DeliveryOutcome::Delivered,
            Ok(Some(until)) => DeliveryOutcome::RetryLater {
                after: Some(Duration::from_millis(until.since(wall_clock()))),
                why: format!("{} is muted until {until}", self.name),
            },
            Err(AccountError::Encrypted(_)) => DeliveryOutcome::RetryLater {
                after: Some(Duration::from_secs(ENCRYPTED_S)),
                why: format!("the room {} is encrypted; nothing is sent to it", self.name),
            },
            Err(error) => outcome_of(&error),
        }
    }
}

/// The outcome of a failed send.
fn outcome_of(error: &AccountError) -> DeliveryOutcome {
    let why = error.to_string();
    let AccountError::Matrix(error) = error else {
        return DeliveryOutcome::RetryLater { after: None, why };
    };
    match error.status() {
        // The homeserver rejects the message itself, so repeating it does not help.
        Some(400 | 413) if !matches!(error, MatrixError::Rejected { code, .. } if code == "M_UNKNOWN") => {
            DeliveryOutcome::Rejected { why }
        }
        Some(403 | 404) => DeliveryOutcome::RetryLater {
            after: Some(Duration::from_secs(FORBIDDEN_S)),
            why,
        },
        _ => DeliveryOutcome::RetryLater {
            after: error.retry_after(),
            why,
        },
    }
}
