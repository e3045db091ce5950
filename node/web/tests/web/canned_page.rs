//! What a canned project says of itself and of one item in full.

use towline_api::types::{Comment, FeedEvent, ItemCard, ItemPage, PeerInfo, ProjectStatus};
use towline_proto::{Column, NodeId, ProjectId, Role};

use super::{NOON, conflict, dependency};

const BODY: &str = "# Why\n\nA frame of *exactly* 64 KiB is dropped. See [the log](https://example.org/log).\n\n- measured on two nodes\n- `gossip::publish` says nothing\n\n<img src=x onerror=alert(1)>\n\n[bad](javascript:alert(1)) ![picture](https://example.org/a.png)\n";

/// An item in full.
pub(crate) fn page(card: ItemCard, remarks: Vec<Comment>) -> ItemPage {
    let history = conflict::history(&card);
    ItemPage {
        body: BODY.into(),
        criteria_list: Vec::new(),
        known_as: Vec::new(),
        links: Vec::new(),
        remarks,
        related: Vec::new(),
        successor: None,
        dependants: vec![dependency(NOON)],
        children: Vec::new(),
        open_conflicts: conflict::conflicts(&card, &history),
        history,
        refused: Vec::new(),
        card,
    }
}

/// Counts of these cards, and two peers of which one is behind.
pub(crate) fn status(
    id: ProjectId,
    name: &str,
    cards: &[ItemCard],
    last_event: Option<FeedEvent>,
) -> ProjectStatus {
    let shown = |card: &&ItemCard| !card.deleted;
    let count = |column: &Column| {
        let of_column = cards.iter().filter(shown).filter(|card| card.column == *column);
        of_column.count()
    };
    let peer = |name: &str, in_sync| PeerInfo {
        node: NodeId([2; 32]),
        name: name.into(),
        address: "/ip4/127.0.0.1/tcp/4001".into(),
        in_sync,
        seen_at: NOON,
    };
    ProjectStatus {
        id,
        name: name.to_owned(),
        node: NodeId([1; 32]),
        node_name: "workbench".into(),
        role: Role::Owner,
        columns: Column::ALL
            .iter()
            .map(|column| (*column, count(column)))
            .collect(),
        held: cards.iter().filter(|card| !card.holds.is_empty()).count(),
        conflicts: cards.iter().filter(|card| card.conflicts > 0).count(),
        deleted: cards.len() - cards.iter().filter(shown).count(),
        items: cards.len(),
        entries: 0,
        log_bytes: 0,
        members: 2,
        waiting: 0,
        digest: "00".into(),
        last_event,
        peers: Some(vec![peer("laptop", true), peer("builder", false)]),
        board: None,
        unavailable: Vec::new(),
    }
}
