//! Circles of dependencies: which items wait for themselves, for many items at once.
//!
//! Asking for each dependency of a list whether it leads back would walk a long chain once for every item
//! of it. One walk (Tarjan's) finds all circles that can be reached; it keeps its own stack, because a
//! chain may be as long as the project.

use std::collections::BTreeMap;

use towline_crdt::view::ItemView;
use towline_proto::ItemId;

use super::Index;

/// Which circle each item is in.
#[derive(Debug, Default)]
pub(super) struct Circles(BTreeMap<ItemId, usize>);

impl Circles {
    /// Whether two items, one of which depends on the other, are in one circle.
    pub(super) fn hold(&self, a: &ItemId, b: &ItemId) -> bool {
        a == b || self.0.get(a).is_some_and(|circle| self.0.get(b) == Some(circle))
    }
}

/// What the walk knows of an item: when it came there, and the earliest item that it leads back to.
struct Seen {
    at: usize,
    back_to: usize,
    /// Still on the path or in a circle that is not closed.
    open: bool,
}

impl Index {
    /// All circles that can be reached from some rows.
    pub(super) fn circles<'a>(&'a self, rows: impl Iterator<Item = &'a ItemView>) -> Circles {
        let mut circles = Circles::default();
        let mut seen: BTreeMap<ItemId, Seen> = BTreeMap::new();
        let mut open: Vec<ItemId> = Vec::new();
        for row in rows {
            if !row.depends_on.is_empty() && !seen.contains_key(&row.id) {
                self.walk(row.id, &mut seen, &mut open, &mut circles);
            }
        }
        circles
    }

    fn walk(
        &self,
        from: ItemId,
        seen: &mut BTreeMap<ItemId, Seen>,
        open: &mut Vec<ItemId>,
        circles: &mut Circles,
    ) {
        // Each step of the path, and how many of its dependencies were looked at.
        let mut path = vec![(from, 0usize)];
        while let Some((id, looked)) = path.last_mut() {
            let id = *id;
            if *looked == 0 {
                let at = seen.len();
                let fresh = Seen {
                    at,
                    back_to: at,
                    open: true,
                };
                seen.insert(id, fresh);
                open.push(id);
            }
            let next = self.get(&id).and_then(|row| row.depends_on.get(*looked)).copied();
            *looked += 1;
            match next.map(|on| (on, seen.get(&on).map(|known| (known.open, known.at)))) {
                Some((on, None)) => path.push((on, 0)),
                Some((_, Some((true, at)))) => earlier(seen, &id, at),
                Some((_, Some((false, _)))) => {}
                None => {
                    path.pop();
                    let Some((at, back_to)) = seen.get(&id).map(|known| (known.at, known.back_to)) else {
                        continue;
                    };
                    if let Some((before, _)) = path.last() {
                        earlier(seen, before, back_to);
                    }
                    if at == back_to {
                        close(&id, at, seen, open, circles);
                    }
                }
            }
        }
    }
}

fn earlier(seen: &mut BTreeMap<ItemId, Seen>, id: &ItemId, at: usize) {
    if let Some(known) = seen.get_mut(id) {
        known.back_to = known.back_to.min(at);
    }
}

/// Takes everything that leads back to an item off the open ones; more than one is a circle.
fn close(
    id: &ItemId,
    circle: usize,
    seen: &mut BTreeMap<ItemId, Seen>,
    open: &mut Vec<ItemId>,
    circles: &mut Circles,
) {
    let from = open.iter().rposition(|other| other == id).unwrap_or(open.len());
    let members = open.split_off(from);
    for member in &members {
        if let Some(known) = seen.get_mut(member) {
            known.open = false;
        }
    }
    if members.len() > 1 {
        circles
            .0
            .extend(members.into_iter().map(|member| (member, circle)));
    }
}
