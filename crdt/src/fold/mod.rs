//! The fold: from all admitted acts of an item to what everybody sees.
//!
//! A pure function of the set of acts and the members' roles: no clock, no arrival order, no
//! replica's own opinion. It goes through the acts in causal order ([`order`]). For each it works out
//! what its author had in front of it ([`observed_state`]), decides from that alone whether the act was legal,
//! and lets it supersede the acts of its registers that it saw ([`register`]). What is left in a
//! register at the end contends, and [`resolution`] chooses: facts before intents, and among intents the
//! cautious one (pipeline spec, *When replicas disagree*; docs/design/001-fold.md). [`project`] turns
//! the outcome into a row, [`conflict`] into conflicts.
//!
//! The work grows about linearly with the number of acts, whatever contends, but for settlements over many
//! claims (docs/design/001-fold.md, *What it costs*).

mod claim;
mod column;
mod conflict;
mod dependency_causes;
mod folded_acts;
mod folded_item;
mod lists;
mod observed_state;
mod order;
mod project;
mod register;
mod request_groups;
mod resolution;
mod settle;
mod tie_order;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use towline_proto::table::legal;
use towline_proto::{ActId, Closing, Column, ItemId, NodeId, Op, Qa, Register, Role, Rule, Verb};

pub(crate) use conflict::shown;
pub use folded_acts::FoldedActs;
pub(crate) use register::writes;
pub use settle::why_not_keepable;

use crate::doc::{ActRecord, Acts, NodePrefix};
use crate::members::Roles;
use crate::view::ItemView;
use folded_acts::ObservedActs;
use observed_state::ColumnScoped;
use request_groups::RequestGroups;

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActOutcome {
    /// It counts: it says what is so now, or it only ever adds.
    Effective,
    /// It counted until somebody who had seen it did something else.
    Superseded {
        /// What took its place.
        by: ActId,
    },
    /// It contended and lost.
    Overridden {
        /// To which act.
        by: ActId,
        /// By which rule.
        rule: Rule,
    },
    /// It never takes effect: its author could have known that it was illegal.
    Refused(String),
}

/// Where an item stands and, if closed, how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnValue {
    /// The column.
    pub column: Column,
    /// How it ended. Shared, because a reason can be long and every act that finds the item there keeps it.
    pub closing: Option<Arc<Closing>>,
}

impl ColumnValue {
    pub(crate) const fn open(column: Column) -> Self {
        Self {
            column,
            closing: None,
        }
    }

    /// Whether two intents want the same: the words of a reason do not count.
    fn is_same(&self, other: &Self) -> bool {
        let closing = match (&self.closing, &other.closing) {
            (Some(a), Some(b)) => match (a.as_ref(), b.as_ref()) {
                (Closing::Superseded { by }, Closing::Superseded { by: other }) => by == other,
                (a, b) => a.status() == b.status(),
            },
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.column == other.column && closing
    }
}

/// One act with everything the fold found out about it.
#[derive(Debug)]
pub struct FoldedAct<'a> {
    /// What was recorded.
    pub record: &'a ActRecord,
    /// The node that signed it.
    pub node: NodeId,
    /// What it names as seen, and with each act those that do the same request.
    pub saw: Cow<'a, [ActId]>,
    /// For one that does a request which another act does as well: the one that is shown for both.
    pub duplicate_of: Option<ActId>,
    /// The registers it writes; the first is what it is about.
    pub writes: Vec<Register>,
    /// Where the item stood for its author.
    pub from: Option<ColumnValue>,
    /// Where it puts the item, if it writes the column.
    pub to: Option<ColumnValue>,
    /// The effective act of the column that its author saw.
    pub column_before: Option<ActId>,
    /// For one that settles a contest: the act whose effect it repeats.
    pub keeps: Option<ActId>,
    /// The highest claim generation that was given as far as its author knew, its own included.
    pub generation: u32,
    /// What ruled the column for its author: what an act had to name to count there.
    pub(crate) ruling: Arc<[ActId]>,
    /// What counted of review, failure and claim for its author.
    pub(crate) found: Arc<ColumnScoped>,
    /// For one that settles: what else an act may name to count where this one leads.
    pub(crate) stands_with: Vec<ActId>,
    /// How cautious it is as an act of the column: smaller is more.
    pub(crate) rank: (u8, u8),
    /// What became of it.
    pub outcome: ActOutcome,
    /// Its place in the causal order, the same on every replica.
    pub order: usize,
}

/// Why a setting that a writer wrote has no effect.
const NO_SETTER: &str = "only a maintainer or an owner changes the project's settings";

