//! Relations between issues: gathered while issues are read, made once all of them are known.

use std::collections::{BTreeSet, HashSet};

use towline_proto::{Kind, Millis};

use super::{Fields, Import, NOBODY, Section, external};
use crate::import::edges::superseded;
use crate::request::{ImportRelation, RelationKind};

/// A relation as it stands in the file, until all issues are known.
#[derive(Debug)]
pub(super) struct Edge {
    line: usize,
    from: String,
    to: String,
    word: String,
    at: Millis,
    by: String,
}

impl Import {
    pub(super) fn edges(&mut self, line: usize, id: &str, fields: &mut Fields) {
        for mut edge in fields.objects("dependencies") {
            let from = edge.id("issue_id").unwrap_or_else(|| id.to_owned());
            let to = edge.id("depends_on_id");
            let word = edge.text("type").unwrap_or_else(|| "blocks".to_owned());
            let at = edge.time("created_at").unwrap_or_default();
            let by = edge
                .text("created_by")
                .and_then(|name| self.out.name("relation author", &name));
            let by = by.unwrap_or_else(|| NOBODY.to_owned());
            self.leftovers(line, "dependencies.", edge);
            match to {
                Some(to) => self.edges.push(Edge {
                    line,
                    from,
                    to,
                    word,
                    at,
                    by,
                }),
                None => self
                    .out
                    .problem(line, format!("a relation of {id} has no `depends_on_id`")),
            }
        }
    }

    /// Turns edges into relations, now that every issue is known.
    pub(super) fn relate(&mut self) {
        let mut seen = HashSet::new();
        let mut in_epic = BTreeSet::new();
        for edge in std::mem::take(&mut self.edges) {
            let Edge {
                line,
                from,
                to,
                word,
                at,
                by,
            } = edge;
            let ends = (self.known.get(&from), self.known.get(&to));
            let (Some((_, _, place)), Some((_, parent, _))) = ends else {
                let missing = if ends.0.is_none() { &from } else { &to };
                let what = format!("{word} of {from} on {to}: no issue {missing} in this file");
                self.out.problem(line, what);
                continue;
            };
            if from == to {
                self.out.problem(line, format!("{word} of {from} on itself"));
                continue;
            }
            let (kind, to_word) = match word.as_str() {
                "blocks" => (RelationKind::DependsOn, "depends on"),
                "parent-child" if *parent != Kind::Epic => {
                    (RelationKind::Related, "related, because the parent is no epic")
                }
                "parent-child" if in_epic.insert(from.clone()) => (RelationKind::Epic, "epic"),
                "parent-child" => (RelationKind::Related, "related, because it has an epic already"),
                // `bd supersede OLD --with NEW` writes OLD as the issue and NEW as what it depends on.
                "supersedes" => {
                    let from = self.out.items.get(*place);
                    (RelationKind::SupersededBy, superseded(from))
                }
                _ => (RelationKind::Related, "related"),
            };
            let (from, to) = (external(&from), external(&to));
            if !seen.insert((from.clone(), kind, to.clone())) {
                self.out
                    .tally
                    .count(Section::NotCarried, "relations that say the same again");
                continue;
            }
            self.out
                .tally
                .count(Section::Relations, format!("{word} -> {to_word}"));
            self.out.relations.push(ImportRelation {
                from,
                kind,
                to,
                at,
                by,
            });
        }
    }
}
