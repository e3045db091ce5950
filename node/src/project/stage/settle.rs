//! The end of a stage: one append makes everything in it durable, or all of it is undone.
//!
//! The replication core hears of each staged thing in the order in which it was staged, either way.
//! What the log refused is never left in documents, rows or the membership.

use towline_sync::{AdmissionOutcome, Input};

use super::{Stage, Staged};
use crate::api::request::{Failure, FailureCode};
use crate::log::LogError;
use crate::project::Project;

impl Project {
    /// Makes everything staged durable with one append and one sync, and tells the replication core.
    ///
    /// # Errors
    /// When the log refuses; nothing of the stage is left then.
    pub(crate) fn commit_stage(&mut self) -> Result<(), Failure> {
        if self.stage.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let stage = std::mem::take(&mut self.stage);
        let entries = stage.staged.iter().filter_map(Staged::entry);
        let records: Vec<_> = entries.map(|entry| (now, entry.bytes().clone())).collect();
        let own = stage.staged.iter().rev().find_map(|staged| match staged {
            Staged::Local(entry) => Some(entry.tip()),
            Staged::Remote(_) | Staged::Told(..) => None,
        });
        let positions = match self.log.append(&records, own) {
            Ok(positions) => positions,
            Err(error) => {
                self.undo(stage);
                return Err(log_failure(&error));
            }
        };
        self.applied = positions.last().copied().or(self.applied);
        self.recent.extend(stage.events);
        self.dirty = self.dirty || !positions.is_empty();
        let mut positions = positions.into_iter();
        for staged in stage.staged {
            let input = match staged {
                Staged::Told(hash, outcome) => Input::AdmissionOutcome { hash, outcome },
                Staged::Local(entry) => {
                    let Some(position) = positions.next() else {
                        continue;
                    };
                    Input::Written { entry, position }
                }
                Staged::Remote(entry) => {
                    let Some(position) = positions.next() else {
                        continue;
                    };
                    Input::AdmissionOutcome {
                        hash: entry.hash(),
                        outcome: AdmissionOutcome::Stored { position },
                    }
                }
            };
            let effects = self.replica.handle(now, input);
            self.todo.extend(effects);
        }
        if stage.raised {
            self.fold_again();
        } else if stage.members_before.is_some() {
            self.ranks = self.members.roles_digest();
        }
        Ok(())
    }

    /// Takes back everything that is staged.
    pub(in crate::project) fn undo_stage(&mut self) {
        let stage = std::mem::take(&mut self.stage);
        self.undo(stage);
    }

    fn undo(&mut self, stage: Stage) {
        for (id, before) in stage.rows_before {
            self.docs.forget(&id);
            match before {
                Some(row) => {
                    self.note_claim(&row);
                    self.index.put(row);
                }
                None => {
                    self.forget_claim(&id);
                    self.index.remove(&id);
                }
            }
        }
        drop(self.index.take_turns());
        let settings = self.settings_id();
        let set = stage.docs_before.contains_key(&settings);
        if set {
            self.docs.forget(&settings);
        }
        for doc in stage.docs_before.into_values().flatten() {
            self.docs.put(doc);
        }
        if let Some(members) = stage.members_before {
            self.members = members;
        }
        if set {
            self.read_settings();
        }
        if let Some(own) = stage.own_before {
            self.own = own;
        }
        if let Some(feed) = stage.feed_before {
            self.feed_head = feed;
        }
        let now = self.now();
        for staged in stage.staged {
            let input = match staged {
                Staged::Local(_) => continue,
                Staged::Remote(entry) => Input::AdmissionOutcome {
                    hash: entry.hash(),
                    outcome: AdmissionOutcome::Missing,
                },
                Staged::Told(hash, outcome) => Input::AdmissionOutcome { hash, outcome },
            };
            let effects = self.replica.handle(now, input);
            self.todo.extend(effects);
        }
    }
}

/// What the log's refusal means to whoever asked.
fn log_failure(error: &LogError) -> Failure {
    Failure::new(FailureCode::Failure, format!("nothing was written: {error}"))
}
