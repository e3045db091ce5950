//! What a burst of events about one item comes to: one line that is true when it is sent.
//!
//! Events are folded one by one, in feed order, into what a reader wants to know: where the item
//! went, what holds it now, who did it. What was taken back within the burst is left out. A story
//! keeps no events, so a burst of any length costs the same.

use sha2::{Digest as _, Sha256};
use towline_proto::ids::to_hex;
use towline_proto::text::show;
use towline_proto::{Closing, Column, Event, EventId, EventKind, HoldKind, Kind};

use super::digest::Digest;

/// Columns that a line names at most; the middle of a longer way is left out.
const PATH: usize = 7;
/// People that a line names at most.
const ACTORS: usize = 3;
/// Small changes that a line names at most.
const REMARKS: usize = 4;
/// Longest title in a line, in characters.
const TITLE_CHARS: usize = 80;
/// Longest reason in a line, in characters.
const REASON_CHARS: usize = 160;

/// The identity of a set of events in their order: what a transaction id is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain([u8; 32]);

impl Chain {
    /// Adds an event.
    pub(crate) fn push(&mut self, id: &EventId) {
        self.0 = Sha256::new()
            .chain_update(self.0)
            .chain_update(id.0)
            .finalize()
            .into();
    }

    /// Adds all events of another chain.
    pub(crate) fn join(&mut self, other: &Self) {
        self.0 = Sha256::new()
            .chain_update(self.0)
            .chain_update(other.0)
            .finalize()
            .into();
    }

    /// The transaction id of these events for one receiver.
    pub(crate) fn transaction(&self, lane: &[u8]) -> String {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(lane)
            .chain_update(self.0)
            .finalize()
            .into();
        format!("towline-{}", to_hex(&hash[..16]))
    }
}

/// A line of text, plain and as HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// Plain.
    pub(crate) plain: String,
    /// The same with markup; everything foreign in it is escaped.
    pub(crate) html: String,
}

/// What a burst of events about one item comes to.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// The same events as a digest would count them, with their positions and identity.
    pub(crate) tally: Digest,
    number: u32,
    title: String,
    created: Option<Kind>,
    path: Vec<Column>,
    elided: bool,
    closing: Option<Closing>,
    came: Vec<(HoldKind, Option<String>)>,
    went: Vec<HoldKind>,
    deleted: Option<bool>,
    was_deleted: bool,
    remarks: Vec<String>,
    actors: Vec<String>,
}

impl Story {
    /// A story that begins with an event, which accounts for the positions `from` to `to`.
    pub(crate) fn new(from: u64, to: u64, event: &Event) -> Self {
        let mut story = Self {
            tally: Digest::default(),
            number: event.number,
            title: String::new(),
            created: None,
            path: Vec::new(),
            elided: false,
            closing: None,
            came: Vec::new(),
            went: Vec::new(),
            deleted: None,
            was_deleted: false,
            remarks: Vec::new(),
            actors: Vec::new(),
        };
        story.fold(from, to, event);
        story
    }

    /// Goes on with the next event of the same item.
    pub(crate) fn fold(&mut self, from: u64, to: u64, event: &Event) {
        self.tally.fold(from, to, event);
        self.number = event.number;
        self.title.clone_from(&event.title);
        let actor = show(&event.origin.to_string(), 40);
        if !self.actors.contains(&actor) && self.actors.len() <= ACTORS {
            self.actors.push(actor);
        }
        match &event.what {
            EventKind::ItemCreated { column } => {
                self.created = Some(event.kind);
                self.step(*column);
            }
            EventKind::StageChanged {
                from,
                via,
                to,
                closing,
            } => {
                if self.path.is_empty() {
                    self.step(*from);
                }
                via.iter().chain([to]).for_each(|column| self.step(*column));
                self.closing.clone_from(closing);
            }
            EventKind::HoldsChanged {
                added,
                removed,
                reason,
            } => self.holds(added, removed, reason.as_deref()),
            EventKind::Deleted => self.trash(true),
            EventKind::Restored => self.trash(false),
            EventKind::ConflictRaised { rule } => {
                self.remark(format!("conflict — {}", show(rule, REASON_CHARS)))
            }
            EventKind::ChangedByMerge { field, before, after } => self.remark(format!(
                "{} was {}, is {}",
                show(field, 40),
                show(before, 80),
                show(after, 80)
            )),
            EventKind::ConflictsResolved => self.remark("conflicts settled".to_owned()),
            EventKind::Claimed { holder, .. } => self.remark(format!("claimed by {}", show(holder, 40))),
            EventKind::Released { holder } => self.remark(format!("released by {}", show(holder, 40))),
            EventKind::FieldChanged { field } => self.remark(format!("{} changed", show(field, 40))),
            EventKind::Commented { excerpt } => self.remark(format!("“{}”", show(excerpt, REASON_CHARS))),
        }
    }

