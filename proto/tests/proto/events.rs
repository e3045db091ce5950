//! One event of every kind, as [`crate::samples`] has one of everything else.

use towline_proto::{Closing, Column, Event, EventId, EventKind, HoldKind, Kind, Op, Status};

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
        reason: Some("because".into()),
    };
    vec![
        EventKind::ItemCreated {
            column: Column::Backlog,
        },
        stage,
        holds,
        EventKind::Claimed {
            holder: "bot".into(),
            generation: 3,
        },
        EventKind::Released { holder: "bot".into() },
        EventKind::FieldChanged {
            field: "title".into(),
        },
        EventKind::Commented {
            excerpt: "Hm.".into(),
        },
        EventKind::ConflictRaised {
            rule: "the cautious one takes effect".into(),
        },
        EventKind::ConflictsResolved,
        EventKind::ChangedByMerge {
            field: "column".into(),
            before: "done".into(),
            after: "merge".into(),
        },
        EventKind::Deleted,
        EventKind::Restored,
    ]
}
