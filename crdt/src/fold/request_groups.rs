//! Acts that do one request: the same thing, asked for once and written by several nodes that did not
//! know of each other's act.
//!
//! Two gateways in one chat room read the same message. Both act, and theirs is one intent: whoever
//! names one of the acts replaces all of them, and a comment counts once. Whether an act was legal is
//! judged by what its author named, for the others were not in front of it. The nodes leave it at one act
//! where they can; this is for where they could not. Looks at requests, operations and signers only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use towline_proto::{ActId, Register, codec};

use super::order::causal;
use super::{ActOutcome, FoldState};
use crate::doc::{ActRecord, Acts};
use crate::members::Roles;

/// Acts that are taken for one at most. More than a few gateways never stand in one room, and what an
/// act names grows by so many times.
const ACTS: usize = 4;

/// Which acts of an item do one request.
#[derive(Debug, Default)]
pub(crate) struct RequestGroups {
    /// Of each such act all that do the same, sorted.
    same: BTreeMap<ActId, Vec<ActId>>,
}

impl RequestGroups {
    /// Finds them, and the causal order of all acts with it: whoever names one names all. Where that
    /// would make a circle, as dishonest authors can, each act stands for itself.
    pub(crate) fn find(acts: &Acts) -> (Self, (Vec<ActId>, Vec<ActId>)) {
        let none = Self::default();
        let plain = causal(acts, &none);
        let found = Self { same: groups(acts) };
        if found.same.is_empty() {
            return (none, plain);
        }
        let order = causal(acts, &found);
        if order.1.len() == plain.1.len() {
            (found, order)
        } else {
            (none, plain)
        }
    }

    /// What an act names as seen.
    pub(crate) fn named<'a>(&self, id: &ActId, record: &'a ActRecord) -> Cow<'a, [ActId]> {
        let saw = record.act.saw.as_slice();
        if self.same.is_empty() || !saw.iter().any(|seen| self.same.contains_key(seen)) {
            return Cow::Borrowed(saw);
        }
        let same = saw.iter().filter_map(|seen| self.same.get(seen)).flatten();
        let all: BTreeSet<ActId> = saw.iter().chain(same.filter(|one| *one != id)).copied().collect();
        Cow::Owned(all.into_iter().collect())
    }

    /// All that do what an act does, itself among them; none where it is the only one.
    pub(crate) fn same(&self, id: &ActId) -> &[ActId] {
        self.same.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether two acts are one intent.
    pub(crate) fn is_one(&self, a: &ActId, b: &ActId) -> bool {
        self.same(a).contains(b)
    }
}

fn groups(acts: &Acts) -> BTreeMap<ActId, Vec<ActId>> {
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
            .filter(|group| (2..=ACTS).contains(&group.len()))
        {
            same.extend(group.iter().map(|id| (*id, group.clone())));
        }
    }
    same
}

impl<R: Roles> FoldState<'_, R> {
    /// Of acts that do one request one is shown, the first by its id. Of criteria those that somebody
    /// has judged are all shown: a judgement names one of them.
    pub(super) fn mark_repeats(&mut self) {
        let groups: BTreeSet<&Vec<ActId>> = self.again.same.values().collect();
        let mut repeats = Vec::new();
        for group in groups {
            let judged = |id: &&ActId| !self.heads(&Register::Criterion(**id)).is_empty();
            let refused = |id: &&ActId| {
                matches!(
                    self.acts.get(id).map(|act| &act.outcome),
                    Some(ActOutcome::Refused(_))
                )
            };
            let shown = group
                .iter()
                .find(judged)
                .or_else(|| group.iter().find(|id| !refused(id)));
            let Some(shown) = shown else { continue };
            let others = group
                .iter()
                .filter(|id| *id != shown && !judged(id) && !refused(id));
            repeats.extend(others.map(|id| (*id, *shown)));
        }
        for (id, shown) in repeats {
            if let Some(act) = self.acts.get_mut(&id) {
                act.duplicate_of = Some(shown);
            }
        }
    }
}