    fn step(&mut self, column: Column) {
        if self.path.last() == Some(&column) {
            return;
        }
        self.path.push(column);
        if self.path.len() > PATH {
            self.path.remove(PATH / 2);
            self.elided = true;
        }
    }

    /// A hold that came and went within the burst is not news, and neither is one that went and
    /// came back with the reason it had.
    fn holds(&mut self, added: &[HoldKind], removed: &[HoldKind], reason: Option<&str>) {
        for hold in removed {
            let before = self.came.len();
            self.came.retain(|(came, _)| came != hold);
            if self.came.len() == before && !self.went.contains(hold) {
                self.went.push(*hold);
            }
        }
        for hold in added {
            self.came.retain(|(came, _)| came != hold);
            self.went.retain(|went| went != hold);
            self.came
                .push((*hold, reason.map(|text| show(text, REASON_CHARS))));
        }
    }

    fn trash(&mut self, deleted: bool) {
        if self.deleted.is_none() {
            self.was_deleted = !deleted;
        }
        self.deleted = Some(deleted);
    }

    fn remark(&mut self, text: String) {
        if self.remarks.len() < REMARKS && !self.remarks.contains(&text) {
            self.remarks.push(text);
        }
    }

    /// The line; `None` when nothing of it is news any more.
    pub(crate) fn tell(&self, project: &str) -> Option<Text> {
        let mut parts = Vec::new();
        if let Some(kind) = self.created {
            parts.push(match self.path.as_slice() {
                [column] => format!("new {kind} in {column}"),
                _ => format!("new {kind}"),
            });
        }
        if self.path.len() > 1 {
            parts.push(self.way());
        }
        for (hold, reason) in &self.came {
            let word = match hold {
                HoldKind::Frozen => "frozen",
                HoldKind::Blocked => "blocked",
                HoldKind::ReviewHold => "waits for review",
                HoldKind::MergeFailure => "merge failed",
            };
            parts.push(match reason {
                Some(reason) => format!("{word} — {reason}"),
                None => word.to_owned(),
            });
        }
        // A hold that went with a step to another column needs no words of its own: the step says it.
        let told_by_step = |hold: &HoldKind| {
            self.path.len() > 1 && matches!(hold, HoldKind::ReviewHold | HoldKind::MergeFailure)
        };
        for hold in self.went.iter().filter(|hold| !told_by_step(hold)) {
            parts.push(
                match hold {
                    HoldKind::Frozen => "unfrozen",
                    HoldKind::Blocked => "unblocked",
                    HoldKind::ReviewHold => "review hold lifted",
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
        parts.extend(self.remarks.iter().cloned());
        if parts.is_empty() {
            return None;
        }
        let handle = format!("{}/{}", show(project, 40), self.number);
        let title = show(&self.title, TITLE_CHARS);
        let news = parts.join(", ");
        let actors = self.actors();
        Some(Text {
            plain: format!("{handle} {title}: {news} ({actors})"),
            html: format!(
                "<strong>{}</strong> {}: {} ({})",
                escape(&handle),
                escape(&title),
                escape(&news),
                escape(&actors)
            ),
        })
    }

    fn way(&self) -> String {
        let mut words: Vec<_> = self
            .path
            .iter()
            .map(|column| column.as_str().to_owned())
            .collect();
        if self.elided {
            words.insert(PATH / 2, "…".to_owned());
        }
        let way = words.join(" → ");
        match &self.closing {
            None => way,
            Some(Closing::Abandoned) => format!("{way} (abandoned)"),
            Some(Closing::Superseded { .. }) => format!("{way} (superseded)"),
            Some(Closing::Rejected { reason }) => {
                format!("{way} (rejected — {})", show(reason, REASON_CHARS))
            }
        }
    }

    fn actors(&self) -> String {
        let named: Vec<_> = self.actors.iter().take(ACTORS).cloned().collect();
        let more = if self.actors.len() > ACTORS {
            " and others"
        } else {
            ""
        };
        format!("{}{more}", named.join(", "))
    }
}

/// Foreign text for HTML.
pub(crate) fn escape(text: &str) -> String {
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
    use super::super::testing::{Feed, holds, moved};
    use super::*;

    fn told(events: Vec<EventKind>) -> Option<String> {
        let mut feed = Feed::new();
        let mut story: Option<Story> = None;
        for what in events {
            let event = feed.event(42, "Fix login", what);
            let (from, to) = (event.position, event.position);
            match &mut story {
                None => story = Some(Story::new(from, to, &event.event)),
                Some(story) => story.fold(from, to, &event.event),
            }
        }
        story.and_then(|story| story.tell("demo")).map(|text| text.plain)
    }

    #[test]
    fn steps_become_one_way() {
        let line = told(vec![
            moved(Column::Coding, Column::Qa),
            moved(Column::Qa, Column::Merge),
        ]);
        assert_eq!(
            line.as_deref(),
            Some("demo/42 Fix login: coding → qa → merge (ann)")
        );
    }

    #[test]
    fn a_hold_tells_its_reason_and_one_that_was_taken_back_is_not_told() {
        let block = holds(&[HoldKind::Blocked], &[], Some("waiting for keys"));
        let unblock = holds(&[], &[HoldKind::Blocked], None);
        assert_eq!(
            told(vec![block.clone()]).as_deref(),
            Some("demo/42 Fix login: blocked — waiting for keys (ann)")
        );
        assert_eq!(told(vec![block.clone(), unblock.clone()]), None);
        assert_eq!(
            told(vec![unblock]).as_deref(),
            Some("demo/42 Fix login: unblocked (ann)")
        );
    }

    #[test]
    fn a_new_item_that_moved_at_once_is_one_line() {
        let created = EventKind::ItemCreated {
            column: Column::Backlog,
        };
        assert_eq!(
            told(vec![created.clone()]).as_deref(),
            Some("demo/42 Fix login: new story in backlog (ann)")
        );
        assert_eq!(
            told(vec![created, moved(Column::Backlog, Column::Coding)]).as_deref(),
            Some("demo/42 Fix login: new story, backlog → coding (ann)")
        );
    }

    #[test]
    fn a_long_way_is_cut_in_the_middle() {
        let to_and_fro = (0..20).map(|step| match step % 2 {
            0 => moved(Column::Coding, Column::Qa),
            _ => moved(Column::Qa, Column::Coding),
        });
        let line = told(to_and_fro.collect()).expect("a line");
        assert!(line.contains('…') && line.len() < 200, "{line}");
    }

    #[test]
    fn markup_in_a_title_stays_text() {
        let mut feed = Feed::new();
        let event = feed.event(1, "<b>&\u{202e}\"", moved(Column::Coding, Column::Qa));
        let text = Story::new(1, 1, &event.event).tell("demo").expect("a line");
        assert!(
            text.html.contains("&lt;b&gt;&amp;\\u{202e}&quot;"),
            "{}",
            text.html
        );
    }
}
