//! What the fields of one issue become: kind, stage, body, labels, comments. One function a field
//! of ours; each counts what it did. Knows nothing of other issues.

use std::collections::BTreeSet;

use towline_api::request::{ImportComment, ImportStage, Part};
use towline_proto::{Column, Kind, Millis};

use super::{BLOCKED, BeadsImporter, Fields, NOBODY, Section};
use crate::import::comments::Overflow;
use crate::import::sanitize::{References, under_heading, under_list};

/// The middle of 0 to 4, which is also what the tracker gives an issue without one.
const DEFAULT_PRIORITY: i64 = 2;

/// Where an item ends up, and what holds it there.
#[derive(Debug)]
pub(super) struct ImportedState {
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

/// What a record says nothing about. Asked before anything is taken out of it.
pub(super) fn silent(fields: &Fields) -> BTreeSet<Part> {
    let parts: [(Part, &[&str]); 8] = [
        (Part::Title, &["title"]),
        (Part::Body, &["description"]),
        (Part::Kind, &["issue_type"]),
        (Part::Priority, &["priority"]),
        (Part::Assignee, &["assignee"]),
        (Part::Stage, &["status"]),
        (Part::Labels, &["labels"]),
        (Part::Flags, &["ephemeral", "pinned", "is_template"]),
    ];
    let absent = parts
        .into_iter()
        .filter(|(_, names)| names.iter().all(|name| !fields.has(name)));
    let mut silent: BTreeSet<Part> = absent.map(|(part, _)| part).collect();
    if !fields.has("external_ref") {
        silent.insert(Part::References);
    }
    silent
}

impl BeadsImporter {
    pub(super) fn kind(&mut self, fields: &mut Fields, labels: &mut Labels) -> Kind {
        let Some(word) = fields.text("issue_type") else {
            self.out.tally.count(Section::Kinds, "no issue_type -> story");
            return Kind::Story;
        };
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
    pub(super) fn stage(
        &mut self,
        fields: &mut Fields,
        labels: &mut Labels,
        overflow: &mut Overflow,
    ) -> (ImportedState, Option<Millis>) {
        let word = fields.text("status").unwrap_or_else(|| "open".to_owned());
        let open = |column| ImportedState {
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
                (ImportedState { blocked, ..backlog }, None, "backlog, blocked")
            }
            "deferred" => (
                ImportedState {
                    frozen: true,
                    ..backlog
                },
                None,
                "backlog, frozen",
            ),
            "closed" => {
                let stage = ImportStage::Done;
                (
                    ImportedState { stage, ..backlog },
                    fields.time("closed_at"),
                    "done",
                )
            }
            "tombstone" => {
                let (reason, deleted_at) = self.deletion(fields, overflow);
                let stage = ImportStage::Deleted { reason };
                (ImportedState { stage, ..backlog }, deleted_at, "deleted")
            }
            other => {
                labels.add(format!("status:{other}"));
                (backlog, None, "backlog, labelled")
            }
        };
        self.out.tally.count(Section::Stages, format!("{word} -> {to}"));
        (placed, ended_at)
    }

    fn deletion(&mut self, fields: &mut Fields, overflow: &mut Overflow) -> (Option<String>, Option<Millis>) {
        let by = fields.text("deleted_by");
        let reason = match (fields.text("delete_reason"), by) {
            (Some(reason), Some(by)) => Some(format!("{reason} (deleted by {by})")),
            (None, Some(by)) => Some(format!("deleted by {by}")),
            (reason, None) => reason,
        };
        let reason = reason.and_then(|reason| self.out.reason("delete_reason", &reason, overflow));
        (reason, fields.time("deleted_at"))
    }

    /// Who asked for it.
    pub(super) fn created_by(&mut self, fields: &mut Fields) -> String {
        let created_by = fields.text("created_by");
        let owner = fields.text("owner");
        if let Some(owner) = &owner {
            // Whom beads credits, an e-mail address: it says neither who works on the issue nor,
            // where somebody is named for that, who made it.
            let (section, what) = match &created_by {
                None => (Section::Fields, "owner -> creator, if nobody else is named"),
                Some(by) if by == owner => (Section::Fields, "owner -> creator"),
                Some(_) => (Section::NotCarried, "owner, if somebody else is the creator"),
            };
            self.out.tally.count(section, what);
        }
        let created_by = created_by
            .or(owner)
            .and_then(|name| self.out.name("created_by", &name));
        created_by.unwrap_or_else(|| {
            self.out
                .tally
                .count(Section::Fields, format!("no created_by -> {NOBODY}"));
            NOBODY.to_owned()
        })
    }

    pub(super) fn assignee(&mut self, assignee: Option<String>) -> Option<String> {
        let name = assignee?;
        self.out.tally.count(Section::Fields, "assignee -> assignee");
        self.out.name("assignee", &name)
    }

    /// The description, and under headings what has no field of its own here.
    pub(super) fn body(
        &mut self,
        fields: &mut Fields,
        full_title: Option<String>,
        references: &[String],
        labels: &[String],
    ) -> String {
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
        let body = under_list(body, "References", references);
        under_list(body, "Further labels", labels)
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

    pub(super) fn labels(&mut self, fields: &mut Fields, mut labels: Labels) -> (Vec<String>, Vec<String>) {
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

    pub(super) fn references(&mut self, fields: &mut Fields, labels: &mut Labels) -> References {
        let mut references = References::default();
        if let Some(target) = fields.text("external_ref") {
            self.out.reference("external_ref", &target, &mut references);
        }
        labels.0.append(&mut references.labels);
        references
    }

    pub(super) fn comments(&mut self, line: usize, fields: &mut Fields) -> Vec<ImportComment> {
        let mut comments = Vec::new();
        for (index, mut comment) in fields.objects("comments").into_iter().enumerate() {
            let text = comment.text("text").unwrap_or_default();
            let author = comment
                .text("author")
                .and_then(|name| self.out.name("comment author", &name));
            let id = comment.id("id").and_then(|id| self.out.name("comment id", &id));
            let at = comment.time("created_at").unwrap_or_default();
            let _ = comment.id("issue_id"); // The issue that it stands in.
            self.count_unknown_fields(line, "comments.", comment);
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