/// Whether an operation changes a setting of the project.
pub(crate) const fn sets(op: &Op) -> bool {
    matches!(
        op,
        Op::Set { .. }
            | Op::Settle {
                over: Register::Setting(_),
                ..
            }
    )
}

/// The outcome of a fold.
#[derive(Debug)]
pub struct FoldedItem<'a> {
    /// The row.
    pub view: ItemView,
    /// Every act, with its fate.
    pub acts: FoldedActs<'a>,
    /// The acts of each register that no later one saw.
    heads: BTreeMap<Register, Vec<ActId>>,
    again: RequestGroups,
}

/// The fold in progress.
struct FoldState<'a, R: Roles> {
    roles: &'a R,
    item: ItemId,
    created: ActId,
    acts: FoldedActs<'a>,
    again: RequestGroups,
    /// While acts are taken: of each register those that none of them replaced, by their place in the
    /// causal order. Somebody can leave thousands, of which the next act replaces one.
    open: BTreeMap<Register, BTreeMap<usize, ActId>>,
    /// The same once all are taken.
    heads: BTreeMap<Register, Vec<ActId>>,
}

/// Folds all acts of an item. `None` when there is no creation among them, which the gate rules out.
pub fn fold<'a, R: Roles>(item: ItemId, acts: &'a Acts, roles: &'a R) -> Option<FoldedItem<'a>> {
    let mut creations = acts
        .iter()
        .filter(|(_, record)| matches!(record.act.op, Op::Create { .. }));
    let (created, _) = creations.next()?;
    let (again, (order, unordered)) = RequestGroups::find(acts);
    let mut machine = FoldState {
        roles,
        item,
        created: *created,
        acts: FoldedActs::default(),
        again,
        open: BTreeMap::new(),
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
    machine.close();
    project::project(machine)
}

impl<'a, R: Roles> FoldState<'a, R> {
    /// An act with nothing known about it yet.
    fn folding(&self, id: &ActId, record: &'a ActRecord) -> FoldedAct<'a> {
        FoldedAct {
            record,
            node: signer(self.roles, record.node),
            saw: self.again.named(id, record),
            duplicate_of: None,
            writes: Vec::new(),
            from: None,
            to: None,
            column_before: None,
            keeps: None,
            generation: 0,
            ruling: Arc::default(),
            found: Arc::default(),
            stands_with: Vec::new(),
            rank: (u8::MAX, 0),
            outcome: ActOutcome::Effective,
            order: self.acts.len(),
        }
    }

    fn refuse(&mut self, id: ActId, record: &'a ActRecord, why: String) {
        let folding = FoldedAct {
            outcome: ActOutcome::Refused(why),
            ..self.folding(&id, record)
        };
        self.acts.insert(id, folding);
    }

    /// Whether whoever signed an act may change the project's settings. Roles only grow, so what the gate
    /// admitted stays effective.
    fn may_set(&self, record: &ActRecord) -> bool {
        self.roles.role(record.node).is_some_and(Role::may_set)
    }

    /// Takes one act whose predecessors have all been taken.
    fn take(&mut self, id: ActId, record: &'a ActRecord) {
        match &record.act.op {
            op if sets(op) && !self.may_set(record) => self.refuse(id, record, NO_SETTER.to_owned()),
            Op::Settle { over, keep } => self.take_settlement(id, record, over, *keep),
            Op::Unknown => self.refuse(id, record, "a newer version of towline wrote it".to_owned()),
            op => match op.verb() {
                Some(verb) => self.take_transition(id, record, verb),
                None => self.take_edit(id, record),
            },
        }
    }

    fn take_transition(&mut self, id: ActId, record: &'a ActRecord, verb: Verb) {
        let op = &record.act.op;
        let named = ObservedActs::of(&self.acts, &record.act.saw);
        let contenders = |register: &Register| named.contenders(register, Some(self.created));
        let sight = self.sight(contenders);
        let Some(column) = &sight.column else {
            return self.refuse(
                id,
                record,
                "it does not name what put the item where it stood".to_owned(),
            );
        };
        if let Err(illegal) = legal(verb, sight.standing) {
            return self.refuse(id, record, illegal.why.to_string());
        }
        if let Some(why) = claim::stale(op, &sight) {
            return self.refuse(id, record, why);
        }
        let generation = claim::generation_of(op).unwrap_or(0).max(sight.generation);
        let folding = FoldedAct {
            writes: register::writes(op, sight.qa),
            from: Some(sight.place.clone()),
            to: column::leads_to(op, verb, &sight),
            column_before: sight.column_act,
            generation,
            ruling: Arc::clone(&column.ruling),
            found: Arc::clone(&sight.found),
            ..self.folding(&id, record)
        };
        let lost = self.lost(&sight, &folding.writes, contenders);
        let gone = self.gone(&folding);
        self.enter(id, folding, &lost, gone);
    }

    /// Takes an act that edits a field, a set or a list: always legal.
    fn take_edit(&mut self, id: ActId, record: &'a ActRecord) {
        let to = match &record.act.op {
            Op::Create { column, .. } => Some(ColumnValue::open(*column)),
            _ => None,
        };
        let folding = FoldedAct {
            writes: register::writes(&record.act.op, Qa::Agent),
            to,
            ..self.folding(&id, record)
        };
        let named = ObservedActs::of(&self.acts, &record.act.saw);
        let contenders = |register: &Register| named.contenders(register, Some(self.created));
        let lost = match folding.writes.first() {
            Some(register) if register.can_conflict() => self.field_losers(register, &contenders(register)),
            _ => Vec::new(),
        };
        let gone = self.gone(&folding);
        self.enter(id, folding, &lost, gone);
    }

    /// What an act replaces in each register that it writes. It is judged by what its author named, and
    /// replaces with each of these whatever does the same request.
    fn gone(&self, folding: &FoldedAct<'a>) -> Vec<Vec<ActId>> {
        let named = ObservedActs::of(&self.acts, &folding.saw);
        let contenders = |register| named.contenders(register, Some(self.created));
        folding.writes.iter().map(contenders).collect()
    }

    /// Enters an effective act: it supersedes what it saw in the registers that it writes, `gone` of each.
    /// What had lost a contest in front of its author was overtaken; anything else counted until now.
    fn enter(&mut self, id: ActId, mut folding: FoldedAct<'a>, lost: &[Loser], gone: Vec<Vec<ActId>>) {
        folding.rank = resolution::rank(&self.acts, &folding);
        let mut first_lost: BTreeMap<ActId, &Loser> = BTreeMap::new();
        for lost in lost {
            first_lost.entry(lost.act).or_insert(lost);
        }
        for (register, gone) in folding.writes.iter().zip(gone) {
            for gone in gone {
                let Some(act) = self.acts.get_mut(&gone) else {
                    continue;
                };
                if act.writes.first() != Some(register) || !register::replaces(register) {
                    continue;
                }
                match first_lost.get(&gone) {
                    None => act.outcome = ActOutcome::Superseded { by: id },
                    Some(Loser { by, rule, .. }) if act.outcome == ActOutcome::Effective => {
                        let (by, rule) = (*by, *rule);
                        act.outcome = ActOutcome::Overridden { by, rule };
                    }
                    // Somebody else built on it, or took it for lost as well.
                    Some(_) => {}
                }
            }
            let heads = self.open.entry(register.clone()).or_default();
            for named in folding.saw.iter() {
                if let Some(act) = self.acts.get(named) {
                    heads.remove(&act.order);
                }
            }
            heads.insert(folding.order, id);
            // Everybody has seen the creation, the first act of all: it stands until anything else is
            // written.
            if heads.len() > 1 && heads.values().next() == Some(&self.created) {
                heads.pop_first();
            }
        }
        self.acts.insert(id, folding);
    }

    /// All acts are taken: what is open in a register are its heads.
    fn close(&mut self) {
        let open = std::mem::take(&mut self.open).into_iter();
        let heads = open.map(|(register, heads)| (register, heads.into_values().collect()));
        self.heads = heads.collect();
    }

    fn heads(&self, register: &Register) -> &[ActId] {
        self.heads.get(register).map(Vec::as_slice).unwrap_or_default()
    }
}

/// An act that lost a contest, to which and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loser {
    act: ActId,
    by: ActId,
    rule: Rule,
}

/// What an act does: for one that settles a contest, what the act does that it keeps.
fn effect<'f>(acts: &'f FoldedActs<'_>, id: &ActId) -> Option<&'f Op> {
    let act = acts.get(id)?;
    let root = act.keeps.and_then(|root| acts.get(&root)).unwrap_or(act);
    Some(&root.record.act.op)
}

/// The node that signed an act, as far as the document knows it.
fn signer<R: Roles>(roles: &R, prefix: NodePrefix) -> NodeId {
    roles.node(prefix).unwrap_or_else(|| {
        let mut bytes = [0u8; 32];
        bytes[..16].copy_from_slice(&prefix.0);
        NodeId(bytes)
    })
}
