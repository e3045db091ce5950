//! The parts of Matrix's JSON that we read. Everything else in an answer is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Answer of `login`.
#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) user_id: String,
    pub(crate) access_token: String,
    pub(crate) device_id: String,
}

/// Answer of `whoami`.
#[derive(Debug, Deserialize)]
pub(crate) struct Whoami {
    pub(crate) user_id: String,
    #[serde(default)]
    pub(crate) device_id: Option<String>,
}

/// Answer of `join` and of resolving an alias.
#[derive(Debug, Deserialize)]
pub(crate) struct RoomId {
    pub(crate) room_id: String,
}

/// Answer of `joined_members`.
#[derive(Debug, Deserialize)]
pub(crate) struct Members {
    pub(crate) joined: BTreeMap<String, serde_json::Value>,
}

/// Answer that says nothing we need.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// Answer of `sync`.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    pub(crate) next_batch: String,
    #[serde(default)]
    pub(crate) rooms: Rooms,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rooms {
    pub(crate) join: BTreeMap<String, Joined>,
    pub(crate) invite: BTreeMap<String, Invited>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Joined {
    pub(crate) timeline: Timeline,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Timeline {
    pub(crate) events: Vec<Event>,
    pub(crate) limited: bool,
    pub(crate) prev_batch: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Invited {
    pub(crate) invite_state: State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) events: Vec<Event>,
}

/// Answer of `messages`, newest first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Messages {
    pub(crate) chunk: Vec<Event>,
    pub(crate) end: Option<String>,
}

/// An event of a room.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) event_id: String,
    pub(crate) sender: String,
    pub(crate) state_key: Option<String>,
    pub(crate) origin_server_ts: u64,
    pub(crate) content: serde_json::Value,
}

/// What somebody said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    pub(crate) msgtype: String,
    pub(crate) body: String,
    #[serde(rename = "m.relates_to")]
    pub(crate) relates_to: Option<Relation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Relation {
    pub(crate) rel_type: Option<String>,
    pub(crate) event_id: Option<String>,
    #[serde(rename = "m.in_reply_to")]
    pub(crate) in_reply_to: Option<serde_json::Value>,
}

/// A message of ours.
#[derive(Debug, Serialize)]
pub(crate) struct Notice<'a> {
    pub(crate) msgtype: &'static str,
    pub(crate) body: &'a str,
    pub(crate) format: &'static str,
    pub(crate) formatted_body: &'a str,
    /// Always there and empty: without it, clients look for names in the text and ring people.
    #[serde(rename = "m.mentions")]
    pub(crate) mentions: BTreeMap<String, String>,
}

impl<'a> Notice<'a> {
    pub(crate) fn new(plain: &'a str, html: &'a str) -> Self {
        Self {
            msgtype: "m.notice",
            body: plain,
            format: "org.matrix.custom.html",
            formatted_body: html,
            mentions: BTreeMap::new(),
        }
    }
}
