//! The forms that edit an item in place, and the page that shows one again: as a preview, because the value changed
//! meanwhile, or because it was refused.
//!
//! Every form carries the value that it was made from. Nothing here decides whether an edit is legal; what a person
//! typed is always shown again.

use maud::{Markup, html};
use towline_api::request::Failure;
use towline_api::types::{ItemCard, ItemPage};
use towline_proto::{ActId, CriterionState, Field, Kind, Qa};

use super::Frame;
use super::markdown::Renderer;
use super::parts::item_path;
use super::suggestions::Suggestions;

/// What a form sends: the new value of a field, and what it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Which field.
    pub(crate) field: Field,
    /// The value that the new one was made from.
    pub(crate) base: String,
    /// The new value.
    pub(crate) value: String,
    /// For the judgement of a criterion: which one, and the evidence.
    pub(crate) judged: Option<Judged>,
}

/// The criterion that a form judges.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Its place, from 1.
    pub(crate) place: usize,
    /// Its id.
    pub(crate) id: String,
    /// What proves it.
    pub(crate) evidence: String,
}

impl Draft {
    /// The form of a field as the item stands.
    pub(crate) fn of(field: Field, page: &ItemPage) -> Self {
        let (base, value) = current(field, page);
        Self {
            field,
            base,
            value,
            judged: None,
        }
    }

    /// The form that judges a criterion as it stands.
    pub(crate) fn judging(place: usize, criterion: ActId, state: CriterionState) -> Self {
        let state = state.to_string();
        Self {
            field: Field::Criteria,
            base: state.clone(),
            value: state,
            judged: Some(Judged {
                place,
                id: criterion.to_string(),
                evidence: String::new(),
            }),
        }
    }
}

/// The value of a field as forms carry it, and as they show it. A list has none: its forms add to it.
pub(crate) fn current(field: Field, page: &ItemPage) -> (String, String) {
    let card = &page.card;
    let same = |value: String| (value.clone(), value);
    match field {
        Field::Title => same(card.title.clone()),
        Field::Kind => same(card.kind.to_string()),
        Field::Priority => same(card.priority.to_string()),
        Field::Qa => same(card.qa.to_string()),
        Field::Assignee => same(card.assignee.clone().unwrap_or_default()),
        Field::Body => same(page.body.clone()),
        Field::Epic => card.epic.as_ref().map_or_else(Default::default, |epic| {
            (epic.id.to_string(), epic.handle.clone())
        }),
        Field::Labels | Field::DependsOn | Field::Links | Field::Criteria => Default::default(),
    }
}

/// A field as people call it.
pub(crate) const fn field_name(field: Field) -> &'static str {
    match field {
        Field::Title => "title",
        Field::Kind => "kind",
        Field::Priority => "priority",
        Field::Qa => "QA",
        Field::Epic => "epic",
        Field::Assignee => "assignee",
        Field::Labels => "labels",
        Field::DependsOn => "dependencies",
        Field::Links => "links",
        Field::Criteria => "criteria",
        Field::Body => "description",
    }
}

/// The words of a priority.
pub(crate) const fn priority_name(priority: u8) -> &'static str {
    match priority {
        0 => "0, highest",
        1 => "1, high",
        2 => "2, usual",
        3 => "3, low",
        _ => "4, lowest",
    }
}

/// A menu of words, with one chosen.
pub(super) fn menu<'a>(
    id: &str,
    name: &str,
    words: impl Iterator<Item = (String, &'a str)>,
    chosen: &str,
) -> Markup {
    html! {
        select id=(id) name=(name) {
            @for (value, text) in words { option value=(value) selected[value == chosen] { (text) } }
        }
    }
}

pub(super) fn kinds() -> impl Iterator<Item = (String, &'static str)> {
    Kind::ALL.iter().map(|kind| (kind.to_string(), kind.as_str()))
}

pub(super) fn priorities() -> impl Iterator<Item = (String, &'static str)> {
    (0..=4).map(|priority| (priority.to_string(), priority_name(priority)))
}

/// A box for Markdown. The line feed in front is not part of the value: HTML drops the first one.
pub(super) fn text_box(id: &str, name: &str, text: &str, rows: u8, required: bool) -> Markup {
    html! { textarea id=(id) name=(name) rows=(rows) required[required] { "\n" (text) } }
}

