//! What the fields of one GitHub issue become: kind, stage, labels, people, comments. One function a
//! field of ours; each counts what it did. Knows nothing of other issues.

use std::collections::BTreeSet;

use towline_api::request::{ImportComment, ImportStage, Part};
use towline_proto::{Column, Kind, LinkKind, Millis};

use super::{GithubImporter, NOBODY, Repository};
use crate::import::Section;
use crate::import::fields::Fields;

/// An issue of some repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// `owner/repo`, with the host before it where that is not github.com; empty where nobody says it.
    pub(super) repository: String,
    pub(super) number: u64,
}

impl Reference {
    /// From `https://github.com/owner/repo/issues/7`, whatever follows it.
    pub(super) fn from_url(url: &str) -> Option<Self> {
        let (_, rest) = url.trim().split_once("://")?;
        let mut parts = rest.split('/').filter(|part| !part.is_empty());
        let host = parts.next()?.to_ascii_lowercase();
        let (owner, repository) = (parts.next()?, parts.next()?);
        if parts.next()? != "issues" {
            return None;
        }
        let digits = parts.next()?.split(['#', '?']).next()?;
        let number = digits.parse().ok()?;
        let repository = match host.as_str() {
            "github.com" | "www.github.com" => format!("{owner}/{repository}"),
            host => format!("{host}/{owner}/{repository}"),
        };
        Some(Self { repository, number })
    }

    /// An issue of a repository.
    pub(super) fn of(repository: Option<&Repository>, number: u64) -> Self {
        Self {
            repository: repository.map_or_else(String::new, |named| named.as_str().to_owned()),
            number,
        }
    }

    /// Whether nobody says of which repository it is.
    pub(super) const fn is_unnamed(&self) -> bool {
        self.repository.is_empty()
    }

    /// The external reference of its item: in small letters, because GitHub does not tell `Acme` and
    /// `acme` apart.
    pub(super) fn external(&self) -> String {
        self.as_written().to_lowercase()
    }

    /// The reference that earlier versions gave.
    pub(super) fn as_written(&self) -> String {
        format!("github:{}#{}", self.repository, self.number)
    }

    /// Another issue of the same repository.
    pub(super) fn sibling(&self, number: u64) -> Self {
        Self {
            repository: self.repository.clone(),
            number,
        }
    }
}

/// Text as GitHub keeps it, which ends lines as browsers do, with line feeds alone.
pub(super) fn lines(text: Option<String>) -> String {
    text.unwrap_or_default().replace("\r\n", "\n")
}

/// The kind that a word stands for, be it the name of an issue type or a label such as `kind/bug`; and
/// whether it is the kind's own word.
fn kind_of(word: &str) -> Option<(Kind, bool)> {
    let word = word.trim().to_ascii_lowercase();
    let word = ["type", "kind", "category", "c", "t"]
        .iter()
        .filter_map(|prefix| word.strip_prefix(prefix))
        .find_map(|rest| rest.strip_prefix([':', '/', '-']))
        .unwrap_or(&word)
        .trim();
    Some(match word {
        "epic" => (Kind::Epic, true),
        "bug" | "defect" | "regression" => (Kind::Bug, true),
        "spike" | "research" | "investigation" => (Kind::Spike, true),
        "refactor" | "refactoring" | "cleanup" | "tech debt" | "tech-debt" => (Kind::Refactor, true),
        "story" | "user story" | "feature" | "enhancement" => (Kind::Story, true),
        "task" | "chore" => (Kind::Story, false),
        _ => return None,
    })
}

