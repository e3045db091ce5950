//! A feed of generated events for tests: one author, numbered positions.

use std::collections::{BTreeMap, BTreeSet};

use towline_api::types::FeedEvent;
use towline_proto::stage::Blocked;
use towline_proto::{
    Column, Event, EventId, EventKind, HoldKind, HoldReason, ItemId, Kind, Millis, NodeId, Origin,
    OriginKind, ProjectId, Status,
};

/// A feed to which a test adds events.
pub(crate) struct TestFeed {
    position: u64,
    titles: BTreeMap<u32, String>,
    blocked: BTreeSet<u32>,
}

impl TestFeed {
    pub(crate) fn new() -> Self {
        Self {
            position: 0,
            titles: BTreeMap::new(),
            blocked: BTreeSet::new(),
        }
    }

    pub(crate) fn event(&mut self, number: u32, title: &str, what: EventKind) -> FeedEvent {
        self.titles.insert(number, title.to_owned());
        self.next(number, what)
    }

    pub(crate) fn next(&mut self, number: u32, what: EventKind) -> FeedEvent {
        self.position += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.position.to_be_bytes());
        let mut item = [0; 16];
        item[..4].copy_from_slice(&number.to_be_bytes());
        if let EventKind::HoldsChanged { added, removed, .. } = &what {
            self.blocked
                .extend(added.contains(&HoldKind::Blocked).then_some(number));
            if removed.contains(&HoldKind::Blocked) {
                self.blocked.remove(&number);
            }
        }
        let status = match self.blocked.contains(&number) {
            true => Status::Blocked,
            false => Status::Active,
        };
        FeedEvent {
            position: self.position,
            seen_at: Millis(1_000_000),
            backfill: false,
            skewed: false,
            event: Event {
                id: EventId(id),
                project: ProjectId([1; 32]),
                item: ItemId(item),
                number,
                kind: Kind::Story,
                title: self
                    .titles
                    .get(&number)
                    .cloned()
                    .unwrap_or_else(|| "Fix login".to_owned()),
                status,
                origin: Origin {
                    kind: OriginKind::User,
                    id: "ann".to_owned(),
                },
                node: NodeId([2; 32]),
                at: Millis(1_000_000),
                what,
            },
        }
    }
}

pub(crate) fn moved(from: Column, to: Column) -> EventKind {
    EventKind::StageChanged {
        from,
        via: Vec::new(),
        to,
        closing: None,
    }
}

pub(crate) fn holds(added: &[HoldKind], removed: &[HoldKind], reason: Option<&str>) -> EventKind {
    EventKind::HoldsChanged {
        added: added.to_vec(),
        removed: removed.to_vec(),
        reason: reason.map(|reason| {
            HoldReason::Blocked(Blocked {
                reason: reason.to_owned(),
            })
        }),
    }
}
