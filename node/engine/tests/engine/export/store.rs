//! A store in a folder of its own, and what is done to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use towline_api::export_line::ItemLine;
use towline_api::request::{Administration, IMPORT_CHUNK, Reply, Request};
use towline_api::types::{ImportPass, LineOutcome};
use towline_engine::{Project, ProjectOptions};
use towline_interchange::export::jsonl;
use towline_interchange::import::jsonl as jsonl_import;
use towline_proto::{Millis, Origin, OriginKind, ProjectId};
use towline_store::env::Environment;

/// A store in a folder of its own.
pub(super) struct Store {
    pub(super) project: Project,
    dir: tempfile::TempDir,
    world: Ticking,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn opening(dir: &Path, seed: u8, world: Ticking) -> ProjectOptions {
    ProjectOptions {
        dir: dir.to_owned(),
        key: key(seed),
        env: Box::new(world),
    }
}

/// A clock that goes on by a millisecond whenever somebody looks, and numbers that follow from a seed:
/// for all copies of a project the same one.
#[derive(Clone)]
pub(super) struct Ticking(Arc<(AtomicU64, AtomicU64)>);

impl Ticking {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Arc::new((
            AtomicU64::new(1_795_000_000_000 + seed * 1_000_000),
            AtomicU64::new(seed << 32),
        )))
    }
}

impl Environment for Ticking {
    fn now(&self) -> Millis {
        Millis(self.0.0.fetch_add(1, Ordering::Relaxed))
    }

    fn instant(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    fn random(&self, bytes: &mut [u8]) {
        let number = self.0.1.fetch_add(1, Ordering::Relaxed);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&number.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}

impl Store {
    pub(super) fn new(seed: u8) -> Self {
        Self::in_world(seed, Ticking::seeded(u64::from(seed)))
    }

    pub(super) fn in_world(seed: u8, world: Ticking) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let genesis = Project::genesis(&key(seed), &world, "shop", "a node");
        let project = Project::create(opening(dir.path(), seed, world.clone()), &genesis).unwrap();
        Self { project, dir, world }
    }

    /// Another copy of a project under the same key, as after a backup was put back: it knows the
    /// beginning and nothing more, and writes in another epoch.
    pub(super) fn twin(&mut self, seed: u8) -> Self {
        let mut twin = self.twin_in(seed, tempfile::tempdir().unwrap());
        twin.take_from(self);
        twin
    }

    /// A copy in a folder that knows the beginning alone.
    pub(super) fn twin_in(&mut self, seed: u8, dir: tempfile::TempDir) -> Self {
        let (_, records) = self.records();
        let entry = towline_proto::Entry::decode(records[0].clone().into()).unwrap();
        let world = self.world.clone();
        let project = Project::create(opening(dir.path(), seed, world.clone()), &entry).unwrap();
        Self { project, dir, world }
    }

    pub(super) fn records(&mut self) -> (ProjectId, Vec<Vec<u8>>) {
        use base64::Engine as _;
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let Reply::ExportedEntries {
                project,
                records,
                next,
            } = self.ask(Request::Administration(Administration::ExportEntries { after }))
            else {
                panic!("records")
            };
            if records.is_empty() {
                return (project, all);
            }
            let engine = base64::engine::general_purpose::STANDARD;
            all.extend(records.iter().map(|record| engine.decode(record).unwrap()));
            after = next;
        }
    }

    pub(super) fn take_from(&mut self, other: &mut Self) {
        use base64::Engine as _;
        let (project, records) = other.records();
        let engine = base64::engine::general_purpose::STANDARD;
        let records = records.iter().map(|record| engine.encode(record)).collect();
        let Reply::EntriesImported(arrived) =
            self.ask(Request::Administration(Administration::ImportEntries {
                project,
                records,
            }))
        else {
            panic!("arrived")
        };
        assert_eq!((arrived.waiting, arrived.refused), (0, 0), "{arrived:?}");
    }

    pub(super) fn ask(&mut self, request: Request) -> Reply {
        self.ask_as("ann", OriginKind::User, request)
    }

    pub(super) fn ask_as(&mut self, who: &str, kind: OriginKind, request: Request) -> Reply {
        let origin = Origin::new(kind, who).unwrap();
        let asked = format!("{request:?}");
        let reply = self.project.request(Some(&origin), request);
        reply.unwrap_or_else(|failure| panic!("{failure}: {}", &asked[..asked.len().min(200)]))
    }

