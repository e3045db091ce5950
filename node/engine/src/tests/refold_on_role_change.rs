//! Ties go to the higher role: what happens to the rows when somebody rises who has written before.

use towline_api::request::{Administration, Command, Reply, Request};
use towline_api::types::Doctor;
use towline_proto::member::TicketHash;
use towline_proto::{MemberAct, Millis, NodeId, Role};
use towline_store::cache::{Batch, Table, meta};

use super::pair::{Clock, Replica, meet, pair};

const ITEMS: usize = 8;

/// Both have given every item a title of their own, and know of it.
fn retitled(clock: &Clock) -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(clock);
    for _ in 0..ITEMS {
        ann.create("a title", &[]);
    }
    meet(&mut ann, &mut bo);
    for (who, name) in [(&mut ann, "ann"), (&mut bo, "bo")] {
        for item in 1..=ITEMS {
            let edit = serde_json::json!({ "item": item.to_string(), "title": format!("{name}'s") });
            who.ask(Request::Command(Command::Edit(
                serde_json::from_value(edit).unwrap(),
            )));
        }
    }
    meet(&mut ann, &mut bo);
    (ann, bo)
}

fn titles(who: &mut Replica) -> Vec<String> {
    let title = |item: usize| who.card(&item.to_string()).title;
    (1..=ITEMS).map(title).collect()
}

/// Another owner, who did not know that the node was let in as a writer, lets it in as more.
pub(super) fn raise(ann: &mut Replica, who: NodeId, role: Role) {
    let ticket = TicketHash([3; 32]);
    let invite = MemberAct::Invite {
        ticket,
        role,
        expires: Millis(u64::MAX),
    };
    let name = "bo".to_owned();
    let admit = MemberAct::Admit {
        node: who,
        name,
        ticket,
    };
    for act in [invite, admit] {
        ann.project.write_member(act).unwrap();
    }
    ann.project.commit_pending().unwrap();
    ann.project.run_effects();
}

fn findings(who: &mut Replica) -> Vec<String> {
    let Reply::Doctor(Doctor { findings, .. }) = who.ask(Request::Administration(Administration::Doctor))
    else {
        panic!("findings")
    };
    findings
}

#[test]
fn what_a_role_decided_is_decided_again_on_every_replica_when_somebody_rises() {
    let clock = Clock::new();
    let (mut ann, mut bo) = retitled(&clock);
    assert_eq!(titles(&mut bo), ["ann's"; ITEMS], "she is the owner");

    raise(&mut ann, bo.me, Role::Owner);
    let after = titles(&mut ann);
    assert!(
        after.contains(&"ann's".to_owned()) && after.contains(&"bo's".to_owned()),
        "by lot: {after:?}"
    );
    assert_eq!(findings(&mut ann), [""; 0]);

    meet(&mut ann, &mut bo);
    assert_eq!(titles(&mut bo), after, "he hears of it later");
    assert_eq!(findings(&mut bo), [""; 0]);
    assert_eq!(titles(&mut bo.restart(&clock)), after);
}

#[test]
fn a_process_that_dies_before_everything_is_refolded_does_it_at_its_next_start() {
    let clock = Clock::new();
    let (mut ann, bo) = retitled(&clock);
    let before = ann.project.index.rows().cloned().collect::<Vec<_>>();
    let ranks = ann.project.store.folded_roles();
    raise(&mut ann, bo.me, Role::Owner);
    let after = titles(&mut ann);

    // What the cache holds when the process ends behind the entry and before the items.
    ann.project.store.save(&ann.project.index).unwrap();
    let mut batch = Batch::default();
    for row in &before {
        batch.put_row(row);
    }
    batch.put_u64(Table::Meta, meta::RANKS, ranks);
    ann.project.store.write_cache(batch);

    let mut ann = ann.restart(&clock);
    assert_eq!(titles(&mut ann), after);
    assert_eq!(findings(&mut ann), [""; 0]);
}

#[test]
fn every_rise_of_somebody_who_may_write_changes_the_digest() {
    let clock = Clock::new();
    let (mut ann, bo) = pair(&clock);
    let writer = ann.project.store.folded_roles();
    assert_eq!(writer, bo.project.store.folded_roles());
    raise(&mut ann, bo.me, Role::Maintainer);
    assert_ne!(ann.project.store.folded_roles(), writer);
    assert_eq!(
        ann.project.store.folded_roles(),
        ann.project.members.roles_digest()
    );
}
