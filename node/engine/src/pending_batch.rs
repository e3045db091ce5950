//! The pending batch: entries that were composed or admitted in memory and wait for the next append, which
//! makes all of them durable.
//!
//! Documents, rows and events change as soon as an entry is added, so that the next request builds on it.
//! Nothing is replied or published before [`Project::commit_pending`] has synced the log. If the log refuses,
//! the whole batch is rolled back and every request in it fails.

mod commit;
mod projection;
pub(crate) mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use towline_api::request::{Failure, FailureCode};
use towline_api::types::FeedEvent;
use towline_crdt::compose::{BodyEdit, Composed, Draft, act_id, compose};
use towline_crdt::doc::ItemDoc;
use towline_crdt::members::Membership;
use towline_proto::{
    ActId, AuthorSeq, CriterionState, Entry, EntryHash, ItemChange, ItemId, MemberAct, Op, Payload, Tip,
    limits,
};
use towline_store::cache::Row;
use towline_sync::AdmissionOutcome;

use super::Project;
use super::author::NextPlace;
use super::index::Index;
use super::query::QueryContext;
use super::store::Store;
use super::write::refusal;

/// Bytes of changes after which a batch continues in another entry: large entries share a signature, small
/// ones pass through memory and the network in pieces.
const ENTRY_TARGET_BYTES: usize = 256 * 1024;
/// Changes after which a batch continues in another entry, with room for those of one item.
const ENTRY_TARGET_CHANGES: usize = limits::CHANGES_PER_ENTRY - WORK_CHANGES;
/// Changes that work on one item may take: replacing a body of the maximum size takes about 330.
const WORK_CHANGES: usize = 512;
/// Bytes that work on one item may take, so that it fits into an entry that is nearly full.
const WORK_BYTES: usize = limits::ENTRY_BYTES - ENTRY_TARGET_BYTES - 64 * 1024;

/// The most entries that share a sync, so that a long catch-up does not delay replies.
const MAX_STAGED: usize = 1_024;
/// Bytes of entries after which the batch is appended: half of what one append accepts.
const MAX_STAGED_BYTES: usize = towline_store::log::BATCH_BYTES / 2;

/// Work on one item.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// The item; `None` creates a new one, and the first draft is its creation.
    pub(crate) item: Option<ItemId>,
    /// The operations.
    pub(crate) drafts: Vec<Draft>,
    /// The new body.
    pub(crate) body: Option<BodyEdit>,
    /// Criteria that are judged in the same entry, by the index of their creation in `drafts`. A judgement
    /// refers to its criterion by an act id, which is only known when the entry's place in the log is.
    pub(crate) judged: BTreeMap<usize, CriterionState>,
}

impl Work {
    /// The drafts, each judgement behind the creation of its criterion. The next act of the entry has the
    /// number `ordinal`.
    fn drafts_with_judgements(&mut self, place: &AuthorSeq, ordinal: u32) -> Vec<Draft> {
        let mut drafts = Vec::with_capacity(self.drafts.len() + self.judged.len());
        for (at, draft) in std::mem::take(&mut self.drafts).into_iter().enumerate() {
            let number = ordinal.saturating_add(u32::try_from(drafts.len()).unwrap_or(u32::MAX));
            let judgement = self.judged.get(&at).map(|state| Draft {
                op: Op::SetCriterion {
                    criterion: act_id(place, number),
                    state: *state,
                    evidence: None,
                },
                ..draft.clone()
            });
            drafts.push(draft);
            drafts.extend(judgement);
        }
        drafts
    }
}

/// One member of the pending batch.
#[derive(Debug)]
enum PendingEntry {
    /// An entry composed on this node.
    Local(Entry),
    /// An entry that was admitted from a peer.
    Remote(Entry),
    /// An entry from a peer that is not stored. The replication core gets its outcome in order.
    NotStored(EntryHash, AdmissionOutcome),
}

impl PendingEntry {
    const fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Local(entry) | Self::Remote(entry) => Some(entry),
            Self::NotStored(..) => None,
        }
    }
}

