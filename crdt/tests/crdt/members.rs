//! Roles by what an entry's author had seen: random histories of owners who invite concurrently, applied in different
//! orders and compared with a slow search. Uses real keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::RngSeed;
use proptest::{prop_assert, prop_assert_eq};
use towline_crdt::members::{Membership, MembershipError};
use towline_proto::member::{Genesis, TicketHash};
use towline_proto::{
    Entry, EntryBody, EntryHash, Epoch, MemberAct, Millis, NodeId, Payload, ProjectId, Role, Tip,
};

use crate::seed::first_seed;

const ROLES: [Role; 3] = [Role::Reader, Role::Writer, Role::Owner];
/// The number of people; the first one founds the project and admits the next two as owners.
const PEOPLE: usize = 5;
const OWNERS: usize = 3;

/// A person, with the membership as that person's node knows it.
struct Person {
    me: usize,
    heard: Vec<Entry>,
    members: Membership,
    last: Option<Tip>,
}

fn key(person: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(person).expect("few people") + 1; 32])
}

fn id(person: usize) -> NodeId {
    NodeId(key(person).verifying_key().to_bytes())
}

/// The genesis entry and the membership after it.
static FOUNDING: LazyLock<(Entry, Membership)> = LazyLock::new(found);

fn found() -> (Entry, Membership) {
    let genesis = Genesis {
        name: "harbour".into(),
        node_name: "ann".into(),
        nonce: vec![7; 16],
    };
    let body = EntryBody {
        project: ProjectId([0; 32]),
        author: id(0),
        epoch: Epoch(0),
        seq: 0,
        prev: Vec::new(),
        members: Vec::new(),
        at: Millis::default(),
        payload: Payload::Genesis(genesis.clone()),
    };
    let entry = Entry::sign(body, &key(0));
    let members = Membership::from_genesis(&entry, &genesis);
    (entry, members)
}

fn entry(author: usize, last: Option<Tip>, behind: Vec<EntryHash>, payload: Payload) -> Entry {
    let (first, _) = &*FOUNDING;
    let body = EntryBody {
        project: first.project(),
        author: id(author),
        epoch: last.map_or(Epoch(1), |tip| tip.epoch),
        seq: last.map_or(0, |tip| tip.seq + 1),
        prev: last.into_iter().collect(),
        members: behind,
        at: Millis::default(),
        payload,
    };
    Entry::sign(body, &key(author))
}

/// An entry without changes by an author who had seen these heads.
fn work(author: usize, behind: &[EntryHash]) -> Entry {
    entry(author, None, behind.to_vec(), Payload::Changes(Vec::new()))
}

impl Person {
    fn new(person: usize) -> Self {
        let (first, members) = &*FOUNDING;
        Self {
            me: person,
            heard: Vec::new(),
            members: members.clone(),
            last: (person == 0).then(|| first.tip()),
        }
    }

    fn receives(&mut self, entries: &[Entry]) {
        for entry in entries {
            if !self.heard.contains(entry) {
                self.members.check(entry).expect("an owner's word");
                self.members.apply(entry);
                self.heard.push(entry.clone());
            }
        }
    }

    fn does(&mut self, act: MemberAct) {
        let behind = self.members.heads(&id(self.me));
        let made = entry(self.me, self.last, behind, Payload::Member(act));
        self.last = Some(made.tip());
        self.receives(&[made]);
    }

    fn lets_in(&mut self, who: usize, role: Role) {
        let mut ticket = TicketHash(id(self.me).0);
        ticket.0[0] = u8::try_from(self.heard.len()).expect("a short history");
        self.does(MemberAct::Invite {
            ticket,
            role,
            expires: Millis::default(),
        });
        self.does(MemberAct::Admit {
            node: id(who),
            name: format!("node{who}"),
            ticket,
        });
    }
}

