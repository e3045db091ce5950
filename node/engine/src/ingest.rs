//! Ingests entries from peers: the gate, and the effects of the replication core.

use std::collections::BTreeMap;

use towline_api::types::PeerInfo;
use towline_crdt::doc::{ActRecord, Acts, ItemDoc, NodePrefix};
use towline_crdt::gate;
use towline_crdt::settings::check_document;
use towline_net::{GossipToken, NetInput, NetOutput};
use towline_proto::{Entry, ItemChange, ItemId, NodeId, Payload, Role, limits};
use towline_sync::{AdmissionBatch, AdmissionOutcome, Effect, Input};

use super::Project;
use super::query::QueryContext;

impl Project {
    /// Handles an input from the network.
    pub(crate) fn handle_net(&mut self, input: NetInput) {
        let input = match input {
            NetInput::Connected { peer, address } => {
                self.presence.announce_soon(self.env.instant());
                return self.replication.connected(self.env.now(), peer, address);
            }
            NetInput::Disconnected { peer } => Input::Disconnected { peer },
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
        self.replicate(input);
    }

    /// Passes an input to the replication core and queues the resulting effects.
    pub(crate) fn replicate(&mut self, input: Input) {
        self.replication.handle(self.env.now(), input);
    }

    /// Performs the effects of the replication core until none is left. Every effect results from one input
    /// or from a stored entry, so this terminates.
    pub(crate) fn run_effects(&mut self) {
        let mut batch = AdmissionBatch::default();
        loop {
            let Some(effect) = self.replication.next_effect() else {
                if self.batch.is_empty() {
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
                    if self.batch.is_full() {
                        self.commit_remote();
                    }
                }
                Effect::Read {
                    peer,
                    request,
                    positions,
                    bytes,
                } => {
                    let (now, asked) = (self.env.now(), (peer, request));
                    self.replication
                        .read_for_peer(now, &self.store.log, asked, &positions, bytes);
                }
                Effect::Send { peer, message } => self.replication.send(NetOutput::Send { peer, message }),
                Effect::Publish { bytes } => {
                    let project = self.id;
                    self.replication.send(NetOutput::Publish {
                        project,
                        bytes: bytes.to_vec(),
                    });
                }
                Effect::Verdict { token, peer, verdict } => {
                    self.replication.send(NetOutput::Verdict {
                        token: GossipToken(token),
                        peer,
                        verdict,
                    });
                }
                Effect::Penalize { peer, why } => {
                    tracing::warn!(peer = %peer.short(), %why, "a peer broke the protocol");
                    self.replication.send(NetOutput::Penalize { peer, why });
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
            self.replication.store_failure = Some(failure);
        }
    }

    /// Admits one entry, or queues the reason why not.
    pub(super) fn admit(&mut self, batch: &mut AdmissionBatch, entry: Entry, live: bool) {
        let outcome = if batch.allows(&entry) {
            self.try_admit(&entry, live)
        } else {
            Err(AdmissionOutcome::Missing)
        };
        match outcome {
            Ok(()) => self.batch.add_remote(entry),
            Err(outcome) => {
                if let AdmissionOutcome::Refused { why, .. } = &outcome {
                    tracing::warn!(entry = %entry.hash().short(), author = %entry.body().author.short(), %why, "refused");
                }
                batch.not_stored(&entry);
                self.batch.add_not_stored(entry.hash(), outcome);
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

    fn admit_changes(&self, entry: &Entry, changes: &[ItemChange]) -> Result<Vec<ItemDoc>, AdmissionOutcome> {
        let failed = |why: towline_api::request::Failure| AdmissionOutcome::Refused {
            why: why.message,
            blame: false,
        };
        let mut docs = Vec::new();
        for (item, checked) in checked_by_item(entry, changes).map_err(|why| gate_outcome(&why))? {
            let base = self.store.existing_doc(&self.index, &item).map_err(failed)?;
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
}

impl QueryContext<'_> {
    /// Connected peers.
    pub(crate) fn peers(&self) -> Vec<PeerInfo> {
        self.replication.peers(|node| self.node_name(node))
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
