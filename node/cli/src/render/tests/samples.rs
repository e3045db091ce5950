//! Ann, bob, coder-1 and their project at noon, for the pages.

use jiff::tz::TimeZone;
use towline_api::types::{
    ActSummary, ColumnHold, Comment, ConflictTopic, Explanation, FeedEvent, HistoryLine, HistoryOutcome,
    ItemCard, ItemLink, ItemPage, LineValue, OpenConflict, PeerInfo, RefusalReason, Side, SideResult,
    StateReason,
};
use towline_crdt::view::{Criterion, Link};
use towline_proto::stage::{Blocked, Claim, Holds};
use towline_proto::table::IllegalReason;
use towline_proto::{
    ActId, Column, CriterionState, Event, EventId, EventKind, HoldKind, ItemId, Kind, LinkKind, Millis,
    NodeId, Origin, OriginKind, ProjectId, Qa, Register, Rule, Status, Verb,
};

use crate::render::View;
use crate::style::Style;

/// 2026-11-20T12:00:00Z.
pub(super) const NOON: Millis = Millis(1_795_176_000_000);

pub(super) const MINUTE: u64 = 60_000;

pub(super) fn view(width: usize) -> View {
    View {
        now: NOON,
        width,
        style: Style::PLAIN,
        zone: TimeZone::UTC,
    }
}

pub(super) fn before(minutes: u64) -> Millis {
    Millis(NOON.0 - minutes * MINUTE)
}

pub(super) fn user(name: &str) -> Origin {
    Origin::new(OriginKind::User, name).expect("a name")
}

pub(super) fn id(number: u32) -> ItemId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    ItemId(bytes)
}

pub(crate) fn card(number: u32, kind: Kind, column: Column, title: &str) -> ItemCard {
    ItemCard {
        handle: number.to_string(),
        number,
        key: format!("{number:04x}"),
        id: id(number),
        revision: "r1".into(),
        kind,
        title: title.into(),
        column,
        status: Status::Active,
        holds: Holds::default(),
        closing: None,
        deleted: false,
        priority: 2,
        qa: Qa::Agent,
        labels: Vec::new(),
        assignee: None,
        claim: None,
        epic: None,
        depends_on: Vec::new(),
        unmet: 0,
        retries: 0,
        criteria_met: 0,
        criteria: 0,
        comments: 0,
        conflicts: 0,
        attention: Vec::new(),
        progress: None,
        origin: user("ann"),
        created_at: before(3_000),
        updated_at: before(180),
        entered_at: before(180),
        claim_heard: None,
        skewed: false,
        in_the_way: None,
        legal: Vec::new(),
    }
}

pub(super) fn link(number: u32, title: &str, status: Status) -> ItemLink {
    ItemLink {
        handle: number.to_string(),
        id: id(number),
        title: title.into(),
        status: Some(status),
        satisfied: status == Status::Done,
        suspended: false,
        note: None,
    }
}

pub(super) fn claim(holder: &str) -> Claim {
    Claim {
        act: ActId([9; 16]),
        holder: holder.into(),
        node: NodeId([0x3f; 32]),
        generation: 2,
        at: before(20),
    }
}

pub(super) fn login() -> ItemCard {
    ItemCard {
        status: Status::Blocked,
        holds: Holds {
            blocked: Some(Blocked {
                reason: "waits for the keys".into(),
            }),
            ..Holds::default()
        },
        priority: 0,
        labels: vec!["ui".into(), "web".into()],
        claim: Some(claim("coder-1")),
        depends_on: vec![
            link(3, "Cookie jar", Status::Done),
            link(7, "Keychain", Status::Active),
        ],
        unmet: 1,
        criteria: 3,
        criteria_met: 1,
        conflicts: 1,
        in_the_way: None,
        legal: vec![Verb::Submit, Verb::Unblock, Verb::Freeze],
        retries: 1,
        ..card(42, Kind::Bug, Column::Coding, "Login fails on Safari")
    }
}