#[test]
fn only_a_known_owner_can_prove_a_membership() {
    let mut people = three_owners();
    let known = people[1].members.clone();
    people[0].lets_in(3, Role::Writer);
    let admitted = people[0].heard.last().cloned().expect("it was admitted");
    assert_eq!(known.member(&id(3)), None, "nobody had heard of it");
    assert_eq!(known.vouched_by(&admitted), Some(id(3)));
    let Payload::Member(act) = &admitted.body().payload else {
        panic!("an admission")
    };
    // From a writer, from a stranger, and an owner's entry that admits nobody.
    let by_writer = entry(3, None, Vec::new(), Payload::Member(act.clone()));
    assert_eq!(people[0].members.vouched_by(&by_writer), None);
    let by_stranger = entry(4, None, Vec::new(), Payload::Member(act.clone()));
    assert_eq!(known.vouched_by(&by_stranger), None);
    assert_eq!(known.vouched_by(&work(0, &[])), None);
}

/// Three owners who know each other.
fn three_owners() -> Vec<Person> {
    let mut people: Vec<Person> = (0..OWNERS).map(Person::new).collect();
    for who in 1..OWNERS {
        people[0].lets_in(who, Role::Owner);
    }
    let heard = people[0].heard.clone();
    for person in &mut people[1..] {
        person.receives(&heard);
    }
    people
}

/// The role of a node at some heads, found by searching all of their ancestors.
fn slowly(all: &[Entry], who: usize, heads: &[EntryHash]) -> Option<Role> {
    let (first, _) = &*FOUNDING;
    let by_hash: BTreeMap<EntryHash, &Entry> = all.iter().map(|entry| (entry.hash(), entry)).collect();
    let mut behind: BTreeSet<EntryHash> = heads.iter().copied().collect();
    loop {
        let further: Vec<EntryHash> = behind
            .iter()
            .filter_map(|hash| by_hash.get(hash))
            .flat_map(|entry| entry.body().members.clone())
            .collect();
        let known = behind.len();
        behind.extend(further);
        if behind.len() == known {
            break;
        }
    }
    let tickets: BTreeMap<TicketHash, Role> = all
        .iter()
        .filter_map(|entry| match &entry.body().payload {
            Payload::Member(MemberAct::Invite { ticket, role, .. }) => Some((*ticket, *role)),
            _ => None,
        })
        .collect();
    let founder = (who == 0 && behind.contains(&first.hash())).then_some(Role::Owner);
    let given = behind
        .iter()
        .filter_map(|hash| by_hash.get(hash))
        .filter_map(|entry| match &entry.body().payload {
            Payload::Member(MemberAct::Admit { node, ticket, .. }) if *node == id(who) => {
                tickets.get(ticket).copied()
            }
            _ => None,
        });
    given.chain(founder).max()
}

/// The entries in another causal order; `turn` picks among those that can come next.
fn shuffled(all: &[Entry], mut turn: usize) -> Vec<Entry> {
    let (first, _) = &*FOUNDING;
    let mut left: Vec<Entry> = all.to_vec();
    let mut known = BTreeSet::from([first.hash()]);
    let mut order = Vec::new();
    while !left.is_empty() {
        let may: Vec<usize> = (0..left.len())
            .filter(|at| left[*at].body().members.iter().all(|head| known.contains(head)))
            .filter(|at| left[*at].body().prev.iter().all(|tip| known.contains(&tip.hash)))
            .collect();
        let entry = left.remove(may[turn % may.len()]);
        turn = turn.wrapping_mul(31).wrapping_add(17);
        known.insert(entry.hash());
        order.push(entry);
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, rng_seed: RngSeed::Fixed(first_seed()), failure_persistence: None, ..ProptestConfig::default() })]

    /// The order of application does not change the role of any author at any head.
    #[test]
    fn the_role_of_an_author_follows_from_the_heads_of_the_entry(
        steps in vec((0..OWNERS, 0..OWNERS, 1..PEOPLE, 0..ROLES.len(), proptest::bool::ANY), 0..14),
        turns in vec(0..1_000_usize, 4),
    ) {
        let mut people = three_owners();
        for (owner, other, who, role, meets) in steps {
            if meets {
                let theirs = people[other].heard.clone();
                people[owner].receives(&theirs);
            } else {
                people[owner].lets_in(who, ROLES[role]);
            }
        }
        let mut all: Vec<Entry> = Vec::new();
        for entry in people.iter().flat_map(|person| &person.heard) {
            if !all.contains(entry) {
                all.push(entry.clone());
            }
        }
        let all = shuffled(&all, 0);
        let mut said = Vec::new();
        for (at, entry) in all.iter().enumerate() {
            for heads in [vec![entry.hash()], vec![entry.hash(), all[at / 2].hash()]] {
                for who in 0..PEOPLE {
                    said.push((who, work(who, &heads), slowly(&all, who, &heads)));
                }
            }
        }
        for turn in turns {
            let mut reader = Person::new(4);
            reader.receives(&shuffled(&all, turn));
            for (who, work, role) in &said {
                prop_assert_eq!(reader.members.role_of(work), *role, "node{}", who);
            }
            for who in 0..PEOPLE {
                let heads = reader.members.heads(&id(who));
                let found = reader.members.role_of(&work(who, &heads));
                prop_assert_eq!(found, reader.members.member(&id(who)).map(|member| member.role));
                prop_assert!(heads.len() <= towline_proto::limits::HEADS_PER_ENTRY);
            }
        }
    }
}

