//! The registers that are reset when the column changes: review, failure and claim. An act about one of them is in
//! effect while the item is in the column visit that its author saw.

use std::collections::BTreeMap;

use towline_proto::{ActId, FailureKind, Op, OriginKind, Register, Rule};

use super::observed_state::{ModelClaim, ModelConflict, ObservedState};
use super::table::COLUMN_SCOPED;
use super::{ActSet, Model};

impl Model<'_> {
    pub(super) fn observe_column_scoped(&self, among: &ActSet, observed: &mut ObservedState) {
        let heads = self.heads(among, &Register::Claim);
        let generations = heads.iter().map(|id| self.known[id].generation);
        observed.generation = generations.max().unwrap_or(0);
        let mut left = ActSet::new();
        for register in COLUMN_SCOPED {
            let heads = self.heads(among, &register);
            let mut counting = ActSet::new();
            for head in &heads {
                counting.extend(self.brings(*head, &register, among, observed));
            }
            counting.retain(|id| self.belongs(*id, observed));
            // A writer supersedes everything that was in effect for it, including acts carried over by others.
            let writers = heads
                .iter()
                .chain(&counting)
                .filter(|id| self.known[id].to.is_none());
            let replaced: ActSet = writers
                .flat_map(|id| {
                    let known = &self.known[id];
                    known
                        .named
                        .iter()
                        .chain(known.observed.counting.get(&register).into_iter().flatten())
                })
                .copied()
                .collect();
            counting.retain(|id| !replaced.contains(id));
            let gone = heads.difference(&counting).copied();
            left.extend(gone.filter(|id| self.can_be_lost(*id)));
            match register {
                Register::Review => observed.review = !counting.is_empty(),
                Register::Failure => self.observe_failure(&counting, observed),
                _ => self.observe_claim(&heads, &counting, observed),
            }
            observed.counting.insert(register, counting);
        }
        let column = observed
            .conflicts
            .iter_mut()
            .find(|conflict| conflict.register == Register::Column);
        if let Some(column) = column {
            column
                .losers
                .extend(left.into_iter().map(|id| (id, Rule::ColumnLeft)));
        }
    }

    /// Whether the item is in the column visit that the author of this act saw.
    fn belongs(&self, id: ActId, observed: &ObservedState) -> bool {
        let known = &self.known[&id];
        let column = |observed: &ObservedState| observed.column_value.as_ref().map(|(column, _)| *column);
        let names = known.named.iter().any(|named| observed.rulers.contains(named));
        column(&known.observed) == column(observed) && names
    }

    /// The acts that may be in effect in a register because of one of its heads.
    fn brings(&self, head: ActId, register: &Register, among: &ActSet, observed: &ObservedState) -> ActSet {
        let known = &self.known[&head];
        let Some((column, _)) = &known.to else {
            return ActSet::from([head]);
        };
        let found = |by: ActId| {
            self.known[&by]
                .observed
                .counting
                .get(register)
                .cloned()
                .unwrap_or_default()
        };
        if !column.is_open() {
            // A pending exit has reset nothing yet.
            return if observed.waiting {
                found(self.first_exit(head, among))
            } else {
                ActSet::new()
            };
        }
        let Op::Resolve { keep, .. } = known.op() else {
            return ActSet::new();
        };
        let kept = self.effect(*keep);
        let mut brought = ActSet::new();
        if known.observed.column_value == known.to {
            brought.extend(found(head));
        }
        if self.known[&kept].writes[0] == *register {
            brought.insert(kept);
        }
        brought
    }

    /// Whether it counts as overridden when the column changes: a report and a release do not.
    fn can_be_lost(&self, id: ActId) -> bool {
        self.known[&id].to.is_none()
            && matches!(
                self.effect_op(id),
                Op::PassQa | Op::RetryMerge | Op::GiveUpMerge | Op::Claim { .. } | Op::TakeOver { .. }
            )
    }

    /// Giving up wins against a reported failure, and that against retrying.
    fn observe_failure(&self, counting: &ActSet, observed: &mut ObservedState) {
        let is = |id: &ActId, wanted: u8| {
            wanted
                == match self.effect_op(*id) {
                    Op::GiveUpMerge => 0,
                    Op::MergeFailed { .. } => 1,
                    _ => 2,
                }
        };
        let of = |wanted| -> ActSet { counting.iter().copied().filter(|id| is(id, wanted)).collect() };
        let (given_up, failed, tried) = (of(0), of(1), of(2));
        let winning = if given_up.is_empty() { failed } else { given_up };
        let Some(winner) = self.foremost(&winning) else {
            return;
        };
        observed.failure = self.failure_of(winner);
        self.add_conflict(Register::Failure, &winning, &tried, Rule::Cautious, observed);
    }

    fn failure_of(&self, id: ActId) -> Option<(FailureKind, bool)> {
        let effect = &self.known[&self.effect(id)];
        match effect.op() {
            Op::MergeFailed { kind, .. } => Some((*kind, false)),
            _ => effect.observed.failure.map(|(kind, _)| (kind, true)),
        }
    }

    /// The highest generation wins; within it a person against an agent, then the smallest hash.
    fn observe_claim(&self, heads: &ActSet, counting: &ActSet, observed: &mut ObservedState) {
        let top = observed.generation;
        let claim = |id: &ActId| match self.effect_op(*id) {
            Op::Claim { holder, generation }
            | Op::TakeOver {
                holder, generation, ..
            } => Some((holder.clone(), *generation)),
            _ => None,
        };
        let claims: ActSet = counting
            .iter()
            .copied()
            .filter(|id| claim(id).is_some())
            .collect();
        let (newest, older): (ActSet, ActSet) = claims
            .iter()
            .copied()
            .partition(|id| claim(id).is_some_and(|(_, generation)| generation == top));
        let mut newest: Vec<ActId> = newest.into_iter().collect();
        newest.sort_by_key(|id| {
            let effect = &self.known[&self.effect(*id)];
            let person = effect.record.act.origin.kind == OriginKind::User;
            (!person, self.dice(*id, top), self.known[id].record.hash)
        });
        // When the newest claim is released or belongs to another column, nobody holds the claim.
        let latest = |ids: &ActSet| {
            ids.iter()
                .copied()
                .filter(|id| self.known[id].generation == top)
                .max()
        };
        let winner = newest
            .first()
            .copied()
            .or_else(|| latest(counting))
            .or_else(|| latest(heads));
        let Some(winner) = winner else { return };
        if let Some((holder, generation)) = newest.first().and_then(claim) {
            let effect = &self.known[&self.effect(winner)];
            observed.claim = Some(ModelClaim {
                holder,
                generation,
                node: effect.node,
                at: effect.record.act.at,
            });
        }
        let mut losers: BTreeMap<ActId, Rule> = older.iter().map(|id| (*id, Rule::Generation)).collect();
        losers.extend(newest.iter().skip(1).map(|id| (*id, Rule::Claim)));
        // An act that keeps an older claim can be the latest act itself, and loses against nothing then.
        losers.retain(|id, _| *id != winner && !self.requests.same(&winner).contains(id));
        observed.conflicts.push(ModelConflict {
            register: Register::Claim,
            winner,
            losers,
        });
    }

    /// The hash of (item, generation, author), which nobody can steer.
    fn dice(&self, id: ActId, generation: u32) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("towline/claim-lot/1");
        hasher.update(&self.item.0);
        hasher.update(&generation.to_le_bytes());
        hasher.update(&self.known[&self.effect(id)].record.node.0);
        *hasher.finalize().as_bytes()
    }
}
