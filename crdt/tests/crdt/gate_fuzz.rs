//! Random damage to honest changes: whatever the gate admits must behave like an honest change.
//!
//! The seed is fixed, so a failure can be reproduced. Put a mutant that breaks this into `tests/crashers/` as
//! `<name>.change`, where it stays a test. Panics inside Automerge that the gate catches are not printed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe};

use automerge::legacy::{ElementId, Key, ObjectId, OpId, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, Automerge, Change, ExpandedChange, ROOT, ReadDoc, ScalarValue};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use towline_crdt::gate::{self, CheckedChange, GateError};
use towline_proto::{AuthorSeq, ItemId, Op};

use crate::gate_writers::{NOON, Writer, author, check, data_at, wrap};
use crate::seed::{first_seed, number};

/// How many mutants a run tries; `TOWLINE_MUTANTS` overrides it.
const MUTANTS: u32 = 2_000;

/// An honest change and the document that it applies to.
struct Base {
    doc: Option<Automerge>,
    /// The same document with a concurrent change by Carol.
    wider: Option<Automerge>,
    item: ItemId,
    author: AuthorSeq,
    bytes: Vec<u8>,
}

fn bases() -> Vec<Base> {
    let mut bases = vec![];
    let mut ann = Writer::new(1);
    let item = ann.item;
    let mut keep = |doc: Option<Automerge>, bytes: Vec<u8>, author: AuthorSeq| -> Automerge {
        let checked = check(&item, &bytes, &author).unwrap();
        let next = gate::admit(doc.as_ref(), &[checked]).unwrap();
        let wider = doc.as_ref().map(with_carol);
        bases.push(Base {
            doc,
            wider,
            item,
            author,
            bytes,
        });
        next
    };
    let bytes = ann.create("a door", "It squeaks.");
    let doc = keep(None, bytes, ann.was());
    let mut bob = ann.joined_by(2);
    let bytes = ann.act(Op::Comment {
        text: "oil it".into(),
    });
    let doc = keep(Some(doc), bytes, ann.was());
    let bytes = bob.edit(3, 4, "does not squeak");
    let doc = keep(Some(doc), bytes, bob.was());
    let bytes = bob.edit(0, 9, "");
    let doc = keep(Some(doc), bytes, bob.was());
    ann.merge(&mut bob);
    let bytes = ann.edit(2, 3, "né");
    let doc = keep(Some(doc), bytes, ann.was());
    let bytes = ann.act(Op::Start { force: None });
    keep(Some(doc), bytes, ann.was());
    bases
}

/// The document after Carol edited its body.
fn with_carol(doc: &Automerge) -> Automerge {
    let mut carol = AutoCommit::load(&doc.save())
        .unwrap()
        .with_actor(ActorId::from(author(3).actor()));
    let (_, body) = carol.get(ROOT, "body").unwrap().unwrap();
    carol.splice_text(&body, 1, 2, "carol was here").unwrap();
    carol.document().clone()
}

/// Everything that a replica does with a document after it admitted a change.
fn lives_on(doc: &Automerge) -> Result<(), String> {
    let problem = |error: automerge::AutomergeError| error.to_string();
    let mut local = AutoCommit::load(&doc.save()).map_err(problem)?;
    local.set_actor(ActorId::from(author(9).actor()));
    let (_, acts) = local.get(ROOT, "acts").map_err(problem)?.ok_or("no acts")?;
    let (_, body) = local.get(ROOT, "body").map_err(problem)?.ok_or("no body")?;
    let length = local.length(&body);
    local
        .splice_text(&body, length / 2, (length / 3) as isize, "more")
        .map_err(problem)?;
    local.put(&acts, "next", vec![1u8]).map_err(problem)?;
    local
        .commit_with(CommitOptions::default().with_time(0))
        .ok_or("nothing written")?;
    let change = local.get_last_local_change().ok_or("no change")?;
    let mut peer = doc.clone();
    peer.apply_changes([change]).map_err(problem)?;
    let mut again = AutoCommit::load(&local.save()).map_err(problem)?;
    if peer.get_heads() != local.get_heads() || again.get_heads() != local.get_heads() {
        return Err("replicas have other heads".into());
    }
    let texts = [peer.text(&body), local.text(&body), again.text(&body)].map(Result::ok);
    if texts[0].is_none() || texts[0] != texts[1] || texts[1] != texts[2] {
        return Err("replicas have other bodies".into());
    }
    Ok(())
}

