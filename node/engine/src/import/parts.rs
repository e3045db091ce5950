//! Splits work on one item into parts that each fit into an entry: an issue with a megabyte of comments needs
//! several.
//!
//! Works on sizes alone. The order is kept; the import mark and the stage come last, so an item that was
//! written partly is completed by the next import.

use std::collections::BTreeMap;

use towline_api::request::Failure;
use towline_crdt::compose::Draft;
use towline_proto::{ItemId, codec};

use crate::Project;
use crate::pending_batch::Work;

/// Bytes of records after which an item continues in another part. A body of the maximum size, in the first
/// part, fits beside them into the limit for work on one item.
const PART_BYTES: usize = 192 * 1024;
/// Acts after which an item continues in another part.
const PART_ACTS: usize = 2_000;
/// Bytes of an act besides its operation: key, field names, origin, time, acts seen.
const ACT_BYTES: usize = 400;

/// The work in parts; nearly every item needs one. All parts but the first refer to an item that exists by
/// then.
fn parts(work: Work) -> Vec<Work> {
    let mut judged = work.judged;
    let mut parts = vec![Work {
        item: work.item,
        body: work.body,
        ..Work::default()
    }];
    let mut bytes = 0;
    for (place, draft) in work.drafts.into_iter().enumerate() {
        let size = size(&draft);
        let full = |part: &Work| {
            let acts = part.drafts.len() + part.judged.len();
            acts > 0 && (bytes + size > PART_BYTES || acts >= PART_ACTS)
        };
        if parts.last().is_none_or(full) {
            parts.push(Work::default());
            bytes = 0;
        }
        bytes += size;
        if let Some(part) = parts.last_mut() {
            if let Some(state) = judged.remove(&place) {
                bytes += ACT_BYTES;
                part.judged.insert(part.drafts.len(), state);
            }
            part.drafts.push(draft);
        }
    }
    parts
}

fn size(draft: &Draft) -> usize {
    ACT_BYTES + codec::encode(&draft.op).len() + draft.origin.id.len()
}

impl Project {
    /// Writes work on imported items, in as many parts as each needs. The items do not affect each other.
    pub(super) fn write_import(&mut self, works: Vec<Work>) -> Result<Vec<Result<ItemId, Failure>>, Failure> {
        let mut later: BTreeMap<usize, Vec<Work>> = BTreeMap::new();
        let mut first = Vec::with_capacity(works.len());
        for (place, work) in works.into_iter().enumerate() {
            let mut parts = parts(work).into_iter();
            first.extend(parts.next());
            if parts.len() > 0 {
                later.insert(place, parts.collect());
            }
        }
        let mut done = self.write_batch(first)?;
        for (place, parts) in later {
            let Some(outcome) = done.get_mut(place) else {
                continue;
            };
            for part in parts {
                let Ok(item) = outcome else { break };
                let item = *item;
                if let Err(failure) = self.write(Work {
                    item: Some(item),
                    ..part
                }) {
                    let message = format!("only part of it was written: {}", failure.message);
                    *outcome = Err(failure.with_message(message));
                }
            }
        }
        Ok(done)
    }
}
