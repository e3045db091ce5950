//! Bringing in items from another tracker, and bringing them up to date.
//!
//! An item is found again by its external reference. The hash of the foreign record that it was made
//! from is kept in the item, so the same record again changes nothing, even where somebody edited the
//! item here since; a record that changed over there is compared field by field.

mod criteria;
mod draft;

use std::collections::BTreeSet;

use towline_crdt::compose::{BodyEdit, Draft};
use towline_proto::{ItemId, LinkKind, Op};

use criteria::update_criteria;
use draft::{Drafting, digest, new_item, origin, update_stage};

use super::Project;
use super::stage::Work;
use crate::dto::ImportReport;
use crate::request::{Failure, FailureCode, IMPORT_CHUNK, ImportItem, ImportRelation, RelationKind};

fn too_many() -> Failure {
    let message = format!("at most {IMPORT_CHUNK} items or relations go into one import request");
    Failure::new(FailureCode::Usage, message)
}

impl Project {
    /// Makes and updates items.
    pub(crate) fn import_items(
        &mut self,
        items: Vec<ImportItem>,
        dry_run: bool,
    ) -> Result<ImportReport, Failure> {
        if items.len() > IMPORT_CHUNK {
            return Err(too_many());
        }
        let mut report = ImportReport::default();
        let mut works = Vec::new();
        let mut number = self.index.next_number();
        let mut seen = BTreeSet::new();
        for item in &items {
            if !seen.insert(item.external.as_str()) {
                report.problems.push(format!(
                    "{} stands twice in the file; the first was taken",
                    item.external
                ));
                continue;
            }
            match self.index.by_external(&item.external) {
                None => {
                    report.created += 1;
                    works.push((item.external.clone(), new_item(item, number)));
                    number = number.saturating_add(1);
                }
                Some(id) => match self.update_item(&id, item)? {
                    None => report.unchanged += 1,
                    Some(work) => {
                        report.updated += 1;
                        works.push((item.external.clone(), work));
                    }
                },
            }
        }
        if dry_run {
            return Ok(report);
        }
        let (names, works): (Vec<_>, Vec<_>) = works.into_iter().unzip();
        for (name, result) in names.iter().zip(self.write_batch(works)?) {
            if let Err(failure) = result {
                report.problems.push(format!("{name}: {failure}"));
            }
        }
        Ok(report)
    }

    /// What brings an item up to date, or nothing when the record is the one it was made from.
    pub(super) fn update_item(&mut self, id: &ItemId, item: &ImportItem) -> Result<Option<Work>, Failure> {
        let digest = digest(item);
        let Some(row) = self.index.get(id) else {
            return Ok(None);
        };
        // An act beside a purge that had not seen it would bring the item back.
        if row.purged || row.imported.as_ref() == Some(&digest) {
            return Ok(None);
        }
        let mut drafting = Drafting::new(item);
        if row.title != item.title {
            drafting.changed(Op::SetTitle {
                title: item.title.clone(),
            });
        }
        if row.kind != item.kind {
            drafting.changed(Op::SetKind { kind: item.kind });
        }
        if row.priority != item.priority {
            drafting.changed(Op::SetPriority {
                priority: item.priority,
            });
        }
        if row.assignee != item.assignee {
            drafting.changed(Op::Assign {
                who: item.assignee.clone(),
            });
        }
        for label in item.labels.iter().filter(|label| !row.labels.contains(label)) {
            drafting.changed(Op::AddLabel { label: label.clone() });
        }
        for (kind, target) in &item.links {
            if !row
                .links
                .iter()
                .any(|link| link.kind == *kind && link.target == *target)
            {
                drafting.changed(Op::AddLink {
                    kind: *kind,
                    target: target.clone(),
                });
            }
        }
        let doc = self.doc(id)?;
        let said: BTreeSet<_> = doc
            .acts()
            .values()
            .filter_map(|record| match &record.act.op {
                Op::Comment { text } => Some((record.act.at, text.as_str())),
                _ => None,
            })
            .collect();
        for comment in item
            .comments
            .iter()
            .filter(|comment| !said.contains(&(comment.at, comment.text.as_str())))
        {
            drafting.at(
                comment.at,
                &comment.author,
                Op::Comment {
                    text: comment.text.clone(),
                },
            );
        }
        update_criteria(&mut drafting, &row, doc.acts());
        update_stage(&mut drafting, &row);
        let body = doc
            .body()
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
        let body = (body != item.body).then(|| BodyEdit {
            base: None,
            text: item.body.clone(),
        });
        if body.is_some() {
            drafting.changed(Op::EditBody);
        }
        drafting.changed(Op::MarkImport { digest });
        Ok(Some(drafting.work(Some(*id), body)))
    }

    /// Makes relations between items that were imported before.
    pub(crate) fn import_relations(
        &mut self,
        relations: Vec<ImportRelation>,
        dry_run: bool,
    ) -> Result<ImportReport, Failure> {
        if relations.len() > IMPORT_CHUNK {
            return Err(too_many());
        }
        let mut report = ImportReport::default();
        for relation in relations {
            let op = match self.relation_op(&relation) {
                Ok(op) => op,
                Err(problem) => {
                    report.problems.push(problem);
                    continue;
                }
            };
            let Some((from, op)) = op else {
                report.related_before += 1;
                continue;
            };
            report.related += 1;
            if dry_run {
                continue;
            }
            let draft = Draft {
                op,
                origin: origin(&relation.by),
                at: relation.at,
            };
            if let Err(failure) = self.write(Work {
                item: Some(from),
                drafts: vec![draft],
                ..Work::default()
            }) {
                report.related -= 1;
                report
                    .problems
                    .push(format!("{} to {}: {failure}", relation.from, relation.to));
            }
        }
        Ok(report)
    }

    /// The operation that makes a relation; nothing when it is there already.
    fn relation_op(&self, relation: &ImportRelation) -> Result<Option<(ItemId, Op)>, String> {
        let find = |reference: &str| {
            let id = self.index.by_external(reference);
            id.and_then(|id| self.index.get(&id))
                .ok_or_else(|| format!("{reference} is not in the project"))
        };
        let (from, to) = (find(&relation.from)?, find(&relation.to)?);
        if from.purged || to.purged {
            return Ok(None);
        }
        let related = Op::AddLink {
            kind: LinkKind::Related,
            target: to.id.to_string(),
        };
        let has_link = || {
            from.links
                .iter()
                .any(|link| link.kind == LinkKind::Related && link.target == to.id.to_string())
        };
        let op = match relation.kind {
            RelationKind::DependsOn if from.depends_on.contains(&to.id) => return Ok(None),
            RelationKind::DependsOn if self.index.depends_on(&to.id, &from.id) => {
                let (from, to) = (&relation.from, &relation.to);
                return Err(format!("{from} cannot wait for {to}: that would be a circle"));
            }
            RelationKind::DependsOn => Op::AddDependency { on: to.id },
            RelationKind::Epic if from.epic == Some(to.id) => return Ok(None),
            RelationKind::Epic => Op::SetEpic { epic: Some(to.id) },
            RelationKind::SupersededBy if from.column.is_open() && !from.deleted => {
                Op::Supersede { by: to.id }
            }
            RelationKind::SupersededBy | RelationKind::Related if has_link() => return Ok(None),
            RelationKind::SupersededBy | RelationKind::Related => related,
        };
        Ok(Some((from.id, op)))
    }
}
