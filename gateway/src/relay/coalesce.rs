//! Combines consecutive events about one item into one line that is true when it is sent.
//!
//! Events are added one by one, in feed order. The result says where the item moved, which holds it has now
//! and who did it. Changes that were undone within the burst are left out. No event is kept, so a burst of
//! any length takes the same memory.

use sha2::{Digest as _, Sha256};
use towline_api::event_text::{conflict_text, hold_reason_text, merge_texts};
use towline_api::labels::hold_label;
use towline_proto::ids::to_hex;
use towline_proto::text::show;
use towline_proto::{Closing, Column, Event, EventId, EventKind, HoldKind, HoldReason, Kind};

use super::digest::Digest;

/// Maximum number of columns in a line; the middle of a longer path is left out.
const PATH_COLUMNS: usize = 7;
/// Maximum number of people in a line.
const ACTORS: usize = 3;
/// Maximum number of other changes in a line.
const NOTES: usize = 4;
/// Maximum length of a title in a line, in characters.
const TITLE_CHARS: usize = 80;
/// Maximum length of a reason in a line, in characters.
const REASON_CHARS: usize = 160;

/// A hash of a sequence of events, from which the transaction id of their message is derived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventsHash([u8; 32]);

impl EventsHash {
    /// Adds an event.
    pub(crate) fn push(&mut self, id: &EventId) {
        self.0 = Sha256::new()
            .chain_update(self.0)
            .chain_update(id.0)
            .finalize()
            .into();
    }

    /// Adds all events of another sequence.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0 = Sha256::new()
            .chain_update(self.0)
            .chain_update(other.0)
            .finalize()
            .into();
    }

    /// The transaction id of these events in one delivery.
    pub(crate) fn transaction_id(&self, delivery_id: &[u8]) -> String {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(delivery_id)
            .chain_update(self.0)
            .finalize()
            .into();
        format!("towline-{}", to_hex(&hash[..16]))
    }
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChatText {
    pub(crate) plain: String,
    /// User text in it is escaped.
    pub(crate) html: String,
}

/// Consecutive events about one item, combined.
#[derive(Debug, Clone)]
pub(crate) struct CoalescedEvents {
    /// The same events as counted in a digest, with their positions and hash.
    pub(crate) digest: Digest,
    number: u32,
    title: String,
    created: Option<Kind>,
    path: Vec<Column>,
    path_shortened: bool,
    closing: Option<Closing>,
    holds_added: Vec<(HoldKind, Option<String>)>,
    holds_removed: Vec<HoldKind>,
    deleted: Option<bool>,
    was_deleted: bool,
    notes: Vec<String>,
    actors: Vec<String>,
}

impl CoalescedEvents {
    /// Starts with an event, which covers the positions `from` to `to`.
    pub(crate) fn new(from: u64, to: u64, event: &Event) -> Self {
        let mut events = Self {
            digest: Digest::default(),
            number: event.number,
            title: String::new(),
            created: None,
            path: Vec::new(),
            path_shortened: false,
            closing: None,
            holds_added: Vec::new(),
            holds_removed: Vec::new(),
            deleted: None,
            was_deleted: false,
            notes: Vec::new(),
            actors: Vec::new(),
        };
        events.add(from, to, event);
        events
    }

