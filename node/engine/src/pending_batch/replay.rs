//! Replays the acts of an export: they are written as they were, in few entries.
//!
//! Act ids derive from places in this node's log, so this file takes care of three things that ids and hashes
//! decide. Acts of the same time get ids in the order of the line, because lists are sorted by them. Acts
//! that competed get a nonce that puts the hashes of their records into the order of their ties. An item with
//! thousands of acts is spread over several entries, whose places are known before the first one is signed.
//! The creation refers to the link that names the item's source, so that everything after it has seen that
//! link.

mod tie_order;

use std::collections::BTreeMap;

use towline_crdt::compose::{self, BodyEdit};
use towline_crdt::doc::ItemDoc;
use towline_proto::{
    Act, ActId, AuthorSeq, ItemChange, ItemId, LinkKind, Millis, Op, Origin, Payload, Tip, limits,
};

use super::{ENTRY_TARGET_BYTES, ENTRY_TARGET_CHANGES};
use tie_order::TieOrder;
pub(crate) use tie_order::hash_prefix;

use crate::Project;
use crate::write::refusal;
use towline_api::export_line::{ActRef, ItemLine, LineAct, decode_op};
use towline_api::request::{Failure, FailureCode};

/// Bytes of records of one item after which it continues in another entry.
const PART_BYTES: usize = 192 * 1024;
/// Acts of one item after which it continues in another entry.
const PART_ACTS: usize = 2_000;
/// Bytes of an act besides its operation: key, field names, origin, time, nonce.
const ACT_BYTES: usize = 400;
/// Bytes for each act that an act has seen.
const SAW_BYTES: usize = 18;
/// An item of an export that is written to this project.
pub(crate) struct ReplayItem<'l> {
    /// The item; a new one when absent.
    pub(crate) item: Option<ItemId>,
    /// The line. Its acts have been checked.
    pub(crate) line: &'l ItemLine,
    /// The ids of the acts that the item has already, in the order of the line.
    pub(crate) known: Vec<ActId>,
    /// The first bytes of their hashes.
    pub(crate) hash_prefixes: Vec<u64>,
    /// How many of the line's acts the item shall have afterwards.
    pub(crate) upto: usize,
    /// For each act that competed with another, its position in the order of ties.
    pub(crate) steps: BTreeMap<u32, u32>,
    /// The new body.
    pub(crate) body: Option<BodyEdit>,
}

/// An entry that is being filled.
struct OpenEntry {
    place: AuthorSeq,
    prev: Vec<Tip>,
    ordinal: u32,
    changes: Vec<ItemChange>,
    bytes: usize,
    docs: BTreeMap<ItemId, ItemDoc>,
}

/// Where an act of the line is written: the entry, counted from the current one, and its number in it.
#[derive(Clone, Copy)]
struct ActSlot {
    part: usize,
    ordinal: u32,
}

