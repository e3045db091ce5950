//! The acts that a fold has taken, and what one author named of them.
//!
//! Looking an act up is what a fold does most, and the lookups are counted: how much work a history is,
//! the same on every machine. Decides nothing about what an act does.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use towline_proto::{ActId, Register};

use super::FoldedAct;

/// Acts by id, each with what the fold found out about it.
#[derive(Debug, Default)]
pub struct FoldedActs<'a> {
    acts: BTreeMap<ActId, FoldedAct<'a>>,
    looked_up: Cell<u64>,
}

impl<'a> FoldedActs<'a> {
    /// One of them.
    pub fn get(&self, id: &ActId) -> Option<&FoldedAct<'a>> {
        self.looked_up.set(self.looked_up.get().saturating_add(1));
        self.acts.get(id)
    }

    /// How often one was looked up until now.
    pub const fn looked_up(&self) -> u64 {
        self.looked_up.get()
    }
}

impl<'a> Deref for FoldedActs<'a> {
    type Target = BTreeMap<ActId, FoldedAct<'a>>;

    fn deref(&self) -> &Self::Target {
        &self.acts
    }
}

impl DerefMut for FoldedActs<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.acts
    }
}

impl<'t, 'a> IntoIterator for &'t FoldedActs<'a> {
    type Item = (&'t ActId, &'t FoldedAct<'a>);
    type IntoIter = std::collections::btree_map::Iter<'t, ActId, FoldedAct<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.acts.iter()
    }
}

/// What one author named, looked up once for all registers: where many wrote apart, each would otherwise
/// be looked for in all the others for every register anew.
pub(super) struct ObservedActs<'t, 'a> {
    acts: Vec<(ActId, &'t FoldedAct<'a>)>,
    /// Those that another of them names, with the one that names it.
    replaced: Vec<(ActId, usize)>,
}

impl<'t, 'a> ObservedActs<'t, 'a> {
    pub(super) fn of(taken: &'t FoldedActs<'a>, saw: &[ActId]) -> Self {
        let acts: Vec<_> = saw.iter().filter_map(|id| Some((*id, taken.get(id)?))).collect();
        let mut ids: Vec<ActId> = acts.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let named_by = |(index, (_, act)): (usize, &(ActId, &'t FoldedAct<'a>))| {
            let among = act.saw.iter();
            let among = among.filter(|id| ids.binary_search(id).is_ok());
            among.map(|id| (*id, index)).collect::<Vec<_>>()
        };
        let replaced = match acts.len() {
            0 | 1 => Vec::new(),
            _ => acts.iter().enumerate().flat_map(named_by).collect(),
        };
        Self { acts, replaced }
    }

    /// Those that write a register and were not superseded by another that writes it. The creation gives
    /// way to any other: everybody has seen it.
    pub(super) fn contenders(&self, register: &Register, created: Option<ActId>) -> Vec<ActId> {
        let writers = self.acts.iter().filter(|(_, act)| act.writes.contains(register));
        let mut writers: Vec<ActId> = writers.map(|(id, _)| *id).collect();
        if writers.len() < 2 {
            return writers;
        }
        let writes = |by: &usize| {
            let by = self.acts.get(*by);
            by.is_some_and(|(_, act)| act.writes.contains(register))
        };
        let replaced = self.replaced.iter().filter(|(_, by)| writes(by));
        let replaced: BTreeSet<ActId> = replaced.map(|(id, _)| *id).chain(created).collect();
        writers.retain(|id| !replaced.contains(id));
        writers
    }
}
