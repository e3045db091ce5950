//! Relations between imported items: collected while a source is read, made when all items are known.
//!
//! An item that has parts becomes an epic, whatever sort of work it was, because nothing else can have
//! parts here. A relation to an item that the source does not have is kept: the project may have it from
//! before, or keeps it as a link. Knows nothing of any format.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use towline_api::request::{ImportItem, ImportRelation, ImportStage, Part, RelationKind};
use towline_proto::{Kind, Millis};

use super::{Parsed, Section};

/// A relation as it stands in the source, its ends by their external references.
#[derive(Debug)]
pub(super) struct ParsedRelation {
    pub(super) file: Option<String>,
    pub(super) line: usize,
    /// The field or the word that says it.
    pub(super) field: String,
    pub(super) from: String,
    pub(super) kind: RelationKind,
    pub(super) to: String,
    pub(super) at: Millis,
    pub(super) by: String,
    /// The record that says it.
    pub(super) said_by: String,
    /// When that record last changed; 0 where it does not say.
    pub(super) record_at: Millis,
    /// Whether it is only taken where both ends are there, because the words are a guess.
    pub(super) guessed: bool,
}

/// What is known of the items while relations are made.
#[derive(Debug, Default)]
struct KnownItems {
    places: BTreeMap<String, usize>,
    /// The epic of each part.
    epics: BTreeMap<String, String>,
    /// Items with parts, also those whose parts are in no file that was read.
    with_parts: BTreeSet<usize>,
}

impl KnownItems {
    /// What a relation becomes and how that is counted; why it is left out.
    fn judge(
        &mut self,
        relation: &ParsedRelation,
        items: &[ImportItem],
    ) -> Result<(RelationKind, &'static str), &'static str> {
        if relation.from == relation.to {
            return Err("it refers to itself");
        }
        if relation.kind == RelationKind::Epic && is_within(&self.epics, &relation.to, &relation.from) {
            return Err("that would be a cycle");
        }
        if relation.kind == RelationKind::Epic {
            self.with_parts.extend(self.places.get(&relation.to).copied());
        }
        Ok(match relation.kind {
            RelationKind::Epic => match self.epics.get(&relation.from) {
                Some(epic) if *epic != relation.to => {
                    (RelationKind::Related, "related, because it already has an epic")
                }
                Some(_) => (RelationKind::Epic, "epic"),
                None => {
                    self.epics.insert(relation.from.clone(), relation.to.clone());
                    (RelationKind::Epic, "epic")
                }
            },
            RelationKind::DependsOn => (RelationKind::DependsOn, "depends on"),
            RelationKind::SupersededBy => {
                let from = self
                    .places
                    .get(&relation.from)
                    .and_then(|place| items.get(*place));
                (RelationKind::SupersededBy, superseded(from))
            }
            RelationKind::Related => (RelationKind::Related, "related"),
        })
    }
}

impl Parsed {
    /// Turns what was read into relations, now that every item is known.
    pub(super) fn make_relations(&mut self, relations: Vec<ParsedRelation>) {
        let mut known = KnownItems::default();
        for (place, item) in self.items.iter().enumerate() {
            // An id that several issues have is in the source too.
            for name in item.record.shared.iter().chain([&item.external]) {
                known.places.entry(name.clone()).or_insert(place);
            }
        }
        let mut seen = HashSet::new();
        for relation in relations {
            let ends = [&relation.from, &relation.to];
            let missing = ends
                .into_iter()
                .filter(|end| !known.places.contains_key(*end))
                .count();
            if missing > 0 && relation.guessed {
                continue;
            }
            let (kind, to) = match known.judge(&relation, &self.items) {
                Ok(judged) => judged,
                Err(wrong) => {
                    let what = format!(
                        "{} from {} to {} was skipped: {wrong}",
                        relation.field, relation.from, relation.to
                    );
                    self.problem_at(relation.file, relation.line, what);
                    continue;
                }
            };
            if !seen.insert((relation.from.clone(), kind, relation.to.clone())) {
                // Sources say many relations at both ends.
                self.tally
                    .count(Section::Relations, format!("{} -> repeated", relation.field));
                continue;
            }
            let outside = if missing > 0 {
                ", one end is not in the file"
            } else {
                ""
            };
            self.tally
                .count(Section::Relations, format!("{} -> {to}{outside}", relation.field));
            self.relations.push(ImportRelation {
                from: relation.from,
                kind,
                to: relation.to,
                at: relation.at,
                by: relation.by,
                said_by: relation.said_by,
                record_at: relation.record_at,
            });
        }
        for place in known.with_parts {
            let Some(item) = self.items.get_mut(place) else {
                continue;
            };
            item.record.silent.remove(&Part::Kind);
            if item.kind != Kind::Epic {
                let what = format!("{} with parts -> epic", item.kind);
                item.kind = Kind::Epic;
                self.tally.count(Section::Kinds, what);
            }
        }
    }
}

/// What a relation to a successor becomes: an item that has ended otherwise cannot be superseded.
fn superseded(from: Option<&ImportItem>) -> &'static str {
    let is_open = |item: &ImportItem| matches!(item.stage, ImportStage::Open { .. });
    if from.is_none_or(is_open) {
        "superseded by"
    } else {
        "related, because it is already closed"
    }
}

/// Whether an item is part of another, directly or not. Terminates, because a relation that would close a cycle is
/// not entered.
fn is_within(epics: &BTreeMap<String, String>, item: &str, epic: &str) -> bool {
    let mut at = item;
    while let Some(above) = epics.get(at) {
        if above == epic {
            return true;
        }
        at = above;
    }
    false
}
