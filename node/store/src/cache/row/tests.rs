//! Rows of every shape, packed and made whole again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use towline_crdt::reasons::{Notice, NoticedAct, RefusalReason};
use towline_proto::stage::{Blocked, MergeFailure};
use towline_proto::{CriterionState, FailureKind, NodeId, OriginKind, Register, Rule};

use super::*;
use crate::cache::testing::item;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

/// Few different ones, so that one act often stands in several places of a row.
fn act() -> impl Strategy<Value = ActId> {
    (0u8..12).prop_map(|byte| ActId([byte; 16]))
}

fn id() -> impl Strategy<Value = ItemId> {
    any::<[u8; 16]>().prop_map(ItemId)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 32]>().prop_map(NodeId)
}

fn at() -> impl Strategy<Value = Millis> {
    any::<u64>().prop_map(Millis)
}

fn origin() -> impl Strategy<Value = Origin> {
    (select(OriginKind::ALL), text()).prop_map(|(kind, id)| Origin { kind, id })
}

fn closing() -> impl Strategy<Value = Closing> {
    prop_oneof![
        Just(Closing::Abandoned),
        id().prop_map(|by| Closing::Superseded { by }),
        text().prop_map(|reason| Closing::Rejected { reason }),
    ]
}

fn holds() -> impl Strategy<Value = Holds> {
    let failure = (select(FailureKind::ALL), text(), any::<bool>());
    let failure = failure.prop_map(|(kind, detail, is_final)| MergeFailure {
        kind,
        detail,
        is_final,
    });
    let blocked = text().prop_map(|reason| Blocked { reason });
    (
        any::<bool>(),
        option::of(blocked),
        any::<bool>(),
        option::of(failure),
    )
        .prop_map(|(frozen, blocked, review, failure)| Holds {
            frozen,
            blocked,
            review,
            failure,
        })
}

fn claim() -> impl Strategy<Value = Claim> {
    (act(), text(), node(), any::<u32>(), at()).prop_map(|(act, holder, node, generation, at)| Claim {
        act,
        holder,
        node,
        generation,
        at,
    })
}

fn criterion() -> impl Strategy<Value = Criterion> {
    let state = select(CriterionState::ALL);
    (act(), text(), state, vec(text(), 0..3)).prop_map(|(id, text, state, evidence)| Criterion {
        id,
        text,
        state,
        evidence,
    })
}

fn a_conflict() -> impl Strategy<Value = Conflict> {
    let register = prop_oneof![
        Just(Register::Column),
        text().prop_map(Register::Label),
        id().prop_map(Register::Dependency),
        text().prop_map(|target| Register::Link(LinkKind::Commit, target)),
        act().prop_map(Register::Criterion),
    ];
    (text(), register, select(Rule::ALL), vec(act(), 1..4), at()).prop_map(
        |(id, register, rule, mut acts, since)| Conflict {
            id,
            register,
            rule,
            winner: acts.remove(0),
            losers: acts,
            since,
        },
    )
}

