//! Comma-separated values, as RFC 4180 has them: the columns of vibe-kanban's `issues.csv` in their
//! order, then ours.
//!
//! Made to be opened in a spreadsheet, so a cell that such a program would take for a formula begins
//! with an apostrophe; and to be read by other trackers. It is no backup: acts are not in it.

use std::borrow::Cow;
use std::io::{self, Write};

use towline_api::types::ItemPage;
use towline_proto::{Closing, Column, LinkKind, Millis};

/// The header: fourteen columns of vibe-kanban's, then ours.
pub const HEADER: [&str; 31] = [
    "Issue ID",
    "Title",
    "Description",
    "Status",
    "Priority",
    "Project",
    "Assignee(s)",
    "Creator",
    "Created",
    "Updated",
    "Start Date",
    "Due Date",
    "Completed",
    "Parent Issue",
    "Kind",
    "Column",
    "Badge",
    "Reason",
    "Priority Number",
    "QA",
    "Labels",
    "Depends On",
    "Waits For",
    "Claimed By",
    "Criteria Met",
    "Criteria",
    "Comments",
    "Conflicts",
    "Deleted",
    "Links",
    "Key",
];

/// Writes a header and a row for each page; how many there were.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(project: &str, pages: &[ItemPage], out: &mut impl Write) -> io::Result<usize> {
    let mut rows = rows(out);
    rows.write_record(HEADER)?;
    for page in pages {
        for cell in &cells(project, page) {
            rows.write_field(guarded(cell).as_bytes())?;
        }
        rows.write_record(None::<&[u8]>)?;
    }
    rows.flush()?;
    Ok(pages.len())
}

fn cells(project: &str, page: &ItemPage) -> [String; 31] {
    let card = &page.card;
    let ended = !card.column.is_open();
    let handles = |links: &[towline_api::types::ItemLink]| {
        let handles: Vec<&str> = links.iter().map(|link| link.handle.as_str()).collect();
        handles.join(" ")
    };
    let unmet: Vec<_> = card
        .depends_on
        .iter()
        .filter(|link| !link.satisfied)
        .cloned()
        .collect();
    let links = page.links.iter().filter(|link| link.kind != LinkKind::Related);
    let links: Vec<String> = links
        .map(|link| format!("{} {}", link.kind, link.target))
        .collect();
    [
        card.handle.clone(),
        card.title.clone(),
        page.body.clone(),
        if card.closing.is_some() {
            "Cancelled"
        } else {
            status(card.column)
        }
        .to_owned(),
        priority(card.priority).to_owned(),
        project.to_owned(),
        card.assignee.clone().unwrap_or_default(),
        card.origin.id.clone(),
        card.created_at.to_string(),
        card.updated_at.to_string(),
        started(page).map(|at| at.to_string()).unwrap_or_default(),
        String::new(),
        if ended {
            card.entered_at.to_string()
        } else {
            String::new()
        },
        card.epic
            .as_ref()
            .map(|epic| epic.handle.clone())
            .unwrap_or_default(),
        card.kind.to_string(),
        card.column.to_string(),
        card.status.to_string(),
        reason(page),
        card.priority.to_string(),
        card.qa.to_string(),
        several(card.labels.iter().map(String::as_str)),
        handles(&card.depends_on),
        handles(&unmet),
        card.claim
            .as_ref()
            .map(|claim| claim.holder.clone())
            .unwrap_or_default(),
        card.criteria_met.to_string(),
        card.criteria.to_string(),
        card.comments.to_string(),
        card.conflicts.to_string(),
        if card.deleted { "yes" } else { "no" }.to_owned(),
        several(links.iter().map(String::as_str)),
        card.key.clone(),
    ]
}

/// The status of an item on a board with five columns.
const fn status(column: Column) -> &'static str {
    match column {
        Column::Upcoming | Column::Backlog => "To do",
        Column::Coding => "In progress",
        Column::Qa | Column::Merge => "In review",
        Column::Done | Column::Archived => "Done",
        Column::Closed => "Cancelled",
    }
}

const fn priority(priority: u8) -> &'static str {
    match priority {
        0 => "Urgent",
        1 => "High",
        2 => "Medium",
        _ => "Low",
    }
}

/// When it first came into coding.
fn started(page: &ItemPage) -> Option<Millis> {
    let first = page
        .history
        .iter()
        .find(|line| line.to == Some(Column::Coding) && line.was_effective());
    first.map(|line| line.at)
}

/// Why it is blocked or was closed.
fn reason(page: &ItemPage) -> String {
    match (&page.card.closing, &page.card.holds.blocked) {
        (Some(Closing::Rejected { reason }), _) => reason.clone(),
        (_, Some(blocked)) => blocked.reason.clone(),
        _ => String::new(),
    }
}

fn rows<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out)
}

/// What a spreadsheet takes for the beginning of a formula, or passes over before one.
const GUARDED: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Labels or links in one cell: one a comma apart, in quotes where it holds a comma or a quote itself.
fn several<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"']) || text.trim() != text {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A cell: behind an apostrophe where a spreadsheet would calculate.
fn guarded(text: &str) -> Cow<'_, str> {
    if text.trim_start_matches('\'').starts_with(GUARDED) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader has to do to get the text back.
    fn unguarded(cell: &str) -> &str {
        match cell.strip_prefix('\'') {
            Some(text) if text.trim_start_matches('\'').starts_with(GUARDED) => text,
            _ => cell,
        }
    }

    #[test]
    fn any_text_comes_back_through_another_reader() {
        let nasty = [
            "plain",
            "a, b; \"c\"",
            "two\nlines\r\nand \"quotes\"",
            "=HYPERLINK(\"http://example.org\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "'=already guarded",
            "'quoted'",
            " spaces ",
            "",
            "\ttab",
            "\n=1+1",
            "naïve “ünïcode” 🚀",
        ];
        let mut out = Vec::new();
        let mut two = rows(&mut out);
        for _ in 0..2 {
            two.write_record(nasty.map(|text| guarded(text).into_owned()))
                .expect("written");
        }
        drop(two);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(out.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 2);
        for read in &rows {
            assert_eq!(read.iter().map(unguarded).collect::<Vec<_>>(), nasty);
        }
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for text in ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\r\n=1", "''=1"] {
            let cell = guarded(text);
            assert!(cell.starts_with('\''), "{cell}");
        }
    }

    #[test]
    fn labels_of_several_words_are_told_from_several_labels() {
        assert_eq!(several(["a b", "c"]), "a b, c");
        assert_eq!(several(["a", "b", "c"]), "a, b, c");
        assert_eq!(several(["a, b", "say \"c\""]), r#""a, b", "say ""c""""#);
        assert_eq!(several([]), "");
    }
}
