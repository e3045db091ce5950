//! Staging: what is composed or admitted in memory, until one append makes all of it durable.
//!
//! Documents, rows and events change as soon as something is staged, so that the next request builds
//! on it; nobody outside is told before [`Project::commit_pending`] has synced the log. When the log
//! refuses, everything staged is undone and every request in it fails.

mod commit;
mod projection;
pub(in crate::project) mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use towline_crdt::compose::{BodyEdit, Composed, Draft, act_id, compose};
use towline_crdt::doc::ItemDoc;
use towline_crdt::members::Membership;
use towline_crdt::view::ItemView;
use towline_proto::wire::EntryBytes;
use towline_proto::{
    ActId, AuthorSeq, CriterionState, Entry, EntryBody, EntryHash, Epoch, ItemChange, ItemId, MemberAct,
    NodeId, Op, Payload, Tip, limits,
};
use towline_sync::AdmissionOutcome;

use super::write::refusal;
use super::{OwnTip, Project};
use crate::api::request::{Failure, FailureCode};
use crate::api::types::FeedEvent;

/// Bytes of changes after which a batch goes on in another entry: large entries share a signature,
/// small ones pass through memory and the network in pieces.
const ENTRY_TARGET_BYTES: usize = 256 * 1024;
/// Changes after which a batch goes on in another entry, with room for one item's.
const ENTRY_TARGET_CHANGES: usize = limits::CHANGES_PER_ENTRY - WORK_CHANGES;
/// Changes that work on one item may take: replacing a body of the largest size takes some 330.
const WORK_CHANGES: usize = 512;
/// Bytes that work on one item may take, so that it fits behind a batch that is nearly full.
const WORK_BYTES: usize = limits::ENTRY_BYTES - ENTRY_TARGET_BYTES - 64 * 1024;

/// Entries that share a sync at most, so that a long catch-up does not hold answers up.
const MAX_STAGED: usize = 1_024;
/// Bytes of entries after which a stage is appended: half of what one append takes.
const MAX_STAGED_BYTES: usize = crate::log::BATCH_BYTES / 2;

/// Work on one item.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Which; a new one when absent, whose creation is then the first draft.
    pub(crate) item: Option<ItemId>,
    /// What to do.
    pub(crate) drafts: Vec<Draft>,
    /// What its body becomes.
    pub(crate) body: Option<BodyEdit>,
    /// Criteria that are judged as soon as they are made, by the places of their makings in `drafts`:
    /// a judgement names the criterion by an id that only the place in the log decides.
    pub(crate) judged: BTreeMap<usize, CriterionState>,
}

impl Work {
    /// The drafts, each judgement behind the making of its criterion, for an entry whose next act has
    /// the number `ordinal`.
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

/// One thing that waits for the next append.
#[derive(Debug)]
enum PendingEntry {
    /// An entry made here.
    Local(Entry),
    /// An entry that was admitted from a peer.
    Remote(Entry),
    /// An entry from a peer that is not stored: the replication core is told in its turn.
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

/// What waits for the next append, and how to take it back.
#[derive(Debug, Default)]
pub(crate) struct PendingBatch {
    entries: Vec<PendingEntry>,
    /// Bytes of the staged entries.
    bytes: usize,
    rows_before: BTreeMap<ItemId, Option<ItemView>>,
    /// Documents as they were, where the cache does not hold them so: what was acknowledged a moment
    /// ago is in the log and in memory only.
    docs_before: BTreeMap<ItemId, Option<Arc<ItemDoc>>>,
    members_before: Option<Membership>,
    /// Whether somebody who could write before stands higher now.
    role_raised: bool,
    own_before: Option<Option<OwnTip>>,
    /// Acts that are in documents already and whose entries are not entered yet, while several entries are
    /// entered together.
    later_acts: BTreeMap<ItemId, BTreeSet<ActId>>,
    feed_before: Option<u64>,
    events: Vec<FeedEvent>,
}

impl PendingBatch {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the events out, when what they tell is durable already.
    pub(crate) fn take_events(&mut self) -> Vec<FeedEvent> {
        self.rows_before.clear();
        self.docs_before.clear();
        self.feed_before = None;
        std::mem::take(&mut self.events)
    }

