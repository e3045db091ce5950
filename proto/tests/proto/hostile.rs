//! Decoders: what they refuse, what they tolerate from a newer version, and that no bytes make them panic.

use proptest::prelude::*;
use serde::Serialize;
use towline_proto::act::ActError;
use towline_proto::codec::{self, DecodeError};
use towline_proto::entry::EntryError;
use towline_proto::ids::{from_hex, to_hex};
use towline_proto::wire::{AddressExchange, JoinReply, JoinRequest, MembershipProofs, Message};
use towline_proto::{
    Act, ActId, AddressRecord, Entry, Event, ItemId, MemberAct, Millis, NodeId, Op, Origin, Presence, Ticket,
    VersionVector, limits,
};

use crate::samples::{self, AT, act, act_id, entries};
use crate::{address, presence};

/// Runs every decoder on the same bytes.
fn decode_all(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes.into()) {
        let _ = entry.verify();
    }
    if let Ok(presence) = Presence::decode(bytes) {
        let _ = presence.verify();
    }
    if let Ok(record) = AddressRecord::decode(bytes) {
        let _ = record.verify();
    }
    let _ = AddressExchange::decode(bytes);
    let _ = Act::decode(bytes);
    let _ = Message::decode(bytes);
    let _ = MembershipProofs::decode(bytes);
    let _ = JoinRequest::decode(bytes);
    let _ = JoinReply::decode(bytes);
    let _ = codec::decode::<MemberAct>(bytes);
    let _ = codec::decode::<VersionVector>(bytes);
    let _ = serde_json::from_slice::<Event>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Ticket>();
        let _ = text.parse::<ItemId>();
        let _ = text.parse::<Millis>();
    }
}

fn valid() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = entries()
        .iter()
        .map(|(_, entry)| entry.bytes().to_vec())
        .collect();
    all.extend(samples::ops().into_iter().map(|(_, op)| act(op).encode()));
    all.extend(
        samples::messages()
            .into_iter()
            .map(|(_, message)| message.encode()),
    );
    all.extend(
        samples::join_replies()
            .into_iter()
            .map(|(_, reply)| reply.encode()),
    );
    all.push(samples::join_request().encode());
    all.push(presence::sample().bytes().to_vec());
    all.push(address::sample().bytes().to_vec());
    all.push(address::exchange().encode());
    all.push(samples::ticket().to_string().into_bytes());
    all
}

#[test]
fn nothing_may_follow_a_value() {
    let with = |bytes: &[u8]| [bytes, &[0xc0]].concat();
    assert_eq!(
        Act::decode(&with(&act(Op::Submit).encode())),
        Err(ActError::Decode(DecodeError::Trailing(1)))
    );
    for (_, message) in samples::messages() {
        assert_eq!(
            Message::decode(&with(&message.encode())),
            Err(DecodeError::Trailing(1))
        );
    }
    let [(_, genesis), ..] = entries();
    let trailing = Entry::decode(with(genesis.bytes()).into());
    assert_eq!(trailing, Err(EntryError::Decode(DecodeError::Trailing(1))));
}

#[test]
fn another_version_is_named() {
    let wrong = DecodeError::Version { got: 2, known: 1 };
    let bend = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[0] = 2;
        bytes
    };
    let [(_, genesis), ..] = entries();
    let entry = Entry::decode(bend(genesis.bytes()).into());
    assert_eq!(entry, Err(EntryError::Decode(wrong.clone())));
    let (_, hello) = &samples::messages()[0];
    assert_eq!(Message::decode(&bend(&hello.encode())), Err(wrong.clone()));
    assert_eq!(
        JoinRequest::decode(&bend(&samples::join_request().encode())),
        Err(wrong)
    );
    assert_eq!(Message::decode(&[]), Err(DecodeError::Short));
    assert_eq!(
        Entry::decode([1u8; 64].as_slice().into()),
        Err(EntryError::Decode(DecodeError::Short))
    );
}

#[test]
fn a_value_cut_short_anywhere_is_refused() {
    for bytes in valid() {
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(Entry::decode(cut.into()).is_err());
            assert!(Act::decode(cut).is_err());
            assert!(Message::decode(cut).is_err());
            assert!(JoinReply::decode(cut).is_err());
            assert!(AddressRecord::decode(cut).is_err());
            assert!(AddressExchange::decode(cut).is_err());
        }
    }
}

