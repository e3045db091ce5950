//! Causal order: every act comes after all acts that it names as seen.
//!
//! The creation goes first and ties are broken by act id, so the order is the same on every replica. An act has
//! no position when it names a missing act or is part of a cycle (two dishonest authors can make one, because
//! ids are predictable). Such acts are returned separately, with all acts that depend on them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use towline_proto::{ActId, Op};

use super::request_groups::RequestGroups;
use crate::doc::Acts;

/// Returns the acts in causal order, and those that cannot be ordered.
pub(crate) fn causal(acts: &Acts, requests: &RequestGroups) -> (Vec<ActId>, Vec<ActId>) {
    let mut unmet: BTreeMap<ActId, usize> = BTreeMap::new();
    let mut followers: BTreeMap<ActId, Vec<ActId>> = BTreeMap::new();
    let mut ready = BinaryHeap::new();
    for (id, record) in acts {
        let saw = requests.saw_of(id, record);
        if saw.is_empty() {
            let is_creation = matches!(record.act.op, Op::Create { .. });
            ready.push(Reverse((!is_creation, *id)));
            continue;
        }
        unmet.insert(*id, saw.len());
        for seen in saw.iter() {
            followers.entry(*seen).or_default().push(*id);
        }
    }
    let mut order = Vec::with_capacity(acts.len());
    while let Some(Reverse((_, id))) = ready.pop() {
        order.push(id);
        for follower in followers.remove(&id).unwrap_or_default() {
            let Some(left) = unmet.get_mut(&follower) else {
                continue;
            };
            *left = left.saturating_sub(1);
            if *left == 0 {
                unmet.remove(&follower);
                ready.push(Reverse((true, follower)));
            }
        }
    }
    (order, unmet.into_keys().collect())
}