pub(super) fn board() -> Vec<ItemCard> {
    vec![
        login(),
        ItemCard {
            assignee: Some("bob".into()),
            updated_at: before(5),
            ..card(7, Kind::Story, Column::Backlog, "Keychain")
        },
        ItemCard {
            progress: Some((2, 9)),
            priority: 1,
            ..card(
                5,
                Kind::Epic,
                Column::Backlog,
                "登录 everywhere \u{1b}[2Jand then some more words",
            )
        },
        card(12, Kind::Spike, Column::Upcoming, "What would passkeys take?"),
    ]
}

pub(super) fn line(minutes: u64, act: u8, who: &str, what: &str) -> HistoryLine {
    HistoryLine {
        act: ActId([act; 16]),
        item: id(42),
        handle: "42".into(),
        title: "Login fails on Safari".into(),
        at: before(minutes),
        origin: user(who),
        node: NodeId([0x3f; 32]),
        node_name: "laptop".into(),
        what: what.parse().expect("an operation"),
        from: None,
        to: None,
        value: None,
        fate: HistoryOutcome::Effective,
        skewed: false,
    }
}

fn reason(reason: &str) -> LineValue {
    LineValue::Reason {
        reason: reason.to_owned(),
    }
}

pub(super) fn topic(register: Register) -> ConflictTopic {
    ConflictTopic::Register {
        register,
        criterion: None,
    }
}

pub(super) fn history() -> Vec<HistoryLine> {
    vec![
        HistoryLine {
            to: Some(Column::Backlog),
            ..line(3_000, 1, "ann", "create")
        },
        HistoryLine {
            value: Some(LineValue::Title {
                title: "Login fails".into(),
            }),
            ..line(2_990, 2, "ann", "title")
        },
        HistoryLine {
            from: Some(Column::Backlog),
            to: Some(Column::Coding),
            fate: HistoryOutcome::Superseded { by: ActId([5; 16]) },
            ..line(185, 3, "ann", "start")
        },
        HistoryLine {
            value: Some(reason("waits for the keys")),
            ..line(180, 4, "bob", "block")
        },
        HistoryLine {
            from: Some(Column::Coding),
            to: Some(Column::Done),
            fate: HistoryOutcome::Overridden {
                by: ActId([4; 16]),
                rule: Rule::Hold,
                winner: Some(Box::new(ActSummary {
                    origin: user("bob"),
                    what: Verb::Block.into(),
                    to: None,
                    value: Some(reason("waits for the keys")),
                })),
                resolution: None,
            },
            ..line(179, 5, "ann", "merged")
        },
        line(2, 6, "ann", "comment"),
    ]
}

/// What one would read about 42.
pub(super) fn explanation() -> Explanation {
    let refused = HistoryLine {
        fate: HistoryOutcome::Refused {
            why: RefusalReason::Illegal {
                why: IllegalReason::Held(HoldKind::Blocked, Verb::Unblock),
            },
        },
        ..line(60, 8, "cem", "submit")
    };
    let mut acts = history();
    acts.insert(5, refused);
    Explanation {
        card: login(),
        at: before(0),
        reasons: vec![
            StateReason::Column {
                by: Some(ActId([4; 16])),
                held: Some(ColumnHold::Blocked),
                successor: None,
            },
            StateReason::Overridden {
                act: ActId([5; 16]),
                rule: Rule::Hold,
            },
            StateReason::Waits {
                item: Box::new(link(7, "Keychain", Status::Active)),
            },
        ],
        acts,
        conflicts: vec![concurrent_hold()],
    }
}