    pub(super) fn does(&mut self, request: Value) {
        self.ask(serde_json::from_value(request).unwrap());
    }

    pub(super) fn agent_does(&mut self, request: Value) {
        self.ask_as(
            "robot",
            OriginKind::Agent,
            serde_json::from_value(request).unwrap(),
        );
    }

    pub(super) fn verb(&mut self, item: &str, verb: &str, more: Value) {
        let mut request = json!({ "request": "transition", "item": item, "verb": verb });
        let fields = request.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        self.does(request);
    }

    pub(super) fn create(&mut self, kind: &str, title: &str, more: Value) {
        let mut request = json!({ "request": "create", "kind": kind, "title": title });
        let fields = request.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        self.does(request);
    }

    pub(super) fn lines(&mut self) -> Vec<ItemLine> {
        let mut all = Vec::new();
        loop {
            let offset = all.len();
            let Reply::Lines(lines) = self.ask(Request::Administration(Administration::ExportLines {
                offset,
                limit: 200,
            })) else {
                panic!("lines")
            };
            if lines.is_empty() {
                return all;
            }
            all.extend(lines);
        }
    }

    pub(super) fn export(&mut self) -> String {
        let mut out = Vec::new();
        jsonl::write(self.lines(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Both passes over a file, as the command makes them; what became of each line in the end.
    pub(super) fn import(&mut self, text: &str) -> Vec<LineOutcome> {
        let file = jsonl_import::read(text.as_bytes());
        assert_eq!(file.problems, Vec::<String>::new());
        let mut outcomes = BTreeMap::new();
        for pass in [ImportPass::Create, ImportPass::Complete] {
            for chunk in file.lines.chunks(IMPORT_CHUNK) {
                let left = chunk.iter().filter(|(number, _)| {
                    let taken = outcomes.get(number);
                    taken.is_none_or(|taken| {
                        matches!(
                            taken,
                            LineOutcome::Existing | LineOutcome::Created { more: true, .. }
                        )
                    })
                });
                let left: Vec<_> = left.cloned().collect();
                let lines: Vec<ItemLine> = left.iter().map(|(_, line)| line.clone()).collect();
                let names = file.names(&lines);
                let Reply::LineOutcomes(taken) =
                    self.ask(Request::Administration(Administration::ImportLines {
                        lines,
                        names,
                        pass,
                    }))
                else {
                    panic!("taken")
                };
                outcomes.extend(left.iter().map(|(number, _)| *number).zip(taken));
            }
        }
        outcomes.into_values().collect()
    }

    pub(super) fn is_sound(&mut self) {
        let Reply::Doctor(doctor) = self.ask(Request::Administration(Administration::Doctor)) else {
            panic!("doctor")
        };
        assert_eq!(doctor.findings, Vec::<String>::new());
    }

    /// The store as it is found when it is opened again.
    pub(super) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn reopened(self, seed: u8) -> Self {
        let id = self.project.id();
        self.project.close();
        let project = Project::open(opening(self.dir.path(), seed, self.world.clone()), id).unwrap();
        Self { project, ..self }
    }
}

pub(super) fn problems(taken: &[LineOutcome]) -> Vec<&LineOutcome> {
    let fine = |taken: &&LineOutcome| match taken {
        LineOutcome::Created { differs, .. } | LineOutcome::Updated { differs } => !differs.is_empty(),
        LineOutcome::Existing | LineOutcome::Unchanged => false,
        LineOutcome::Rejected { .. } | LineOutcome::InTrash { .. } => true,
    };
    taken.iter().filter(fine).collect()
}

/// Text that names the first place where two differ.
#[track_caller]
pub(super) fn assert_same(one: &str, other: &str) {
    for (number, (a, b)) in one.lines().zip(other.lines()).enumerate() {
        if a != b {
            let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
            let from = at.saturating_sub(200);
            let show = |text: &str| text.get(from..(at + 200).min(text.len())).map(str::to_owned);
            panic!("line {} differs:\n{:?}\n{:?}", number + 1, show(a), show(b));
        }
    }
    assert_eq!(one.lines().count(), other.lines().count());
}