/// A reader signs an entry, and an owner makes it a writer a moment later. If the role did not depend on the entry's
/// own heads, replicas that knew of the grant would accept the entry and others refuse it, for good.
#[test]
fn what_a_reader_signed_is_refused_by_those_who_know_that_it_may_write_by_now() {
    let mut people = three_owners();
    people[0].lets_in(4, Role::Reader);
    let before = people[0].members.heads(&id(4));
    people[0].lets_in(4, Role::Writer);
    let after = people[0].members.heads(&id(4));
    let members = &people[0].members;
    assert_eq!(members.role_of(&work(4, &before)), Some(Role::Reader));
    assert_eq!(members.role_of(&work(4, &after)), Some(Role::Writer));
}

/// The same for the membership: an entry signed before its author became an owner stays refused.
#[test]
fn heads_that_do_not_prove_ownership_do_not_allow_an_invitation() {
    let mut people = three_owners();
    people[0].lets_in(4, Role::Writer);
    let before = people[0].members.heads(&id(4));
    people[0].lets_in(4, Role::Owner);
    let invite = MemberAct::Invite {
        ticket: TicketHash([99; 32]),
        role: Role::Owner,
        expires: Millis::default(),
    };
    let early = entry(4, None, before, Payload::Member(invite.clone()));
    let refused = people[0].members.check(&early);
    assert!(
        matches!(
            refused,
            Err(MembershipError::NotAllowed {
                role: Some(Role::Writer),
                ..
            })
        ),
        "{refused:?}"
    );
    let now = people[0].members.heads(&id(4));
    assert_eq!(
        people[0]
            .members
            .check(&entry(4, None, now, Payload::Member(invite))),
        Ok(())
    );
}

/// More owners than an entry can name heads write concurrently. The next entry of the last one must name the head that
/// proves its role.
#[test]
fn among_many_heads_an_author_names_one_that_proves_its_role() {
    let crowd = towline_proto::limits::HEADS_PER_ENTRY + 6;
    let mut people: Vec<Person> = (0..crowd).map(Person::new).collect();
    for who in 1..crowd {
        people[0].lets_in(who, Role::Owner);
    }
    let heard = people[0].heard.clone();
    for person in &mut people[1..] {
        person.receives(&heard);
    }
    for person in &mut people {
        person.lets_in(crowd + person.me, Role::Writer);
    }
    let apart: Vec<Entry> = people.iter().flat_map(|person| person.heard.clone()).collect();
    let mut reader = Person::new(crowd);
    reader.receives(&apart);
    for who in crowd..2 * crowd {
        let heads = reader.members.heads(&id(who));
        assert_eq!(heads.len(), towline_proto::limits::HEADS_PER_ENTRY);
        assert_eq!(
            reader.members.role_of(&work(who, &heads)),
            Some(Role::Writer),
            "node{who}"
        );
    }
}
