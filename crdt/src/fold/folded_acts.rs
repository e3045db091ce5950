//! The acts that have been folded so far, and the subset that one author observed.
//!
//! Looking up an act is the most frequent operation of a fold, so lookups are counted: tests use the count as a
//! measure of work that is the same on every machine. Decides nothing about the effect of an act.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use towline_proto::{ActId, Register};

use super::FoldedAct;

/// The folded acts by id.
#[derive(Debug, Default)]
pub struct FoldedActs<'a> {
    acts: BTreeMap<ActId, FoldedAct<'a>>,
    lookups: Cell<u64>,
}

impl<'a> FoldedActs<'a> {
    /// Looks up one act.
    pub fn get(&self, id: &ActId) -> Option<&FoldedAct<'a>> {
        self.lookups.set(self.lookups.get().saturating_add(1));
        self.acts.get(id)
    }

    /// How many lookups there have been.
    pub const fn lookups(&self) -> u64 {
        self.lookups.get()
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

/// The acts that one author named as seen, looked up once for all registers. With many concurrent writers,
/// searching them again for every register would be quadratic.
pub(super) struct ObservedActs<'t, 'a> {
    acts: Vec<(ActId, &'t FoldedAct<'a>)>,
    /// Pairs of an act and the index of another one in `acts` that names it as seen.
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

    /// The heads of a register for this author: the acts that write it and that no other act which writes it
    /// had seen. The creation gives way to any other act, because everybody has seen it.
    pub(super) fn heads(&self, register: &Register, created: Option<ActId>) -> Vec<ActId> {
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
