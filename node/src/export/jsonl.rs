//! JSON Lines: one item a line, schema `towline.item-page/v1`, the same bytes on every replica that
//! holds the same entries.
//!
//! Lines stand in the order of (time of creation, id), fields in the order of the struct, and every
//! value in a page follows from the admitted entries alone: no position of the local feed, no time
//! of arrival, nothing relative to now. Two nodes in sync can therefore be compared with `cmp`, and
//! an export can be kept under version control. Writes to what it is given and nowhere else.

use std::io::{self, Write};

use serde::Serialize;

use crate::dto::ItemPage;

/// What a line says it is, in its first field.
pub const SCHEMA: &str = "towline.item-page/v1";

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    #[serde(flatten)]
    page: &'a ItemPage,
}

/// Writes all pages, sorted; how many there were.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(pages: impl IntoIterator<Item = ItemPage>, out: &mut impl Write) -> io::Result<usize> {
    let mut pages: Vec<ItemPage> = pages.into_iter().collect();
    pages.sort_by_key(|page| (page.card.created_at, page.card.id));
    for page in &pages {
        serde_json::to_writer(&mut *out, &Line { schema: SCHEMA, page })?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(pages.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn page(id: u8, created_at: &str) -> ItemPage {
        let id = format!("{id:032x}");
        serde_json::from_value(json!({
            "handle": "7", "number": 7, "key": "c0de", "id": id, "revision": "r1", "kind": "bug",
            "title": "Ship “it”\u{202e}", "column": "done", "status": "done", "holds": {}, "priority": 2,
            "qa": "agent", "labels": ["ui"], "depends_on": [], "unmet": 0, "retries": 0, "criteria_met": 0,
            "criteria": 0, "comments": 0, "conflicts": 0, "progress": [1, 2],
            "origin": {"kind": "user", "id": "ann"}, "created_at": created_at,
            "updated_at": "2026-01-03T00:00:00Z", "entered_at": "2026-01-03T00:00:00Z",
            "legal": ["reopen", "archive"], "body": "Two\nlines", "criteria_list": [],
            "links": [{"kind": "external", "target": "gh-7"}], "remarks": [], "dependants": [],
            "children": [], "history": [], "open_conflicts": [], "refused": [],
        }))
        .expect("a page")
    }

    fn text(pages: Vec<ItemPage>) -> String {
        let mut out = Vec::new();
        write(pages, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn two_replicas_write_the_same_bytes_whatever_order_their_pages_come_in() {
        let early = page(9, "2026-01-01T00:00:00Z");
        let (low, high) = (page(1, "2026-01-02T00:00:00Z"), page(2, "2026-01-02T00:00:00Z"));
        let ann = text(vec![high.clone(), early.clone(), low.clone()]);
        let ben = text(vec![low.clone(), high.clone(), early.clone()]);
        assert_eq!(ann, ben);
        let read = ann
            .lines()
            .map(|line| serde_json::from_str::<ItemPage>(line).expect("a page"));
        assert_eq!(read.collect::<Vec<_>>(), [early, low, high]);
    }

    #[test]
    fn a_line_says_first_what_it_is() {
        let text = text(vec![page(1, "2026-01-02T00:00:00Z")]);
        assert!(
            text.starts_with(r#"{"schema":"towline.item-page/v1","handle":"7","#),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).expect("json");
        assert_eq!(line["title"], "Ship “it”\u{202e}");
    }

    #[test]
    fn no_items_are_no_lines() {
        assert_eq!(text(Vec::new()), "");
    }
}
