//! Entries that came without a network, on a stick: no peer sent them, so nobody is blamed, thanked or
//! asked for more.
//!
//! Otherwise they go the way of a catch-up frame: their signatures are checked, what may follow goes to
//! the gate, what came too early waits. Relies on `frame` for signatures and on `holding` for the rest.

use towline_proto::Entry;

use crate::Effect;
use crate::chain::Place;
use crate::frame::{self, Checked};
use crate::peer::Source;
use crate::replica::{Flight, Replica};
use crate::waiting::Held;

impl Replica {
    pub(crate) fn carried(&mut self, entries: Vec<Entry>, out: &mut Vec<Effect>) {
        let ours = entries
            .into_iter()
            .filter(|entry| entry.project() == self.project);
        let (checked, _) = frame::check(ours.collect(), |entry| self.is_seen(entry));
        for Checked { entry, verified } in checked {
            self.take_carried(entry, verified, out);
        }
    }

    fn take_carried(&mut self, entry: Entry, verified: bool, out: &mut Vec<Effect>) {
        if self.refused.contains(&entry.hash()) {
            return;
        }
        match self.place(&entry) {
            Place::Known | Place::Invalid(_) => {}
            Place::Next => {
                // It may have waited here since a peer sent it.
                let held = self.waiting.take_same(&entry);
                self.admit(
                    Flight {
                        entry,
                        source: Source::Held { peer: None },
                        verified: verified || held.as_ref().is_some_and(|held| held.verified),
                        live: false,
                        tried: held.and_then(|held| held.tried),
                    },
                    out,
                );
            }
            Place::Gap if self.waiting.contains(&entry) => {}
            Place::Gap => self.hold(Held {
                entry,
                peer: None,
                verified,
                live: false,
                tried: None,
            }),
            Place::Forked(epoch, seq) => {
                self.accuse(&entry, epoch, seq, out);
            }
        }
    }
}
