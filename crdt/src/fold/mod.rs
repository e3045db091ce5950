//! The fold: a pure function from all admitted acts of an item to the item's state and conflicts.
//!
//! Its only inputs are the set of acts and the members' roles; clocks and arrival order play no part, so every
//! replica gets the same result. The fold visits the acts in causal order ([`order`]). For each act it computes
//! the state that the act's author had observed ([`observed_state`]), decides from that state alone whether the
//! act was legal, and lets the act supersede those acts of its registers that the author saw ([`register`]).
//! The acts of a register that nothing supersedes are its heads. Several heads compete, and [`winner`] chooses
//! one: facts before intents, and among intents the most cautious one (docs/spec/pipeline.md, *When replicas
//! disagree*; docs/design/001-fold.md). [`project`] turns the result into a row, [`conflict`] lists the losers.
//!
//! The cost grows about linearly with the number of acts, whatever they compete about. The one exception is
//! resolving conflicts between many claims (docs/design/001-fold.md, *What it costs*).

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
mod resolve;
mod tie_order;
mod winner;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use towline_proto::table::legal;
use towline_proto::{ActId, Closing, Column, ItemId, NodeId, Op, Qa, Register, Role, Rule, Verb};

pub(crate) use conflict::value_of;
pub use folded_acts::FoldedActs;
pub(crate) use register::writes;
pub use resolve::is_keepable;

use crate::doc::{ActRecord, Acts, NodePrefix};
use crate::members::Roles;
use crate::reasons::RefusalReason;
use crate::view::ItemView;
use folded_acts::ObservedActs;
use observed_state::ColumnScoped;
use request_groups::RequestGroups;

/// The outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActOutcome {
    /// The act is in effect: it sets the current value of a register, or it only ever adds something.
    Effective,
    /// The act was in effect until another act replaced it, whose author had seen it.
    Superseded {
        /// The act that replaced it.
        by: ActId,
    },
    /// The act lost against a concurrent act.
    Overridden {
        /// The act that won.
        by: ActId,
        /// The rule that decided.
        rule: Rule,
    },
    /// The act never takes effect: it was illegal in the state that its author had observed.
    Refused(RefusalReason),
}

/// A value of the column register: the column and, for a closed item, how it was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnValue {
    /// The column.
    pub column: Column,
    /// How the item was closed. Shared, because a reason can be long.
    pub closing: Option<Arc<Closing>>,
}

impl ColumnValue {
    pub(crate) const fn open(column: Column) -> Self {
        Self {
            column,
            closing: None,
        }
    }

    /// Whether two acts lead to the same value. The text of a reason is not compared.
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

/// One act with everything that the fold computed about it.
#[derive(Debug)]
pub struct FoldedAct<'a> {
    /// The record from the document.
    pub record: &'a ActRecord,
    /// The node that signed it.
    pub node: NodeId,
    /// The acts that it names as seen, and with each of them the other acts of the same request.
    pub saw: Cow<'a, [ActId]>,
    /// Set when another act fulfils the same request and is shown for both: that act.
    pub duplicate_of: Option<ActId>,
    /// The registers that it writes; the first one is its main register.
    pub writes: Vec<Register>,
    /// The column value that its author had observed.
    pub from: Option<ColumnValue>,
    /// The column value that it sets, if it writes the column.
    pub to: Option<ColumnValue>,
    /// The effective act of the column register that its author saw.
    pub column_before: Option<ActId>,
    /// For an act that resolves a conflict: the act whose effect it repeats.
    pub keeps: Option<ActId>,
    /// The highest claim generation that its author knew of, including its own.
    pub generation: u32,
    /// The acts that had put the item into the column that its author observed.
    pub(crate) placed_by: Arc<[ActId]>,
    /// The acts of review, failure and claim that were in effect for its author.
    pub(crate) scoped: Arc<ColumnScoped>,
    /// For an act that resolves a conflict: further acts that put the item into the same column.
    pub(crate) also_placed_by: Vec<ActId>,
    /// How cautious it is as an act of the column: a smaller rank is more cautious and wins.
    pub(crate) rank: (u8, u8),
    /// Whether it is in effect, and if not, why.
    pub outcome: ActOutcome,
    /// Its index in the causal order, the same on every replica.
    pub order: usize,
}

/// Whether an operation changes a setting of the project.
pub(crate) const fn is_setting_op(op: &Op) -> bool {
    matches!(
        op,
        Op::Set { .. }
            | Op::Resolve {
                over: Register::Setting(_),
                ..
            }
    )
}