/// The entries that wait for the next append, and the state before them for a rollback.
#[derive(Debug, Default)]
pub(crate) struct PendingBatch {
    entries: Vec<PendingEntry>,
    /// Bytes of the entries.
    bytes: usize,
    rows_before: BTreeMap<ItemId, Option<Row>>,
    /// Documents before the batch, where the cache does not have that version: recently acknowledged changes
    /// are in the log and in memory only.
    docs_before: BTreeMap<ItemId, Option<Arc<ItemDoc>>>,
    members_before: Option<Membership>,
    /// Whether a node that could write before has a higher role now.
    role_raised: bool,
    own_before: Option<Option<Tip>>,
    /// While several entries are applied together: acts that documents contain already and whose entries are
    /// not applied yet.
    later_acts: BTreeMap<ItemId, BTreeSet<ActId>>,
    feed_before: Option<u64>,
    events: Vec<FeedEvent>,
}

impl PendingBatch {
    /// Whether the batch is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the events, if what they report is durable already.
    pub(crate) fn take_events(&mut self) -> Vec<FeedEvent> {
        self.rows_before.clear();
        self.docs_before.clear();
        self.feed_before = None;
        std::mem::take(&mut self.events)
    }

    /// Saves a document as it was before the batch; only the first call per item counts.
    pub(crate) fn save_doc(&mut self, store: &Store, id: ItemId) {
        self.docs_before.entry(id).or_insert_with(|| store.uncached(&id));
    }

    /// Saves an item as it was before the batch; only the first call per item counts.
    pub(crate) fn save_item(&mut self, store: &Store, index: &Index, id: ItemId) {
        self.rows_before
            .entry(id)
            .or_insert_with(|| index.row(&id).cloned());
        self.save_doc(store, id);
    }

    /// Adds an entry that this node has just signed; `last` is its last entry before that.
    fn add_local(&mut self, entry: Entry, last: Option<Tip>) {
        self.own_before.get_or_insert(last);
        self.bytes += entry.bytes().len();
        self.entries.push(PendingEntry::Local(entry));
    }

    /// Adds an admitted entry of a peer.
    pub(crate) fn add_remote(&mut self, entry: Entry) {
        self.bytes += entry.bytes().len();
        self.entries.push(PendingEntry::Remote(entry));
    }

    /// Adds the outcome of an entry that is not stored.
    pub(crate) fn add_not_stored(&mut self, hash: EntryHash, outcome: AdmissionOutcome) {
        self.entries.push(PendingEntry::NotStored(hash, outcome));
    }

    /// Acts in an item's document that belong to entries later than the one being applied.
    pub(crate) fn later_acts(&self, item: &ItemId) -> Option<&BTreeSet<ActId>> {
        self.later_acts.get(item)
    }

    /// How many more entries fit.
    pub(crate) fn room(&self) -> usize {
        MAX_STAGED.saturating_sub(self.entries.len())
    }

    /// Whether it is time to append: more entries would delay replies, or more bytes would not fit into one
    /// append.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_STAGED || self.bytes >= MAX_STAGED_BYTES
    }
}

impl Project {
    /// The place of this node's next entry.
    fn next_place(&self) -> Result<NextPlace, Failure> {
        self.query().may_write()?;
        Ok(self.author.next_place(&*self.env, &self.replication.core))
    }

    /// Signs an entry and adds it to the batch.
    fn seal(&mut self, place: NextPlace, payload: Payload) -> Result<Entry, Failure> {
        let last = self.author.last();
        let members = self.members.heads(&self.author.node);
        let entry = self.author.sign(place, members, self.env.now(), payload)?;
        self.batch.add_local(entry.clone(), last);
        Ok(entry)
    }

    /// Writes work on one item as an entry of its own.
    pub(crate) fn write(&mut self, work: Work) -> Result<ItemId, Failure> {
        let nothing = || Err(Failure::new(FailureCode::Failure, "nothing was written"));
        self.write_batch(vec![work])?.pop().unwrap_or_else(nothing)
    }

