//! Who is there, and when a claim can be taken from whoever is not.

use std::time::Duration;

use towline_api::request::{Command, Failure, Reply, Request, Transition};
use towline_net::{GossipToken, GossipVerdict, NetInput, NetOutput};
use towline_proto::{
    Entry, EntryBody, Epoch, ItemChange, ItemId, NodeId, Op, Origin, OriginKind, Payload, Presence,
    PresenceBody, Renewal, Verb, limits,
};

use super::pair::{BEGIN, Clock, Replica, key, meet, pair};

const BEAT: Duration = Duration::from_secs(40);
const TTL: Duration = Duration::from_secs(10 * 60);

/// Two running nodes; Bo holds the claim of item 1.
fn claimed(clock: &Clock) -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(clock);
    for replica in [&mut ann, &mut bo] {
        replica.project.run_maintenance();
    }
    bo.create("worked on", &[]);
    bo.does("1", Verb::Start);
    bo.does("1", Verb::Claim);
    meet(&mut ann, &mut bo);
    (ann, bo)
}

fn take_over(replica: &mut Replica, force: bool, reason: Option<&str>) -> Result<Reply, Failure> {
    let mut asked = Transition::plain("1", Verb::TakeOver);
    (asked.force, asked.reason) = (force, reason.map(str::to_owned));
    replica.try_ask(Request::Command(Command::Transition(asked)))
}

/// The last presence that a replica has said.
fn said(replica: &mut Replica) -> Option<Vec<u8>> {
    let said = replica.told().into_iter().filter_map(|output| match output {
        NetOutput::Presence { bytes, .. } => Some(bytes),
        _ => None,
    });
    said.last()
}

/// Hands a presence in and says what became of it.
fn hears(replica: &mut Replica, peer: NodeId, bytes: &[u8]) -> GossipVerdict {
    replica.told();
    replica.take(NetInput::Presence {
        peer,
        token: GossipToken(7),
        bytes: bytes.to_vec(),
    });
    match replica.told().as_slice() {
        [NetOutput::Verdict { verdict, token, .. }] if token.0 == 7 => *verdict,
        other => panic!("one verdict, not {other:?}"),
    }
}

fn heartbeat(from: &mut Replica, to: &mut Replica) -> PresenceBody {
    from.project.run_maintenance();
    let bytes = said(from).expect("it says that it is there");
    assert_eq!(hears(to, from.me, &bytes), GossipVerdict::Accept);
    Presence::decode(&bytes).unwrap().body().clone()
}

#[test]
fn a_claim_can_be_taken_over_once_its_node_was_not_seen_for_long() {
    let clock = Clock::new();
    let (mut ann, mut bo) = claimed(&clock);
    let before = (ann.digest(), bo.digest());
    let mut last = None;
    for _ in 0..20 {
        clock.check_run(BEAT);
        last = Some(heartbeat(&mut bo, &mut ann));
        assert!(ann.card("1").claim_heard.is_some());
    }
    let last = last.unwrap();
    let item = ann.card("1").id;
    assert_eq!(last.claims, [Renewal { item, generation: 1 }]);
    assert_eq!((ann.digest(), bo.digest()), before, "nothing was written");

    clock.check_run(TTL - Duration::from_secs(5));
    let refused = take_over(&mut ann, false, None).unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    for part in ["bo on bo", "last seen 9m 55s ago", "in 5s", "--force", "--reason"] {
        assert!(refused.message.contains(part), "{part}: {refused}");
    }
    clock.check_run(Duration::from_secs(5));
    take_over(&mut ann, false, None).unwrap();
    let card = ann.card("1");
    let claim = card.claim.unwrap();
    assert_eq!(
        (claim.holder.as_str(), claim.generation, claim.node),
        ("ann", 2, ann.me)
    );
    let doc = ann.project.store.doc(&item).unwrap();
    let renewal = doc.acts().values().find_map(|record| match &record.act.op {
        Op::TakeOver {
            renewal, force: None, ..
        } => Some(*renewal),
        _ => None,
    });
    assert_eq!(renewal, Some(last.at), "the last renewal that was heard of");
    meet(&mut ann, &mut bo);
    assert_eq!(bo.card("1").claim.unwrap().generation, 2);
    assert!(bo.page("1").refused.is_empty());
}

fn by(kind: OriginKind, name: &str) -> Origin {
    Origin::new(kind, name).unwrap()
}

fn asks(replica: &mut Replica, origin: &Origin, verb: Verb, force: Option<&str>) -> Result<Reply, Failure> {
    let mut asked = Transition::plain("1", verb);
    (asked.force, asked.reason) = (force.is_some(), force.map(str::to_owned));
    replica
        .project
        .request(Some(origin), Request::Command(Command::Transition(asked)))
}

