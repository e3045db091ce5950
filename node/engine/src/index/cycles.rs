//! Dependency cycles: which of their edges are suspended, and which edges form a cycle.
//!
//! Concurrent edits can make items wait for each other. The rule, for any graph: edges are added in ascending
//! order of their hashes, and one that would close a cycle with those added before is suspended. So every
//! replica with the same acts suspends the same edges, in whatever order they arrived. A superseded item
//! passes its dependants on to its successor, which is an edge as well; these edges are added first, because
//! nobody can undo them by removing a dependency.
//!
//! Pure: depends only on the given edges. Never recurses, since a chain may have any length.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use towline_proto::ItemId;
pub(crate) use towline_proto::WaitKind;

/// The most steps for one strongly connected component. The remaining edges are suspended, on every replica
/// alike: only somebody who creates a net of thousands of dependencies gets there.
const STEPS: usize = 20_000_000;

/// A dependency: who waits, and for what.
pub(crate) type DependencyEdge = (ItemId, ItemId);

/// A dependency or succession.
pub(crate) type WaitEdge = (ItemId, ItemId, WaitKind);

/// An edge in the order in which it is added.
type RankedEdge = (WaitKind, [u8; 32], ItemId, ItemId);

/// The suspended edges and the cycles of a graph.
#[derive(Debug, Default)]
pub(crate) struct Cycles {
    suspended: BTreeSet<DependencyEdge>,
    /// The suspended edges at each item, in either direction.
    by_item: BTreeMap<ItemId, Vec<DependencyEdge>>,
    /// For each item in a cycle: its component, and the added edges in it.
    members: BTreeMap<ItemId, (usize, Vec<(ItemId, WaitKind)>)>,
    /// Steps that all components together have cost.
    #[cfg(test)]
    steps: u64,
}

/// The hash that orders dependencies.
pub(crate) fn rank(from: &ItemId, on: &ItemId) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("towline/dependency/1");
    hasher.update(&from.0);
    hasher.update(&on.0);
    *hasher.finalize().as_bytes()
}

impl Cycles {
    /// Computes the suspended edges of a whole graph.
    pub(crate) fn of(edges: impl IntoIterator<Item = WaitEdge>) -> Self {
        let edges: BTreeSet<_> = edges.into_iter().collect();
        let items: BTreeSet<ItemId> = edges.iter().flat_map(|(from, on, _)| [*from, *on]).collect();
        let items: Vec<ItemId> = items.into_iter().collect();
        let place = |id: &ItemId| items.binary_search(id).unwrap_or_default();
        let placed: Vec<_> = edges
            .iter()
            .map(|(from, on, _)| (place(from), place(on)))
            .collect();
        let component = components(items.len(), &placed);
        let mut within: BTreeMap<usize, Vec<RankedEdge>> = BTreeMap::new();
        for ((from, on, wait), (a, b)) in edges.iter().zip(&placed) {
            let home = get(&component, *a);
            if home == get(&component, *b) {
                let edge = (*wait, rank(from, on), *from, *on);
                within.entry(home).or_default().push(edge);
            }
        }
        let mut cycles = Self::default();
        for (home, mut edges) in within {
            edges.sort_unstable();
            let mut order = TopologicalOrder::default();
            for (wait, _, from, on) in edges {
                for id in [from, on] {
                    cycles.members.entry(id).or_insert((home, Vec::new()));
                }
                if order.insert(from, on) {
                    if let Some((_, edges)) = cycles.members.get_mut(&from) {
                        edges.push((on, wait));
                    }
                } else if wait == WaitKind::Dependency {
                    cycles.suspended.insert((from, on));
                    cycles.by_item.entry(from).or_default().push((from, on));
                    if from != on {
                        cycles.by_item.entry(on).or_default().push((from, on));
                    }
                }
            }
            #[cfg(test)]
            {
                cycles.steps += order.steps as u64;
            }
        }
        cycles
    }

    /// Whether this dependency is suspended.
    pub(crate) fn is_suspended(&self, from: &ItemId, on: &ItemId) -> bool {
        self.suspended.contains(&(*from, *on))
    }

    /// All suspended dependencies.
    pub(crate) fn suspended(&self) -> impl Iterator<Item = &DependencyEdge> {
        self.suspended.iter()
    }

