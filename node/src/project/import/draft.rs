//! From a foreign record to the operations that make or update its item.
//!
//! Each operation has the time and the person that the record names. Relies on the record and the row
//! alone: nothing is looked up or written here.

use towline_crdt::compose::{BodyEdit, Draft};
use towline_crdt::view::ItemView;
use towline_proto::ids::to_hex;
use towline_proto::{Column, LinkKind, Millis, Op, Origin, OriginKind, Qa, codec, text};

use crate::project::stage::Work;
use crate::request::{ImportItem, ImportStage};

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
pub(super) struct Drafting<'a> {
    pub(super) item: &'a ImportItem,
    pub(super) drafts: Vec<Draft>,
}

impl Drafting<'_> {
    pub(super) fn at(&mut self, at: Millis, who: &str, op: Op) {
        self.drafts.push(Draft {
            op,
            origin: origin(who),
            at,
        });
    }

    pub(super) fn made(&mut self, op: Op) {
        let item = self.item;
        self.at(item.created_at, &item.created_by, op);
    }

    pub(super) fn changed(&mut self, op: Op) {
        let item = self.item;
        self.at(item.updated_at, &item.created_by, op);
    }
}

/// A hash of everything that a foreign record says.
pub(super) fn digest(item: &ImportItem) -> String {
    to_hex(&blake3::derive_key("towline/import/1", &codec::encode(item))[..16])
}

pub(super) fn new_item(item: &ImportItem, number: u32) -> Work {
    let mut drafting = Drafting {
        item,
        drafts: Vec::new(),
    };
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
        target: item.external.clone(),
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
    for comment in &item.comments {
        drafting.at(
            comment.at,
            &comment.author,
            Op::Comment {
                text: comment.text.clone(),
            },
        );
    }
    drafting.made(Op::MarkImport { digest: digest(item) });
    if item.frozen {
        drafting.changed(Op::Freeze);
    }
    if let Some(reason) = &item.blocked {
        drafting.changed(Op::Block {
            reason: reason.clone(),
        });
    }
    match &item.stage {
        ImportStage::Open { column } if !matches!(column, Column::Backlog | Column::Upcoming) => {
            drafting.changed(Op::Move {
                to: *column,
                reason: None,
            });
        }
        ImportStage::Open { .. } => {}
        ImportStage::Done => drafting.changed(Op::Merged { commit: None }),
        ImportStage::Abandoned { reason } => drafting.changed(Op::Abandon {
            reason: reason.clone(),
        }),
        ImportStage::Deleted { reason } => drafting.changed(Op::Delete {
            reason: reason.clone(),
        }),
    }
    Work {
        item: None,
        drafts: drafting.drafts,
        body,
    }
}

/// Transitions that bring an item where the record says it is. An item that moved on here within the
/// open columns stays where it is: the other tracker knows nothing of our columns.
pub(super) fn update_stage(drafting: &mut Drafting<'_>, row: &ItemView) {
    let item = drafting.item;
    let deleted = matches!(item.stage, ImportStage::Deleted { .. });
    if row.deleted && deleted {
        // Nothing can be done to it there.
        return;
    }
    if row.deleted && !deleted {
        drafting.changed(Op::Restore);
    }
    if item.frozen && !row.holds.frozen && row.column.is_open() {
        drafting.changed(Op::Freeze);
    }
    if let Some(reason) = item
        .blocked
        .as_ref()
        .filter(|_| row.holds.blocked.is_none() && row.column.is_open())
    {
        drafting.changed(Op::Block {
            reason: reason.clone(),
        });
    }
    match &item.stage {
        ImportStage::Open { .. } if row.column.is_open() => {}
        ImportStage::Open { .. } => drafting.changed(Op::Reopen),
        ImportStage::Done if row.column.is_open() => drafting.changed(Op::Merged { commit: None }),
        ImportStage::Abandoned { reason } if row.column.is_open() => {
            drafting.changed(Op::Abandon {
                reason: reason.clone(),
            });
        }
        ImportStage::Done | ImportStage::Abandoned { .. } => {}
        ImportStage::Deleted { reason } if !row.deleted => {
            drafting.changed(Op::Delete {
                reason: reason.clone(),
            });
        }
        ImportStage::Deleted { .. } => {}
    }
}
