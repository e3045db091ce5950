//! Tests of maintenance alone: which items it checks again, and how long imported ones stay.

use super::*;

fn item(number: u8) -> ItemId {
    ItemId([number; ItemId::LEN])
}

fn promoting() -> Settings {
    Settings {
        promote: Promote::Auto,
        ..Settings::default()
    }
}

#[test]
fn changes_are_noted_only_where_a_node_runs_and_items_start_by_themselves() {
    let (auto, manual) = (promoting(), Settings::default());
    let mut maintenance = Maintenance::default();
    maintenance.note_change(&auto, item(1));
    assert!(maintenance.changed.is_empty(), "no node runs");
    maintenance.start(Instant::now());
    maintenance.note_change(&manual, item(1));
    assert!(maintenance.changed.is_empty(), "people start items");
    maintenance.note_change(&auto, item(1));
    assert_eq!(maintenance.changed, BTreeSet::from([item(1)]));
}

#[test]
fn where_too_much_changes_all_items_are_checked() {
    let now = Instant::now();
    let mut maintenance = Maintenance::default();
    maintenance.start(now);
    maintenance.full_scan_at = None;
    for number in 0..=MAX_CHANGED {
        let mut id = [0; ItemId::LEN];
        id[..8].copy_from_slice(&number.to_be_bytes());
        maintenance.note_change(&promoting(), ItemId(id));
    }
    assert_eq!(maintenance.changed.len(), MAX_CHANGED);
    assert_eq!(maintenance.full_scan_at, Some(now));
}

#[test]
fn an_imported_item_stays_visible_for_an_hour_after_its_import() {
    let now = Instant::now();
    let mut maintenance = Maintenance::default();
    maintenance.note_import(item(1), now);
    assert!(maintenance.was_visible(&item(1), now), "no node runs");
    maintenance.start(now);
    let later = now + IMPORT_GRACE / 2;
    maintenance.note_import(item(1), later);
    assert!(!maintenance.was_visible(&item(1), now + IMPORT_GRACE));
    assert!(maintenance.was_visible(&item(1), later + IMPORT_GRACE));
    assert!(
        maintenance.was_visible(&item(2), now + IMPORT_GRACE),
        "imported before the start"
    );
}

#[test]
fn nodes_wait_for_different_times_that_never_change() {
    let (ann, bo) = (NodeId([1; 32]), NodeId([2; 32]));
    let ann_waits = spread_ms(&ann, &item(1), START_SPREAD_MS);
    assert!(ann_waits < START_SPREAD_MS);
    assert_eq!(ann_waits, spread_ms(&ann, &item(1), START_SPREAD_MS));
    assert_ne!(ann_waits, spread_ms(&bo, &item(1), START_SPREAD_MS));
}
