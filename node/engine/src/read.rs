//! Replies to requests that change nothing.

use towline_api::request::{Failure, FailureCode, Filter};
use towline_api::types::{
    Comment, HistoryLine, ItemCard, ItemPage, MemberInfo, ProjectStatus, RefusedChange,
};
use towline_crdt::view::{ItemView, RefusedAct};
use towline_interchange::import::TRACKERS;
use towline_proto::{Closing, Column, ItemId, LinkKind, Op};
use towline_store::cache::Row;

use super::filter::{FilterFields, FilterText};
use super::index::Index;
use crate::query::QueryContext;

/// The most history lines per request.
const MAX_LINES: usize = 10_000;

impl QueryContext<'_> {
    /// Cards that pass a filter, in board order.
    pub(crate) fn list(&self, filter: &Filter) -> Result<Vec<ItemCard>, Failure> {
        let epic = match &filter.epic {
            Some(epic) => Some(self.index.find_one(epic)?.id),
            None => None,
        };
        let passes = |row: &&Row| FilterFields::from(*row).pass(filter);
        let mut rows: Vec<_> = self.index.shown().filter(passes).collect();
        rows.sort_by_key(|row| Index::board_order(row));
        // Each row is unpacked once, and none behind the last card.
        let passes = |row: &ItemView| {
            epic.is_none_or(|epic| row.epic == Some(epic)) && FilterText::from(row).pass(filter)
        };
        let cards = rows.into_iter().filter_map(Row::view).filter(passes);
        let cards = cards.map(|row| self.index.card(&row));
        Ok(match filter.limit {
            0 => cards.collect(),
            most => cards.take(most).collect(),
        })
    }

    /// The items that somebody can start now.
    pub(crate) fn ready(&self, asker: Option<&str>, all: bool) -> Vec<ItemCard> {
        self.index.ready(asker, all)
    }

    /// The items that a handle refers to, with all details.
    pub(crate) fn show(&self, wanted: &str) -> Result<Vec<ItemPage>, Failure> {
        let ids = self.index.find(wanted)?;
        ids.iter().map(|id| self.page(id)).collect()
    }

    pub(super) fn page(&self, id: &ItemId) -> Result<ItemPage, Failure> {
        let cycles = self.cycles_of(id)?;
        let doc = self.doc(id)?;
        let body = doc
            .body()
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
        let folded = self.folded(&doc)?;
        let view = &folded.view;
        let mut remarks: Vec<_> = folded
            .acts
            .iter()
            .filter(|(_, folding)| folding.duplicate_of.is_none())
            .filter_map(|(act, folding)| match &folding.record.act.op {
                Op::Comment { text } => Some(Comment {
                    id: *act,
                    origin: folding.record.act.origin.clone(),
                    at: folding.record.act.at,
                    text: text.clone(),
                    skewed: false,
                }),
                _ => None,
            })
            .collect();
        remarks.sort_by_key(|remark| (remark.at, remark.id));
        Ok(ItemPage {
            card: self.index.card(view),
            body,
            criteria_list: view.criteria.clone(),
            known_as: known_as(view),
            links: view.links.clone(),
            related: related(view).map(|id| self.index.link(&id)).collect(),
            remarks,
            successor: match &view.closing {
                Some(Closing::Superseded { by }) => Some(self.index.link(by)),
                _ => None,
            },
            dependants: self.index.dependants(id),
            children: self.index.children(id),
            history: self.history(&folded),
            open_conflicts: self.conflicts_of(&folded).into_iter().chain(cycles).collect(),
            refused: view.refused.iter().map(refused_change).collect(),
        })
    }

    /// The history of one item or of all: the newest `limit` lines, oldest first.
    pub(crate) fn log(&self, item: Option<&str>, limit: usize) -> Result<Vec<HistoryLine>, Failure> {
        let limit = limit.min(MAX_LINES);
        let ids = match item {
            Some(wanted) => self.index.find(wanted)?,
            None => self.recently_touched(limit)?,
        };
        let mut lines = Vec::new();
        for id in ids {
            let doc = self.doc(&id)?;
            lines.extend(self.history(&self.folded(&doc)?));
        }
        // Stable: acts of one item and one millisecond stay in their causal order.
        lines.sort_by_key(|line| (line.at, line.item));
        Ok(lines.split_off(lines.len().saturating_sub(limit)))
    }

    /// The items that contain the newest `limit` acts: those that changed last.
    fn recently_touched(&self, limit: usize) -> Result<Vec<ItemId>, Failure> {
        let mut rows: Vec<_> = self.index.shown().map(|row| (row.updated_at, row.id)).collect();
        rows.sort_unstable();
        let from = rows.len().saturating_sub(limit);
        Ok(rows.into_iter().skip(from).map(|(_, id)| id).collect())
    }

    /// The counts and the feed position of the project.
    pub(crate) fn status(&self) -> Result<ProjectStatus, Failure> {
        let alive = || self.index.shown().filter(|row| !row.deleted);
        let columns = Column::ALL
            .iter()
            .map(|column| (*column, alive().filter(|row| row.column == *column).count()));
        let columns = columns.collect();
        let open = |row: &&Row| row.column.is_open();
        let (held, conflicts) = (
            alive().filter(open).filter(|row| row.held).count(),
            alive()
                .filter(|row| row.disputed || !self.index.suspended_at(&row.id).is_empty())
                .count(),
        );
        let last = self.store.feed.head().checked_sub(1);
        let last_event = match last {
            Some(before) => self.store.events(before, 1)?.pop(),
            None => None,
        };
        Ok(ProjectStatus {
            id: self.id,
            name: self.members.name().to_owned(),
            node: self.me,
            node_name: self.node_name(&self.me),
            role: self.role(),
            columns,
            held,
            conflicts,
            deleted: self.index.shown().filter(|row| row.deleted).count(),
            items: self.index.shown().count(),
            entries: self.store.log.entries(),
            log_bytes: self.store.log.bytes(),
            members: self.members.members().count(),
            waiting: self.replication.core.orphan_count(),
            digest: towline_proto::ids::to_hex(&self.replication.core.digest()),
            last_event,
            peers: self.replication.net.as_ref().map(|_| self.peers()),
            board: None,
            unavailable: Vec::new(),
        })
    }

    /// Members, then open invitations.
    pub(crate) fn list_members(&self) -> Vec<MemberInfo> {
        let members = self.members.members().map(|member| MemberInfo {
            node: Some(member.node),
            name: member.name.clone(),
            role: member.role,
            at: member.at,
            ticket: None,
            me: member.node == self.me,
        });
        let now = self.now;
        let open = self
            .members
            .invitations()
            .filter(|(_, invitation)| !invitation.spent && invitation.expires > now);
        let invitations = open.map(|(ticket, invitation)| MemberInfo {
            node: None,
            name: format!("invited by {}", self.node_name(&invitation.inviter)),
            role: invitation.role,
            at: invitation.expires,
            ticket: Some(towline_proto::ids::to_hex(&ticket.0[..6])),
            me: false,
        });
        members.chain(invitations).collect()
    }
}

/// The ids of an item in other trackers.
fn known_as(view: &ItemView) -> Vec<String> {
    let is_id = |target: &&str| TRACKERS.iter().any(|tracker| target.starts_with(tracker));
    view.external().filter(is_id).map(str::to_owned).collect()
}

/// The items with a `related` link from an item.
fn related(view: &ItemView) -> impl Iterator<Item = ItemId> {
    view.links
        .iter()
        .filter(|link| link.kind == LinkKind::Related)
        .filter_map(|link| link.target.parse().ok())
}

fn refused_change(refused: &RefusedAct) -> RefusedChange {
    RefusedChange {
        act: refused.act,
        reason: refused.why.clone(),
    }
}
