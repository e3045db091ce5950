//! Golden tests: the bytes that other nodes read. A change here is a change of the format.
//!
//! Files under `tests/golden` have lines of the form `name: value`, with bytes in hex. `TOWLINE_BLESS=1` writes them
//! anew. A difference in a released file means that older nodes cannot read ours, or that hashes and ids differ between
//! versions; it needs a new version byte instead.

use std::path::PathBuf;

use towline_proto::ids::to_hex;
use towline_proto::wire::{JoinReply, JoinRequest, MembershipProofs, Message};
use towline_proto::{
    Act, EditKind, Entry, EventId, ItemId, Op, OpKind, RegisterValue, RequestId, Ticket, codec,
};

use crate::events::{self, event};
use crate::samples::{self, act, act_id, author_seq, entries, item};

/// Compares with `tests/golden/<name>`, or writes it when blessing.
pub(crate) fn golden(name: &str, lines: impl IntoIterator<Item = (String, String)>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let mut text = String::new();
    for (key, value) in lines {
        text.push_str(&format!("{key}: {value}\n"));
    }
    if std::env::var_os("TOWLINE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("golden file is written");
        return;
    }
    let pinned = std::fs::read_to_string(&path).expect("golden file; TOWLINE_BLESS=1 makes one");
    for (at, (pinned, now)) in pinned.lines().zip(text.lines()).enumerate() {
        assert_eq!(pinned, now, "{name}, line {}", at + 1);
    }
    assert_eq!(
        pinned.lines().count(),
        text.lines().count(),
        "{name} has other lines"
    );
}

pub(crate) fn line(key: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (key.into(), value.into())
}

#[test]
fn entries_are_pinned() {
    let mut lines = Vec::new();
    for (name, entry) in entries() {
        lines.push(line(format!("{name} bytes"), to_hex(entry.bytes())));
        lines.push(line(format!("{name} hash"), entry.hash().to_string()));
        lines.push(line(format!("{name} signature"), to_hex(&entry.bytes()[1..65])));
        let read = Entry::decode(entry.bytes().clone()).expect("decodes");
        assert_eq!(read.verify(), Ok(()));
        assert_eq!((read.body(), read.hash()), (entry.body(), entry.hash()));
    }
    golden("entries.hex", lines);
}

#[test]
fn acts_are_pinned() {
    let mut lines = Vec::new();
    for (name, op) in samples::ops() {
        let act = act(op);
        let bytes = act.encode();
        assert_eq!(Act::decode(&bytes), Ok(act), "{name}");
        lines.push(line(name, to_hex(&bytes)));
    }
    let asked = Act {
        request: Some(RequestId::derive("matrix !room:example.org", "$message")),
        ..act(Op::Submit)
    };
    let bytes = asked.encode();
    assert_eq!(Act::decode(&bytes), Ok(asked), "with a request");
    lines.push(line("submit-asked", to_hex(&bytes)));
    golden("acts.hex", lines);
}

/// Fails to compile when an operation is added, so that it gets its sample and its golden bytes.
#[test]
fn every_operation_has_its_sample() {
    fn variant(op: &Op) -> Option<usize> {
        Some(match op {
            Op::Create { .. } => 0,
            Op::Triage => 1,
            Op::Start { .. } => 2,
            Op::Submit => 3,
            Op::RequestChanges { .. } => 4,
            Op::PassQa => 5,
            Op::Approve => 6,
            Op::Merged { .. } => 7,
            Op::MergeFailed { .. } => 8,
            Op::RetryMerge => 9,
            Op::GiveUpMerge => 10,
            Op::Block { .. } => 11,
            Op::Unblock => 12,
            Op::Freeze => 13,
            Op::Unfreeze => 14,
            Op::Abandon { .. } => 15,
            Op::Supersede { .. } => 16,
            Op::Reject { .. } => 17,
            Op::Reopen => 18,
            Op::Archive => 19,
            Op::Move { .. } => 20,
            Op::Claim { .. } => 21,
            Op::Release { .. } => 22,
            Op::TakeOver { .. } => 23,
            Op::Delete { .. } => 24,
            Op::Restore => 25,
            Op::SetTitle { .. } => 26,
            Op::SetKind { .. } => 27,
            Op::SetPriority { .. } => 28,
            Op::SetQa { .. } => 29,
            Op::SetEpic { .. } => 30,
            Op::Assign { .. } => 31,
            Op::EditBody => 32,
            Op::AddLabel { .. } => 33,
            Op::RemoveLabel { .. } => 34,
            Op::AddDependency { .. } => 35,
            Op::RemoveDependency { .. } => 36,
            Op::AddLink { .. } => 37,
            Op::RemoveLink { .. } => 38,
            Op::Comment { .. } => 39,
            Op::AddCriterion { .. } => 40,
            Op::SetCriterion { .. } => 41,
            Op::MarkImport { .. } => 42,
            Op::Purge => 43,
            Op::Resolve { .. } => 44,
            Op::Set { .. } => 45,
            Op::Unknown => return None,
        })
    }
    let there: std::collections::BTreeSet<_> =
        samples::ops().iter().filter_map(|(_, op)| variant(op)).collect();
    assert_eq!(there, (0..46).collect());
}

