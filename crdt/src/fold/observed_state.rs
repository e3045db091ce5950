//! What somebody has in front of them: the registers of the stage, judged from the acts that one
//! author saw, or from all heads.
//!
//! The same judgement serves both, so that an author's view of an item is what the fold says it was.
//! Relies on the acts that were taken so far and changes none.

use std::collections::BTreeSet;
use std::sync::Arc;

use towline_proto::{ActId, Column, ItemState, Kind, Millis, Op, Qa, Register};

use super::claim::{self, ClaimResolution};
use super::column::{self, ColumnResolution};
use super::resolution::{self, Resolution};
use super::{ColumnValue, FoldState, effect};
use crate::members::Roles;

/// The acts that count in the registers which end with their column.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnScoped {
    pub(crate) review: Vec<ActId>,
    pub(crate) failure: Vec<ActId>,
    pub(crate) claim: Vec<ActId>,
}

impl ColumnScoped {
    /// Those of one register.
    pub(crate) fn of(&self, register: &Register) -> &[ActId] {
        match register {
            Register::Review => &self.review,
            Register::Failure => &self.failure,
            Register::Claim => &self.claim,
            _ => &[],
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ActId> {
        self.review.iter().chain(&self.failure).chain(&self.claim)
    }
}

/// The stage of an item as somebody sees it.
#[derive(Debug)]
pub(crate) struct ObservedState {
    /// What decides legality.
    pub(crate) standing: ItemState,
    /// Where the item stands.
    pub(crate) place: ColumnValue,
    /// The act that put it there.
    pub(crate) column_act: Option<ActId>,
    /// Who passes it through QA.
    pub(crate) qa: Qa,
    /// The highest claim generation that was ever given.
    pub(crate) generation: u32,
    /// When the claim that stands was made.
    pub(crate) claimed_at: Option<Millis>,
    pub(crate) column: Option<ColumnResolution>,
    pub(crate) frozen: Resolution,
    pub(crate) blocked: Resolution,
    pub(crate) trash: Resolution,
    pub(crate) review: Resolution,
    pub(crate) failure: Resolution,
    pub(crate) claim: ClaimResolution,
    /// What counts of review, failure and claim.
    pub(crate) found: Arc<ColumnScoped>,
    /// Acts that counted in a column which the item left without their authors' knowledge.
    pub(crate) left: Vec<ActId>,
}

impl<R: Roles> FoldState<'_, R> {
    /// Judges the stage. `heads` gives the heads of a register.
    pub(super) fn sight(&self, heads: impl Fn(&Register) -> Vec<ActId>) -> ObservedState {
        let (frozen, blocked) = (heads(&Register::Frozen), heads(&Register::Blocked));
        let column = column::column(
            &self.acts,
            self.roles,
            &heads(&Register::Column),
            &[&frozen, &blocked],
        );
        let place = column
            .as_ref()
            .map_or(ColumnValue::open(Column::Backlog), |column| column.place.clone());
        let mut left = Vec::new();
        let claim_heads = heads(&Register::Claim);
        let mut bound = |register, heads: &[ActId]| self.bound(column.as_ref(), heads, &register, &mut left);
        let found = ColumnScoped {
            review: bound(Register::Review, &heads(&Register::Review)),
            failure: bound(Register::Failure, &heads(&Register::Failure)),
            claim: bound(Register::Claim, &claim_heads),
        };
        let flag = |heads: &[ActId]| resolution::flag(&self.acts, self.roles, heads);
        let holds = |outcome: &Resolution| {
            outcome
                .winner
                .is_some_and(|winner| resolution::sets(&self.acts, &winner))
        };
        let generation = claim_heads
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.generation))
            .max()
            .unwrap_or(0);
        let (frozen, blocked) = (flag(&frozen), flag(&blocked));
        let review = flag(&found.review);
        let failure = flag(&found.failure);
        let claim = claim::choose(
            &self.acts,
            &self.again,
            self.item,
            &found.claim,
            &claim_heads,
            generation,
        );
        let trash = resolution::trash(&self.acts, self.roles, &heads(&Register::Deleted));
        let deleted = trash.winner.and_then(|winner| effect(&self.acts, &winner));
        let deleted = deleted.is_some_and(|op| !matches!(op, Op::Restore));
        let qa = self
            .value(&heads(&Register::Qa), resolution::qa_of)
            .unwrap_or(Qa::Agent);
        let kind = self
            .value(&heads(&Register::Kind), resolution::kind_of)
            .unwrap_or(Kind::Story);
        let standing = ItemState {
            column: place.column,
            kind,
            frozen: holds(&frozen),
            blocked: holds(&blocked),
            review: holds(&review),
            failure: holds(&failure),
            claimed: claim.act.is_some(),
            deleted,
            // Whether a purge counts depends on acts that its author had not seen, and so does not
            // show to somebody who looks at a part: see `project`.
            purged: false,
        };
        let claimed_at = claim
            .act
            .and_then(|id| self.root(&id))
            .map(|act| act.record.act.at);
        ObservedState {
            standing,
            column_act: column.as_ref().and_then(|column| column.act),
            place,
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
            found: Arc::new(found),
            left,
        }
    }

    /// The act itself, or the one whose effect it repeats.
    pub(super) fn root(&self, id: &ActId) -> Option<&super::FoldedAct<'_>> {
        let act = self.acts.get(id)?;
        Some(act.keeps.and_then(|root| self.acts.get(&root)).unwrap_or(act))
    }

    fn value<T: PartialEq>(&self, heads: &[ActId], of: fn(&Op) -> Option<T>) -> Option<T> {
        let winner = resolution::field(&self.acts, self.roles, heads, of).winner?;
        of(effect(&self.acts, &winner)?)
    }

    /// Of the acts about a register that ends with its column, those that belong to the present one:
    /// their authors saw the item in this column, put there by what rules it now. What is lost because
    /// the item left the column goes to `left`.
    fn bound(
        &self,
        column: Option<&ColumnResolution>,
        heads: &[ActId],
        register: &Register,
        left: &mut Vec<ActId>,
    ) -> Vec<ActId> {
        let Some(column) = column else { return Vec::new() };
        let mut counting = Vec::new();
        let mut exits = BTreeSet::new();
        for head in heads {
            self.bring(*head, register, column, &mut counting, &mut exits);
        }
        for exit in exits.iter().filter_map(|exit| self.acts.get(exit)) {
            counting.extend_from_slice(exit.found.of(register));
        }
        counting.sort_unstable();
        counting.dedup();
        if !counting.is_empty() {
            let rulers: BTreeSet<ActId> = column::rulers(&self.acts, &column.ruling).collect();
            counting.retain(|id| self.belongs(id, column, &rulers));
        }
        if counting.len() > 1 || (counting.len() == 1 && heads.len() > 1) {
            // Whoever writes here replaces all that counted for them, also what an act of the column
            // that they saw had brought along.
            let acts = heads.iter().chain(&counting).filter_map(|id| self.acts.get(id));
            let writers = acts.filter(|act| act.to.is_none());
            let replaced = writers.flat_map(|act| act.saw.iter().chain(act.found.of(register)));
            let replaced = replaced.filter(|id| counting.binary_search(id).is_ok());
            let replaced: BTreeSet<ActId> = replaced.copied().collect();
            counting.retain(|id| !replaced.contains(id));
        }
        let mut known: BTreeSet<ActId> = left.iter().copied().collect();
        for id in heads {
            let counts = counting.binary_search(id).is_ok();
            if !counts && claim::wants(&self.acts, id) && known.insert(*id) {
                left.push(*id);
            }
        }
        counting
    }

    /// What may count in a register because of one of its heads. A step of the column ends all that it
    /// saw there, but an exit that waits for a hold has ended nothing yet, and an act that settles and
    /// leaves the item where it stood for its author ends nothing at all. What counted before an exit is
    /// asked of the first of its row, which goes to `exits`: many can share it.
    fn bring(
        &self,
        head: ActId,
        register: &Register,
        column: &ColumnResolution,
        counting: &mut Vec<ActId>,
        exits: &mut BTreeSet<ActId>,
    ) {
        let Some(act) = self.acts.get(&head) else { return };
        let Some(to) = &act.to else {
            return counting.push(head);
        };
        if !to.column.is_open() {
            exits.extend(column.waits.as_ref().and_then(|waits| waits.get(&head)));
            return;
        }
        let Some(kept) = act.keeps else { return };
        if act.from.as_ref() == Some(to) {
            counting.extend_from_slice(act.found.of(register));
        }
        let root = self.acts.get(&kept);
        if root.is_some_and(|root| root.writes.first() == Some(register)) {
            counting.push(kept);
        }
    }

    fn belongs(&self, id: &ActId, column: &ColumnResolution, rulers: &BTreeSet<ActId>) -> bool {
        let Some(act) = self.acts.get(id) else {
            return false;
        };
        let stood = act.from.as_ref().map(|from| from.column);
        let mut names = act.saw.iter();
        stood == Some(column.place.column) && names.any(|named| rulers.contains(named))
    }
}