/// The gate's result for a mutant; checks the promise when it is admitted.
fn judge(base: &Base, bytes: &[u8]) -> Result<Result<CheckedChange, GateError>, TestCaseError> {
    let checked = match check(&base.item, bytes, &base.author) {
        Ok(checked) => checked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let admitted = gate::admit(base.doc.as_ref(), std::slice::from_ref(&checked));
    let mut documents: Vec<&Automerge> = admitted.iter().collect();
    let elsewhere = base
        .wider
        .as_ref()
        .map(|wider| gate::admit(Some(wider), std::slice::from_ref(&checked)));
    if let Some(elsewhere) = &elsewhere {
        if elsewhere.is_ok() != admitted.is_ok() {
            return Err(TestCaseError::fail(format!(
                "replicas part: {admitted:?} {elsewhere:?} {bytes:02x?}"
            )));
        }
        documents.extend(elsewhere);
    }
    for doc in documents {
        lives_on(doc).map_err(|why| TestCaseError::fail(format!("admitted, but {why}: {bytes:02x?}")))?;
    }
    Ok(admitted.map(|_| checked))
}

/// One step of damage: where (as a share of the length), how, and with what.
type Damage = (f64, u8, u8);

fn mutate(data: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut data = data.to_vec();
    for (share, how, byte) in damage {
        let at = ((data.len() as f64 * share) as usize).min(data.len().saturating_sub(1));
        match how {
            0 => data[at] = *byte,
            1 => data[at] ^= 1 << (byte % 8),
            2 => data[at] = data[at].wrapping_add(1),
            3 => data[at] = data[at].wrapping_sub(1),
            4 => data.insert(at, *byte),
            _ => drop(data.remove(at)),
        }
    }
    data
}

/// Keeps panics inside Automerge and its columns off the output; the test's own are shown.
pub(crate) fn silence_panics() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let foreign = |at: &panic::Location<'_>| {
            ["automerge", "hexane", "library/"]
                .iter()
                .any(|part| at.file().contains(part))
        };
        if !info.location().is_some_and(foreign) {
            shown(info);
        }
    }));
}

fn kind(verdict: &Result<CheckedChange, GateError>) -> String {
    match verdict {
        Ok(_) => "admitted".into(),
        Err(refusal) => format!("{refusal:?}")
            .split(['(', ' ', '{'])
            .next()
            .unwrap_or_default()
            .into(),
    }
}

