//! Real swarms on 127.0.0.1: links, gossip, strangers, joins, hostile peers.

mod cast;
mod hostile;

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use towline_net::{GossipVerdict, NetInput, NetOutput};
use towline_proto::ticket::Secret;
use towline_proto::wire::{EntryBytes, JoinReply, Message};
use towline_proto::{Millis, NodeId, ProjectId, Role, Ticket};

use cast::{Actor, DEMO, SOON, befriend, id, reaches, start, start_with};

#[tokio::test]
async fn two_members_connect_and_talk_both_ways() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    anna.send(ben.id(), 1).await;
    assert_eq!(ben.wait_message().await, (anna.id(), 1));
    ben.send(anna.id(), 2).await;
    assert_eq!(anna.wait_message().await, (ben.id(), 2));
    // Ben never dialled; Anna has told him where she can be found.
    knows(&ben, anna.id()).await;
    let known = ben.net.address_book();
    assert_eq!(known[0].0, anna.id());
    assert!(anna.net.addresses()[0].starts_with(&known[0].1[0]), "{known:?}");
    assert!(anna.net.metrics().frames_in.load(Ordering::Relaxed) >= 1);
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    let mut noise = vec![0u8; 1_500_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let message = Message::Entries {
        project: DEMO,
        entries: vec![EntryBytes(noise.into()), EntryBytes(vec![7; 100_000].into())],
        more: false,
    };
    let sent = message.clone();
    anna.say(NetOutput::Send {
        peer: ben.id(),
        message,
    })
    .await;
    let got = ben
        .wait_for(|input| match input {
            NetInput::Message { message, .. } => Some(message),
            _ => None,
        })
        .await;
    assert!(got == sent, "the message changed on the way");
}

#[tokio::test]
async fn a_project_that_is_slow_to_read_loses_nothing() {
    let mut anna = start(1).await;
    let mut ben = start_with(2, "/ip4/127.0.0.1/tcp/0", 1).await;
    befriend(&mut anna, &mut ben).await;
    for number in 0..40 {
        anna.send(ben.id(), number).await;
    }
    for number in 0..40 {
        assert_eq!(ben.wait_message().await, (anna.id(), number));
    }
}

#[tokio::test]
async fn a_project_that_both_join_later_is_announced_on_the_open_stream_and_its_end_too() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    let other = ProjectId([0x0e; 32]);
    anna.members_of(other, &[ben.id()], false).await;
    let (project, input) = timeout(SOON, anna.inbox.recv()).await.unwrap().unwrap();
    assert_eq!(project, other);
    assert!(matches!(input, NetInput::Connected { peer, .. } if peer == ben.id()));
    anna.members(&[], false).await;
    anna.wait_disconnected(ben.id()).await;
    ben.wait_disconnected(anna.id()).await;
}

/// Publishes fresh entries at Anna, which Ben accepts, until Carol gets one: the mesh stands then.
async fn warm_up(anna: &Actor, ben: &mut Actor, carol: &mut Actor) {
    for round in 0u32..200 {
        anna.publish(format!("warm-up {round}").as_bytes()).await;
        while let Ok(Some((_, input))) = timeout(Duration::from_millis(100), ben.inbox.recv()).await {
            if let NetInput::Gossip { peer, token, .. } = input {
                ben.judge(peer, token, GossipVerdict::Accept).await;
            }
        }
        while let Ok((_, input)) = carol.inbox.try_recv() {
            if let NetInput::Gossip { peer, .. } = input {
                assert_eq!(peer, ben.id(), "Carol only knows Ben");
                return;
            }
        }
    }
    panic!("no entry ever came through");
}

