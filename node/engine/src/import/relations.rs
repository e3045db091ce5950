//! Imports relations between items.
//!
//! A relation is made once. One that somebody removed here stays removed, and one from an outdated record is
//! not made. If one end is not in the project, the other item gets a link that describes the relation; when
//! both exist, another import turns it into a relation. Works on the current items.

use towline_api::request::{Failure, IMPORT_CHUNK, ImportRelation, RelationKind};
use towline_api::types::ImportReport;
use towline_crdt::compose::Draft;
use towline_crdt::doc::Acts;
use towline_crdt::view::ItemView;
use towline_proto::{Closing, ItemId, Kind, LinkKind, Op, OriginKind, limits, text};

use super::draft::{NEVER, origin};
use super::update::record_at;
use crate::Project;
use crate::pending_batch::Work;
use crate::query::QueryContext;

/// What to do about a relation.
enum RelationPlan {
    /// It exists, or somebody removed it here.
    Exists,
    /// The record that contains it is older than the item.
    Outdated,
    /// It is to be made: the operations and their items.
    Make(Vec<(ItemId, Op)>),
    /// One end does not exist: the other item gets a link.
    Link(ItemId, Op),
    /// It cannot be made.
    Invalid(String),
}

/// The words for a relation, from either end.
const fn words(kind: RelationKind) -> (&'static str, &'static str) {
    match kind {
        RelationKind::DependsOn => ("waits for", "is waited for by"),
        RelationKind::Epic => ("part of", "has part"),
        RelationKind::Related => ("related to", "related to"),
        RelationKind::SupersededBy => ("superseded by", "takes the place of"),
    }
}

impl Project {
    /// Makes relations between imported items.
    pub(crate) fn import_relations(
        &mut self,
        relations: Vec<ImportRelation>,
        dry_run: bool,
    ) -> Result<ImportReport, Failure> {
        if relations.len() > IMPORT_CHUNK {
            return Err(super::too_many());
        }
        let mut report = ImportReport::default();
        for relation in relations {
            let (ops, is_link) = match self.query().plan_relation(&relation)? {
                RelationPlan::Exists => {
                    report.related_before += 1;
                    continue;
                }
                RelationPlan::Outdated => {
                    report.related_older += 1;
                    continue;
                }
                RelationPlan::Invalid(problem) => {
                    report.problems.push(problem);
                    continue;
                }
                RelationPlan::Make(ops) => (ops, false),
                RelationPlan::Link(item, op) => (vec![(item, op)], true),
            };
            if !dry_run && let Err(failure) = self.write_related(&relation, ops) {
                let what = format!("{} to {}: {failure}", relation.from, relation.to);
                report.problems.push(what);
            } else if is_link {
                report.linked += 1;
            } else {
                report.related += 1;
            }
        }
        Ok(report)
    }

    fn write_related(&mut self, relation: &ImportRelation, ops: Vec<(ItemId, Op)>) -> Result<(), Failure> {
        for (item, op) in ops {
            let row = self.index.get(&item);
            // Within the lifetime of the item according to its record, so that both stay in order.
            let within = |row: ItemView| match relation.at {
                NEVER => row.created_at,
                at => at.min(row.updated_at).max(row.created_at),
            };
            let draft = Draft {
                op,
                origin: origin(&relation.by),
                at: row.map_or(relation.at, within),
                request: None,
            };
            self.write(Work {
                item: Some(item),
                drafts: vec![draft],
                ..Work::default()
            })?;
        }
        Ok(())
    }
}