    /// Adds the next event of the same item.
    pub(crate) fn add(&mut self, from: u64, to: u64, event: &Event) {
        self.digest.add(from, to, event);
        self.number = event.number;
        self.title.clone_from(&event.title);
        let actor = show(&event.origin.to_string(), 40);
        if !self.actors.contains(&actor) && self.actors.len() <= ACTORS {
            self.actors.push(actor);
        }
        match &event.what {
            EventKind::ItemCreated { column } => {
                self.created = Some(event.kind);
                self.add_column(*column);
            }
            EventKind::StageChanged {
                from,
                via,
                to,
                closing,
            } => {
                if self.path.is_empty() {
                    self.add_column(*from);
                }
                via.iter().chain([to]).for_each(|column| self.add_column(*column));
                self.closing.clone_from(closing);
            }
            EventKind::HoldsChanged {
                added,
                removed,
                reason,
            } => self.change_holds(added, removed, reason.as_ref()),
            EventKind::Deleted => self.set_deleted(true),
            EventKind::Restored => self.set_deleted(false),
            EventKind::ConflictRaised { rule, about, .. } => {
                let why = show(&conflict_text(*rule, about), REASON_CHARS);
                self.note(format!("conflict — {why}"));
            }
            EventKind::ChangedByMerge {
                register,
                before,
                after,
            } => {
                let texts = merge_texts(register, before, after);
                let [what, before, after] = texts.map(|text| show(&text, 80));
                self.note(format!(
                    "{what} changed from {before} to {after} by a concurrent change"
                ));
            }
            EventKind::ConflictsResolved => self.note("conflicts resolved".to_owned()),
            EventKind::Claimed { holder, .. } => self.note(format!("claimed by {}", show(holder, 40))),
            EventKind::Released { holder } => self.note(format!("released by {}", show(holder, 40))),
            EventKind::FieldChanged { field } => self.note(format!("{field} changed")),
            EventKind::Commented { excerpt } => self.note(format!("“{}”", show(excerpt, REASON_CHARS))),
        }
    }

    fn add_column(&mut self, column: Column) {
        if self.path.last() == Some(&column) {
            return;
        }
        self.path.push(column);
        if self.path.len() > PATH_COLUMNS {
            self.path.remove(PATH_COLUMNS / 2);
            self.path_shortened = true;
        }
    }

    /// A hold that was added and removed within the burst is left out. A hold that was removed and added
    /// again counts as added, because its reason may have changed.
    fn change_holds(&mut self, added: &[HoldKind], removed: &[HoldKind], reason: Option<&HoldReason>) {
        for hold in removed {
            let before = self.holds_added.len();
            self.holds_added.retain(|(added, _)| added != hold);
            if self.holds_added.len() == before && !self.holds_removed.contains(hold) {
                self.holds_removed.push(*hold);
            }
        }
        for hold in added {
            self.holds_added.retain(|(added, _)| added != hold);
            self.holds_removed.retain(|removed| removed != hold);
            let reason = reason.map(|reason| show(&hold_reason_text(reason), REASON_CHARS));
            self.holds_added.push((*hold, reason));
        }
    }

    fn set_deleted(&mut self, deleted: bool) {
        if self.deleted.is_none() {
            self.was_deleted = !deleted;
        }
        self.deleted = Some(deleted);
    }

    fn note(&mut self, text: String) {
        if self.notes.len() < NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// The line; `None` when nothing changed in the end.
    pub(crate) fn render(&self, project: &str) -> Option<ChatText> {
        let mut parts = Vec::new();
        if let Some(kind) = self.created {
            parts.push(match self.path.as_slice() {
                [column] => format!("new {kind} in {column}"),
                _ => format!("new {kind}"),
            });
        }
        if self.path.len() > 1 {
            parts.push(self.path_text());
        }
        for (hold, reason) in &self.holds_added {
            let word = hold_label(*hold);
            parts.push(match reason {
                Some(reason) => format!("{word} — {reason}"),
                None => word.to_owned(),
            });
        }
        // A move to another column implies that these holds were removed, so they are not named.
        let implied_by_move = |hold: &HoldKind| {
            self.path.len() > 1 && matches!(hold, HoldKind::ReviewHold | HoldKind::MergeFailure)
        };
        for hold in self.holds_removed.iter().filter(|hold| !implied_by_move(hold)) {
            parts.push(
                match hold {
                    HoldKind::Frozen => "unfrozen",
                    HoldKind::Blocked => "unblocked",
                    HoldKind::ReviewHold => "no longer waits for approval",
                    HoldKind::MergeFailure => "merge failure cleared",
                }
                .to_owned(),
            );
        }
        match self.deleted {
            Some(deleted) if deleted != self.was_deleted => {
                parts.push(if deleted { "deleted" } else { "restored" }.to_owned());
            }
            _ => {}
        }
        parts.extend(self.notes.iter().cloned());
        if parts.is_empty() {
            return None;
        }
        let handle = format!("{}/{}", show(project, 40), self.number);
        let title = show(&self.title, TITLE_CHARS);
        let changes = parts.join(", ");
        let actors = self.actors_text();
        Some(ChatText {
            plain: format!("{handle} {title}: {changes} ({actors})"),
            html: format!(
                "<strong>{}</strong> {}: {} ({})",
                escape_html(&handle),
                escape_html(&title),
                escape_html(&changes),
                escape_html(&actors)
            ),
        })
    }

    fn path_text(&self) -> String {
        let mut words: Vec<_> = self
            .path
            .iter()
            .map(|column| column.as_str().to_owned())
            .collect();
        if self.path_shortened {
            words.insert(PATH_COLUMNS / 2, "…".to_owned());
        }
        let path = words.join(" → ");
        match &self.closing {
            None => path,
            Some(Closing::Abandoned) => format!("{path} (abandoned)"),
            Some(Closing::Superseded { .. }) => format!("{path} (superseded)"),
            Some(Closing::Rejected { reason }) => {
                format!("{path} (rejected — {})", show(reason, REASON_CHARS))
            }
        }
    }

    fn actors_text(&self) -> String {
        let named: Vec<_> = self.actors.iter().take(ACTORS).cloned().collect();
        let more = if self.actors.len() > ACTORS {
            " and others"
        } else {
            ""
        };
        format!("{}{more}", named.join(", "))
    }
}

/// Escapes user text for HTML.
pub(crate) fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::test_feed::{TestFeed, holds, moved};
    use super::*;

