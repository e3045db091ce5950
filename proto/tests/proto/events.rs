//! One event of every kind, as [`crate::samples`] has one of everything else.

use towline_proto::stage::{Blocked, MergeFailure};
use towline_proto::{
    Closing, Column, ConflictSubject, Contender, CriterionState, EditKind, Event, EventId, EventKind,
    FailureKind, Field, HoldKind, HoldReason, ItemId, ItemName, Kind, Op, OpKind, Qa, Register,
    RegisterValue, Rule, Status, Verb, Wait, WaitKind,
};

use crate::samples::{AT, act, act_id, author_seq, entries, item};

pub(crate) fn event(what: EventKind) -> Event {
    Event {
        id: EventId::derive(&item(), what.name(), &act_id(0)),
        project: entries()[0].1.project(),
        item: item(),
        number: 42,
        kind: Kind::Bug,
        title: "Ship it".into(),
        status: Status::Active,
        origin: act(Op::Triage).origin,
        node: author_seq().node,
        at: AT,
        what,
    }
}

/// Every kind of event, optional parts given.
pub(crate) fn event_kinds() -> Vec<EventKind> {
    let stage = EventKind::StageChanged {
        from: Column::Coding,
        via: vec![Column::Qa],
        to: Column::Closed,
        closing: Some(Closing::Superseded { by: item() }),
    };
    let holds = EventKind::HoldsChanged {
        added: vec![HoldKind::Blocked],
        removed: vec![HoldKind::Frozen],
        reason: Some(HoldReason::Blocked(Blocked {
            reason: "waits for the keys".into(),
        })),
    };
    let failed = EventKind::HoldsChanged {
        added: vec![HoldKind::MergeFailure],
        removed: Vec::new(),
        reason: Some(HoldReason::MergeFailure(MergeFailure {
            kind: FailureKind::GatesFailed,
            detail: "clippy".into(),
            is_final: true,
        })),
    };
    vec![
        EventKind::ItemCreated {
            column: Column::Backlog,
        },
        stage,
        holds,
        failed,
        EventKind::Claimed {
            holder: "bot".into(),
            generation: 3,
        },
        EventKind::Released { holder: "bot".into() },
        EventKind::FieldChanged {
            field: Field::DependsOn,
        },
        EventKind::Commented {
            excerpt: "Hm.".into(),
        },
        EventKind::ConflictRaised {
            conflict: "3f2a90c1d4e5b687".into(),
            rule: Rule::Hold,
            about: ConflictSubject::Register {
                register: Register::Column,
                winner: Some(contender(0, Verb::Block.into())),
                losers: vec![
                    contender(1, Verb::Merged.into()),
                    contender(2, EditKind::Resolve.into()),
                ],
                more: 3,
            },
        },
        EventKind::ConflictRaised {
            conflict: "90c1d4e5b6873f2a".into(),
            rule: Rule::Cycle,
            about: ConflictSubject::Cycle {
                waits: vec![
                    wait("43", "42", WaitKind::Successor),
                    wait("42", "43", WaitKind::Dependency),
                ],
                more: 0,
            },
        },
        EventKind::ConflictsResolved,
        EventKind::ChangedByMerge {
            register: Register::Column,
            before: RegisterValue::Closed {
                status: Status::Abandoned,
            },
            after: RegisterValue::Column {
                column: Column::Merge,
            },
        },
        EventKind::Deleted,
        EventKind::Restored,
    ]
}

fn contender(ordinal: u32, op: OpKind) -> Contender {
    Contender {
        act: act_id(ordinal),
        origin: act(Op::Triage).origin,
        op,
    }
}

fn wait(waiting: &str, on: &str, why: WaitKind) -> Wait {
    let named = |handle: &str| ItemName {
        id: if handle == "42" { item() } else { ItemId([3; 16]) },
        handle: handle.to_owned(),
    };
    Wait {
        item: named(waiting),
        on: named(on),
        why,
    }
}

/// A value of every register that a merge can change, with the register.
pub(crate) fn register_values() -> Vec<(Register, RegisterValue)> {
    let name = || Some("bo".to_owned());
    vec![
        (Register::Column, RegisterValue::Column { column: Column::Qa }),
        (
            Register::Column,
            RegisterValue::Closed {
                status: Status::Rejected,
            },
        ),
        (Register::Blocked, RegisterValue::Hold { set: true }),
        (Register::Deleted, RegisterValue::Trash { deleted: true }),
        (Register::Claim, RegisterValue::Claim { holder: name() }),
        (
            Register::Title,
            RegisterValue::Title {
                title: "Ship it".into(),
            },
        ),
        (Register::Kind, RegisterValue::Kind { kind: Kind::Bug }),
        (Register::Priority, RegisterValue::Priority { priority: 0 }),
        (Register::Qa, RegisterValue::Qa { qa: Qa::Human }),
        (Register::Epic, RegisterValue::Epic { epic: Some(item()) }),
        (Register::Epic, RegisterValue::Epic { epic: None }),
        (Register::Assignee, RegisterValue::Assignee { who: name() }),
        (
            Register::Criterion(act_id(0)),
            RegisterValue::Criterion {
                state: CriterionState::Met,
            },
        ),
    ]
}
