//! The stage of imported items: which column and holds an import changes, and which it leaves.
//!
//! The import mark stores the stage of the record at that time. Only changes of the record since then are
//! applied: a comment over there neither reopens what was merged here nor restores anything from the trash.
//! An import reverts what imports have set if the record no longer says so, and nothing that people did.
//! Works on the row and the acts alone; nothing is looked up or written here.

use std::collections::BTreeSet;

use towline_api::export_line::is_reference;
use towline_api::request::{ImportItem, ImportStage, Part};
use towline_crdt::doc::Acts;
use towline_crdt::view::ItemView;
use towline_proto::{ActId, Op, OriginKind, Register};

use super::draft::ItemDrafts;

/// The stages that other trackers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageKind {
    Open,
    Done,
    Abandoned,
    Deleted,
}

impl StageKind {
    const ALL: [Self; 4] = [Self::Open, Self::Done, Self::Abandoned, Self::Deleted];

    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Abandoned => "abandoned",
            Self::Deleted => "deleted",
        }
    }
}

/// The stage of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordStage {
    at: StageKind,
    frozen: bool,
    blocked: bool,
}

impl RecordStage {
    pub(crate) const fn of(item: &ImportItem) -> Self {
        Self {
            at: match item.stage {
                ImportStage::Open { .. } => StageKind::Open,
                ImportStage::Done => StageKind::Done,
                ImportStage::Abandoned { .. } => StageKind::Abandoned,
                ImportStage::Deleted { .. } => StageKind::Deleted,
            },
            frozen: item.frozen,
            blocked: item.blocked.is_some(),
        }
    }

    /// The opposite in every respect, for a record that has moved in an unknown way.
    pub(crate) fn inverted(self) -> Self {
        Self {
            at: if self.at == StageKind::Open {
                StageKind::Done
            } else {
                StageKind::Open
            },
            frozen: !self.frozen,
            blocked: !self.blocked,
        }
    }

    /// The import mark: the digest of the record and its stage.
    pub(crate) fn mark(self, digest: &str) -> String {
        let frozen = if self.frozen { "+frozen" } else { "" };
        let blocked = if self.blocked { "+blocked" } else { "" };
        format!("{digest}/{}{frozen}{blocked}", self.at.word())
    }

    fn read(words: &str) -> Option<Self> {
        let mut words = words.split('+');
        let at = words.next()?;
        let at = StageKind::ALL.into_iter().find(|known| known.word() == at)?;
        let holds: BTreeSet<&str> = words.collect();
        Some(Self {
            at,
            frozen: holds.contains("frozen"),
            blocked: holds.contains("blocked"),
        })
    }

    /// The stage that imports have set, for marks of earlier versions without a stage.
    fn from_acts(acts: &Acts) -> Self {
        let mut stage = Self {
            at: StageKind::Open,
            frozen: false,
            blocked: false,
        };
        let by_import = |act: &ActId| acts.get(act).filter(|record| is_import(&record.act.origin.kind));
        let mut in_time: Vec<_> = acts
            .keys()
            .filter_map(by_import)
            .map(|record| &record.act)
            .collect();
        in_time.sort_by_key(|act| (act.at, !matches!(act.op, Op::Create { .. })));
        for act in in_time {
            match &act.op {
                Op::Merged { .. } => stage.at = StageKind::Done,
                Op::Abandon { .. } => stage.at = StageKind::Abandoned,
                Op::Delete { .. } => stage.at = StageKind::Deleted,
                Op::Create { .. } | Op::Reopen | Op::Restore => stage.at = StageKind::Open,
                Op::Freeze | Op::Unfreeze => stage.frozen = matches!(act.op, Op::Freeze),
                Op::Block { .. } | Op::Unblock => stage.blocked = matches!(act.op, Op::Block { .. }),
                _ => {}
            }
        }
        stage
    }
}

/// The two parts of a mark: the digest of the record, and its stage if the mark contains it.
pub(crate) fn read_mark(mark: &str) -> (&str, Option<RecordStage>) {
    match mark.rsplit_once('/') {
        Some((digest, words)) => (digest, RecordStage::read(words)),
        None => (mark, None),
    }
}

/// The stage of the record at the last import.
pub(super) fn previous_stage(row: &ItemView, acts: &Acts) -> RecordStage {
    let mark = row.imported.as_deref().map(read_mark);
    mark.and_then(|(_, stage)| stage)
        .unwrap_or_else(|| RecordStage::from_acts(acts))
}

/// Whether an item stays in the trash whatever the record says, because a person deleted it here.
pub(super) fn stays_deleted(row: &ItemView, acts: &Acts, before: RecordStage, now: RecordStage) -> bool {
    let brought_back = before.at == StageKind::Deleted && now.at != StageKind::Deleted;
    row.deleted && !(brought_back && set_by_imports(acts, &Register::Deleted))
}

