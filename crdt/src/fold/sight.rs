//! What somebody has in front of them: the registers of the stage, judged from the acts that one
//! author saw, or from all heads.
//!
//! The same judgement serves both, so that an author's view of an item is what the fold says it was.
//! Relies on the acts that were taken so far and changes none.

use std::collections::BTreeSet;

use towline_proto::{ActId, Column, Kind, Millis, Op, Qa, Register, Standing};

use super::claim::{self, ClaimOutcome};
use super::contest::{self, ColumnOutcome, Outcome};
use super::{Machine, Place, effect};
use crate::members::Roles;

/// The stage of an item as somebody sees it.
#[derive(Debug)]
pub(crate) struct Sight {
    /// What decides legality.
    pub(crate) standing: Standing,
    /// Where the item stands.
    pub(crate) place: Place,
    /// The act that put it there.
    pub(crate) column_act: Option<ActId>,
    /// Who passes it through QA.
    pub(crate) qa: Qa,
    /// The highest claim generation that was ever given.
    pub(crate) generation: u32,
    /// When the claim that stands was made.
    pub(crate) claimed_at: Option<Millis>,
    pub(crate) column: Option<ColumnOutcome>,
    pub(crate) frozen: Outcome,
    pub(crate) blocked: Outcome,
    pub(crate) trash: Outcome,
    pub(crate) review: Outcome,
    pub(crate) failure: Outcome,
    pub(crate) claim: ClaimOutcome,
    /// Acts that counted in a column which the item left without their authors' knowledge.
    pub(crate) left: Vec<ActId>,
}

impl<R: Roles> Machine<'_, R> {
    /// Judges the stage. `heads` gives the heads of a register.
    pub(super) fn sight(&self, heads: impl Fn(&Register) -> Vec<ActId>) -> Sight {
        let (frozen, blocked) = (heads(&Register::Frozen), heads(&Register::Blocked));
        let column = contest::column(
            &self.acts,
            self.roles,
            &heads(&Register::Column),
            &[&frozen, &blocked],
        );
        let place = column
            .as_ref()
            .map_or(Place::open(Column::Backlog), |column| column.place.clone());
        let mut left = Vec::new();
        let mut bound = |register| self.bound(column.as_ref(), heads(register), register, &mut left);
        let flag = |heads: &[ActId]| contest::flag(&self.acts, self.roles, heads);
        let holds = |outcome: &Outcome| {
            outcome
                .winner
                .is_some_and(|winner| contest::sets(&self.acts, &winner))
        };
        let claim_heads = heads(&Register::Claim);
        let generation = claim_heads
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.generation))
            .max()
            .unwrap_or(0);
        let (frozen, blocked) = (flag(&frozen), flag(&blocked));
        let review = flag(&bound(&Register::Review));
        let failure = flag(&bound(&Register::Failure));
        let claims = bound(&Register::Claim);
        let claim = claim::choose(&self.acts, self.item, &claims, generation);
        let trash = contest::trash(&self.acts, self.roles, &heads(&Register::Deleted));
        let deleted = trash.winner.and_then(|winner| effect(&self.acts, &winner));
        let deleted = deleted.is_some_and(|op| !matches!(op, Op::Restore));
        let qa = self
            .value(&heads(&Register::Qa), contest::qa_of)
            .unwrap_or(Qa::Agent);
        let kind = self
            .value(&heads(&Register::Kind), contest::kind_of)
            .unwrap_or(Kind::Story);
        let standing = Standing {
            column: place.column,
            kind,
            frozen: holds(&frozen),
            blocked: holds(&blocked),
            review: place.column == Column::Qa && holds(&review),
            failure: place.column == Column::Merge && holds(&failure),
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
        Sight {
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
            left,
        }
    }

    /// The act itself, or the one whose effect it repeats.
    pub(super) fn root(&self, id: &ActId) -> Option<&super::Folding<'_>> {
        let act = self.acts.get(id)?;
        Some(act.keeps.and_then(|root| self.acts.get(&root)).unwrap_or(act))
    }

    fn value<T: PartialEq>(&self, heads: &[ActId], of: fn(&Op) -> Option<T>) -> Option<T> {
        let winner = contest::field(&self.acts, self.roles, heads, of).winner?;
        of(effect(&self.acts, &winner)?)
    }

    /// Of the heads of a register that ends with its column, those that belong to the present one.
    /// What is lost because the item left the column goes to `left`.
    ///
    /// An exit that waits for a hold to be lifted has ended nothing yet: in its place stands what it
    /// had superseded.
    fn bound(
        &self,
        column: Option<&ColumnOutcome>,
        mut heads: Vec<ActId>,
        register: &Register,
        left: &mut Vec<ActId>,
    ) -> Vec<ActId> {
        let Some(column) = column else { return heads };
        let mut looked_through = BTreeSet::new();
        while let Some(at) = heads.iter().position(|id| column.pending.contains(id)) {
            let exit = heads.swap_remove(at);
            let Some(act) = self.acts.get(&exit).filter(|_| looked_through.insert(exit)) else {
                continue;
            };
            heads.extend(self.contenders(&act.record.act.saw, register));
        }
        if !looked_through.is_empty() {
            heads.sort_unstable();
            heads.dedup();
            let seen: BTreeSet<ActId> = heads
                .iter()
                .filter_map(|id| self.acts.get(id))
                .flat_map(|act| act.record.act.saw.iter().copied())
                .collect();
            heads.retain(|id| !seen.contains(id));
        }
        let belongs = |id: &ActId| {
            let saw = self.acts.get(id).map(|act| act.record.act.saw.as_slice());
            column.ruling.is_empty()
                || column.ruling.contains(id)
                || saw.is_some_and(|saw| column.ruling.iter().any(|ruling| saw.contains(ruling)))
        };
        let is_step = |id: &ActId| {
            let act = self.acts.get(id);
            act.is_some_and(|act| act.writes.first() == Some(&Register::Column))
                && !contest::sets(&self.acts, id)
                && !effect(&self.acts, id).is_some_and(claim::is_claim)
        };
        let (here, gone): (Vec<ActId>, Vec<ActId>) = heads.into_iter().partition(belongs);
        for id in gone {
            if claim::wants(&self.acts, &id) && !left.contains(&id) {
                left.push(id);
            }
        }
        // A step of the column only clears what it saw; it does not contend here.
        here.into_iter().filter(|id| !is_step(id)).collect()
    }
}
