//! The reference model: `docs/design/001-fold.md` implemented as simply as possible.
//!
//! It shares no code with `crdt/src/fold` and is written for readability, not for speed: every author's observed state is
//! computed anew from the acts that the record names, and the transition table is a second copy ([`table`]). The
//! properties in `histories` compare the fold with it. It never looks at a document, a clock or an arrival order.

mod column;
mod column_scoped;
mod comparison;
mod observed_state;
mod request_groups;
mod table;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use towline_crdt::doc::{ActRecord, Acts};
use towline_crdt::members::Roles;
use towline_proto::{ActId, Closing, Column, ItemId, NodeId, Op, Register, Role, Rule};

pub(crate) use comparison::{Comparison, OutcomeClass};

use observed_state::ObservedState;

/// Acts, by id.
type ActSet = BTreeSet<ActId>;

/// The value of the column register.
type ColumnValue = (Column, Option<Closing>);

/// An act of which all predecessors are known.
struct ModelAct<'a> {
    record: &'a ActRecord,
    node: NodeId,
    role: Role,
    /// The acts that it names and that were not refused.
    named: ActSet,
    /// All of its ancestors.
    past: ActSet,
    /// The state that its author observed.
    observed: ObservedState,
    /// The registers that it writes; none when it is refused.
    writes: Vec<Register>,
    /// The column value that it sets, if it writes the column.
    to: Option<ColumnValue>,
    /// Why it is refused.
    refused: Option<&'static str>,
    /// The highest claim generation that its author knew.
    generation: u32,
}

impl ModelAct<'_> {
    fn op(&self) -> &Op {
        &self.record.act.op
    }

    fn writes(&self, register: &Register) -> bool {
        self.writes.contains(register)
    }
}

/// The acts of one item that have been added.
pub(crate) struct Model<'a> {
    item: ItemId,
    known: BTreeMap<ActId, ModelAct<'a>>,
    /// The groups of acts that fulfil the same request.
    requests: request_groups::RequestGroups,
}

impl<'a> Model<'a> {
    /// Adds every act after the acts that it names.
    pub(crate) fn of<R: Roles>(item: ItemId, acts: &'a Acts, roles: &R) -> Self {
        let plain = Self::with(item, acts, request_groups::RequestGroups::default(), roles);
        let whole = Self::with(item, acts, request_groups::RequestGroups::of(acts), roles);
        // Request groups that would make a cycle are ignored.
        if whole.known.len() < plain.known.len() {
            plain
        } else {
            whole
        }
    }

    fn with<R: Roles>(
        item: ItemId,
        acts: &'a Acts,
        requests: request_groups::RequestGroups,
        roles: &R,
    ) -> Self {
        let mut model = Self {
            item,
            known: BTreeMap::new(),
            requests,
        };
        loop {
            let next = acts.iter().find(|(id, record)| {
                let known = |seen: &ActId| model.known.contains_key(seen);
                !known(id) && model.requests.saw(id, record).iter().all(known)
            });
            let Some((id, record)) = next else { break };
            let known = model.take_up(id, record, roles);
            model.known.insert(*id, known);
        }
        model
    }

    fn take_up<R: Roles>(&self, id: &ActId, record: &'a ActRecord, roles: &R) -> ModelAct<'a> {
        let saw = self.requests.saw(id, record);
        let taken = |seen: &ActId| self.known[seen].refused.is_none();
        let named: ActSet = saw.iter().copied().filter(taken).collect();
        // It is legal or not by what its author named, and supersedes the whole group of a request.
        let itself: ActSet = record.act.saw.iter().copied().filter(taken).collect();
        let mut past = saw.clone();
        for seen in &saw {
            past.extend(&self.known[seen].past);
        }
        let mut known = ModelAct {
            record,
            node: roles.node(record.node).expect("a member"),
            role: roles.role(record.node).expect("a member"),
            observed: self.observe(&itself, None),
            named,
            past,
            writes: Vec::new(),
            to: None,
            refused: None,
            generation: 0,
        };
        known.generation = known.observed.generation;
        known.refused = self.objection(&known);
        if known.refused.is_none() {
            known.writes = table::writes(known.op(), known.observed.qa);
            known.to = self.leads_to(&known);
            if let Op::Claim { generation, .. } | Op::TakeOver { generation, .. } = known.op() {
                known.generation = known.generation.max(*generation);
            }
        }
        known
    }

    /// Why an act is illegal from what its author saw.
    fn objection(&self, known: &ModelAct<'_>) -> Option<&'static str> {
        let observed = &known.observed;
        match known.op() {
            Op::Unknown => return Some("not known to this version"),
            Op::Set { .. }
            | Op::Resolve {
                over: Register::Setting(_),
                ..
            } if known.role < Role::Maintainer => return Some("settings are a maintainer's"),
            Op::Create { .. } if !known.record.act.saw.is_empty() => {
                return Some("the item is there already");
            }
            _ => {}
        }
        if let Some(verb) = known.op().verb() {
            let Some(standing) = &observed.state() else {
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
                let claim = observed.claim.as_ref().expect("the table wants one");
                if *generation != known.generation + 1 {
                    Some("a claim takes the next generation")
                } else if *renewal < claim.at {
                    Some("the renewal is from before the claim")
                } else {
                    None
                }
            }
            Op::Release { generation }
                if Some(*generation) != observed.claim.as_ref().map(|claim| claim.generation) =>
            {
                Some("another generation is held")
            }
            Op::Resolve { over, keep } => {
                let conflict = observed
                    .conflicts
                    .iter()
                    .find(|conflict| conflict.register == *over);
                let Some(conflict) = conflict else {
                    return Some("nothing contends there");
                };
                if conflict.winner != *keep && !conflict.losers.contains_key(keep) {
                    return Some("what it keeps does not contend");
                }
                match conflict.losers.get(keep) {
                    Some(Rule::Fact) => Some("a fact cannot be settled away"),
                    Some(Rule::Generation) => Some("an older claim never counts again"),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The heads of a register within a set of acts.
    fn heads(&self, among: &ActSet, register: &Register) -> ActSet {
        let writers: ActSet = among
            .iter()
            .copied()
            .filter(|id| self.known[id].writes(register))
            .collect();
        let replaced: ActSet = writers
            .iter()
            .flat_map(|id| self.known[id].named.iter().copied())
            .collect();
        let mut heads: ActSet = writers.difference(&replaced).copied().collect();
        // Everybody has seen the creation.
        if heads.len() > 1 {
            heads.retain(|id| !matches!(self.known[id].op(), Op::Create { .. }));
        }
        heads
    }

    /// The registers that the acts of a set write.
    fn registers(&self, among: &ActSet) -> BTreeSet<Register> {
        among
            .iter()
            .flat_map(|id| self.known[id].writes.iter().cloned())
            .collect()
    }

    /// All acts that were not refused.
    fn accepted(&self) -> ActSet {
        let standing = self.known.iter().filter(|(_, known)| known.refused.is_none());
        standing.map(|(id, _)| *id).collect()
    }

    /// The act whose effect this one has: itself, or for an act that resolves a conflict the act that it keeps.
    fn effect(&self, id: ActId) -> ActId {
        match self.known[&id].op() {
            Op::Resolve { keep, .. } => self.effect(*keep),
            _ => id,
        }
    }

    fn effect_op(&self, id: ActId) -> &Op {
        self.known[&self.effect(id)].op()
    }
}