impl Project {
    /// Writes items of an export. A refused item does not affect the rest.
    pub(crate) fn replay_lines(
        &mut self,
        items: Vec<ReplayItem<'_>>,
        item_of: &impl Fn(&str) -> Result<ItemId, String>,
    ) -> Result<Vec<Result<ItemId, Failure>>, Failure> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let mut done = Vec::with_capacity(items.len());
        let mut open = self.open_entry()?;
        for item_replay in items {
            let sizes = parts(&item_replay);
            let full = open.bytes >= ENTRY_TARGET_BYTES || open.changes.len() >= ENTRY_TARGET_CHANGES;
            if sizes.len() > 1 || full {
                self.seal_open(open)?;
                open = self.open_entry()?;
            }
            done.push(self.replay_item(&mut open, item_replay, &sizes, item_of)?);
        }
        self.seal_open(open)?;
        Ok(done)
    }

    fn open_entry(&mut self) -> Result<OpenEntry, Failure> {
        let (place, prev) = self.next_place()?;
        Ok(OpenEntry {
            place,
            prev,
            ordinal: 0,
            changes: Vec::new(),
            bytes: 0,
            docs: BTreeMap::new(),
        })
    }

    fn seal_open(&mut self, open: OpenEntry) -> Result<(), Failure> {
        if open.changes.is_empty() {
            return Ok(());
        }
        self.seal((open.place, open.prev), Payload::Changes(open.changes))?;
        let seen_at = self.now();
        // It happened long ago, so these events are backfill.
        self.apply_docs(open.docs.into_values(), true, seen_at)
    }

    fn replay_item(
        &mut self,
        open: &mut OpenEntry,
        item_replay: ReplayItem<'_>,
        sizes: &[usize],
        item_of: &impl Fn(&str) -> Result<ItemId, String>,
    ) -> Result<Result<ItemId, Failure>, Failure> {
        let first = item_replay
            .line
            .acts
            .first()
            .map(|act| act.at)
            .unwrap_or_default();
        let item = item_replay
            .item
            .unwrap_or_else(|| ItemId::derive(first, &open.place, open.ordinal));
        let mut replay = match LineReplay::new(&item_replay, open, sizes) {
            Ok(replay) => replay,
            Err(why) => return Ok(Err(Failure::new(FailureCode::Usage, why))),
        };
        let epoch = open.place.epoch;
        let mut body = item_replay.body.clone();
        for part in 0..sizes.len() {
            if part > 0 {
                let sealed = std::mem::replace(open, self.empty_after(open));
                self.seal_open(sealed)?;
                (open.place, open.prev) = self.next_place()?;
                if open.place.epoch != epoch {
                    let why = "this node's log has changed meanwhile; import the file again";
                    return Ok(Err(Failure::new(FailureCode::Failure, why)));
                }
            }
            let acts = match replay.acts(part, item_of) {
                Ok(acts) => acts,
                Err(why) => return Ok(Err(Failure::new(FailureCode::Usage, why))),
            };
            let stored = match (part, item_replay.item) {
                (0, None) => None,
                _ => Some(self.store.doc(&item)?),
            };
            let base = open.docs.get(&item).or(stored.as_deref());
            let mut ordinal = open.ordinal;
            let last = part + 1 == sizes.len();
            let edit = if last { body.take() } else { None };
            let composed = compose::replay(base, item, &open.place, &mut ordinal, &self.members, acts, edit);
            let composed = match composed {
                Ok(composed) => composed,
                // The acts of an entry are numbered without gaps.
                Err(error) => return Ok(Err(refusal(&error))),
            };
            open.ordinal = ordinal;
            open.bytes += composed.changes.iter().map(Vec::len).sum::<usize>();
            let changes = composed.changes.into_iter();
            open.changes
                .extend(changes.map(|change| ItemChange { item, change }));
            open.docs.insert(item, composed.doc);
        }
        Ok(Ok(item))
    }

    /// An empty entry to replace one that is about to be signed; its place is set afterwards.
    fn empty_after(&self, before: &OpenEntry) -> OpenEntry {
        OpenEntry {
            place: before.place,
            prev: Vec::new(),
            ordinal: 0,
            changes: Vec::new(),
            bytes: 0,
            docs: BTreeMap::new(),
        }
    }
}

/// How many acts go into each entry: one part for nearly every item.
fn parts(item_replay: &ReplayItem<'_>) -> Vec<usize> {
    let mut parts = vec![0];
    let mut bytes = 0;
    for act in item_replay
        .line
        .acts
        .iter()
        .take(item_replay.upto)
        .skip(item_replay.known.len())
    {
        let size = size(act);
        let last = parts.last().copied().unwrap_or_default();
        if last > 0 && (bytes + size > PART_BYTES || last >= PART_ACTS) {
            parts.push(0);
            bytes = 0;
        }
        bytes += size;
        if let Some(last) = parts.last_mut() {
            *last += 1;
        }
    }
    parts
}

fn size(act: &LineAct) -> usize {
    let texts = act.with.values().filter_map(|value| value.as_str()).map(str::len);
    ACT_BYTES + act.saw.len() * SAW_BYTES + act.origin.id.len() + texts.sum::<usize>()
}

/// The replay of one line: which act gets which id.
struct LineReplay<'w> {
    item_replay: &'w ReplayItem<'w>,
    ids: Vec<ActId>,
    /// For each part, its acts in the order of their numbers.
    order: Vec<Vec<usize>>,
    /// The link that names the source of a new item.
    link: Option<ActId>,
    ties: TieOrder<'w>,
}

