//! Offline entries: entries that came in a file and not from a peer, so that nobody is penalised or asked for more.
//!
//! Otherwise they are treated like the entries of a catch-up frame: signatures are checked, entries whose
//! predecessors are known go to the gate, the others become orphans. Relies on `frame_signatures` for signatures and
//! on `orphans` for the rest.

use towline_proto::Entry;

use crate::Effect;
use crate::author_logs::Placement;
use crate::frame_signatures::{self, CheckedEntry};
use crate::orphan_pool::Orphan;
use crate::peer_session::AdmissionSource;
use crate::replica::{PendingAdmission, Replica};

impl Replica {
    pub(crate) fn offline_entries(&mut self, entries: Vec<Entry>, out: &mut Vec<Effect>) {
        let ours = entries
            .into_iter()
            .filter(|entry| entry.project() == self.project);
        let (checked, _) = frame_signatures::check(ours.collect(), |entry| self.is_seen(entry));
        for CheckedEntry { entry, verified } in checked {
            self.place_offline_entry(entry, verified, out);
        }
    }

    fn place_offline_entry(&mut self, entry: Entry, verified: bool, out: &mut Vec<Effect>) {
        if self.refused.contains(&entry.hash()) {
            return;
        }
        match self.placement(&entry) {
            Placement::Known | Placement::Invalid(_) => {}
            Placement::Next => {
                // It may be an orphan that a peer sent earlier.
                let orphan = self.orphans.take_same(&entry);
                self.admit(
                    PendingAdmission {
                        entry,
                        source: AdmissionSource::Orphan { peer: None },
                        verified: verified || orphan.as_ref().is_some_and(|orphan| orphan.verified),
                        live: false,
                        attempts: orphan.and_then(|orphan| orphan.attempts),
                    },
                    out,
                );
            }
            Placement::Gap if self.orphans.contains(&entry) => {}
            Placement::Gap => self.add_orphan(Orphan {
                entry,
                peer: None,
                verified,
                live: false,
                attempts: None,
            }),
            Placement::Forked(epoch, seq) => {
                self.record_fork(&entry, epoch, seq, out);
            }
        }
    }
}
