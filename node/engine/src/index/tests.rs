//! Cycles, keys and links of synthetic rows.

use crate::test_row::item;
use proptest::prelude::*;
use towline_api::types::LinkNote;
use towline_proto::ItemId;

use super::*;

/// Seven items with some dependencies between them, some done.
fn woven(edges: &[(u32, u32)], done: &[u32]) -> Index {
    let mut index = Index::default();
    for number in 0..7 {
        let mut row = item(number);
        let on = edges.iter().filter(|(from, _)| *from == number);
        row.depends_on = on.map(|(_, to)| item(*to).id).collect();
        row.depends_on.sort_unstable();
        row.depends_on.dedup();
        if done.contains(&number) {
            row.column = Column::Done;
        }
        index.put(row);
    }
    index
}

proptest! {
    /// Computing each card alone and all cards together must give the same cycles.
    #[test]
    fn many_cards_at_once_are_what_each_of_them_is_alone(
        edges in proptest::collection::vec((0u32..7, 0u32..8), 0..14),
        done in proptest::collection::vec(0u32..7, 0..3),
    ) {
        let index = woven(&edges, &done);
        let alone: Vec<_> = index.rows().map(|row| index.card(&row.view().unwrap())).collect();
        prop_assert_eq!(index.cards(index.rows()), alone);
    }
}

#[test]
fn a_cycle_is_noted_and_a_chain_as_long_as_a_project_is_walked() {
    let index = woven(&[(0, 1), (1, 2), (2, 0), (3, 0)], &[]);
    let noted = |number| {
        let cards = index.cards(index.rows());
        cards.into_iter().nth(number).unwrap().depends_on[0].note.clone()
    };
    let notes: Vec<_> = (0..3).filter_map(noted).collect();
    assert_eq!(notes.len(), 1, "one of them is suspended: {notes:?}");
    assert!(
        matches!(&notes[0], LinkNote::Suspended { with, more: false } if with.len() == 2),
        "{notes:?}"
    );
    assert_eq!(noted(3), None, "it waits for a cycle and is not in it");

    let mut index = Index::default();
    for number in 0..10_000u32 {
        let mut row = item(number);
        row.depends_on = vec![item(number + 1).id];
        index.put(row);
    }
    let cards = index.cards(index.rows());
    assert!(cards.iter().all(|card| card.unmet == 1));
    assert_eq!(index.ready(None, false).len(), 0);
}

#[test]
fn a_prefix_of_a_key_names_the_one_item_that_has_it() {
    let mut index = Index::default();
    for number in 0..3_000 {
        index.put(item(number));
    }
    let keys: Vec<String> = index.rows().map(|row| row.id.key()).collect();
    let mut longer = 0;
    for (row, key) in index.rows().zip(&keys) {
        let short = index.short_key(&row.id);
        assert_eq!(keys.iter().filter(|other| other.starts_with(&short)).count(), 1);
        let shorter = &key[..short.len() - 1];
        if short.len() > 4 {
            longer += 1;
            let alone = keys.iter().filter(|other| other.starts_with(shorter)).count() == 1;
            assert!(!alone || is_number(shorter), "{shorter} would do");
            assert_ne!(index.find(shorter).ok(), Some(vec![row.id]), "{shorter}");
        }
        assert_eq!(index.find(&short).unwrap(), [row.id]);
        assert_eq!(index.find(&key.to_uppercase()).unwrap(), [row.id]);
        assert!(index.find(&format!("{key}0")).is_err(), "longer than any key");
    }
    assert!(longer > 10, "some need more than four digits");
    assert_eq!(ItemId::KEY_DIGITS, 16);
}

/// Whether a text reads as a number, which an item may get tomorrow.
fn is_number(text: &str) -> bool {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &text[..text.len() - letters.len()];
    number.parse::<u32>().is_ok()
        && letters.len() < 4
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[test]
fn what_names_an_item_by_its_key_today_is_no_other_items_number_tomorrow() {
    let mut index = Index::default();
    let rows: Vec<_> = (0..3_000).map(item).collect();
    for row in &rows {
        index.put(row.clone());
    }
    let (mut by_digits, mut by_letters) = (0, 0);
    for row in &rows {
        let key = row.id.key();
        let short = index.short_key(&row.id);
        by_digits += usize::from(key.as_bytes()[..4].iter().all(u8::is_ascii_digit));
        by_letters += usize::from(is_number(&key[..4]));
        assert!(!is_number(&short), "{short}");
    }
    assert!(by_digits > 100 && by_letters > by_digits, "such keys are common");
    let message = |name: &str| index.find(name).unwrap_err().message;
    assert_eq!(message("4711"), "no item 4711");
    assert_eq!(message("12c"), "no item 12c: only one item has the number 12");
}
