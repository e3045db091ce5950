//! What the planner promises, with a made-up feed and a clock that is a number.

use towline_proto::{Column, EventKind, HoldKind, Millis};

use super::plan::*;
use super::testing::{Feed, holds, moved};

const WALL: Millis = Millis(1_000_000);

fn live() -> Planner {
    Planner::new("demo", Preset::Stages, 0, 0)
}

fn lines(planner: &mut Planner, now: u64) -> Vec<String> {
    std::iter::from_fn(|| planner.take(now))
        .filter_map(|plan| plan.text.map(|text| text.plain))
        .collect()
}

#[test]
fn a_burst_about_one_item_is_one_line_after_a_quiet_moment() {
    let (mut feed, mut planner) = (Feed::new(), live());
    planner.offer(0, WALL, false, feed.next(42, moved(Column::Coding, Column::Qa)));
    planner.offer(
        1_000,
        WALL,
        false,
        feed.next(42, moved(Column::Qa, Column::Merge)),
    );
    assert_eq!(planner.due(), Some(2_500));
    assert!(lines(&mut planner, 2_499).is_empty());
    assert_eq!(
        lines(&mut planner, 2_500),
        ["demo/42 Fix login: coding → qa → merge (ann)"]
    );
    assert_eq!(planner.due(), None);
}

