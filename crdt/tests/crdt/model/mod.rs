//! The reference model: what `docs/design/001-fold.md` says, said again slowly and obviously.
//!
//! It shares no code with `crdt/src/fold` and is written for being read, not for speed: every author's
//! sight is worked out from scratch from the acts that the record names, sets are closed by walking
//! them again and again, and the transition table is a second copy ([`table`]). The properties in
//! `histories.rs` hold the fold against it. It never looks at a document, a clock or an arrival order.

mod asked;
mod column;
mod sight;
mod table;
mod tied;
mod told;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::doc::{ActRecord, Acts};
use towline_crdt::members::Roles;
use towline_proto::{ActId, Closing, Column, ItemId, NodeId, Op, Register, Role, Rule};

pub(crate) use told::{Class, Told};

use sight::Sight;

/// Acts, by id.
type Set = BTreeSet<ActId>;

/// Where an item stands and how it ended.
type Place = (Column, Option<Closing>);

/// One act that is in its place: everything that it names is there.
struct Known<'a> {
    record: &'a ActRecord,
    node: NodeId,
    role: Role,
    /// What it names of those that were not refused.
    named: Set,
    /// All that it names, and what those name, and so on.
    past: Set,
    /// What its author had in front of it.
    sight: Sight,
    /// Which registers it writes; none when it is refused.
    writes: Vec<Register>,
    /// Where it leads, if it writes the column.
    to: Option<Place>,
    /// Why it never takes effect.
    refused: Option<&'static str>,
    /// The highest generation that was given up to it.
    generation: u32,
}

impl Known<'_> {
    fn op(&self) -> &Op {
        &self.record.act.op
    }

    fn writes(&self, register: &Register) -> bool {
        self.writes.contains(register)
    }
}

/// All acts of one item as far as they were taken up.
pub(crate) struct Model<'a> {
    item: ItemId,
    known: BTreeMap<ActId, Known<'a>>,
    /// Which acts do one request.
    asked: asked::Asked,
}

impl<'a> Model<'a> {
    /// Takes up every act, each after those that it names.
    pub(crate) fn of<R: Roles>(item: ItemId, acts: &'a Acts, roles: &R) -> Self {
        let plain = Self::with(item, acts, asked::Asked::default(), roles);
        let whole = Self::with(item, acts, asked::Asked::of(acts), roles);
        // What would make a circle of it is not looked at.
        if whole.known.len() < plain.known.len() {
            plain
        } else {
            whole
        }
    }

    fn with<R: Roles>(item: ItemId, acts: &'a Acts, asked: asked::Asked, roles: &R) -> Self {
        let mut model = Self {
            item,
            known: BTreeMap::new(),
            asked,
        };
        loop {
            let next = acts.iter().find(|(id, record)| {
                let known = |seen: &ActId| model.known.contains_key(seen);
                !known(id) && model.asked.saw(id, record).iter().all(known)
            });
            let Some((id, record)) = next else { break };
            let known = model.take_up(id, record, roles);
            model.known.insert(*id, known);
        }
        model
    }

    fn take_up<R: Roles>(&self, id: &ActId, record: &'a ActRecord, roles: &R) -> Known<'a> {
        let saw = self.asked.saw(id, record);
        let taken = |seen: &ActId| self.known[seen].refused.is_none();
        let named: Set = saw.iter().copied().filter(taken).collect();
        // It is judged by what its author named, and replaces all of a request.
        let itself: Set = record.act.saw.iter().copied().filter(taken).collect();
        let mut past = saw.clone();
        for seen in &saw {
            past.extend(&self.known[seen].past);
        }
        let mut known = Known {
            record,
            node: roles.node(record.node).expect("a member"),
            role: roles.role(record.node).expect("a member"),
            sight: self.judge(&itself, None),
            named,
            past,
            writes: Vec::new(),
            to: None,
            refused: None,
            generation: 0,
        };
        known.generation = known.sight.generation;
        known.refused = self.objection(&known);
        if known.refused.is_none() {
            known.writes = table::writes(known.op(), known.sight.qa);
            known.to = self.leads_to(&known);
            if let Op::Claim { generation, .. } | Op::TakeOver { generation, .. } = known.op() {
                known.generation = known.generation.max(*generation);
            }
        }
        known
    }

    /// Why an act is illegal from what its author saw.
    fn objection(&self, known: &Known<'_>) -> Option<&'static str> {
        let sight = &known.sight;
        match known.op() {
            Op::Unknown => return Some("not known to this version"),
            Op::Set { .. }
            | Op::Settle {
                over: Register::Setting(_),
                ..
            } if known.role < Role::Maintainer => return Some("settings are a maintainer's"),
            Op::Create { .. } if !known.record.act.saw.is_empty() => {
                return Some("the item is there already");
            }
            _ => {}
        }
        if let Some(verb) = known.op().verb() {
            let Some(standing) = &sight.state() else {
                return Some("it does not say that it saw the item");
            };
            if !table::allows(verb, standing) {
                return Some("the table does not allow it");
            }
        }
        match known.op() {
            Op::Claim { generation, .. } if *generation != known.generation + 1 => {
                Some("a claim takes the next generation")
            }
            Op::TakeOver {
                generation, renewal, ..
            } => {
                let claim = sight.claim.as_ref().expect("the table wants one");
                if *generation != known.generation + 1 {
                    Some("a claim takes the next generation")
                } else if *renewal < claim.at {
                    Some("the renewal is from before the claim")
                } else {
                    None
                }
            }
            Op::Release { generation }
                if Some(*generation) != sight.claim.as_ref().map(|claim| claim.generation) =>
            {
                Some("another generation is held")
            }
            Op::Settle { over, keep } => {
                let contest = sight.contests.iter().find(|contest| contest.register == *over);
                let Some(contest) = contest else {
                    return Some("nothing contends there");
                };
                if contest.winner != *keep && !contest.losers.contains_key(keep) {
                    return Some("what it keeps does not contend");
                }
                match contest.losers.get(keep) {
                    Some(Rule::Fact) => Some("a fact cannot be settled away"),
                    Some(Rule::Generation) => Some("an older claim never counts again"),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Those of a set that write a register and that no other of the set names, of those that write it.
    fn heads(&self, among: &Set, register: &Register) -> Set {
        let writers: Set = among
            .iter()
            .copied()
            .filter(|id| self.known[id].writes(register))
            .collect();
        let replaced: Set = writers
            .iter()
            .flat_map(|id| self.known[id].named.iter().copied())
            .collect();
        let mut heads: Set = writers.difference(&replaced).copied().collect();
        // Everybody has seen the creation.
        if heads.len() > 1 {
            heads.retain(|id| !matches!(self.known[id].op(), Op::Create { .. }));
        }
        heads
    }

    /// Every register that any of a set writes.
    fn registers(&self, among: &Set) -> BTreeSet<Register> {
        among
            .iter()
            .flat_map(|id| self.known[id].writes.iter().cloned())
            .collect()
    }

    /// All that were not refused.
    fn accepted(&self) -> Set {
        let standing = self.known.iter().filter(|(_, known)| known.refused.is_none());
        standing.map(|(id, _)| *id).collect()
    }

    /// The act whose effect this one has: itself, or for one that settles the one that it keeps.
    fn effect(&self, id: ActId) -> ActId {
        match self.known[&id].op() {
            Op::Settle { keep, .. } => self.effect(*keep),
            _ => id,
        }
    }

    fn effect_op(&self, id: ActId) -> &Op {
        self.known[&self.effect(id)].op()
    }
}
