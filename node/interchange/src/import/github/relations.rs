//! Relations of one GitHub issue: its parent and parts, what it waits for and what waits for it, and
//! what it is a duplicate of. Gathers; [`crate::import::relations`] makes them.

use towline_api::request::{ImportComment, ImportStage, RelationKind};
use towline_proto::Millis;

use super::GithubImporter;
use super::parts::Reference;
use crate::import::fields::Fields;
use crate::import::relations::ParsedRelation;

/// Whose relations they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct RelationContext<'a> {
    pub(super) line: usize,
    pub(super) of: &'a Reference,
    pub(super) external: &'a str,
    pub(super) at: Millis,
    pub(super) by: &'a str,
    pub(super) record_at: Millis,
}

impl GithubImporter {
    pub(super) fn gather(
        &mut self,
        context: &RelationContext<'_>,
        fields: &mut Fields,
        stage: &ImportStage,
        comments: &[ImportComment],
    ) {
        // What follows from the sub-issues themselves.
        let _ = fields.object("subIssuesSummary");
        let parent = fields.object("parent").into_iter().collect();
        self.ends(context, "parent", RelationKind::Epic, false, parent);
        for (field, kind, backwards) in [
            ("subIssues", RelationKind::Epic, true),
            ("blockedBy", RelationKind::DependsOn, false),
            ("blocking", RelationKind::DependsOn, true),
        ] {
            let ends = fields.nodes(field);
            self.ends(context, field, kind, backwards, ends);
        }
        if *stage
            == (ImportStage::Abandoned {
                reason: Some("duplicate".to_owned()),
            })
        {
            let said = comments.iter().rev().find_map(|comment| {
                let target = comment.text.trim();
                duplicate_of(context.of, target)
            });
            if let Some(of) = said {
                self.relation(
                    context,
                    "duplicate",
                    RelationKind::SupersededBy,
                    false,
                    of.external(),
                );
            }
        }
    }

    fn ends(
        &mut self,
        context: &RelationContext<'_>,
        field: &'static str,
        kind: RelationKind,
        backwards: bool,
        ends: Vec<Fields>,
    ) {
        for mut end in ends {
            let number = end.number("number");
            let url = end.text("url");
            let other = match (url.as_deref().and_then(Reference::from_url), number) {
                (Some(other), _) => Some(other),
                (None, Some(number)) => u64::try_from(number)
                    .ok()
                    .map(|number| context.of.sibling(number)),
                (None, None) => None,
            };
            // Title and state stand in the other issue, where they are newer.
            for known in ["id", "title", "state", "repository"] {
                end.forget(known);
            }
            self.count_unknown_fields(context.line, context.of, &format!("{field}."), end);
            match other {
                Some(other) => self.relation(context, field, kind, backwards, other.external()),
                None => {
                    let number = context.of.number;
                    let what = format!("#{number}: a `{field}` has neither `number` nor `url`");
                    self.out.problem(context.line, what);
                }
            }
        }
    }

    fn relation(
        &mut self,
        context: &RelationContext<'_>,
        field: &'static str,
        kind: RelationKind,
        backwards: bool,
        other: String,
    ) {
        let (from, to) = if backwards {
            (other, context.external.to_owned())
        } else {
            (context.external.to_owned(), other)
        };
        self.relations.push(ParsedRelation {
            file: None,
            line: context.line,
            field: field.to_owned(),
            from,
            kind,
            to,
            at: context.at,
            by: context.by.to_owned(),
            said_by: context.external.to_owned(),
            record_at: context.record_at,
            guessed: field == "duplicate",
        });
    }
}

/// What a comment says that the issue is a duplicate of, in the words that GitHub knows: `Duplicate of
/// #7`, `Duplicate of owner/repo#7`, or with an address.
fn duplicate_of(of: &Reference, comment: &str) -> Option<Reference> {
    let words = "duplicate of ";
    let target = comment
        .get(..words.len())
        .filter(|start| start.eq_ignore_ascii_case(words))
        .and_then(|_| comment.get(words.len()..))?;
    let target = target.split_whitespace().next()?.trim_end_matches('.');
    if let Some(number) = target.strip_prefix('#') {
        return number.parse().ok().map(|number| of.sibling(number));
    }
    if target.contains("://") {
        return Reference::from_url(target);
    }
    let (repository, number) = target.split_once('#')?;
    Some(Reference {
        repository: repository.to_owned(),
        number: number.parse().ok()?,
    })
}
