//! Pages as people see them, at a fixed width and a fixed time, without colour.

mod boards;
mod conflicts;
mod narrow;
pub(crate) mod samples;

use insta::assert_snapshot;
use towline_api::types::{ItemCard, ItemLink, MemberInfo, ProjectStatus};
use towline_proto::{Column, Kind, NodeId, ProjectId, Role, Status};

use self::samples::*;
use super::*;
use crate::listing::Listing;
use crate::plan::Layout;

#[test]
fn a_list_is_grouped_and_aligned() {
    let page = reply(
        &view(110),
        Layout::Columns(Listing::default()),
        &Reply::Cards(board()),
    );
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
    let page = reply(
        &view(72),
        Layout::Columns(Listing::default()),
        &Reply::Cards(board()),
    );
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
    assert_snapshot!(reply(&view(80), Layout::Ready(Listing { ready: true, ..Listing::default() }), &Reply::Cards(cards)), @"
    9  bug    P0  Second column, first in line  3h
    8  story  P2  After it                      3h
    ");
}

#[test]
fn an_item_in_full() {
    let page = reply(&view(64), Layout::Pages, &Reply::Page(Box::new(page_of_42())));
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]
    bug · P0 · coding since 3h, sent back once · qa by agent

      Blocked     waits for the keys
      Claimed     by coder-1 on 3f3f3f3f, 20m ago (generation 2)
      Epic        5 Sign-in works everywhere
      Labels      ui, web
      Known as    github:acme/shop#7
      Created by  ann, 2d ago
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

    Conflicts  run `towline explain 42` for details
      ‼ column  ab12
        it was put on hold at the same time and stays here until the
        hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago —
             in effect
        b ✗  ann @laptop marked it done, 2h ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a  → stay in coding
          towline conflicts resolve 42 --keep b  → done

    Comments  1
      coder-1 (agent)  2m ago
        It is the SameSite attribute.
        Patch follows.

    History  last 5 of 6; run `towline log 42` for all
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ overridden by bob, who blocked it
                           (waits for the keys): it was put on hold
                           at the same time and stays here until the
                           hold is lifted
         2m ● ann @laptop  comment

    Next: submit, unblock, freeze
    ");
}

#[test]
fn criteria_alone_show_their_numbers() {
    let page = reply(&view(64), Layout::Criteria, &Reply::Page(Box::new(page_of_42())));
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
fn a_timeline_has_days_and_says_what_was_overridden() {
    let page = reply(
        &view(100),
        Layout::Timeline { whole: true },
        &Reply::History(history()),
    );
    assert_snapshot!(page, @"
    2026-11-18 (UTC)
      10:00 ● ann @laptop  42 Login fails on Safari  create   → backlog
      10:10 ● ann @laptop  42 Login fails on Safari  title    Login fails

    2026-11-20 (UTC)
      08:55 · ann @laptop  42 Login fails on Safari  start    backlog → coding
      09:00 ● bob @laptop  42 Login fails on Safari  block    waits for the keys
      09:01 ✗ ann @laptop  42 Login fails on Safari  merged   coding → done
                                                     ↳ overridden by bob, who blocked it (waits for the
                                                     keys): it was put on hold at the same time and
                                                     stays here until the hold is lifted
      11:58 ● ann @laptop  42 Login fails on Safari  comment
    ");
}

#[test]
fn colour_strikes_through_what_was_overridden() {
    let coloured = View {
        style: Style::new(true),
        ..view(100)
    };
    let page = reply(
        &coloured,
        Layout::Timeline { whole: false },
        &Reply::History(history()),
    );
    assert!(page.contains("\x1b[2;9mmerged "), "{page}");
}

fn status() -> ProjectStatus {
    ProjectStatus {
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
        unavailable: Vec::new(),
    }
}

#[test]
fn the_project_at_a_glance() {
    let page = reply(&view(80), Layout::Plain, &Reply::Status(Box::new(status())));
    assert_snapshot!(page, @"
    shop  owner on laptop

      upcoming      1  █
      backlog     120  ████
      coding        4  █
      qa            0
      merge        60  ██
      done      1,250  ████████████████████████████████████████

      Items     1,435, 3 on hold, 1 with conflicts, 2 in the trash
      Log       12,004 entries, 3.0 MiB
      Members   3; 2 peers connected, 1 in sync
      Digest    3f2a1c9d3f2a1c9d
      Project   d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0
      Board     http://127.0.0.1:7800

    Last event, 5m ago
    11:55 → 42 Login fails on Safari      coding → qa → merge  by ann
    ");
}

#[test]
fn peers_and_members_are_tables() {
    let peers = Reply::Peers(vec![peer("desk", true), peer("build-host", false)]);
    assert_snapshot!(reply(&view(100), Layout::Plain, &peers), @"
    desk        in sync  77777777  /ip4/10.0.0.7/tcp/4001  last seen 1m ago
    build-host  behind   77777777  /ip4/10.0.0.7/tcp/4001  last seen 1m ago
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
    assert_snapshot!(reply(&view(100), Layout::Plain, &members), @"
    laptop  owner       3f3f3f3f  since 2d ago  (this node)
    desk    writer      3f3f3f3f  since 2d ago

    Open invitations
      9c1e  reader      expires in 1h
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
            purged: false,
        };
        reply(&view(80), Layout::Applied, &Reply::Applied(Box::new(applied)))
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
    44  Same  backlog (unchanged)
    ");
}
