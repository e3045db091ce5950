//! The page of one item: description, dependencies, comments, history, and the forms of the possible actions.

use maud::{Markup, html};
use towline_api::activity_text::{activity, line_detail, why_not_effective};
use towline_api::labels::failure_label;
use towline_api::notice_text::{notice_text, refusal_text};
use towline_api::relative_time::ago_phrase;
use towline_api::types::{HistoryLine, ItemPage};
use towline_engine::handle::ProjectLink;
use towline_proto::{EditKind, FailureKind, Field, Millis, OpKind, Verb};

use super::Frame;
use super::actions::{VerbInput, is_forward, options, targets, verbs};
use super::conflicts::{explanation, open_conflicts};
use super::edit::{self, Draft};
use super::item_lists::{add_to, criteria, relations, remove};
use super::markdown::Renderer;
use super::parts::{badge, clock_ahead, column_title, item_link, item_path, kind, time};
use super::suggestions::Suggestions;
use crate::query::escape;

/// Lines of history that are shown at once; the rest is in `towline log`.
const HISTORY: usize = 500;
/// Comments that are shown at once, the last ones.
const COMMENTS: usize = 200;

/// What the page of an item shows.
pub(crate) struct Shown<'a> {
    /// The item in full.
    pub(crate) page: &'a ItemPage,
    /// Why it is in its state, a sentence each.
    pub(crate) because: &'a [String],
    /// The name of the next request, so that sending a form twice does it once.
    pub(crate) request: &'a str,
    /// The time, for ages.
    pub(crate) now: Millis,
}

impl<'a> Shown<'a> {
    /// All of it.
    pub(crate) const fn new(
        page: &'a ItemPage,
        because: &'a [String],
        request: &'a str,
        now: Millis,
    ) -> Self {
        Self {
            page,
            because,
            request,
            now,
        }
    }
}

pub(crate) fn page(
    frame: &Frame,
    link: &ProjectLink,
    position: u64,
    shown: &Shown<'_>,
    suggestions: &Suggestions,
) -> Markup {
    let card = &shown.page.card;
    let path = item_path(&link.name, &card.id.to_string());
    let main = html! {
        p.crumbs { a href={ "/p/" (escape(&link.name)) } { "← " (link.name) } }
        div id="live" data-live={ (path) "/fragment" } data-project=(link.id) data-item=(card.id)
            data-position=(position) {
            (fragment(frame, &link.name, shown))
        }
        @if frame.csrf().is_some() { (suggestions.lists()) }
    };
    frame.page(&format!("#{} {}", card.handle, card.title), main)
}

/// What changes when the item changes.
pub(crate) fn fragment(frame: &Frame, project: &str, shown: &Shown<'_>) -> Markup {
    let Shown {
        page,
        because,
        request,
        now,
    } = *shown;
    let card = &page.card;
    let markdown = Renderer::new();
    html! {
        header.item-head {
            p.meta { span.handle { "#" (card.handle) } (kind(card.kind)) (badge(card.status))
                span { "in " strong { (column_title(card.column)) } " for " (time(now, card.entered_at)) }
                (clock_ahead(card.skewed))
            }
            h1 { (card.title) }
            (edit_title(frame, project, page))
            // On a phone the actions are below the history.
            @if frame.csrf().is_some() { p.jump { a.button href="#actions" { "Actions" } } }
        }
        (notices(frame, project, page, now))
        div.item {
            div.story {
                (description(frame, project, page, &markdown))
                (criteria(frame, project, page))
                (relations(frame, project, page))
                (comments(frame, project, page, request, &markdown, now))
                (explanation(page, because))
                (history(page, now))
            }
            aside aria-label="Details and actions" {
                (actions(frame, project, page))
                (facts(frame, project, page, now))
            }
        }
    }
}

/// The form of a field of an item that people can edit now.
fn edit_title(frame: &Frame, project: &str, page: &ItemPage) -> Markup {
    html! {
        @if let Some(csrf) = frame.csrf().filter(|_| !page.card.deleted) {
            details.edit.edit-title {
                summary { "Edit the title" }
                (edit::form(csrf, project, &page.card, &Draft::of(Field::Title, page), "Save"))
            }
        }
    }
}

fn description(frame: &Frame, project: &str, page: &ItemPage, markdown: &Renderer) -> Markup {
    html! {
        section aria-labelledby="description" {
            h2.sr id="description" { "Description" }
            @if page.body.trim().is_empty() { p.none { "No description." } }
            @else { div.prose { (markdown.render(&page.body)) } }
            @if let Some(csrf) = frame.csrf().filter(|_| !page.card.deleted) {
                details.edit {
                    summary { @if page.body.trim().is_empty() { "Write a description" } @else { "Edit the description" } }
                    (edit::form(csrf, project, &page.card, &Draft::of(Field::Body, page), "Save"))
                }
            }
        }
    }
}

