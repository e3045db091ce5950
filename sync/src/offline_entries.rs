//! Entries that came without a network, on a stick: no peer sent them, so nobody is blamed, thanked or
//! asked for more.
//!
//! Otherwise they go the way of a catch-up frame: their signatures are checked, what may follow goes to
//! the gate, what came too early waits. Relies on `frame` for signatures and on `holding` for the rest.

use towline_proto::Entry;

use crate::Effect;
use crate::author_logs::Placement;
use crate::frame_signatures::{self, CheckedEntry};
use crate::orphan_pool::Orphan;
use crate::peer_session::Source;
use crate::replica::{PendingAdmission, Replica};

impl Replica {
    pub(crate) fn carried(&mut self, entries: Vec<Entry>, out: &mut Vec<Effect>) {
        let ours = entries
            .into_iter()
            .filter(|entry| entry.project() == self.project);
        let (checked, _) = frame_signatures::check(ours.collect(), |entry| self.is_seen(entry));
        for CheckedEntry { entry, verified } in checked {
            self.take_carried(entry, verified, out);
        }
    }

    fn take_carried(&mut self, entry: Entry, verified: bool, out: &mut Vec<Effect>) {
        if self.refused.contains(&entry.hash()) {
            return;
        }
        match self.place(&entry) {
            Placement::Known | Placement::Invalid(_) => {}
            Placement::Next => {
                // It may have waited here since a peer sent it.
                let held = self.waiting.take_same(&entry);
                self.admit(
                    PendingAdmission {
                        entry,
                        source: Source::Orphan { peer: None },
                        verified: verified || held.as_ref().is_some_and(|held| held.verified),
                        live: false,
                        tried: held.and_then(|held| held.tried),
                    },
                    out,
                );
            }
            Placement::Gap if self.waiting.contains(&entry) => {}
            Placement::Gap => self.hold(Orphan {
                entry,
                peer: None,
                verified,
                live: false,
                tried: None,
            }),
            Placement::Forked(epoch, seq) => {
                self.accuse(&entry, epoch, seq, out);
            }
        }
    }
}