#[tokio::test]
async fn an_entry_is_passed_on_only_after_it_was_accepted() {
    let (mut anna, mut ben, mut carol) = (start(1).await, start(2).await, start(3).await);
    anna.members(&[ben.id()], false).await;
    carol.members(&[ben.id()], false).await;
    ben.members(&[anna.id(), carol.id()], false).await;
    ben.dial(&anna).await;
    ben.dial(&carol).await;
    anna.wait_connected(ben.id()).await;
    carol.wait_connected(ben.id()).await;
    warm_up(&anna, &mut ben, &mut carol).await;

    anna.publish(b"first").await;
    anna.publish(b"second").await;
    let (from, first, bytes) = ben.wait_gossip().await;
    assert_eq!((from, bytes.as_slice()), (anna.id(), &b"first"[..]));
    let (_, second, bytes) = ben.wait_gossip().await;
    assert_eq!(bytes, b"second");
    ben.judge(anna.id(), second, GossipVerdict::Accept).await;
    let seen = carol
        .wait_for(|input| match input {
            NetInput::Gossip { bytes, .. } if !bytes.starts_with(b"warm") => Some(bytes),
            _ => None,
        })
        .await;
    assert_eq!(seen, b"second", "the first has not been judged yet");
    ben.judge(anna.id(), first, GossipVerdict::Accept).await;
    assert_eq!(carol.wait_gossip().await.2, b"first");
}

#[tokio::test]
async fn a_stranger_gets_nowhere_and_sees_no_gossip() {
    let (mut anna, mut ben, mut mallory) = (start(1).await, start(2).await, start(6).await);
    befriend(&mut anna, &mut ben).await;
    // Mallory knows the project's id and where Anna is, and believes she is a member.
    mallory.members(&[anna.id()], false).await;
    mallory.dial(&anna).await;
    // She gets a connection on which she can show a ticket or an admission, and nothing else.
    reaches(&anna.net.metrics().connections, 2).await;
    for round in 0u32.. {
        anna.publish(format!("secret {round}").as_bytes()).await;
        match timeout(Duration::from_millis(100), ben.inbox.recv()).await {
            Ok(Some((_, NetInput::Gossip { .. }))) => break,
            _ => assert!(round < 200, "Ben should have seen the entry"),
        }
    }
    anna.send(mallory.id(), 1).await;
    mallory.send(anna.id(), 2).await;
    anna.send(ben.id(), 3).await;
    assert_eq!(ben.wait_message().await, (anna.id(), 3));
    assert!(mallory.inbox.try_recv().is_err(), "Mallory was told something");
    assert!(anna.inbox.try_recv().is_err(), "Anna was told of Mallory");
}

#[tokio::test]
async fn an_admission_that_a_stranger_shows_reaches_the_project_and_makes_a_member_of_nobody_by_itself() {
    let (mut anna, mallory) = (start(1).await, start(6).await);
    anna.members(&[], false).await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[6; 32]);
    let body = towline_proto::EntryBody {
        project: DEMO,
        author: mallory.id(),
        epoch: towline_proto::Epoch(1),
        seq: 0,
        prev: Vec::new(),
        members: Vec::new(),
        at: Millis::default(),
        payload: towline_proto::Payload::Changes(Vec::new()),
    };
    let shown = towline_proto::Entry::sign(body, &key);
    let entry = towline_proto::wire::EntryBytes(shown.bytes().clone());
    mallory.say(NetOutput::Admission { project: DEMO, entry }).await;
    mallory.members(&[anna.id()], false).await;
    mallory.dial(&anna).await;
    let (peer, came) = anna
        .wait_for(|input| match input {
            NetInput::Admission { peer, entry, .. } => Some((peer, entry)),
            NetInput::Connected { .. } => panic!("she was let in"),
            _ => None,
        })
        .await;
    assert_eq!((peer, came.hash()), (mallory.id(), shown.hash()));
}

/// Waits until the actor knows where somebody is.
async fn knows(actor: &Actor, node: NodeId) {
    let known = timeout(SOON, async {
        while !actor.net.address_book().iter().any(|(known, _)| *known == node) {
            tokio::task::yield_now().await;
        }
    });
    known.await.expect("its address should have come by now");
}