#[test]
fn a_lying_length_is_refused_without_the_memory_it_claims() {
    // Four billion of everything: array, map, binary, string, extension.
    for marker in [0xdd, 0xdf, 0xc6, 0xdb, 0xc9] {
        let bomb = [marker, 0xff, 0xff, 0xff, 0xff, 0, 0];
        assert!(codec::decode::<Act>(&bomb).is_err());
        assert!(codec::decode::<VersionVector>(&bomb).is_err());
        assert!(codec::decode::<Vec<u64>>(&bomb).is_err());
        assert!(codec::decode::<serde_bytes::ByteBuf>(&bomb).is_err());
        assert!(Message::decode(&[[1].as_slice(), &bomb].concat()).is_err());
    }
}

#[test]
fn a_depth_bomb_is_refused() {
    // An unknown field with a thousand nested arrays.
    let mut bytes = act(Op::Submit).encode();
    bytes[0] += 1;
    bytes.extend([0xa1, b'z']);
    bytes.extend([0x91; 1_000]);
    bytes.push(0xc0);
    assert!(matches!(
        Act::decode(&bytes),
        Err(ActError::Decode(DecodeError::Malformed(_)))
    ));
    assert!(codec::decode::<Act>(&[0x91; 100_000]).is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(serde_json::from_str::<Event>(&deep).is_err());
}

#[derive(Serialize)]
struct NewerAct {
    o: NewerOp,
    s: Vec<ActId>,
    t: Millis,
    b: Origin,
    mood: Vec<&'static str>,
}

#[derive(Serialize)]
struct NewerOp {
    e: &'static str,
    weather: &'static str,
}

fn newer(e: &'static str) -> Vec<u8> {
    codec::encode(&NewerAct {
        o: NewerOp { e, weather: "fair" },
        s: vec![act_id(0)],
        t: AT,
        b: act(Op::Submit).origin,
        mood: vec!["good"],
    })
}

#[test]
fn an_operation_of_a_newer_version_is_unknown_and_not_an_error() {
    assert_eq!(Act::decode(&newer("teleport")), Ok(act(Op::Unknown)));
}

#[test]
fn a_field_of_a_newer_version_is_passed_over() {
    assert_eq!(Act::decode(&newer("submit")), Ok(act(Op::Submit)));
}

#[test]
fn an_act_out_of_bounds_is_refused() {
    let refused = |op: Op| {
        Act::decode(&act(op).encode())
            .expect_err("out of bounds")
            .to_string()
    };
    let long = "x".repeat(limits::NAME_CHARS + 1);
    assert!(refused(Op::SetPriority { priority: 5 }).contains("0 (highest) to 4"));
    assert!(refused(Op::SetTitle { title: "a\nb".into() }).contains("U+000A"));
    assert!(refused(Op::Block { reason: " ".into() }).contains("empty"));
    assert!(refused(Op::AddLabel { label: long }).contains("201 characters"));
    let closed = Op::Move {
        to: towline_proto::Column::Done,
        reason: None,
    };
    assert!(refused(closed).contains("an open column"));
    let mut nobody = act(Op::Submit);
    nobody.origin.id = " ".into();
    assert!(Act::decode(&nobody.encode()).is_err());
    let mut many = act(Op::Submit);
    many.saw = vec![act_id(0); limits::SAW_PER_ACT + 1];
    assert!(Act::decode(&many.encode()).is_err());
    let huge = Op::Comment {
        text: "x".repeat(limits::ACT_BYTES),
    };
    assert!(refused(huge).contains("at most"));
}

#[test]
fn a_changed_entry_no_longer_verifies() {
    let [_, _, (_, entry)] = entries();
    // Flips every bit of the signature, and one bit of every signed byte.
    for at in 1..entry.bytes().len() {
        let mut bytes = entry.bytes().to_vec();
        bytes[at] ^= 1;
        if let Ok(bent) = Entry::decode(bytes.into()) {
            assert!(bent.verify().is_err(), "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        decode_all(&bytes);
        decode_all(&[[1].as_slice(), &bytes].concat());
    }

    #[test]
    fn no_bent_value_makes_a_decoder_panic(
        which in any::<prop::sample::Index>(),
        bends in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = which.get(&valid()).clone();
        for (at, byte) in bends {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        decode_all(&bytes);
    }

    #[test]
    fn an_id_is_the_same_after_its_hex(bytes in any::<[u8; 32]>()) {
        prop_assert_eq!(from_hex::<32>(&to_hex(&bytes)), Some(bytes));
        prop_assert_eq!(NodeId(bytes).to_string().parse::<NodeId>(), Ok(NodeId(bytes)));
    }
}
