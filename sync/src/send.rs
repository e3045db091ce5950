//! Sends a peer the entries that it lacks, one frame at a time.
//!
//! A frame is read from the log only when the peer has acknowledged the previous one, so a slow peer slows down
//! nobody else. Relies on [`crate::send_plan`] for what to send and on [`crate::frame_signatures`] for where a
//! frame may be cut. Keeps no entry longer than it takes to send it.

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
    /// Requests the entries for the next frame of a plan from the log, or sends an empty frame when there are none.
    pub(crate) fn send_next(&mut self, now: Millis, peer: NodeId, plan: SendPlan, out: &mut Vec<Effect>) {
        self.send_within(now, peer, plan, self.frame_sizes.bytes(&peer), out);
    }

    fn send_within(
        &mut self,
        now: Millis,
        peer: NodeId,
        mut plan: SendPlan,
        bytes: usize,
        out: &mut Vec<Effect>,
    ) {
        let planned = plan.take(&self.logs, FrameSizes::entries(bytes));
        if planned.is_empty() {
            self.send_frame(now, peer, plan, Vec::new(), out);
            return;
        }
        let request = self.next_serial();
        let positions = planned.iter().map(|entry| entry.position).collect();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.outgoing = Some(OutgoingTransfer {
                plan,
                step: OutgoingStep::Reading {
                    request,
                    planned,
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
        let (mut plan, planned, bytes) = match state.outgoing.take() {
            Some(OutgoingTransfer {
                plan,
                step:
                    OutgoingStep::Reading {
                        request: open,
                        planned,
                        bytes,
                    },
                ..
            }) if open == request => (plan, planned, bytes),
            // The answer to a read from before the peer reconnected.
            other => {
                state.outgoing = other;
                return;
            }
        };
        let decisions = frame_signatures::sendable(&planned, &records);
        let decision_at = |at: usize| decisions.get(at).copied().unwrap_or(SendDecision::Later);
        let broken: BTreeSet<_> = planned
            .iter()
            .enumerate()
            .filter(|(at, _)| decision_at(*at) == SendDecision::Unreadable)
            .map(|(_, entry)| entry.run())
            .collect();
        let mut later = Vec::new();
        for (at, entry) in planned.iter().enumerate() {
            if broken.contains(&entry.run()) {
                plan.skip(&self.logs, entry);
            } else if decision_at(at) != SendDecision::Send {
                later.push(*entry);
            }
        }
        plan.put_back(&self.logs, &later);
        let mut sent = records;
        let mut at = 0;
        sent.retain(|_| {
            at += 1;
            decision_at(at - 1) == SendDecision::Send
        });
        match (sent.is_empty(), broken.is_empty()) {
            // A run is cut at a good signature, and the next one may be further away than a small frame reaches.
            (true, true) if bytes < limits::CATCH_UP_BYTES => {
                self.send_within(now, peer, plan, limits::CATCH_UP_BYTES, out);
            }
            // No run of a full frame has a good signature. Reading it again would not help, so the peer has to
            // get these entries from another node.
            (true, true) => self.send_frame(now, peer, SendPlan::default(), sent, out),
            // The unreadable runs have been removed from the plan, so this ends.
            (true, false) => self.send_next(now, peer, plan, out),
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
        state.outgoing = Some(OutgoingTransfer {
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
        match state.outgoing.take() {
            Some(OutgoingTransfer {
                plan,
                step: OutgoingStep::Sent { last, bytes, since },
                ..
            }) => {
                self.frame_sizes.acknowledged(peer, bytes, now.since(since));
                if last {
                    self.announce(now, peer, out);
                } else {
                    self.send_next(now, peer, plan, out);
                }
            }
            other @ (None | Some(OutgoingTransfer { .. })) => state.outgoing = other,
        }
    }

    /// Sends peers the forks that have been proved since they connected: both histories, because this node does
    /// not know which one they follow.
    pub(crate) fn offer_proofs(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.forks.all().is_empty() {
            return;
        }
        for peer in self.ids(|peer| peer.owes_proofs && peer.outgoing.is_none()) {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.owes_proofs = false;
            }
            let mut bytes = 0;
            let proofs = self.forks.all().iter().map(|proof| proof.other.bytes());
            let others = proofs.take_while(|entry| {
                let room = bytes < limits::CATCH_UP_BYTES;
                bytes += entry.len();
                room
            });
            let others = others.map(|entry| EntryBytes(entry.clone())).collect();
            let plan = SendPlan::of_proofs(&self.logs, &self.forks);
            self.send_frame(now, peer, plan, others, out);
        }
    }
}