fn ticket(inviter: &Actor, project: ProjectId) -> Ticket {
    Ticket {
        project,
        name: "demo".into(),
        inviter: inviter.id(),
        addresses: inviter.net.addresses(),
        role: Role::Writer,
        expires: Millis(u64::MAX),
        secret: Secret([5; 32]),
    }
}

#[tokio::test]
async fn a_ticket_lets_a_stranger_join_and_connect_as_a_member() {
    let (mut anna, mut dora) = (start(1).await, start(4).await);
    let ben = start(2).await;
    anna.members(&[ben.id()], true).await;
    anna.dial(&ben).await;
    knows(&anna, ben.id()).await;
    let ticket = ticket(&anna, DEMO);
    let joining = {
        let net = dora.net.clone();
        tokio::spawn(async move { net.join(&ticket, "dora").await })
    };
    let (peer, request, reply) = anna
        .wait_for(|input| match input {
            NetInput::Join { peer, request, reply } => Some((peer, request, reply)),
            _ => None,
        })
        .await;
    assert_eq!((peer, request.name.as_str()), (dora.id(), "dora"));
    assert_eq!(request.secret, Secret([5; 32]));
    // Anna admits her before she answers, as the real project does.
    anna.members(&[ben.id(), dora.id()], true).await;
    let welcome = |peers| JoinReply::Welcome {
        genesis: EntryBytes(vec![1, 2, 3].into()),
        peers,
    };
    reply.send(welcome(vec![])).unwrap();
    let told = timeout(SOON, joining).await.unwrap().unwrap().unwrap();
    let of_ben = ben.net.addresses()[0].split("/p2p/").next().unwrap().to_owned();
    assert_eq!(
        told,
        welcome(vec![(ben.id(), vec![of_ben])]),
        "where the others are"
    );

    dora.members(&[anna.id()], false).await;
    dora.dial(&anna).await;
    dora.wait_connected(anna.id()).await;
    anna.wait_connected(dora.id()).await;
    dora.send(anna.id(), 9).await;
    assert_eq!(anna.wait_message().await, (dora.id(), 9));
}

#[tokio::test]
async fn a_ticket_that_nobody_handed_out_is_refused_in_words() {
    let (anna, dora) = (start(1).await, start(4).await);
    anna.members(&[], true).await;
    let reply = dora.net.join(&ticket(&anna, ProjectId([7; 32])), "dora").await;
    let why = "this node is not a member of that project".to_owned();
    assert_eq!(reply.unwrap(), JoinReply::Refused { why });

    anna.members(&[], false).await;
    let reply = dora.net.join(&ticket(&anna, DEMO), "dora").await;
    let why = "that project has no open invitation; ask an owner for a new ticket".to_owned();
    assert_eq!(reply.unwrap(), JoinReply::Refused { why });
    let mut nowhere = ticket(&anna, DEMO);
    nowhere.addresses.clear();
    assert!(dora.net.join(&nowhere, "dora").await.is_err());
}

#[tokio::test]
async fn a_peer_that_was_killed_is_dialled_again_when_it_is_back() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    let address = ben.net.addresses().remove(0);
    let listen = address.split("/p2p/").next().unwrap().to_owned();
    ben.net.stop().await;
    anna.wait_disconnected(id(2)).await;

    // The new Ben knows nobody's address: it is Anna who comes.
    let mut ben = start_with(2, &listen, 256).await;
    ben.members(&[anna.id()], false).await;
    anna.wait_connected(ben.id()).await;
    ben.wait_connected(anna.id()).await;
    ben.send(anna.id(), 4).await;
    assert_eq!(anna.wait_message().await, (ben.id(), 4));
}

