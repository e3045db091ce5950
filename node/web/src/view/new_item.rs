//! The page that makes an item: the title first, everything else optional.
//!
//! What was typed is shown again with a preview, or with the reason why the item was not made.

use maud::{Markup, html};
use towline_api::request::Failure;

use super::Frame;
use super::edit::{kinds, menu, preview, priorities, text_box};
use super::suggestions::Suggestions;
use crate::query::escape;

/// What the form holds, as it was typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewItemDraft {
    /// Names the request, so that sending the form twice makes one item.
    pub(crate) request: String,
    /// One line.
    pub(crate) title: String,
    /// Markdown.
    pub(crate) body: String,
    /// A word.
    pub(crate) kind: String,
    /// A digit.
    pub(crate) priority: String,
    /// Separated by commas.
    pub(crate) labels: String,
    /// A name.
    pub(crate) assignee: String,
    /// A handle.
    pub(crate) epic: String,
    /// Handles, separated by commas.
    pub(crate) depends_on: String,
    /// One on each line.
    pub(crate) criteria: String,
    /// Whether it is put before the backlog.
    pub(crate) upcoming: bool,
}

/// Why the form is shown.
#[derive(Debug, Clone)]
pub(crate) enum Shown<'a> {
    /// Somebody begins.
    Empty,
    /// Somebody wants to see how the description looks.
    Preview,
    /// The item was not made.
    Refused(&'a Failure),
}

pub(crate) fn page(
    frame: &Frame,
    project: &str,
    draft: &NewItemDraft,
    shown: &Shown<'_>,
    suggestions: &Suggestions,
) -> Markup {
    let board = format!("/p/{}", escape(project));
    let main = html! {
        p.crumbs { a href=(board) { "← " (project) } }
        section.draft.new-item {
            h1 { "New item" }
            @if let Shown::Refused(failure) = shown {
                p.notice role="alert" { "The item was not made: " (failure.message) }
            }
            @if let Some(csrf) = frame.csrf() { (form(csrf, &board, draft)) }
            @else { p.none { "Read only. Run " code { "towline open" } " on the machine of this node to get a sign-in link." } }
            @if matches!(shown, Shown::Preview) { (preview(&draft.body)) }
        }
        (suggestions.lists())
    };
    frame.page("New item", main)
}

fn form(csrf: &str, board: &str, draft: &NewItemDraft) -> Markup {
    let line = |id: &str, label: &str, value: &str, list: Option<&str>, hint: &str| {
        html! {
            div.field {
                label for={ "new-" (id) } { (label) }
                input id={ "new-" (id) } name=(id) value=(value) list=[list] placeholder=[(!hint.is_empty()).then_some(hint)]
                    autocomplete="off";
            }
        }
    };
    html! {
        form.edit-form method="post" action={ (board) "/new" } {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="request" value=(draft.request);
            div.field {
                label for="new-title" { "Title" }
                input id="new-title" name="title" value=(draft.title) required autofocus autocomplete="off";
            }
            div.field {
                label for="new-body" { "Description (Markdown, optional)" }
                (text_box("new-body", "body", &draft.body, 8, false))
                div.preview.prose aria-live="polite" hidden {}
            }
            div.fields {
                div.field { label for="new-kind" { "Kind" } (menu("new-kind", "kind", kinds(), &draft.kind)) }
                div.field {
                    label for="new-priority" { "Priority" }
                    (menu("new-priority", "priority", priorities(), &draft.priority))
                }
                (line("assignee", "Assignee", &draft.assignee, Some("known-people"), ""))
                (line("epic", "Epic", &draft.epic, Some("known-epics"), "Number"))
                (line("labels", "Labels", &draft.labels, Some("known-labels"), "Separated by commas"))
                (line("depends_on", "Depends on", &draft.depends_on, Some("known-items"), "Numbers, separated by commas"))
            }
            div.field {
                label for="new-criteria" { "Acceptance criteria (one on each line)" }
                (text_box("new-criteria", "criteria", &draft.criteria, 3, false))
            }
            label.sure { input type="checkbox" name="upcoming" value="yes" checked[draft.upcoming];
                span { "Put it into Upcoming, before the backlog" } }
            div.row {
                button.primary type="submit" { "Create item" }
                button type="submit" name="do" value="preview" { "Preview" }
                a.button href=(board) { "Cancel" }
            }
        }
    }
}
