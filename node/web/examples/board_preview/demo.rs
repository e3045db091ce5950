//! About forty canned items in every state that a board can show, for looking at it.

use towline_api::types::{ItemCard, Notice, NoticedAct};
use towline_proto::stage::{Blocked, Claim, MergeFailure};
use towline_proto::{ActId, Column, FailureKind, ItemId, Kind, Millis, NodeId, Qa};

use crate::canned::{card, dependency, update_derived};

/// About forty items in every state that a board can show.
pub(crate) fn demo(now: Millis) -> Vec<ItemCard> {
    let titles = [
        "Sign entries with the node's key",
        "Gossip frames over 64 KiB are dropped",
        "Measure fold time on a year of history",
        "Split the swarm task from the store",
        "Replication",
        "Show who holds a claim on the board",
        "Import from beads keeps dependencies",
        "Board loses focus after a refresh",
        "Relay a digest after an outage",
        "Tickets expire by the inviter's clock",
        "Rename `hold` to what people call it",
        "Ask peers for what is missing first",
    ];
    let columns = [
        Column::Backlog,
        Column::Coding,
        Column::Qa,
        Column::Merge,
        Column::Done,
        Column::Backlog,
        Column::Upcoming,
        Column::Coding,
    ];
    let labels = ["sync", "board", "relay", "cli", "good first item"];
    let mut cards: Vec<_> = (1..=40u32)
        .map(|number| {
            let at = number as usize;
            let mut card = card(
                number,
                Kind::ALL[at * 3 % Kind::ALL.len()],
                titles[at * 5 % titles.len()],
                now,
            );
            card.column = columns[at % columns.len()];
            card.priority = [2, 1, 2, 3, 2, 0, 2][at % 7];
            card.labels = labels
                .iter()
                .skip(at % 5)
                .take(at % 3)
                .map(|label| (*label).to_owned())
                .collect();
            card.comments = (number * 7 % 5) % 4;
            card.criteria = at % 4;
            card.criteria_met = card.criteria.saturating_sub(at % 2);
            card.assignee = at.is_multiple_of(3).then(|| "ann".to_owned());
            match card.column {
                Column::Coding | Column::Qa if at % 2 == 1 => {
                    card.claim = Some(claim(card.id, "coder-2", card.entered_at))
                }
                Column::Backlog if at % 4 == 1 => {
                    card.unmet = 1;
                    card.depends_on = vec![dependency(now)];
                }
                _ => {}
            }
            card.retries = u32::from(card.column == Column::Coding && at % 3 == 1);
            card
        })
        .collect();
    let find = |cards: &mut Vec<ItemCard>, number: u32, change: &dyn Fn(&mut ItemCard)| {
        cards
            .iter_mut()
            .filter(|card| card.number == number)
            .for_each(change);
    };
    find(&mut cards, 7, &|card| card.holds.frozen = true);
    find(&mut cards, 9, &|card| {
        card.holds.blocked = Some(Blocked {
            reason: "the homeserver refuses our certificate until Monday".into(),
        });
    });
    find(&mut cards, 10, &|card| {
        card.holds.review = true;
        card.qa = Qa::Human;
    });
    find(&mut cards, 11, &|card| {
        card.holds.failure = Some(failure(FailureKind::Conflict, "node/src/web/mod.rs", false))
    });
    find(&mut cards, 19, &|card| {
        card.holds.failure = Some(failure(FailureKind::GatesFailed, "clippy: 2 warnings", true))
    });
    find(&mut cards, 15, &|card| card.conflicts = 1);
    find(&mut cards, 18, &|card| {
        card.attention = vec![Notice::MergedDespite {
            act: NoticedAct::Frozen,
        }]
    });
    find(&mut cards, 3, &|card| card.progress = Some((4, 9)));
    find(&mut cards, 17, &|card| {
        card.title = "<script>alert('towline')</script> \"quoted\" & a_very_long_word_that_no_line_can_hold_without_breaking_it".into()
    });
    cards.iter_mut().for_each(update_derived);
    cards
}

fn failure(kind: FailureKind, detail: &str, is_final: bool) -> MergeFailure {
    MergeFailure {
        kind,
        detail: detail.to_owned(),
        is_final,
    }
}

fn claim(id: ItemId, holder: &str, at: Millis) -> Claim {
    Claim {
        act: ActId(id.0),
        holder: holder.to_owned(),
        node: NodeId([1; 32]),
        generation: 2,
        at,
    }
}
