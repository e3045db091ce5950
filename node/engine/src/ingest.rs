//! Ingests entries from peers: the gate, and the effects of the replication core.

use std::collections::BTreeMap;

use towline_api::types::PeerInfo;
use towline_crdt::doc::{ActRecord, Acts, ItemDoc, NodePrefix};
use towline_crdt::gate;
use towline_crdt::settings::check_document;
use towline_net::{GossipToken, NetInput, NetOutput};
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, ItemChange, ItemId, NodeId, Payload, Role, limits};
use towline_sync::{AdmissionBatch, AdmissionOutcome, Effect, Input};

use super::Project;

impl Project {
    /// Handles an input from the network.
    pub(crate) fn handle_net(&mut self, input: NetInput) {
        let input = match input {
            NetInput::Connected { peer, address } => {
                self.addresses.insert(peer, address);
                self.presence.announce_soon(self.env.instant());
                Input::Connected { peer }
            }
            NetInput::Disconnected { peer } => {
                self.addresses.remove(&peer);
                Input::Disconnected { peer }
            }
            NetInput::Progress { peer } => Input::Progress { peer },
            NetInput::Message { peer, message } => Input::Message { peer, message },
            NetInput::Gossip { peer, token, bytes } => Input::Gossip {
                peer,
                token: token.0,
                bytes,
            },
            NetInput::Presence { peer, token, bytes } => return self.handle_presence(peer, token, &bytes),
            NetInput::Admission { peer, entry, seen } => {
                self.handle_admission(peer, &entry);
                // The peer may have disconnected.
                let _ = seen.send(());
                return;
            }
            NetInput::Join { peer, request, reply } => {
                let answer = self.handle_join(peer, request);
                // The peer may have disconnected; the ticket is used nevertheless.
                let _ = reply.send(answer);
                return;
            }
        };
        self.feed_replica(input);
    }

    /// Passes an input to the replication core and queues the resulting effects.
    pub(crate) fn feed_replica(&mut self, input: Input) {
        let effects = self.replica.handle(self.now(), input);
        self.effects.extend(effects);
    }

    /// Performs the effects of the replication core until none is left. Every effect results from one input
    /// or from a stored entry, so this terminates.
    pub(crate) fn run_effects(&mut self) {
        let mut batch = AdmissionBatch::default();
        loop {
            let Some(effect) = self.effects.pop_front() else {
                if self.pending.is_empty() {
                    return;
                }
                self.commit_remote();
                batch = AdmissionBatch::default();
                continue;
            };
            match effect {
                Effect::Admit { entry, live, .. } => {
                    let run = self.take_run(entry, live);
                    self.admit_run(&mut batch, run);
                    if self.pending.is_full() {
                        self.commit_remote();
                    }
                }
                Effect::Read {
                    peer,
                    request,
                    positions,
                    bytes,
                } => self.read_for_peer(peer, request, &positions, bytes),
                Effect::Send { peer, message } => self.send_to_net(NetOutput::Send { peer, message }),
                Effect::Publish { bytes } => {
                    let project = self.id;
                    self.send_to_net(NetOutput::Publish {
                        project,
                        bytes: bytes.to_vec(),
                    });
                }
                Effect::Verdict { token, peer, verdict } => {
                    self.send_to_net(NetOutput::Verdict {
                        token: GossipToken(token),
                        peer,
                        verdict,
                    });
                }
                Effect::Penalize { peer, why } => {
                    tracing::warn!(peer = %peer.short(), %why, "a peer broke the protocol");
                    self.send_to_net(NetOutput::Penalize { peer, why });
                }
                Effect::Fork { proof } => {
                    let (author, seq) = (proof.author.short(), proof.seq);
                    tracing::error!(%author, seq, "an author signed two different histories; its key may have been copied");
                }
            }
        }
    }

    fn commit_remote(&mut self) {
        if let Err(failure) = self.commit_pending() {
            tracing::error!(%failure, "entries from peers were not stored; they are requested again");
            self.store_failure = Some(failure);
        }
    }

