//! Imports items from another tracker, and updates them.
//!
//! An item is found by its external reference. The digest of the source record is stored in the item, so the
//! same record again changes nothing, even if somebody edited the item here since. A record that changed over
//! there is compared field by field, and moves the item only if the record itself has moved.

mod body;
mod criteria;
mod draft;
mod matching;
mod parts;
mod relations;
mod stage;
mod update;

use towline_proto::ItemId;

use draft::new_item;
pub(super) use stage::{RecordStage, read_mark};
pub(super) use update::ItemUpdate;

use super::Project;
use super::query::QueryContext;
use towline_api::request::{Failure, FailureCode, IMPORT_CHUNK, ImportItem};
use towline_api::types::ImportReport;

/// The most items named per reference.
const NAMED: usize = 4;

/// What was written for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteKind {
    /// A new item was created.
    Created,
    /// An item was updated.
    Updated,
    /// Only the import mark was written.
    MarkedOnly,
}

fn too_many() -> Failure {
    let message = format!("at most {IMPORT_CHUNK} items or relations are allowed in one import request");
    Failure::new(FailureCode::Usage, message)
}

impl Project {
    /// Creates and updates items.
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
        let mut named = Vec::new();
        let mut asked = Vec::new();
        let mut number = self.index.next_number();
        let matches = self.query().match_items(&items);
        for (item, matched) in items.iter().zip(matches) {
            let name = item.external.clone();
            let Some(id) = matched else {
                named.push((name, WriteKind::Created, item));
                asked.push(new_item(now, item, number));
                number = number.saturating_add(1);
                continue;
            };
            if item.record.shared.is_some() {
                report.items.push((name.clone(), id));
            }
            report.notes.extend(self.query().several(item, &items, &id));
            match self.query().update_item(&id, item, None)? {
                ItemUpdate::UpToDate => report.unchanged += 1,
                ItemUpdate::Outdated(note) => {
                    report.older += 1;
                    report.notes.push(note);
                }
                ItemUpdate::InTrash => {
                    report.unchanged += 1;
                    report.notes.push(self.query().in_trash(&item.external, &id));
                }
                ItemUpdate::MarkOnly(work) => {
                    named.push((name, WriteKind::MarkedOnly, item));
                    asked.push(work);
                }
                ItemUpdate::Changes(work) => {
                    named.push((name, WriteKind::Updated, item));
                    asked.push(work);
                }
            }
        }
        let done: Vec<Option<Result<ItemId, Failure>>> = if dry_run {
            named.iter().map(|_| None).collect()
        } else {
            self.write_import(asked)?.into_iter().map(Some).collect()
        };
        for ((name, written, item), outcome) in named.into_iter().zip(done) {
            match outcome {
                Some(Err(failure)) => {
                    report.refused += 1;
                    report.problems.push(format!("{name}: {failure}"));
                    continue;
                }
                Some(Ok(id)) if item.record.shared.is_some() && written == WriteKind::Created => {
                    report.items.push((name, id));
                }
                Some(Ok(_)) | None => {}
            }
            match written {
                WriteKind::Created => report.created += 1,
                WriteKind::Updated => report.updated += 1,
                WriteKind::MarkedOnly => report.unchanged += 1,
            }
        }
        Ok(report)
    }
}

impl QueryContext<'_> {
    /// The note about an item whose record has changed and that stays in the trash.
    pub(super) fn in_trash(&self, what: &str, id: &ItemId) -> String {
        let row = self.index.get(id);
        let handle = row.map_or_else(|| id.to_string(), |row| self.index.handle(&row));
        format!(
            "{what}: item {handle} is in the trash and was not updated; run `towline restore {handle}` and import \
             again to update it"
        )
    }

    /// The note about living items that share a reference, of which only `id` is updated. `None` if the
    /// source has as many issues with that id as there are items.
    fn several(&self, item: &ImportItem, all: &[ImportItem], id: &ItemId) -> Option<String> {
        let reference = matching::reference(item);
        let living = self.index.all_by_external(reference).filter(|row| !row.deleted);
        let records = all.iter().filter(|other| matching::reference(other) == reference);
        if item.record.shared.is_some() && living.count() <= records.count() {
            return None;
        }
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
            "{reference}: items {} and {last} have this reference; only {kept} is updated, delete the others if they are not needed",
            handles.join(", ")
        ))
    }
}