    /// Keeps a document as it was, once.
    pub(in crate::project) fn save_doc(&mut self, id: ItemId, uncached: Option<Arc<ItemDoc>>) {
        self.docs_before.entry(id).or_insert(uncached);
    }

    /// Acts of an item's document that have not come yet for whoever tells of an entry.
    pub(crate) fn later_acts(&self, item: &ItemId) -> Option<&BTreeSet<ActId>> {
        self.later_acts.get(item)
    }

    /// How many more entries it takes before it is full.
    pub(crate) fn room(&self) -> usize {
        MAX_STAGED.saturating_sub(self.entries.len())
    }

    /// Whether it is time for an append: so many things wait that answers would be held up, or so many
    /// bytes that one append would not take them.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_STAGED || self.bytes >= MAX_STAGED_BYTES
    }
}

impl Project {
    /// The place that the next entry of this node takes. The first one of a process opens an epoch,
    /// which names every head of this node's log that is known.
    fn next_place(&mut self) -> Result<(AuthorSeq, Vec<Tip>), Failure> {
        self.may_write()?;
        if let Some(own) = &self.own {
            let seq = own.tip.seq.saturating_add(1);
            return Ok((
                AuthorSeq {
                    node: self.me,
                    epoch: own.tip.epoch,
                    seq,
                },
                vec![own.tip],
            ));
        }
        let (seq, heads) = self.replica.opening(&self.me);
        Ok((
            AuthorSeq {
                node: self.me,
                epoch: Epoch(self.env.random_u64()),
                seq,
            },
            heads,
        ))
    }

    fn seal(&mut self, place: AuthorSeq, prev: Vec<Tip>, payload: Payload) -> Result<Entry, Failure> {
        let body = EntryBody {
            project: self.id,
            author: self.me,
            epoch: place.epoch,
            seq: place.seq,
            prev,
            members: self.members.heads(&self.me),
            at: self.now(),
            payload,
        };
        let entry = Entry::sign(body, &self.key);
        let size = entry.bytes().len();
        if size > limits::ENTRY_BYTES {
            let message = format!(
                "the change has {size} bytes; at most {} fit into one entry",
                limits::ENTRY_BYTES
            );
            return Err(Failure::new(FailureCode::Usage, message));
        }
        // What no node would read, this one included when it opens its log again, is never written.
        if let Err(why) = Entry::decode(entry.bytes().clone()) {
            let message = format!("nothing was written: {why}");
            return Err(Failure::new(FailureCode::Failure, message));
        }
        self.pending.own_before.get_or_insert(self.own);
        self.own = Some(OwnTip { tip: entry.tip() });
        self.pending.bytes += entry.bytes().len();
        self.pending.entries.push(PendingEntry::Local(entry.clone()));
        Ok(entry)
    }

    /// Stages work on one item as an entry of its own.
    pub(crate) fn write(&mut self, work: Work) -> Result<ItemId, Failure> {
        let nothing = || Err(Failure::new(FailureCode::Failure, "nothing was written"));
        self.write_batch(vec![work])?.pop().unwrap_or_else(nothing)
    }

    /// Stages work on several items in as few entries as are reasonable. Work that is refused leaves
    /// no trace and does not keep the rest from being done.
    pub(crate) fn write_batch(&mut self, works: Vec<Work>) -> Result<Vec<Result<ItemId, Failure>>, Failure> {
        let mut items = Vec::with_capacity(works.len());
        let mut works = works.into_iter().peekable();
        while works.peek().is_some() {
            let (place, prev) = self.next_place()?;
            let mut ordinal = 0;
            let (mut changes, mut bytes): (Vec<ItemChange>, usize) = (Vec::new(), 0);
            let mut docs: BTreeMap<ItemId, ItemDoc> = BTreeMap::new();
            while bytes < ENTRY_TARGET_BYTES && changes.len() < ENTRY_TARGET_CHANGES {
                let Some(work) = works.next() else { break };
                let ordinal_before = ordinal;
                match self.compose_one(&place, &mut ordinal, &docs, work) {
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
                        // Acts are numbered through the entry without a gap.
                        ordinal = ordinal_before;
                        items.push(Err(failure));
                    }
                }
            }
            if changes.is_empty() {
                continue;
            }
            self.seal(place, prev, Payload::Changes(changes))?;
            let seen_at = self.now();
            self.apply_docs(docs.into_values(), false, seen_at)?;
        }
        Ok(items)
    }

