//! `doctor`: rebuilds all derived state from the log, compares it with the cache, and verifies every
//! signature in the log. It changes nothing.

use std::collections::BTreeMap;

use towline_api::types::Doctor;
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::fold;
use towline_proto::{Entry, EntryHash, ItemId, NodeId, Payload};
use towline_store::log::Log;

use crate::query::QueryContext;

/// The most findings; more of the same add nothing.
const MAX_FINDINGS: usize = 100;

impl QueryContext<'_> {
    /// Checks the store.
    pub(crate) fn doctor(&self) -> Doctor {
        let mut doctor = Doctor {
            checked: Vec::new(),
            findings: self.findings.to_vec(),
        };
        let mut changes: BTreeMap<ItemId, Vec<Vec<u8>>> = BTreeMap::new();
        let mut entries = 0usize;
        // Of entries that came by catch-up only the last signature was checked; the hash chain covers the
        // rest. So a wrong signature counts only if no valid one of the same author follows.
        let mut unvouched: BTreeMap<NodeId, EntryHash> = BTreeMap::new();
        let read = Log::salvage(&self.store.log_dir(), self.id, |record| {
            entries += 1;
            match Entry::decode(record.bytes) {
                Ok(entry) => {
                    let author = entry.body().author;
                    match entry.verify() {
                        Ok(()) => drop(unvouched.remove(&author)),
                        Err(_) => drop(unvouched.insert(author, entry.hash())),
                    }
                    if let Payload::Changes(list) = &entry.body().payload {
                        for change in list {
                            changes
                                .entry(change.item)
                                .or_default()
                                .push(change.change.clone());
                        }
                    }
                }
                Err(error) => doctor
                    .findings
                    .push(format!("a log record is not a valid entry: {error}")),
            }
            Ok::<(), std::convert::Infallible>(())
        });
        let mut whole = true;
        match read {
            Ok(salvaged) => {
                whole = salvaged.gaps.is_empty();
                for gap in salvaged.gaps.iter().map(ToString::to_string) {
                    // Opening has reported the first one already, with a hint.
                    if !doctor.findings.iter().any(|known| known.starts_with(&gap)) {
                        doctor.findings.push(gap);
                    }
                }
            }
            Err(error) => doctor.findings.push(error.to_string()),
        }
        doctor
            .checked
            .push(format!("{entries} entries: checksums, format and signatures"));
        for (author, hash) in &unvouched {
            let (entry, author) = (hash.short(), author.short());
            doctor
                .findings
                .push(format!("entry {entry} of node {author} has an invalid signature"));
        }
        if whole {
            self.check_items(&mut doctor, &changes);
        } else {
            // Rebuilt from a log with gaps, every affected item would be reported as wrong.
            doctor
                .checked
                .push("documents and rows were not compared, because the log has gaps".to_owned());
        }
        for fork in self.replication.core.forks() {
            let (author, seq) = (fork.author.short(), fork.seq);
            doctor.findings.push(format!(
                "node {author} signed two different histories, which fork at its entry {seq}; its key may have been copied"
            ));
        }
        let waiting = self.replication.core.orphan_count();
        doctor
            .checked
            .push(format!("{waiting} entries wait for missing entries"));
        doctor.findings.truncate(MAX_FINDINGS);
        doctor
    }

    fn check_items(&self, doctor: &mut Doctor, changes: &BTreeMap<ItemId, Vec<Vec<u8>>>) {
        let mut acts = 0;
        for (item, raw) in changes {
            let from = if *item == self.store.settings_id() {
                self.store.no_settings().map(|doc| doc.automerge().clone()).ok()
            } else {
                None
            };
            match from_changes(*item, from, raw) {
                Err(why) => doctor.findings.push(format!("item {}: {why}", item.key())),
                Ok(fresh) => {
                    acts += fresh.acts().len();
                    self.check_item(doctor, &fresh);
                }
            }
        }
        let missing = self.index.rows().filter(|row| !changes.contains_key(&row.id));
        for row in missing {
            doctor.findings.push(format!(
                "item {} is in the cache but not in the log; run `towline rebuild`",
                row.id.key()
            ));
        }
        doctor.checked.push(format!(
            "{} items with {acts} acts: documents and rows recomputed and compared",
            changes
                .len()
                .saturating_sub(usize::from(changes.contains_key(&self.store.settings_id())))
        ));
    }

    fn check_item(&self, doctor: &mut Doctor, fresh: &ItemDoc) {
        let id = fresh.id();
        let drifted = |what: &str| {
            format!(
                "the {what} of item {} differs from the log; run `towline rebuild`",
                id.key()
            )
        };
        match fold(id, fresh.acts(), self.members) {
            None => doctor
                .findings
                .push(format!("item {} has no create act", id.key())),
            // Settings have no row.
            Some(_) if id == self.store.settings_id() => {}
            Some(folded) if self.index.get(&id).as_ref() != Some(&folded.view) => {
                doctor.findings.push(drifted("row"))
            }
            Some(_) => {}
        }
        match self.doc(&id) {
            Ok(doc) if doc.heads() == fresh.heads() => {}
            Ok(_) => doctor.findings.push(drifted("document")),
            Err(failure) => doctor.findings.push(failure.message),
        }
    }
}

/// A document built from the changes in the log, which passed the gate when they were admitted.
fn from_changes(
    item: ItemId,
    from: Option<automerge::Automerge>,
    raw: &[Vec<u8>],
) -> anyhow::Result<ItemDoc> {
    let changes: Result<Vec<_>, _> = raw
        .iter()
        .map(|bytes| automerge::Change::from_bytes(bytes.clone()))
        .collect();
    let mut am = from.unwrap_or_default();
    am.apply_changes(changes?)?;
    Ok(ItemDoc::new(item, am)?)
}
