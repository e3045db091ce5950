//! What ends with its column: review, failure and claim. An act about one of them counts while the
//! item stands where it stood for its author; the others have lost, or lost nothing by it.

use std::collections::BTreeMap;

use towline_proto::{ActId, FailureKind, Op, OriginKind, Register, Rule};

use super::sight::{Contest, Held, Sight};
use super::table::TIED;
use super::{Model, Set};

impl Model<'_> {
    pub(super) fn judge_tied(&self, among: &Set, sight: &mut Sight) {
        let heads = self.heads(among, &Register::Claim);
        let generations = heads.iter().map(|id| self.known[id].generation);
        sight.generation = generations.max().unwrap_or(0);
        let mut left = Set::new();
        for register in TIED {
            let heads = self.heads(among, &register);
            let mut counting = Set::new();
            for head in &heads {
                counting.extend(self.brings(*head, &register, among, sight));
            }
            counting.retain(|id| self.belongs(*id, sight));
            // Whoever wrote here replaced all that counted for them, also what came by way of others.
            let writers = heads
                .iter()
                .chain(&counting)
                .filter(|id| self.known[id].to.is_none());
            let replaced: Set = writers
                .flat_map(|id| {
                    let known = &self.known[id];
                    known
                        .named
                        .iter()
                        .chain(known.sight.counting.get(&register).into_iter().flatten())
                })
                .copied()
                .collect();
            counting.retain(|id| !replaced.contains(id));
            let gone = heads.difference(&counting).copied();
            left.extend(gone.filter(|id| self.can_be_lost(*id)));
            match register {
                Register::Review => sight.review = !counting.is_empty(),
                Register::Failure => self.judge_failure(&counting, sight),
                _ => self.judge_claim(&heads, &counting, sight),
            }
            sight.counting.insert(register, counting);
        }
        let column = sight
            .contests
            .iter_mut()
            .find(|contest| contest.register == Register::Column);
        if let Some(column) = column {
            column
                .losers
                .extend(left.into_iter().map(|id| (id, Rule::ColumnLeft)));
        }
    }

    /// Whether the item stands where it stood for the author of this act, by the same step.
    fn belongs(&self, id: ActId, sight: &Sight) -> bool {
        let known = &self.known[&id];
        let column = |sight: &Sight| sight.place.as_ref().map(|(column, _)| *column);
        let names = known.named.iter().any(|named| sight.rulers.contains(named));
        column(&known.sight) == column(sight) && names
    }

    /// The acts that may count in a register because of one of its heads.
    fn brings(&self, head: ActId, register: &Register, among: &Set, sight: &Sight) -> Set {
        let known = &self.known[&head];
        let Some((column, _)) = &known.to else {
            return Set::from([head]);
        };
        let found = |by: ActId| {
            self.known[&by]
                .sight
                .counting
                .get(register)
                .cloned()
                .unwrap_or_default()
        };
        if !column.is_open() {
            // While it waits for a hold, what it would end goes on.
            return if sight.waiting {
                found(self.first_exit(head, among))
            } else {
                Set::new()
            };
        }
        let Op::Settle { keep, .. } = known.op() else {
            return Set::new();
        };
        let kept = self.effect(*keep);
        let mut brought = Set::new();
        if known.sight.place == known.to {
            brought.extend(found(head));
        }
        if self.known[&kept].writes[0] == *register {
            brought.insert(kept);
        }
        brought
    }

    /// What its author would want to know of when it does not count: not a report, nor giving back.
    fn can_be_lost(&self, id: ActId) -> bool {
        self.known[&id].to.is_none()
            && matches!(
                self.effect_op(id),
                Op::PassQa | Op::RetryMerge | Op::GiveUpMerge | Op::Claim { .. } | Op::TakeOver { .. }
            )
    }

    /// Giving up beats a plain failure, and that beats trying again.
    fn judge_failure(&self, counting: &Set, sight: &mut Sight) {
        let is = |id: &ActId, wanted: u8| {
            wanted
                == match self.effect_op(*id) {
                    Op::GiveUpMerge => 0,
                    Op::MergeFailed { .. } => 1,
                    _ => 2,
                }
        };
        let of = |wanted| -> Set { counting.iter().copied().filter(|id| is(id, wanted)).collect() };
        let (given_up, failed, tried) = (of(0), of(1), of(2));
        let winning = if given_up.is_empty() { failed } else { given_up };
        let Some(winner) = self.foremost(&winning) else {
            return;
        };
        sight.failure = self.failure_of(winner);
        self.contest(Register::Failure, &winning, &tried, Rule::Cautious, sight);
    }

    fn failure_of(&self, id: ActId) -> Option<(FailureKind, bool)> {
        let effect = &self.known[&self.effect(id)];
        match effect.op() {
            Op::MergeFailed { kind, .. } => Some((*kind, false)),
            _ => effect.sight.failure.map(|(kind, _)| (kind, true)),
        }
    }

    /// The highest generation; of one generation a person before an agent, then the smallest lot.
    fn judge_claim(&self, heads: &Set, counting: &Set, sight: &mut Sight) {
        let top = sight.generation;
        let claim = |id: &ActId| match self.effect_op(*id) {
            Op::Claim { holder, generation }
            | Op::TakeOver {
                holder, generation, ..
            } => Some((holder.clone(), *generation)),
            _ => None,
        };
        let claims: Set = counting
            .iter()
            .copied()
            .filter(|id| claim(id).is_some())
            .collect();
        let (newest, older): (Set, Set) = claims
            .iter()
            .copied()
            .partition(|id| claim(id).is_some_and(|(_, generation)| generation == top));
        let mut newest: Vec<ActId> = newest.into_iter().collect();
        newest.sort_by_key(|id| {
            let effect = &self.known[&self.effect(*id)];
            let person = effect.record.act.origin.kind == OriginKind::User;
            (!person, self.lot(*id, top), self.known[id].record.hash)
        });
        // Where the newest claim does not count here, or was given back, nobody holds it.
        let latest = |ids: &Set| {
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
            sight.claim = Some(Held {
                holder,
                generation,
                node: effect.node,
                at: effect.record.act.at,
            });
        }
        let mut losers: BTreeMap<ActId, Rule> = older.iter().map(|id| (*id, Rule::Generation)).collect();
        losers.extend(newest.iter().skip(1).map(|id| (*id, Rule::Claim)));
        losers.retain(|id, _| !self.asked.same(&winner).contains(id));
        sight.contests.push(Contest {
            register: Register::Claim,
            winner,
            losers,
        });
    }

    /// The hash of (item, generation, author), which nobody can steer.
    fn lot(&self, id: ActId, generation: u32) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("towline/claim-lot/1");
        hasher.update(&self.item.0);
        hasher.update(&generation.to_le_bytes());
        hasher.update(&self.known[&self.effect(id)].record.node.0);
        *hasher.finalize().as_bytes()
    }
}
