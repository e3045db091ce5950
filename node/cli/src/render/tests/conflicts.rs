//! Conflicts, explanations and timelines as people see them, wide and narrow.

use insta::assert_snapshot;
use towline_api::request::Reply;
use towline_api::types::LinkNote;
use towline_proto::Status;
use towline_proto::{Register, RegisterValue};

use super::samples::*;
use crate::plan::Layout;
use crate::render::reply;

#[test]
fn conflicts_name_their_sides_and_what_to_type() {
    let page = reply(
        &view(110),
        Layout::Plain,
        &Reply::Conflicts(vec![concurrent_hold(), naming()]),
    );
    assert_snapshot!(page, @"
    42  Login fails on Safari
      ‼ column  ab12
        it was put on hold at the same time and stays here until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago — in effect
        b ✗  ann @laptop marked it done, 2h ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a --conflict ab12  → stay in coding
          towline conflicts resolve 42 --keep b --conflict ab12  → done

    42  Login fails on Safari
      ‼ title  c0ffee0011223344
        concurrent edits: the higher role takes effect (equal roles: a fixed tie-break)
        a ●  ann @laptop changed the title to “Login fails on Safari”, 40m ago — in effect
        b ✗  bob @laptop changed the title to “登录 fails on Safari, and on every iPhone that was sold since the
             autumn”, 40m ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a --conflict c0ffee00  → Login fails on Safari
          towline conflicts resolve 42 --keep b --conflict c0ffee00  → 登录 fails on Safari, and on every iPhone t…
    ");
}

#[test]
fn a_conflict_of_an_item_in_the_trash_says_what_comes_first() {
    let mut deleted = naming();
    deleted.item.note = Some(LinkNote::Deleted);
    let page = reply(&view(110), Layout::Plain, &Reply::Conflicts(vec![deleted]));
    assert_snapshot!(page, @"
    42  Login fails on Safari
      ‼ title  c0ffee0011223344
        concurrent edits: the higher role takes effect (equal roles: a fixed tie-break)
        a ●  ann @laptop changed the title to “Login fails on Safari”, 40m ago — in effect
        b ✗  bob @laptop changed the title to “登录 fails on Safari, and on every iPhone that was sold since the
             autumn”, 40m ago — overridden
        the item is in the trash; restore it first:
          towline restore 42
        then resolve it:
          towline conflicts resolve 42 --keep a  → Login fails on Safari
          towline conflicts resolve 42 --keep b  → 登录 fails on Safari, and on every iPhone that was sold since t…
    ");
}

#[test]
fn conflicts_fit_a_narrow_terminal() {
    let page = reply(&view(60), Layout::Plain, &Reply::Conflicts(vec![naming()]));
    assert_snapshot!(page, @"
    42  Login fails on Safari
      ‼ title  c0ffee0011223344
        concurrent edits: the higher role takes effect (equal
        roles: a fixed tie-break)
        a ●  ann @laptop changed the title to “Login fails on
             Safari”, 40m ago — in effect
        b ✗  bob @laptop changed the title to “登录 fails on
             Safari, and on every iPhone that was sold since the
             autumn”, 40m ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a  → Login fails o…
          towline conflicts resolve 42 --keep b  → 登录 fails on…
    ");
}

#[test]
fn an_explanation_says_why_first_and_then_what_was_done() {
    let page = reply(
        &view(100),
        Layout::Pages,
        &Reply::Explanations(vec![explanation()]),
    );
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]

      42 stays in coding because bob blocked it (waits for the keys) 3h ago. Lift that with `towline
        unblock 42`.
      At the same time ann marked it done 2h ago. That takes effect when the hold is lifted.
      It waits for 7 Keychain (not done).

    Unresolved conflicts  1
      ‼ column  ab12
        it was put on hold at the same time and stays here until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h ago — in effect
        b ✗  ann @laptop marked it done, 2h ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a  → stay in coding
          towline conflicts resolve 42 --keep b  → done

    History
         2d ● ann @laptop  create   → backlog
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ overridden by bob, who blocked it (waits for the keys): it was put on hold
                           at the same time and stays here until the hold is lifted
         1h ⊘ cem @laptop  submit
                           ↳ refused: the item is blocked; `unblock` lifts that
         2m ● ann @laptop  comment

    ● in effect  · replaced by a later act  ✗ overridden by a concurrent act  ✓ overridden, then chosen
    ⊘ refused
    ");
}

#[test]
fn an_explanation_fits_a_narrow_terminal() {
    let page = reply(
        &view(56),
        Layout::Pages,
        &Reply::Explanations(vec![explanation()]),
    );
    assert_snapshot!(page, @"
    42  Login fails on Safari  [blocked]

      42 stays in coding because bob blocked it (waits for
        the keys) 3h ago. Lift that with `towline unblock
        42`.
      At the same time ann marked it done 2h ago. That
        takes effect when the hold is lifted.
      It waits for 7 Keychain (not done).

    Unresolved conflicts  1
      ‼ column  ab12
        it was put on hold at the same time and stays here
        until the hold is lifted
        a ●  bob @laptop blocked it (waits for the keys), 3h
             ago — in effect
        b ✗  ann @laptop marked it done, 2h ago — overridden
        resolve it:
          towline conflicts resolve 42 --keep a  → stay in c…
          towline conflicts resolve 42 --keep b  → done

    History
         2d ● ann @laptop  create   → backlog
         2d ● ann @laptop  title    Login fails
         3h · ann @laptop  start    backlog → coding
         3h ● bob @laptop  block    waits for the keys
         2h ✗ ann @laptop  merged   coding → done
                           ↳ overridden by bob, who blocked
                           it (waits for the keys): it was
                           put on hold at the same time and
                           stays here until the hold is
                           lifted
         1h ⊘ cem @laptop  submit
                           ↳ refused: the item is blocked;
                           `unblock` lifts that
         2m ● ann @laptop  comment

    ● in effect  · replaced by a later act
    ✗ overridden by a concurrent act
    ✓ overridden, then chosen  ⊘ refused
    ");
}

#[test]
fn a_narrow_timeline_keeps_the_reason_whole() {
    let page = reply(
        &view(60),
        Layout::Timeline { whole: false },
        &Reply::History(history()),
    );
    assert_snapshot!(page, @"
    2026-11-18 (UTC)
      10:00 ● ann @laptop  create   → backlog
      10:10 ● ann @laptop  title    Login fails

    2026-11-20 (UTC)
      08:55 · ann @laptop  start    backlog → coding
      09:00 ● bob @laptop  block    waits for the keys
      09:01 ✗ ann @laptop  merged   coding → done
                           ↳ overridden by bob, who blocked it
                           (waits for the keys): it was put on
                           hold at the same time and stays here
                           until the hold is lifted
      11:58 ● ann @laptop  comment
    ");
}

#[test]
fn news_says_what_sort_it_is() {
    let mut merged = moved();
    merged.event.what = towline_proto::EventKind::ChangedByMerge {
        register: Register::Title,
        before: RegisterValue::Title {
            title: "Login fails".into(),
        },
        after: RegisterValue::Title {
            title: "Login fails on Safari".into(),
        },
    };
    let page = reply(&view(100), Layout::Plain, &Reply::Events(vec![moved(), merged]));
    assert_snapshot!(page, @"
    11:55 → 42 Login fails on Safari      coding → qa → merge  by ann
    11:55 ! 42 Login fails on Safari      title changed by a merge: Login fails → Login fails on  by ann
                                          Safari
    ");
}

#[test]
fn what_was_replaced_names_its_successor() {
    let mut page = page_of_42();
    page.card.closing = Some(towline_proto::Closing::Superseded { by: id(57) });
    page.successor = Some(link(57, "Sign in with a passkey", Status::Active));
    let page = reply(&view(80), Layout::Pages, &Reply::Page(Box::new(page)));
    assert!(
        page.contains("Replaced    by 57 Sign in with a passkey"),
        "{page}"
    );
}