    /// Writes work on several items in few entries. Refused work leaves no trace and does not affect the
    /// rest.
    pub(crate) fn write_batch(&mut self, works: Vec<Work>) -> Result<Vec<Result<ItemId, Failure>>, Failure> {
        let mut items = Vec::with_capacity(works.len());
        let mut works = works.into_iter().peekable();
        while works.peek().is_some() {
            let next = self.next_place()?;
            let place = next.0;
            let mut ordinal = 0;
            let (mut changes, mut bytes): (Vec<ItemChange>, usize) = (Vec::new(), 0);
            let mut docs: BTreeMap<ItemId, ItemDoc> = BTreeMap::new();
            while bytes < ENTRY_TARGET_BYTES && changes.len() < ENTRY_TARGET_CHANGES {
                let Some(work) = works.next() else { break };
                let ordinal_before = ordinal;
                match self.query().compose_one(&place, &mut ordinal, &docs, work) {
                    Ok((item, composed)) => {
                        bytes += composed.changes.iter().map(Vec::len).sum::<usize>();
                        changes.extend(
                            composed
                                .changes
                                .into_iter()
                                .map(|change| ItemChange { item, change }),
                        );
                        docs.insert(item, composed.doc);
                        items.push(Ok(item));
                    }
                    Err(failure) => {
                        // The acts of an entry are numbered without gaps.
                        ordinal = ordinal_before;
                        items.push(Err(failure));
                    }
                }
            }
            if changes.is_empty() {
                continue;
            }
            self.seal(next, Payload::Changes(changes))?;
            let seen_at = self.now();
            self.apply_docs(docs.into_values(), false, seen_at)?;
        }
        Ok(items)
    }

    /// Writes a membership change by this node.
    pub(crate) fn write_member(&mut self, act: MemberAct) -> Result<Entry, Failure> {
        let next = self.next_place()?;
        let last = self.author.last();
        let entry = self.seal(next, Payload::Member(act))?;
        if let Err(why) = self.members.check(&entry) {
            self.batch.entries.pop();
            self.author.roll_back(last);
            return Err(Failure::new(FailureCode::NotAllowed, why.to_string()));
        }
        self.apply_member(&entry);
        Ok(entry)
    }

    /// Applies a membership entry of this node or an admitted one.
    pub(crate) fn apply_member(&mut self, entry: &Entry) {
        self.batch
            .members_before
            .get_or_insert_with(|| self.members.clone());
        let before = match &entry.body().payload {
            Payload::Member(MemberAct::Admit { node, .. }) => self.members.member(node).cloned(),
            _ => None,
        };
        self.members.apply(entry);
        self.replication.membership_changed(&self.members, entry);
        // A node that could not write before has no acts that a tie could concern.
        let role_raised = before
            .filter(|before| before.role.may_write())
            .is_some_and(|before| {
                let now = self.members.member(&before.node);
                now.is_some_and(|now| now.role != before.role)
            });
        self.batch.role_raised = self.batch.role_raised || role_raised;
    }
}

impl QueryContext<'_> {
    /// Composes the changes of one item. `staged` contains the documents of the same entry's other work.
    fn compose_one(
        &self,
        place: &AuthorSeq,
        ordinal: &mut u32,
        staged: &BTreeMap<ItemId, ItemDoc>,
        mut work: Work,
    ) -> Result<(ItemId, Composed), Failure> {
        let item = work.item.unwrap_or_else(|| {
            let at = work.drafts.first().map(|draft| draft.at).unwrap_or_default();
            ItemId::derive(at, place, *ordinal)
        });
        let stored = match (staged.get(&item), work.item) {
            (None, Some(item)) => Some(self.doc(&item)?),
            _ => None,
        };
        let base = staged.get(&item).or(stored.as_deref());
        let drafts = work.drafts_with_judgements(place, *ordinal);
        let composed = compose(base, item, place, ordinal, self.members, drafts, work.body)
            .map_err(|error| refusal(&error))?;
        let bytes = composed.changes.iter().map(Vec::len).sum::<usize>();
        if bytes > WORK_BYTES || composed.changes.len() > WORK_CHANGES {
            let message = format!(
                "the change of one item has {bytes} bytes in {} parts; at most {WORK_BYTES} in {WORK_CHANGES} fit into one entry",
                composed.changes.len()
            );
            return Err(Failure::new(FailureCode::Usage, message));
        }
        Ok((item, composed))
    }
}
