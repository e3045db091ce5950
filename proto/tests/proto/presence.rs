//! Presence: its pinned bytes, and what is refused.

use towline_proto::ids::to_hex;
use towline_proto::presence::PresenceError;
use towline_proto::{Presence, PresenceBody, ProjectId, Renewal, limits};

use crate::golden::{golden, line};
use crate::samples::{AT, ann, ben, item, node};

pub(crate) fn sample() -> Presence {
    let renewal = |generation| Renewal {
        item: item(),
        generation,
    };
    let body = PresenceBody {
        project: ProjectId([7; 32]),
        node: node(&ann()),
        at: AT,
        claims: vec![renewal(1), renewal(300)],
        accounts: Vec::new(),
    };
    Presence::sign(body, &ann())
}

#[test]
fn a_presence_is_pinned() {
    let presence = sample();
    let read = Presence::decode(presence.bytes()).expect("decodes");
    assert_eq!((read.verify(), read.body()), (Ok(()), presence.body()));
    let mut body = presence.body().clone();
    body.accounts = vec!["matrix @towline:example.org".to_owned()];
    let gateway = Presence::sign(body, &ann());
    let read = Presence::decode(gateway.bytes()).expect("decodes");
    assert_eq!((read.verify(), read.body()), (Ok(()), gateway.body()));
    golden(
        "presence.hex",
        [
            line("bytes", to_hex(presence.bytes())),
            line("gateway bytes", to_hex(gateway.bytes())),
        ],
    );
}

#[test]
fn a_presence_is_bounded_versioned_and_signed_by_the_node_that_it_names() {
    let good = sample();
    let mut body = good.body().clone();
    body.node = ben();
    let forged = Presence::sign(body.clone(), &ann());
    assert_eq!(
        Presence::decode(forged.bytes()).expect("readable").verify(),
        Err(PresenceError::Signature)
    );
    let mut changed = good.bytes().to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert!(
        Presence::decode(&changed).is_err() || Presence::decode(&changed).expect("read").verify().is_err()
    );
    body.claims = vec![body.claims[0]; limits::PRESENCE_CLAIMS + 1];
    let many = Presence::sign(body, &ann());
    assert!(many.bytes().len() <= limits::PRESENCE_BYTES, "full ones fit");
    assert_eq!(
        Presence::decode(many.bytes()),
        Err(PresenceError::TooMany {
            got: limits::PRESENCE_CLAIMS + 1,
            max: limits::PRESENCE_CLAIMS
        })
    );
    let mut body = good.body().clone();
    for accounts in [
        vec!["a".repeat(limits::PRESENCE_ACCOUNT_BYTES + 1)],
        vec!["a".to_owned(); limits::PRESENCE_ACCOUNTS + 1],
    ] {
        body.accounts = accounts;
        let signed = Presence::sign(body.clone(), &ann());
        assert!(matches!(
            Presence::decode(signed.bytes()),
            Err(PresenceError::Accounts(_))
        ));
    }
    let long = vec![1; limits::PRESENCE_BYTES + 1];
    let newer = [&[2], &good.bytes()[1..]].concat();
    for bytes in [&long[..], &newer, &good.bytes()[..40], &[]] {
        assert!(matches!(Presence::decode(bytes), Err(PresenceError::Decode(_))));
    }
}
