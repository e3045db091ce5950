//! Pages as people see them, at a fixed width and a fixed time, without colour.

pub(crate) mod samples;

use insta::assert_snapshot;
use towline_proto::{Column, Kind, NodeId, ProjectId, Role, Status};

use self::samples::*;
use super::*;
use crate::cli::plan::Shape;
use crate::dto::{ItemCard, ItemLink, MemberInfo, ProjectStatus};

#[test]
fn a_list_is_grouped_and_aligned() {
    let page = reply(&view(110), Shape::Columns, &Reply::Cards(board()));
    assert_snapshot!(page, @r#"
    UPCOMING  1
      12  spike  P2  What would passkeys take?                                                               3h

    BACKLOG  2
       7  story  P2  Keychain                                                                     bob        5m
       5  epic   P1  登录 everywhere \u{1b}[2Jand then some more words  2/9 done                             3h

    CODING  1
      42  bug    P0  Login fails on Safari  ‼ 1 conflict  waits for 7  ✓ 1/3  +ui  +web  blocked  ◆ coder-1  3h
    "#);
}

#[test]
fn a_narrow_terminal_cuts_titles_and_notes() {
    let page = reply(&view(72), Shape::Columns, &Reply::Cards(board()));
    assert_snapshot!(page, @r#"
    UPCOMING  1
      12  spike  P2  What would passkeys take?                            3h

    BACKLOG  2
       7  story  P2  Keychain                                  bob        5m
       5  epic   P1  登录 everywhere \u{1…  2/9 done                      3h

    CODING  1
      42  bug    P0  Login fails on Sa…  ‼ 1 confli…  blocked  ◆ coder-1  3h
    "#);
    assert!(page.lines().all(|line| text::width(line) <= 72), "{page}");
}

#[test]
fn ready_keeps_its_order() {
    let cards = vec![
        ItemCard {
            priority: 0,
            ..card(9, Kind::Bug, Column::Coding, "Second column, first in line")
        },
        card(8, Kind::Story, Column::Backlog, "After it"),
    ];
    assert_snapshot!(reply(&view(80), Shape::Ready, &Reply::Cards(cards)), @"
    9  bug    P0  Second column, first in line  3h
    8  story  P2  After it                      3h
    ");
}

#[test]
fn an_item_in_full() {
    let page = reply(&view(64), Shape::Pages, &Reply::Page(Box::new(page_of_42())));
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]
    bug · P0 · coding since 3h, sent back once · qa by agent

      Blocked     waits for the keys
      Claimed     by coder-1 on 3f3f3f3f, 20m ago (generation 2)
      Epic        5 Sign-in works everywhere
      Labels      ui, web
      Link        external github:acme/shop#7
      Asked by    ann, 2d ago
      Key         002a

    Description
      Safari drops the cookie.

      ```
          set-cookie: a very long line of code that must not be broken at all
      ```
      Seen by three people, each on another machine, and by the
      nightly run.

    Criteria  1/3
      ✓  1 Safari 17 can sign in
           ci/1881
      ·  2 No other browser is worse off than it was before this
           change
      ✗  3 Documented

    Depends on
      ✓ 3 Cookie jar  done
      · 7 Keychain

    Needed by
      50 Release 2  frozen

    Conflicts  `towline explain 42` tells how it came
      ‼ column  ab12
        it was put on hold at the same time, so leaving waits until
        the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago —
             counts
        b ✗  ann @laptop marked it done, 2h ago — does not count
        settle it:
          towline conflicts settle 42 --keep a  → stay in coding
          towline conflicts settle 42 --keep b  → done

    Comments  1
      coder-1 (agent)  2m ago
        It is the SameSite attribute.
        Patch follows.

    History  the last 5 of 6; `towline log 42` has all
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ lost to bob, who blocked it (waits for
                           the keys): it was put on hold at the same
                           time, so leaving waits until the hold is
                           lifted
         2m ● ann @laptop  comment

    Next: submit, unblock, freeze
    ");
}

#[test]
fn criteria_alone_show_their_numbers() {
    let page = reply(&view(64), Shape::Criteria, &Reply::Page(Box::new(page_of_42())));
    assert_snapshot!(page, @"
    Criteria  1/3
      ✓  1 Safari 17 can sign in
           ci/1881
      ·  2 No other browser is worse off than it was before this
           change
      ✗  3 Documented
    ");
}

#[test]
fn a_timeline_has_days_and_says_what_was_overtaken() {
    let page = reply(
        &view(100),
        Shape::Timeline { whole: true },
        &Reply::History(history()),
    );
    assert_snapshot!(page, @"
    2026-11-18
      10:00 ● ann @laptop  42 Login fails on Safari  create   → backlog
      10:10 ● ann @laptop  42 Login fails on Safari  title    Login fails

    2026-11-20
      08:55 · ann @laptop  42 Login fails on Safari  start    backlog → coding
      09:00 ● bob @laptop  42 Login fails on Safari  block    waits for the keys
      09:01 ✗ ann @laptop  42 Login fails on Safari  merged   coding → done
                                                     ↳ lost to bob, who blocked it (waits for the keys):
                                                     it was put on hold at the same time, so leaving
                                                     waits until the hold is lifted
      11:58 ● ann @laptop  42 Login fails on Safari  comment
    ");
}

#[test]
fn colour_crosses_out_what_was_overtaken() {
    let coloured = View {
        style: Style::new(true),
        ..view(100)
    };
    let page = reply(
        &coloured,
        Shape::Timeline { whole: false },
        &Reply::History(history()),
    );
    assert!(page.contains("\x1b[2;9mmerged "), "{page}");
}

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
        attention: vec!["merged, but blocked at the same time".into()],
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
    let shape = Shape::Board { most: None };
    let page = reply(&view(132), shape, &Reply::Cards(full_board()));
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
    let shape = Shape::Board { most: Some(1) };
    let page = reply(&view(60), shape, &Reply::Cards(full_board()));
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
        let page = reply(&view(width), shape, &Reply::Cards(full_board()));
        assert!(
            page.lines().all(|line| text::width(line) <= width),
            "{width}: {page}"
        );
    }
}

#[test]
fn conflicts_name_their_sides_and_what_to_type() {
    let page = reply(
        &view(110),
        Shape::Plain,
        &Reply::Conflicts(vec![contest(), naming()]),
    );
    assert_snapshot!(page, @"
    42  Login fails on Safari
      ‼ column  ab12
        it was put on hold at the same time, so leaving waits until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago — counts
        b ✗  ann @laptop marked it done, 2h ago — does not count
        settle it:
          towline conflicts settle 42 --keep a --conflict ab12  → stay in coding
          towline conflicts settle 42 --keep b --conflict ab12  → done

    42  Login fails on Safari
      ‼ title  c0ffee0011223344
        the higher role's value is shown, or with equal roles a fixed lot's
        a ●  ann @laptop called it “Login fails on Safari”, 40m ago — counts
        b ✗  bob @laptop called it “登录 fails on Safari, and on every iPhone that was sold since the autumn”, 40m
             ago — does not count
        settle it:
          towline conflicts settle 42 --keep a --conflict c0ffee00  → Login fails on Safari
          towline conflicts settle 42 --keep b --conflict c0ffee00  → 登录 fails on Safari, and on every iPhone th…
    ");
}

#[test]
fn conflicts_fit_a_narrow_terminal() {
    let page = reply(&view(60), Shape::Plain, &Reply::Conflicts(vec![naming()]));
    assert_snapshot!(page, @"
    42  Login fails on Safari
      ‼ title  c0ffee0011223344
        the higher role's value is shown, or with equal roles a
        fixed lot's
        a ●  ann @laptop called it “Login fails on Safari”, 40m
             ago — counts
        b ✗  bob @laptop called it “登录 fails on Safari, and on
             every iPhone that was sold since the autumn”, 40m
             ago — does not count
        settle it:
          towline conflicts settle 42 --keep a  → Login fails on…
          towline conflicts settle 42 --keep b  → 登录 fails on…
    ");
}

#[test]
fn an_explanation_says_why_first_and_then_what_was_done() {
    let page = reply(
        &view(100),
        Shape::Pages,
        &Reply::Explanations(vec![explanation()]),
    );
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]

      42 stays in coding because bob blocked it (waits for the keys) 3h ago. `towline unblock 42`
        lifts that.
      Without knowing of the hold, ann marked it done 2h ago; that waits until the hold is lifted.
      It waits for 7 Keychain (which is not done).

    Not settled  1
      ‼ column  ab12
        it was put on hold at the same time, so leaving waits until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago — counts
        b ✗  ann @laptop marked it done, 2h ago — does not count
        settle it:
          towline conflicts settle 42 --keep a  → stay in coding
          towline conflicts settle 42 --keep b  → done

    What was done
         2d ● ann @laptop  create   → backlog
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ lost to bob, who blocked it (waits for the keys): it was put on hold at the
                           same time, so leaving waits until the hold is lifted
         1h ⊘ cem @laptop  submit
                           ↳ refused: the item is blocked; `unblock` lifts that
         2m ● ann @laptop  comment

    ● counts  · counted until a later act  ✗ lost to another made apart  ✓ lost, then chosen  ⊘ refused
    ");
}

#[test]
fn an_explanation_fits_a_narrow_terminal() {
    let page = reply(&view(56), Shape::Pages, &Reply::Explanations(vec![explanation()]));
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]

      42 stays in coding because bob blocked it (waits for
        the keys) 3h ago. `towline unblock 42` lifts that.
      Without knowing of the hold, ann marked it done 2h
        ago; that waits until the hold is lifted.
      It waits for 7 Keychain (which is not done).

    Not settled  1
      ‼ column  ab12
        it was put on hold at the same time, so leaving
        waits until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h
             ago — counts
        b ✗  ann @laptop marked it done, 2h ago — does not
             count
        settle it:
          towline conflicts settle 42 --keep a  → stay in co…
          towline conflicts settle 42 --keep b  → done

    What was done
         2d ● ann @laptop  create   → backlog
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ lost to bob, who blocked it
                           (waits for the keys): it was put
                           on hold at the same time, so
                           leaving waits until the hold is
                           lifted
         1h ⊘ cem @laptop  submit
                           ↳ refused: the item is blocked;
                           `unblock` lifts that
         2m ● ann @laptop  comment

    ● counts  · counted until a later act  ✗ lost to another
    made apart  ✓ lost, then chosen  ⊘ refused
    ");
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

#[test]
fn what_was_replaced_names_its_successor() {
    let mut page = page_of_42();
    page.card.closing = Some(towline_proto::Closing::Superseded { by: id(57) });
    page.successor = Some(link(57, "Sign in with a passkey", Status::Active));
    let page = reply(&view(80), Shape::Pages, &Reply::Page(Box::new(page)));
    assert!(
        page.contains("Replaced    by 57 Sign in with a passkey"),
        "{page}"
    );
}

#[test]
fn a_narrow_timeline_keeps_the_reason_whole() {
    let page = reply(
        &view(60),
        Shape::Timeline { whole: false },
        &Reply::History(history()),
    );
    assert_snapshot!(page, @"
    2026-11-18
      10:00 ● ann @laptop  create   → backlog
      10:10 ● ann @laptop  title    Login fails

    2026-11-20
      08:55 · ann @laptop  start    backlog → coding
      09:00 ● bob @laptop  block    waits for the keys
      09:01 ✗ ann @laptop  merged   coding → done
                           ↳ lost to bob, who blocked it (waits
                           for the keys): it was put on hold at
                           the same time, so leaving waits until
                           the hold is lifted
      11:58 ● ann @laptop  comment
    ");
}

#[test]
fn news_says_what_sort_it_is() {
    let mut merged = moved();
    merged.event.what = towline_proto::EventKind::ChangedByMerge {
        field: "title".into(),
        before: "Login fails".into(),
        after: "Login fails on Safari".into(),
    };
    let page = reply(&view(100), Shape::Plain, &Reply::Events(vec![moved(), merged]));
    assert_snapshot!(page, @"
    11:55 → 42 Login fails on Safari      coding → qa → merge  by ann
    11:55 ! 42 Login fails on Safari      title changed by a merge: Login fails → Login fails on  by ann
                                          Safari
    ");
}

#[test]
fn the_project_at_a_glance() {
    let status = ProjectStatus {
        id: ProjectId([0xd0; 32]),
        name: "shop".into(),
        node: NodeId([0x3f; 32]),
        node_name: "laptop".into(),
        role: Role::Owner,
        columns: vec![
            (Column::Upcoming, 1),
            (Column::Backlog, 120),
            (Column::Coding, 4),
            (Column::Qa, 0),
            (Column::Merge, 60),
            (Column::Done, 1_250),
        ],
        held: 3,
        conflicts: 1,
        deleted: 2,
        items: 1_435,
        entries: 12_004,
        log_bytes: 3_250_000,
        members: 3,
        waiting: 0,
        digest: "3f2a1c9d3f2a1c9d3f2a1c9d".into(),
        last_event: Some(moved()),
        peers: Some(vec![peer("desk", true), peer("build-host", false)]),
        board: Some("http://127.0.0.1:7800".into()),
    };
    let page = reply(&view(80), Shape::Plain, &Reply::Status(Box::new(status)));
    assert_snapshot!(page, @"
    shop  owner on laptop

      upcoming      1  █
      backlog     120  ████
      coding        4  █
      qa            0
      merge        60  ██
      done      1,250  ████████████████████████████████████████

      Items     1,435, 3 held, 1 with conflicts, 2 in the trash
      Log       12,004 entries, 3.0 MiB
      Members   3; 2 peers connected, 1 in sync
      Position  3f2a1c9d3f2a1c9d
      Project   d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0
      Board     http://127.0.0.1:7800

    Last event, 5m ago
    11:55 → 42 Login fails on Safari      coding → qa → merge  by ann
    ");
}

#[test]
fn peers_and_members_are_tables() {
    let peers = Reply::Peers(vec![peer("desk", true), peer("build-host", false)]);
    assert_snapshot!(reply(&view(100), Shape::Plain, &peers), @"
    desk        in sync  77777777  /ip4/10.0.0.7/tcp/4001  heard of 1m ago
    build-host  behind   77777777  /ip4/10.0.0.7/tcp/4001  heard of 1m ago
    ");
    let member = |name: &str, role, me| MemberInfo {
        node: Some(NodeId([0x3f; 32])),
        name: name.into(),
        role,
        at: before(3_000),
        ticket: None,
        me,
    };
    let invitation = MemberInfo {
        node: None,
        name: String::new(),
        role: Role::Reader,
        at: NOON.plus(3_700_000),
        ticket: Some("9c1e".into()),
        me: false,
    };
    let members = Reply::Members(vec![
        member("laptop", Role::Owner, true),
        member("desk", Role::Writer, false),
        invitation,
    ]);
    assert_snapshot!(reply(&view(100), Shape::Plain, &members), @"
    laptop  owner       3f3f3f3f  since 2d ago  (this node)
    desk    writer      3f3f3f3f  since 2d ago

    Open invitations
      9c1e  reader      ends in 1h
    ");
}

#[test]
fn a_tree_tells_each_item_once_even_in_a_cycle() {
    let waits = |number: u32, title: &str, on: Vec<ItemLink>| ItemCard {
        depends_on: on,
        ..card(number, Kind::Story, Column::Backlog, title)
    };
    let seven = link(7, "Keychain", Status::Active);
    let root = waits(
        42,
        "Login",
        vec![
            link(3, "Cookie jar", Status::Done),
            link(8, "Storage", Status::Active),
            seven.clone(),
        ],
    );
    let cards = vec![
        root.clone(),
        waits(8, "Storage", vec![seven]),
        waits(7, "Keychain", vec![link(42, "Login", Status::Active)]),
    ];
    assert_snapshot!(tree(&root, &cards).page(&view(80)), @"
    42 Login
    ├─ ✓ 3 Cookie jar  done
    ├─ · 8 Storage
    │  └─ · 7 Keychain
    │     └─ · 42 Login  (see above)
    └─ · 7 Keychain  (see above)
    ");
}

#[test]
fn what_a_write_came_to_is_one_line() {
    let done = |from, card: ItemCard, changed| {
        let applied = Applied {
            card,
            from,
            notes: Vec::new(),
            changed,
        };
        reply(&view(80), Shape::Applied, &Reply::Applied(Box::new(applied)))
    };
    let pages = [
        done(Some(Column::Backlog), login(), true),
        done(
            None,
            card(
                43,
                Kind::Story,
                Column::Backlog,
                "A title that is a good deal too long for one line of a terminal",
            ),
            true,
        ),
        done(
            Some(Column::Backlog),
            card(44, Kind::Story, Column::Backlog, "Same"),
            false,
        ),
    ];
    assert_snapshot!(pages.concat(), @"
    42  Login fails on Safari  backlog → coding, blocked, claimed by coder-1
    43  A title that is a good deal too long for one line of a terminal  backlog
    44  Same  backlog (as before)
    ");
}
