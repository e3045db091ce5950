//! Relations between imported items: gathered while a source is read, made once all items are known.
//!
//! An item that has parts becomes an epic, whatever sort of work it was, because nothing else can have
//! parts here. Knows nothing of any format.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use towline_proto::{Kind, Millis};

use super::{Parsed, Section};
use crate::request::{ImportItem, ImportRelation, ImportStage, RelationKind};

/// A relation as it stands in the source, its ends by their external references.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) file: Option<String>,
    pub(super) line: usize,
    /// The field that says it.
    pub(super) field: &'static str,
    pub(super) from: String,
    pub(super) kind: RelationKind,
    pub(super) to: String,
    pub(super) at: Millis,
    pub(super) by: String,
    /// Whether it is only taken where both ends are there, because the words are a guess.
    pub(super) guessed: bool,
}

impl Parsed {
    /// Turns edges into relations, now that every item is known.
    pub(super) fn relate(&mut self, edges: Vec<Edge>) {
        let places: BTreeMap<String, usize> = self
            .items
            .iter()
            .enumerate()
            .map(|(place, item)| (item.external.clone(), place))
            .collect();
        let mut seen = HashSet::new();
        let mut epics: BTreeMap<String, String> = BTreeMap::new();
        // Also those whose parts are in no file that was read.
        let mut with_parts = BTreeSet::new();
        for edge in edges {
            if edge.kind == RelationKind::Epic && edge.from != edge.to {
                with_parts.extend(places.get(&edge.to).copied());
            }
            let missing = [&edge.from, &edge.to]
                .into_iter()
                .find(|end| !places.contains_key(*end));
            let wrong = match missing {
                Some(_) if edge.guessed => continue,
                Some(end) => Some(format!("{end} was not read")),
                None if edge.from == edge.to => Some("it names itself".to_owned()),
                None if edge.kind == RelationKind::Epic && is_within(&epics, &edge.to, &edge.from) => {
                    Some("that would be a circle".to_owned())
                }
                None => None,
            };
            if let Some(wrong) = wrong {
                let what = format!(
                    "{} of {} and {} is left out: {wrong}",
                    edge.field, edge.from, edge.to
                );
                self.problem_at(edge.file, edge.line, what);
                continue;
            }
            let (kind, to) = match edge.kind {
                RelationKind::Epic => match epics.get(&edge.from) {
                    Some(epic) if *epic != edge.to => {
                        (RelationKind::Related, "related, because it has an epic already")
                    }
                    Some(_) => (RelationKind::Epic, "epic"),
                    None => {
                        epics.insert(edge.from.clone(), edge.to.clone());
                        (RelationKind::Epic, "epic")
                    }
                },
                RelationKind::DependsOn => (RelationKind::DependsOn, "depends on"),
                RelationKind::SupersededBy => {
                    let from = places.get(&edge.from).and_then(|place| self.items.get(*place));
                    (RelationKind::SupersededBy, superseded(from))
                }
                RelationKind::Related => (RelationKind::Related, "related"),
            };
            if !seen.insert((edge.from.clone(), kind, edge.to.clone())) {
                // Sources say many relations at both ends.
                self.tally
                    .count(Section::Relations, format!("{} -> said before", edge.field));
                continue;
            }
            self.tally
                .count(Section::Relations, format!("{} -> {to}", edge.field));
            self.relations.push(ImportRelation {
                from: edge.from,
                kind,
                to: edge.to,
                at: edge.at,
                by: edge.by,
            });
        }
        for place in with_parts {
            let Some(item) = self.items.get_mut(place) else {
                continue;
            };
            if item.kind != Kind::Epic {
                let what = format!("{} with parts -> epic", item.kind);
                item.kind = Kind::Epic;
                self.tally.count(Section::Kinds, what);
            }
        }
    }
}

/// What a relation to a successor becomes: an item that has ended otherwise cannot be superseded.
pub(super) fn superseded(from: Option<&ImportItem>) -> &'static str {
    let is_open = |item: &ImportItem| matches!(item.stage, ImportStage::Open { .. });
    if from.is_none_or(is_open) {
        "superseded by"
    } else {
        "related, because it is closed already"
    }
}

/// Whether an item is part of another, however far down. Ends, because what would make a circle is not
/// entered.
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
