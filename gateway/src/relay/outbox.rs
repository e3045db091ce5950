//! The durable outbox of one lane: one receiver and one project.
//!
//! A line is written here, together with the ledger that says which positions it deals with, before
//! it is sent for the first time. After a crash the same line goes out again under the same
//! transaction id, however the events behind it would be grouped by then.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use towline_proto::{Millis, ProjectId};

use super::spans::{Ledger, Spans};
use crate::store::{Change, Store, StoreError};

/// A line on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Its place in the lane.
    pub(crate) seq: u64,
    /// The same however often it is sent.
    pub(crate) transaction: String,
    /// What to send.
    pub(crate) body: Body,
    /// The feed positions that it deals with.
    pub(crate) spans: Spans,
    /// Attempts that failed.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Not before this time of day.
    #[serde(default)]
    pub(crate) not_before: Millis,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Body {
    /// A line of chat.
    Text {
        /// Plain.
        plain: String,
        /// The same as HTML.
        html: String,
    },
    /// One event, as the JSON that is signed and sent.
    Event {
        /// The document.
        json: String,
    },
}

/// One receiver and one project.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    store: Store,
    lane: [u8; 16],
}

/// What was there when an outbox was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// How far it was; `None` for a new lane.
    pub(crate) ledger: Option<Ledger>,
    /// Lines that were planned and, as far as we know, not accepted.
    pub(crate) lines: Vec<Line>,
    /// How many were set aside.
    pub(crate) parked: usize,
    /// The next place in the lane.
    pub(crate) next_seq: u64,
}

impl Outbox {
    /// The outbox of a receiver and a project.
    pub(crate) fn new(store: Store, destination: &str, project: &ProjectId) -> Self {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(project.0)
            .chain_update(destination.as_bytes())
            .finalize()
            .into();
        let mut lane = [0; 16];
        lane.copy_from_slice(&hash[..16]);
        Self { store, lane }
    }

    /// The bytes that tell this lane from every other.
    pub(crate) const fn lane(&self) -> &[u8; 16] {
        &self.lane
    }

    fn prefix(&self, kind: u8) -> Vec<u8> {
        [self.lane.as_slice(), &[kind]].concat()
    }

    fn key(&self, kind: u8, seq: u64) -> Vec<u8> {
        [self.lane.as_slice(), &[kind], &seq.to_be_bytes()].concat()
    }

    /// Reads what is there.
    pub(crate) fn open(&self) -> Result<Opened, StoreError> {
        let ledger = self.store.relay::<Ledger>(&self.prefix(b'l'))?.pop();
        let lines: Vec<Line> = self.lines(b'o')?;
        let parked = self.lines(b'p')?;
        let last = lines.iter().chain(&parked).map(|line| line.seq).max();
        Ok(Opened {
            ledger: ledger.map(|(_, ledger)| ledger),
            parked: parked.len(),
            next_seq: last.map_or(0, |seq| seq + 1),
            lines,
        })
    }

    fn lines(&self, kind: u8) -> Result<Vec<Line>, StoreError> {
        let lines = self.store.relay::<Line>(&self.prefix(kind))?;
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// Writes new lines and the ledger that says what they deal with, together.
    pub(crate) async fn plan(&self, ledger: &Ledger, lines: &[Line]) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.put(self.key(b'l', 0), ledger)?;
        for line in lines {
            change.put(self.key(b'o', line.seq), line)?;
        }
        self.store.change_relay(change).await
    }

    /// Writes a line again, after a failed attempt.
    pub(crate) async fn update(&self, line: &Line) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.put(self.key(b'o', line.seq), line)?;
        self.store.change_relay(change).await
    }

    /// Forgets a line that was accepted.
    pub(crate) async fn done(&self, line: &Line) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.remove(self.key(b'o', line.seq));
        self.store.change_relay(change).await
    }

    /// Sets a line aside for a person to look at.
    pub(crate) async fn park(&self, line: &Line) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.remove(self.key(b'o', line.seq));
        change.put(self.key(b'p', line.seq), line)?;
        self.store.change_relay(change).await
    }

    /// Puts every parked line back and returns them.
    pub(crate) async fn unpark(&self) -> Result<Vec<Line>, StoreError> {
        let mut change = Change::default();
        let mut lines = self.lines(b'p')?;
        for line in &mut lines {
            change.remove(self.key(b'p', line.seq));
            line.attempts = 0;
            line.not_before = Millis(0);
            change.put(self.key(b'o', line.seq), line)?;
        }
        if !lines.is_empty() {
            self.store.change_relay(change).await?;
        }
        Ok(lines)
    }
}