/// The result of a fold.
#[derive(Debug)]
pub struct FoldedItem<'a> {
    /// The row.
    pub view: ItemView,
    /// Every act, with its outcome.
    pub acts: FoldedActs<'a>,
    /// The heads of each register: the acts that no other act superseded.
    heads: BTreeMap<Register, Vec<ActId>>,
    requests: RequestGroups,
}

/// The state of a fold in progress.
struct FoldState<'a, R: Roles> {
    roles: &'a R,
    item: ItemId,
    created: ActId,
    acts: FoldedActs<'a>,
    requests: RequestGroups,
    /// The heads of each register among the acts visited so far, by their index in the causal order, because a
    /// register can have thousands.
    open_heads: BTreeMap<Register, BTreeMap<usize, ActId>>,
    /// The heads of each register, once all acts have been visited.
    heads: BTreeMap<Register, Vec<ActId>>,
}

/// Folds all acts of an item. `None` when no act creates the item, which the gate rules out.
pub fn fold<'a, R: Roles>(item: ItemId, acts: &'a Acts, roles: &'a R) -> Option<FoldedItem<'a>> {
    let mut creations = acts
        .iter()
        .filter(|(_, record)| matches!(record.act.op, Op::Create { .. }));
    let (created, _) = creations.next()?;
    let (requests, (order, unordered)) = RequestGroups::find(acts);
    let mut state = FoldState {
        roles,
        item,
        created: *created,
        acts: FoldedActs::default(),
        requests,
        open_heads: BTreeMap::new(),
        heads: BTreeMap::new(),
    };
    for id in order {
        if let Some(record) = acts.get(&id) {
            state.fold_act(id, record);
        }
    }
    for id in unordered {
        if let Some(record) = acts.get(&id) {
            state.refuse(id, record, RefusalReason::MissingAct);
        }
    }
    state.finish();
    project::project(state)
}

