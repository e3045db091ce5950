//! This node as an author: its key, its place in its own log, and the entries that it signs.
//!
//! The first entry of a process opens an epoch and names every known head of this node. Nothing here is
//! written to disk, and nothing is known about what an entry contains.

#[cfg(test)]
mod tests;

use ed25519_dalek::SigningKey;
use towline_api::request::{Failure, FailureCode};
use towline_proto::{
    AuthorSeq, Entry, EntryBody, EntryHash, Epoch, Millis, NodeId, Payload, ProjectId, Tip, limits,
};
use towline_store::env::Environment;
use towline_sync::Replica;

/// One node as an author of one project.
#[derive(Debug)]
pub(crate) struct Author {
    project: ProjectId,
    /// The node.
    pub(crate) node: NodeId,
    /// Its key.
    pub(crate) key: SigningKey,
    /// Its last entry in the current epoch.
    last: Option<Tip>,
    /// Its last entry according to the head file, if the log did not contain it when it was opened.
    missing: Option<Tip>,
}

/// Where the next entry goes: its place, and its predecessors.
pub(crate) type NextPlace = (AuthorSeq, Vec<Tip>);

impl Author {
    /// An author that has written nothing in this process.
    pub(crate) fn new(project: ProjectId, key: SigningKey, missing: Option<Tip>) -> Self {
        Self {
            project,
            node: NodeId(key.verifying_key().to_bytes()),
            key,
            last: None,
            missing,
        }
    }

    /// Its last entry in the current epoch.
    pub(crate) const fn last(&self) -> Option<Tip> {
        self.last
    }

    /// Goes back to an earlier last entry, after a rollback.
    pub(crate) const fn roll_back(&mut self, last: Option<Tip>) {
        self.last = last;
    }

    /// Whether the log still lacks an entry that this node has written.
    pub(crate) fn lacks_own_entry(&self, replica: &Replica) -> bool {
        self.missing
            .is_some_and(|tip| !replica.contains(&self.node, &tip))
    }

    /// The place of the next entry.
    pub(crate) fn next_place(&self, env: &dyn Environment, replica: &Replica) -> NextPlace {
        let (epoch, seq, prev) = match self.last {
            Some(last) => (last.epoch, last.seq.saturating_add(1), vec![last]),
            None => {
                let (seq, heads) = replica.opening(&self.node);
                (Epoch(env.random_u64()), seq, heads)
            }
        };
        let node = self.node;
        (AuthorSeq { node, epoch, seq }, prev)
    }

    /// Signs an entry, which is the last one from then on.
    ///
    /// # Errors
    /// When it is larger than an entry may be, or when no node could read it, this one included on its next
    /// start: such an entry must never be written.
    pub(crate) fn sign(
        &mut self,
        (place, prev): NextPlace,
        members: Vec<EntryHash>,
        at: Millis,
        payload: Payload,
    ) -> Result<Entry, Failure> {
        let body = EntryBody {
            project: self.project,
            author: self.node,
            epoch: place.epoch,
            seq: place.seq,
            prev,
            members,
            at,
            payload,
        };
        let bounds = body.check_bounds();
        let entry = Entry::sign(body, &self.key);
        let size = entry.bytes().len();
        if size > limits::ENTRY_BYTES {
            let message = format!(
                "the change has {size} bytes; at most {} fit into one entry",
                limits::ENTRY_BYTES
            );
            return Err(Failure::new(FailureCode::Usage, message));
        }
        // Besides its bounds, nothing about changes can make them unreadable; they are not decoded again.
        let readable = match entry.body().payload {
            Payload::Changes(_) => bounds,
            Payload::Genesis(_) | Payload::Member(_) => Entry::decode(entry.bytes().clone()).map(drop),
        };
        if let Err(why) = readable {
            let message = format!("nothing was written: {why}");
            return Err(Failure::new(FailureCode::Failure, message));
        }
        self.last = Some(entry.tip());
        Ok(entry)
    }
}
