//! The dependency path between two items. It explains why a new dependency was refused: it would close a
//! cycle.
//!
//! Reads rows only and visits each item once. A long path is shortened in the middle.

use std::collections::{BTreeMap, VecDeque};

use towline_proto::ItemId;

use crate::query::QueryContext;

/// Items shown at each end of a long path.
const NAMED: usize = 4;

impl QueryContext<'_> {
    /// The shortest path from one item to another along dependencies, both ends included; empty if there is
    /// none.
    fn dependency_path(&self, from: ItemId, to: ItemId) -> Vec<ItemId> {
        let mut before: BTreeMap<ItemId, ItemId> = BTreeMap::from([(from, from)]);
        let mut next = VecDeque::from([from]);
        while let Some(id) = next.pop_front() {
            if id == to {
                break;
            }
            let row = self.index.row(&id);
            for on in row.into_iter().flat_map(|row| row.references().depends_on) {
                before.entry(on).or_insert_with(|| {
                    next.push_back(on);
                    id
                });
            }
        }
        let mut path = Vec::new();
        let mut at = to;
        while let Some(earlier) = before.get(&at) {
            path.push(at);
            if *earlier == at {
                break;
            }
            at = *earlier;
        }
        path.reverse();
        path
    }

    /// The cycle that a dependency of `item` on `on` would close, as text: `1 → 2 → 3 → 1`.
    pub(super) fn closed_cycle_text(&self, item: ItemId, on: ItemId) -> String {
        let cycle: Vec<ItemId> = std::iter::once(item)
            .chain(self.dependency_path(on, item))
            .collect();
        let handle = |id: &ItemId| self.index.link(id).handle;
        let hidden = cycle.len().saturating_sub(2 * NAMED);
        if hidden < 2 {
            return cycle.iter().map(handle).collect::<Vec<_>>().join(" → ");
        }
        let mut named: Vec<_> = cycle.iter().take(NAMED).map(handle).collect();
        named.push(format!("… {hidden} more …"));
        named.extend(cycle.iter().skip(NAMED + hidden).map(handle));
        named.join(" → ")
    }
}
