//! The state of an item as one author observed it: column, holds, claim and trash, computed from the acts that
//! the author saw.
//!
//! The same function computes the final state from all heads, so what an author was shown and what the fold
//! ends with can never differ. Relies on the acts folded so far and changes none of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_proto::{ActId, Column, ItemState, Kind, Millis, Op, Qa, Register};

use super::claim::{self, ClaimDecision};
use super::column::{self, ColumnDecision};
use super::winner::{self, Decision};
use super::{ColumnValue, FoldState, effect};
use crate::members::Roles;

/// The acts in effect in the registers that are reset whenever the column changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnScoped {
    pub(crate) review: Vec<ActId>,
    pub(crate) failure: Vec<ActId>,
    pub(crate) claim: Vec<ActId>,
}

impl ColumnScoped {
    /// The acts of one register.
    pub(crate) fn of(&self, register: &Register) -> &[ActId] {
        match register {
            Register::Review => &self.review,
            Register::Failure => &self.failure,
            Register::Claim => &self.claim,
            _ => &[],
        }
    }

    /// The acts of all three registers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ActId> {
        self.review.iter().chain(&self.failure).chain(&self.claim)
    }
}

/// The stage of an item as computed from a set of heads.
#[derive(Debug)]
pub(crate) struct ObservedState {
    /// The input of the transition table.
    pub(crate) state: ItemState,
    /// The value of the column register.
    pub(crate) column_value: ColumnValue,
    /// The act that set it.
    pub(crate) column_act: Option<ActId>,
    /// How the item passes QA.
    pub(crate) qa: Qa,
    /// The highest claim generation so far.
    pub(crate) generation: u32,
    /// When the current claim was made.
    pub(crate) claimed_at: Option<Millis>,
    pub(crate) column: Option<ColumnDecision>,
    pub(crate) frozen: Decision,
    pub(crate) blocked: Decision,
    pub(crate) trash: Decision,
    pub(crate) review: Decision,
    pub(crate) failure: Decision,
    pub(crate) claim: ClaimDecision,
    /// The acts in effect of review, failure and claim.
    pub(crate) scoped: Arc<ColumnScoped>,
    /// Acts that lost their effect because the item left their column concurrently.
    pub(crate) left_behind: Vec<ActId>,
}

