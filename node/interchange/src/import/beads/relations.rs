//! The relations of one issue. Gathers; [`crate::import::relations`] makes them.

use towline_api::request::RelationKind;
use towline_proto::Millis;

use super::{BeadsImporter, Fields, NOBODY, ParsedRelation, external};

impl BeadsImporter {
    pub(super) fn read_relations(&mut self, line: usize, id: &str, record_at: Millis, fields: &mut Fields) {
        for mut relation in fields.objects("dependencies") {
            let from = relation.id("issue_id").unwrap_or_else(|| id.to_owned());
            let to = relation.id("depends_on_id");
            let word = relation.text("type").unwrap_or_else(|| "blocks".to_owned());
            let at = relation.time("created_at").unwrap_or_default();
            let by = relation
                .text("created_by")
                .and_then(|name| self.out.name("relation author", &name));
            let by = by.unwrap_or_else(|| NOBODY.to_owned());
            self.count_unknown_fields(line, "dependencies.", relation);
            let Some(to) = to else {
                let what = format!("a relation of {id} has no `depends_on_id`");
                self.out.problem(line, what);
                continue;
            };
            self.relations.push(ParsedRelation {
                file: None,
                line,
                from: external(&from),
                kind: kind(&word),
                to: external(&to),
                field: word,
                at,
                by,
                said_by: external(id),
                record_at,
                guessed: false,
            });
        }
    }
}

/// What a relation means here. Everything that keeps an issue out of the tracker's own list of ready work
/// keeps its item out of ours. Words are written with hyphens and with underscores.
fn kind(word: &str) -> RelationKind {
    match word.trim().to_ascii_lowercase().replace('_', "-").as_str() {
        "blocks" | "blocked-by" | "depends-on" | "requires" | "waits-for" | "conditional-blocks" => {
            RelationKind::DependsOn
        }
        "parent-child" | "child-of" => RelationKind::Epic,
        // `bd supersede OLD --with NEW` writes OLD as the issue and NEW as what it depends on.
        "supersedes" | "superseded-by" => RelationKind::SupersededBy,
        _ => RelationKind::Related,
    }
}
