//! The board and an epic as people see them, wide and narrow.

use insta::assert_snapshot;
use towline_api::request::Reply;
use towline_api::types::ItemCard;
use towline_api::types::Notice;
use towline_proto::{Column, Kind, Status};

use super::samples::*;
use crate::plan::{ColumnSelection, Layout};
use crate::render::{epic, reply, text};

/// A board with something of everything.
fn full_board() -> Vec<ItemCard> {
    let mut cards = board();
    let card_in = |number, column, title: &str| card(number, Kind::Story, column, title);
    cards.push(ItemCard {
        status: Status::Frozen,
        holds: towline_proto::stage::Holds {
            frozen: true,
            ..Default::default()
        },
        ..card_in(21, Column::Qa, "Passkeys in the mobile app")
    });
    cards.push(ItemCard {
        attention: vec![Notice::MergedRepeatedly { commits: Vec::new() }],
        ..card_in(
            22,
            Column::Merge,
            "averyverylongwordthatnolinecanholdwithoutbreakingit",
        )
    });
    cards.extend((30..38).map(|number| ItemCard {
        status: Status::Done,
        entered_at: before(u64::from(number) * 60),
        ..card_in(number, Column::Done, "Something that was done")
    }));
    cards
}

#[test]
fn a_board_puts_columns_beside_each_other() {
    let layout = Layout::Board {
        most: None,
        only: ColumnSelection::default(),
    };
    let page = reply(&view(132), layout, &Reply::Cards(full_board()));
    assert_snapshot!(page, @r#"
    BACKLOG  2                CODING  1                 QA  1                     MERGE  1                  DONE  8
    ────────────────────────  ────────────────────────  ────────────────────────  ────────────────────────  ────────────────────────
    7 story               3h  42 bug P0             3h  21 story              3h  22 story              3h  30 story              1d
    Keychain                  Login fails on Safari     Passkeys in the mobile    averyverylongwordthatnol  Something that was done
    bob                       ‼ conflict                app                       inecanholdwithoutbreaki…
                              ⊘ blocked: waits for th…  ❄ frozen                  ! attention               31 story              1d
    5 epic P1             3h  ⧗ waits for 7  ✓ 1/3                                                          Something that was done
    登录 everywhere           ◆ coder-1
    \u{1b}[2Jand then some…                                                                                 32 story              1d
    2/9 done                                                                                                Something that was done

    UPCOMING  1                                                                                             33 story              1d
    ────────────────────────                                                                                Something that was done
    12 spike              3h
    What would passkeys                                                                                     34 story              1d
    take?                                                                                                   Something that was done

                                                                                                            +3 more
    "#);
    assert!(page.lines().all(|line| text::width(line) <= 132), "{page}");
}

#[test]
fn a_narrow_board_puts_columns_below_each_other() {
    let layout = Layout::Board {
        most: Some(1),
        only: ColumnSelection::default(),
    };
    let page = reply(&view(60), layout, &Reply::Cards(full_board()));
    assert_snapshot!(page, @"
    BACKLOG  2                     CODING  1
    ─────────────────────────────  ─────────────────────────────
    7 story                    3h  42 bug P0                  3h
    Keychain                       Login fails on Safari
    bob                            ‼ conflict
                                   ⊘ blocked: waits for the keys
    +1 more                        ⧗ waits for 7  ✓ 1/3
                                   ◆ coder-1
    UPCOMING  1
    ─────────────────────────────
    12 spike                   3h
    What would passkeys take?

    QA  1                          MERGE  1
    ─────────────────────────────  ─────────────────────────────
    21 story                   3h  22 story                   3h
    Passkeys in the mobile app     averyverylongwordthatnolineca
    ❄ frozen                       nholdwithoutbreakingit
                                   ! attention

    DONE  8
    ─────────────────────────────
    30 story                   1d
    Something that was done

    +7 more
    ");
    for width in [24, 40, 60, 79, 120, 400] {
        let page = reply(&view(width), layout, &Reply::Cards(full_board()));
        assert!(
            page.lines().all(|line| text::width(line) <= width),
            "{width}: {page}"
        );
    }
}

#[test]
fn an_epic_shows_how_far_it_is() {
    let mut page = page_of_42();
    page.card = ItemCard {
        progress: Some((1, 3)),
        ..card(5, Kind::Epic, Column::Backlog, "Sign-in works everywhere")
    };
    let items = vec![login(), card(7, Kind::Story, Column::Backlog, "Keychain")];
    assert_snapshot!(epic(&view(80), &page, &items), @"
    5  Sign-in works everywhere
    █████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░  1 of 3 items done

    BACKLOG  1
       7  story  P2  Keychain                                                     3h

    CODING  1
      42  bug    P0  Login fails on Safari  ‼ 1 conflict      blocked  ◆ coder-1  3h
    ");
    assert!(epic(&view(80), &page, &[]).contains("towline epic N 5"));
}