/// The notices at the top of the page.
fn notices(frame: &Frame, project: &str, page: &ItemPage, now: Millis) -> Markup {
    let card = &page.card;
    html! {
        @if card.deleted { p.notice { "In the trash." } }
        @if let Some(blocked) = &card.holds.blocked { p.notice { strong { "Blocked: " } (blocked.reason) } }
        @if let Some(failure) = &card.holds.failure {
            p.notice { strong { "Merge failed (" (failure_label(failure.kind)) "): " } (failure.detail)
                @if failure.is_final { " Retries were given up." } }
        }
        @if let Some(by) = &page.successor { p.notice { strong { "Replaced by " } (item_link(project, by)) } }
        @for fact in &card.attention { p.notice { strong { "Attention: " } (notice_text(fact)) } }
        (open_conflicts(frame, project, page, now))
        @if !page.refused.is_empty() {
            details.notice { summary { (page.refused.len()) " refused changes" }
                ul { @for refused in &page.refused { li { (act_text(page, refused.act)) ": " (refusal_text(&refused.reason)) } } }
            }
        }
    }
}

/// An act as people know it: what was done and by whom.
fn act_text(page: &ItemPage, act: towline_proto::ActId) -> Markup {
    html! {
        @if let Some(line) = page.history.iter().find(|line| line.act == act) {
            (line.origin) " " em { (short(&activity(line))) }
        } @else { code { (act.short()) } }
    }
}

fn short(text: &str) -> String {
    towline_proto::text::show(text, 80)
}

fn comments(
    frame: &Frame,
    project: &str,
    page: &ItemPage,
    request: &str,
    markdown: &Renderer,
    now: Millis,
) -> Markup {
    let earlier = page.remarks.len().saturating_sub(COMMENTS);
    html! {
        section aria-labelledby="comments" {
            h2 id="comments" { "Comments " span.count { (page.remarks.len()) } }
            @if earlier > 0 { p.none { (earlier) " earlier comments: " code { "towline show " (page.card.handle) } } }
            @for remark in page.remarks.iter().skip(earlier) {
                article.comment {
                    p.meta { strong { (remark.origin) } " " (time(now, remark.at)) (clock_ahead(remark.skewed)) }
                    div.prose { (markdown.render(&remark.text)) }
                }
            }
            @if let Some(csrf) = frame.csrf() { (edit::comment_form(csrf, project, &page.card, request, "")) }
        }
    }
}

fn history(page: &ItemPage, now: Millis) -> Markup {
    let earlier = page.history.len().saturating_sub(HISTORY);
    html! {
        section aria-labelledby="history" {
            h2 id="history" { "History" }
            ol.history { @for line in page.history.iter().skip(earlier).rev() { (history_line(line, now)) } }
            @if earlier > 0 { p.none { (earlier) " earlier lines: " code { "towline log " (page.card.handle) } } }
        }
    }
}

fn history_line(line: &HistoryLine, now: Millis) -> Markup {
    html! {
        li.overridden[line.is_lost()] {
            p {
                strong { (line.origin) } " " span.what { (activity(line)) }
                @if let (Some(from), Some(to)) = (line.from, line.to) {
                    " " span.step { (column_title(from)) " → " (column_title(to)) }
                } @else if let Some(to) = line.to {
                    " " span.step { (column_title(to)) }
                }
                span.when { (time(now, line.at)) " on " (line.node_name) }
                (clock_ahead(line.skewed))
            }
            // Everything else has its detail in the sentence.
            @if matches!(line.what, OpKind::Edit(EditKind::Comment | EditKind::Create)) {
                @if let Some(said) = line_detail(line) { p.detail { (said) } }
            }
            @if let Some(why) = why_not_effective(line) { p.why { (why) } }
        }
    }
}

fn actions(frame: &Frame, project: &str, page: &ItemPage) -> Markup {
    let card = &page.card;
    let Some(csrf) = frame.csrf() else {
        return html! {
            section { h2 { "Actions" }
                p.none { "Read only. Run " code { "towline open" } " to get a sign-in link." } }
        };
    };
    let path = item_path(project, &card.id.to_string());
    let form = |body: Markup| {
        html! {
            form method="post" action={ (path) "/act" } {
                input type="hidden" name="csrf" value=(csrf);
                input type="hidden" name="expect" value=(card.revision);
                input type="hidden" name="back" value=(item_path(project, &card.handle));
                (body)
            }
        }
    };
    let all = verbs(card);
    let (forward, aside): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(verb, needs)| is_forward(*verb) && *needs == VerbInput::Nothing);
    let move_to = targets(card);
    html! {
        section.actions aria-labelledby="actions" {
            h2 id="actions" { "Actions" }
            div.row { @for (verb, _) in forward {
                (form(html! { button.primary type="submit" name="target" value=(verb) title=(verb.rule().help) { (verb) } }))
            } }
            @if !move_to.is_empty() {
                (form(html! {
                    label for="target" { "Move to" }
                    div.row {
                        select id="target" name="target" required { (options(&move_to)) }
                        button type="submit" { "Move" }
                    }
                }))
            }
            @for (verb, needs) in aside { (one_verb(verb, needs, &form)) }
        }
    }
}

