//! Unresolved conflicts: lists them for people, and resolves one.
//!
//! The fold derives conflicts; here they get their texts, the sides to choose from, and the keys of the
//! sides. A resolution is one act, which names the side to keep.

mod cycle;
mod cycle_events;

use towline_api::activity_text::{ABOUT_TRASH, must_restore_first, side_activity};
use towline_api::request::{Failure, FailureCode};
use towline_api::types::{HistoryLine, HistoryOutcome, OpenConflict, Side};
use towline_crdt::fold::{FoldedItem, why_not_keepable};
use towline_crdt::view::Conflict;
use towline_proto::{ActId, Closing, Op, Register, Rule, text};

use super::command::{CommandContext, CommandPlan};
use super::index::letters;
use super::query::QueryContext;
use super::settings::HANDLE;
use super::write::{conflict, usage};

/// The most items whose conflicts are listed.
const MAX_ITEMS: usize = 1_000;
/// Characters of the text that says what keeping a side means.
const MEANS_CHARS: usize = 80;

impl QueryContext<'_> {
    /// Open conflicts of one item or of all, oldest first.
    pub(crate) fn conflicts(&self, item: Option<&str>) -> Result<Vec<OpenConflict>, Failure> {
        if item.is_some_and(|item| item == HANDLE) {
            return self.open_settings();
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
        let contenders = std::iter::once(&conflict.winner).chain(&conflict.losers);
        let lines = contenders.filter_map(|act| lines.iter().find(|line| line.act == *act));
        let sides = lines.enumerate().map(|(place, line)| Side {
            key: letters(place),
            effective: line.act == conflict.winner,
            means: self.means(folded, &conflict.register, line),
            unkeepable: match &line.fate {
                HistoryOutcome::Overtaken { rule, .. } => why_not_keepable(*rule).map(str::to_owned),
                HistoryOutcome::Effective | HistoryOutcome::Superseded { .. } | HistoryOutcome::Refused => {
                    None
                }
            },
            line: line.clone(),
        });
        OpenConflict {
            id: conflict.id.clone(),
            item: self.index.link(&folded.view.id),
            about: self.about(folded, &conflict.register),
            rule: conflict.rule,
            why: conflict.rule.sentence().to_owned(),
            since: conflict.since,
            sides: sides.collect(),
        }
    }

    /// A register as people call it; a criterion by its position and text.
    pub(super) fn about(&self, folded: &FoldedItem<'_>, register: &Register) -> String {
        let Register::Criterion(id) = register else {
            return match register {
                Register::Deleted => ABOUT_TRASH.to_owned(),
                register => register.to_string(),
            };
        };
        let mut criteria = folded.view.criteria.iter().enumerate();
        match criteria.find(|(_, criterion)| criterion.id == *id) {
            Some((place, criterion)) => {
                format!(
                    "criterion {} ({})",
                    place + 1,
                    text::show(&criterion.text, MEANS_CHARS)
                )
            }
            None => register.to_string(),
        }
    }

    /// What keeping a side means.
    fn means(&self, folded: &FoldedItem<'_>, register: &Register, line: &HistoryLine) -> String {
        let Some(act) = folded.acts.get(&line.act) else {
            return line.what.clone();
        };
        let root = act.keeps.and_then(|root| folded.acts.get(&root)).unwrap_or(act);
        let op = &root.record.act.op;
        match (register, op) {
            (Register::Column, Op::Freeze | Op::Block { .. }) => {
                format!("stay in {}", folded.view.column)
            }
            (Register::Column, _) => match act.to.as_ref().or(act.from.as_ref()) {
                Some(place) => match place.closing.as_deref() {
                    Some(Closing::Superseded { by }) => {
                        format!("superseded by {}", self.index.link(by).handle)
                    }
                    Some(closing) => closing.status().to_string(),
                    None => place.column.to_string(),
                },
                None => line.what.clone(),
            },
            (Register::Setting(_), Op::Set { value, .. }) => {
                value.clone().unwrap_or_else(|| "the default".to_owned())
            }
            (Register::Deleted, Op::Delete { .. }) => "in the trash".to_owned(),
            (Register::Deleted, Op::Restore) => "out of the trash".to_owned(),
            (Register::Deleted, Op::Purge) => "deleted permanently".to_owned(),
            (Register::Blocked, Op::Unblock) => "not blocked".to_owned(),
            (Register::Frozen, Op::Unfreeze) => "not frozen".to_owned(),
            (Register::Blocked, _) => "blocked".to_owned(),
            (Register::Frozen, _) => "frozen".to_owned(),
            (Register::Claim, Op::Claim { holder, .. } | Op::TakeOver { holder, .. }) => {
                format!("claimed by {}", text::show(holder, MEANS_CHARS))
            }
            _ => self
                .detail(folded, op)
                .map_or_else(|| line.what.clone(), |detail| text::show(&detail, MEANS_CHARS)),
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
        if must_restore_first(chosen) {
            let handle = self.index.handle(&row);
            let message = format!(
                "{handle} is in the trash; restore it with `towline restore {handle}`, then resolve the conflict"
            );
            return Err(conflict(message));
        }
        let side = choose_side(chosen, keep)?;
        if chosen.rule == Rule::Cycle {
            return self.resolve_cycle(&row, &chosen.id, &side);
        }
        let over = row.conflicts.iter().find(|conflict| conflict.id == chosen.id);
        let Some(over) = over.map(|conflict| conflict.register.clone()) else {
            return Err(conflict("this conflict was already resolved"));
        };
        self.plan(&row, vec![Op::Resolve { over, keep: side }], None)
    }
}

pub(super) fn choose_conflict<'c>(
    open: &'c [OpenConflict],
    id: Option<&str>,
) -> Result<&'c OpenConflict, Failure> {
    let fits: Vec<_> = match id {
        Some(id) => open
            .iter()
            .filter(|conflict| conflict.id.starts_with(id))
            .collect(),
        None => open.iter().collect(),
    };
    match fits.as_slice() {
        [one] => Ok(one),
        [] if open.is_empty() => Err(conflict("this item has no unresolved conflicts")),
        _ => {
            let known: Vec<_> = open
                .iter()
                .map(|one| format!("{} ({})", one.id, one.about))
                .collect();
            let message = format!("expected one of the conflicts of this item: {}", known.join(", "));
            Err(Failure::new(FailureCode::NotFound, message))
        }
    }
}

/// The side that a person means: by its key, or by a text that only one side has.
pub(super) fn choose_side(open: &OpenConflict, keep: &str) -> Result<ActId, Failure> {
    let keep = keep.trim();
    if keep.is_empty() {
        return Err(usage("expected the side to keep"));
    }
    if let Some(side) = open.sides.iter().find(|side| side.key == keep) {
        return Ok(side.line.act);
    }
    let fits = |side: &&Side| {
        let act = side.line.act.to_string();
        side.means == keep
            || side
                .means
                .strip_suffix(keep)
                .is_some_and(|before| before.ends_with(' '))
            || side.line.what == keep
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
                    format!("{} ({who} {did}: {})", side.key, side.means)
                })
                .collect();
            let message = format!("expected one side to keep: {}", sides.join(", "));
            Err(Failure::new(FailureCode::NotFound, message))
        }
    }
}
