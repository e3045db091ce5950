//! Matches records to items.
//!
//! A record matches the item with its reference. If several items have one reference, because two nodes
//! imported concurrently or a tracker gave one id to two issues, the time of creation and the title decide.
//! Works on the rows alone; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use towline_api::request::ImportItem;
use towline_crdt::view::ItemView;
use towline_proto::ItemId;

use super::draft::{NEVER, digest};
use super::stage::read_mark;
use crate::query::QueryContext;

/// The reference that the item of a record has as a link; different issues with one id share it.
pub(super) fn reference(item: &ImportItem) -> &str {
    item.record.shared.as_deref().unwrap_or(&item.external)
}

/// How much a row differs from a record; the smallest is the item of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MatchDistance {
    other_birth: bool,
    /// Only if several records compete: of two items that two nodes made from one record, the living one is
    /// preferred whatever its title is.
    other_title: bool,
    purged: bool,
    deleted: bool,
    other_record: bool,
    id: ItemId,
}

impl MatchDistance {
    fn between(item: &ImportItem, row: &ItemView, digest: &str, among_several: bool) -> Self {
        let mark = row.imported.as_deref().map(read_mark);
        Self {
            other_birth: item.created_at == NEVER || row.created_at != item.created_at,
            other_title: among_several && row.title != item.title,
            purged: row.purged,
            deleted: row.deleted,
            other_record: mark.is_none_or(|(known, _)| known != digest),
            id: row.id,
        }
    }

    /// Whether nothing but the id says that it is the same issue.
    const fn is_unrelated(&self) -> bool {
        self.other_birth && self.other_title && self.other_record
    }
}

impl QueryContext<'_> {
    /// The item of each record; `None` for new ones.
    pub(super) fn match_items(&self, items: &[ImportItem]) -> Vec<Option<ItemId>> {
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            groups.entry(reference(item)).or_default().push(place);
        }
        let mut matches = vec![None; items.len()];
        for (reference, places) in groups {
            let records: Vec<(usize, &ImportItem)> = places
                .iter()
                .filter_map(|place| Some((*place, items.get(*place)?)))
                .collect();
            for (place, id) in self.match_group(reference, &records) {
                if let Some(matched) = matches.get_mut(place) {
                    *matched = Some(id);
                }
            }
        }
        matches
    }

    fn match_group(&self, reference: &str, records: &[(usize, &ImportItem)]) -> Vec<(usize, ItemId)> {
        let mut rows: Vec<ItemView> = self.index.all_by_external(reference).collect();
        let formerly = records.iter().flat_map(|(_, item)| &item.record.formerly);
        for former in formerly {
            rows.extend(self.index.all_by_external(former));
        }
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        if let ([row], [(place, item)]) = (rows.as_slice(), records)
            && item.record.shared.is_none()
            && !(item.record.by_birth && row.created_at != item.created_at)
        {
            return vec![(*place, row.id)];
        }
        let among_several = records.len() > 1;
        let mut pairs: Vec<(MatchDistance, usize)> = Vec::new();
        for (place, item) in records {
            let digest = digest(item);
            let distances = rows
                .iter()
                .map(|row| MatchDistance::between(item, row, &digest, among_several))
                .filter(|distance| !(item.record.by_birth && distance.other_birth));
            pairs.extend(distances.map(|distance| (distance, *place)));
        }
        pairs.sort_unstable();
        let mut found: BTreeMap<usize, ItemId> = BTreeMap::new();
        let mut taken: BTreeSet<ItemId> = BTreeSet::new();
        for (distance, place) in pairs {
            let free = !taken.contains(&distance.id) && !found.contains_key(&place);
            // The last record and the last item belong together, whatever changed.
            let is_last = taken.len() + 1 == rows.len() && found.len() + 1 == records.len();
            if free && (!distance.is_unrelated() || !among_several || is_last) {
                taken.insert(distance.id);
                found.insert(place, distance.id);
            }
        }
        found.into_iter().collect()
    }
}
