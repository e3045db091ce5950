//! Dependency cycles as conflicts: the dependencies of a cycle, and the act that ends it.
//!
//! The index decides which dependency is suspended ([`crate::index`]). A cycle belongs to both items
//! of the suspended dependency and ends when one of its dependencies is removed.

use towline_api::conflict_text::unkeepable;
use towline_api::request::Failure;
use towline_api::types::{ConflictTopic, OpenConflict, Side, SideResult, Unkeepable};
use towline_crdt::fold::{ActOutcome, FoldedAct, FoldedItem};
use towline_crdt::view::ItemView;
use towline_proto::ids::to_hex;
use towline_proto::{ActId, ItemId, Op, Rule};

use crate::command::{CommandContext, CommandPlan};
use crate::errors::ResolveError;
use crate::index::{DependencyEdge, WaitKind, letters, rank};
use crate::query::QueryContext;

/// The most cycles listed for one item.
const MAX_CYCLES: usize = 32;
/// The most dependencies listed for one cycle, the suspended one included.
pub(super) const MAX_SIDES: usize = 26;
/// The most other dependencies that are named for keeping a suspended one.
const OTHERS: usize = 5;

/// The id of a cycle, equal on every node.
pub(super) fn cycle_id((from, on): &DependencyEdge) -> String {
    to_hex(&rank(from, on)[..8])
}

/// The act by which an item waits for another; the newest of several with the same effect.
fn waiting_act<'f, 'a>(
    folded: &'f FoldedItem<'a>,
    on: &ItemId,
    wait: WaitKind,
) -> Option<(&'f ActId, &'f FoldedAct<'a>)> {
    let makes = |folding: &FoldedAct<'_>| {
        let to = match (&folding.record.act.op, wait) {
            (Op::AddDependency { on }, WaitKind::Dependency) => on,
            (Op::Supersede { by }, WaitKind::Successor) => by,
            _ => return false,
        };
        folding.outcome == ActOutcome::Effective && to == on
    };
    let acts = folded.acts.iter().filter(|(_, folding)| makes(folding));
    acts.max_by_key(|(act, folding)| (folding.record.act.at, **act))
}

impl QueryContext<'_> {
    /// The cycles in which a dependency of the item, or one on it, is suspended.
    pub(crate) fn cycles_of(&self, id: &ItemId) -> Result<Vec<OpenConflict>, Failure> {
        let edges: Vec<DependencyEdge> = self
            .index
            .suspended_at(id)
            .iter()
            .take(MAX_CYCLES)
            .copied()
            .collect();
        edges
            .into_iter()
            .map(|edge| self.cycle_conflict(id, edge))
            .collect()
    }

    /// Every cycle of the project, once each.
    pub(super) fn all_cycles(&self, limit: usize) -> Result<Vec<OpenConflict>, Failure> {
        let edges: Vec<DependencyEdge> = self.index.suspended().take(limit).copied().collect();
        edges
            .into_iter()
            .map(|edge| self.cycle_conflict(&edge.0, edge))
            .collect()
    }

    fn cycle_conflict(&self, about: &ItemId, edge: DependencyEdge) -> Result<OpenConflict, Failure> {
        let mut edges = self.index.rest_of_cycle(&edge);
        edges.truncate(MAX_SIDES - 1);
        edges.push((edge.0, edge.1, WaitKind::Dependency));
        let mut sides = Vec::with_capacity(edges.len());
        for (from, on, wait) in edges {
            let doc = self.doc(&from)?;
            let folded = self.folded(&doc)?;
            let Some((act, folding)) = waiting_act(&folded, &on, wait) else {
                continue;
            };
            let effective = (from, on) != edge;
            let [item, other] = [from, on].map(|id| self.index.link(&id).name());
            let result = match wait {
                WaitKind::Dependency => SideResult::Waits { item, on: other },
                WaitKind::Successor => SideResult::Replaces { item, by: other },
            };
            sides.push(Side {
                key: letters(sides.len()),
                effective,
                result,
                unkeepable: match effective {
                    true => None,
                    false => self.only_other_dependency(&edge).err(),
                },
                line: self.line(&folded, act, folding),
            });
        }
        Ok(OpenConflict {
            id: cycle_id(&edge),
            item: self.index.link(about),
            topic: ConflictTopic::Dependencies,
            rule: Rule::Cycle,
            since: sides.iter().map(|side| side.line.at).max().unwrap_or_default(),
            before: None,
            sides,
        })
    }

    /// The dependencies of a cycle that are in effect.
    fn kept_dependencies(&self, edge: &DependencyEdge) -> Vec<DependencyEdge> {
        let rest = self.index.rest_of_cycle(edge).into_iter();
        let dependencies = rest.filter(|(_, _, wait)| *wait == WaitKind::Dependency);
        dependencies.map(|(from, on, _)| (from, on)).collect()
    }

    /// The one dependency that can be removed to keep the suspended one, or why there is no such.
    fn only_other_dependency(&self, edge: &DependencyEdge) -> Result<DependencyEdge, Unkeepable> {
        let kept = self.kept_dependencies(edge);
        let names = |(from, on): &DependencyEdge| (self.index.link(from).name(), self.index.link(on).name());
        let (item, on) = names(edge);
        match kept.as_slice() {
            [one] => Ok(*one),
            [] => Err(Unkeepable::Replaces { item, replaced: on }),
            several => Err(Unkeepable::OtherDependencies {
                item,
                on,
                others: several.iter().take(OTHERS).map(names).collect(),
            }),
        }
    }
}

impl CommandContext<'_> {
    /// Resolves a cycle: keeping a dependency that is in effect removes the suspended one. Keeping the
    /// suspended one is unambiguous only in a cycle of two; otherwise a person has to choose which other one
    /// to remove.
    pub(super) fn resolve_cycle(
        &self,
        row: &ItemView,
        id: &str,
        keep: &ActId,
    ) -> Result<CommandPlan, Failure> {
        let mut edges = self.index.suspended_at(&row.id).iter().copied();
        let edge = edges
            .find(|edge| cycle_id(edge) == id)
            .ok_or(ResolveError::Resolved)?;
        let doc = self.doc(&edge.0)?;
        let folded = self.folded(&doc)?;
        let is_suspended =
            waiting_act(&folded, &edge.1, WaitKind::Dependency).is_some_and(|(act, _)| act == keep);
        let removed = if is_suspended {
            self.only_other_dependency(&edge)
                .map_err(|why| ResolveError::Unkeepable(unkeepable(&why, None)))?
        } else {
            edge
        };
        let from = self.index.get(&removed.0).ok_or(ResolveError::Resolved)?;
        let [waited, on] = [removed.0, removed.1].map(|id| self.index.link(&id).handle);
        let plan = self.plan(&from, vec![Op::RemoveDependency { on: removed.1 }], None)?;
        // The reply is about the requested item, although the act may belong to the other one.
        Ok(plan
            .about(row)
            .note_first(format!("{waited} no longer depends on {on}")))
    }
}
