//! Random damage to honest changes: whatever is admitted must be as good as honest.
//!
//! Seeded, so a failure is found again. A mutant that breaks the promise belongs into
//! `tests/crashers/` as `<name>.change`, where it stays a test for ever. The panics inside Automerge
//! that the gate turns into refusals are kept off the output.

use std::collections::BTreeMap;
use std::panic;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, Automerge, ROOT, ReadDoc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use towline_crdt::gate::{self, Checked, Refusal};
use towline_proto::{Author, ItemId, Op};

use crate::gate_world::{NOON, Writer, check, data_at, place, wrap};

/// How many mutants a run tries; `TOWLINE_MUTANTS` asks for more.
const MUTANTS: u32 = 2_000;

/// An honest change and the document that it came to.
struct Base {
    doc: Option<Automerge>,
    item: ItemId,
    author: Author,
    bytes: Vec<u8>,
}

fn bases() -> Vec<Base> {
    let mut bases = vec![];
    let mut ann = Writer::new(1);
    let item = ann.item;
    let mut keep = |doc: Option<Automerge>, bytes: Vec<u8>, author: Author| -> Automerge {
        let checked = check(&item, &bytes, &author).unwrap();
        let next = gate::admit(doc.as_ref(), &[checked]).unwrap();
        bases.push(Base {
            doc,
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

/// Everything that a replica does with a document after a change was admitted to it.
fn lives_on(doc: &Automerge) -> Result<(), String> {
    let problem = |error: automerge::AutomergeError| error.to_string();
    let mut local = AutoCommit::load(&doc.save()).map_err(problem)?;
    local.set_actor(ActorId::from(place(9).actor()));
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

/// What the gate says of a mutant; the promise that it keeps if it admits one.
fn judge(base: &Base, bytes: &[u8]) -> Result<Result<Checked, Refusal>, TestCaseError> {
    let checked = match check(&base.item, bytes, &base.author) {
        Ok(checked) => checked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    match gate::admit(base.doc.as_ref(), std::slice::from_ref(&checked)) {
        Ok(doc) => {
            lives_on(&doc)
                .map_err(|why| TestCaseError::fail(format!("admitted, but {why}: {bytes:02x?}")))?;
            Ok(Ok(checked))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
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
fn hush() {
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

fn kind(verdict: &Result<Checked, Refusal>) -> String {
    match verdict {
        Ok(_) => "admitted".into(),
        Err(refusal) => format!("{refusal:?}")
            .split(['(', ' ', '{'])
            .next()
            .unwrap_or_default()
            .into(),
    }
}

#[test]
fn a_damaged_change_is_refused_or_is_as_good_as_an_honest_one() {
    hush();
    let bases = bases();
    let cases = std::env::var("TOWLINE_MUTANTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(MUTANTS);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRunner::deterministic().new_rng());
    let damage = prop::collection::vec((0.0..1.0f64, 0..8u8, any::<u8>()), 1..3);
    let verdicts = std::cell::RefCell::new(BTreeMap::<String, u32>::new());
    runner
        .run(&(0..bases.len(), damage), |(index, damage)| {
            let base = &bases[index];
            let mutant = wrap(&mutate(&base.bytes[data_at(&base.bytes)..], &damage));
            let verdict = judge(base, &mutant)?;
            *verdicts.borrow_mut().entry(kind(&verdict)).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let verdicts = verdicts.into_inner();
    println!("{verdicts:?}");
    // Letters of a body or a title and times can be damaged into other honest ones.
    assert!(
        verdicts
            .get("admitted")
            .is_some_and(|admitted| *admitted > cases / 200),
        "{verdicts:?}"
    );
}

#[test]
fn every_crasher_that_was_ever_found_is_refused_or_harmless() {
    hush();
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
