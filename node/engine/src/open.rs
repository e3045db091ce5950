//! Creates, joins and opens a project's store, and rebuilds its cache.
//!
//! Opening reads the whole log once for the author logs and the membership; for documents and rows only the
//! entries that the cache does not contain yet. A cache that is missing, damaged or of another version is
//! rebuilt from the log, and so is a row with another projection version.

use std::collections::VecDeque;
use std::path::PathBuf;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use towline_crdt::gate;
use towline_crdt::members::Membership;
use towline_proto::member::Genesis;
use towline_proto::wire::EntryBytes;
use towline_proto::{Entry, EntryBody, Epoch, Millis, NodeId, Payload, ProjectId};
use towline_store::cache::{Table, meta};
use towline_store::env::Environment;
use towline_store::log::{Log, OpenReport};
use towline_sync::Replica;

use super::Project;
use super::author::Author;
use super::index::Index;
use super::ingest::{checked_by_item, with_changes};
use super::maintenance::Maintenance;
use super::orphan_file::OrphanFile;
use super::pending_batch::PendingBatch;
use super::presence::Presence;
use super::replication::Replication;
use super::settings::SettingsInEffect;
use super::snapshot::SnapshotState;
use super::store::{Store, open_cache};

/// The most findings; more of the same add nothing.
const MAX_FINDINGS: usize = 100;
/// Random bytes in a genesis entry.
const NONCE_BYTES: usize = 16;

/// The folder, key and environment with which a project is opened.
pub struct ProjectOptions {
    /// The project's folder.
    pub dir: PathBuf,
    /// The node's key.
    pub key: SigningKey,
    /// Clock and randomness.
    pub env: Box<dyn Environment>,
}

impl std::fmt::Debug for ProjectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// The state that reading the log produces.
#[derive(Default)]
struct LogReplay {
    /// The node that owns the store.
    me: Option<NodeId>,
    /// The entry that admitted that node.
    admission: Option<EntryBytes>,
    members: Option<Membership>,
    genesis: Option<Entry>,
    replica: Option<Replica>,
    /// Entries that the cache does not contain yet.
    tail: VecDeque<(u64, Millis, Entry)>,
    last: Option<u64>,
    /// Records that could not be used, and why.
    left_out: Vec<String>,
}

impl Project {
    /// The first entry of a new project.
    pub fn genesis(key: &SigningKey, env: &dyn Environment, name: &str, node_name: &str) -> Entry {
        let mut nonce = vec![0; NONCE_BYTES];
        env.random(&mut nonce);
        let genesis = Genesis {
            name: name.to_owned(),
            node_name: node_name.to_owned(),
            nonce,
        };
        let body = EntryBody {
            project: ProjectId([0; 32]),
            author: NodeId(key.verifying_key().to_bytes()),
            epoch: Epoch(env.random_u64()),
            seq: 0,
            prev: Vec::new(),
            members: Vec::new(),
            at: env.now(),
            payload: Payload::Genesis(genesis),
        };
        Entry::sign(body, key)
    }

    /// Creates the store of a project from its genesis entry: of a new project or one that is joined.
    ///
    /// # Errors
    /// When the folder contains a store already or cannot be written.
    pub fn create(options: ProjectOptions, genesis: &Entry) -> anyhow::Result<Self> {
        anyhow::ensure!(
            matches!(genesis.body().payload, Payload::Genesis(_)),
            "this is not the first entry of a project"
        );
        genesis.verify().context("the project's first entry")?;
        let mut log = Log::create(&options.dir.join("log"), genesis.project())?;
        let own = (genesis.body().author.0 == options.key.verifying_key().to_bytes()).then(|| genesis.tip());
        log.append(&[(options.env.now(), genesis.bytes().clone())], own)?;
        drop(log);
        Self::open(options, genesis.project())
    }

