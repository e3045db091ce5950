//! From one item to another along dependencies: what a refused circle is made of.
//!
//! Reads rows only, looks at each item once, and names few of many.

use std::collections::{BTreeMap, VecDeque};

use towline_proto::ItemId;

use super::Project;

/// Items of a way that are named at each end.
const NAMED: usize = 4;

impl Project {
    /// The shortest way from an item to another along what they wait for, both ends included; empty
    /// where there is none.
    fn dependency_path(&self, from: ItemId, to: ItemId) -> Vec<ItemId> {
        let mut before: BTreeMap<ItemId, ItemId> = BTreeMap::from([(from, from)]);
        let mut next = VecDeque::from([from]);
        while let Some(id) = next.pop_front() {
            if id == to {
                break;
            }
            let row = self.index.row(&id);
            for on in row.into_iter().flat_map(|row| row.references().0) {
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

    /// The circle that `item` waiting for `on` would close, as people read it: `1 → 2 → 3 → 1`.
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
