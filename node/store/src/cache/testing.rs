//! A row for tests of this crate; those of the engine include this file.

use towline_crdt::view::{Attribution, ColumnStep, ItemView};
use towline_proto::stage::Holds;
use towline_proto::{ActId, Column, ItemId, Kind, Millis, NodeId, Origin, OriginKind, Qa};

const NOW: Millis = Millis(1_700_000_000_000);

/// A story in the backlog, labelled `store`.
pub(crate) fn item(number: u32) -> ItemView {
    let act = ActId([number.to_be_bytes()[3]; 16]);
    let origin = Origin {
        kind: OriginKind::User,
        id: "ada".to_owned(),
    };
    let mut id = [0u8; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    ItemView {
        id: ItemId(id),
        number,
        kind: Kind::Story,
        title: format!("Story {number}"),
        column: Column::Backlog,
        closing: None,
        holds: Holds::default(),
        deleted: false,
        purged: false,
        qa: Qa::ALL[0],
        priority: 2,
        labels: vec!["store".to_owned()],
        depends_on: Vec::new(),
        epic: None,
        assignee: None,
        origin: origin.clone(),
        request: None,
        claim: None,
        generation: 0,
        retries: 0,
        criteria: Vec::new(),
        links: Vec::new(),
        comments: 0,
        body_edit: None,
        imported: None,
        conflicts: Vec::new(),
        attention: Vec::new(),
        refused: Vec::new(),
        trail: vec![ColumnStep {
            column: Column::Backlog,
            act,
        }],
        last: Attribution {
            act,
            origin,
            node: NodeId([1; 32]),
            at: NOW,
        },
        created_at: NOW,
        updated_at: NOW,
        entered_at: NOW,
        heads: vec![act],
    }
}
