//! From a source record to the operations that create or update its item.
//!
//! Each operation has the time and the author that the record names. Works on the record and the row alone;
//! nothing is looked up or written here.

use std::collections::BTreeMap;

use towline_api::request::{ImportComment, ImportCriterion, ImportItem, ImportRecord, ImportStage};
use towline_crdt::compose::{BodyEdit, Draft};
use towline_proto::ids::to_hex;
use towline_proto::{
    Column, CriterionState, ItemId, LinkKind, Millis, Op, Origin, OriginKind, Qa, codec, text,
};

use super::stage::RecordStage;
use crate::pending_batch::Work;

/// The time of something without a time in the other tracker.
pub(super) const NEVER: Millis = Millis(0);

pub(super) fn origin(who: &str) -> Origin {
    let (name, _) = text::fit_line(who, towline_proto::limits::NAME_CHARS);
    let name = if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    };
    Origin {
        kind: OriginKind::Import,
        id: name,
    }
}

/// The operations of one imported item, each with its own time and origin.
pub(super) struct ItemDrafts<'a> {
    pub(super) item: &'a ImportItem,
    pub(super) drafts: Vec<Draft>,
    judged: BTreeMap<usize, CriterionState>,
    /// The time of this import, for what has no other time.
    now: Millis,
}

impl<'a> ItemDrafts<'a> {
    pub(super) const fn new(now: Millis, item: &'a ImportItem) -> Self {
        Self {
            now,
            item,
            drafts: Vec::new(),
            judged: BTreeMap::new(),
        }
    }

    /// The operations as work on an item; on a new one if `id` is `None`.
    pub(super) fn work(self, id: Option<ItemId>, body: Option<BodyEdit>) -> Work {
        Work {
            item: id,
            drafts: self.drafts,
            body,
            judged: self.judged,
        }
    }

    /// A criterion with its state. Criteria are sorted by time, and those of one record have the same time:
    /// adding `place` milliseconds keeps them in the order of the record.
    pub(super) fn criterion(&mut self, at: Millis, place: usize, criterion: &ImportCriterion) {
        if criterion.state != CriterionState::Open {
            self.judged.insert(self.drafts.len(), criterion.state);
        }
        let at = self.behind(at, place);
        let (item, text) = (self.item, criterion.text.clone());
        self.at(at, &item.created_by, Op::AddCriterion { text });
    }

    /// A comment; those without a time stay in the order of the record.
    pub(super) fn comment(&mut self, place: usize, comment: &ImportComment) {
        let at = if comment.at == NEVER {
            self.behind(NEVER, place)
        } else {
            comment.at
        };
        let text = comment.text.clone();
        self.at(at, &comment.author, Op::Comment { text });
    }

    /// A time plus `place` milliseconds.
    fn behind(&self, at: Millis, place: usize) -> Millis {
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        Millis(self.when(at).0.saturating_add(place))
    }

    /// The time of something; without one the item's time of creation, and without that the time of the
    /// import.
    fn when(&self, at: Millis) -> Millis {
        let said = [at, self.item.created_at].into_iter().find(|at| *at != NEVER);
        said.unwrap_or(self.now)
    }

    pub(super) fn at(&mut self, at: Millis, who: &str, op: Op) {
        self.drafts.push(Draft {
            op,
            origin: origin(who),
            at: self.when(at),
            request: None,
        });
    }

    pub(super) fn made(&mut self, op: Op) {
        let item = self.item;
        self.at(item.created_at, &item.created_by, op);
    }

    /// An operation that moves the item to the stage of the record, at the time when the record got there.
    pub(super) fn moved(&mut self, op: Op) {
        let item = self.item;
        let at = item.record.ended_at.unwrap_or(item.updated_at);
        self.at(at, &item.created_by, op);
    }

    pub(super) fn changed(&mut self, op: Op) {
        let item = self.item;
        self.at(item.updated_at, &item.created_by, op);
    }
}

/// A digest of the contents of a source record. Its times and the choice among its references are not part of
/// it.
pub(super) fn digest(item: &ImportItem) -> String {
    let item = ImportItem {
        external: super::matching::reference(item).to_owned(),
        record: ImportRecord {
            silent: item.record.silent.clone(),
            ..ImportRecord::default()
        },
        ..item.clone()
    };
    to_hex(&blake3::derive_key("towline/import/1", &codec::encode(&item))[..16])
}

pub(super) fn new_item(now: Millis, item: &ImportItem, number: u32) -> Work {
    let mut drafting = ItemDrafts::new(now, item);
    let column = match item.stage {
        ImportStage::Open {
            column: Column::Upcoming,
        } => Column::Upcoming,
        _ => Column::Backlog,
    };
    drafting.made(Op::Create {
        number,
        kind: item.kind,
        title: item.title.clone(),
        column,
        priority: item.priority,
        qa: Qa::Agent,
    });
    drafting.made(Op::AddLink {
        kind: LinkKind::External,
        target: super::matching::reference(item).to_owned(),
    });
    for (kind, target) in &item.links {
        drafting.made(Op::AddLink {
            kind: *kind,
            target: target.clone(),
        });
    }
    for label in &item.labels {
        drafting.made(Op::AddLabel { label: label.clone() });
    }
    if let Some(who) = &item.assignee {
        drafting.made(Op::Assign {
            who: Some(who.clone()),
        });
    }
    let body = (!item.body.is_empty()).then(|| BodyEdit {
        base: None,
        text: item.body.clone(),
    });
    if body.is_some() {
        drafting.made(Op::EditBody);
    }
    for (place, criterion) in item.criteria.iter().enumerate() {
        drafting.criterion(item.created_at, place, criterion);
    }
    for (place, comment) in item.comments.iter().enumerate() {
        drafting.comment(place, comment);
    }
    drafting.changed(Op::MarkImport {
        digest: RecordStage::of(item).mark(&digest(item)),
        record_at: Some(item.record.at),
    });
    if item.frozen {
        drafting.moved(Op::Freeze);
    }
    if let Some(reason) = &item.blocked {
        drafting.moved(Op::Block {
            reason: reason.clone(),
        });
    }
    match &item.stage {
        ImportStage::Open { column } if !matches!(column, Column::Backlog | Column::Upcoming) => {
            drafting.moved(Op::Move {
                to: *column,
                reason: None,
            });
        }
        ImportStage::Open { .. } => {}
        ImportStage::Done => drafting.moved(Op::Merged { commit: None }),
        ImportStage::Abandoned { reason } => drafting.moved(Op::Abandon {
            reason: reason.clone(),
        }),
        ImportStage::Deleted { reason } => drafting.moved(Op::Delete {
            reason: reason.clone(),
        }),
    }
    drafting.work(None, body)
}