#[tokio::test]
async fn addresses_can_be_dialled_as_they_are_printed_and_bad_ones_are_named() {
    let anna = start(1).await;
    let addresses = anna.net.addresses();
    assert_eq!(addresses.len(), 1);
    assert!(addresses[0].contains("/p2p/12D3Koo"), "{addresses:?}");
    // A node that was never heard of is noted; it is not dialled, since it is no member.
    let nobody: NodeId = id(9);
    anna.net
        .dial(nobody, vec!["nonsense".into(), "/ip4/127.0.0.1/tcp/1".into()])
        .await;
    knows(&anna, nobody).await;
    assert_eq!(
        anna.net.address_book(),
        vec![(nobody, vec!["/ip4/127.0.0.1/tcp/1".to_owned()])]
    );
}

#[tokio::test]
async fn members_who_never_met_find_each_other_when_whoever_knew_both_is_gone() {
    let (mut anna, mut ben, mut carol) = (start(1).await, start(2).await, start(3).await);
    let all = [anna.id(), ben.id(), carol.id()];
    anna.members(&all, false).await;
    // Ben and Carol do not know each other as members yet, so neither dials the other.
    ben.members(&[anna.id()], false).await;
    carol.members(&[anna.id()], false).await;
    ben.dial(&anna).await;
    carol.dial(&anna).await;
    for actor in [&mut ben, &mut carol] {
        actor.wait_connected(id(1)).await;
    }
    anna.wait_connected(ben.id()).await;
    anna.wait_connected(carol.id()).await;
    knows(&ben, carol.id()).await;
    knows(&carol, ben.id()).await;
    anna.net.stop().await;
    ben.wait_disconnected(id(1)).await;
    carol.wait_disconnected(id(1)).await;
    ben.members(&all, false).await;
    carol.members(&all, false).await;
    ben.wait_connected(carol.id()).await;
    carol.wait_connected(ben.id()).await;
}

#[tokio::test]
async fn nobody_is_told_about_members_of_a_project_that_it_is_not_in() {
    let other = ProjectId([0x0e; 32]);
    let (mut anna, mut ben, mut carol) = (start(1).await, start(2).await, start(3).await);
    anna.members_of(other, &[carol.id()], false).await;
    carol.members_of(other, &[anna.id()], false).await;
    carol.dial(&anna).await;
    carol.wait_connected(anna.id()).await;
    anna.wait_connected(carol.id()).await;
    knows(&anna, carol.id()).await;
    befriend(&mut ben, &mut anna).await;
    knows(&anna, ben.id()).await;
    knows(&ben, anna.id()).await;
    anna.send(ben.id(), 5).await;
    assert_eq!(ben.wait_message().await, (anna.id(), 5));
    assert!(ben.net.saved_nodes().1.iter().all(|kept| kept.node != carol.id()));
    assert!(carol.net.saved_nodes().1.iter().all(|kept| kept.node != ben.id()));
}

#[tokio::test]
async fn a_node_that_lost_its_book_says_where_it_is_in_a_record_above_the_last_one() {
    let (mut anna, mut ben) = (start(1).await, start(2).await);
    befriend(&mut anna, &mut ben).await;
    let record = |actor: &Actor, of: NodeId| {
        let kept = actor.net.saved_nodes().1.into_iter().find(|kept| kept.node == of);
        kept.and_then(|kept| kept.record)
    };
    let first = until_some(|| record(&ben, id(1))).await;
    anna.net.stop().await;
    ben.wait_disconnected(id(1)).await;
    // The new Anna knows nothing of what she said before; her port is another one.
    let mut anna = start(1).await;
    befriend(&mut anna, &mut ben).await;
    let news = until_some(|| record(&ben, id(1)).filter(|record| *record != first)).await;
    let own = until_some(|| record(&anna, id(1)).filter(|record| *record == news)).await;
    assert_eq!(own, news);
}

/// Waits until there is a value.
async fn until_some<T>(mut value: impl FnMut() -> Option<T>) -> T {
    let found = timeout(SOON, async {
        loop {
            match value() {
                Some(value) => return value,
                None => tokio::task::yield_now().await,
            }
        }
    });
    found.await.expect("it should have come by now")
}
