//! Small terminals: a phone over ssh, a pane beside an editor. Nothing runs over the edge but what must be
//! copied whole.

use insta::assert_snapshot;

use super::samples::*;
use super::*;

/// Lines that are wider than the terminal.
fn too_wide(page: &str, columns: usize) -> Vec<&str> {
    page.lines().filter(|line| text::width(line) > columns).collect()
}

#[test]
fn lists_and_timelines_fit_into_forty_columns() {
    for columns in [40, 48, 56, 64, 80, 120] {
        let view = view(columns);
        let pages = [
            reply(&view, Shape::Columns, &Reply::Cards(board())),
            reply(&view, Shape::Ready, &Reply::Cards(board())),
            reply(&view, Shape::Timeline { whole: true }, &Reply::History(history())),
            reply(
                &view,
                Shape::Timeline { whole: false },
                &Reply::History(history()),
            ),
            log::event(&view, &moved()),
            log::legend(&view).join("\n"),
        ];
        for page in pages {
            assert_eq!(too_wide(&page, columns), [""; 0], "{columns}:\n{page}");
        }
        let page = reply(&view, Shape::Plain, &Reply::Status(Box::new(status())));
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
    assert_snapshot!(reply(&view(48), Shape::Columns, &Reply::Cards(board())), @r"
    UPCOMING  1
      12  P2  What would passkeys take?

    BACKLOG  2
       7  P2  Keychain
       5  P1  登录 everywhere \u…  2/9 done

    CODING  1
      42  P0  Login fails on S…  ‼ 1 confl…  blocked
    ");
    assert_snapshot!(reply(&view(40), Shape::Timeline { whole: true }, &Reply::History(history())), @"
    2026-11-18
      10:00 ● ann @laptop  42 Logi…  create
                    → backlog
      10:10 ● ann @laptop  42 Logi…  title
                    Login fails

    2026-11-20
      08:55 · ann @laptop  42 Logi…  start
                    backlog → coding
      09:00 ● bob @laptop  42 Logi…  block
                    waits for the keys
      09:01 ✗ ann @laptop  42 Logi…  merged
                    coding → done
                    ↳ lost to bob, who
                    blocked it (waits for
                    the keys): it was put on
                    hold at the same time,
                    so leaving waits until
                    the hold is lifted
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
    ● counts  · counted until a later act
    ✗ lost to another made apart  ✓ lost, then chosen  ⊘ refused
    ");
}