/// Tries the mutants, always the same ones; returns how often each result occurred.
fn tally<D: std::fmt::Debug>(
    damage: impl Strategy<Value = D>,
    mutant: impl Fn(&Base, &D) -> Option<Vec<u8>>,
) -> BTreeMap<String, u32> {
    silence_panics();
    let bases = bases();
    let asked = number("TOWLINE_MUTANTS").and_then(|asked| u32::try_from(asked).ok());
    let config = Config {
        cases: asked.unwrap_or(MUTANTS),
        rng_seed: RngSeed::Fixed(first_seed()),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let verdicts = RefCell::new(BTreeMap::<String, u32>::new());
    let judged = runner.run(&(0..bases.len(), damage), |(index, damage)| {
        let base = &bases[index];
        if let Some(bytes) = mutant(base, &damage) {
            let verdict = judge(base, &bytes)?;
            *verdicts.borrow_mut().entry(kind(&verdict)).or_default() += 1;
        }
        Ok(())
    });
    judged.unwrap();
    let verdicts = verdicts.into_inner();
    println!("{verdicts:?}");
    verdicts
}

#[test]
fn a_change_with_damaged_bytes_is_refused_or_is_as_good_as_an_honest_one() {
    let damage = prop::collection::vec((0.0..1.0f64, 0..8u8, any::<u8>()), 1..3);
    let verdicts = tally(damage, |base, damage| {
        Some(wrap(&mutate(&base.bytes[data_at(&base.bytes)..], damage)))
    });
    // Damaged characters of a body or title, and times, can still be valid.
    assert!(verdicts["admitted"] > 20);
    assert!(verdicts["Malformed"] > 20 && verdicts["Schema"] > 20);
}

#[test]
fn a_change_with_tampered_operations_is_refused_or_is_as_good_as_an_honest_one() {
    let damage = prop::collection::vec((any::<u8>(), 0..14u8, 0..12u8), 1..4);
    let verdicts = tally(damage, |base, damage| {
        // What Automerge cannot encode cannot be sent.
        let forged = panic::catch_unwind(AssertUnwindSafe(|| {
            let mut change = Change::try_from(&base.bytes[..]).unwrap().decode();
            damage.iter().for_each(|damage| tamper(&mut change, *damage));
            Change::from(change).raw_bytes().to_vec()
        }));
        forged.ok()
    });
    assert!(verdicts["admitted"] > 20);
    assert!(verdicts["Schema"] > 20 && verdicts["Lineage"] > 20);
}

/// One step of tampering: which operation, how, and with what.
fn tamper(change: &mut ExpandedChange, (which, how, with): (u8, u8, u8)) {
    let with = u64::from(with);
    let nearby = (change.start_op.get() + with).saturating_sub(8);
    let actor = ActorId::from(author(1 + which % 3).actor());
    let count = change.operations.len();
    let Some(at) = usize::from(which).checked_rem(count) else {
        return;
    };
    let op = &mut change.operations[at];
    match how {
        0 => op.key = Key::Seq(ElementId::Id(OpId::new(nearby, &actor))),
        1 => op.key = Key::Seq(ElementId::Id(OpId::new(with, &actor))),
        2 => op.key = Key::Seq(ElementId::Head),
        3 => op.insert = !op.insert,
        4 => op.pred = vec![OpId::new(nearby, &actor)].into(),
        5 => op.obj = ObjectId::Id(OpId::new(with % 4, &actor)),
        6 => op.action = OpType::Put(ScalarValue::Str(["", "two", "👩‍👩‍👧", "\u{fffc}"][at % 4].into())),
        7 => {
            op.action = OpType::Delete;
            op.insert = false;
            let element = OpId::new(nearby, &actor);
            op.key = Key::Seq(ElementId::Id(element.clone()));
            op.pred = vec![element].into();
        }
        8 => change.operations.swap(at, with as usize % count),
        9 => change
            .operations
            .insert(at, change.operations[with as usize % count].clone()),
        10 => drop(change.operations.remove(at)),
        11 => change.start_op = NonZeroU64::new(nearby.max(1)).unwrap(),
        12 => change.seq = with,
        _ => drop(change.deps.pop()),
    }
}

#[test]
fn every_known_crasher_is_refused_or_harmless() {
    silence_panics();
    let bases = bases();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crashers");
    let mut crashers = 0;
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if file
            .path()
            .extension()
            .is_none_or(|extension| extension != "change")
        {
            continue;
        }
        crashers += 1;
        let bytes = std::fs::read(file.path()).unwrap();
        for base in &bases {
            let verdict = judge(base, &bytes).unwrap();
            assert!(verdict.is_err(), "{} is admitted", file.path().display());
        }
    }
    assert!(crashers > 0);
    assert_eq!(bases[0].item.at(), NOON);
}
