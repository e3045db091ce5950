//! The examples of docs/events.md, compared with the JSON that this version writes. `TOWLINE_BLESS=1` writes them.

use std::path::PathBuf;

use serde::Serialize;
use towline_proto::stage::{Blocked, MergeFailure};
use towline_proto::{
    ActId, Closing, Column, ConflictSubject, Contender, Event, EventId, EventKind, FailureKind, Field,
    HoldKind, HoldReason, ItemId, ItemName, Kind, Millis, NodeId, OpKind, Origin, OriginKind, ProjectId,
    Register, RegisterValue, Rule, Status, Verb, Wait, WaitKind,
};

use super::FeedEvent;

/// The longest example on one line, in characters.
const LINE: usize = 110;

fn person(name: &str) -> Origin {
    Origin::new(OriginKind::User, name).expect("a name")
}

fn contender(act: u8, name: &str, op: impl Into<OpKind>) -> Contender {
    Contender {
        act: ActId([act; 16]),
        origin: person(name),
        op: op.into(),
    }
}

fn item(number: u8) -> ItemName {
    ItemName {
        id: ItemId([number; 16]),
        handle: number.to_string(),
    }
}

fn waits(from: u8, on: u8) -> Wait {
    Wait {
        item: item(from),
        on: item(on),
        why: WaitKind::Dependency,
    }
}

/// What is in the document, in the order of its examples.
fn examples() -> Vec<EventKind> {
    vec![
        EventKind::ItemCreated {
            column: Column::Backlog,
        },
        EventKind::StageChanged {
            from: Column::Coding,
            via: vec![Column::Qa],
            to: Column::Merge,
            closing: None,
        },
        EventKind::StageChanged {
            from: Column::Backlog,
            via: Vec::new(),
            to: Column::Closed,
            closing: Some(Closing::Rejected {
                reason: "works as designed".into(),
            }),
        },
        EventKind::HoldsChanged {
            added: vec![HoldKind::Blocked],
            removed: vec![HoldKind::Frozen],
            reason: Some(HoldReason::Blocked(Blocked {
                reason: "waits for the keys".into(),
            })),
        },
        EventKind::HoldsChanged {
            added: vec![HoldKind::MergeFailure],
            removed: Vec::new(),
            reason: Some(HoldReason::MergeFailure(MergeFailure {
                kind: FailureKind::GatesFailed,
                detail: "clippy: 2 warnings".into(),
                is_final: false,
            })),
        },
        EventKind::Claimed {
            holder: "coder-1".into(),
            generation: 3,
        },
        EventKind::Released {
            holder: "coder-1".into(),
        },
        EventKind::FieldChanged { field: Field::Labels },
        EventKind::Commented {
            excerpt: "Reproduced on Safari 17.".into(),
        },
        EventKind::ConflictRaised {
            conflict: "3f2a90c1d4e5b687".into(),
            rule: Rule::Hold,
            about: ConflictSubject::Register {
                register: Register::Column,
                winner: Some(contender(0xb0, "bob", Verb::Block)),
                losers: vec![contender(0xa0, "ann", Verb::Merged)],
                more: 0,
            },
        },
        EventKind::ConflictRaised {
            conflict: "90c1d4e5b6873f2a".into(),
            rule: Rule::Cycle,
            about: ConflictSubject::Cycle {
                waits: vec![waits(43, 42), waits(42, 43)],
                more: 0,
            },
        },
        EventKind::ConflictsResolved,
        EventKind::ChangedByMerge {
            register: Register::Column,
            before: RegisterValue::Column { column: Column::Done },
            after: RegisterValue::Column {
                column: Column::Coding,
            },
        },
        EventKind::ChangedByMerge {
            register: Register::Assignee,
            before: RegisterValue::Assignee {
                who: Some("bob".into()),
            },
            after: RegisterValue::Assignee { who: None },
        },
        EventKind::Deleted,
        EventKind::Restored,
    ]
}

fn feed_event(what: EventKind) -> FeedEvent {
    FeedEvent {
        position: 88,
        seen_at: Millis(1_764_587_401_250),
        backfill: false,
        skewed: false,
        event: Event {
            id: EventId([0x1e; 16]),
            project: ProjectId([0x5a; 32]),
            item: ItemId([42; 16]),
            number: 42,
            kind: Kind::Bug,
            title: "Login fails on Safari".into(),
            status: Status::Active,
            origin: person("ann"),
            node: NodeId([0x3f; 32]),
            at: Millis(1_764_587_400_000),
            what,
        },
    }
}

/// On one line, or where that is too long with a line for each field.
fn json(value: &impl Serialize) -> String {
    let line = serde_json::to_string(value).expect("serialises");
    if line.len() <= LINE {
        return line;
    }
    let inside = line.trim_start_matches('{');
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut in_text) = (0i32, false);
    let mut broken = String::new();
    for c in inside.chars() {
        in_text ^= c == '"';
        match c {
            '{' | '[' if !in_text => depth += 1,
            '}' | ']' if !in_text => depth -= 1,
            _ => {}
        }
        broken.push(c);
        if c == ',' && depth == 0 && !in_text {
            broken.push_str("\n  ");
        }
    }
    format!("{{\n  {broken}\n}}")
}

/// The whole document once, then `what` of every example.
fn written() -> Vec<String> {
    let kinds = examples();
    let whole = feed_event(kinds[1].clone());
    let mut all = vec![json(&whole.document())];
    all.extend(kinds.iter().map(json));
    all
}

const FENCE: &str = "```json\n";

#[test]
fn the_examples_of_the_documentation_are_what_is_written() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let text = std::fs::read_to_string(&path).expect("the documentation of events");
    let mut parts = text.split(FENCE);
    let mut blessed = parts.next().unwrap_or_default().to_owned();
    let mut documented = Vec::new();
    let written = written();
    for (at, part) in parts.enumerate() {
        let (example, rest) = part.split_once("```").expect("a block ends");
        documented.push(example.trim_end().to_owned());
        let now = written.get(at).map_or(example.trim_end(), String::as_str);
        blessed.push_str(&format!("{FENCE}{now}\n```{rest}"));
    }
    if std::env::var_os("TOWLINE_BLESS").is_some() {
        std::fs::write(&path, blessed).expect("the documentation is written");
        return;
    }
    assert_eq!(documented, written);
}

/// An event of every type has an example under its name. Fails to compile when a type is added.
#[test]
fn every_event_has_an_example() {
    let place = |what: &EventKind| match what {
        EventKind::ItemCreated { .. } => 0,
        EventKind::StageChanged { .. } => 1,
        EventKind::HoldsChanged { .. } => 2,
        EventKind::Claimed { .. } => 3,
        EventKind::Released { .. } => 4,
        EventKind::FieldChanged { .. } => 5,
        EventKind::Commented { .. } => 6,
        EventKind::ConflictRaised { .. } => 7,
        EventKind::ConflictsResolved => 8,
        EventKind::ChangedByMerge { .. } => 9,
        EventKind::Deleted => 10,
        EventKind::Restored => 11,
    };
    let there: std::collections::BTreeSet<usize> = examples().iter().map(place).collect();
    assert_eq!(there, (0..12).collect());
}
