//! Which acts made an item depend on another, and which act ended that. They identify a cycle of dependencies,
//! so that a new cycle is not taken for an earlier one of the same items.
//!
//! Relies on the finished fold. The answers are the same before and after the dependency has ended, so that the
//! event for the end of a cycle names the same cycle as the event for its beginning.

use towline_proto::{ActId, Closing, ItemId, Op, Register};

use super::{ActOutcome, FoldedAct, FoldedItem};
use crate::view::Attribution;

impl FoldedItem<'_> {
    /// The acts that made the item depend on `on`: the last one that added the dependency, and the last one that
    /// reopened or restored the item, because a closed or deleted item depends on nothing.
    pub fn dependency_added_by(&self, on: &ItemId) -> Vec<ActId> {
        let adds = |act: &FoldedAct<'_>| matches!(&act.record.act.op, Op::AddDependency { on: added } if added == on);
        self.last_effective(adds)
            .into_iter()
            .chain(self.last_effective(brings_back))
            .collect()
    }

    /// The act that closed the item in favour of `by`.
    pub fn superseded_by(&self, by: &ItemId) -> Option<ActId> {
        let names = |closing: &Closing| matches!(closing, Closing::Superseded { by: named } if named == by);
        self.last_effective(|act| {
            let to = act.to.as_ref();
            to.and_then(|to| to.closing.as_deref()).is_some_and(names)
        })
    }

    /// The act by which the item stopped depending on `on`, with its author.
    pub fn dependency_ended_by(&self, on: &ItemId) -> Option<Attribution> {
        let view = &self.view;
        let removed = Register::Dependency(*on);
        let act = if view.deleted {
            self.value_set_by(&Register::Deleted)
        } else if view.column.is_open()
            && !view.depends_on.contains(on)
            && self.youngest_head(&removed).is_some()
        {
            self.value_set_by(&removed)
        } else {
            self.column_set_by()
        };
        self.attribution(&act?)
    }

    /// The last act in causal order that was ever in effect and for which `is` holds.
    fn last_effective(&self, is: impl Fn(&FoldedAct<'_>) -> bool) -> Option<ActId> {
        let took_effect = |act: &FoldedAct<'_>| {
            matches!(act.outcome, ActOutcome::Effective | ActOutcome::Superseded { .. })
        };
        let acts = self.acts.iter().filter(|(_, act)| took_effect(act) && is(act));
        acts.max_by_key(|(_, act)| act.order).map(|(id, _)| *id)
    }
}

/// Whether an act restored the item or moved it back into an open column.
fn brings_back(act: &FoldedAct<'_>) -> bool {
    let ended = act.from.as_ref().is_some_and(|from| !from.column.is_open());
    let open = act.to.as_ref().is_some_and(|to| to.column.is_open());
    matches!(act.record.act.op, Op::Restore) || (ended && open)
}