    fn compose_one(
        &mut self,
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
        let composed = compose(base, item, place, ordinal, &self.members, drafts, work.body)
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

    /// Stages a change of the membership by this node.
    pub(crate) fn write_member(&mut self, act: MemberAct) -> Result<Entry, Failure> {
        let (place, prev) = self.next_place()?;
        let own = self.own;
        let entry = self.seal(place, prev, Payload::Member(act))?;
        if let Err(why) = self.members.check(&entry) {
            self.pending.entries.pop();
            self.own = own;
            return Err(Failure::new(FailureCode::NotAllowed, why.to_string()));
        }
        self.apply_member(&entry);
        Ok(entry)
    }

    /// Applies an admitted or own membership entry.
    pub(crate) fn apply_member(&mut self, entry: &Entry) {
        self.pending
            .members_before
            .get_or_insert_with(|| self.members.clone());
        let role_raised = match &entry.body().payload {
            Payload::Member(MemberAct::Admit { node, .. }) => self.members.member(node).cloned(),
            _ => None,
        };
        self.members.apply(entry);
        if self.members.vouched_by(entry) == Some(self.me) {
            self.admission = Some(EntryBytes(entry.bytes().clone()));
        }
        self.vouched.retain(|node| self.members.member(node).is_none());
        self.members_changed = true;
        // Whoever could not write has done nothing that a tie could be about.
        let role_raised = role_raised.filter(|before| {
            before.role.may_write()
                && self
                    .members
                    .member(&before.node)
                    .is_some_and(|now| now.role != before.role)
        });
        self.pending.role_raised = self.pending.role_raised || role_raised.is_some();
    }

    /// Stages an entry that was admitted.
    pub(crate) fn queue_remote(&mut self, entry: Entry) {
        self.pending.bytes += entry.bytes().len();
        self.pending.entries.push(PendingEntry::Remote(entry));
    }

    /// Stages the word that an entry was not stored.
    pub(crate) fn queue_not_stored(&mut self, hash: EntryHash, outcome: AdmissionOutcome) {
        self.pending.entries.push(PendingEntry::NotStored(hash, outcome));
    }

    /// Checks that this node may write.
    pub(super) fn may_write(&self) -> Result<(), Failure> {
        if !self.role().may_write() {
            let (role, name) = (self.role(), self.members.name());
            let why = format!(
                "this node is a {role} of {name} and may not write; an owner can invite it as a writer"
            );
            return Err(Failure::new(FailureCode::NotAllowed, why));
        }
        if let Some(why) = self.log.damage() {
            let why = format!("nothing was written: {why}; stop the node and run `towline doctor --repair`");
            return Err(Failure::new(FailureCode::Failure, why));
        }
        if self
            .missing_own_tip
            .is_some_and(|tip| !self.replica.contains(&self.me, &tip))
        {
            let why = "nothing was written: this node's log is missing its own last entry, so writing is disabled until a peer \
                       sends it back. If no peer has it, stop the node and run `towline doctor --repair`";
            return Err(Failure::new(FailureCode::Failure, why));
        }
        Ok(())
    }

    /// What this node may do.
    pub(crate) fn role(&self) -> towline_proto::Role {
        let me: &NodeId = &self.me;
        self.members
            .member(me)
            .map_or(towline_proto::Role::Reader, |member| member.role)
    }
}
