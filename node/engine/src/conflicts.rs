//! Unresolved conflicts: lists them for people, and resolves one.
//!
//! The fold derives conflicts; here they get the sides to choose from, the keys of the sides and the result of
//! keeping each. A resolution is one act, which names the side to keep.

mod before;
mod cycle;
mod cycle_events;

use towline_api::activity_text::side_activity;
use towline_api::conflict_text::{about, means};
use towline_api::request::Failure;
use towline_api::types::{
    HistoryLine, HistoryOutcome, LineValue, OpenConflict, Side, SideResult, Unkeepable,
};
use towline_crdt::fold::{FoldedItem, is_keepable};
use towline_crdt::view::Conflict;
use towline_proto::{ActId, Closing, Op, Register, Rule};

use super::command::{CommandContext, CommandPlan};
use super::errors::ResolveError;
use super::index::letters;
use super::query::QueryContext;
use super::settings::HANDLE;

/// The most items whose conflicts are listed.
const MAX_ITEMS: usize = 1_000;

impl QueryContext<'_> {
    /// Open conflicts of one item or of all, oldest first.
    pub(crate) fn conflicts(&self, item: Option<&str>) -> Result<Vec<OpenConflict>, Failure> {
        if item.is_some_and(|item| item == HANDLE) {
            return Ok(self.open_settings()?);
        }
        let ids = match item {
            Some(wanted) => self.index.find(wanted)?,
            None => {
                let contested = self.index.shown().filter(|row| row.disputed);
                contested.take(MAX_ITEMS).map(|row| row.id).collect()
            }
        };
        let mut open = Vec::new();
        for id in ids {
            let doc = self.doc(&id)?;
            open.extend(self.conflicts_of(&self.folded(&doc)?));
            if item.is_some() {
                open.extend(self.cycles_of(&id)?);
            }
        }
        if item.is_none() {
            open.extend(self.all_cycles(MAX_ITEMS)?);
            open.extend(self.open_settings()?);
        }
        open.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        Ok(open)
    }

    /// The open conflicts of one item.
    pub(super) fn conflicts_of(&self, folded: &FoldedItem<'_>) -> Vec<OpenConflict> {
        if folded.view.conflicts.is_empty() {
            return Vec::new();
        }
        let lines = self.history(folded);
        let conflicts = folded.view.conflicts.iter();
        conflicts
            .map(|conflict| self.open_conflict(folded, &lines, conflict))
            .collect()
    }

    fn open_conflict(
        &self,
        folded: &FoldedItem<'_>,
        lines: &[HistoryLine],
        conflict: &Conflict,
    ) -> OpenConflict {
        let before = self.value_before(folded, lines, conflict);
        let contenders = std::iter::once(&conflict.winner).chain(&conflict.losers);
        let lines = contenders.filter_map(|act| lines.iter().find(|line| line.act == *act));
        let sides = lines.enumerate().map(|(place, line)| Side {
            key: letters(place),
            effective: line.act == conflict.winner,
            result: self.result(folded, &conflict.register, line),
            unkeepable: match &line.fate {
                HistoryOutcome::Overridden { rule, .. } if !is_keepable(*rule) => {
                    Some(Unkeepable::Rule { rule: *rule })
                }
                HistoryOutcome::Effective
                | HistoryOutcome::Superseded { .. }
                | HistoryOutcome::Overridden { .. }
                | HistoryOutcome::Refused { .. } => None,
            },
            line: line.clone(),
        });
        OpenConflict {
            id: conflict.id.clone(),
            item: self.index.link(&folded.view.id),
            topic: self.topic(folded, &conflict.register),
            rule: conflict.rule,
            since: conflict.since,
            before,
            sides: sides.collect(),
        }
    }

    /// The result of keeping a side.
    fn result(&self, folded: &FoldedItem<'_>, register: &Register, line: &HistoryLine) -> SideResult {
        let Some(act) = folded.acts.get(&line.act) else {
            return SideResult::Value { value: None };
        };
        let root = act.keeps.and_then(|root| folded.acts.get(&root)).unwrap_or(act);
        let op = &root.record.act.op;
        match (register, op) {
            (Register::Column, Op::Freeze | Op::Block { .. }) => SideResult::Stays {
                column: folded.view.column,
            },
            (Register::Column, _) => match act.to.as_ref().or(act.from.as_ref()) {
                Some(place) => match place.closing.as_deref() {
                    Some(Closing::Superseded { by }) => SideResult::Superseded {
                        by: self.index.link(by).name(),
                    },
                    Some(closing) => SideResult::Closed {
                        status: closing.status(),
                    },
                    None => SideResult::Column { column: place.column },
                },
                None => SideResult::Value { value: None },
            },
            (Register::Setting(_), Op::Set { value, .. }) => SideResult::Setting { value: value.clone() },
            (Register::Deleted, Op::Delete { .. }) => SideResult::Trash { deleted: true },
            (Register::Deleted, Op::Restore) => SideResult::Trash { deleted: false },
            (Register::Deleted, Op::Purge) => SideResult::Purged,
            (Register::Blocked, op) => SideResult::Blocked {
                set: !matches!(op, Op::Unblock),
            },
            (Register::Frozen, op) => SideResult::Frozen {
                set: !matches!(op, Op::Unfreeze),
            },
            (Register::Claim, Op::Claim { holder, .. } | Op::TakeOver { holder, .. }) => {
                SideResult::Claimed {
                    holder: holder.clone(),
                }
            }
            _ => SideResult::Value {
                value: self.value(folded, op),
            },
        }
    }
}

