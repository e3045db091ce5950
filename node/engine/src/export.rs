//! Exports items as lines: the state of an item and all of its acts, without anything that depends on who
//! signed them.
//!
//! Acts are in causal order, and where that leaves a choice, by time and id; a replay keeps that order (see
//! `pending_batch::replay`). Import marks are left out, and an act that had seen a mark is written as if it
//! had seen what the mark saw. Changes nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use towline_api::export_line::{
    ActRef, ItemLine, LineAct, LineClaim, LineClosing, LineConflict, LineCriterion, LineRefused, SCHEMA,
    encode_op, encode_register, is_import_mark, is_import_mark_link, reference,
};
use towline_api::notice_text::{notice_text, refusal_text};
use towline_api::request::Failure;
use towline_api::types::ItemPage;
use towline_crdt::fold::{ActOutcome, FoldedItem};
use towline_crdt::view::{ItemView, Link};
use towline_proto::{Act, ActId, Closing, ItemId, LinkKind, Op, Register};

use crate::query::QueryContext;

/// The most item pages per export request.
const MAX_PAGES: usize = 500;
/// The most lines per request.
const MAX_LINES: usize = 500;
/// Bytes of bodies and acts after which a reply ends; a larger item is sent alone.
const REPLY_TARGET_BYTES: usize = 4 * 1024 * 1024;
/// The approximate size of an act in a line besides its texts.
const ACT_BYTES: usize = 200;

impl QueryContext<'_> {
    /// Items with all details, in order of creation.
    pub(crate) fn export(&self, offset: usize, limit: usize) -> Result<Vec<ItemPage>, Failure> {
        let rows = self.index.rows().filter(|row| !row.purged);
        let mut ids: Vec<_> = rows.map(|row| (row.created_at, row.id)).collect();
        ids.sort_unstable();
        let ids: Vec<_> = ids.into_iter().skip(offset).take(limit.min(MAX_PAGES)).collect();
        ids.iter().map(|(_, id)| self.page(id)).collect()
    }

    /// Items as lines, in order of creation, without purged items.
    pub(crate) fn export_lines(&self, offset: usize, limit: usize) -> Result<Vec<ItemLine>, Failure> {
        let rows = self.index.rows().filter(|row| !row.purged);
        let mut ids: Vec<_> = rows.map(|row| (row.created_at, row.number, row.id)).collect();
        ids.sort_unstable();
        let mut lines = Vec::new();
        let mut bytes = 0;
        for (_, _, id) in ids.into_iter().skip(offset).take(limit.min(MAX_LINES)) {
            let line = self.whole_line(&id, &BTreeMap::new())?;
            bytes += line.body.len() + size(&line);
            lines.push(line);
            if bytes >= REPLY_TARGET_BYTES {
                break;
            }
        }
        Ok(lines)
    }

    /// One item as a line. `names` contains the names of other items that differ from their handles.
    pub(crate) fn whole_line(
        &self,
        id: &ItemId,
        names: &BTreeMap<ItemId, String>,
    ) -> Result<ItemLine, Failure> {
        let doc = self.doc(id)?;
        let body = self.store.body(id)?;
        let folded = self.folded(&doc)?;
        let item = |id: &ItemId| match names.get(id) {
            Some(name) => name.clone(),
            None => self.item_name(id),
        };
        let view = &folded.view;
        let order = ActOrder::of(&folded);
        let act = |id: &ActId| order.name(id);
        let ties = folded.tie_groups(self.members);
        let ties: BTreeSet<Vec<u32>> = ties
            .iter()
            .map(|group| {
                group
                    .iter()
                    .filter_map(|id| order.places.get(id).copied())
                    .collect()
            })
            .filter(|group: &Vec<u32>| group.len() > 1)
            .collect();
        Ok(ItemLine {
            schema: SCHEMA.to_owned(),
            reference: self.reference_of(view),
            handle: item(&view.id),
            number: view.number,
            kind: view.kind,
            title: view.title.clone(),
            column: view.column,
            status: view.status(),
            closing: view.closing.as_ref().map(|closing| match closing {
                Closing::Abandoned => LineClosing::Abandoned,
                Closing::Superseded { by } => LineClosing::Superseded { by: item(by) },
                Closing::Rejected { reason } => LineClosing::Rejected {
                    reason: reason.clone(),
                },
            }),
            holds: view.holds.clone(),
            deleted: view.deleted,
            priority: view.priority,
            qa: view.qa,
            labels: view.labels.clone(),
            assignee: view.assignee.clone(),
            claim: view.claim.as_ref().map(|claim| LineClaim {
                holder: claim.holder.clone(),
                generation: claim.generation,
                at: claim.at,
            }),
            epic: view.epic.as_ref().map(&item),
            depends_on: in_order(view.depends_on.iter().map(&item).collect()),
            links: links(view, &item),
            criteria: criteria(view, &order),
            retries: view.retries,
            conflicts: conflicts(view, act),
            attention: sorted(view.attention.iter().map(notice_text).collect()),
            refused: refused(&folded, &order),
            origin: view.origin.clone(),
            created_at: view.created_at,
            updated_at: view.updated_at,
            entered_at: view.entered_at,
            body,
            ties: ties.into_iter().collect(),
            acts: order.acts(&folded, &item),
        })
    }

    /// The reference with which an item was imported, or its reference in this project.
    pub(crate) fn reference_of(&self, row: &ItemView) -> String {
        let inherited = row.links.iter().find(|link| is_import_mark_link(link));
        inherited.map_or_else(|| reference(&self.id, &row.id), |link| link.target.clone())
    }

    /// The handle of an exported item, or the full id of any other.
    fn item_name(&self, id: &ItemId) -> String {
        match self.index.get(id).filter(|row| !row.purged) {
            Some(row) => self.index.handle(&row),
            None => id.to_string(),
        }
    }
}

