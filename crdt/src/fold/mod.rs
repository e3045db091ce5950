//! The fold: from all admitted acts of an item to what everybody sees.
//!
//! A pure function of the set of acts and the members' roles: no clock, no arrival order, no
//! replica's own opinion. It goes through the acts in causal order ([`order`]). For each it works out
//! what its author had in front of it, decides from that alone whether the act was legal, and lets it
//! supersede the acts of its registers that it saw ([`register`]). What is left in a register at the
//! end contends, and [`contest`] chooses: facts before intents, and among intents the cautious one
//! (pipeline spec, *When replicas disagree*; docs/design/001-fold.md). [`project`] turns the outcome
//! into a row.
//!
//! The work grows linearly with the number of acts as long as few contend.

mod contest;
mod folded;
mod lists;
mod order;
mod project;
mod register;

use std::collections::BTreeMap;

use towline_proto::table::legal;
use towline_proto::{ActId, Closing, Column, ItemId, Kind, NodeId, Op, Qa, Standing, Verb};

pub use register::Register;

use crate::doc::{Acts, NodePrefix, Record};
use crate::members::Roles;
use crate::view::ItemView;

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It took effect when it was made, or takes effect now.
    Effective,
    /// It contended and lost.
    Overtaken {
        /// To which act.
        by: ActId,
        /// By which rule, for people.
        rule: &'static str,
    },
    /// It never takes effect.
    Refused(String),
}

/// Where an item stands and, if closed, how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The column.
    pub column: Column,
    /// How it ended.
    pub closing: Option<Closing>,
}

/// One act with everything the fold found out about it.
#[derive(Debug)]
pub struct Folding<'a> {
    /// What was recorded.
    pub record: &'a Record,
    /// The node that signed it.
    pub node: NodeId,
    /// The registers it writes.
    pub writes: Vec<Register>,
    /// Where the item stood for its author.
    pub from: Option<Place>,
    /// Where it puts the item, if it writes the column.
    pub to: Option<Place>,
    /// The effective act of the column that its author saw.
    pub column_before: Option<ActId>,
    /// What became of it.
    pub fate: Fate,
    /// Its place in the causal order, the same on every replica.
    pub order: usize,
}

/// The outcome of a fold.
#[derive(Debug)]
pub struct Folded<'a> {
    /// The row.
    pub view: ItemView,
    /// Every act, with its fate.
    pub acts: BTreeMap<ActId, Folding<'a>>,
    /// The acts of each register that no later one saw.
    heads: BTreeMap<Register, Vec<ActId>>,
}

/// The fold in progress.
struct Machine<'a, R: Roles> {
    roles: &'a R,
    item: ItemId,
    acts: BTreeMap<ActId, Folding<'a>>,
    heads: BTreeMap<Register, Vec<ActId>>,
}

/// Folds all acts of an item. `None` when there is no creation among them, which the gate rules out.
pub fn fold<'a, R: Roles>(item: ItemId, acts: &'a Acts, roles: &'a R) -> Option<Folded<'a>> {
    let (order, unordered) = order::causal(acts);
    let mut machine = Machine {
        roles,
        item,
        acts: BTreeMap::new(),
        heads: BTreeMap::new(),
    };
    for id in order {
        if let Some(record) = acts.get(&id) {
            machine.take(id, record);
        }
    }
    for id in unordered {
        if let Some(record) = acts.get(&id) {
            machine.refuse(id, record, "it names an act that is not there".to_owned());
        }
    }
    project::project(machine)
}

impl<'a, R: Roles> Machine<'a, R> {
    fn refuse(&mut self, id: ActId, record: &'a Record, why: String) {
        let folding = Folding {
            record,
            node: signer(self.roles, record.node),
            writes: Vec::new(),
            from: None,
            to: None,
            column_before: None,
            fate: Fate::Refused(why),
            order: self.acts.len(),
        };
        self.acts.insert(id, folding);
    }

    /// Takes one act whose predecessors have all been taken.
    fn take(&mut self, id: ActId, record: &'a Record) {
        let op = &record.act.op;
        let Some(verb) = op.verb() else {
            return self.take_edit(id, record);
        };
        let seen = self.seen(&record.act.saw);
        if let Err(illegal) = legal(verb, seen.standing) {
            return self.refuse(id, record, illegal.why.to_string());
        }
        if let Some(why) = stale_generation(op, seen.generation, seen.standing.claimed) {
            return self.refuse(id, record, why);
        }
        let to = leads_to(op, verb, &seen);
        let writes = register::writes(op, seen.qa);
        let from = Some(seen.place);
        let node = signer(self.roles, record.node);
        let (column_before, fate) = (seen.column_act, Fate::Effective);
        self.settle(
            id,
            Folding {
                record,
                node,
                writes,
                from,
                to,
                column_before,
                fate,
                order: self.acts.len(),
            },
        );
    }

    /// Takes an act that edits a field, a set or a list: always legal.
    fn take_edit(&mut self, id: ActId, record: &'a Record) {
        let (to, fate) = match &record.act.op {
            Op::Create { column, .. } => (
                Some(Place {
                    column: *column,
                    closing: None,
                }),
                Fate::Effective,
            ),
            Op::Unknown => (
                None,
                Fate::Refused("a newer version of towline wrote it".to_owned()),
            ),
            _ => (None, Fate::Effective),
        };
        let writes = register::writes(&record.act.op, Qa::Agent);
        let node = signer(self.roles, record.node);
        self.settle(
            id,
            Folding {
                record,
                node,
                writes,
                from: None,
                to,
                column_before: None,
                fate,
                order: self.acts.len(),
            },
        );
    }

