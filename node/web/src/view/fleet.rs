//! The fleet page, a card a project, and the search over all of them.

use maud::{Markup, html};
use towline_api::request::Failure;
use towline_api::types::{ItemCard, ProjectStatus, UnavailableProject};
use towline_proto::{Column, Millis, ProjectId};

use super::Frame;
use super::parts::{badge, column_title, event_line, item_path, kind, plural, time};
use crate::query::{Tab, escape};

/// A project on the fleet page.
pub(crate) struct ProjectCard {
    pub(crate) id: ProjectId,
    pub(crate) name: String,
    pub(crate) position: u64,
    pub(crate) status: Result<ProjectStatus, Failure>,
}

/// What a search found in one project.
pub(crate) struct SearchHits {
    pub(crate) project: String,
    pub(crate) cards: Result<Vec<ItemCard>, Failure>,
}

pub(crate) fn page(
    frame: &Frame,
    projects: &[ProjectCard],
    unavailable: &[UnavailableProject],
    now: Millis,
) -> Markup {
    let positions: Vec<_> = projects
        .iter()
        .map(|project| format!("{}:{}", project.id, project.position))
        .collect();
    let main = html! {
        h1 { "Fleet" }
        div id="live" data-live="/fragment" data-positions=(positions.join(",")) { (fragment(projects, unavailable, now)) }
    };
    frame.page("Fleet", main)
}

pub(crate) fn fragment(projects: &[ProjectCard], unavailable: &[UnavailableProject], now: Millis) -> Markup {
    html! {
        @for project in unavailable {
            p.notice { "The project " (project.name) " is not shown because it cannot be opened: " (project.why) }
        }
        @if projects.is_empty() { p.empty { "No projects yet. Run " code { "towline up" } " in a repository to create one." } }
        ul.fleet { @for project in projects { li { article.project {
            h2 { a href={ "/p/" (escape(&project.name)) } { (project.name) } }
            @match &project.status {
                Ok(status) => (status_summary(&project.name, status, now)),
                Err(failure) => p.notice { "Cannot read this project: " (failure.message) },
            }
        } } } }
    }
}

fn status_summary(name: &str, status: &ProjectStatus, now: Millis) -> Markup {
    let count = |column: Column| {
        let of_column = status.columns.iter().filter(|(known, _)| *known == column);
        of_column.map(|(_, count)| count).sum::<usize>()
    };
    let shown = [
        Column::Backlog,
        Column::Coding,
        Column::Qa,
        Column::Merge,
        Column::Done,
    ];
    html! {
        ul.stages aria-label="Items in each column" { @for column in shown {
            li class={ "c-" (column) } {
                a href={ "/p/" (escape(name)) "?tab=" (Tab::of(column).as_str()) } {
                    span.n { @if column == Column::Backlog { (count(column) + count(Column::Upcoming)) } @else { (count(column)) } }
                    " " span { (column_title(column)) }
                }
            }
        } }
        ul.facts aria-label="State" {
            @if status.held > 0 { li.wait { (status.held) " on hold" } }
            @if status.conflicts > 0 {
                li { a.warn href={ "/p/" (escape(name)) "/conflicts" } { (status.conflicts) " in conflict" } }
            }
            li { (peers_in_sync(status)) }
            @if status.waiting > 0 { li.wait { (plural(status.waiting, "entry")) " waiting for other entries" } }
        }
        p.last {
            @if let Some(event) = &status.last_event { (event_line(event)) " · " (time(now, event.event.at)) }
            @else { "No events yet." }
        }
    }
}

fn peers_in_sync(status: &ProjectStatus) -> String {
    match status.peers.as_deref() {
        None | Some([]) => "no peers connected".to_owned(),
        Some(peers) => {
            let equal = peers.iter().filter(|peer| peer.in_sync).count();
            format!("{equal} of {} in sync", plural(peers.len(), "peer"))
        }
    }
}

pub(crate) fn search(frame: &Frame, words: &str, found: &[SearchHits], now: Millis) -> Markup {
    let main = html! {
        h1 { "Search" }
        form.filters method="get" action="/search" {
            label { span { "Words" } input id="filter" type="search" name="q" value=(words); }
            button type="submit" { "Search" }
        }
        @let total: usize = found.iter().filter_map(|found| found.cards.as_ref().ok()).map(Vec::len).sum();
        @if !words.is_empty() && total == 0 { p.empty { "No items found for “" (words) "”." } }
        @for found in found {
            @match &found.cards {
                Ok(cards) if cards.is_empty() => {},
                Ok(cards) => section {
                    h2 { (found.project) }
                    ul.found { @for card in cards { (hit(&found.project, card, now)) } }
                },
                Err(failure) => p.notice { (found.project) ": " (failure.message) },
            }
        }
    };
    frame.page("Search", main)
}

fn hit(project: &str, card: &ItemCard, now: Millis) -> Markup {
    html! {
        li {
            span.handle { "#" (card.handle) } (kind(card.kind))
            a.title href=(item_path(project, &card.handle)) { (card.title) }
            (badge(card.status))
            span.when { (column_title(card.column)) ", " (time(now, card.updated_at)) }
        }
    }
}