    /// Sends an output to the network, if there is one. Blocks while the network's queue is full; the network
    /// never blocks on a project in return.
    pub(super) fn send_to_net(&self, output: NetOutput) {
        if let Some(net) = &self.net
            && net.blocking_send(output).is_err()
        {
            tracing::debug!("the network has stopped");
        }
    }

    /// Stores the nodes that the inviter named.
    pub(crate) fn introduce(&mut self, nodes: Vec<NodeId>) {
        self.introduced = nodes;
    }

    /// Tells the network which nodes may connect.
    pub(crate) fn publish_members(&self) {
        // A newly admitted node that has only the first entry of the log knows only the project's creator.
        let outside = self.members.member(&self.me).is_none();
        let introduced = self.introduced.iter().filter(|_| outside).copied();
        let members = self.members.members().map(|member| member.node);
        let members = members.chain(introduced).chain(self.vouched.iter().copied());
        let members = members.filter(|node| *node != self.me);
        let now = self.now();
        let me = self.me;
        // A node with a used or withdrawn ticket gets that as an answer until the ticket would have expired.
        let open = |invitation: &towline_crdt::members::Invitation| {
            invitation.inviter == me && invitation.expires > now
        };
        let joinable = self.members.invitations().any(|(_, invitation)| open(invitation));
        if let Some(entry) = &self.admission {
            self.send_to_net(NetOutput::Admission {
                project: self.id,
                entry: entry.clone(),
            });
        }
        self.send_to_net(NetOutput::Members {
            project: self.id,
            members: members.collect(),
            joinable,
        });
    }

    /// Tells the network that this project accepts no more inputs.
    pub(crate) fn publish_closed(&self) {
        self.send_to_net(NetOutput::Members {
            project: self.id,
            members: Vec::new(),
            joinable: false,
        });
    }

    /// Reads log records for a peer, up to `enough` bytes.
    fn read_for_peer(&mut self, peer: NodeId, request: u64, positions: &[u64], enough: usize) {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for position in positions {
            if bytes >= enough {
                break;
            }
            let record = match self.log.read(*position) {
                Ok(record) => record.bytes,
                Err(error) => {
                    tracing::error!(%error, "a record cannot be read; peers will not get it from here");
                    std::sync::Arc::from([])
                }
            };
            bytes += record.len();
            entries.push(EntryBytes(record));
        }
        self.feed_replica(Input::Read {
            peer,
            request,
            entries,
        });
    }

    /// Admits one entry, or queues the reason why not.
    pub(super) fn admit(&mut self, batch: &mut AdmissionBatch, entry: Entry, live: bool) {
        let outcome = if batch.allows(&entry) {
            self.try_admit(&entry, live)
        } else {
            Err(AdmissionOutcome::Missing)
        };
        match outcome {
            Ok(()) => self.queue_remote(entry),
            Err(outcome) => {
                if let AdmissionOutcome::Refused { why, .. } = &outcome {
                    tracing::warn!(entry = %entry.hash().short(), author = %entry.body().author.short(), %why, "refused");
                }
                batch.not_stored(&entry);
                self.queue_not_stored(entry.hash(), outcome);
            }
        }
    }

    /// The gate: checks membership first, then applies every change to a trial copy, and only if all of them
    /// pass to the documents themselves.
    pub(crate) fn try_admit(&mut self, entry: &Entry, live: bool) -> Result<(), AdmissionOutcome> {
        let refused = |why: String| AdmissionOutcome::Refused { why, blame: true };
        if !self.members.missing(entry).is_empty() {
            return Err(AdmissionOutcome::Missing);
        }
        match &entry.body().payload {
            Payload::Genesis(_) | Payload::Member(_) => {
                self.members
                    .check(entry)
                    .map_err(|why| refused(why.to_string()))?;
                self.apply_member(entry);
                Ok(())
            }
            Payload::Changes(changes) => {
                let author = entry.body().author;
                if !self.members.role_of(entry).is_some_and(Role::may_write) {
                    return Err(refused(format!("{} may not write", author.short())));
                }
                if touches_settings(entry) && !self.members.role_of(entry).is_some_and(Role::may_set) {
                    let who = author.short();
                    return Err(refused(format!("{who} may not change the project's settings")));
                }
                let seen_at = self.now();
                let docs = self.admit_changes(entry, changes)?;
                let failed = |why: towline_api::request::Failure| AdmissionOutcome::Refused {
                    why: why.message,
                    blame: false,
                };
                self.apply_docs(docs, !live, seen_at).map_err(failed)
            }
        }
    }