/// Two people called it something else, and there is more about the same item.
pub(super) fn naming() -> OpenConflict {
    let side = |key: &str, act: u8, who: &str, title: &str| Side {
        key: key.into(),
        effective: key == "a",
        result: SideResult::Value {
            value: Some(LineValue::Title { title: title.into() }),
        },
        unkeepable: None,
        line: HistoryLine {
            value: Some(LineValue::Title { title: title.into() }),
            ..line(40, act, who, "title")
        },
    };
    OpenConflict {
        id: "c0ffee0011223344".into(),
        topic: topic(Register::Title),
        rule: Rule::Field,
        since: before(40),
        before: None,
        sides: vec![
            side("a", 21, "ann", "Login fails on Safari"),
            side(
                "b",
                22,
                "bob",
                "登录 fails on Safari, and on every iPhone that was sold since the autumn",
            ),
        ],
        ..concurrent_hold()
    }
}

/// Bob blocked what Ann had done.
pub(super) fn concurrent_hold() -> OpenConflict {
    let side = |place: usize, key: &str, result| Side {
        key: key.into(),
        effective: key == "a",
        result,
        unkeepable: None,
        line: history().swap_remove(place),
    };
    let stays = SideResult::Stays {
        column: Column::Coding,
    };
    OpenConflict {
        id: "ab12".into(),
        item: link(42, "Login fails on Safari", Status::Blocked),
        topic: topic(Register::Column),
        rule: Rule::Hold,
        since: before(179),
        before: None,
        sides: vec![
            side(3, "a", stays),
            side(4, "b", SideResult::Column { column: Column::Done }),
        ],
    }
}

pub(super) fn criterion(text: &str, state: CriterionState, evidence: &[&str]) -> Criterion {
    Criterion {
        id: ActId([7; 16]),
        text: text.into(),
        state,
        evidence: evidence.iter().map(|each| (*each).to_owned()).collect(),
    }
}

pub(crate) fn page_of_42() -> ItemPage {
    ItemPage {
        card: ItemCard {
            epic: Some(link(5, "Sign-in works everywhere", Status::Active)),
            ..login()
        },
        body: "Safari drops the cookie.\n\n```\n\tset-cookie: a very long line of code that must not be broken at all\n```\nSeen by three people, each on another machine, and by the nightly run.\n".into(),
        criteria_list: vec![
            criterion("Safari 17 can sign in", CriterionState::Met, &["ci/1881"]),
            criterion("No other browser is worse off than it was before this change", CriterionState::Open, &[]),
            criterion("Documented", CriterionState::Failed, &[]),
        ],
        known_as: vec!["github:acme/shop#7".into()],
        links: vec![Link { kind: LinkKind::External, target: "github:acme/shop#7".into() }],
        remarks: vec![Comment {
            id: ActId([6; 16]),
            origin: Origin::new(OriginKind::Agent, "coder-1").expect("a name"),
            at: before(2),
            text: "It is the SameSite attribute.\nPatch follows.".into(),
            skewed: false,
        }],
        related: Vec::new(),
        successor: None,
        dependants: vec![link(50, "Release 2", Status::Frozen)],
        children: Vec::new(),
        history: history(),
        open_conflicts: vec![concurrent_hold()],
        refused: Vec::new(),
    }
}

pub(crate) fn moved() -> FeedEvent {
    FeedEvent {
        position: 88,
        seen_at: before(5),
        backfill: false,
        skewed: false,
        event: Event {
            id: EventId([1; 16]),
            project: ProjectId([0xd0; 32]),
            item: id(42),
            number: 42,
            kind: Kind::Bug,
            title: "Login fails on Safari".into(),
            status: Status::Active,
            origin: user("ann"),
            node: NodeId([0x3f; 32]),
            at: before(5),
            what: EventKind::StageChanged {
                from: Column::Coding,
                via: vec![Column::Qa],
                to: Column::Merge,
                closing: None,
            },
        },
    }
}

pub(super) fn peer(name: &str, in_sync: bool) -> PeerInfo {
    PeerInfo {
        node: NodeId([0x77; 32]),
        name: name.into(),
        address: "/ip4/10.0.0.7/tcp/4001".into(),
        in_sync,
        seen_at: before(1),
    }
}
