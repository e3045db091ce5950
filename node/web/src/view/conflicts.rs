//! The conflicts of an item, with a button for each side, and why the item is in its state.
//!
//! Pure functions from plain values to markup. The project decides which side takes effect; the page shows the
//! sides, and a signed-in person can choose one.

use maud::{Markup, html};
use towline_api::activity_text::side_activity;
use towline_api::conflict_text::{about, before_and_after, keep_text, means, unkeepable};
use towline_api::labels::rule_text;
use towline_api::types::{ItemPage, OpenConflict, Side};
use towline_engine::handle::ProjectLink;
use towline_proto::Millis;

use super::Frame;
use super::parts::{clock_ahead, column_title, item_link, item_path, time};
use crate::query::escape;

/// Characters of an activity text on a page.
const ACTIVITY_CHARS: usize = 200;
/// Conflicts on the page of a project, the oldest ones.
const CONFLICTS: usize = 200;

/// Unresolved conflicts.
pub(super) fn open_conflicts(frame: &Frame, project: &str, page: &ItemPage, now: Millis) -> Markup {
    html! {
        @if !page.open_conflicts.is_empty() {
            section.notice.conflicts aria-labelledby="conflicts" {
                h2 id="conflicts" { "Conflict" }
                (explained())
                @for conflict in &page.open_conflicts { (one(frame, project, conflict, None, now)) }
            }
        }
    }
}

fn explained() -> Markup {
    html! { p { "These changes were made at the same time and contradict each other. The side in effect is listed first. Choose one: its button says what happens to the item." } }
}

/// The page of all unresolved conflicts of a project.
pub(crate) fn page(
    frame: &Frame,
    link: &ProjectLink,
    position: u64,
    open: &[OpenConflict],
    now: Millis,
) -> Markup {
    let path = format!("/p/{}", escape(&link.name));
    let main = html! {
        p.crumbs { a href=(path) { "← " (link.name) } }
        div id="live" data-live={ (path) "/conflicts/fragment" } data-project=(link.id) data-position=(position) {
            (fragment(frame, &link.name, open, now))
        }
    };
    frame.page("Conflicts", main)
}

/// What changes on that page, oldest first.
pub(crate) fn fragment(frame: &Frame, project: &str, open: &[OpenConflict], now: Millis) -> Markup {
    let here = format!("/p/{}/conflicts", escape(project));
    html! {
        h1 { "Conflicts " span.count { (open.len()) } }
        @if open.is_empty() { p.empty { "No unresolved conflicts. Changes that contradict each other, made at the same time on two nodes, are listed here until somebody chooses a side." } }
        @else {
            section.notice.conflicts {
                (explained())
                @for conflict in open.iter().take(CONFLICTS) { (one(frame, project, conflict, Some(&here), now)) }
                @if open.len() > CONFLICTS {
                    p.none { "and " (open.len() - CONFLICTS) " newer ones; list all with " code { "towline conflicts" } }
                }
            }
        }
    }
}

/// One conflict. Elsewhere than on the page of its item it names that, and `back` leads there again.
fn one(frame: &Frame, project: &str, conflict: &OpenConflict, back: Option<&str>, now: Millis) -> Markup {
    let about = about(&conflict.topic);
    html! {
        section.conflict aria-label={ "Conflict about " (about) } {
            @if back.is_some() {
                p { (item_link(project, &conflict.item)) }
                h2 { (capital(&about)) }
            } @else { h3 { (capital(&about)) } }
            p.rule { (capital(rule_text(conflict.rule))) "." }
            @if conflict.must_restore_first() {
                p.notice { "The item is in the trash. Restore it first, then keep a side." }
            }
            ul.sides { @for side in &conflict.sides {
                li.effective[side.effective] {
                    p { strong { (side.line.origin) } " " (shown(&side_activity(conflict, side)))
                        span.when { (time(now, side.line.at)) " on " (side.line.node_name) } (clock_ahead(side.line.skewed)) }
                    @if let Some((before, after)) = before_and_after(conflict, side) {
                        dl.change {
                            dt { "Before" } dd.before { (before) }
                            dt { "After" } dd.after { strong { (after) } }
                        }
                    }
                    p.means { @if side.effective { span.badge.s-done { "in effect" } }
                        @else { span.badge { "overridden" } }
                        @if before_and_after(conflict, side).is_none() { " result if kept: " strong { (means(side)) } } }
                    @if let Some(why) = &side.unkeepable {
                        p.none { "This side cannot be kept: " (coded(&unkeepable(why, None))) }
                    } @else if let Some(csrf) = frame.csrf().filter(|_| !conflict.must_restore_first()) {
                        (keep(csrf, project, conflict, side, back))
                    }
                }
            } }
        }
    }
}

fn keep(csrf: &str, project: &str, conflict: &OpenConflict, side: &Side, back: Option<&str>) -> Markup {
    let path = item_path(project, &conflict.item.id.to_string());
    html! {
        form method="post" action={ (path) "/settle" } {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="back" value=(back.unwrap_or(&path));
            input type="hidden" name="conflict" value=(conflict.id);
            input type="hidden" name="keep" value=(side.line.act);
            button.primary[!side.effective] type="submit" { (keep_text(conflict, side)) span.sr { ": " (means(side)) } }
        }
    }
}

/// Why it is in its state, a sentence each.
pub(super) fn explanation(page: &ItemPage, because: &[String]) -> Markup {
    html! {
        @if !because.is_empty() {
            section aria-labelledby="why" {
                h2 id="why" { "Why it is in " (column_title(page.card.column)) }
                ul.why { @for sentence in because { li { (coded(sentence)) } } }
            }
        }
    }
}

/// A sentence with commands in backticks.
pub(super) fn coded(sentence: &str) -> Markup {
    html! {
        @for (at, part) in sentence.split('`').enumerate() {
            @if at % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

fn shown(text: &str) -> String {
    towline_proto::text::show(text, ACTIVITY_CHARS)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