impl QueryContext<'_> {
    /// The item at one end of a relation, given by a reference or an id.
    fn end(&self, reference: &str) -> Option<ItemView> {
        let id = match reference.parse::<ItemId>() {
            Ok(id) => Some(id),
            Err(_) => self.index.by_external(reference),
        };
        self.index.get(&id?)
    }

    fn plan_relation(&self, relation: &ImportRelation) -> Result<RelationPlan, Failure> {
        let (from, to) = (self.end(&relation.from), self.end(&relation.to));
        if from.iter().chain(&to).any(|row| row.purged) {
            return Ok(RelationPlan::Exists);
        }
        match (from, to) {
            (Some(from), Some(to)) => self.plan_between(relation, &from, &to),
            (Some(from), None) => self.plan_link(relation, &from, words(relation.kind).0, &relation.to),
            (None, Some(to)) => self.plan_link(relation, &to, words(relation.kind).1, &relation.from),
            (None, None) => {
                let (from, to) = (&relation.from, &relation.to);
                Ok(RelationPlan::Invalid(format!(
                    "neither {from} nor {to} is in the project"
                )))
            }
        }
    }

    /// Whether the record that contains a relation is older than the one that its item was updated from.
    fn is_older(&self, relation: &ImportRelation) -> Result<bool, Failure> {
        if relation.record_at == NEVER {
            return Ok(false);
        }
        let Some(row) = self.end(&relation.said_by) else {
            return Ok(false);
        };
        let doc = self.doc(&row.id)?;
        Ok(record_at(doc.acts()).is_some_and(|known| relation.record_at < known))
    }

    /// A relation with one missing end, as a link of the other item.
    fn plan_link(
        &self,
        relation: &ImportRelation,
        row: &ItemView,
        words: &str,
        other: &str,
    ) -> Result<RelationPlan, Failure> {
        let target = outside_link(words, other);
        if text::name(&target).is_err() {
            return Ok(RelationPlan::Invalid(format!(
                "{} {words} {other}, which is not in the project and cannot be kept as a link",
                relation.said_by
            )));
        }
        let op = Op::AddLink {
            kind: LinkKind::External,
            target,
        };
        if is_so(row, &op) || self.was_made(row, &op)? {
            return Ok(RelationPlan::Exists);
        }
        if self.is_older(relation)? {
            return Ok(RelationPlan::Outdated);
        }
        Ok(RelationPlan::Link(row.id, op))
    }

    /// A relation between two existing items.
    fn plan_between(
        &self,
        relation: &ImportRelation,
        from: &ItemView,
        to: &ItemView,
    ) -> Result<RelationPlan, Failure> {
        let op = op(relation.kind, from, to);
        if self.is_made(relation)? {
            return Ok(RelationPlan::Exists);
        }
        if self.is_older(relation)? {
            return Ok(RelationPlan::Outdated);
        }
        if relation.kind == RelationKind::DependsOn && self.index.depends_on(&to.id, &from.id) {
            let (from, to) = (&relation.from, &relation.to);
            let what = format!("{from} cannot wait for {to}: that would be a cycle");
            return Ok(RelationPlan::Invalid(what));
        }
        let mut ops = Vec::new();
        if relation.kind == RelationKind::Epic && to.kind != Kind::Epic {
            // Only epics can have children.
            ops.push((to.id, Op::SetKind { kind: Kind::Epic }));
        }
        ops.push((from.id, op));
        // The links that replaced the relation while one end was missing.
        let (there, back) = words(relation.kind);
        for (row, words, other) in [(from, there, &relation.to), (to, back, &relation.from)] {
            let target = outside_link(words, other);
            let kind = LinkKind::External;
            if row
                .links
                .iter()
                .any(|link| link.kind == kind && link.target == target)
            {
                ops.push((row.id, Op::RemoveLink { kind, target }));
            }
        }
        Ok(RelationPlan::Make(ops))
    }

    /// Whether a relation exists, or was made and removed again, between any two items that its ends may
    /// refer to.
    fn is_made(&self, relation: &ImportRelation) -> Result<bool, Failure> {
        let tos = self.ends(&relation.to);
        for from in self.ends(&relation.from) {
            for to in &tos {
                let by = to.id;
                let op = op(relation.kind, &from, to);
                let is_superseded = relation.kind == RelationKind::SupersededBy
                    && from.closing == Some(Closing::Superseded { by });
                if is_superseded || is_so(&from, &op) || self.was_made(&from, &op)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// All items that one end of a relation may refer to.
    fn ends(&self, reference: &str) -> Vec<ItemView> {
        match reference.parse::<ItemId>() {
            Ok(id) => self.index.get(&id).into_iter().collect(),
            Err(_) => {
                let named = self.index.all_by_external(reference);
                named.filter(|row| !row.purged).collect()
            }
        }
    }

    /// Whether the last act of an import about a relation was to make it: if it does not exist, somebody
    /// removed it here.
    fn was_made(&self, row: &ItemView, op: &Op) -> Result<bool, Failure> {
        let doc = self.doc(&row.id)?;
        Ok(last_of_imports(doc.acts(), op).is_some_and(|last| last == op))
    }
}

fn last_of_imports<'a>(acts: &'a Acts, op: &Op) -> Option<&'a Op> {
    let is_about = |other: &Op| match (other, op) {
        (Op::SetEpic { .. }, Op::SetEpic { .. }) => true,
        (Op::AddDependency { on } | Op::RemoveDependency { on }, Op::AddDependency { on: of }) => on == of,
        (
            Op::AddLink { kind, target } | Op::RemoveLink { kind, target },
            Op::AddLink {
                kind: of_kind,
                target: of,
            },
        ) => kind == of_kind && target == of,
        (Op::Supersede { by }, Op::Supersede { by: of }) => by == of,
        _ => false,
    };
    let of_imports = acts
        .iter()
        .filter(|(_, record)| record.act.origin.kind == OriginKind::Import && is_about(&record.act.op));
    let seen: std::collections::BTreeSet<_> = of_imports
        .clone()
        .flat_map(|(_, record)| record.act.saw.iter().copied())
        .collect();
    let last = of_imports
        .filter(|(id, _)| !seen.contains(*id))
        .max_by_key(|(id, record)| (record.act.at, **id));
    last.map(|(_, record)| &record.act.op)
}

/// The operation that makes a relation.
fn op(kind: RelationKind, from: &ItemView, to: &ItemView) -> Op {
    match kind {
        RelationKind::DependsOn => Op::AddDependency { on: to.id },
        RelationKind::Epic => Op::SetEpic { epic: Some(to.id) },
        RelationKind::SupersededBy if from.column.is_open() && !from.deleted => Op::Supersede { by: to.id },
        RelationKind::SupersededBy | RelationKind::Related => Op::AddLink {
            kind: LinkKind::Related,
            target: to.id.to_string(),
        },
    }
}

/// Whether the result of an operation exists already.
fn is_so(row: &ItemView, op: &Op) -> bool {
    match op {
        Op::AddDependency { on } => row.depends_on.contains(on),
        Op::SetEpic { epic } => row.epic == *epic,
        Op::AddLink { kind, target } => row
            .links
            .iter()
            .any(|link| link.kind == *kind && link.target == *target),
        _ => false,
    }
}

/// A link in words: it does not begin like a reference, so that no import mistakes its item for the other
/// one.
fn outside_link(words: &str, other: &str) -> String {
    text::fit_line(&format!("{words} {other}"), limits::NAME_CHARS + 1).0
}
