//! What a catch-up brings together comes to the same as when it comes entry by entry: the same log, the
//! same refusals, the same rows, documents and events.

use towline_api::request::{Command, Edit, Filter, Query, Reply, Request};
use towline_api::types::FeedEvent;
use towline_crdt::view::ItemView;
use towline_proto::{Entry, EntryBody, NodeId, Payload, Verb};
use towline_sync::{AdmissionBatch, Effect};

use super::pair::{Clock, Replica, key, meet, pair};
use crate::Project;

/// What somebody does to one entry of a history before it is signed.
#[derive(Debug, Clone, Copy)]
enum Harm {
    None,
    /// A byte of its last change is another.
    Byte(usize),
    /// Its last change is of another item.
    Item,
    /// It comes behind the one that follows it.
    Late,
    /// It does not come at all.
    Lost,
    /// Somebody signed it who may not write.
    Stranger,
}

fn edit(who: &mut Replica, item: &str, body: &str) {
    let edit = serde_json::json!({ "item": item, "body": body, "priority": 1 });
    who.ask(Request::Command(Command::Edit(
        serde_json::from_value::<Edit>(edit).unwrap(),
    )));
}

fn say(who: &mut Replica, item: &str, text: &str) {
    who.ask(Request::Command(Command::Comment {
        item: item.into(),
        text: text.into(),
    }));
}

/// Ann and Bo work on four items, together and apart: everything behind the beginning, in log order.
fn history() -> (Entry, Vec<Entry>) {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for title in ["door", "hinge", "lock"] {
        ann.create(title, &[]);
    }
    edit(&mut ann, "1", "It squeaks when it opens.");
    meet(&mut ann, &mut bo);
    edit(&mut bo, "1", "It squeaks when it opens, and when it shuts.");
    ann.does("1", Verb::Start);
    bo.does("2", Verb::Start);
    ann.does("2", Verb::Start);
    meet(&mut ann, &mut bo);
    bo.create("key", &["3"]);
    edit(&mut ann, "1", "Oil it.");
    say(&mut bo, "4", "of iron");
    meet(&mut ann, &mut bo);
    say(&mut ann, "4", "of brass");
    // A circle that comes, and goes, and comes again, with what its acts were built on in between.
    ann.depends("1", "2");
    bo.depends("2", "1");
    meet(&mut ann, &mut bo);
    ann.ask(Request::Command(Command::Depends {
        item: "1".into(),
        add: vec![],
        remove: vec!["2".into()],
    }));
    meet(&mut ann, &mut bo);
    ann.depends("3", "2");
    bo.depends("1", "3");
    meet(&mut ann, &mut bo);
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some((record, behind)) = ann.project.store.log.read_next(at).unwrap() {
        entries.push(Entry::decode(record.bytes).unwrap());
        at = behind;
    }
    let first = entries.remove(0);
    (first, entries)
}

/// The history with harm done to one entry; whatever its author signed behind it follows that.
fn harmed(entries: &[Entry], which: usize, harm: Harm) -> Vec<Entry> {
    let mut renamed = Vec::new();
    let mut out = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let mut body = entry.body().clone();
        for tip in &mut body.prev {
            if let Some((_, new)) = renamed.iter().find(|(old, _)| old == tip) {
                *tip = *new;
            }
        }
        let mut signer = signer(&body);
        if at == which {
            match (harm, &mut body.payload) {
                (Harm::Byte(share), Payload::Changes(changes)) => {
                    let change = &mut changes.last_mut().unwrap().change;
                    let at = change.len() * share / 10;
                    change[at] ^= 1;
                }
                (Harm::Item, Payload::Changes(changes)) => changes.last_mut().unwrap().item.0[3] ^= 1,
                (Harm::Stranger, _) => {
                    signer = key("mallory");
                    body.author = NodeId(signer.verifying_key().to_bytes());
                }
                _ => {}
            }
        }
        let sealed = Entry::sign(body, &signer);
        renamed.push((entry.tip(), sealed.tip()));
        out.push(sealed);
    }
    match harm {
        Harm::Late if which + 1 < out.len() => out.swap(which, which + 1),
        Harm::Lost => drop(out.remove(which)),
        _ => {}
    }
    out
}

fn signer(body: &EntryBody) -> ed25519_dalek::SigningKey {
    ["ann", "bo"]
        .map(key)
        .into_iter()
        .find(|key| NodeId(key.verifying_key().to_bytes()) == body.author)
        .unwrap()
}

/// Everything that is derived from what was admitted.
#[derive(Debug, PartialEq)]
struct Outcome {
    log: Vec<Vec<u8>>,
    rows: Vec<ItemView>,
    docs: Vec<(Vec<automerge::ChangeHash>, towline_crdt::doc::Acts, String)>,
    events: Vec<FeedEvent>,
}

