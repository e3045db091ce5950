//! The exchange of address records between two members.
//!
//! One frame each way on a stream of its own. The initiator sends either all records that the other may know,
//! and gets those that it lacks in return, or only changed records. A record is used only if its signature is
//! valid, and is forwarded only to members of a project that its node is a member of. This file dials nobody
//! and decides no schedule: the driver does.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::io::AsyncWriteExt;
use libp2p::Multiaddr;
use libp2p::swarm::Stream;
use tokio::time::{Instant, timeout};
use towline_proto::address::AddressError;
use towline_proto::codec::DecodeError;
use towline_proto::wire::AddressExchange;
use towline_proto::{AddressBody, AddressRecord, Millis, NodeId, limits};

use super::{Shared, framing, identity};

/// How long an exchange may take.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest frame: the framing around the records of [`limits::EXCHANGE_BYTES`] is small.
const FRAME_BYTES: usize = 2 * limits::EXCHANGE_BYTES;

/// Which records to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExchangeRequest {
    /// All records that the other may know; it replies with the records that are missing from them.
    All,
    /// The changed records of these nodes.
    Changed(BTreeSet<NodeId>),
}

/// How an exchange ended.
#[derive(Debug)]
pub(super) enum ExchangeOutcome {
    /// It succeeded; the records of these nodes are new here.
    Fresh(Vec<NodeId>),
    /// The connection broke, or the exchange took too long.
    Broken(String),
    /// The other side sent what no honest peer sends.
    Violation(String),
}

/// Sends the records and handles the reply.
pub(super) async fn initiate(
    shared: &Shared,
    peer: NodeId,
    mut stream: Stream,
    sending: ExchangeRequest,
) -> ExchangeOutcome {
    let exchange = async {
        let all = sending == ExchangeRequest::All;
        let records = match sending {
            ExchangeRequest::All => shared.records_for(&peer, |_| true),
            ExchangeRequest::Changed(nodes) => {
                shared.records_for(&peer, |record| nodes.contains(&record.body().node))
            }
        };
        send(&mut stream, &records, all).await?;
        let answer = receive(&mut stream).await?;
        let _ = stream.close().await;
        shared.accept_records(&peer, &answer)
    };
    ended(timeout(EXCHANGE_TIMEOUT, exchange).await)
}

/// Handles the records of the other side and replies with those that it lacks.
pub(super) async fn respond(shared: &Shared, peer: NodeId, mut stream: Stream) -> ExchangeOutcome {
    let exchange = async {
        let theirs = receive(&mut stream).await?;
        let fresh = shared.accept_records(&peer, &theirs)?;
        let lacks = if theirs.all {
            let sent: Vec<_> = theirs
                .records
                .iter()
                .filter_map(|bytes| AddressRecord::decode(bytes).ok())
                .collect();
            let knows = |record: &AddressRecord| {
                let same = |other: &AddressRecord| other.body().node == record.body().node;
                sent.iter()
                    .any(|other| same(other) && other.body().at >= record.body().at)
            };
            shared.records_for(&peer, |record| !knows(record))
        } else {
            Vec::new()
        };
        send(&mut stream, &lacks, false).await?;
        let _ = stream.close().await;
        Ok(fresh)
    };
    ended(timeout(EXCHANGE_TIMEOUT, exchange).await)
}

fn ended(
    outcome: Result<Result<Vec<NodeId>, ExchangeOutcome>, tokio::time::error::Elapsed>,
) -> ExchangeOutcome {
    match outcome {
        Ok(Ok(fresh)) => ExchangeOutcome::Fresh(fresh),
        Ok(Err(end)) => end,
        Err(_) => ExchangeOutcome::Broken("it took too long".into()),
    }
}

fn broken(error: impl std::fmt::Display) -> ExchangeOutcome {
    ExchangeOutcome::Broken(error.to_string())
}

