//! Sending a peer what it lacks: one frame in flight, each read from the log only when the last one
//! has been dealt with, so a slow reader slows nobody but itself.
//!
//! It relies on [`crate::send_plan`] for what to send and on [`crate::frame_signatures`] for where a frame may be
//! cut. This file never holds an entry longer than it takes to send it.

use std::collections::BTreeSet;

use towline_proto::wire::{EntryBytes, Message};
use towline_proto::{Millis, NodeId, limits};

use crate::Effect;
use crate::frame_signatures::{self, SendDecision};
use crate::frame_size::FrameSizes;
use crate::peer_session::{OutgoingStep, OutgoingTransfer};
use crate::replica::Replica;
use crate::send_plan::SendPlan;

impl Replica {
    /// Has the next frame of a plan read, or says that there is nothing to send.
    pub(crate) fn give(&mut self, now: Millis, peer: NodeId, plan: SendPlan, out: &mut Vec<Effect>) {
        self.give_within(now, peer, plan, self.paces.bytes(&peer), out);
    }

    fn give_within(
        &mut self,
        now: Millis,
        peer: NodeId,
        mut plan: SendPlan,
        bytes: usize,
        out: &mut Vec<Effect>,
    ) {
        let slots = plan.take(&self.chain, FrameSizes::entries(bytes));
        if slots.is_empty() {
            self.send_frame(now, peer, plan, Vec::new(), out);
            return;
        }
        let request = self.next_serial();
        let positions = slots.iter().map(|slot| slot.position).collect();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.giving = Some(OutgoingTransfer {
                plan,
                step: OutgoingStep::Reading {
                    request,
                    slots,
                    bytes,
                },
                at: now,
            });
            out.push(Effect::Read {
                peer,
                request,
                positions,
                bytes,
            });
        }
    }

    pub(crate) fn read(
        &mut self,
        now: Millis,
        peer: NodeId,
        request: u64,
        records: Vec<EntryBytes>,
        out: &mut Vec<Effect>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let (mut plan, slots, bytes) = match state.giving.take() {
            Some(OutgoingTransfer {
                plan,
                step:
                    OutgoingStep::Reading {
                        request: open,
                        slots,
                        bytes,
                    },
                ..
            }) if open == request => (plan, slots, bytes),
            // An answer to what was asked before the peer reconnected is nobody's any more.
            other => {
                state.giving = other;
                return;
            }
        };
        let fates = frame_signatures::sendable(&slots, &records);
        let fate_of = |at: usize| fates.get(at).copied().unwrap_or(SendDecision::Later);
        let broken: BTreeSet<_> = slots
            .iter()
            .enumerate()
            .filter(|(at, _)| fate_of(*at) == SendDecision::Unreadable)
            .map(|(_, slot)| slot.run())
            .collect();
        let mut later = Vec::new();
        for (at, slot) in slots.iter().enumerate() {
            if broken.contains(&slot.run()) {
                plan.skip(&self.chain, slot);
            } else if fate_of(at) != SendDecision::Send {
                later.push(*slot);
            }
        }
        plan.put_back(&self.chain, &later);
        let mut sent = records;
        let mut at = 0;
        sent.retain(|_| {
            at += 1;
            fate_of(at - 1) == SendDecision::Send
        });
        match (sent.is_empty(), broken.is_empty()) {
            // A run is cut where a signature is good, and the next one may lie behind a small frame.
            (true, true) if bytes < limits::CATCH_UP_BYTES => {
                self.give_within(now, peer, plan, limits::CATCH_UP_BYTES, out);
            }
            // No run of a full frame has a good signature. Reading the same again would not help, so
            // the peer has to get these from somebody else.
            (true, true) => self.send_frame(now, peer, SendPlan::default(), sent, out),
            // The unreadable runs are out of the plan now, so this comes to an end.
            (true, false) => self.give(now, peer, plan, out),
            (false, _) => self.send_frame(now, peer, plan, sent, out),
        }
    }

    fn send_frame(
        &mut self,
        now: Millis,
        peer: NodeId,
        plan: SendPlan,
        entries: Vec<EntryBytes>,
        out: &mut Vec<Effect>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let more = !plan.is_empty();
        state.giving = Some(OutgoingTransfer {
            plan,
            step: OutgoingStep::Sent {
                last: !more,
                bytes: entries.iter().map(|entry| entry.0.len()).sum(),
                since: now,
            },
            at: now,
        });
        let project = self.project;
        out.push(Effect::Send {
            peer,
            message: Message::Entries {
                project,
                entries,
                more,
            },
        });
    }

    pub(crate) fn got(&mut self, now: Millis, peer: NodeId, out: &mut Vec<Effect>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        match state.giving.take() {
            Some(OutgoingTransfer {
                plan,
                step: OutgoingStep::Sent { last, bytes, since },
                ..
            }) => {
                self.paces.took(peer, bytes, now.since(since));
                if last {
                    self.tell(now, peer, out);
                } else {
                    self.give(now, peer, plan, out);
                }
            }
            other @ (None | Some(OutgoingTransfer { .. })) => state.giving = other,
        }
    }

    /// Shows peers the forks that have been proved since they connected: both histories, because
    /// we cannot know which one they follow.
    pub(crate) fn offer_proofs(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.forks.all().is_empty() {
            return;
        }
        for peer in self.ids(|peer| peer.owed_proofs && peer.giving.is_none()) {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.owed_proofs = false;
            }
            let mut bytes = 0;
            let proofs = self.forks.all().iter().map(|proof| proof.other.bytes());
            let others = proofs.take_while(|entry| {
                let room = bytes < limits::CATCH_UP_BYTES;
                bytes += entry.len();
                room
            });
            let others = others.map(|entry| EntryBytes(entry.clone())).collect();
            let plan = SendPlan::of_proofs(&self.chain, &self.forks);
            self.send_frame(now, peer, plan, others, out);
        }
    }
}