#[test]
fn an_item_that_never_rests_is_told_after_ten_seconds() {
    let (mut feed, mut planner) = (Feed::new(), live());
    for step in 0..12 {
        planner.offer(
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
    let (mut feed, mut planner) = (Feed::new(), live());
    planner.offer(0, WALL, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.offer(0, WALL, false, feed.next(2, moved(Column::Coding, Column::Qa)));
    planner.offer(1_400, WALL, false, feed.next(1, moved(Column::Qa, Column::Merge)));
    let plan = planner.take(1_500).expect("item 2 is due");
    assert!(plan.spans.contains(2) && !plan.spans.contains(1) && !plan.spans.contains(3));
    assert!(planner.take(1_500).is_none());
}

#[test]
fn a_small_backlog_is_told_line_by_line_and_a_large_one_as_a_digest() {
    for (count, expected) in [(20, 20), (21, 1)] {
        let mut feed = Feed::new();
        let mut planner = Planner::new("demo", Preset::Stages, 0, count);
        for number in 1..=count {
            let number = u32::try_from(number).expect("small");
            planner.offer(
                0,
                WALL,
                false,
                feed.next(number, moved(Column::Coding, Column::Qa)),
            );
        }
        assert_eq!(lines(&mut planner, WINDOW_MS).len(), expected, "{count} events");
    }
}

#[test]
fn an_old_backlog_is_a_digest_and_live_news_comes_after_it() {
    let mut feed = Feed::new();
    let mut planner = Planner::new("demo", Preset::Stages, 0, 2);
    let late = WALL.plus(BACKLOG_MS + 1);
    planner.offer(0, late, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.offer(
        0,
        late,
        false,
        feed.next(2, holds(&[HoldKind::Blocked], &[], Some("keys"))),
    );
    planner.offer(0, late, false, feed.next(2, moved(Column::Coding, Column::Qa)));
    let told = lines(&mut planner, WINDOW_MS);
    assert_eq!(
        told,
        [
            "demo while away: 1 move: 1 Fix login → qa; 1 blocked: 2 Fix login",
            "demo/2 Fix login: coding → qa (ann)"
        ]
    );
}

#[test]
fn a_backlog_is_summed_up_as_it_stands_at_its_end() {
    let mut feed = Feed::new();
    let mut planner = Planner::new("shop", Preset::Stages, 0, 23);
    for number in 1..=21 {
        planner.offer(
            0,
            WALL,
            false,
            feed.next(number, moved(Column::Backlog, Column::Coding)),
        );
    }
    planner.offer(
        0,
        WALL,
        false,
        feed.next(5, holds(&[HoldKind::Blocked], &[], Some("keys"))),
    );
    planner.offer(
        0,
        WALL,
        false,
        feed.next(8, holds(&[], &[HoldKind::Blocked], None)),
    );
    let told = lines(&mut planner, WINDOW_MS);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with("and 16 more; 1 blocked: 5 Fix login ()"),
        "{told:?}"
    );
}

/// Whatever came held back, overflowing, as a catch-up or as news, and in which order of items: who is
/// called blocked is who is blocked at the end.
#[test]
fn however_items_interleave_who_is_called_blocked_is_blocked() {
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for _ in 0..500 {
        let mut feed = Feed::new();
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
            planner.offer(at, WALL, false, event);
        }
        let told = lines(&mut planner, 60_000);
        let is: Vec<_> = blocked
            .iter()
            .filter(|(_, is)| **is)
            .map(|(number, _)| format!("{number} Fix login"))
            .collect();
        let expected = match is.len() {
            0 => "demo while away: ".to_owned(),
            1..=5 => format!("demo while away: {} blocked: {}", is.len(), is.join(", ")),
            all => format!(
                "demo while away: {all} blocked: {} and {} more",
                is[..5].join(", "),
                all - 5
            ),
        };
        assert_eq!(told.len(), 1, "{told:?}");
        let end = told[0]
            .strip_prefix(&expected)
            .unwrap_or_else(|| panic!("{expected}: {told:?}"));
        assert!(
            is.is_empty() || end.is_empty() || end.starts_with([';', ' ']),
            "{told:?}"
        );
        assert_eq!(
            told[0].matches("blocked").count(),
            usize::from(!is.is_empty()),
            "{told:?}"
        );
    }
}

#[test]
fn backfill_is_one_digest_that_swallows_what_was_held_back_of_its_items() {
    let (mut feed, mut planner) = (Feed::new(), live());
    planner.offer(
        0,
        WALL,
        false,
        feed.next(1, moved(Column::Backlog, Column::Coding)),
    );
    for number in 1..=5 {
        let mut event = feed.next(number, moved(Column::Coding, Column::Qa));
        event.backfill = true;
        planner.offer(10, WALL, false, event);
    }
    assert_eq!(
        lines(&mut planner, 2_000),
        [
            "demo while away: 6 moves: 1 Fix login → qa, 2 Fix login → qa, 3 Fix login → qa, \
          4 Fix login → qa, 5 Fix login → qa"
        ]
    );
}

#[test]
fn backfill_about_one_item_is_told_as_that_items_line() {
    let (mut feed, mut planner) = (Feed::new(), live());
    planner.offer(
        0,
        WALL,
        false,
        feed.next(7, moved(Column::Backlog, Column::Coding)),
    );
    for (from, to) in [(Column::Coding, Column::Qa), (Column::Qa, Column::Merge)] {
        let mut event = feed.next(7, moved(from, to));
        event.backfill = true;
        planner.offer(10, WALL, false, event);
    }
    assert_eq!(
        lines(&mut planner, 2_000),
        ["demo/7 Fix login: backlog → coding → qa → merge (ann)"]
    );
}

#[test]
fn lines_that_pile_up_while_the_receiver_is_gone_become_one() {
    let (mut feed, mut planner) = (Feed::new(), live());
    for number in 1..=30 {
        planner.offer(
            0,
            WALL,
            false,
            feed.next(number, moved(Column::Coding, Column::Qa)),
        );
    }
    planner.call("demo", "`!list demo/` shows all".to_owned());
    let told = lines(&mut planner, 60_000);
    assert!(
        told.len() == 1 && told[0].starts_with("demo while away: 30 moves: 1 Fix login → qa"),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("and 25 more (`!list demo/` shows all)"),
        "{told:?}"
    );
}

#[test]
fn what_was_told_before_a_crash_is_not_told_again() {
    let mut feed = Feed::new();
    let mut planner = Planner::new("demo", Preset::Stages, 0, 2);
    planner.offer(0, WALL, false, feed.next(1, moved(Column::Coding, Column::Qa)));
    planner.offer(0, WALL, true, feed.next(2, moved(Column::Coding, Column::Qa)));
    assert_eq!(
        lines(&mut planner, WINDOW_MS),
        ["demo/1 Fix login: coding → qa (ann)"]
    );
    assert!(planner.take_dropped().contains(2));
}

#[test]
fn positions_are_never_lost_whatever_the_filter_and_the_gaps() {
    let (mut feed, mut planner) = (Feed::new(), live());
    let mut ledger = super::spans::Ledger::new(0);
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
        planner.offer(u64::from(number) * 100, WALL, false, event);
        if number % 5 == 0 {
            while let Some(plan) = planner.take(u64::from(number) * 100) {
                ledger.settle(&plan.spans);
            }
        }
    }
    ledger.settle(&planner.take_dropped());
    while let Some(plan) = planner.take(1_000_000) {
        ledger.settle(&plan.spans);
    }
    assert_eq!(ledger, super::spans::Ledger::new(600));
}

#[test]
fn what_goes_out_of_sight_is_told_to_whoever_wants_everything() {
    let archived = moved(Column::Done, Column::Archived);
    assert!(!Preset::Stages.wants(&archived));
    assert!(Preset::All.wants(&archived));
    assert!(Preset::Stages.wants(&moved(Column::Merge, Column::Done)));
}
