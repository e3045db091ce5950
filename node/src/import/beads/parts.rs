//! What the fields of one issue become: kind, stage, body, labels, comments. One function a field
//! of ours; each counts what it did. Knows nothing of other issues.

use towline_proto::{Column, Kind, LinkKind, Millis, limits};

use super::{BLOCKED, Fields, Import, NOBODY, Section};
use crate::import::fit::{References, under_heading};
use crate::request::{ImportComment, ImportStage};

/// The middle of 0 to 4, which is also what the tracker gives an issue without one.
const DEFAULT_PRIORITY: i64 = 2;

/// Where an item ends up, and what holds it there.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) stage: ImportStage,
    pub(super) frozen: bool,
    pub(super) blocked: Option<String>,
}

/// Labels of one issue as they are found, before they are made to fit.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<String>);

impl Labels {
    fn add(&mut self, label: String) {
        self.0.push(label);
    }
}

impl Import {
    pub(super) fn kind(&mut self, fields: &mut Fields, labels: &mut Labels) -> Kind {
        let word = fields.text("issue_type").unwrap_or_else(|| "task".to_owned());
        let (kind, said) = match word.as_str() {
            "bug" => (Kind::Bug, true),
            "epic" => (Kind::Epic, true),
            "story" | "feature" => (Kind::Story, true),
            "spike" => (Kind::Spike, true),
            "refactor" => (Kind::Refactor, true),
            "decision" => (Kind::Spike, false),
            _ => (Kind::Story, false),
        };
        if !said {
            labels.add(format!("type:{word}"));
        }
        self.out.tally.count(Section::Kinds, format!("{word} -> {kind}"));
        kind
    }

    /// Where the issue ends up, and when it got there if the tracker says so.
    pub(super) fn stage(&mut self, fields: &mut Fields, labels: &mut Labels) -> (Placed, Option<Millis>) {
        let word = fields.text("status").unwrap_or_else(|| "open".to_owned());
        let open = |column| Placed {
            stage: ImportStage::Open { column },
            frozen: false,
            blocked: None,
        };
        let backlog = open(Column::Backlog);
        let (placed, ended_at, to) = match word.as_str() {
            "open" => (backlog, None, "backlog"),
            "in_progress" => (open(Column::Coding), None, "coding"),
            "hooked" => {
                labels.add("status:hooked".to_owned());
                (open(Column::Coding), None, "coding, labelled")
            }
            "blocked" => {
                let blocked = Some(BLOCKED.to_owned());
                (Placed { blocked, ..backlog }, None, "backlog, blocked")
            }
            "deferred" => (
                Placed {
                    frozen: true,
                    ..backlog
                },
                None,
                "backlog, frozen",
            ),
            "closed" => {
                let stage = ImportStage::Done;
                (Placed { stage, ..backlog }, fields.time("closed_at"), "done")
            }
            "tombstone" => {
                let (reason, deleted_at) = self.deletion(fields);
                let stage = ImportStage::Deleted { reason };
                (Placed { stage, ..backlog }, deleted_at, "deleted")
            }
            other => {
                labels.add(format!("status:{other}"));
                (backlog, None, "backlog, labelled")
            }
        };
        self.out.tally.count(Section::Stages, format!("{word} -> {to}"));
        (placed, ended_at)
    }

    fn deletion(&mut self, fields: &mut Fields) -> (Option<String>, Option<Millis>) {
        let by = fields.text("deleted_by");
        let reason = match (fields.text("delete_reason"), by) {
            (Some(reason), Some(by)) => Some(format!("{reason} (deleted by {by})")),
            (None, Some(by)) => Some(format!("deleted by {by}")),
            (reason, None) => reason,
        };
        let reason = reason.and_then(|reason| self.out.note("delete_reason", &reason));
        (reason, fields.time("deleted_at"))
    }

    pub(super) fn assignee(&mut self, assignee: Option<String>) -> Option<String> {
        let name = assignee?;
        self.out.tally.count(Section::Fields, "assignee -> assignee");
        self.out.name("assignee", &name)
    }

    /// The description, and under headings what has no field of its own here.
    pub(super) fn body(&mut self, fields: &mut Fields, full_title: Option<String>) -> String {
        let mut body = fields.text("description").unwrap_or_default();
        if !body.is_empty() {
            self.out.tally.count(Section::Fields, "description -> body");
        }
        let under = [
            ("title", "Full title", full_title),
            ("design", "Design", fields.text("design")),
            (
                "acceptance_criteria",
                "Acceptance criteria",
                fields.text("acceptance_criteria"),
            ),
            ("notes", "Notes", fields.text("notes")),
            ("close_reason", "Close reason", fields.text("close_reason")),
        ];
        for (name, heading, text) in under {
            let Some(text) = text else { continue };
            self.out
                .tally
                .count(Section::Fields, format!("{name} -> body, under a heading"));
            body = under_heading(&body, heading, &text);
        }
        self.out.fit("body", &body, limits::BODY_BYTES)
    }

    pub(super) fn priority(&mut self, fields: &mut Fields) -> u8 {
        let given = fields.number("priority").unwrap_or(DEFAULT_PRIORITY);
        let kept = given.clamp(0, 4);
        if kept != given {
            self.out
                .tally
                .count(Section::Fields, format!("priority {given} -> {kept}"));
        }
        u8::try_from(kept).unwrap_or_default()
    }

    pub(super) fn labels(&mut self, fields: &mut Fields, mut labels: Labels) -> Vec<String> {
        for (name, label) in [
            ("ephemeral", "ephemeral"),
            ("pinned", "pinned"),
            ("is_template", "template"),
        ] {
            if fields.flag(name) {
                self.out.tally.count(Section::Fields, format!("{name} -> label"));
                labels.add(label.to_owned());
            }
        }
        for label in fields.texts("labels") {
            self.out.tally.count(Section::Fields, "label -> label");
            labels.add(label);
        }
        self.out.labels(labels.0)
    }

    pub(super) fn links(&mut self, fields: &mut Fields, labels: &mut Labels) -> Vec<(LinkKind, String)> {
        let Some(target) = fields.text("external_ref") else {
            return Vec::new();
        };
        let mut references = References::default();
        self.out.reference("external_ref", &target, &mut references);
        labels.0.append(&mut references.labels);
        references.links
    }

    pub(super) fn comments(&mut self, line: usize, fields: &mut Fields) -> Vec<ImportComment> {
        let mut comments = Vec::new();
        for (index, mut comment) in fields.objects("comments").into_iter().enumerate() {
            let said = comment
                .text("text")
                .and_then(|text| self.out.note("comment", &text));
            let author = comment
                .text("author")
                .and_then(|name| self.out.name("comment author", &name));
            let id = comment.id("id").and_then(|id| self.out.name("comment id", &id));
            let at = comment.time("created_at").unwrap_or_default();
            let _ = comment.id("issue_id"); // The issue that it stands in.
            self.leftovers(line, "comments.", comment);
            let Some(text) = said else {
                self.out.tally.count(Section::NotCarried, "comments without text");
                continue;
            };
            if comments.len() == limits::COMMENTS {
                self.out
                    .tally
                    .count(Section::NotCarried, "comments beyond the limit of one issue");
                continue;
            }
            self.out.tally.count(Section::Fields, "comment -> comment");
            comments.push(ImportComment {
                id: id.unwrap_or_else(|| format!("#{index}")),
                author: author.unwrap_or_else(|| NOBODY.to_owned()),
                at,
                text,
            });
        }
        comments
    }
}