    /// Opens the store of a project. The caller holds the lock of the home folder.
    ///
    /// # Errors
    /// When there is no store, it is of a newer format, or the file system refuses.
    pub fn open(options: ProjectOptions, id: ProjectId) -> anyhow::Result<Self> {
        let ProjectOptions { dir, key, env } = options;
        let me = NodeId(key.verifying_key().to_bytes());
        let cache = open_cache(env.now(), &dir)?;
        let applied = cache.u64(Table::Meta, meta::APPLIED)?;

        let mut replay = LogReplay {
            me: Some(me),
            replica: Some(Replica::new(id, me)),
            ..LogReplay::default()
        };
        let (mut log, opened) = Log::open(&dir.join("log"), id, |record| replay.take(record, applied))?;
        let mut findings = findings_of(&opened);
        findings.append(&mut replay.left_out);
        findings.truncate(MAX_FINDINGS);
        let members = replay
            .members
            .take()
            .context("the first entry of the log is damaged; join the project again from another member")?;
        let genesis = replay.genesis.take().context("the log has no first entry")?;
        let replica = replay.replica.take().context("the log was not read")?;
        let missing_own_tip = opened.own.filter(|tip| !replica.contains(&me, tip));
        // A log that is merely shorter than its head file accepts entries from peers, including this node's
        // own. [`Project::may_write`] keeps this node from writing until it has its own last entry.
        log.trust_end();

        let (orphan_file, waited) = OrphanFile::open(&dir);
        let mut project = Self {
            id,
            author: Author::new(id, key, missing_own_tip),
            replication: Replication::new((id, me), replica, replay.admission.take(), orphan_file),
            snapshot: SnapshotState::of(&dir),
            store: Store::new(dir, id, log, cache)?,
            env,
            members,
            genesis,
            index: Index::default(),
            batch: PendingBatch::default(),
            settings: SettingsInEffect::default(),
            maintenance: Maintenance::default(),
            presence: Presence::default(),
            findings,
        };
        // A cache that is ahead of the log belongs to another log, unless the log is damaged: then the cache
        // has more than the log, and it is used.
        let ahead = opened.damage.is_none()
            && applied.is_some_and(|applied| replay.last.is_none_or(|last| applied > last));
        if ahead {
            project
                .findings
                .push("the cache was ahead of the log and was rebuilt".into());
            project.rebuild()?;
        } else {
            project.load_rows()?;
            project.read_settings();
            project.apply_tail(replay.tail);
            if project.store.folded_roles() != project.members.roles_digest() {
                project.refold_all();
            }
        }
        if !waited.is_empty() {
            project.resume_orphans(waited);
        }
        Ok(project)
    }

    fn load_rows(&mut self) -> anyhow::Result<()> {
        let (index, stale) = self.store.load_index()?;
        self.index = index;
        for item in stale {
            let doc = self.store.doc(&item)?;
            let view = self.query().folded(&doc)?.view;
            self.index.load(view);
            self.store.put_doc(doc);
            self.store.row_changed();
            self.store.save_if_full(&self.index);
        }
        Ok(())
    }

    /// Applies entries of the log that the cache does not contain. They passed the gate when they were
    /// appended; one that cannot be applied now is logged and skipped.
    fn apply_tail(&mut self, tail: VecDeque<(u64, Millis, Entry)>) {
        for (position, seen_at, entry) in tail {
            if let Payload::Changes(_) = &entry.body().payload
                && let Err(why) = self.apply_logged(&entry, seen_at)
            {
                let finding = format!(
                    "entry {} of the log cannot be applied: {why}",
                    entry.hash().short()
                );
                tracing::error!("{finding}");
                self.findings.push(finding);
            }
            self.store.applied(Some(position), self.batch.take_events());
            self.store.save_if_full(&self.index);
        }
    }