/// What a record says nothing about: fields that were not asked for. Asked before anything is taken out.
pub(super) fn silent(fields: &Fields) -> BTreeSet<Part> {
    let parts: [(Part, &[&str]); 9] = [
        (Part::Title, &["title"]),
        (Part::Body, &["body"]),
        (Part::Kind, &["issueType", "labels"]),
        (Part::Assignee, &["assignees"]),
        (Part::Stage, &["state", "closed"]),
        (Part::Labels, &["labels"]),
        (Part::Milestone, &["milestone"]),
        (Part::Projects, &["projectItems"]),
        (Part::Flags, &["isPinned"]),
    ];
    let absent = parts
        .into_iter()
        .filter(|(_, names)| names.iter().all(|name| !fields.has(name)));
    let mut silent: BTreeSet<Part> = absent.map(|(part, _)| part).collect();
    // GitHub has no priorities.
    silent.insert(Part::Priority);
    silent
}

impl GithubImporter {
    /// The labels as they are, and what else becomes one.
    pub(super) fn labels(&mut self, line: usize, of: &Reference, fields: &mut Fields) -> Vec<String> {
        let mut labels = Vec::new();
        for mut label in fields.objects("labels") {
            labels.extend(label.text("name"));
            self.out.tally.count(Section::Fields, "label -> label");
            self.count_unknown_fields(line, of, "labels.", label);
        }
        if fields.flag("isPinned") {
            self.out.tally.count(Section::Fields, "isPinned -> label");
            labels.push("pinned".to_owned());
        }
        if let Some(mut milestone) = fields.object("milestone") {
            if let Some(title) = milestone.text("title") {
                self.out.tally.count(Section::Fields, "milestone -> label");
                labels.push(format!("milestone:{title}"));
            }
            self.count_unknown_fields(line, of, "milestone.", milestone);
        }
        for mut item in fields.objects("projectItems") {
            if let Some(title) = item.text("title") {
                self.out.tally.count(Section::Fields, "projectItems -> label");
                labels.push(format!("project:{title}"));
            }
            self.count_unknown_fields(line, of, "projectItems.", item);
        }
        labels
    }

    /// The issue type where there is one, else the first label that names a kind.
    pub(super) fn kind(
        &mut self,
        line: usize,
        of: &Reference,
        fields: &mut Fields,
        labels: &mut Vec<String>,
    ) -> Kind {
        let word = fields.object("issueType").and_then(|mut issue_type| {
            let word = issue_type.text("name");
            self.count_unknown_fields(line, of, "issueType.", issue_type);
            word
        });
        if let Some(word) = word {
            let known = kind_of(&word);
            if !known.is_some_and(|(_, own)| own) {
                labels.push(format!("type:{}", word.to_lowercase()));
            }
            let kind = known.map_or(Kind::Story, |(kind, _)| kind);
            self.out
                .tally
                .count(Section::Kinds, format!("type {word} -> {kind}"));
            return kind;
        }
        // In the order in which one kind says more than another.
        let wanted = [Kind::Epic, Kind::Bug, Kind::Spike, Kind::Refactor, Kind::Story];
        let said = wanted.into_iter().find_map(|kind| {
            let is_it = |label: &&String| kind_of(label).is_some_and(|(named, _)| named == kind);
            labels.iter().find(is_it).map(|label| (label, kind))
        });
        let Some((label, kind)) = said else {
            self.out.tally.count(Section::Kinds, "no type or label -> story");
            return Kind::Story;
        };
        self.out
            .tally
            .count(Section::Kinds, format!("label {label} -> {kind}"));
        kind
    }