async fn send(stream: &mut Stream, records: &[AddressRecord], all: bool) -> Result<(), ExchangeOutcome> {
    let bytes = |record: &AddressRecord| record.bytes().to_vec().into();
    let exchange = AddressExchange {
        records: records.iter().map(bytes).collect(),
        all,
    };
    let frame = framing::encode(&exchange.encode()).map_err(broken)?;
    stream.write_all(&frame).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

async fn receive(stream: &mut Stream) -> Result<AddressExchange, ExchangeOutcome> {
    let frame = match framing::read(stream, FRAME_BYTES).await {
        Ok(Some(frame)) => frame,
        Ok(None) => return Err(broken("it closed the connection")),
        Err(error) if error.is_violation() => return Err(ExchangeOutcome::Violation(error.to_string())),
        Err(error) => return Err(broken(error)),
    };
    match AddressExchange::decode(&frame.payload) {
        Ok(exchange) => Ok(exchange),
        // A peer with a newer version is not to blame.
        Err(error @ DecodeError::Version { .. }) => Err(broken(error)),
        Err(error) => Err(ExchangeOutcome::Violation(format!(
            "addresses that cannot be read: {error}"
        ))),
    }
}

impl Shared {
    /// The records that a peer may know and that `wanted` selects, within the bounds of an exchange.
    fn records_for(&self, peer: &NodeId, wanted: impl Fn(&AddressRecord) -> bool) -> Vec<AddressRecord> {
        let mut nodes = self.registry.known_to(peer);
        nodes.insert(self.me);
        let book = self.book();
        let all = nodes.iter().filter_map(|node| book.record_of(node));
        let mut records: Vec<AddressRecord> = all.filter(|record| wanted(record)).cloned().collect();
        drop(book);
        // If there are too many, the newest are the most likely to be unknown.
        records.sort_by_key(|record| std::cmp::Reverse(record.body().at));
        records.truncate(limits::EXCHANGE_RECORDS);
        let mut bytes = 0;
        records.retain(|record| {
            bytes += record.bytes().len();
            bytes <= limits::EXCHANGE_BYTES
        });
        records
    }

    /// Handles records from a peer; returns the nodes whose records are new.
    fn accept_records(
        &self,
        peer: &NodeId,
        exchange: &AddressExchange,
    ) -> Result<Vec<NodeId>, ExchangeOutcome> {
        let mut fresh = Vec::new();
        for bytes in &exchange.records {
            let record = match AddressRecord::decode(bytes) {
                Ok(record) => record,
                Err(AddressError::Decode(DecodeError::Version { .. })) => continue,
                Err(error) => return Err(ExchangeOutcome::Violation(error.to_string())),
            };
            let node = record.body().node;
            let known = self.book().record_of(&node).map(|known| known.body().at);
            if known.is_some_and(|known| known >= record.body().at) {
                continue;
            }
            if let Err(error) = record.verify() {
                return Err(ExchangeOutcome::Violation(error.to_string()));
            }
            if node == self.me {
                // A record from before this node's folder was restored or lost: the next one must be newer.
                self.raise_min_record_at(record.body().at);
                fresh.push(node);
                continue;
            }
            let member = self.registry.is_member(&node);
            if self.book().record(Instant::now(), &record, member) {
                tracing::debug!(node = %node.short(), from = %peer.short(), "new addresses");
                fresh.push(node);
            }
        }
        Ok(fresh)
    }

    /// Signs a new address record if this node's addresses have changed. Returns whether they have.
    pub(super) fn sign_addresses(&self, now: Millis, key: &SigningKey) -> bool {
        let all = self.addresses();
        // A loopback address is useless on another machine.
        let far: Vec<_> = all
            .iter()
            .filter(|address| !identity::is_loopback(address))
            .collect();
        let said = if far.is_empty() { all.iter().collect() } else { far };
        let mut addresses: Vec<String> = said.into_iter().map(Multiaddr::to_string).collect();
        addresses.truncate(limits::RECORD_ADDRESSES);
        let mut book = self.book();
        let last = book.record_of(&self.me);
        let min_record_at = self.min_record_at.load(Ordering::Relaxed);
        let same =
            last.is_some_and(|last| last.body().addresses == addresses && last.body().at.0 > min_record_at);
        if same || (addresses.is_empty() && last.is_none()) {
            return false;
        }
        let after = last.map_or(min_record_at, |last| last.body().at.0.max(min_record_at));
        let at = Millis(now.0.max(after.saturating_add(1)));
        let body = AddressBody {
            node: self.me,
            at,
            addresses,
        };
        book.record(Instant::now(), &AddressRecord::sign(body, key), true)
    }

    /// The next record of this node must be newer than this.
    fn raise_min_record_at(&self, at: Millis) {
        self.min_record_at.fetch_max(at.0, Ordering::Relaxed);
    }
}