#[test]
fn derived_ids_are_pinned() {
    let record = act(Op::Triage).encode();
    golden(
        "ids.hex",
        [
            line("actor", to_hex(&author_seq().actor())),
            line("item id", item().to_string()),
            line("item key", item().key()),
            line(
                "settings id",
                ItemId::settings(&entries()[0].1.project()).to_string(),
            ),
            line("act id", act_id(0).to_string()),
            line(
                "event id",
                EventId::derive(&item(), "item-created", &act_id(0)).to_string(),
            ),
            line("record hash", to_hex(&Act::record_hash(&record))),
            line("ticket hash", to_hex(&samples::ticket().secret.hash().0)),
            line("vector digest", to_hex(&samples::vector().digest())),
        ],
    );
}

#[test]
fn messages_are_pinned() {
    let mut lines = Vec::new();
    for (name, message) in samples::messages() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Ok(message));
        lines.push(line(name, to_hex(&bytes)));
    }
    let request = samples::join_request();
    assert_eq!(JoinRequest::decode(&request.encode()), Ok(request.clone()));
    lines.push(line("join request", to_hex(&request.encode())));
    let shown = samples::membership_proofs();
    assert_eq!(MembershipProofs::decode(&shown.encode()), Ok(shown.clone()));
    lines.push(line("admissions", to_hex(&shown.encode())));
    for (name, reply) in samples::join_replies() {
        assert_eq!(JoinReply::decode(&reply.encode()), Ok(reply.clone()));
        lines.push(line(format!("join reply {name}"), to_hex(&reply.encode())));
    }
    for (name, act) in samples::member_acts() {
        let bytes = codec::encode(&act);
        assert_eq!(codec::decode(&bytes), Ok(act));
        lines.push(line(format!("member act {name}"), to_hex(&bytes)));
    }
    golden("wire.hex", lines);
}

#[test]
fn the_ticket_string_is_pinned() {
    let ticket = samples::ticket();
    assert_eq!(ticket.to_string().parse::<Ticket>(), Ok(ticket.clone()));
    golden("ticket.txt", [line("ticket", ticket.to_string())]);
}

#[test]
fn the_json_of_events_is_pinned() {
    let mut lines = Vec::new();
    for what in events::event_kinds() {
        let event = event(what);
        let json = serde_json::to_string(&event).expect("serialises");
        assert_eq!(
            serde_json::from_str::<towline_proto::Event>(&json).expect("reads"),
            event
        );
        assert!(
            json.contains(&format!(r#""type":"{}""#, event.what.name())),
            "{json}"
        );
        assert_eq!(
            codec::decode(&codec::encode(&event)),
            Ok(event.clone()),
            "in a feed"
        );
        lines.push(line(event.what.name(), json));
    }
    for (register, value) in events::register_values() {
        let json = serde_json::to_string(&value).expect("serialises");
        assert_eq!(
            serde_json::from_str::<RegisterValue>(&json).expect("reads"),
            value
        );
        assert_eq!(codec::decode(&codec::encode(&value)), Ok(value));
        lines.push(line(register.to_string(), json));
    }
    golden("events.txt", lines);
}

#[test]
fn every_operation_has_its_name_and_reads_it_back() {
    for (name, op) in samples::ops() {
        let kind = op.kind();
        assert_eq!(kind.as_str().parse(), Ok(kind), "{name}");
        assert_eq!(op.name(), kind.as_str());
    }
    let newer: OpKind = serde_json::from_str("\"teleport\"").expect("reads");
    assert_eq!(newer, OpKind::Edit(EditKind::Unknown));
}
