//! The parts of the Matrix JSON formats that the gateway uses. Other fields are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The response of `login`.
#[derive(Debug, Deserialize)]
pub(crate) struct LoginResponse {
    pub(crate) user_id: String,
    pub(crate) access_token: String,
    pub(crate) device_id: String,
}

/// The response of `whoami`.
#[derive(Debug, Deserialize)]
pub(crate) struct WhoamiResponse {
    pub(crate) user_id: String,
    #[serde(default)]
    pub(crate) device_id: Option<String>,
}

/// The response of `join`.
#[derive(Debug, Deserialize)]
pub(crate) struct RoomIdResponse {
    pub(crate) room_id: String,
}

/// The response of `joined_members`.
#[derive(Debug, Deserialize)]
pub(crate) struct MembersResponse {
    pub(crate) joined: BTreeMap<String, serde_json::Value>,
}

/// A response without a field that is used.
#[derive(Debug, Deserialize)]
pub(crate) struct EmptyResponse {}

/// The response of `sync`.
#[derive(Debug, Deserialize)]
pub(crate) struct SyncBatch {
    pub(crate) next_batch: String,
    #[serde(default)]
    pub(crate) rooms: SyncRooms,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SyncRooms {
    pub(crate) join: BTreeMap<String, JoinedRoom>,
    pub(crate) invite: BTreeMap<String, InvitedRoom>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JoinedRoom {
    pub(crate) timeline: Timeline,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Timeline {
    pub(crate) events: Vec<RoomEvent>,
    pub(crate) limited: bool,
    pub(crate) prev_batch: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InvitedRoom {
    pub(crate) invite_state: InviteState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InviteState {
    pub(crate) events: Vec<RoomEvent>,
}

/// The response of `messages`, newest first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MessagesPage {
    pub(crate) chunk: Vec<RoomEvent>,
    pub(crate) end: Option<String>,
}

/// An event of a room.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct RoomEvent {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) event_id: String,
    pub(crate) sender: String,
    pub(crate) state_key: Option<String>,
    pub(crate) origin_server_ts: u64,
    pub(crate) content: serde_json::Value,
}

/// The content of a message event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MessageContent {
    pub(crate) msgtype: String,
    pub(crate) body: String,
    #[serde(rename = "m.relates_to")]
    pub(crate) relates_to: Option<EventRelation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventRelation {
    pub(crate) rel_type: Option<String>,
    pub(crate) event_id: Option<String>,
    #[serde(rename = "m.in_reply_to")]
    pub(crate) in_reply_to: Option<serde_json::Value>,
}

/// A message that the gateway sends.
#[derive(Debug, Serialize)]
pub(crate) struct Notice<'a> {
    pub(crate) msgtype: &'static str,
    pub(crate) body: &'a str,
    pub(crate) format: &'static str,
    pub(crate) formatted_body: &'a str,
    /// Always present and empty: without it, clients search the text for names and notify people.
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