/// A row with anything in it, also what the fold would never put together.
fn row() -> impl Strategy<Value = ItemView> {
    let open = (
        (id(), any::<u32>(), select(Kind::ALL), text(), select(Column::ALL)),
        (any::<bool>(), any::<bool>(), select(Qa::ALL), any::<u8>()),
        (at(), at(), at()),
    );
    let ties = (
        vec(text(), 0..4),
        vec(id(), 0..4),
        option::of(id()),
        option::of(closing()),
    );
    let link = (select(LinkKind::ALL), text()).prop_map(|(kind, target)| Link { kind, target });
    let step = (select(Column::ALL), act()).prop_map(|(column, act)| ColumnStep { column, act });
    let last = (act(), origin(), node(), at());
    let last = last.prop_map(|(act, origin, node, at)| Attribution {
        act,
        origin,
        node,
        at,
    });
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let rest = (
        (option::of(text()), origin(), vec(link, 0..4), option::of(text())),
        (vec(step, 0..8), last, vec(act(), 0..6), option::of(act())),
        counts,
    );
    let refused = (act(), text()).prop_map(|(act, reason)| RefusedAct {
        act,
        why: RefusalReason::NotNextGeneration {
            generation: reason.len() as u32,
            seen: 1,
        },
    });
    let notice = text().prop_map(|reason| Notice::MergedDespite {
        act: NoticedAct::Blocked { reason },
    });
    let rare = (
        (holds(), option::of(claim()), vec(criterion(), 0..3)),
        (vec(a_conflict(), 0..2), vec(notice, 0..2), vec(refused, 0..2)),
    );
    (open, ties, rest, prop_oneof![Just(None), rare.prop_map(Some)]).prop_map(|(open, ties, rest, rare)| {
        let mut row = item(1);
        (row.id, row.number, row.kind, row.title, row.column) = open.0;
        (row.deleted, row.purged, row.qa, row.priority) = open.1;
        (row.created_at, row.updated_at, row.entered_at) = open.2;
        (row.labels, row.depends_on, row.epic, row.closing) = ties;
        (row.assignee, row.origin, row.links, row.imported) = rest.0;
        row.request = row
            .number
            .is_multiple_of(3)
            .then_some(towline_proto::RequestId([row.number as u8; 16]));
        (row.trail, row.last, row.heads, row.body_edit) = rest.1;
        (row.generation, row.retries, row.comments) = rest.2;
        if let Some((first, second)) = rare {
            (row.holds, row.claim, row.criteria) = first;
            (row.conflicts, row.attention, row.refused) = second;
        }
        row
    })
}

proptest! {
    #[test]
    fn a_row_comes_back_from_memory_and_from_the_disk_as_it_went_in(whole in row()) {
        let packed = Row::of(whole.clone());
        prop_assert_eq!(packed.view(), Some(whole.clone()));
        let mut bytes = Vec::new();
        packed.write(&mut bytes);
        prop_assert_eq!(Row::read(whole.id, &bytes), Some((packed, whole)));
    }

    #[test]
    fn the_header_equals_the_unpacked_row(whole in row()) {
        let row = Row::of(whole.clone());
        prop_assert_eq!(row.title(), &whole.title);
        prop_assert_eq!(row.status, whole.status());
        prop_assert_eq!(row.held, !whole.holds.is_empty());
        let references = row.references();
        prop_assert_eq!(references.depends_on, whole.depends_on.clone());
        prop_assert_eq!(references.epic, whole.epic);
        prop_assert_eq!(references.closing, whole.closing.clone());
        let RowTexts { title, labels, links } = row.texts();
        prop_assert_eq!(title, &whole.title);
        prop_assert_eq!(labels, whole.labels.iter().map(String::as_str).collect::<Vec<_>>());
        let targets: Vec<_> = links.into_iter().map(|(_, target)| target).collect();
        prop_assert_eq!(targets, whole.links.iter().map(|link| link.target.as_str()).collect::<Vec<_>>());
    }

    /// A block that the disk lost or changed is met as such: something else is read, or nothing.
    #[test]
    fn bytes_that_are_no_row_are_none(whole in row(), cut in 0usize..2_000, changed in any::<u8>()) {
        let mut bytes = Vec::new();
        Row::of(whole.clone()).write(&mut bytes);
        let cut = cut % bytes.len();
        prop_assert!(Row::read(whole.id, &bytes[..cut]).is_none());
        bytes[cut] = changed;
        // Nothing to compare: a changed letter of a title is a row as well. It must not panic.
        if let Some((row, view)) = Row::read(whole.id, &bytes) {
            prop_assert_eq!(row.view(), Some(view));
        }
    }
}

#[test]
fn an_ordinary_row_is_small() {
    let mut row = item(1);
    row.title = "Deploy keys for the second region are rotated by hand".into();
    row.heads = (0..6).map(|byte| ActId([byte; 16])).collect();
    let bytes = Row::of(row).packed.len();
    assert!(
        bytes < 330,
        "{bytes} bytes; the acts alone are 102, the item and the node 50"
    );
}
