//! What pages look like: pure functions from plain values to markup.
//!
//! Nothing here asks a project or reads a clock; `now` is an argument. Every text goes through
//! maud's escaping, except item bodies and comments, which go through `markdown`.

pub(super) mod actions;
pub(super) mod board;
mod card;
pub(super) mod conflicts;
pub(super) mod edit;
pub(super) mod failure;
mod filters;
pub(super) mod fleet;
pub(super) mod item;
mod item_lists;
mod list;
pub(super) mod many;
mod markdown;
mod moves;
pub(super) mod new_item;
pub(super) mod parts;
mod saved;
pub(super) mod shared_number;
pub(super) mod suggestions;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Web;
use super::guard::Caller;
use super::query::escape;
pub(super) use parts::item_path;

/// What surrounds every page.
pub(super) struct Frame {
    site: String,
    who: Option<String>,
    csrf: Option<String>,
    projects: Vec<String>,
    here: Option<String>,
    /// Whether the visitor can do more after signing in.
    sign_in: bool,
}

impl Frame {
    pub(super) fn new(web: &Web, caller: &Caller, here: Option<&str>) -> Self {
        Self {
            who: caller.session.as_ref().map(|session| session.who.clone()),
            csrf: caller.session.as_ref().map(|session| session.csrf.clone()),
            projects: web.handle.projects().into_iter().map(|link| link.name).collect(),
            here: here.map(str::to_owned),
            sign_in: caller.session.is_none(),
            ..Self::bare(web)
        }
    }

    /// For a caller who may not read: no project is named.
    pub(super) fn bare(web: &Web) -> Self {
        let title = web.config.title.trim();
        Self {
            site: if title.is_empty() {
                "towline".to_owned()
            } else {
                title.to_owned()
            },
            who: None,
            csrf: None,
            projects: Vec::new(),
            here: None,
            sign_in: false,
        }
    }

    /// The same for somebody who has to sign in first.
    pub(super) fn asking_to_sign_in(self, sign_in: bool) -> Self {
        Self { sign_in, ..self }
    }

    /// The session's token for forms; none when nobody is signed in, who then gets no forms.
    pub(super) fn csrf(&self) -> Option<&str> {
        self.csrf.as_deref()
    }