impl<'a, R: Roles> FoldState<'a, R> {
    /// An act about which nothing has been computed yet.
    fn new_act(&self, id: &ActId, record: &'a ActRecord) -> FoldedAct<'a> {
        FoldedAct {
            record,
            node: signer(self.roles, record.node),
            saw: self.requests.saw_of(id, record),
            duplicate_of: None,
            writes: Vec::new(),
            from: None,
            to: None,
            column_before: None,
            keeps: None,
            generation: 0,
            placed_by: Arc::default(),
            scoped: Arc::default(),
            also_placed_by: Vec::new(),
            rank: (u8::MAX, 0),
            outcome: ActOutcome::Effective,
            order: self.acts.len(),
        }
    }

    fn refuse(&mut self, id: ActId, record: &'a ActRecord, why: RefusalReason) {
        let act = FoldedAct {
            outcome: ActOutcome::Refused(why),
            ..self.new_act(&id, record)
        };
        self.acts.insert(id, act);
    }

    /// Whether the signer of an act may change the project's settings. Roles are never reduced, so an act that
    /// was effective once stays effective.
    fn may_set(&self, record: &ActRecord) -> bool {
        self.roles.role(record.node).is_some_and(Role::may_set)
    }

    /// Folds one act. Every act that it names has been folded before.
    fn fold_act(&mut self, id: ActId, record: &'a ActRecord) {
        match &record.act.op {
            op if is_setting_op(op) && !self.may_set(record) => {
                self.refuse(id, record, RefusalReason::NotMaintainer);
            }
            Op::Resolve { over, keep } => self.fold_resolve(id, record, over, *keep),
            Op::Unknown => self.refuse(id, record, RefusalReason::UnknownOperation),
            op => match op.verb() {
                Some(verb) => self.fold_transition(id, record, verb),
                None => self.fold_edit(id, record),
            },
        }
    }

    /// Folds a transition: it is refused unless the table allows it in the state that its author observed.
    fn fold_transition(&mut self, id: ActId, record: &'a ActRecord, verb: Verb) {
        let op = &record.act.op;
        let seen = ObservedActs::of(&self.acts, &record.act.saw);
        let heads = |register: &Register| seen.heads(register, Some(self.created));
        let observed = self.observe(heads);
        let Some(column) = &observed.column else {
            return self.refuse(id, record, RefusalReason::NoColumn);
        };
        if let Err(illegal) = legal(verb, observed.state) {
            return self.refuse(id, record, RefusalReason::Illegal { why: illegal.why });
        }
        if let Some(why) = claim::stale_reason(op, &observed) {
            return self.refuse(id, record, why);
        }
        let generation = claim::generation_of(op).unwrap_or(0).max(observed.generation);
        let act = FoldedAct {
            writes: register::writes(op, observed.qa),
            from: Some(observed.column_value.clone()),
            to: column::leads_to(op, verb, &observed),
            column_before: observed.column_act,
            generation,
            placed_by: Arc::clone(&column.placed_by),
            scoped: Arc::clone(&observed.scoped),
            ..self.new_act(&id, record)
        };
        let losers = self.losers_seen(&observed, &act.writes, heads);
        let replaced = self.replaced_heads(&act);
        self.insert(id, act, &losers, replaced);
    }

    /// Folds an edit of a field, a set or a list, which is always legal.
    fn fold_edit(&mut self, id: ActId, record: &'a ActRecord) {
        let to = match &record.act.op {
            Op::Create { column, .. } => Some(ColumnValue::open(*column)),
            _ => None,
        };
        let act = FoldedAct {
            writes: register::writes(&record.act.op, Qa::Agent),
            to,
            ..self.new_act(&id, record)
        };
        let seen = ObservedActs::of(&self.acts, &record.act.saw);
        let heads = |register: &Register| seen.heads(register, Some(self.created));
        let losers = match act.writes.first() {
            Some(register) if register.can_conflict() => self.field_losers(register, &heads(register)),
            _ => Vec::new(),
        };
        let replaced = self.replaced_heads(&act);
        self.insert(id, act, &losers, replaced);
    }

    /// The heads that an act supersedes in each register that it writes, including the other acts of a request
    /// of which it names one. (Whether it is legal depends only on the acts that it names itself.)
    fn replaced_heads(&self, act: &FoldedAct<'a>) -> Vec<Vec<ActId>> {
        let seen = ObservedActs::of(&self.acts, &act.saw);
        let heads = |register| seen.heads(register, Some(self.created));
        act.writes.iter().map(heads).collect()
    }

    /// Adds an effective act, which supersedes the heads that its author saw: `replaced` holds those of each
    /// register that it writes. An act in `losers` had lost before this author saw it, so its outcome is
    /// *overridden*; every other one was in effect until now and is *superseded*.
    fn insert(&mut self, id: ActId, mut act: FoldedAct<'a>, losers: &[Loser], replaced: Vec<Vec<ActId>>) {
        act.rank = winner::rank(&self.acts, &act);
        let mut first_loss: BTreeMap<ActId, &Loser> = BTreeMap::new();
        for loser in losers {
            first_loss.entry(loser.act).or_insert(loser);
        }
        for (register, replaced) in act.writes.iter().zip(replaced) {
            for replaced in replaced {
                let Some(act) = self.acts.get_mut(&replaced) else {
                    continue;
                };
                if act.writes.first() != Some(register) || !register::replaces(register) {
                    continue;
                }
                match first_loss.get(&replaced) {
                    None => act.outcome = ActOutcome::Superseded { by: id },
                    Some(Loser { by, rule, .. }) if act.outcome == ActOutcome::Effective => {
                        let (by, rule) = (*by, *rule);
                        act.outcome = ActOutcome::Overridden { by, rule };
                    }
                    // It has been superseded or overridden before.
                    Some(_) => {}
                }
            }
            let heads = self.open_heads.entry(register.clone()).or_default();
            for named in act.saw.iter() {
                if let Some(act) = self.acts.get(named) {
                    heads.remove(&act.order);
                }
            }
            heads.insert(act.order, id);
            // The creation is the first act and everybody has seen it, so it is a head only as long as nobody
            // else has written the register.
            if heads.len() > 1 && heads.values().next() == Some(&self.created) {
                heads.pop_first();
            }
        }
        self.acts.insert(id, act);
    }

    /// Keeps the heads of each register, once all acts have been visited.
    fn finish(&mut self) {
        let open = std::mem::take(&mut self.open_heads).into_iter();
        let heads = open.map(|(register, heads)| (register, heads.into_values().collect()));
        self.heads = heads.collect();
    }

    fn heads(&self, register: &Register) -> &[ActId] {
        self.heads.get(register).map(Vec::as_slice).unwrap_or_default()
    }
}

/// An act that lost against another, and the rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loser {
    act: ActId,
    by: ActId,
    rule: Rule,
}

/// The operation of an act; for an act that resolves a conflict, the operation of the act that it keeps.
fn effect<'f>(acts: &'f FoldedActs<'_>, id: &ActId) -> Option<&'f Op> {
    let act = acts.get(id)?;
    let root = act.keeps.and_then(|root| acts.get(&root)).unwrap_or(act);
    Some(&root.record.act.op)
}

/// The node that signed an act. A document holds only the first 16 bytes of a node id.
fn signer<R: Roles>(roles: &R, prefix: NodePrefix) -> NodeId {
    roles.node(prefix).unwrap_or_else(|| {
        let mut bytes = [0u8; 32];
        bytes[..16].copy_from_slice(&prefix.0);
        NodeId(bytes)
    })
}