    /// Enters an effective act: it supersedes what it saw in the registers that it writes, and what
    /// contended there and lost is marked so for the timeline.
    fn settle(&mut self, id: ActId, folding: Folding<'a>) {
        let saw = &folding.record.act.saw;
        for register in &folding.writes {
            let heads = self.heads.entry(register.clone()).or_default();
            heads.retain(|head| !saw.contains(head));
            heads.push(id);
        }
        self.acts.insert(id, folding);
    }

    /// What an author had in front of it: the registers of the stage, from the acts it names.
    fn seen(&mut self, saw: &[ActId]) -> Seen {
        let column = self.contenders(saw, &Register::Column);
        let frozen = self.contenders(saw, &Register::Frozen);
        let blocked = self.contenders(saw, &Register::Blocked);
        let outcome = contest::column(&self.acts, self.roles, &column, &[&frozen, &blocked]);
        if let Some(outcome) = &outcome {
            self.mark(&outcome.losers, outcome.winner, outcome.rule);
        }
        let (place, column_act) = match outcome {
            Some(outcome) => (outcome.place, outcome.act),
            None => (
                Place {
                    column: Column::Backlog,
                    closing: None,
                },
                None,
            ),
        };
        let flag = |machine: &Self, register| {
            let heads = machine.contenders(saw, register);
            contest::flag(&machine.acts, machine.roles, &heads).is_some_and(|outcome| outcome.set)
        };
        let claim_heads = self.contenders(saw, &Register::Claim);
        let claim = contest::claim(&self.acts, self.item, &claim_heads)
            .filter(|outcome| contest::claim_stands(&self.acts, outcome.act, column_act));
        let generation = contest::generation(&self.acts, &claim_heads);
        let qa = self
            .value(saw, &Register::Qa, contest::qa_of)
            .unwrap_or(Qa::Agent);
        let kind = self
            .value(saw, &Register::Kind, contest::kind_of)
            .unwrap_or(Kind::Story);
        let standing = Standing {
            column: place.column,
            kind,
            frozen: flag(self, &Register::Frozen),
            blocked: flag(self, &Register::Blocked),
            review: place.column == Column::Qa && flag(self, &Register::Review),
            failure: place.column == Column::Merge && flag(self, &Register::Failure),
            claimed: claim.is_some(),
            deleted: flag(self, &Register::Deleted),
        };
        Seen {
            standing,
            place,
            column_act,
            qa,
            generation,
        }
    }

    fn value<T>(&self, saw: &[ActId], register: &Register, of: fn(&Op) -> Option<T>) -> Option<T> {
        let heads = self.contenders(saw, register);
        let winner = contest::field(&self.acts, self.roles, &heads)?;
        of(&self.acts.get(&winner)?.record.act.op)
    }

    /// The acts among `saw` that write `register` and were not superseded by another of them.
    fn contenders(&self, saw: &[ActId], register: &Register) -> Vec<ActId> {
        let writers: Vec<_> = saw.iter().filter_map(|id| self.writer(id, register)).collect();
        if let [(id, _)] = writers.as_slice() {
            return vec![*id];
        }
        let superseded = |id: &ActId| writers.iter().any(|(_, other)| other.record.act.saw.contains(id));
        writers
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| !superseded(id))
            .collect()
    }

    fn writer(&self, id: &ActId, register: &Register) -> Option<(ActId, &Folding<'a>)> {
        self.acts
            .get(id)
            .filter(|act| act.writes.contains(register))
            .map(|act| (*id, act))
    }

    fn mark(&mut self, losers: &[ActId], by: ActId, rule: &'static str) {
        for loser in losers {
            if let Some(act) = self.acts.get_mut(loser) {
                act.fate = Fate::Overtaken { by, rule };
            }
        }
    }
}

/// What an author had in front of it.
struct Seen {
    standing: Standing,
    place: Place,
    column_act: Option<ActId>,
    qa: Qa,
    generation: u32,
}

/// A claim must take the next generation and a release the present one; what carries an older one
/// comes from a holder that was overtaken.
fn stale_generation(op: &Op, seen: u32, claimed: bool) -> Option<String> {
    match op {
        Op::Claim { generation, .. } | Op::TakeOver { generation, .. }
            if seen.checked_add(1) != Some(*generation) =>
        {
            Some(format!(
                "generation {generation} is not the next one after {seen}"
            ))
        }
        Op::Release { generation } if claimed && *generation != seen => Some(format!(
            "generation {generation} is not the present one, which is {seen}"
        )),
        _ => None,
    }
}

/// Where an act puts the item, if it moves it at all.
fn leads_to(op: &Op, verb: Verb, seen: &Seen) -> Option<Place> {
    let column = match op {
        Op::Move { to, .. } => *to,
        _ => towline_proto::table::leads_to(verb, seen.qa)?,
    };
    let closing = match op {
        Op::Abandon { .. } => Some(Closing::Abandoned),
        Op::Supersede { by } => Some(Closing::Superseded { by: *by }),
        Op::Reject { reason } => Some(Closing::Rejected {
            reason: reason.clone(),
        }),
        Op::Archive => seen.place.closing.clone(),
        _ => None,
    };
    Some(Place { column, closing })
}

/// The node that signed an act, as far as the document knows it.
fn signer<R: Roles>(roles: &R, prefix: NodePrefix) -> NodeId {
    roles.node(prefix).unwrap_or_else(|| {
        let mut bytes = [0u8; 32];
        bytes[..16].copy_from_slice(&prefix.0);
        NodeId(bytes)
    })
}
