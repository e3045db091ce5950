//! Updates an item from a record of another tracker.
//!
//! Each field in the record is compared with the item; a record older than the one from the last update
//! changes nothing. Works on the current item; nothing is written here.

use std::collections::BTreeSet;

use towline_api::export_line::is_reference;
use towline_api::request::{Failure, FailureCode, ImportItem, Part};
use towline_crdt::compose::BodyEdit;
use towline_crdt::doc::Acts;
use towline_proto::{ItemId, Kind, LinkKind, Millis, Op, OriginKind};

use super::criteria::update_criteria;
use super::draft::{ItemDrafts, NEVER, digest};
use super::stage::{
    RecordStage, is_deleted, previous_stage, read_mark, stays_deleted, update_labels, update_stage,
};
use super::{body, matching};
use crate::pending_batch::Work;
use crate::query::QueryContext;

/// What to do about an existing item.
pub(crate) enum ItemUpdate {
    /// The record is the one from the last update, or contains nothing that matters here.
    UpToDate,
    /// The record is older than the one from the last update; with a note for people.
    Outdated(String),
    /// The item is in the trash and stays there.
    InTrash,
    /// The item is up to date; only the import mark changes.
    MarkOnly(Work),
    /// The changes to write.
    Changes(Work),
}

/// The time of the newest record that an item was ever updated from; `None` if no record had a time.
///
/// Marks of earlier versions do not contain it. Then it is at least the time of the last act of an import,
/// because those have the times of their records.
pub(super) fn record_at(acts: &Acts) -> Option<Millis> {
    let marks = acts.values().filter_map(|record| match &record.act.op {
        Op::MarkImport { record_at, .. } => Some(*record_at),
        _ => None,
    });
    let mut newest = None;
    let mut is_dated = true;
    for mark in marks {
        is_dated &= mark.is_some();
        newest = newest.max(mark);
    }
    if !is_dated {
        let of_imports = acts
            .values()
            .filter(|record| record.act.origin.kind == OriginKind::Import);
        newest = newest.max(of_imports.map(|record| record.act.at).max());
    }
    newest.filter(|at| *at != NEVER)
}

impl QueryContext<'_> {
    /// The update of an item. `before` is the stage of the record at the last update; `None` takes it from
    /// the item's mark.
    pub(crate) fn update_item(
        &self,
        id: &ItemId,
        item: &ImportItem,
        before: Option<RecordStage>,
    ) -> Result<ItemUpdate, Failure> {
        let digest = digest(item);
        let Some(row) = self.index.get(id) else {
            return Ok(ItemUpdate::UpToDate);
        };
        // An act that is concurrent with a purge would restore the item.
        if row.purged {
            return Ok(ItemUpdate::UpToDate);
        }
        let record = &item.record;
        let is_same = row
            .imported
            .as_deref()
            .map(read_mark)
            .is_some_and(|(known, _)| known == digest);
        let doc = self.doc(id)?;
        let known_at = record_at(doc.acts());
        if is_same && known_at.is_none_or(|known| record.at <= known) {
            return Ok(ItemUpdate::UpToDate);
        }
        if record.at != NEVER && known_at.is_some_and(|known| record.at < known) {
            return Ok(ItemUpdate::Outdated(self.older(
                item,
                id,
                known_at.unwrap_or_default(),
            )));
        }
        let before = before.unwrap_or_else(|| previous_stage(&row, doc.acts()));
        let now = if record.says(Part::Stage) {
            RecordStage::of(item)
        } else {
            before
        };
        if stays_deleted(&row, doc.acts(), before, now) {
            return Ok(if is_deleted(now) {
                ItemUpdate::UpToDate
            } else {
                ItemUpdate::InTrash
            });
        }
        let mut drafting = ItemDrafts::new(self.now, item);
        if record.says(Part::Title) && row.title != item.title {
            drafting.changed(Op::SetTitle {
                title: item.title.clone(),
            });
        }
        // An epic with items stays an epic, whatever the record says.
        let is_parent = row.kind == Kind::Epic && !self.index.children(id).is_empty();
        if record.says(Part::Kind) && row.kind != item.kind && !is_parent {
            drafting.changed(Op::SetKind { kind: item.kind });
        }
        if record.says(Part::Priority) && row.priority != item.priority {
            drafting.changed(Op::SetPriority {
                priority: item.priority,
            });
        }
        if record.says(Part::Assignee) && row.assignee != item.assignee {
            drafting.changed(Op::Assign {
                who: item.assignee.clone(),
            });
        }
        update_labels(&mut drafting, &row, doc.acts());
        let reference = (LinkKind::External, matching::reference(item).to_owned());
        // An item from an export gets its reference when it is created.
        let reference = Some(reference).filter(|(_, target)| !is_reference(target));
        for (kind, target) in item.links.iter().chain(&reference) {
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
        if record.says(Part::Criteria) {
            update_criteria(&mut drafting, &row, doc.acts());
        }
        update_stage(&mut drafting, &row, doc.acts(), before, now);
        let body = doc
            .body()
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
        let said = if record.says(Part::Body) {
            item.body.clone()
        } else {
            body::extended(&body, &item.body)
        };
        let body = (body != said).then_some(BodyEdit {
            base: None,
            text: said,
        });
        if body.is_some() {
            drafting.changed(Op::EditBody);
        }
        let is_mark_alone = drafting.drafts.is_empty();
        drafting.changed(Op::MarkImport {
            digest: now.mark(&digest),
            record_at: Some(record.at),
        });
        let work = drafting.work(Some(*id), body);
        Ok(if is_mark_alone {
            ItemUpdate::MarkOnly(work)
        } else {
            ItemUpdate::Changes(work)
        })
    }

    /// The note about a record that is older than the one from the last update.
    fn older(&self, item: &ImportItem, id: &ItemId, known_at: Millis) -> String {
        let row = self.index.get(id);
        let handle = row.map_or_else(|| id.to_string(), |row| self.index.handle(&row));
        format!(
            "{}: this record is of {}; item {handle} was already updated from one of {known_at} and was not changed",
            item.external, item.record.at
        )
    }
}
