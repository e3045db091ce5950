//! What a canned item has to say about its conflict: two people took it two ways.

use towline_api::types::{Explanation, HistoryLine, HistoryOutcome, ItemCard, ItemLink, OpenConflict, Side};
use towline_proto::{ActId, Column, NodeId, Rule};

/// The conflict of an item that has one.
pub(crate) fn conflicts(card: &ItemCard, history: &[HistoryLine]) -> Vec<OpenConflict> {
    let side = |key: &str, line: HistoryLine, column: Column| Side {
        key: key.into(),
        effective: key == "a",
        means: column.to_string(),
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
            note: card.deleted.then(|| "deleted".to_owned()),
        },
        about: "column".into(),
        rule: Rule::Cautious,
        why: Rule::Cautious.sentence().into(),
        since: won.at,
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
    let because = vec![
        format!(
            "{} is in {}: ann sent it back (the second test is missing) 2h ago.",
            card.handle, card.column
        ),
        format!(
            "It is frozen: bob froze it. `towline unfreeze {}` lifts that.",
            card.handle
        ),
    ];
    Explanation {
        card,
        because,
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
    let line = |place, what: &str, from, to| HistoryLine {
        skewed: card.skewed && place == 4,
        act: act(place),
        item: card.id,
        handle: card.handle.clone(),
        title: card.title.clone(),
        at: card.created_at,
        origin: card.origin.clone(),
        node: NodeId([1; 32]),
        node_name: "workbench".into(),
        what: what.into(),
        from,
        to: Some(to),
        detail: None,
        fate: HistoryOutcome::default(),
        overtaken: None,
    };
    let (backlog, coding, qa) = (Column::Backlog, Column::Coding, Column::Qa);
    vec![
        line(1, "create", None, backlog),
        line(2, "start", Some(backlog), coding),
        HistoryLine {
            fate: HistoryOutcome::Overtaken {
                by: act(4),
                rule: Rule::Cautious,
            },
            overtaken: Some("overridden by ann, who sent it back".into()),
            ..line(3, "submit", Some(coding), qa)
        },
        HistoryLine {
            detail: Some("the second test is missing".into()),
            ..line(4, "request-changes", Some(qa), coding)
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
