//! Which acts make an item wait for another, and which one let it go again: by these a circle of
//! dependencies is told apart from one that was there before.
//!
//! Relies on the finished fold. Answers alike before and after the waiting has ended, so that the end of
//! a circle can be told as the end of that circle.

use towline_proto::{ActId, Closing, ItemId, Op, Register};

use super::{ActOutcome, FoldedAct, FoldedItem};
use crate::view::Attribution;

impl FoldedItem<'_> {
    /// The acts by which the item depends on `on`: the last that said so, and the last that brought the
    /// item back, which waited for nobody while it was closed or in the trash.
    pub fn dependency_added_by(&self, on: &ItemId) -> Vec<ActId> {
        let adds = |act: &FoldedAct<'_>| matches!(&act.record.act.op, Op::AddDependency { on: added } if added == on);
        self.last(adds).into_iter().chain(self.last(is_back)).collect()
    }

    /// The act by which `by` took the item's place.
    pub fn superseded_by(&self, by: &ItemId) -> Option<ActId> {
        let names = |closing: &Closing| matches!(closing, Closing::Superseded { by: named } if named == by);
        self.last(|act| {
            let to = act.to.as_ref();
            to.and_then(|to| to.closing.as_deref()).is_some_and(names)
        })
    }

    /// Who ended that the item waits for `on`, where it does so no more.
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

    /// The last act of a sort, in causal order, that ever counted.
    fn last(&self, is: impl Fn(&FoldedAct<'_>) -> bool) -> Option<ActId> {
        let counted = |act: &FoldedAct<'_>| {
            matches!(act.outcome, ActOutcome::Effective | ActOutcome::Superseded { .. })
        };
        let acts = self.acts.iter().filter(|(_, act)| counted(act) && is(act));
        acts.max_by_key(|(_, act)| act.order).map(|(id, _)| *id)
    }
}

/// Whether an act brought the item back from where it waited for nobody.
fn is_back(act: &FoldedAct<'_>) -> bool {
    let ended = act.from.as_ref().is_some_and(|from| !from.column.is_open());
    let open = act.to.as_ref().is_some_and(|to| to.column.is_open());
    matches!(act.record.act.op, Op::Restore) || (ended && open)
}
