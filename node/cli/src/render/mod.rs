//! Replies as pages for people: pure functions from a reply, a width and a time to text.
//!
//! Nothing here sends requests, reads a clock or writes, so every page can be a snapshot test. All foreign text
//! passes `text::clean`.

mod board;
mod conflicts;
mod epic;
pub(crate) mod hint;
mod list;
mod log;
mod members;
mod show;
mod status;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;
mod tree;

use jiff::tz::TimeZone;
use towline_api::labels::status_label;
use towline_api::request::Reply;
use towline_api::types::{Applied, Doctor, ImportReport, ItemPage};
use towline_proto::{Column, Kind, Millis, Status};

use super::plan::Layout;
use super::style::{Ink, Style};

pub(crate) use epic::page as epic;
pub(crate) use log::event;
pub(crate) use tree::tree;

/// The terminal and the time that a page is made for.
#[derive(Debug, Clone)]
pub struct View {
    /// The time that "3h" is counted from.
    pub now: Millis,
    /// Columns of the terminal.
    pub width: usize,
    /// Colour or none.
    pub style: Style,
    /// Where the reader's clock is.
    pub zone: TimeZone,
}

/// The page of a reply. Empty when there is nothing to show.
pub(crate) fn reply(view: &View, layout: Layout, reply: &Reply) -> String {
    match reply {
        Reply::Cards(cards) => match layout {
            Layout::Ready(listing) => list::ready(view, &listing.choose(cards, listing.on_a_page())),
            Layout::Board { most, only } => board::page(view, cards, most, only),
            Layout::Columns(listing) => {
                let chosen = listing.choose(cards, listing.on_a_page());
                match listing.sort {
                    Some(_) => list::sorted(view, &chosen),
                    None => list::columns(view, cards, &chosen),
                }
            }
            _ => list::columns(view, cards, &cards.iter().collect::<Vec<_>>()),
        },
        Reply::Page(page) => match layout {
            Layout::Criteria => show::criteria(view, page),
            _ => show::page(view, page),
        },
        Reply::Pages(pages) => {
            let one = |page: &ItemPage| match layout {
                Layout::Criteria => {
                    let title = show::title(view, &page.card);
                    format!("{title}\n{}", show::criteria(view, page))
                }
                _ => show::page(view, page),
            };
            pages.iter().map(one).collect::<Vec<_>>().join("\n")
        }
        Reply::History(lines) => {
            log::timeline(view, lines, matches!(layout, Layout::Timeline { whole: true }))
        }
        Reply::Conflicts(open) => conflicts::page(view, open),
        Reply::Explanations(explained) => conflicts::explained(view, explained),
        Reply::Status(status) => status::page(view, status),
        Reply::Doctor(found) => doctor(view, found),
        Reply::Members(members) => members::members(view, members),
        Reply::Peers(peers) => members::peers(view, peers),
        Reply::Addresses(addresses) => addresses.iter().map(|address| format!("{address}\n")).collect(),
        Reply::Events(events) => events.iter().map(|each| event(view, each)).collect(),
        Reply::Applied(done) => applied(view, done),
        Reply::Imported(report) => imported(report),
        // The commands that ask for these write them to files.
        Reply::Settings(settings) => settings
            .iter()
            .map(|setting| format!("{}  {}\n", text::clean(&setting.key), text::clean(&setting.value)))
            .collect(),
        Reply::SettingsLine(_)
        | Reply::Lines(_)
        | Reply::LineOutcomes(_)
        | Reply::ExportedEntries { .. }
        | Reply::EntriesImported(_) => String::new(),
        Reply::Ticket { ticket, .. } => format!("{ticket}\n"),
        Reply::Entry(entry) => format!("entry {}, sequence number {}\n", entry.hash, entry.seq),
        Reply::Synced { peers, equal } => synced(*peers, *equal),
        Reply::Link { url } => format!("{url}\n"),
        Reply::Done => String::new(),
    }
}

/// The result of a write, on one line.
fn applied(view: &View, done: &Applied) -> String {
    let card = &done.card;
    let handle = view.style.paint(Ink::Bold, &card.handle);
    let mut line = match done.from {
        Some(from) if from != card.column => format!("{from} → {}", card.column),
        Some(_) | None => card.column.to_string(),
    };
    if done.purged {
        line = "deleted permanently".into();
    } else if card.deleted {
        line = "in the trash".into();
    } else if card.holds.frozen && card.holds.blocked.is_some() {
        // The status names only the first of them.
        line = format!("{line}, frozen and blocked");
    } else if !matches!(card.status, Status::Active | Status::Done) {
        line = format!("{line}, {}", status_label(card.status));
    }
    if let Some(claim) = &card.claim {
        line = format!("{line}, claimed by {}", text::clean(&claim.holder));
    }
    if !done.changed {
        line = format!("{line} (unchanged)");
    }
    let room = view
        .width
        .saturating_sub(text::width(&card.handle) + text::width(&line) + 4);
    let title = text::fit(&text::clean(&card.title), room.max(10));
    format!("{handle}  {title}  {}\n", view.style.paint(Ink::Dim, &line))
}

fn doctor(view: &View, found: &Doctor) -> String {
    let mut page = String::new();
    for line in &found.checked {
        let tick = view.style.paint(Ink::Green, "✓");
        page.push_str(&format!("{tick} {}\n", text::clean(line)));
    }
    for line in &found.findings {
        let cross = view.style.paint(Ink::Red, "✗");
        page.push_str(&format!("{cross} {}\n", text::clean(line)));
    }
    page
}

/// The counts of an import.
pub(crate) fn imported(report: &ImportReport) -> String {
    let mut page = format!(
        "items: {} created, {} updated, {} unchanged\nrelations: {} created, {} unchanged\n",
        report.created, report.updated, report.unchanged, report.related, report.related_before
    );
    for problem in &report.problems {
        page.push_str(&format!("! {}\n", text::clean(problem)));
    }
    for note in &report.notes {
        page.push_str(&format!("{}\n", text::clean(note)));
    }
    page
}

/// How many peers are in sync.
pub(crate) fn synced(peers: usize, equal: usize) -> String {
    match (peers, equal) {
        (0, _) => "no peers are connected\n".into(),
        (all, same) => format!("in sync with {same} of {}\n", text::plural(all, "peer")),
    }
}

const fn kind_ink(kind: Kind) -> Ink {
    match kind {
        Kind::Story => Ink::Green,
        Kind::Bug => Ink::Red,
        Kind::Spike => Ink::Yellow,
        Kind::Refactor => Ink::Blue,
        Kind::Epic => Ink::Magenta,
    }
}

const fn status_ink(status: Status) -> Ink {
    match status {
        Status::Active => Ink::Plain,
        Status::Frozen => Ink::Cyan,
        Status::Blocked | Status::MergeFailure | Status::MergeFailureFinal => Ink::Red,
        Status::ReviewHold => Ink::Magenta,
        Status::Done => Ink::Green,
        Status::Abandoned | Status::Superseded | Status::Rejected => Ink::Dim,
    }
}

const fn priority_ink(priority: u8) -> Ink {
    match priority {
        0 => Ink::Red,
        1 => Ink::Yellow,
        2 => Ink::Plain,
        _ => Ink::Dim,
    }
}

const fn column_ink(column: Column) -> Ink {
    match column {
        Column::Upcoming | Column::Archived | Column::Closed => Ink::Dim,
        Column::Backlog => Ink::Plain,
        Column::Coding => Ink::Yellow,
        Column::Qa => Ink::Magenta,
        Column::Merge => Ink::Blue,
        Column::Done => Ink::Green,
    }
}
