//! Groups of acts that fulfil the same request: one operation, written concurrently by several nodes.

use std::collections::BTreeMap;

use towline_crdt::doc::{ActRecord, Acts};
use towline_proto::{ActId, CriterionState, Op};

use super::observed_state::ObservedState;
use super::{ActSet, Model};

/// For each act, the group of its request, including itself.
#[derive(Default)]
pub(super) struct RequestGroups(BTreeMap<ActId, ActSet>);

impl RequestGroups {
    pub(super) fn of(acts: &Acts) -> Self {
        let mut requests = BTreeMap::new();
        for (id, record) in acts.iter().filter(|(_, record)| record.act.request.is_some()) {
            let request = |other: &&ActId| acts[other].act.request == record.act.request;
            let of_request: Vec<&ActId> = acts.keys().filter(request).collect();
            let alone = of_request.iter().all(|other| acts[other].node == record.node);
            let same = |other: &&ActId| acts[other].act.op == record.act.op;
            let same: ActSet = of_request.into_iter().filter(same).copied().collect();
            if !alone && same.len() > 1 && same.len() <= 4 {
                requests.insert(*id, same);
            }
        }
        Self(requests)
    }

    /// The acts that an act names; naming one of a group names all.
    pub(super) fn saw(&self, id: &ActId, record: &ActRecord) -> ActSet {
        let mut saw: ActSet = record.act.saw.iter().copied().collect();
        for seen in &record.act.saw {
            saw.extend(self.same(seen).into_iter().filter(|same| same != id));
        }
        saw
    }

    pub(super) fn same(&self, id: &ActId) -> ActSet {
        self.0.get(id).cloned().unwrap_or_default()
    }
}

impl Model<'_> {
    /// The number of comments, counting each group once.
    pub(super) fn comments(&self, standing: &ActSet) -> u32 {
        let comments = standing
            .iter()
            .filter(|id| matches!(self.known[id].op(), Op::Comment { .. }));
        let first = |id: &&ActId| {
            let mut same = self.requests.same(id);
            same.retain(|one| standing.contains(one));
            same.first().is_none_or(|first| first == *id)
        };
        comments.filter(first).count() as u32
    }

    /// Every criterion, open when nobody judged it. Of a group those that were judged, or else the first.
    pub(super) fn criteria(
        &self,
        standing: &ActSet,
        observed: &ObservedState,
    ) -> BTreeMap<ActId, CriterionState> {
        let mut criteria = BTreeMap::new();
        for id in standing {
            if !matches!(self.known[id].op(), Op::AddCriterion { .. }) {
                continue;
            }
            let mut same = self.requests.same(id);
            same.retain(|one| standing.contains(one));
            let nobody = !same.iter().any(|one| observed.criteria.contains_key(one));
            let first = same.first().is_none_or(|first| first == id);
            if observed.criteria.contains_key(id) || (nobody && first) {
                let state = observed.criteria.get(id).copied();
                criteria.insert(*id, state.unwrap_or(CriterionState::Open));
            }
        }
        criteria
    }
}