    /// Where the issue ends up, and whether it is closed.
    pub(super) fn stage(&mut self, fields: &mut Fields, labels: &mut Vec<String>) -> (ImportStage, bool) {
        let closed = fields.flag("closed");
        let state = fields
            .text("state")
            .unwrap_or_else(|| if closed { "CLOSED" } else { "OPEN" }.to_owned());
        let reason = fields.text("stateReason").unwrap_or_default();
        let backlog = ImportStage::Open {
            column: Column::Backlog,
        };
        let abandoned = |why: &str| ImportStage::Abandoned {
            reason: Some(why.to_owned()),
        };
        let (upper_state, upper_reason) = (state.to_ascii_uppercase(), reason.to_ascii_uppercase());
        let (stage, to) = match (upper_state.as_str(), upper_reason.as_str()) {
            ("CLOSED", "" | "COMPLETED") => (ImportStage::Done, "done"),
            ("CLOSED", "NOT_PLANNED") => (abandoned("not planned"), "abandoned"),
            ("CLOSED", "DUPLICATE") => {
                if !labels.iter().any(|label| label == "duplicate") {
                    labels.push("duplicate".to_owned());
                }
                (abandoned("duplicate"), "abandoned, labelled")
            }
            ("CLOSED", other) => {
                labels.push(format!("closed:{}", other.to_lowercase()));
                (ImportStage::Done, "done, labelled")
            }
            ("OPEN", "" | "REOPENED") => (backlog, "backlog"),
            (other, _) => {
                labels.push(format!("status:{}", other.to_lowercase()));
                (backlog, "backlog, labelled")
            }
        };
        let said = format!("{state} {reason}");
        self.out
            .tally
            .count(Section::Stages, format!("{} -> {to}", said.trim()));
        (stage, upper_state == "CLOSED")
    }

    /// What a person is called.
    pub(super) fn login(
        &mut self,
        line: usize,
        of: &Reference,
        field: &str,
        person: Option<Fields>,
    ) -> Option<String> {
        let mut person = person?;
        let login = person.text("login");
        self.count_unknown_fields(line, of, &format!("{field}."), person);
        self.out.name(field, &login?)
    }

    /// The first assignee; the others become labels, because an item has one.
    pub(super) fn assignees(
        &mut self,
        line: usize,
        of: &Reference,
        fields: &mut Fields,
        labels: &mut Vec<String>,
    ) -> Option<String> {
        let mut first = None;
        for person in fields.objects("assignees") {
            let Some(login) = self.login(line, of, "assignees", Some(person)) else {
                continue;
            };
            if first.is_none() {
                self.out.tally.count(Section::Fields, "assignee -> assignee");
                first = Some(login);
            } else {
                self.out.tally.count(Section::Fields, "further assignee -> label");
                labels.push(format!("assignee:{login}"));
            }
        }
        first
    }

    pub(super) fn comments(
        &mut self,
        line: usize,
        of: &Reference,
        created_at: Millis,
        fields: &mut Fields,
    ) -> Vec<ImportComment> {
        let mut comments = Vec::new();
        for (index, mut comment) in fields.objects("comments").into_iter().enumerate() {
            let text = lines(comment.text("body"));
            let author = self.login(line, of, "comments.author", comment.object("author"));
            let id = comment.id("id").and_then(|id| self.out.name("comment id", &id));
            let at = comment.time("createdAt").unwrap_or(created_at);
            self.count_unknown_fields(line, of, "comments.", comment);
            comments.push(ImportComment {
                id: id.unwrap_or_else(|| format!("#{index}")),
                author: author.unwrap_or_else(|| NOBODY.to_owned()),
                at,
                text,
            });
        }
        comments
    }

    pub(super) fn pull_requests(
        &mut self,
        line: usize,
        of: &Reference,
        fields: &mut Fields,
    ) -> Vec<(LinkKind, String)> {
        let mut links = Vec::new();
        for mut request in fields.nodes("closedByPullRequestsReferences") {
            let number = request.number("number");
            let target = request
                .text("url")
                .or_else(|| number.map(|number| format!("{}#{number}", of.repository)));
            self.count_unknown_fields(line, of, "closedByPullRequestsReferences.", request);
            let Some(target) = target.and_then(|target| self.out.name("pull request", &target)) else {
                continue;
            };
            self.out.tally.count(
                Section::Fields,
                "closedByPullRequestsReferences -> pull-request link",
            );
            links.push((LinkKind::PullRequest, target));
        }
        links
    }
}
