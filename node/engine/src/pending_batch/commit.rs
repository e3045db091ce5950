//! Commits the pending batch: one append makes every entry durable, or the whole batch is rolled back.
//!
//! Either way the replication core gets the outcome of each entry in the order in which they were added.
//! After a rollback nothing that the log refused is left in documents, rows or the membership.

use towline_api::request::{Failure, FailureCode};
use towline_store::cache::Row;
use towline_store::log::LogError;
use towline_sync::{AdmissionOutcome, Input};

use super::{PendingBatch, PendingEntry};
use crate::Project;

impl Project {
    /// Makes the pending batch durable with one append and one sync, and reports the outcomes to the
    /// replication core.
    ///
    /// # Errors
    /// When the log refuses; nothing of the stage is left then.
    pub(crate) fn commit_pending(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let batch = std::mem::take(&mut self.batch);
        let entries = batch.entries.iter().filter_map(PendingEntry::entry);
        let records: Vec<_> = entries.map(|entry| (now, entry.bytes().clone())).collect();
        let own = batch.entries.iter().rev().find_map(|pending| match pending {
            PendingEntry::Local(entry) => Some(entry.tip()),
            PendingEntry::Remote(_) | PendingEntry::NotStored(..) => None,
        });
        let positions = match self.store.log.append(&records, own) {
            Ok(positions) => positions,
            Err(error) => {
                self.rollback(batch);
                return Err(log_failure(&error));
            }
        };
        self.store.applied(positions.last().copied(), batch.events);
        let mut positions = positions.into_iter();
        for pending in batch.entries {
            let input = match pending {
                PendingEntry::NotStored(hash, outcome) => Input::AdmissionOutcome { hash, outcome },
                PendingEntry::Local(entry) => {
                    let Some(position) = positions.next() else {
                        continue;
                    };
                    Input::Written { entry, position }
                }
                PendingEntry::Remote(entry) => {
                    let Some(position) = positions.next() else {
                        continue;
                    };
                    Input::AdmissionOutcome {
                        hash: entry.hash(),
                        outcome: AdmissionOutcome::Stored { position },
                    }
                }
            };
            self.replication.handle(now, input);
        }
        if batch.role_raised {
            self.refold_all();
        } else if batch.members_before.is_some() {
            self.store.set_folded_roles(self.members.roles_digest());
        }
        Ok(())
    }

    /// Rolls the pending batch back.
    pub(crate) fn rollback_pending(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.rollback(batch);
    }

    fn rollback(&mut self, batch: PendingBatch) {
        for (id, before) in batch.rows_before {
            self.store.forget_doc(&id);
            match before.as_ref().and_then(Row::view) {
                Some(row) => {
                    let undone = self.index.get(&id);
                    let claim = undone.as_ref().and_then(|row| row.claim.as_ref());
                    self.presence.note_claim(self.env.instant(), &row, claim);
                    self.index.replace(undone.as_ref(), row);
                }
                None => {
                    self.presence.forget_claim(&id);
                    self.index.remove(&id);
                }
            }
        }
        drop(self.index.take_cycle_changes());
        let settings = self.store.settings_id();
        let set = batch.docs_before.contains_key(&settings);
        if set {
            self.store.forget_doc(&settings);
        }
        for doc in batch.docs_before.into_values().flatten() {
            self.store.put_doc(doc);
        }
        if let Some(members) = batch.members_before {
            self.members = members;
        }
        if set {
            self.read_settings();
        }
        if let Some(own) = batch.own_before {
            self.author.roll_back(own);
        }
        if let Some(feed) = batch.feed_before {
            self.store.feed.roll_back(feed);
        }
        let now = self.now();
        for pending in batch.entries {
            let input = match pending {
                PendingEntry::Local(_) => continue,
                PendingEntry::Remote(entry) => Input::AdmissionOutcome {
                    hash: entry.hash(),
                    outcome: AdmissionOutcome::Missing,
                },
                PendingEntry::NotStored(hash, outcome) => Input::AdmissionOutcome { hash, outcome },
            };
            self.replication.handle(now, input);
        }
    }
}

/// The failure that callers get when the log refuses an append.
fn log_failure(error: &LogError) -> Failure {
    Failure::new(FailureCode::Failure, format!("nothing was written: {error}"))
}