    fn admit_changes(
        &mut self,
        entry: &Entry,
        changes: &[ItemChange],
    ) -> Result<Vec<ItemDoc>, AdmissionOutcome> {
        let failed = |why: towline_api::request::Failure| AdmissionOutcome::Refused {
            why: why.message,
            blame: false,
        };
        let mut docs = Vec::new();
        for (item, checked) in checked_by_item(entry, changes).map_err(|why| gate_outcome(&why))? {
            let base = self.stored_doc(&item).map_err(failed)?;
            let am = gate::admit(base.as_ref().map(|doc| doc.automerge()), &checked)
                .map_err(|why| gate_outcome(&why))?;
            let doc = with_changes(item, base.as_deref(), am, checked, &entry.body().author);
            // Authors stop at the limit (`compose`). Concurrent authors may exceed it together. An entry must
            // not be refused because of the entries that happened to arrive before it: its author's log would
            // be stuck here.
            if doc.acts().len() > 2 * limits::ACTS_PER_ITEM {
                let why = format!(
                    "item {} would have more than {} acts",
                    item.short(),
                    2 * limits::ACTS_PER_ITEM
                );
                return Err(AdmissionOutcome::Refused { why, blame: true });
            }
            docs.push(doc);
        }
        Ok(docs)
    }

    /// Connected peers.
    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        let info = |(node, state): (NodeId, towline_sync::PeerState)| PeerInfo {
            node,
            name: self.node_name(&node),
            address: self.addresses.get(&node).cloned().unwrap_or_default(),
            in_sync: state.in_sync,
            seen_at: state.last_seen,
        };
        self.replica.peers().map(info).collect()
    }
}

/// Whether an entry changes the project's settings.
pub(super) fn touches_settings(entry: &Entry) -> bool {
    let settings = ItemId::settings(&entry.body().project);
    match &entry.body().payload {
        Payload::Changes(changes) => changes.iter().any(|change| change.item == settings),
        Payload::Genesis(_) | Payload::Member(_) => false,
    }
}

/// The changes of an entry by item, each checked by the part of the gate that needs no document.
pub(super) fn checked_by_item(
    entry: &Entry,
    changes: &[ItemChange],
) -> Result<BTreeMap<ItemId, Vec<gate::CheckedChange>>, gate::GateError> {
    let place = entry.body().author_seq();
    let settings = ItemId::settings(&entry.body().project);
    let mut ordinal = 0;
    let mut by_item: BTreeMap<ItemId, Vec<gate::CheckedChange>> = BTreeMap::new();
    for change in changes {
        let checked = gate::check(&change.item, &change.change, &place, &mut ordinal)?;
        check_document(change.item == settings, &checked)?;
        by_item.entry(change.item).or_default().push(checked);
    }
    Ok(by_item)
}

/// An item's document after the gate has applied changes to it.
pub(super) fn with_changes(
    item: ItemId,
    base: Option<&ItemDoc>,
    am: automerge::Automerge,
    checked: Vec<gate::CheckedChange>,
    author: &NodeId,
) -> ItemDoc {
    let node = NodePrefix::from(author);
    let mut acts: Acts = base.map(|doc| doc.acts().clone()).unwrap_or_default();
    for (id, act, bytes) in checked.into_iter().flat_map(|checked| checked.acts) {
        let hash = towline_proto::Act::record_hash(&bytes);
        acts.insert(id, ActRecord { act, node, hash });
    }
    ItemDoc::with_acts(item, am, acts)
}

fn gate_outcome(why: &gate::GateError) -> AdmissionOutcome {
    if why.is_missing() {
        AdmissionOutcome::Missing
    } else {
        AdmissionOutcome::Refused {
            why: why.to_string(),
            blame: true,
        }
    }
}
