//! Bringing in items from another tracker, and bringing them up to date.
//!
//! An item is found again by its external reference. The hash of the foreign record that it was made
//! from is kept in the item, so the same record again changes nothing, even where somebody edited the
//! item here since; a record that changed over there is compared field by field, and moves the item
//! only where the record itself has moved.

mod criteria;
mod draft;
mod parts;
mod stage;

use std::collections::BTreeSet;

use towline_crdt::compose::{BodyEdit, Draft};
use towline_proto::{ItemId, LinkKind, Op};

use criteria::update_criteria;
use draft::{Drafting, NEVER, digest, new_item, origin};
pub(super) use stage::{Said, read_mark};
use stage::{is_deleted, said_before, stays_deleted, update_labels, update_stage};

use super::Project;
use super::stage::Work;
use crate::dto::ImportReport;
use crate::request::{Failure, FailureCode, IMPORT_CHUNK, ImportItem, ImportRelation, RelationKind};

/// Items of one reference that are named at most.
const NAMED: usize = 4;

fn too_many() -> Failure {
    let message = format!("at most {IMPORT_CHUNK} items or relations go into one import request");
    Failure::new(FailureCode::Usage, message)
}

/// What is to be done about an item that is here.
pub(super) enum Update {
    /// The record is the one that it was made from, or says nothing that counts here.
    Nothing,
    /// It is in the trash here, and stays there.
    InTrash,
    /// What brings it up to date.
    Work(Work),
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
        let now = self.now();
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
                    works.push((item.external.clone(), true, new_item(now, item, number)));
                    number = number.saturating_add(1);
                }
                Some(id) => {
                    report.notes.extend(self.several(&item.external, &id));
                    match self.update_item(&id, item, None)? {
                        Update::Nothing => report.unchanged += 1,
                        Update::InTrash => {
                            report.unchanged += 1;
                            report.notes.push(self.in_trash(&item.external, &id));
                        }
                        Update::Work(work) => {
                            works.push((item.external.clone(), false, work));
                        }
                    }
                }
            }
        }
        let mut named = Vec::with_capacity(works.len());
        let mut asked = Vec::with_capacity(works.len());
        for (name, is_new, work) in works {
            named.push((name, is_new));
            asked.push(work);
        }
        let done: Vec<Result<(), Failure>> = if dry_run {
            named.iter().map(|_| Ok(())).collect()
        } else {
            let done = self.write_import(asked)?.into_iter();
            done.map(|outcome| outcome.map(drop)).collect()
        };
        for ((name, is_new), outcome) in named.into_iter().zip(done) {
            match outcome {
                Ok(()) if is_new => report.created += 1,
                Ok(()) => report.updated += 1,
                Err(failure) => report.problems.push(format!("{name}: {failure}")),
            }
        }
        Ok(report)
    }

    /// The sentence about an item that the record has changed for, and that stays in the trash.
    pub(super) fn in_trash(&self, what: &str, id: &ItemId) -> String {
        let row = self.index.get(id);
        let handle = row.map_or_else(|| id.to_string(), |row| self.index.handle(&row));
        format!(
            "{what}: item {handle} is in the trash here and stays there as it is; `towline restore {handle}` and \
             another import bring it up to date"
        )
    }

    /// The sentence about living items that share a reference, of which `id` is the one that counts.
    fn several(&self, reference: &str, id: &ItemId) -> Option<String> {
        let living = self.index.all_by_external(reference).filter(|row| !row.deleted);
        let mut handles: Vec<String> = living.map(|row| self.index.handle(&row)).collect();
        let more = handles.len().saturating_sub(NAMED);
        handles.truncate(NAMED);
        let last = match more {
            0 => handles.pop()?,
            more => format!("{more} more"),
        };
        if handles.is_empty() {
            return None;
        }
        let kept = self.index.handle(&self.index.get(id)?);
        Some(format!(
            "{reference}: items {} and {last} here; only {kept} is brought up to date, delete what is not needed",
            handles.join(", ")
        ))
    }

    /// What brings an item up to date. `before` is where the record stood when the item was last
    /// brought up to date; what the mark of the item says when absent.
    pub(super) fn update_item(
        &mut self,
        id: &ItemId,
        item: &ImportItem,
        before: Option<Said>,
    ) -> Result<Update, Failure> {
        let digest = digest(item);
        let Some(row) = self.index.get(id) else {
            return Ok(Update::Nothing);
        };
        let known = row.imported.as_deref().map(read_mark);
        // An act beside a purge that had not seen it would bring the item back.
        if row.purged || known.is_some_and(|(known, _)| known == digest) {
            return Ok(Update::Nothing);
        }
        let doc = self.doc(id)?;
        let before = before.unwrap_or_else(|| said_before(&row, doc.acts()));
        let now = Said::by(item);
        if stays_deleted(&row, doc.acts(), before, now) {
            return Ok(if is_deleted(now) {
                Update::Nothing
            } else {
                Update::InTrash
            });
        }
        let mut drafting = Drafting::new(self.now(), item);
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
        update_labels(&mut drafting, &row, doc.acts());
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
        let said: BTreeSet<_> = doc
            .acts()
            .values()
            .filter_map(|record| match &record.act.op {
                Op::Comment { text } => Some((record.act.at, text.as_str())),
                _ => None,
            })
            .collect();
        let texts: BTreeSet<&str> = said.iter().map(|(_, text)| *text).collect();
        for (place, comment) in item.comments.iter().enumerate() {
            let text = comment.text.as_str();
            let known = if comment.at == NEVER {
                texts.contains(text)
            } else {
                said.contains(&(comment.at, text))
            };
            if !known {
                drafting.comment(place, comment);
            }
        }
        update_criteria(&mut drafting, &row, doc.acts());
        update_stage(&mut drafting, &row, doc.acts(), before);
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
        drafting.changed(Op::MarkImport {
            digest: now.mark(&digest),
            record_at: None,
        });
        Ok(Update::Work(drafting.work(Some(*id), body)))
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
            let made_at = self.index.get(&from).map(|row| row.created_at);
            let draft = Draft {
                op,
                origin: origin(&relation.by),
                at: made_at.filter(|_| relation.at == NEVER).unwrap_or(relation.at),
                request: None,
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