#[test]
fn an_agent_takes_nothing_from_another_of_its_node_without_a_reason() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    ann.project.run_maintenance();
    ann.create("worked on", &[]);
    ann.does("1", Verb::Start);
    let [coder, other] = ["coder-1", "coder-2"].map(|name| by(OriginKind::Agent, name));
    asks(&mut ann, &coder, Verb::Claim, None).unwrap();
    clock.check_run(TTL * 2);
    for verb in [Verb::TakeOver, Verb::Release] {
        let refused = asks(&mut ann, &other, verb, None).unwrap_err();
        assert_eq!(refused.code.exit(), 5);
        assert!(refused.message.contains("coder-1 on ann"), "{refused}");
    }
    asks(&mut ann, &coder, Verb::TakeOver, None).unwrap();
    asks(&mut ann, &other, Verb::TakeOver, Some("coder-1 has crashed")).unwrap();
    let claim = ann.card("1").claim.unwrap();
    assert_eq!((claim.holder.as_str(), claim.generation), ("coder-2", 3));
}

#[test]
fn a_claim_is_given_back_by_its_holder_or_by_a_person_at_its_node() {
    let clock = Clock::new();
    let (mut ann, mut bo) = claimed(&clock);
    let refused = asks(&mut ann, &by(OriginKind::User, "ann"), Verb::Release, None).unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    for part in ["only the holder, bo on bo,", "`take-over`", "--force"] {
        assert!(refused.message.contains(part), "{refused}");
    }
    let coder = by(OriginKind::Agent, "coder-1");
    asks(&mut bo, &coder, Verb::Release, None).unwrap_err();
    bo.does("1", Verb::Release);
    asks(&mut bo, &coder, Verb::Claim, None).unwrap();
    asks(&mut bo, &by(OriginKind::User, "bo"), Verb::Release, None).unwrap();
    assert_eq!(bo.card("1").claim, None);
}

#[test]
fn a_node_that_has_just_started_waits_and_force_needs_a_reason() {
    let clock = Clock::new();
    let (ann, bo) = claimed(&clock);
    clock.check_run(TTL * 3);
    let mut ann = ann.restart(&clock);
    ann.project.run_maintenance();
    clock.check_run(TTL / 2);
    let refused = take_over(&mut ann, false, None).unwrap_err();
    assert!(
        refused
            .message
            .contains("not seen since this node started 5m ago"),
        "{refused}"
    );
    assert_eq!(ann.card("1").claim_heard, None);
    assert_eq!(take_over(&mut ann, true, None).unwrap_err().code.exit(), 2);
    clock.check_run(TTL / 2);
    take_over(&mut ann, false, None).unwrap();

    // Without a running node nobody knows; with a reason it is forced, which the act says.
    let mut bo = bo.restart(&clock);
    let mut ann = ann.restart(&clock);
    meet(&mut ann, &mut bo);
    bo.project.replication.net = None;
    let refused = take_over(&mut bo, false, None).unwrap_err();
    assert!(refused.message.contains("without a running node"), "{refused}");
    take_over(&mut bo, true, Some("ann has left")).unwrap();
    let item = bo.card("1").id;
    let doc = bo.project.store.doc(&item).unwrap();
    let forced = doc.acts().values().any(
        |record| matches!(&record.act.op, Op::TakeOver { force: Some(why), .. } if why == "ann has left"),
    );
    assert!(forced);
    // What this node claimed itself it can always take over.
    take_over(&mut bo, false, None).unwrap();
    assert_eq!(bo.card("1").claim.unwrap().generation, 4);
}

#[test]
fn a_claim_that_just_arrived_is_protected_for_the_usual_time() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.project.run_maintenance();
    clock.check_run(TTL * 2);
    bo.create("worked on", &[]);
    bo.does("1", Verb::Start);
    bo.does("1", Verb::Claim);
    meet(&mut ann, &mut bo);
    assert_eq!(ann.card("1").claim_heard, None, "its node has said nothing yet");
    assert_eq!(take_over(&mut ann, false, None).unwrap_err().code.exit(), 5);
    clock.check_run(TTL);
    take_over(&mut ann, false, None).unwrap();
}