/// The acts of an item in the order of its line.
pub(super) fn order(folded: &FoldedItem<'_>) -> Vec<ActId> {
    ActOrder::of(folded).order
}

/// The acts of a line in their order.
struct ActOrder<'f, 'a> {
    order: Vec<ActId>,
    places: BTreeMap<ActId, u32>,
    folded: &'f FoldedItem<'a>,
}

impl<'f, 'a> ActOrder<'f, 'a> {
    fn of(folded: &'f FoldedItem<'a>) -> Self {
        let kept = |id: &ActId| {
            folded
                .acts
                .get(id)
                .map(|act| &act.record.act)
                .filter(|act| !is_import_mark(&act.op))
        };
        let mut unmet: BTreeMap<ActId, usize> = BTreeMap::new();
        let mut followers: BTreeMap<ActId, Vec<ActId>> = BTreeMap::new();
        let mut ready = BinaryHeap::new();
        let key = |id: ActId, act: &Act| Reverse((!matches!(act.op, Op::Create { .. }), act.at, id));
        for (id, act) in folded.acts.keys().filter_map(|id| Some((*id, kept(id)?))) {
            let before: BTreeSet<ActId> = seen(folded, act)
                .into_iter()
                .chain(names(&act.op))
                .filter(|other| *other != id && kept(other).is_some())
                .collect();
            if before.is_empty() {
                ready.push(key(id, act));
            } else {
                unmet.insert(id, before.len());
            }
            for other in before {
                followers.entry(other).or_default().push(id);
            }
        }
        let mut order = Vec::with_capacity(folded.acts.len());
        while let Some(Reverse((_, _, id))) = ready.pop() {
            order.push(id);
            for follower in followers.remove(&id).unwrap_or_default() {
                let Some(left) = unmet.get_mut(&follower) else {
                    continue;
                };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    unmet.remove(&follower);
                    if let Some(act) = kept(&follower) {
                        ready.push(key(follower, act));
                    }
                }
            }
        }
        // Only dishonest authors can create a cycle of acts; those in one never took effect.
        order.extend(unmet.into_keys());
        let places = order.iter().zip(0..).map(|(id, place)| (*id, place)).collect();
        Self {
            order,
            places,
            folded,
        }
    }

    fn name(&self, id: &ActId) -> ActRef {
        self.places
            .get(id)
            .map_or(ActRef::Id(*id), |place| ActRef::At(*place))
    }

    fn acts(&self, folded: &FoldedItem<'_>, item: &impl Fn(&ItemId) -> String) -> Vec<LineAct> {
        let acts = self.order.iter().zip(0..).filter_map(|(id, place)| {
            let act = &folded.acts.get(id)?.record.act;
            // A later act cannot be referred to by its position: see the cycle above.
            let earlier = |id: &ActId| match self.name(id) {
                ActRef::At(at) if at >= place => ActRef::Id(*id),
                name => name,
            };
            let (op, with) = encode_op(&act.op, earlier, item);
            let saw: BTreeSet<ActRef> = seen(self.folded, act).iter().map(earlier).collect();
            Some(LineAct {
                op,
                with,
                at: act.at,
                origin: act.origin.clone(),
                saw: saw.into_iter().collect(),
                request: act.request,
            })
        });
        acts.collect()
    }
}

