//! Groups of acts that fulfil the same request: one command that several nodes carried out concurrently.
//!
//! Example: two gateways in one chat room read the same message, and both write an act. The two acts are one
//! intent. An act that names one of them supersedes both, and a comment is counted once. Whether an act is legal
//! is still decided from the acts that its author named, because the author had not seen the others. Nodes avoid
//! such duplicates where they can; this module handles the rest. It compares requests, operations and signers
//! only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, Register, codec};

use super::order::causal;
use super::{ActOutcome, FoldState};
use crate::doc::{ActRecord, Acts};
use crate::members::Roles;

/// The most acts in a group. A room has few gateways, and the number of acts that an act names as seen can
/// grow by this factor.
const GROUP_ACTS: usize = 4;

/// The acts of an item that fulfil the same request.
#[derive(Debug, Default)]
pub(crate) struct RequestGroups {
    /// For each such act the whole group, sorted.
    groups: BTreeMap<ActId, Vec<ActId>>,
}

impl RequestGroups {
    /// Finds the groups, and the causal order of all acts when naming one act of a group names all of it.
    /// Dishonest authors can make that a cycle; then there are no groups.
    pub(crate) fn find(acts: &Acts) -> (Self, (Vec<ActId>, Vec<ActId>)) {
        let none = Self::default();
        let plain = causal(acts, &none);
        let found = Self {
            groups: find_groups(acts),
        };
        if found.groups.is_empty() {
            return (none, plain);
        }
        let order = causal(acts, &found);
        if order.1.len() == plain.1.len() {
            (found, order)
        } else {
            (none, plain)
        }
    }

    /// The acts that an act names as seen, completed by the rest of their groups.
    pub(crate) fn saw_of<'a>(&self, id: &ActId, record: &'a ActRecord) -> Cow<'a, [ActId]> {
        let saw = record.act.saw.as_slice();
        if self.groups.is_empty() || !saw.iter().any(|seen| self.groups.contains_key(seen)) {
            return Cow::Borrowed(saw);
        }
        let same = saw.iter().filter_map(|seen| self.groups.get(seen)).flatten();
        let all: BTreeSet<ActId> = saw.iter().chain(same.filter(|one| *one != id)).copied().collect();
        Cow::Owned(all.into_iter().collect())
    }

    /// The group of an act, including the act itself; empty when no other act fulfils its request.
    pub(crate) fn group_of(&self, id: &ActId) -> &[ActId] {
        self.groups.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether two acts fulfil the same request.
    pub(crate) fn same_request(&self, a: &ActId, b: &ActId) -> bool {
        self.group_of(a).contains(b)
    }
}

fn find_groups(acts: &Acts) -> BTreeMap<ActId, Vec<ActId>> {
    let mut by_request: BTreeMap<_, Vec<(&ActId, &ActRecord)>> = BTreeMap::new();
    for (id, record) in acts {
        if let Some(request) = record.act.request {
            by_request.entry(request).or_default().push((id, record));
        }
    }
    let mut same = BTreeMap::new();
    for asked in by_request.into_values() {
        let nodes: BTreeSet<_> = asked.iter().map(|(_, record)| record.node).collect();
        if nodes.len() < 2 {
            continue;
        }
        let mut by_op: BTreeMap<Vec<u8>, Vec<ActId>> = BTreeMap::new();
        for (id, record) in asked {
            by_op.entry(codec::encode(&record.act.op)).or_default().push(*id);
        }
        for group in by_op
            .into_values()
            .filter(|group| (2..=GROUP_ACTS).contains(&group.len()))
        {
            same.extend(group.iter().map(|id| (*id, group.clone())));
        }
    }
    same
}

impl<R: Roles> FoldState<'_, R> {
    /// Marks all but one act of each group as duplicates. The act with the smallest id is shown. Criteria that
    /// somebody has judged are all shown, because each judgement names one of them.
    pub(super) fn mark_duplicates(&mut self) {
        let groups: BTreeSet<&Vec<ActId>> = self.requests.groups.values().collect();
        let mut duplicates = Vec::new();
        for group in groups {
            let is_judged = |id: &&ActId| !self.heads(&Register::Criterion(**id)).is_empty();
            let is_refused = |id: &&ActId| {
                matches!(
                    self.acts.get(id).map(|act| &act.outcome),
                    Some(ActOutcome::Refused(_))
                )
            };
            let shown = group
                .iter()
                .find(is_judged)
                .or_else(|| group.iter().find(|id| !is_refused(id)));
            let Some(shown) = shown else { continue };
            let others = group
                .iter()
                .filter(|id| *id != shown && !is_judged(id) && !is_refused(id));
            duplicates.extend(others.map(|id| (*id, *shown)));
        }
        for (id, shown) in duplicates {
            if let Some(act) = self.acts.get_mut(&id) {
                act.duplicate_of = Some(shown);
            }
        }
    }
}
