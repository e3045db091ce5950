//! The durable outbox of one delivery, that is of one destination and one project.
//!
//! A message is stored here, together with the positions that it acknowledges, before it is sent for the
//! first time. After a crash the same message is sent again under the same transaction id, even if its
//! events would be grouped differently by then.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use towline_proto::{Millis, ProjectId};

use super::acked_ranges::{AckedPositions, PositionRanges};
use crate::store::{GatewayStore, StoreBatch, StoreError};

/// Kind of a record: the acknowledged positions.
const ACKED: u8 = b'l';
/// Kind of a record: a queued message.
const QUEUED: u8 = b'o';
/// Kind of a record: a message that failed for good.
const FAILED: u8 = b'p';

/// A message that is stored until the destination accepts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OutboxMessage {
    /// Its sequence number in the outbox.
    pub(crate) seq: u64,
    /// The transaction id: the same for every attempt.
    pub(crate) transaction: String,
    /// The content.
    pub(crate) body: MessageBody,
    /// The feed positions that it covers.
    #[serde(rename = "spans")]
    pub(crate) positions: PositionRanges,
    /// Number of failed attempts.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// The earliest time of the next attempt.
    #[serde(default)]
    pub(crate) not_before: Millis,
    /// Why the last attempt failed.
    #[serde(default, rename = "trouble", skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MessageBody {
    /// A line of text for a chat room.
    Text {
        /// As plain text.
        plain: String,
        /// As HTML.
        html: String,
    },
    /// One event for a webhook.
    Event {
        /// The JSON document that is signed and sent.
        json: String,
    },
}

/// The outbox of one destination and one project.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    store: GatewayStore,
    delivery_id: [u8; 16],
}

/// The stored state of an outbox.
#[derive(Debug)]
pub(crate) struct OutboxState {
    /// The acknowledged positions; `None` for a new delivery.
    pub(crate) acked: Option<AckedPositions>,
    /// Messages that the destination has not accepted, as far as is known.
    pub(crate) messages: Vec<OutboxMessage>,
    /// Number of messages that failed for good.
    pub(crate) failed: usize,
    /// The next free sequence number.
    pub(crate) next_seq: u64,
}

impl Outbox {
    /// The outbox of a destination and a project.
    pub(crate) fn new(store: GatewayStore, destination: &str, project: &ProjectId) -> Self {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(project.0)
            .chain_update(destination.as_bytes())
            .finalize()
            .into();
        let mut delivery_id = [0; 16];
        delivery_id.copy_from_slice(&hash[..16]);
        Self { store, delivery_id }
    }

    /// The id of this delivery: a hash of the project and the destination.
    pub(crate) const fn delivery_id(&self) -> &[u8; 16] {
        &self.delivery_id
    }

    fn prefix(&self, kind: u8) -> Vec<u8> {
        [self.delivery_id.as_slice(), &[kind]].concat()
    }

    fn key(&self, kind: u8, seq: u64) -> Vec<u8> {
        [self.delivery_id.as_slice(), &[kind], &seq.to_be_bytes()].concat()
    }

    /// Reads the stored state.
    pub(crate) fn load(&self) -> Result<OutboxState, StoreError> {
        let acked = self.store.relay::<AckedPositions>(&self.prefix(ACKED))?.pop();
        let messages = self.messages(QUEUED)?;
        let failed = self.messages(FAILED)?;
        let last = messages.iter().chain(&failed).map(|message| message.seq).max();
        Ok(OutboxState {
            acked: acked.map(|(_, acked)| acked),
            failed: failed.len(),
            next_seq: last.map_or(0, |seq| seq + 1),
            messages,
        })
    }

    fn messages(&self, kind: u8) -> Result<Vec<OutboxMessage>, StoreError> {
        let messages = self.store.relay::<OutboxMessage>(&self.prefix(kind))?;
        Ok(messages.into_iter().map(|(_, message)| message).collect())
    }

    /// Stores new messages together with the acknowledged positions.
    pub(crate) async fn enqueue(
        &self,
        acked: &AckedPositions,
        messages: &[OutboxMessage],
    ) -> Result<(), StoreError> {
        let mut batch = StoreBatch::default();
        batch.put(self.key(ACKED, 0), acked)?;
        for message in messages {
            batch.put(self.key(QUEUED, message.seq), message)?;
        }
        self.store.write_relay(batch).await
    }

    /// Stores a message again after a failed attempt.
    pub(crate) async fn update(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        let mut batch = StoreBatch::default();
        batch.put(self.key(QUEUED, message.seq), message)?;
        self.store.write_relay(batch).await
    }

    /// Removes a message that was accepted.
    pub(crate) async fn remove(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        let mut batch = StoreBatch::default();
        batch.remove(self.key(QUEUED, message.seq));
        self.store.write_relay(batch).await
    }

    /// Moves a message to the failed ones, until a person asks to send them again.
    pub(crate) async fn mark_failed(&self, message: &OutboxMessage) -> Result<(), StoreError> {
        let mut batch = StoreBatch::default();
        batch.remove(self.key(QUEUED, message.seq));
        batch.put(self.key(FAILED, message.seq), message)?;
        self.store.write_relay(batch).await
    }

    /// Queues every failed message again and returns them.
    pub(crate) async fn requeue_failed(&self) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut batch = StoreBatch::default();
        let mut messages = self.messages(FAILED)?;
        for message in &mut messages {
            batch.remove(self.key(FAILED, message.seq));
            message.attempts = 0;
            message.not_before = Millis(0);
            batch.put(self.key(QUEUED, message.seq), message)?;
        }
        if !messages.is_empty() {
            self.store.write_relay(batch).await?;
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_names_on_disk() {
        let mut positions = PositionRanges::default();
        positions.insert(4, 5);
        let message = OutboxMessage {
            seq: 7,
            transaction: "t".to_owned(),
            body: MessageBody::Text {
                plain: "a".to_owned(),
                html: "b".to_owned(),
            },
            positions: positions.clone(),
            attempts: 1,
            not_before: Millis(0),
            last_error: Some("c".to_owned()),
        };
        assert_eq!(
            serde_json::to_string(&message).expect("JSON"),
            r#"{"seq":7,"transaction":"t","body":{"text":{"plain":"a","html":"b"}},"spans":[[4,5]],"attempts":1,"not_before":"1970-01-01T00:00:00Z","trouble":"c"}"#
        );
        let acked = AckedPositions {
            through: 2,
            beyond: positions,
        };
        assert_eq!(
            serde_json::to_string(&acked).expect("JSON"),
            r#"{"through":2,"beyond":[[4,5]]}"#
        );
    }
}