/// The acts that an act had seen; a mark is replaced by what it had seen.
fn seen(folded: &FoldedItem<'_>, act: &Act) -> BTreeSet<ActId> {
    let mut seen = BTreeSet::new();
    let mut looked_through = BTreeSet::new();
    let mut open: Vec<ActId> = act.saw.clone();
    while let Some(id) = open.pop() {
        match folded.acts.get(&id).map(|act| &act.record.act) {
            Some(mark) if is_import_mark(&mark.op) => {
                if looked_through.insert(id) {
                    open.extend(&mark.saw);
                }
            }
            _ => drop(seen.insert(id)),
        }
    }
    seen
}

/// The acts that an operation refers to.
fn names(op: &Op) -> impl Iterator<Item = ActId> {
    let (one, other) = match op {
        Op::SetCriterion { criterion, .. } => (Some(*criterion), None),
        Op::Resolve {
            over: Register::Criterion(criterion),
            keep,
        } => (Some(*keep), Some(*criterion)),
        Op::Resolve { keep, .. } => (Some(*keep), None),
        _ => (None, None),
    };
    one.into_iter().chain(other)
}

fn criteria(view: &ItemView, order: &ActOrder<'_, '_>) -> Vec<LineCriterion> {
    let criteria = view.criteria.iter().map(|criterion| LineCriterion {
        act: order.name(&criterion.id),
        text: criterion.text.clone(),
        state: criterion.state,
        evidence: criterion.evidence.clone(),
    });
    let mut criteria: Vec<_> = criteria.collect();
    criteria.sort_by_key(|criterion| criterion.act);
    criteria
}

fn links(view: &ItemView, item: &impl Fn(&ItemId) -> String) -> Vec<Link> {
    let links = view.links.iter().filter(|link| !is_import_mark_link(link));
    let mut links: Vec<Link> = links
        .map(|link| match link.target.parse() {
            Ok(id) if link.kind == LinkKind::Related => Link {
                kind: link.kind,
                target: item(&id),
            },
            _ => link.clone(),
        })
        .collect();
    links.sort();
    links
}

fn conflicts(view: &ItemView, act: impl Fn(&ActId) -> ActRef) -> Vec<LineConflict> {
    let mut conflicts: Vec<_> = view
        .conflicts
        .iter()
        .map(|conflict| LineConflict {
            about: encode_register(&conflict.register, &act),
            rule: conflict.rule,
            winner: act(&conflict.winner),
            losers: sorted(conflict.losers.iter().map(&act).collect()),
            since: conflict.since,
        })
        .collect();
    conflicts.sort_by_key(|conflict| (conflict.winner, conflict.about.to_string()));
    conflicts
}

fn refused(folded: &FoldedItem<'_>, order: &ActOrder<'_, '_>) -> Vec<LineRefused> {
    let refused = folded.acts.iter().filter_map(|(id, act)| match &act.outcome {
        ActOutcome::Refused(why) => Some(LineRefused {
            act: order.name(id),
            why: refusal_text(why),
        }),
        ActOutcome::Effective | ActOutcome::Superseded { .. } | ActOutcome::Overridden { .. } => None,
    });
    let mut refused: Vec<_> = refused.collect();
    refused.sort_by_key(|refused| refused.act);
    refused
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// Sorts handles by number, 2 before 10, and ids last.
fn in_order(mut handles: Vec<String>) -> Vec<String> {
    handles.sort_by_cached_key(|handle| {
        let letters = handle.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number = handle
            .strip_suffix(letters.as_str())
            .and_then(|digits| digits.parse::<u32>().ok());
        (
            handle.parse::<ItemId>().is_ok(),
            number,
            letters.len(),
            letters,
            handle.clone(),
        )
    });
    handles
}

/// The approximate size of a line's acts in bytes.
fn size(line: &ItemLine) -> usize {
    let texts = |act: &LineAct| {
        act.with
            .values()
            .filter_map(|value| value.as_str())
            .map(str::len)
            .sum::<usize>()
    };
    line.acts.iter().map(|act| ACT_BYTES + texts(act)).sum()
}