impl<'w> LineReplay<'w> {
    fn new(item_replay: &'w ReplayItem<'w>, open: &OpenEntry, sizes: &[usize]) -> Result<Self, String> {
        let fresh = item_replay.known.is_empty();
        let id_at = |slot: ActSlot| -> ActId {
            let later = u64::try_from(slot.part).unwrap_or(u64::MAX);
            let seq = open.place.seq.saturating_add(later);
            ActId::derive(&open.place.node, open.place.epoch, seq, slot.ordinal)
        };
        let mut slots = Vec::new();
        let mut link = None;
        for (part, size) in sizes.iter().enumerate() {
            let mut ordinal = if part == 0 { open.ordinal } else { 0 };
            for place in 0..*size {
                slots.push(ActSlot { part, ordinal });
                ordinal = ordinal.saturating_add(1);
                if fresh && part == 0 && place == 0 {
                    link = Some(id_at(ActSlot { part, ordinal }));
                    ordinal = ordinal.saturating_add(1);
                }
            }
        }
        let from = item_replay.known.len();
        // Ids of acts with the same time must ascend in the order of the line. The creation keeps its place.
        let mut by_time: BTreeMap<Millis, Vec<usize>> = BTreeMap::new();
        for (at, act) in item_replay
            .line
            .acts
            .iter()
            .enumerate()
            .take(item_replay.upto)
            .skip(from.max(1))
        {
            by_time.entry(act.at).or_default().push(at);
        }
        let mut slot_of: BTreeMap<usize, ActSlot> = BTreeMap::new();
        if let Some(slot) = slots.first().filter(|_| fresh) {
            slot_of.insert(0, *slot);
        }
        for group in by_time.into_values() {
            let mut free: Vec<ActSlot> = group
                .iter()
                .filter_map(|at| slots.get(at - from).copied())
                .collect();
            free.sort_by_cached_key(|slot| id_at(*slot));
            slot_of.extend(group.into_iter().zip(free));
        }
        let mut ids = item_replay.known.clone();
        let mut order: Vec<Vec<(u32, usize)>> = vec![Vec::new(); sizes.len()];
        for at in from..item_replay.upto {
            let slot = slot_of.get(&at).copied().ok_or("its acts have no order")?;
            ids.push(id_at(slot));
            if let Some(part) = order.get_mut(slot.part) {
                part.push((slot.ordinal, at));
            }
        }
        for part in &mut order {
            part.sort_unstable();
        }
        let order = order.into_iter();
        Ok(Self {
            ids,
            order: order
                .map(|part| part.into_iter().map(|(_, at)| at).collect())
                .collect(),
            link,
            ties: TieOrder::new(item_replay.line, &item_replay.steps, &item_replay.hash_prefixes),
            item_replay,
        })
    }

    /// The acts of one part, in the order of their numbers.
    fn acts(
        &mut self,
        part: usize,
        item_of: &impl Fn(&str) -> Result<ItemId, String>,
    ) -> Result<Vec<Act>, String> {
        let mut acts = Vec::new();
        for at in self.order.get(part).cloned().unwrap_or_default() {
            let Some(line_act) = self.item_replay.line.acts.get(at) else {
                continue;
            };
            let act = self.act(at, line_act, item_of)?;
            let (made_at, made_by) = (act.at, act.origin.clone());
            acts.push(act);
            if at == 0 && self.link.is_some() {
                acts.push(self.source_link(made_at, made_by));
            }
        }
        Ok(acts)
    }

    fn source_link(&self, at: Millis, origin: Origin) -> Act {
        Act {
            op: Op::AddLink {
                kind: LinkKind::External,
                target: self.item_replay.line.reference.clone(),
            },
            saw: Vec::new(),
            at,
            origin,
            nonce: None,
            request: None,
        }
    }

    fn act(
        &mut self,
        at: usize,
        line_act: &LineAct,
        item_of: &impl Fn(&str) -> Result<ItemId, String>,
    ) -> Result<Act, String> {
        let id_of = |act: ActRef| match act {
            ActRef::Id(id) => Ok(id),
            ActRef::At(place) => {
                let id = usize::try_from(place).ok().and_then(|place| self.ids.get(place));
                id.copied()
                    .ok_or_else(|| format!("it refers to act {place}, which does not exist"))
            }
        };
        let op = decode_op(line_act, id_of, item_of)?;
        let mut saw = line_act
            .saw
            .iter()
            .map(|seen| id_of(*seen))
            .collect::<Result<Vec<_>, _>>()?;
        if at == 0 {
            saw.extend(self.link);
        }
        saw.sort_unstable();
        saw.dedup();
        if saw.len() > limits::SAW_PER_ACT {
            return Err(format!(
                "an act saw {} others; at most {}",
                saw.len(),
                limits::SAW_PER_ACT
            ));
        }
        let act = Act {
            op,
            saw,
            at: line_act.at,
            origin: line_act.origin.clone(),
            nonce: None,
            request: line_act.request,
        };
        Ok(self.ties.numbered(at, act))
    }
}