fn control(id: &str, draft: &Draft) -> Markup {
    let value = draft.value.as_str();
    let line = |list: &str, hint: &str, required: bool| {
        html! { input id=(id) name="value" value=(value) list=[(!list.is_empty()).then_some(list)]
        placeholder=[(!hint.is_empty()).then_some(hint)] required[required] autocomplete="off"; }
    };
    match draft.field {
        Field::Title => line("", "", true),
        Field::Kind => menu(id, "value", kinds(), value),
        Field::Priority => menu(id, "value", priorities(), value),
        Field::Qa => menu(
            id,
            "value",
            Qa::ALL.iter().map(|qa| (qa.to_string(), qa.as_str())),
            value,
        ),
        Field::Epic => line("known-epics", "Number; empty for none", false),
        Field::Assignee => line("known-people", "Name; empty for nobody", false),
        Field::Labels => line("known-labels", "Label", true),
        Field::DependsOn => line("known-items", "Number of an item", true),
        Field::Body => text_box(id, "value", value, 14, false),
        Field::Criteria if draft.judged.is_some() => menu(
            id,
            "value",
            CriterionState::ALL
                .iter()
                .map(|state| (state.to_string(), state.as_str())),
            value,
        ),
        Field::Criteria | Field::Links => line("", "What must be true", true),
    }
}

fn label(draft: &Draft) -> &'static str {
    match draft.field {
        Field::Title => "Title",
        Field::Kind => "Kind",
        Field::Priority => "Priority",
        Field::Qa => "QA by",
        Field::Epic => "Epic",
        Field::Assignee => "Assignee",
        Field::Labels => "New label",
        Field::DependsOn => "Depends on",
        Field::Body => "Description (Markdown)",
        Field::Criteria if draft.judged.is_some() => "State",
        Field::Criteria | Field::Links => "New criterion",
    }
}

/// The form of a draft. `save` is the word on its button.
pub(super) fn form(csrf: &str, project: &str, card: &ItemCard, draft: &Draft, save: &str) -> Markup {
    let place = draft.judged.as_ref().map(|judged| judged.place.to_string());
    let id = format!("edit-{}{}", draft.field, place.as_deref().unwrap_or_default());
    html! {
        form.edit-form method="post" action={ (item_path(project, &card.id.to_string())) "/edit" } {
            (hidden(csrf, project, card, draft))
            label for=(id) { (label(draft)) }
            (control(&id, draft))
            @if let Some(judged) = &draft.judged {
                label for={ (id) "-evidence" } { "Evidence (optional: a link, a commit, a sentence)" }
                input id={ (id) "-evidence" } name="evidence" value=(judged.evidence) autocomplete="off";
            }
            @if draft.field == Field::Body { div.preview.prose aria-live="polite" hidden {} }
            div.row {
                button.primary type="submit" { (save) }
                @if draft.field == Field::Body { button type="submit" name="do" value="preview" { "Preview" } }
            }
        }
    }
}

/// The fields that say what is edited and what it was made from.
pub(super) fn hidden(csrf: &str, project: &str, card: &ItemCard, draft: &Draft) -> Markup {
    html! {
        input type="hidden" name="csrf" value=(csrf);
        input type="hidden" name="back" value=(item_path(project, &card.handle));
        input type="hidden" name="field" value=(draft.field);
        input type="hidden" name="base" value=(draft.base);
        @if let Some(judged) = &draft.judged {
            input type="hidden" name="place" value=(judged.place);
            input type="hidden" name="criterion" value=(judged.id);
        }
    }
}

/// A form that opens in place. `shown` is what it edits, as it stands.
pub(super) fn in_place(
    frame: &Frame,
    project: &str,
    card: &ItemCard,
    draft: &Draft,
    shown: Markup,
    what: &str,
) -> Markup {
    html! {
        @if let Some(csrf) = frame.csrf() {
            details.edit {
                summary { span { (shown) } span.pencil aria-hidden="true" { "✎" } span.sr { " " (what) } }
                (form(csrf, project, card, draft, "Save"))
            }
        } @else { (shown) }
    }
}