#[test]
fn forged_old_and_foreign_presence_is_ignored() {
    let clock = Clock::new();
    let (mut ann, mut bo) = claimed(&clock);
    let project = ann.project.id();
    let body = |name: &str, node: NodeId, after: u64| {
        let at = BEGIN.plus(after);
        let claims = Vec::new();
        Presence::sign(
            PresenceBody {
                project,
                node,
                at,
                claims,
                accounts: Vec::new(),
            },
            &key(name),
        )
    };
    let (bos, carrier) = (bo.me, bo.me);
    let stranger = NodeId(key("mallory").verifying_key().to_bytes());
    let verdict = |ann: &mut Replica, presence: &Presence| hears(ann, carrier, presence.bytes());
    assert_eq!(
        verdict(&mut ann, &body("mallory", stranger, 0)),
        GossipVerdict::Ignore
    );
    assert_eq!(verdict(&mut ann, &body("mallory", bos, 0)), GossipVerdict::Reject);
    assert_eq!(hears(&mut ann, bos, &[1, 0]), GossipVerdict::Reject);
    assert_eq!(
        hears(&mut ann, bos, &[2, 0]),
        GossipVerdict::Ignore,
        "of a newer version"
    );
    assert_eq!(ann.card("1").claim_heard, None);

    let mut other = body("bo", bos, 0).body().clone();
    other.project = towline_proto::ProjectId([9; 32]);
    let other = Presence::sign(other, &key("bo"));
    assert_eq!(verdict(&mut ann, &other), GossipVerdict::Reject);

    clock.check_run(BEAT);
    bo.project.run_maintenance();
    let bytes = said(&mut bo).unwrap();
    assert_eq!(hears(&mut ann, bos, &bytes), GossipVerdict::Accept);
    assert_eq!(
        hears(&mut ann, bos, &bytes),
        GossipVerdict::Ignore,
        "too soon after the last"
    );
    clock.check_run(BEAT);
    // Somebody passes an old one on again, so that a dead node seems to live.
    assert_eq!(hears(&mut ann, stranger, &bytes), GossipVerdict::Ignore);
    // From the node itself it is no old one: its clock was set back, or it would not be connected.
    assert_eq!(hears(&mut ann, bos, &bytes), GossipVerdict::Accept);
    clock.check_run(TTL);
    assert_eq!(hears(&mut ann, stranger, &bytes), GossipVerdict::Ignore);
    take_over(&mut ann, false, None).unwrap();
}

#[test]
fn a_node_sends_a_heartbeat_every_half_minute_and_alternates_many_claims() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    for number in 1..=300 {
        ann.create("work", &[]);
        ann.does(&number.to_string(), Verb::Start);
        ann.does(&number.to_string(), Verb::Claim);
    }
    ann.told();
    let mut items = std::collections::BTreeSet::new();
    let mut count = 0;
    for _ in 0..60 {
        ann.project.run_maintenance();
        if let Some(bytes) = said(&mut ann) {
            let presence = Presence::decode(&bytes).unwrap();
            presence.verify().unwrap();
            items.extend(presence.body().claims.iter().map(|claim| claim.item));
            count += 1;
        }
        clock.check_run(Duration::from_secs(5));
    }
    assert!((8..=14).contains(&count), "{count} times in five minutes");
    assert_eq!(items.len(), 300);
}

/// An entry that no log takes, so that everything which is staged with it is undone.
fn too_large(replica: &Replica) -> Entry {
    let project = &replica.project;
    let change = ItemChange {
        item: ItemId([0; ItemId::LEN]),
        change: vec![0; 2 * limits::ENTRY_BYTES],
    };
    let body = EntryBody {
        project: project.id(),
        author: replica.me,
        epoch: Epoch(99),
        seq: 0,
        prev: vec![],
        members: vec![],
        at: BEGIN,
        payload: Payload::Changes(vec![change]),
    };
    Entry::sign(body, &project.author.key)
}

#[test]
fn a_release_that_could_not_be_written_leaves_the_claim_as_young_as_it_was() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for replica in [&mut ann, &mut bo] {
        replica.project.run_maintenance();
    }
    clock.check_run(TTL * 2);
    bo.create("worked on", &[]);
    bo.does("1", Verb::Start);
    bo.does("1", Verb::Claim);
    meet(&mut ann, &mut bo);
    assert!(take_over(&mut ann, false, None).is_err(), "it was just made");
    // Bo works at the other machine now, too.
    let origin = by(OriginKind::User, "bo");
    let release = Request::Command(Command::Transition(Transition::plain("1", Verb::Release)));
    ann.project.apply_request(Some(&origin), release).unwrap();
    let entry = too_large(&ann);
    ann.project.batch.add_remote(entry);
    ann.project.commit_pending().unwrap_err();
    assert_eq!(ann.card("1").claim.unwrap().holder, "bo");
    let refused = take_over(&mut ann, false, None).unwrap_err();
    assert!(refused.message.contains("can be taken over in"), "{refused}");
}