impl<R: Roles> FoldState<'_, R> {
    /// Computes the state; `heads` returns the heads of a register.
    pub(super) fn observe(&self, heads: impl Fn(&Register) -> Vec<ActId>) -> ObservedState {
        let (frozen, blocked) = (heads(&Register::Frozen), heads(&Register::Blocked));
        let column = column::decide(
            &self.acts,
            self.roles,
            &heads(&Register::Column),
            &[&frozen, &blocked],
        );
        let column_value = column
            .as_ref()
            .map_or(ColumnValue::open(Column::Backlog), |column| {
                column.column_value.clone()
            });
        let mut left_behind = Vec::new();
        let claim_heads = heads(&Register::Claim);
        let mut scoped_acts = |register, heads: &[ActId]| {
            self.scoped_to_column(column.as_ref(), heads, &register, &mut left_behind)
        };
        let scoped = ColumnScoped {
            review: scoped_acts(Register::Review, &heads(&Register::Review)),
            failure: scoped_acts(Register::Failure, &heads(&Register::Failure)),
            claim: scoped_acts(Register::Claim, &claim_heads),
        };
        let decide_hold = |heads: &[ActId]| winner::decide_hold(&self.acts, self.roles, heads);
        let holds = |outcome: &Decision| {
            outcome
                .winner
                .is_some_and(|winner| winner::sets_hold(&self.acts, &winner))
        };
        let generation = claim_heads
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.generation))
            .max()
            .unwrap_or(0);
        let (frozen, blocked) = (decide_hold(&frozen), decide_hold(&blocked));
        let review = decide_hold(&scoped.review);
        let failure = decide_hold(&scoped.failure);
        let claim = claim::decide(
            &self.acts,
            &self.requests,
            self.item,
            &scoped.claim,
            &claim_heads,
            generation,
        );
        let trash = winner::decide_trash(&self.acts, self.roles, &heads(&Register::Deleted));
        let deleted = trash.winner.and_then(|winner| effect(&self.acts, &winner));
        let deleted = deleted.is_some_and(|op| !matches!(op, Op::Restore));
        let qa = self
            .value(&heads(&Register::Qa), winner::qa_of)
            .unwrap_or(Qa::Agent);
        let kind = self
            .value(&heads(&Register::Kind), winner::kind_of)
            .unwrap_or(Kind::Story);
        let state = ItemState {
            column: column_value.column,
            kind,
            frozen: holds(&frozen),
            blocked: holds(&blocked),
            review: holds(&review),
            failure: holds(&failure),
            claimed: claim.act.is_some(),
            deleted,
            // Whether a purge takes effect depends on acts that its author had not seen, so it is not part of
            // an observed state: see `project`.
            purged: false,
        };
        let claimed_at = claim
            .act
            .and_then(|id| self.root(&id))
            .map(|act| act.record.act.at);
        ObservedState {
            state,
            column_act: column.as_ref().and_then(|column| column.act),
            column_value,
            qa,
            generation,
            claimed_at,
            column,
            frozen,
            blocked,
            trash,
            review,
            failure,
            claim,
            scoped: Arc::new(scoped),
            left_behind,
        }
    }

    /// The act itself, or for an act that resolves a conflict the act that it keeps.
    pub(super) fn root(&self, id: &ActId) -> Option<&super::FoldedAct<'_>> {
        let act = self.acts.get(id)?;
        Some(act.keeps.and_then(|root| self.acts.get(&root)).unwrap_or(act))
    }

    fn value<T: PartialEq>(&self, heads: &[ActId], of: fn(&Op) -> Option<T>) -> Option<T> {
        let winner = winner::decide_field(&self.acts, self.roles, heads, of).winner?;
        of(effect(&self.acts, &winner)?)
    }

    /// The acts of a column-scoped register that belong to the current column visit: their authors saw the
    /// item in this column, put there by one of the acts that put it there now. Acts that lose their effect
    /// because the item left the column are added to `left_behind`.
    fn scoped_to_column(
        &self,
        column: Option<&ColumnDecision>,
        heads: &[ActId],
        register: &Register,
        left_behind: &mut Vec<ActId>,
    ) -> Vec<ActId> {
        let Some(column) = column else { return Vec::new() };
        let mut current = Vec::new();
        let mut exits = BTreeSet::new();
        for head in heads {
            self.collect_current(*head, register, column, &mut current, &mut exits);
        }
        for exit in exits.iter().filter_map(|exit| self.acts.get(exit)) {
            current.extend_from_slice(exit.scoped.of(register));
        }
        current.sort_unstable();
        current.dedup();
        if !current.is_empty() {
            let placing: BTreeSet<ActId> = column::placing_acts(&self.acts, &column.placed_by).collect();
            current.retain(|id| self.belongs_to_column(id, column, &placing));
        }
        if current.len() > 1 || (current.len() == 1 && heads.len() > 1) {
            // An act of this register supersedes everything in the register that was in effect for its
            // author, including acts that an act of the column had carried over.
            let acts = heads.iter().chain(&current).filter_map(|id| self.acts.get(id));
            let writers = acts.filter(|act| act.to.is_none());
            let replaced = writers.flat_map(|act| act.saw.iter().chain(act.scoped.of(register)));
            let replaced = replaced.filter(|id| current.binary_search(id).is_ok());
            let replaced: BTreeSet<ActId> = replaced.copied().collect();
            current.retain(|id| !replaced.contains(id));
        }
        let mut known: BTreeSet<ActId> = left_behind.iter().copied().collect();
        for id in heads {
            let counts = current.binary_search(id).is_ok();
            if !counts && claim::is_lost_with_column(&self.acts, id) && known.insert(*id) {
                left_behind.push(*id);
            }
        }
        current
    }

    /// Adds to `current` the acts that can be in effect in a register because of one of its heads. A step of
    /// the column resets the register, with two exceptions: a pending exit has reset nothing yet, and an act
    /// that resolves a conflict and leaves the item in its column resets nothing. For a pending exit, the acts
    /// in effect are those before the first exit of its chain; that exit is added to `exits`, because many
    /// heads can share it.
    fn collect_current(
        &self,
        head: ActId,
        register: &Register,
        column: &ColumnDecision,
        current: &mut Vec<ActId>,
        exits: &mut BTreeSet<ActId>,
    ) {
        let Some(act) = self.acts.get(&head) else { return };
        let Some(to) = &act.to else {
            return current.push(head);
        };
        if !to.column.is_open() {
            exits.extend(column.pending_exits.as_ref().and_then(|waits| waits.get(&head)));
            return;
        }
        let Some(kept) = act.keeps else { return };
        if act.from.as_ref() == Some(to) {
            current.extend_from_slice(act.scoped.of(register));
        }
        let root = self.acts.get(&kept);
        if root.is_some_and(|root| root.writes.first() == Some(register)) {
            current.push(kept);
        }
    }

    fn belongs_to_column(&self, id: &ActId, column: &ColumnDecision, placing: &BTreeSet<ActId>) -> bool {
        let Some(act) = self.acts.get(id) else {
            return false;
        };
        let stood = act.from.as_ref().map(|from| from.column);
        let mut names = act.saw.iter();
        stood == Some(column.column_value.column) && names.any(|named| placing.contains(named))
    }
}
