//! Which cards a list shows, in which order.
//!
//! Pure: the cards come from a reply, and nothing is asked. A page shows the first [`ON_A_PAGE`] cards unless another
//! number was asked for; JSON is shortened only by that number, because programs would not notice.

use std::cmp::{Ordering, Reverse};

use clap::ValueEnum;
use towline_api::types::ItemCard;
use towline_proto::Column;

/// Cards of a page.
pub(crate) const ON_A_PAGE: usize = 50;

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// Number, lowest first
    Number,
    /// Priority, highest first; then the last change
    Priority,
    /// Last change, newest first
    Updated,
    /// Creation, newest first
    Created,
    /// Title, in alphabetical order
    Title,
}

/// How many cards, in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// At most so many, if a number was asked for.
    pub(crate) most: Option<usize>,
    /// The order, if one was asked for.
    pub(crate) sort: Option<SortKey>,
    /// Whether the cards are those of `ready`: best first, and what cannot be started last.
    pub(crate) ready: bool,
}

impl Listing {
    /// At most so many cards are on a page.
    pub(crate) fn on_a_page(&self) -> usize {
        self.most.unwrap_or(ON_A_PAGE)
    }

    /// At most `most` of these cards, in the order in which they are shown.
    ///
    /// Where no order was asked for, what is being worked on is chosen before what waits, and that before what ended,
    /// the newest first; the chosen cards keep their order. Those of `ready` are in the right order already.
    pub(crate) fn choose<'a>(&self, cards: &'a [ItemCard], most: usize) -> Vec<&'a ItemCard> {
        let mut chosen: Vec<&ItemCard> = cards.iter().collect();
        if let Some(key) = self.sort {
            chosen.sort_by(|a, b| compare(key, a, b));
        }
        if self.ready {
            chosen.sort_by_key(|card| card.in_the_way.is_some());
        }
        if self.sort.is_some() || self.ready || chosen.len() <= most {
            chosen.truncate(most);
            return chosen;
        }
        let mut order: Vec<(usize, &ItemCard)> = chosen.into_iter().enumerate().collect();
        order.sort_by_key(|(at, card)| (rank(card.column), ended(card), *at));
        order.truncate(most);
        order.sort_unstable_by_key(|(at, _)| *at);
        order.into_iter().map(|(_, card)| card).collect()
    }
}

fn compare(key: SortKey, a: &ItemCard, b: &ItemCard) -> Ordering {
    let order = match key {
        SortKey::Number => Ordering::Equal,
        SortKey::Priority => (a.priority, Reverse(a.updated_at)).cmp(&(b.priority, Reverse(b.updated_at))),
        SortKey::Updated => b.updated_at.cmp(&a.updated_at),
        SortKey::Created => b.created_at.cmp(&a.created_at),
        SortKey::Title => a.title.to_lowercase().cmp(&b.title.to_lowercase()),
    };
    order.then_with(|| (a.number, a.id).cmp(&(b.number, b.id)))
}

/// Which columns are chosen first.
const fn rank(column: Column) -> u8 {
    match column {
        Column::Merge => 0,
        Column::Qa => 1,
        Column::Coding => 2,
        Column::Backlog => 3,
        Column::Upcoming => 4,
        Column::Done => 5,
        Column::Closed => 6,
        Column::Archived => 7,
    }
}

/// When it ended, the newest first; the same for all that are open.
const fn ended(card: &ItemCard) -> Reverse<u64> {
    match card.column {
        Column::Done | Column::Closed | Column::Archived => Reverse(card.entered_at.0),
        Column::Upcoming | Column::Backlog | Column::Coding | Column::Qa | Column::Merge => Reverse(0),
    }
}

#[cfg(test)]
mod tests {
    use towline_proto::{Kind, Millis};

    use super::*;
    use crate::render::tests::samples::card;

    fn numbers(listing: Listing, cards: &[ItemCard], most: usize) -> Vec<u32> {
        listing
            .choose(cards, most)
            .iter()
            .map(|card| card.number)
            .collect()
    }

    #[test]
    fn what_is_worked_on_is_chosen_before_what_waits_and_what_ended() {
        let mut cards = vec![
            card(1, Kind::Story, Column::Upcoming, "a"),
            card(2, Kind::Story, Column::Backlog, "b"),
            card(3, Kind::Story, Column::Coding, "c"),
            card(4, Kind::Story, Column::Done, "d"),
            card(5, Kind::Story, Column::Done, "e"),
        ];
        cards[3].entered_at = Millis(1);
        cards[4].entered_at = Millis(2);
        let listing = Listing::default();
        assert_eq!(numbers(listing, &cards, 1), [3]);
        assert_eq!(numbers(listing, &cards, 2), [2, 3]);
        assert_eq!(numbers(listing, &cards, 4), [1, 2, 3, 5]);
        assert_eq!(numbers(listing, &cards, 9), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn an_order_that_was_asked_for_decides_alone_but_what_cannot_be_started_stays_last() {
        let mut cards = vec![
            card(1, Kind::Story, Column::Backlog, "b"),
            card(2, Kind::Story, Column::Backlog, "C"),
            card(3, Kind::Story, Column::Coding, "a"),
        ];
        cards[0].updated_at = Millis(9);
        cards[1].updated_at = Millis(8);
        cards[2].updated_at = Millis(7);
        cards[2].priority = 0;
        let by = |sort| Listing {
            sort: Some(sort),
            ..Listing::default()
        };
        assert_eq!(numbers(by(SortKey::Title), &cards, 9), [3, 1, 2]);
        assert_eq!(numbers(by(SortKey::Updated), &cards, 2), [1, 2]);
        assert_eq!(numbers(by(SortKey::Priority), &cards, 1), [3]);
        cards[2].in_the_way = Some(towline_api::types::NotReadyReason::Held);
        let ready = Listing {
            ready: true,
            ..by(SortKey::Title)
        };
        assert_eq!(numbers(ready, &cards, 9), [1, 2, 3]);
    }
}