    /// The suspended dependencies of an item, and those of others on it.
    pub(crate) fn suspended_at(&self, id: &ItemId) -> &[DependencyEdge] {
        self.by_item.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether both are in one component, so that an edge between them is part of a cycle.
    pub(crate) fn in_same_component(&self, from: &ItemId, on: &ItemId) -> bool {
        match (self.members.get(from), self.members.get(on)) {
            (Some((from, _)), Some((on, _))) => from == on,
            _ => false,
        }
    }

    /// The shortest path back from the target of a suspended dependency: the rest of the cycle that it would
    /// close. Empty for an item that waits for itself.
    pub(crate) fn path_back(&self, (from, on): &DependencyEdge) -> Vec<WaitEdge> {
        let mut came: BTreeMap<ItemId, (ItemId, WaitKind)> = BTreeMap::new();
        let mut open = VecDeque::from([*on]);
        while let Some(at) = open.pop_front() {
            if at == *from {
                break;
            }
            for (next, wait) in self.members.get(&at).iter().flat_map(|(_, edges)| edges) {
                if next != on && !came.contains_key(next) {
                    came.insert(*next, (at, *wait));
                    open.push_back(*next);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = *from;
        while at != *on
            && let Some((before, wait)) = came.get(&at)
        {
            path.push((*before, at, *wait));
            at = *before;
        }
        path.reverse();
        path
    }
}

fn get<T: Copy + Default>(list: &[T], at: usize) -> T {
    list.get(at).copied().unwrap_or_default()
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

/// Neighbours of each of `count` nodes.
fn neighbours(count: usize, edges: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut next = vec![Vec::new(); count];
    for (from, on) in edges {
        if let Some(next) = next.get_mut(from) {
            next.push(on);
        }
    }
    next
}

/// The strongly connected component of each node (Kosaraju), with explicit stacks.
fn components(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let forth = neighbours(count, edges.iter().copied());
    let back = neighbours(count, edges.iter().map(|(from, on)| (*on, *from)));
    let mut seen = vec![false; count];
    let mut finished = Vec::with_capacity(count);
    for root in 0..count {
        if get(&seen, root) {
            continue;
        }
        set(&mut seen, root, true);
        let mut path = vec![(root, 0)];
        while let Some((at, child)) = path.last_mut() {
            match forth.get(*at).and_then(|next| next.get(*child)) {
                Some(next) => {
                    *child += 1;
                    if !get(&seen, *next) {
                        set(&mut seen, *next, true);
                        path.push((*next, 0));
                    }
                }
                None => {
                    finished.push(*at);
                    path.pop();
                }
            }
        }
    }
    let mut component = vec![0; count];
    let mut name = 0;
    for root in finished.into_iter().rev() {
        if get(&component, root) != 0 {
            continue;
        }
        name += 1;
        set(&mut component, root, name);
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            for next in back.get(at).into_iter().flatten() {
                if get(&component, *next) == 0 {
                    set(&mut component, *next, name);
                    open.push(*next);
                }
            }
        }
    }
    component
}

/// An acyclic graph that grows edge by edge, with a topological order of its nodes (Pearce and Kelly 2006):
/// adding an edge visits only the nodes between its ends.
#[derive(Debug, Default)]
struct TopologicalOrder {
    forth: BTreeMap<ItemId, Vec<ItemId>>,
    back: BTreeMap<ItemId, Vec<ItemId>>,
    place: BTreeMap<ItemId, usize>,
    steps: usize,
}

impl TopologicalOrder {
    /// Adds an edge, unless it would close a cycle.
    fn insert(&mut self, from: ItemId, on: ItemId) -> bool {
        if from == on || self.steps > STEPS {
            return false;
        }
        let (high, low) = (self.place(from), self.place(on));
        if low < high {
            let Some(mut after) = self.reachable(&on, &from, |place| place <= high, true) else {
                return false;
            };
            let Some(mut before) = self.reachable(&from, &on, |place| place >= low, false) else {
                return false;
            };
            after.sort_unstable();
            before.sort_unstable();
            let mut places: Vec<usize> = before.iter().chain(&after).map(|(place, _)| *place).collect();
            places.sort_unstable();
            let moved = before.into_iter().chain(after).map(|(_, id)| id);
            self.place.extend(moved.zip(places));
        }
        self.forth.entry(from).or_default().push(on);
        self.back.entry(on).or_default().push(from);
        true
    }

    fn place(&mut self, id: ItemId) -> usize {
        let last = self.place.len();
        *self.place.entry(id).or_insert(last)
    }

    /// The nodes that are reachable from `start` within a part of the order; `None` if `stop` is one of them.
    fn reachable(
        &mut self,
        start: &ItemId,
        stop: &ItemId,
        within: impl Fn(usize) -> bool,
        forth: bool,
    ) -> Option<Vec<(usize, ItemId)>> {
        let edges = if forth { &self.forth } else { &self.back };
        let mut seen = BTreeSet::from([*start]);
        let mut open = vec![*start];
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            if at == *stop {
                return None;
            }
            found.push((self.place.get(&at).copied().unwrap_or_default(), at));
            for next in edges.get(&at).into_iter().flatten() {
                self.steps += 1;
                if self.place.get(next).is_some_and(|place| within(*place)) && seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        Some(found)
    }
}

#[cfg(test)]
#[path = "cycles_tests.rs"]
mod tests;