impl CommandContext<'_> {
    /// Resolves a conflict in favour of one side.
    pub(crate) fn resolve_conflict(
        &self,
        item: &str,
        id: Option<&str>,
        keep: &str,
    ) -> Result<CommandPlan, Failure> {
        if item == HANDLE {
            return self.resolve_setting(id, keep);
        }
        let row = self.index.find_one(item)?;
        let open = self.conflicts(Some(&row.id.to_string()))?;
        let chosen = choose_conflict(&open, id)?;
        if chosen.must_restore_first() {
            let handle = self.index.handle(&row);
            return Err(ResolveError::InTrash(handle).into());
        }
        let side = choose_side(chosen, keep)?;
        if chosen.rule == Rule::Cycle {
            return self.resolve_cycle(&row, &chosen.id, &side);
        }
        let over = row.conflicts.iter().find(|conflict| conflict.id == chosen.id);
        let Some(over) = over.map(|conflict| conflict.register.clone()) else {
            return Err(ResolveError::Resolved.into());
        };
        Ok(self.plan(&row, vec![Op::Resolve { over, keep: side }], None)?)
    }
}

pub(super) fn choose_conflict<'c>(
    open: &'c [OpenConflict],
    id: Option<&str>,
) -> Result<&'c OpenConflict, ResolveError> {
    let fits: Vec<_> = match id {
        Some(id) => open
            .iter()
            .filter(|conflict| conflict.id.starts_with(id))
            .collect(),
        None => open.iter().collect(),
    };
    match fits.as_slice() {
        [one] => Ok(one),
        [] if open.is_empty() => Err(ResolveError::NoConflicts),
        _ => {
            let known: Vec<_> = open
                .iter()
                .map(|one| format!("{} ({})", one.id, about(&one.topic)))
                .collect();
            Err(ResolveError::WhichConflict(known.join(", ")))
        }
    }
}

/// The side that a person means: by its key, or by something that only one side has (who did it, what was done,
/// what keeping it results in, the act).
pub(super) fn choose_side(open: &OpenConflict, keep: &str) -> Result<ActId, ResolveError> {
    let keep = keep.trim();
    if keep.is_empty() {
        return Err(ResolveError::NoSide);
    }
    if let Some(side) = open.sides.iter().find(|side| side.key == keep) {
        return Ok(side.line.act);
    }
    let fits = |side: &&Side| {
        let act = side.line.act.to_string();
        results_in(&side.result, keep)
            || side.line.what.as_str() == keep
            || side.line.origin.id == keep
            || (keep.len() >= 4 && act.starts_with(keep))
    };
    let fitting: Vec<_> = open.sides.iter().filter(fits).collect();
    match fitting.as_slice() {
        [side] => Ok(side.line.act),
        _ => {
            let sides: Vec<_> = open
                .sides
                .iter()
                .map(|side| {
                    let (who, did) = (&side.line.origin, side_activity(open, side));
                    format!("{} ({who} {did}: {})", side.key, means(side))
                })
                .collect();
            Err(ResolveError::WhichSide(sides.join(", ")))
        }
    }
}

/// Whether a result has this name or value. The names are what people type, whatever is shown to them.
fn results_in(result: &SideResult, named: &str) -> bool {
    match result {
        SideResult::Stays { column } | SideResult::Column { column } => column.as_str() == named,
        SideResult::Closed { status } => status.as_str() == named,
        SideResult::Superseded { by } => by.handle == named,
        SideResult::Frozen { set } => named == if *set { "frozen" } else { "not frozen" },
        SideResult::Blocked { set } => named == if *set { "blocked" } else { "not blocked" },
        SideResult::Trash { deleted: true } => named == "in the trash",
        SideResult::Trash { deleted: false } => named == "out of the trash",
        SideResult::Purged => named == "deleted permanently",
        SideResult::Claimed { holder } => holder == named,
        SideResult::Setting { value } => value.as_deref().unwrap_or("default") == named,
        SideResult::Value { value } => value.as_ref().is_some_and(|value| has_value(value, named)),
        SideResult::Waits { item, .. } => item.handle == named,
        SideResult::Replaces { by, .. } => by.handle == named,
    }
}

/// Whether the value of a field is this one.
fn has_value(value: &LineValue, named: &str) -> bool {
    match value {
        LineValue::Title { title: text }
        | LineValue::Label { label: text }
        | LineValue::Text { text }
        | LineValue::Reason { reason: text }
        | LineValue::Commit { commit: text } => text == named,
        LineValue::Kind { kind } => kind.as_str() == named,
        LineValue::Priority { priority } => named.trim_start_matches(['P', 'p']) == priority.to_string(),
        LineValue::Qa { qa } => qa.as_str() == named,
        LineValue::Epic { epic } => epic.as_ref().map_or("none", |epic| epic.handle.as_str()) == named,
        LineValue::Assignee { who } => who.as_deref().unwrap_or("nobody") == named,
        LineValue::Judgement { state, .. } => state.as_str() == named,
        LineValue::Claim { holder, .. } => holder == named,
        LineValue::Item { item } => item.handle == named,
        LineValue::Link { target, .. } => target == named,
        LineValue::Setting { value, .. } => value.as_deref() == Some(named),
        LineValue::Failure { kind, .. } => kind.as_str() == named,
        LineValue::Resolution { .. } => false,
    }
}