    fn line(events: Vec<EventKind>) -> Option<String> {
        let mut feed = TestFeed::new();
        let mut coalesced: Option<CoalescedEvents> = None;
        for what in events {
            let event = feed.event(42, "Fix login", what);
            let [from, to] = [event.position; 2];
            match &mut coalesced {
                None => coalesced = Some(CoalescedEvents::new(from, to, &event.event)),
                Some(coalesced) => coalesced.add(from, to, &event.event),
            }
        }
        coalesced
            .and_then(|coalesced| coalesced.render("demo"))
            .map(|text| text.plain)
    }

    #[test]
    fn several_moves_are_shown_as_one_path() {
        let first = moved(Column::Coding, Column::Qa);
        let text = line(vec![first, moved(Column::Qa, Column::Merge)]);
        assert_eq!(
            text.as_deref(),
            Some("demo/42 Fix login: coding → qa → merge (ann)")
        );
    }

    #[test]
    fn a_hold_is_shown_with_its_reason_and_a_removed_one_is_left_out() {
        let block = holds(&[HoldKind::Blocked], &[], Some("waiting for keys"));
        let unblock = holds(&[], &[HoldKind::Blocked], None);
        assert_eq!(
            line(vec![block.clone()]).as_deref(),
            Some("demo/42 Fix login: blocked — waiting for keys (ann)")
        );
        assert_eq!(line(vec![block.clone(), unblock.clone()]), None);
        assert_eq!(
            line(vec![unblock]).as_deref(),
            Some("demo/42 Fix login: unblocked (ann)")
        );
    }

    #[test]
    fn a_new_item_that_moved_at_once_is_one_line() {
        let created = EventKind::ItemCreated {
            column: Column::Backlog,
        };
        assert_eq!(
            line(vec![created.clone()]).as_deref(),
            Some("demo/42 Fix login: new story in backlog (ann)")
        );
        assert_eq!(
            line(vec![created, moved(Column::Backlog, Column::Coding)]).as_deref(),
            Some("demo/42 Fix login: new story, backlog → coding (ann)")
        );
    }

    #[test]
    fn the_middle_of_a_long_path_is_left_out() {
        let to_and_fro = (0..20).map(|step| match step % 2 {
            0 => moved(Column::Coding, Column::Qa),
            _ => moved(Column::Qa, Column::Coding),
        });
        let text = line(to_and_fro.collect()).expect("a line");
        assert!(text.contains('…') && text.len() < 200, "{text}");
    }

    #[test]
    fn html_in_a_title_is_escaped() {
        let mut feed = TestFeed::new();
        let event = feed.event(1, "<b>&\u{202e}\"", moved(Column::Coding, Column::Qa));
        let text = CoalescedEvents::new(1, 1, &event.event)
            .render("demo")
            .expect("a line");
        assert!(
            text.html.contains("&lt;b&gt;&amp;\\u{202e}&quot;"),
            "{}",
            text.html
        );
    }
}
