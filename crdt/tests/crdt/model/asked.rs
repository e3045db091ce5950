//! Acts of one request: the same operation, asked for once, by nodes that did not know of each other.

use std::collections::BTreeMap;

use towline_crdt::doc::{ActRecord, Acts};
use towline_proto::{ActId, CriterionState, Op};

use super::sight::Sight;
use super::{Model, Set};

/// Which acts do one request, itself among them.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<ActId, Set>);

impl Asked {
    pub(super) fn of(acts: &Acts) -> Self {
        let mut asked = BTreeMap::new();
        for (id, record) in acts.iter().filter(|(_, record)| record.act.request.is_some()) {
            let request = |other: &&ActId| acts[other].act.request == record.act.request;
            let of_request: Vec<&ActId> = acts.keys().filter(request).collect();
            let alone = of_request.iter().all(|other| acts[other].node == record.node);
            let same = |other: &&ActId| acts[other].act.op == record.act.op;
            let same: Set = of_request.into_iter().filter(same).copied().collect();
            if !alone && same.len() > 1 && same.len() <= 4 {
                asked.insert(*id, same);
            }
        }
        Self(asked)
    }

    /// What an act names: whoever names one of a request names all.
    pub(super) fn saw(&self, id: &ActId, record: &ActRecord) -> Set {
        let mut saw: Set = record.act.saw.iter().copied().collect();
        for seen in &record.act.saw {
            saw.extend(self.same(seen).into_iter().filter(|same| same != id));
        }
        saw
    }

    pub(super) fn same(&self, id: &ActId) -> Set {
        self.0.get(id).cloned().unwrap_or_default()
    }
}

impl Model<'_> {
    /// Comments, those of one request once.
    pub(super) fn comments(&self, standing: &Set) -> u32 {
        let comments = standing
            .iter()
            .filter(|id| matches!(self.known[id].op(), Op::Comment { .. }));
        let first = |id: &&ActId| {
            let mut same = self.asked.same(id);
            same.retain(|one| standing.contains(one));
            same.first().is_none_or(|first| first == *id)
        };
        comments.filter(first).count() as u32
    }

    /// Every criterion; nobody has looked at those that nobody judged. Of one request those that were
    /// judged, or else the first.
    pub(super) fn criteria(&self, standing: &Set, sight: &Sight) -> BTreeMap<ActId, CriterionState> {
        let mut criteria = BTreeMap::new();
        for id in standing {
            if !matches!(self.known[id].op(), Op::AddCriterion { .. }) {
                continue;
            }
            let mut same = self.asked.same(id);
            same.retain(|one| standing.contains(one));
            let nobody = !same.iter().any(|one| sight.criteria.contains_key(one));
            let first = same.first().is_none_or(|first| first == id);
            if sight.criteria.contains_key(id) || (nobody && first) {
                let state = sight.criteria.get(id).copied();
                criteria.insert(*id, state.unwrap_or(CriterionState::Open));
            }
        }
        criteria
    }
}
