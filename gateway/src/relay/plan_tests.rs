//! Tests of the planner, with a generated feed and the time as a number.

use towline_proto::{Column, EventKind, HoldKind, Millis};

use super::plan::*;
use super::test_feed::{TestFeed, holds, moved};

const WALL: Millis = Millis(1_000_000);

fn live_planner() -> Planner {
    Planner::new("demo", Preset::Stages, 0, 0)
}

fn due_lines(planner: &mut Planner, now: u64) -> Vec<String> {
    std::iter::from_fn(|| planner.take_due(now))
        .filter_map(|message| message.text.map(|text| text.plain))
        .collect()
}

#[test]
fn a_burst_about_one_item_becomes_one_line_after_the_window() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    planner.push(0, WALL, false, feed.next(42, moved(Column::Coding, Column::Qa)));
    planner.push(
        1_000,
        WALL,
        false,
        feed.next(42, moved(Column::Qa, Column::Merge)),
    );
    assert_eq!(planner.due(), Some(2_500));
    assert!(due_lines(&mut planner, 2_499).is_empty());
    assert_eq!(
        due_lines(&mut planner, 2_500),
        ["demo/42 Fix login: coding → qa → merge (ann)"]
    );
    assert_eq!(planner.due(), None);
}

#[test]
fn a_line_about_an_item_that_keeps_changing_is_due_after_ten_seconds() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    for step in 0..12 {
        planner.push(
            step * 1_000,
            WALL,
            false,
            feed.next(1, moved(Column::Coding, Column::Qa)),
        );
    }
    assert_eq!(planner.due(), Some(HOLD_MS));
}

#[test]
fn items_do_not_wait_for_each_other() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    planner.push(0, WALL, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.push(0, WALL, false, feed.next(2, moved(Column::Coding, Column::Qa)));
    planner.push(1_400, WALL, false, feed.next(1, moved(Column::Qa, Column::Merge)));
    let message = planner.take_due(1_500).expect("item 2 is due");
    let positions = &message.positions;
    assert!(positions.contains(2) && !positions.contains(1) && !positions.contains(3));
    assert!(planner.take_due(1_500).is_none());
}

#[test]
fn a_small_backlog_is_sent_line_by_line_and_a_large_one_as_a_digest() {
    for (count, expected) in [(20, 20), (21, 1)] {
        let mut feed = TestFeed::new();
        let mut planner = Planner::new("demo", Preset::Stages, 0, count);
        for number in 1..=count {
            let number = u32::try_from(number).expect("small");
            planner.push(
                0,
                WALL,
                false,
                feed.next(number, moved(Column::Coding, Column::Qa)),
            );
        }
        assert_eq!(
            due_lines(&mut planner, WINDOW_MS).len(),
            expected,
            "{count} events"
        );
    }
}

#[test]
fn an_old_backlog_is_a_digest_and_live_events_come_after_it() {
    let mut feed = TestFeed::new();
    let mut planner = Planner::new("demo", Preset::Stages, 0, 2);
    let late = WALL.plus(BACKLOG_MS + 1);
    planner.push(0, late, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.push(
        0,
        late,
        false,
        feed.next(2, holds(&[HoldKind::Blocked], &[], Some("keys"))),
    );
    planner.push(0, late, false, feed.next(2, moved(Column::Coding, Column::Qa)));
    let lines = due_lines(&mut planner, WINDOW_MS);
    assert_eq!(
        lines,
        [
            "demo summary: 1 move: 1 Fix login → qa; 1 blocked: 2 Fix login",
            "demo/2 Fix login: coding → qa (ann)"
        ]
    );
}

#[test]
fn a_digest_shows_the_state_after_the_last_event() {
    let mut feed = TestFeed::new();
    let mut planner = Planner::new("shop", Preset::Stages, 0, 23);
    for number in 1..=21 {
        planner.push(
            0,
            WALL,
            false,
            feed.next(number, moved(Column::Backlog, Column::Coding)),
        );
    }
    planner.push(
        0,
        WALL,
        false,
        feed.next(5, holds(&[HoldKind::Blocked], &[], Some("keys"))),
    );
    planner.push(
        0,
        WALL,
        false,
        feed.next(8, holds(&[], &[HoldKind::Blocked], None)),
    );
    let lines = due_lines(&mut planner, WINDOW_MS);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].ends_with("and 16 more; 1 blocked: 5 Fix login ()"),
        "{lines:?}"
    );
}