fn one_verb(verb: Verb, needs: VerbInput, form: &impl Fn(Markup) -> Markup) -> Markup {
    let help = verb.rule().help;
    let button = html! { button type="submit" name="target" value=(verb) title=(help) { (verb) } };
    let field = |name: &str, label: &str, required: bool| {
        html! {
            label { span { (label) } input name=(name) required[required] autocomplete="off"; }
        }
    };
    let fields = match needs {
        VerbInput::Nothing => return form(button),
        VerbInput::Sure => html! {
            label.sure { input type="checkbox" required; span { "I understand that this cannot be undone" } }
        },
        VerbInput::Reason { required } => field(
            "reason",
            if required { "Reason" } else { "Reason (optional)" },
            required,
        ),
        VerbInput::Item => field("by", "Item that replaces it", true),
        VerbInput::Commit => field("commit", "Commit (optional)", false),
        VerbInput::Failure => html! {
            label { span { "Kind of failure" } select name="failure" {
                @for kind in FailureKind::ALL { option value=(kind) { (failure_label(*kind)) } }
            } }
            (field("reason", "Details", false))
        },
    };
    html! {
        details.verb { summary { (verb) "…" } p.none { (help) } (form(html! { (fields) (button) })) }
    }
}

/// When the node of a claim was last seen.
fn last_seen(heard: Option<Millis>, now: Millis) -> String {
    match heard {
        Some(at) => format!("its node was last seen {}", ago_phrase(now, at)),
        None => "its node was not seen since this node started".to_owned(),
    }
}

fn facts(frame: &Frame, project: &str, page: &ItemPage, now: Millis) -> Markup {
    let card = &page.card;
    let csrf = frame.csrf().filter(|_| !card.deleted);
    let field = |field: Field, shown: Markup| {
        let what = format!("Edit the {}", edit::field_name(field));
        match csrf {
            Some(_) => edit::in_place(frame, project, card, &Draft::of(field, page), shown, &what),
            None => shown,
        }
    };
    let none = |word: &str| html! { span.none { (word) } };
    let assignee = card
        .assignee
        .as_ref()
        .map_or_else(|| none("nobody"), |who| html! { (who) });
    let epic = card.epic.as_ref().map_or_else(
        || none("none"),
        |epic| html! { "#" (epic.handle) " " (epic.title) },
    );
    html! {
        section aria-labelledby="details" {
            h2 id="details" { "Details" }
            dl.facts {
                dt { "Kind" } dd { (field(Field::Kind, html! { (card.kind) })) }
                dt { "Priority" } dd { (field(Field::Priority, html! { (edit::priority_name(card.priority)) })) }
                dt { "Assignee" } dd { (field(Field::Assignee, assignee)) }
                dt { "Epic" } dd { (field(Field::Epic, epic))
                    @if let Some(epic) = &card.epic { a.open-epic href=(item_path(project, &epic.handle)) { "Open the epic" } } }
                dt { "QA by" } dd { (field(Field::Qa, html! { (card.qa) })) }
                @if !card.labels.is_empty() || csrf.is_some() {
                    dt { "Labels" } dd {
                        ul.labels { @for label in &card.labels { li { (label)
                            @if let Some(csrf) = csrf { (remove(csrf, project, page, Field::Labels, label, label)) }
                        } } }
                        @if let Some(csrf) = csrf { (add_to(csrf, project, page, Field::Labels, "Add a label")) }
                    }
                }
                @if let Some(claim) = &card.claim {
                    dt { "Claimed by" } dd { (claim.holder)
                        @if let Some(line) = page.history.iter().find(|line| line.act == claim.act) { " on " (line.node_name) }
                        ", generation " (claim.generation) ", " (time(now, claim.at))
                        " (" (last_seen(card.claim_heard, now)) ")" }
                }
                @if card.retries > 0 { dt { "Sent back" } dd { (super::parts::plural(card.retries as usize, "time")) } }
                dt { "Created by" } dd { (card.origin) ", " (time(now, card.created_at)) }
                dt { "Key" } dd { code { (card.key) } }
                dt { "Changed" } dd { (time(now, card.updated_at)) }
            }
        }
    }
}