/// A small form with one button: removes a value from a list, or ticks a criterion.
pub(super) fn press(csrf: &str, project: &str, card: &ItemCard, draft: &Draft, button: Markup) -> Markup {
    html! {
        form.press method="post" action={ (item_path(project, &card.id.to_string())) "/edit" } {
            (hidden(csrf, project, card, draft)) (button)
        }
    }
}

/// Why a form is shown again.
#[derive(Debug, Clone)]
pub(crate) enum Again<'a> {
    /// Somebody wants to see how the text looks.
    Preview,
    /// The value changed meanwhile: this is the current one.
    Changed(String),
    /// It was refused.
    Refused(&'a Failure),
}

/// The page of a form that is shown again.
pub(crate) fn page(
    frame: &Frame,
    project: &str,
    page: &ItemPage,
    draft: &Draft,
    why: &Again<'_>,
    suggestions: &Suggestions,
) -> Markup {
    let card = &page.card;
    let field = field_name(draft.field);
    let title = match why {
        Again::Changed(_) => format!("The {field} of #{} changed meanwhile", card.handle),
        Again::Preview | Again::Refused(_) => format!("Edit the {field} of #{}", card.handle),
    };
    let save = match why {
        Again::Changed(_) => "Save mine",
        Again::Preview | Again::Refused(_) => "Save",
    };
    let body = html! {
        @if let Some(csrf) = frame.csrf() { (form(csrf, project, card, draft, save)) }
        @if matches!(why, Again::Preview) { (preview(&draft.value)) }
    };
    again(frame, project, card, &title, why, body, suggestions)
}

/// The page of a comment that is shown again.
pub(crate) fn comment_page(
    frame: &Frame,
    project: &str,
    card: &ItemCard,
    comment: (&str, &str),
    why: &Again<'_>,
) -> Markup {
    let (request, text) = comment;
    let body = html! {
        @if let Some(csrf) = frame.csrf() { (comment_form(csrf, project, card, request, text)) }
        @if matches!(why, Again::Preview) { (preview(text)) }
    };
    let title = format!("Comment on #{}", card.handle);
    again(frame, project, card, &title, why, body, &Suggestions::default())
}

/// The form of a comment. `request` names it, so that sending it twice makes one comment.
pub(super) fn comment_form(csrf: &str, project: &str, card: &ItemCard, request: &str, text: &str) -> Markup {
    html! {
        form.say method="post" action={ (item_path(project, &card.id.to_string())) "/comment" } {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="back" value={ (item_path(project, &card.handle)) "#comments" };
            input type="hidden" name="request" value=(request);
            label for="say" { "Add a comment (Markdown)" }
            (text_box("say", "text", text, 4, true))
            div.preview.prose aria-live="polite" hidden {}
            div.row {
                button.primary type="submit" { "Comment" }
                button type="submit" name="do" value="preview" { "Preview" }
            }
        }
    }
}

fn again(
    frame: &Frame,
    project: &str,
    card: &ItemCard,
    title: &str,
    why: &Again<'_>,
    body: Markup,
    suggestions: &Suggestions,
) -> Markup {
    let path = item_path(project, &card.handle);
    let main = html! {
        p.crumbs { a href=(path) { "← #" (card.handle) " " (card.title) } }
        section.draft {
            h1 { (title) }
            @match why {
                Again::Preview => p.none { "Nothing is saved yet." },
                Again::Refused(failure) => p.notice role="alert" { (failure.message) },
                Again::Changed(now) => {
                    p role="alert" { "Somebody changed it after you opened the form. Nothing was written." }
                    div.notice { h2 { "Current value" } p.value { @if now.is_empty() { em { "none" } } @else { (now) } } }
                    h2 { "What you typed" }
                }
            }
            (body)
            p { a.button href=(path) {
                @if matches!(why, Again::Changed(_)) { "Keep the current value" } @else { "Cancel" }
            } }
        }
        (suggestions.lists())
    };
    frame.page(title, main)
}

/// How a text looks.
pub(crate) fn preview(text: &str) -> Markup {
    html! {
        section.preview aria-labelledby="preview" { h2 id="preview" { "Preview" } (rendered(text)) }
    }
}

/// A text as it is shown.
pub(crate) fn rendered(text: &str) -> Markup {
    html! {
        @if text.trim().is_empty() { p.none { "No text." } }
        @else { div.prose { (Renderer::new().render(text)) } }
    }
}
