//! What a canned item has to say about its conflict: two people took it two ways.

use towline_api::types::{
    ConflictTopic, Explanation, HistoryLine, HistoryOutcome, ItemCard, ItemLink, LineValue, LinkNote,
    OpenConflict, Side, SideResult, StateReason,
};
use towline_proto::{ActId, Column, EditKind, NodeId, OpKind, Register, Rule, Verb};

/// The conflict of an item that has one.
pub(crate) fn conflicts(card: &ItemCard, history: &[HistoryLine]) -> Vec<OpenConflict> {
    let side = |key: &str, line: HistoryLine, column: Column| Side {
        key: key.into(),
        effective: key == "a",
        result: SideResult::Column { column },
        unkeepable: None,
        line,
    };
    let mut sides: Vec<_> = history
        .iter()
        .rev()
        .take(2)
        .cloned()
        .map(|line| {
            let column = line.to.unwrap_or(card.column);
            (line, column)
        })
        .collect();
    let (Some((lost, lost_to)), Some((won, won_to))) = (sides.pop(), sides.pop()) else {
        return Vec::new();
    };
    let conflict = OpenConflict {
        id: "c0ffee0011223344".into(),
        item: ItemLink {
            handle: card.handle.clone(),
            id: card.id,
            title: card.title.clone(),
            status: Some(card.status),
            satisfied: false,
            suspended: false,
            note: card.deleted.then_some(LinkNote::Deleted),
        },
        topic: ConflictTopic::Register {
            register: Register::Column,
            criterion: None,
        },
        rule: Rule::Cautious,
        since: won.at,
        before: None,
        sides: vec![side("a", won, won_to), side("b", lost, lost_to)],
    };
    (card.conflicts > 0).then_some(conflict).into_iter().collect()
}

/// Why it stands where it stands.
pub(crate) fn explanation(
    card: ItemCard,
    acts: Vec<HistoryLine>,
    conflicts: Vec<OpenConflict>,
) -> Explanation {
    let by = acts.last().map(|line| line.act);
    let reasons = vec![
        StateReason::Column {
            by,
            held: None,
            successor: None,
        },
        StateReason::Frozen { by: None },
    ];
    Explanation {
        at: card.updated_at,
        card,
        reasons,
        acts,
        conflicts,
    }
}

/// Four acts, of which the third lost to the fourth.
pub(crate) fn history(card: &ItemCard) -> Vec<HistoryLine> {
    let act = |place: u8| {
        let mut act = ActId(card.id.0);
        act.0[0] = place;
        act
    };
    let line = |place, what: OpKind, from, to| HistoryLine {
        skewed: card.skewed && place == 4,
        act: act(place),
        item: card.id,
        handle: card.handle.clone(),
        title: card.title.clone(),
        at: card.created_at,
        origin: card.origin.clone(),
        node: NodeId([1; 32]),
        node_name: "workbench".into(),
        what,
        from,
        to: Some(to),
        value: None,
        fate: HistoryOutcome::default(),
    };
    let (backlog, coding, qa) = (Column::Backlog, Column::Coding, Column::Qa);
    vec![
        line(1, EditKind::Create.into(), None, backlog),
        line(2, Verb::Start.into(), Some(backlog), coding),
        HistoryLine {
            fate: HistoryOutcome::Overridden {
                by: act(4),
                rule: Rule::Cautious,
                winner: None,
                resolution: None,
            },
            ..line(3, Verb::Submit.into(), Some(coding), qa)
        },
        HistoryLine {
            value: Some(LineValue::Reason {
                reason: "the second test is missing".into(),
            }),
            ..line(4, Verb::RequestChanges.into(), Some(qa), coding)
        },
    ]
}

/// The side that is meant.
pub(crate) fn kept<'s>(sides: &'s [Side], keep: &str) -> Option<&'s ActId> {
    let side = sides
        .iter()
        .find(|side| side.key == keep || side.line.act.to_string() == keep)?;
    Some(&side.line.act)
}
