//! Small terminals: a phone over ssh, a pane beside an editor. Nothing runs over the edge but what must be
//! copied whole.

use insta::assert_snapshot;
use towline_api::types::ItemLink;
use towline_api::types::LinkNote;
use towline_proto::{Column, Kind};

use super::samples::*;
use super::*;
use crate::listing::Listing;
use crate::plan::ColumnSelection;

/// Lines that are wider than the terminal.
fn too_wide(page: &str, columns: usize) -> Vec<&str> {
    page.lines().filter(|line| text::width(line) > columns).collect()
}

#[test]
fn lists_and_timelines_fit_into_forty_columns() {
    for columns in [40, 48, 56, 64, 80, 120] {
        let view = view(columns);
        let pages = [
            reply(&view, Layout::Columns(Listing::default()), &Reply::Cards(board())),
            reply(
                &view,
                Layout::Ready(Listing {
                    ready: true,
                    ..Listing::default()
                }),
                &Reply::Cards(board()),
            ),
            reply(
                &view,
                Layout::Timeline { whole: true },
                &Reply::History(history()),
            ),
            reply(
                &view,
                Layout::Timeline { whole: false },
                &Reply::History(history()),
            ),
            log::event(&view, &moved()),
            log::legend(&view).join("\n"),
        ];
        for page in pages {
            assert_eq!(too_wide(&page, columns), [""; 0], "{columns}:\n{page}");
        }
        let page = reply(&view, Layout::Plain, &Reply::Status(Box::new(status())));
        let project = status().id.to_string();
        let wide = too_wide(&page, columns);
        assert!(
            wide.iter().all(|line| line.ends_with(&project)),
            "{columns}:\n{page}"
        );
    }
}

#[test]
fn what_matters_least_gives_way_to_the_title() {
    assert_snapshot!(reply(&view(48), Layout::Columns(Listing::default()), &Reply::Cards(board())), @r"
    UPCOMING  1
      12  P2  What would passkeys take?

    BACKLOG  2
       7  P2  Keychain
       5  P1  登录 everywhere \u…  2/9 done

    CODING  1
      42  P0  Login fails on S…  ‼ 1 confl…  blocked
    ");
    assert_snapshot!(reply(&view(40), Layout::Timeline { whole: true }, &Reply::History(history())), @"
    2026-11-18 (UTC)
      10:00 ● ann @laptop  42 Logi…  create
                    → backlog
      10:10 ● ann @laptop  42 Logi…  title
                    Login fails

    2026-11-20 (UTC)
      08:55 · ann @laptop  42 Logi…  start
                    backlog → coding
      09:00 ● bob @laptop  42 Logi…  block
                    waits for the keys
      09:01 ✗ ann @laptop  42 Logi…  merged
                    coding → done
                    ↳ overridden by bob, who
                    blocked it (waits for
                    the keys): it was put on
                    hold at the same time
                    and stays here until the
                    hold is lifted
      11:58 ● ann @laptop  42 Logi…  comment
    ");
    assert_snapshot!(log::event(&view(40), &moved()), @"
    11:55 → 42 Login fail…  coding → qa →
                            merge
                            by ann
    ");
}

#[test]
fn the_legend_breaks_between_its_marks() {
    assert_snapshot!(log::legend(&view(60)).join("\n"), @"
    ● in effect  · replaced by a later act
    ✗ overridden by a concurrent act  ✓ overridden, then chosen
    ⊘ refused
    ");
}

#[test]
fn no_title_makes_a_page_wider_than_the_terminal() {
    let titles = [
        "x".repeat(200),
        "❤\u{fe0f}".repeat(100),
        "日本語".repeat(60),
        "👩\u{200d}👩\u{200d}👧".repeat(30),
        "e\u{301}".repeat(90),
        format!("{} tail", "y".repeat(190)),
    ];
    for columns in [40, 60, 80] {
        let view = view(columns);
        for title in &titles {
            let mut page = page_of_42();
            page.card.title.clone_from(title);
            page.body = String::new();
            let cards = vec![page.card.clone()];
            let only = ColumnSelection::default();
            let board = reply(
                &view,
                Layout::Board { most: None, only },
                &Reply::Cards(cards.clone()),
            );
            assert_eq!(too_wide(&board, columns), [""; 0], "{columns}:\n{board}");
            assert!(!board.starts_with('\n'), "{columns}:\n{board}");
            let list = reply(&view, Layout::Columns(Listing::default()), &Reply::Cards(cards));
            assert_eq!(too_wide(&list, columns), [""; 0], "{columns}:\n{list}");
            let head = show::title(&view, &page.card);
            assert_eq!(too_wide(&head, columns), [""; 0], "{columns}:\n{head}");
        }
    }
}

#[test]
fn a_deep_tree_stays_within_the_terminal() {
    let mut cards: Vec<_> = (1..=400)
        .map(|n| card(n, Kind::Story, Column::Backlog, "A link of a chain"))
        .collect();
    for at in 0..cards.len() - 1 {
        let next = &cards[at + 1];
        let link = ItemLink {
            handle: next.handle.clone(),
            id: next.id,
            title: next.title.clone(),
            status: Some(next.status),
            satisfied: false,
            suspended: false,
            note: Some(LinkNote::NotDone {
                status: Status::Abandoned,
            }),
        };
        cards[at].depends_on = vec![link];
    }
    for columns in [40, 80] {
        let view = view(columns);
        let tree = tree(&cards[0], &cards).page(&view);
        assert_eq!(tree.lines().count(), 400);
        assert_eq!(too_wide(&tree, columns), [""; 0], "{columns}");
        assert!(tree.contains("399 └─ "), "{tree}");
    }
}

#[test]
fn a_timeline_keeps_room_for_what_an_act_was_about() {
    let mut lines = history();
    for line in &mut lines {
        line.title = "A title that would take every column that there is on the line".into();
    }
    let wide = reply(
        &view(80),
        Layout::Timeline { whole: true },
        &Reply::History(lines.clone()),
    );
    assert!(wide.contains("waits for the keys"), "{wide}");
    let piped = reply(
        &view(400),
        Layout::Timeline { whole: true },
        &Reply::History(lines.clone()),
    );
    for line in piped.lines() {
        assert!(line.matches("A title that would").count() <= 1, "{piped}");
    }
    assert!(piped.contains("on the line"), "{piped}");
}

#[test]
fn a_list_that_was_cut_says_how_many_there_are() {
    let page = reply(
        &view(80),
        Layout::Columns(Listing {
            most: Some(2),
            ..Listing::default()
        }),
        &Reply::Cards(board()),
    );
    assert!(page.contains("BACKLOG  1 of 2\n"), "{page}");
    let only = ColumnSelection::of(&[Column::Coding]);
    let page = reply(
        &view(200),
        Layout::Board { most: None, only },
        &Reply::Cards(board()),
    );
    assert!(
        page.contains("CODING") && !page.contains("BACKLOG") && !page.contains("DONE"),
        "{page}"
    );
}

#[test]
fn a_sorted_list_says_where_each_item_is() {
    let listing = Listing {
        sort: Some(crate::listing::SortKey::Title),
        most: Some(3),
        ..Listing::default()
    };
    assert_snapshot!(reply(&view(80), Layout::Columns(listing), &Reply::Cards(board())), @"
     7  story  P2  Keychain                       backlog            bob        5m
    42  bug    P0  Login fails on S…  ‼ 1 confl…  coding    blocked  ◆ coder-1  3h
    12  spike  P2  What would passkeys take?      upcoming                      3h
    ");
}