    fn apply_logged(&mut self, entry: &Entry, seen_at: Millis) -> anyhow::Result<()> {
        let Payload::Changes(changes) = &entry.body().payload else {
            return Ok(());
        };
        let mut docs = Vec::new();
        for (item, checked) in checked_by_item(entry, changes)? {
            let base = self.store.existing_doc(&self.index, &item)?;
            let am = gate::apply(base.as_ref().map(|doc| doc.automerge()), &checked)?;
            docs.push(with_changes(
                item,
                base.as_deref(),
                am,
                checked,
                &entry.body().author,
            ));
        }
        self.apply_docs(docs, true, seen_at)?;
        Ok(())
    }

    /// Deletes the cache and rebuilds it from the log. Subscribers keep their cursors: the same log gives the
    /// same feed, with the exceptions in `docs/design/002-log-and-cache.md`.
    ///
    /// # Errors
    /// When the cache cannot be written or the log cannot be read.
    pub(crate) fn rebuild(&mut self) -> anyhow::Result<()> {
        // Checked before anything is deleted: a damaged log cannot be folded completely.
        if let Some(why) = self.store.log.damage() {
            anyhow::bail!(
                "nothing was rebuilt: {why}; stop the node and run `towline doctor --repair` first"
            );
        }
        let mut replay = LogReplay {
            replica: Some(Replica::new(self.id, self.author.node)),
            ..LogReplay::default()
        };
        Log::salvage(&self.store.log_dir(), self.id, |record| replay.take(record, None))?;
        self.snapshot.discard();
        self.store.clear()?;
        self.store.set_folded_roles(self.members.roles_digest());
        self.index = Index::default();
        self.read_settings();
        self.apply_tail(replay.tail);
        self.store.save(&self.index)?;
        Ok(self.store.clamp_cursors()?)
    }
}

impl LogReplay {
    fn take(&mut self, record: towline_store::log::Record, applied: Option<u64>) -> anyhow::Result<()> {
        let entry = match Entry::decode(record.bytes) {
            Ok(entry) => entry,
            Err(error) if self.members.is_some() => {
                // An intact record that is not a valid entry, such as one of an unknown version: the rest can
                // still be read, and peers are asked for what is missing.
                self.left_out.push(format!(
                    "the log record at {:#x} is not a valid entry: {error}",
                    record.position
                ));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match (&mut self.members, &entry.body().payload) {
            (None, Payload::Genesis(genesis)) => {
                self.members = Some(Membership::from_genesis(&entry, genesis));
                self.genesis = Some(entry.clone());
            }
            (None, _) => anyhow::bail!("the log does not begin with the first entry of a project"),
            (Some(_), _) => {}
        }
        let placed = self
            .replica
            .as_mut()
            .is_none_or(|replica| replica.replay(&entry, record.position));
        if !placed {
            let entry = entry.hash().short();
            self.left_out.push(format!(
                "entry {entry} of the log does not follow the entries before it"
            ));
            return Ok(());
        }
        if let Some(members) = &mut self.members {
            members.apply(&entry);
            if self.me.is_some() && members.vouched_by(&entry) == self.me {
                self.admission = Some(EntryBytes(entry.bytes().clone()));
            }
        }
        self.last = Some(record.position);
        if applied.is_none_or(|applied| record.position > applied) {
            self.tail.push_back((record.position, record.seen_at, entry));
        }
        Ok(())
    }
}

fn findings_of(opened: &OpenReport) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(damage) = &opened.damage {
        findings.push(format!("{damage}; stop the node and run `towline doctor --repair`, which keeps all intact entries; missing entries come from peers"));
    }
    if let Some(torn_tail) = &opened.torn_tail {
        tracing::info!(
            position = torn_tail.position,
            "an incomplete record at the end of the log was removed; it had not been acknowledged"
        );
    }
    if let Some(shortened) = &opened.shortened {
        findings.push(format!(
            "the log ends at {:#x} but this node had written up to {:#x}; entries that peers have come back automatically",
            shortened.found, shortened.recorded
        ));
    }
    findings
}