    pub(super) fn page(&self, title: &str, main: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · " (self.site) }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/board.css";
                    link rel="stylesheet" href="/assets/item.css";
                    @if let Some(csrf) = &self.csrf { meta name="csrf-token" content=(csrf); }
                    script type="module" src="/assets/board.js" {}
                    script type="module" src="/assets/item.js" {}
                }
                body data-path=[self.here.as_ref().map(|name| format!("/p/{}", escape(name)))] {
                    (glyphs())
                    a.skip href="#main" { "Skip to content" }
                    (self.header())
                    main id="main" tabindex="-1" { (main) }
                    div.toasts { p id="toast" role="status" aria-live="polite" hidden {} }
                    p id="announcements" class="sr" role="status" aria-live="polite" {}
                    (dialogs())
                    (self.palette())
                }
            }
        }
    }

    /// The command palette, with the places that it knows.
    fn palette(&self) -> Markup {
        html! {
            dialog id="palette" aria-label="Command palette" {
                form action="/search" method="get" {
                    input id="palette-q" type="search" name="q" autocomplete="off" role="combobox" aria-expanded="true"
                        aria-controls="palette-list" aria-autocomplete="list"
                        aria-label="Go to an item, a view or an action" placeholder="Item number or words, a view, an action";
                }
                ul id="palette-list" role="listbox" aria-label="Results" {}
                ul id="palette-commands" hidden {
                    @if let Some(here) = &self.here {
                        @let path = format!("/p/{}", escape(here));
                        @if self.csrf.is_some() { li { a href={ (path) "/new" } data-about="c" { "New item" } } }
                        li { a href=(path) { "Board" } }
                        li { a href={ (path) "?view=list" } { "List" } }
                        li { a href={ (path) "?view=list&tab=progress" } { "In progress" } }
                        li { a href={ (path) "?view=list&tab=done&sort=updated" } { "Done" } }
                        li { a href={ (path) "?tab=archived" } { "Archived" } }
                        li { a href={ (path) "?tab=trash" } { "Trash" } }
                        li { a href={ (path) "/conflicts" } { "Conflicts" } }
                    }
                    @for name in self.projects.iter().filter(|name| Some(*name) != self.here.as_ref()).take(50) {
                        li { a href={ "/p/" (escape(name)) } data-about="project" { (name) } }
                    }
                }
            }
        }
    }

    /// The project in which a signed-in person makes an item from this page.
    fn project_of_new_items(&self) -> Option<&str> {
        let only = match self.projects.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let project = self.here.as_ref().or(only)?;
        (self.csrf.is_some() && self.projects.contains(project)).then_some(project)
    }

    fn header(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" { svg aria-hidden="true" { use href="#g-rope" {} } span { (self.site) } }
                @if self.projects.len() > 1 {
                    nav.projects aria-label="Projects" {
                        @for name in self.projects.iter().take(12) {
                            a href={ "/p/" (escape(name)) }
                                aria-current=[(self.here.as_ref() == Some(name)).then_some("page")] { (name) }
                        }
                        @if self.projects.len() > 12 { a href="/" { "all " (self.projects.len()) } }
                    }
                }
                @if let Some(project) = self.project_of_new_items() {
                    a.button.primary.make href={ "/p/" (escape(project)) "/new" } aria-keyshortcuts="c" { "New item" }
                }
                form.find role="search" action="/search" method="get" {
                    label.sr for="find" { "Search all items" }
                    input id="find" type="search" name="q" placeholder="Search, or Ctrl K" autocomplete="off";
                }
                @if let (Some(who), Some(csrf)) = (&self.who, &self.csrf) {
                    form.who action="/logout" method="post" {
                        input type="hidden" name="csrf" value=(csrf);
                        span { span.long { "Signed in as " } strong { (who) } }
                        button.quiet type="submit" { "Sign out" }
                    }
                    button id="help" type="button" title="Keyboard" aria-label="Keyboard" { "?" }
                } @else {
                    p.who { "Read only · run " code { "towline open" } " to sign in" }
                }
            }
        }
    }
}

fn dialogs() -> Markup {
    html! {
        dialog id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keyboard" }
            dl {
                dt { kbd { "h" } kbd { "j" } kbd { "k" } kbd { "l" } } dd { "move to the card left, below, above, right" }
                dt { kbd { "Enter" } } dd { "open the item" }
                dt { kbd { "c" } } dd { "create an item" }
                dt { kbd { "m" } } dd { "move it, or do something else with it" }
                dt { kbd { "b" } } dd { "block or unblock it" }
                dt { kbd { "f" } } dd { "freeze or unfreeze it" }
                dt { kbd { "x" } } dd { "select it, in a list" }
                dt { kbd { "/" } } dd { "filter or search" }
                dt { kbd { "Ctrl" } kbd { "K" } } dd { "go to an item or view, or act on the selected card" }
                dt { kbd { "?" } } dd { "show this help" }
                dt { kbd { "Esc" } } dd { "close the dialog or menu" }
            }
            label.switch { input type="checkbox" id="keys-on" checked; " Enable single-letter keys" }
            form method="dialog" { button type="submit" { "Close" } }
        }
        dialog id="ask" aria-labelledby="ask-title" {
            form method="dialog" {
                h2 id="ask-title" { "Block item" }
                p id="ask-why" {}
                label for="ask-reason" { "Reason (visible to everyone)" }
                textarea id="ask-reason" rows="3" required {}
                div.row {
                    button.primary id="ask-yes" type="submit" value="yes" { "Block" }
                    button.quiet type="submit" value="no" formnovalidate { "Cancel" }
                }
            }
        }
    }
}

/// The drawings that pages use, once each.
fn glyphs() -> Markup {
    const GLYPHS: &str = include_str!("../assets/glyphs.svg");
    PreEscaped(GLYPHS.to_owned())
}