/// Whether the record is deleted as well, so that no note is needed about an item in the trash.
pub(super) fn is_deleted(now: RecordStage) -> bool {
    now.at == StageKind::Deleted
}

/// Adds the transitions that follow the changes of the record since the last import. An item that moved
/// within the open columns here stays where it is: the other tracker has no such columns.
pub(super) fn update_stage(
    drafting: &mut ItemDrafts<'_>,
    row: &ItemView,
    acts: &Acts,
    before: RecordStage,
    now: RecordStage,
) {
    let item = drafting.item;
    if row.deleted {
        drafting.moved(Op::Restore);
    }
    let open = row.column.is_open();
    if now.frozen && !before.frozen && !row.holds.frozen && open {
        drafting.moved(Op::Freeze);
    }
    if let Some(reason) = &item.blocked
        && !before.blocked
        && row.holds.blocked.is_none()
        && open
    {
        drafting.moved(Op::Block {
            reason: reason.clone(),
        });
    }
    let lifted = |was: bool, is: bool, register| was && !is && open && set_by_imports(acts, &register);
    if row.holds.frozen && lifted(before.frozen, now.frozen, Register::Frozen) {
        drafting.moved(Op::Unfreeze);
    }
    if row.holds.blocked.is_some() && lifted(before.blocked, now.blocked, Register::Blocked) {
        drafting.moved(Op::Unblock);
    }
    if now.at == before.at {
        return;
    }
    match &item.stage {
        ImportStage::Open { .. } if !open => drafting.moved(Op::Reopen),
        ImportStage::Done if open => drafting.moved(Op::Merged { commit: None }),
        ImportStage::Abandoned { reason } if open => drafting.moved(Op::Abandon {
            reason: reason.clone(),
        }),
        ImportStage::Deleted { reason } => drafting.moved(Op::Delete {
            reason: reason.clone(),
        }),
        ImportStage::Open { .. } | ImportStage::Done | ImportStage::Abandoned { .. } => {}
    }
}

/// Adds the labels of the record, and removes those that imports added and the record no longer has.
pub(super) fn update_labels(drafting: &mut ItemDrafts<'_>, row: &ItemView, acts: &Acts) {
    let item = drafting.item;
    // A line of an export contains what people did there, not what this project imported.
    let takes_off = !is_reference(&item.external);
    for label in row.labels.iter().filter(|label| !item.labels.contains(label)) {
        let is_said = item.record.says(part_of(label));
        if takes_off && is_said && set_by_imports(acts, &Register::Label(label.clone())) {
            drafting.changed(Op::RemoveLabel { label: label.clone() });
        }
    }
    for label in item.labels.iter().filter(|label| !row.labels.contains(label)) {
        drafting.changed(Op::AddLabel { label: label.clone() });
    }
}

/// The part of a record that a label stands for.
fn part_of(label: &str) -> Part {
    match label.split_once(':').map(|(word, _)| word) {
        Some("type") => Part::Kind,
        Some("status" | "closed") => Part::Stage,
        Some("priority") => Part::Priority,
        Some("assignee") => Part::Assignee,
        Some("milestone") => Part::Milestone,
        Some("project") => Part::Projects,
        Some("due") => Part::Due,
        Some("see") => Part::References,
        _ if matches!(label, "pinned" | "ephemeral" | "template") => Part::Flags,
        _ => Part::Labels,
    }
}

/// Whether the current value of a register was set by imports alone.
pub(super) fn set_by_imports(acts: &Acts, register: &Register) -> bool {
    let of_register: Vec<_> = acts
        .iter()
        .filter(|(_, record)| is_about(&record.act.op, register))
        .collect();
    let replaced: BTreeSet<&ActId> = of_register
        .iter()
        .flat_map(|(_, record)| &record.act.saw)
        .collect();
    let mut standing = of_register.iter().filter(|(id, _)| !replaced.contains(id));
    standing.all(|(_, record)| is_import(&record.act.origin.kind))
}

const fn is_import(kind: &OriginKind) -> bool {
    matches!(kind, OriginKind::Import)
}

/// Whether an operation writes one of the registers that imports revert.
fn is_about(op: &Op, register: &Register) -> bool {
    match op {
        Op::Freeze | Op::Unfreeze => *register == Register::Frozen,
        Op::Block { .. } | Op::Unblock => *register == Register::Blocked,
        Op::Delete { .. } | Op::Restore | Op::Purge => *register == Register::Deleted,
        Op::AddLabel { label } | Op::RemoveLabel { label } => {
            matches!(register, Register::Label(of) if of == label)
        }
        Op::Resolve { over, .. } => over == register,
        _ => false,
    }
}
