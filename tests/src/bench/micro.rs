//! What one change costs on its way through the gate and the fold, without disk or network.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ed25519_dalek::SigningKey;
use towline_crdt::compose::{Draft, compose};
use towline_crdt::doc::ItemDoc;
use towline_crdt::fold::fold;
use towline_crdt::gate;
use towline_crdt::members::Membership;
use towline_engine::Project;
use towline_proto::{
    AuthorSeq, Column, Entry, EntryBody, Epoch, ItemChange, ItemId, Kind, Millis, NodeId, Op,
};
use towline_proto::{Payload, Qa};
use towline_store::env::SystemEnvironment;

use super::{Bench, Goal, Row, at, raw, world};

/// Changes of one item, its creation included.
const CHANGES: u64 = 10;
/// A change may take so long while it is gated, in microseconds.
const GATE_GOAL_US: f64 = 120.0;

/// One item with ten changes, again and again.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn micro(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let mut disk = raw::Disk::new(dir.path())?;
    let key = SigningKey::from_bytes(&world::KEY);
    let first = Project::genesis(&key, &SystemEnvironment, "bench", "bench");
    let Payload::Genesis(genesis) = &first.body().payload else {
        bail!("not a genesis")
    };
    let members = Membership::from_genesis(&first, genesis);
    let node = NodeId(key.verifying_key().to_bytes());
    let place = |seq| AuthorSeq {
        node,
        epoch: Epoch(1),
        seq,
    };
    let item = ItemId::derive(Millis::default(), &place(1), 0);
    let mut changes = Vec::new();
    let mut doc: Option<ItemDoc> = None;
    let mut composing = Vec::new();
    for seq in 1..=CHANGES {
        let op = if seq == 1 {
            Op::Create {
                number: 1,
                kind: Kind::Story,
                title: "A story".into(),
                column: Column::Backlog,
                priority: 2,
                qa: Qa::Agent,
            }
        } else {
            Op::SetTitle {
                title: format!("A story, told {seq} times"),
            }
        };
        let draft = Draft {
            op,
            origin: world::origin()?,
            at: Millis::default(),
            request: None,
        };
        let begun = Instant::now();
        let made = compose(
            doc.as_ref(),
            item,
            &place(seq),
            &mut 0,
            &members,
            vec![draft],
            None,
        )?;
        composing.push(begun.elapsed());
        doc = Some(made.doc);
        changes.push((place(seq), made.changes.into_iter().next().context("a change")?));
    }
    let doc = doc.context("a document")?;
    let entry = sealed(&key, &first, item, changes.last().context("changes")?);

    let (mut checks, mut admits, mut applies) = (Vec::new(), Vec::new(), Vec::new());
    let (mut folds, mut verifies, mut raws) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        raws.push(disk.append()?);
        let (mut admitted, mut applied) = (None, None);
        for (author, bytes) in &changes {
            let begun = Instant::now();
            let checked = [gate::check(&item, bytes, author, &mut 0)?];
            checks.push(begun.elapsed());
            let begun = Instant::now();
            admitted = Some(gate::admit(admitted.as_ref(), &checked)?);
            admits.push(begun.elapsed());
            let begun = Instant::now();
            applied = Some(gate::apply(applied.as_ref(), &checked)?);
            applies.push(begun.elapsed());
        }
        folds.push(each(|| drop(black_box(fold(item, doc.acts(), &members)))) / u32::try_from(CHANGES)?);
        let begun = Instant::now();
        entry.verify()?;
        verifies.push(begun.elapsed());
    }
    let verify = at(&mut verifies, 0.5);
    let admit = at(&mut checks, 0.5) + at(&mut admits, 0.5);
    let apply = at(&mut checks, 0.5) + at(&mut applies, 0.5);
    let goal = Goal::AtMost(1.0);
    Ok(vec![
        Row::new("gate, a live change", "us", admit, "goal", GATE_GOAL_US, goal),
        Row::new(
            "gate, a live change",
            "us",
            admit,
            "one signature check",
            verify,
            Goal::None,
        ),
        Row::new(
            "gate without save and load",
            "us",
            apply,
            "one signature check",
            verify,
            Goal::None,
        ),
        Row::new(
            "compose, an act",
            "us",
            at(&mut composing, 0.5),
            "one signature check",
            verify,
            Goal::None,
        ),
        Row::new(
            "fold, an act",
            "us",
            at(&mut folds, 0.5),
            "one signature check",
            verify,
            Goal::None,
        ),
        Row::new(
            "verify, an entry",
            "us",
            verify,
            "raw append + fdatasync",
            at(&mut raws, 0.5),
            Goal::None,
        ),
    ])
}

fn each(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn sealed(key: &SigningKey, first: &Entry, item: ItemId, change: &(AuthorSeq, Vec<u8>)) -> Entry {
    let (author, bytes) = change;
    let changes = vec![ItemChange {
        item,
        change: bytes.clone(),
    }];
    let body = EntryBody {
        project: first.project(),
        author: author.node,
        epoch: author.epoch,
        seq: author.seq,
        prev: vec![first.tip()],
        members: vec![first.hash()],
        at: Millis::default(),
        payload: Payload::Changes(changes),
    };
    Entry::sign(body, key)
}