/// Whether events were pending, in a large backlog, from a catch-up or live, and in every order of items: the
/// items listed as blocked are those that are blocked at the end.
#[test]
fn however_items_interleave_the_listed_items_are_the_blocked_ones() {
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for _ in 0..500 {
        let mut feed = TestFeed::new();
        let head = 22 + roll(20);
        let mut planner = Planner::new("demo", Preset::Stages, 0, head);
        let mut blocked = std::collections::BTreeMap::new();
        for at in 0..head {
            let number = u32::try_from(1 + roll(6)).expect("small");
            let blocks = roll(2) == 0;
            let mut event = match blocks {
                true => feed.next(number, holds(&[HoldKind::Blocked], &[], Some("keys"))),
                false => feed.next(number, holds(&[], &[HoldKind::Blocked], None)),
            };
            event.backfill = roll(5) == 0;
            blocked.insert(number, blocks);
            planner.push(at, WALL, false, event);
        }
        let lines = due_lines(&mut planner, 60_000);
        let is: Vec<_> = blocked
            .iter()
            .filter(|(_, is)| **is)
            .map(|(number, _)| format!("{number} Fix login"))
            .collect();
        let expected = match is.len() {
            0 => "demo summary: ".to_owned(),
            1..=5 => format!("demo summary: {} blocked: {}", is.len(), is.join(", ")),
            all => format!(
                "demo summary: {all} blocked: {} and {} more",
                is[..5].join(", "),
                all - 5
            ),
        };
        assert_eq!(lines.len(), 1, "{lines:?}");
        let end = lines[0]
            .strip_prefix(&expected)
            .unwrap_or_else(|| panic!("{expected}: {lines:?}"));
        assert!(
            is.is_empty() || end.is_empty() || end.starts_with([';', ' ']),
            "{lines:?}"
        );
        assert_eq!(
            lines[0].matches("blocked").count(),
            usize::from(!is.is_empty()),
            "{lines:?}"
        );
    }
}

#[test]
fn backfill_is_one_digest_that_includes_held_back_events_of_its_items() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    planner.push(
        0,
        WALL,
        false,
        feed.next(1, moved(Column::Backlog, Column::Coding)),
    );
    for number in 1..=5 {
        let mut event = feed.next(number, moved(Column::Coding, Column::Qa));
        event.backfill = true;
        planner.push(10, WALL, false, event);
    }
    assert_eq!(
        due_lines(&mut planner, 2_000),
        [
            "demo summary: 6 moves: 1 Fix login → qa, 2 Fix login → qa, 3 Fix login → qa, \
          4 Fix login → qa, 5 Fix login → qa"
        ]
    );
}

#[test]
fn backfill_about_one_item_is_one_line() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    planner.push(
        0,
        WALL,
        false,
        feed.next(7, moved(Column::Backlog, Column::Coding)),
    );
    for (from, to) in [(Column::Coding, Column::Qa), (Column::Qa, Column::Merge)] {
        let mut event = feed.next(7, moved(from, to));
        event.backfill = true;
        planner.push(10, WALL, false, event);
    }
    assert_eq!(
        due_lines(&mut planner, 2_000),
        ["demo/7 Fix login: backlog → coding → qa → merge (ann)"]
    );
}

#[test]
fn lines_that_accumulate_while_the_destination_is_unreachable_become_one() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    for number in 1..=30 {
        planner.push(
            0,
            WALL,
            false,
            feed.next(number, moved(Column::Coding, Column::Qa)),
        );
    }
    planner.set_project("demo", "`!list demo/` lists all".to_owned());
    let lines = due_lines(&mut planner, 60_000);
    assert!(
        lines.len() == 1 && lines[0].starts_with("demo summary: 30 moves: 1 Fix login → qa"),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with("and 25 more (`!list demo/` lists all)"),
        "{lines:?}"
    );
}

#[test]
fn events_acknowledged_before_a_crash_are_not_sent_again() {
    let mut feed = TestFeed::new();
    let mut planner = Planner::new("demo", Preset::Stages, 0, 2);
    planner.push(0, WALL, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.push(0, WALL, true, feed.next(2, moved(Column::Coding, Column::Qa)));
    assert_eq!(
        due_lines(&mut planner, WINDOW_MS),
        ["demo/1 Fix login: coding → qa (ann)"]
    );
    assert!(planner.take_filtered().contains(2));
}

#[test]
fn every_position_is_acknowledged_whatever_the_filter_and_the_gaps() {
    let (mut feed, mut planner) = (TestFeed::new(), live_planner());
    let mut acked = super::acked_ranges::AckedPositions::new(0);
    for number in 0..200u32 {
        let mut event = match number % 3 {
            0 => feed.next(number % 7, moved(Column::Coding, Column::Qa)),
            1 => feed.next(
                number % 7,
                EventKind::Commented {
                    excerpt: "hm".to_owned(),
                },
            ),
            _ => feed.next(number % 7, holds(&[HoldKind::Frozen], &[], None)),
        };
        event.position *= 3;
        event.backfill = number % 11 == 0;
        planner.push(u64::from(number) * 100, WALL, false, event);
        if number % 5 == 0 {
            while let Some(message) = planner.take_due(u64::from(number) * 100) {
                acked.ack(&message.positions);
            }
        }
    }
    acked.ack(&planner.take_filtered());
    while let Some(message) = planner.take_due(1_000_000) {
        acked.ack(&message.positions);
    }
    assert_eq!(acked, super::acked_ranges::AckedPositions::new(600));
}

#[test]
fn archiving_is_reported_only_by_the_preset_all() {
    let archived = moved(Column::Done, Column::Archived);
    assert!(!Preset::Stages.wants(&archived));
    assert!(Preset::All.wants(&archived));
    assert!(Preset::Stages.wants(&moved(Column::Merge, Column::Done)));
}
