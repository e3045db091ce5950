//! The page of one item: description, dependencies, comments, history, and the forms of the possible actions.

use maud::{Markup, html};
use towline_api::activity_text::{activity, line_detail, why_not_effective};
use towline_api::labels::failure_label;
use towline_api::notice_text::{notice_text, refusal_text};
use towline_api::relative_time::ago_phrase;
use towline_api::types::{HistoryLine, ItemPage};
use towline_engine::handle::ProjectLink;
use towline_proto::{CriterionState, EditKind, FailureKind, LinkKind, Millis, OpKind, Verb};

use super::Frame;
use super::actions::{VerbInput, is_forward, options, targets, verbs};
use super::conflicts::{explanation, open_conflicts};
use super::markdown::Renderer;
use super::parts::{badge, clock_ahead, column_title, dependency_state, item_link, item_path, kind, time};
use crate::query::escape;

/// Lines of history that are shown at once; the rest is in `towline log`.
const HISTORY: usize = 500;
/// Comments that are shown at once, the last ones.
const COMMENTS: usize = 200;

pub(crate) fn page(
    frame: &Frame,
    link: &ProjectLink,
    position: u64,
    page: &ItemPage,
    because: &[String],
    now: Millis,
) -> Markup {
    let path = item_path(&link.name, &page.card.id.to_string());
    let main = html! {
        p.crumbs { a href={ "/p/" (escape(&link.name)) } { "← " (link.name) } }
        div id="live" data-live={ (path) "/fragment" } data-project=(link.id) data-item=(page.card.id)
            data-position=(position) {
            (fragment(frame, &link.name, page, because, now))
        }
    };
    frame.page(&format!("#{} {}", page.card.handle, page.card.title), main)
}

/// What changes when the item changes.
pub(crate) fn fragment(
    frame: &Frame,
    project: &str,
    page: &ItemPage,
    because: &[String],
    now: Millis,
) -> Markup {
    let card = &page.card;
    let markdown = Renderer::new();
    html! {
        header.item-head {
            p.meta { span.handle { "#" (card.handle) } (kind(card.kind)) (badge(card.status))
                span { "in " strong { (column_title(card.column)) } " for " (time(now, card.entered_at)) }
                (clock_ahead(card.skewed))
            }
            h1 { (card.title) }
            // On a phone the actions are below the history.
            @if frame.csrf().is_some() { p.jump { a.button href="#actions" { "Actions" } } }
        }
        (notices(frame, project, page, now))
        div.item {
            div.story {
                section aria-labelledby="description" {
                    h2.sr id="description" { "Description" }
                    @if page.body.trim().is_empty() { p.none { "No description." } }
                    @else { div.prose { (markdown.render(&page.body)) } }
                }
                (criteria(page))
                (relations(project, page))
                (comments(frame, project, page, &markdown, now))
                (explanation(page, because))
                (history(page, now))
            }
            aside aria-label="Details and actions" {
                (actions(frame, project, page))
                (facts(project, page, now))
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

fn criteria(page: &ItemPage) -> Markup {
    html! {
        @if !page.criteria_list.is_empty() {
            section aria-labelledby="criteria" {
                h2 id="criteria" { "Criteria " span.count { (page.card.criteria_met) "/" (page.card.criteria) } }
                ol.criteria { @for criterion in &page.criteria_list {
                    li class={ "cr-" (criterion.state) } {
                        span.state { (mark(criterion.state)) " " (criterion.state) } " " span { (criterion.text) }
                        @if !criterion.evidence.is_empty() {
                            ul.evidence aria-label="Evidence" { @for proof in &criterion.evidence { li { (reference(proof)) } } }
                        }
                    }
                } }
            }
        }
    }
}

const fn mark(state: CriterionState) -> &'static str {
    match state {
        CriterionState::Open => "○",
        CriterionState::Met => "✓",
        CriterionState::Failed => "✗",
        CriterionState::Skipped => "–",
    }
}

/// A link where it is one that a browser may follow, else text.
fn reference(target: &str) -> Markup {
    html! {
        @if target.starts_with("https://") || target.starts_with("http://") {
            a href=(target) rel="noopener noreferrer nofollow" { (target) }
        } @else { code { (target) } }
    }
}

fn relations(project: &str, page: &ItemPage) -> Markup {
    let groups = [
        ("Depends on", "depends", &page.card.depends_on),
        ("Needed by", "needed", &page.dependants),
        ("Items of this epic", "children", &page.children),
    ];
    html! {
        @for (title, id, links) in groups {
            @if !links.is_empty() {
                section aria-labelledby=(id) {
                    h2 id=(id) { (title) }
                    ul.refs { @for link in links { li {
                        @if id == "depends" {
                            (dependency_state(link)) " "
                        }
                        (item_link(project, link))
                    } } }
                }
            }
        }
        @if !page.links.is_empty() {
            section aria-labelledby="links" {
                h2 id="links" { "Links" }
                ul.refs { @for link in &page.links { li {
                    @if page.known_as.contains(&link.target) {
                        span.state { "known as" } " "
                    } @else { span.state { (link.kind) } " " }
                    @if link.kind == LinkKind::Related {
                        @if let Some(other) = page.related.iter().find(|other| other.id.to_string() == link.target) {
                            (item_link(project, other))
                        } @else { a href=(item_path(project, &link.target)) { (link.target) } }
                    } @else { (reference(&link.target)) }
                } } }
            }
        }
    }
}

fn comments(frame: &Frame, project: &str, page: &ItemPage, markdown: &Renderer, now: Millis) -> Markup {
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
            @if let Some(csrf) = frame.csrf() {
                form.say method="post" action={ (item_path(project, &page.card.id.to_string())) "/comment" } {
                    input type="hidden" name="csrf" value=(csrf);
                    input type="hidden" name="back" value={ (item_path(project, &page.card.id.to_string())) "#comments" };
                    label for="say" { "Add a comment (Markdown)" }
                    textarea id="say" name="text" rows="3" required {}
                    button type="submit" { "Comment" }
                }
            }
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
                input type="hidden" name="back" value=(path);
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

fn facts(project: &str, page: &ItemPage, now: Millis) -> Markup {
    let card = &page.card;
    html! {
        section aria-labelledby="details" {
            h2 id="details" { "Details" }
            dl.facts {
                dt { "Created by" } dd { (card.origin) ", " (time(now, card.created_at)) }
                dt { "Priority" } dd { (card.priority) }
                dt { "QA by" } dd { (card.qa) }
                @if let Some(assignee) = &card.assignee { dt { "Assignee" } dd { (assignee) } }
                @if let Some(claim) = &card.claim {
                    dt { "Claimed by" } dd { (claim.holder)
                        @if let Some(line) = page.history.iter().find(|line| line.act == claim.act) { " on " (line.node_name) }
                        ", generation " (claim.generation) ", " (time(now, claim.at))
                        " (" (last_seen(card.claim_heard, now)) ")" }
                }
                @if let Some(epic) = &card.epic { dt { "Epic" } dd { (item_link(project, epic)) } }
                @if !card.labels.is_empty() {
                    dt { "Labels" } dd { ul.labels { @for label in &card.labels { li { (label) } } } }
                }
                @if card.retries > 0 { dt { "Sent back" } dd { (super::parts::plural(card.retries as usize, "time")) } }
                dt { "Key" } dd { code { (card.key) } }
                dt { "Changed" } dd { (time(now, card.updated_at)) }
            }
        }
    }
}