fn outcome(project: &mut Project) -> Outcome {
    let mut log = Vec::new();
    let mut at = 0;
    while let Some((record, behind)) = project.store.log.read_next(at).unwrap() {
        log.push(record.bytes.to_vec());
        at = behind;
    }
    let rows: Vec<_> = project.index.rows().filter_map(|row| row.view()).collect();
    let mut docs = Vec::new();
    for row in &rows {
        let doc = project.store.doc(&row.id).unwrap();
        docs.push((doc.heads(), doc.acts().clone(), doc.body().unwrap()));
    }
    let events = project.store.feed.recent();
    Outcome {
        log,
        rows,
        docs,
        events,
    }
}

fn alone(first: &Entry, entries: &[Entry]) -> Outcome {
    let mut cy = Replica::make("cy", &Clock::new(), Some(first.clone()));
    let mut batch = AdmissionBatch::default();
    for entry in entries {
        cy.project.admit(&mut batch, entry.clone(), false);
    }
    cy.project.commit_pending().unwrap();
    outcome(&mut cy.project)
}

fn together(first: &Entry, entries: &[Entry]) -> Outcome {
    let mut cy = Replica::make("cy", &Clock::new(), Some(first.clone()));
    let admit = |entry: &Entry| Effect::Admit {
        entry: entry.clone(),
        peer: None,
        verified: true,
        live: false,
    };
    cy.project.replication.queue(entries.iter().map(admit));
    cy.project.run_effects();
    outcome(&mut cy.project)
}

#[test]
fn what_comes_in_one_frame_is_admitted_and_shown_as_if_each_entry_came_alone() {
    let (first, entries) = history();
    let came = together(&first, &entries);
    assert_eq!(came.log.len(), entries.len() + 1, "all of it is admitted");
    assert!(came.rows.len() == 4 && came.events.len() > 8);
    assert_eq!(came, alone(&first, &entries));
}

#[test]
fn a_whole_frame_passes_at_once_and_one_with_a_bad_entry_is_looked_at_one_by_one() {
    let (first, entries) = history();
    let changes: Vec<_> = entries
        .iter()
        .skip_while(|entry| !matches!(entry.body().payload, Payload::Changes(_)))
        .map(|entry| (entry.clone(), false))
        .collect();
    let mut cy = Replica::make("cy", &Clock::new(), Some(first));
    let mut batch = AdmissionBatch::default();
    for entry in entries.iter().take(entries.len() - changes.len()) {
        cy.project.admit(&mut batch, entry.clone(), false);
    }
    assert_eq!(
        cy.project
            .check_run(&mut batch, &changes)
            .map(|passed| passed.len()),
        Some(4)
    );
    let bad: Vec<_> = changes.iter().map(|(entry, _)| entry.clone()).collect();
    let bad: Vec<_> = harmed(&bad, 3, Harm::Byte(9))
        .into_iter()
        .map(|entry| (entry, false))
        .collect();
    assert!(cy.project.check_run(&mut batch, &bad).is_none());
}

#[test]
fn one_bad_entry_in_a_frame_is_refused_with_what_follows_it_and_nothing_else() {
    let (first, entries) = history();
    let harms = [
        Harm::Byte(1),
        Harm::Byte(5),
        Harm::Byte(9),
        Harm::Item,
        Harm::Late,
        Harm::Lost,
        Harm::Stranger,
    ];
    let mut fewer = 0;
    for which in 0..entries.len() {
        if !matches!(entries[which].body().payload, Payload::Changes(_)) {
            continue;
        }
        // Two of the harms for each entry, so that all of them have their turn.
        for harm in [2 * which, 2 * which + 1].map(|turn| harms[turn % harms.len()]) {
            let entries = harmed(&entries, which, harm);
            let came = together(&first, &entries);
            fewer += usize::from(came.log.len() < entries.len() + 1);
            assert_eq!(came, alone(&first, &entries), "{harm:?} of entry {which}");
        }
    }
    assert!(fewer > entries.len() / 2, "harm is noticed");
    assert_eq!(harmed(&entries, 0, Harm::None), entries);
}

#[test]
fn two_who_catch_up_with_each_other_hold_the_same_items() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for number in 0..40 {
        ann.create(&format!("story {number}"), &[]);
        bo.create(&format!("tale {number}"), &[]);
    }
    meet(&mut ann, &mut bo);
    let cards = |who: &mut Replica| match who.ask(Request::Query(Query::List(Filter::default()))) {
        Reply::Cards(cards) => cards.len(),
        other => panic!("cards, not {other:?}"),
    };
    assert_eq!((cards(&mut ann), cards(&mut bo)), (80, 80));
}
