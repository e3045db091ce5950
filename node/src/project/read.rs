//! Answers to requests that change nothing.

use towline_crdt::fold::{Fate, Folded, fold};
use towline_crdt::view::ItemView;
use towline_proto::{Column, ItemId, LinkKind, Op, Rule, text};

use super::Project;
use super::index::Index;
use crate::dto::{self, Comment, HistoryLine, ItemCard, ItemPage, MemberInfo, ProjectStatus};
use crate::request::{Failure, FailureCode, Filter};

/// Timeline lines that one request returns at most.
const MAX_LINES: usize = 10_000;
/// Characters of an act's text in a timeline.
const DETAIL_CHARS: usize = 400;

impl Project {
    /// Cards that pass a filter, in board order.
    pub(crate) fn list(&self, filter: &Filter) -> Result<Vec<ItemCard>, Failure> {
        let epic = match &filter.epic {
            Some(epic) => Some(self.index.find_one(epic)?.id),
            None => None,
        };
        let mut rows: Vec<_> = self
            .index
            .rows()
            .filter(|row| passes(filter, row) && epic.is_none_or(|epic| row.epic == Some(epic)))
            .collect();
        rows.sort_by_key(|row| Index::board_order(row));
        let limit = if filter.limit == 0 {
            usize::MAX
        } else {
            filter.limit
        };
        Ok(rows
            .into_iter()
            .take(limit)
            .map(|row| self.index.card(row))
            .collect())
    }

    /// Cards that contain every word, best first: in the title before elsewhere.
    pub(crate) fn search(&mut self, wanted: &str, limit: usize) -> Result<Vec<ItemCard>, Failure> {
        let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return Err(Failure::new(
                FailureCode::Usage,
                "search for what? Give at least one word",
            ));
        }
        let mut found = Vec::new();
        let ids: Vec<ItemId> = self
            .index
            .rows()
            .filter(|row| !row.deleted)
            .map(|row| row.id)
            .collect();
        for id in ids {
            let Some(row) = self.index.get(&id) else { continue };
            let title = row.title.to_lowercase();
            if words.iter().all(|word| title.contains(word)) {
                found.push((0, id));
                continue;
            }
            let mut haystack = title;
            for part in row.labels.iter().chain(row.links.iter().map(|link| &link.target)) {
                haystack.push('\n');
                haystack.push_str(&part.to_lowercase());
            }
            let missing = |haystack: &str| words.iter().any(|word| !haystack.contains(word));
            if missing(&haystack) && row.body_edit.is_some() {
                haystack.push('\n');
                haystack.push_str(&self.body(&id).unwrap_or_default().to_lowercase());
            }
            if !missing(&haystack) {
                found.push((1, id));
            }
        }
        found.sort_unstable();
        let rows = found.iter().take(limit).filter_map(|(_, id)| self.index.get(id));
        Ok(rows.map(|row| self.index.card(row)).collect())
    }

    /// What can be started now.
    pub(crate) fn ready(&self) -> Vec<ItemCard> {
        self.index
            .ready()
            .into_iter()
            .map(|row| self.index.card(row))
            .collect()
    }

    /// The items that a handle names, in full.
    pub(crate) fn show(&mut self, wanted: &str) -> Result<Vec<ItemPage>, Failure> {
        let ids = self.index.find(wanted)?;
        ids.iter().map(|id| self.page(id)).collect()
    }

    pub(super) fn page(&mut self, id: &ItemId) -> Result<ItemPage, Failure> {
        let doc = self.doc(id)?;
        let body = doc
            .body()
            .map_err(|error| Failure::new(FailureCode::Failure, error.to_string()))?;
        let folded = self.folded(&doc)?;
        let view = &folded.view;
        let mut remarks: Vec<_> = folded
            .acts
            .iter()
            .filter_map(|(act, folding)| match &folding.record.act.op {
                Op::Comment { text } => Some(Comment {
                    id: *act,
                    origin: folding.record.act.origin.clone(),
                    at: folding.record.act.at,
                    text: text.clone(),
                }),
                _ => None,
            })
            .collect();
        remarks.sort_by_key(|remark| (remark.at, remark.id));
        Ok(ItemPage {
            card: self.index.card(view),
            body,
            criteria_list: view.criteria.clone(),
            links: view.links.clone(),
            related: related(view).map(|id| self.index.link(&id)).collect(),
            remarks,
            dependants: self.index.dependants(id),
            children: self.index.children(id),
            history: self.history(&folded),
            open_conflicts: self.conflicts_of(&folded),
            refused: view.refused.clone(),
        })
    }

    /// Folds a document with this project's members.
    pub(crate) fn folded<'a>(&'a self, doc: &'a towline_crdt::doc::ItemDoc) -> Result<Folded<'a>, Failure> {
        fold(doc.id(), doc.acts(), &self.members).ok_or_else(|| {
            Failure::new(
                FailureCode::Failure,
                format!("item {} has no creation", doc.id().short()),
            )
        })
    }

    /// The timeline of one item or of all, the youngest `limit` lines, oldest first.
    pub(crate) fn log(&mut self, item: Option<&str>, limit: usize) -> Result<Vec<HistoryLine>, Failure> {
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

    /// Items in which the youngest `limit` acts can be: those that changed last.
    fn recently_touched(&self, limit: usize) -> Result<Vec<ItemId>, Failure> {
        let mut rows: Vec<_> = self.index.rows().map(|row| (row.updated_at, row.id)).collect();
        rows.sort_unstable();
        let from = rows.len().saturating_sub(limit);
        Ok(rows.into_iter().skip(from).map(|(_, id)| id).collect())
    }

    pub(super) fn history(&self, folded: &Folded<'_>) -> Vec<HistoryLine> {
        let view = &folded.view;
        let handle = self.index.handle(view);
        let mut lines: Vec<_> = folded
            .acts
            .iter()
            .map(|(act, folding)| {
                let moved = folding.to.as_ref().filter(|to| folding.from.as_ref() != Some(to));
                let line = HistoryLine {
                    act: *act,
                    item: view.id,
                    handle: handle.clone(),
                    title: view.title.clone(),
                    at: folding.record.act.at,
                    origin: folding.record.act.origin.clone(),
                    node: folding.node,
                    node_name: self.node_name(&folding.node),
                    what: folding.record.act.op.name().to_owned(),
                    from: moved.and(folding.from.as_ref()).map(|place| place.column),
                    to: moved.map(|place| place.column),
                    detail: self.detail(folded, &folding.record.act.op),
                    overtaken: match &folding.fate {
                        Fate::Effective | Fate::Superseded { .. } => None,
                        Fate::Overtaken { by, rule } => Some(self.overtaken(folded, by, *rule)),
                        Fate::Refused(why) => Some(format!("refused: {why}")),
                    },
                    fate: match &folding.fate {
                        Fate::Effective => dto::Fate::Effective,
                        Fate::Superseded { by } => dto::Fate::Superseded { by: *by },
                        Fate::Overtaken { by, rule } => dto::Fate::Overtaken { by: *by, rule: *rule },
                        Fate::Refused(_) => dto::Fate::Refused,
                    },
                };
                (folding.order, line)
            })
            .collect();
        lines.sort_by_key(|(order, line)| (line.at, *order));
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn overtaken(&self, folded: &Folded<'_>, by: &towline_proto::ActId, rule: Rule) -> String {
        match folded.acts.get(by) {
            Some(winner) => {
                let act = &winner.record.act;
                format!(
                    "overtaken by {} of {}: {}",
                    act.op.name(),
                    act.origin,
                    rule.sentence()
                )
            }
            None => rule.sentence().to_owned(),
        }
    }

    pub(crate) fn node_name(&self, node: &towline_proto::NodeId) -> String {
        self.members
            .member(node)
            .map_or_else(|| node.short(), |member| member.name.clone())
    }

    pub(super) fn detail(&self, folded: &Folded<'_>, op: &Op) -> Option<String> {
        let show = |said: &str| Some(text::show(said, DETAIL_CHARS));
        match op {
            Op::Create { title, .. } | Op::SetTitle { title } => show(title),
            Op::Start { force: Some(reason) }
            | Op::RequestChanges { reason }
            | Op::Block { reason }
            | Op::Reject { reason }
            | Op::Abandon { reason: Some(reason) }
            | Op::Delete { reason: Some(reason) }
            | Op::Move {
                reason: Some(reason), ..
            } => show(reason),
            Op::Merged { commit: Some(commit) } => show(commit),
            Op::MergeFailed { kind, detail } => Some(format!("{kind}: {}", text::show(detail, DETAIL_CHARS))),
            Op::Supersede { by } => Some(format!("by {}", self.index.link(by).handle)),
            Op::Claim { holder, generation }
            | Op::TakeOver {
                holder, generation, ..
            } => Some(format!(
                "{}, generation {generation}",
                text::show(holder, DETAIL_CHARS)
            )),
            Op::SetKind { kind } => Some(kind.to_string()),
            Op::SetPriority { priority } => Some(format!("P{priority}")),
            Op::SetQa { qa } => Some(qa.to_string()),
            Op::SetEpic { epic } => Some(epic.map_or("none".into(), |epic| self.index.link(&epic).handle)),
            Op::Assign { who } => Some(
                who.as_deref()
                    .map_or("nobody".into(), |who| text::show(who, DETAIL_CHARS)),
            ),
            Op::AddLabel { label } | Op::RemoveLabel { label } => show(label),
            Op::AddDependency { on } | Op::RemoveDependency { on } => Some(self.index.link(on).handle),
            Op::AddLink {
                kind: LinkKind::Related,
                target,
            }
            | Op::RemoveLink {
                kind: LinkKind::Related,
                target,
            } if target.parse::<ItemId>().is_ok() => Some(format!(
                "related to {}",
                self.index.link(&target.parse().ok()?).handle
            )),
            Op::AddLink { kind, target } | Op::RemoveLink { kind, target } => {
                Some(format!("{kind} {}", text::show(target, DETAIL_CHARS)))
            }
            Op::Settle { over, keep } => Some(match folded.acts.get(keep) {
                Some(kept) => format!(
                    "{over}: {} of {} counts",
                    kept.record.act.op.name(),
                    kept.record.act.origin
                ),
                None => over.to_string(),
            }),
            Op::Comment { text: said } | Op::AddCriterion { text: said } => show(said),
            Op::SetCriterion { state, evidence, .. } => Some(
                evidence
                    .as_ref()
                    .map_or_else(|| state.to_string(), |proof| format!("{state}: {proof}")),
            ),
            _ => None,
        }
    }

    /// Counts and position.
    pub(crate) fn status(&mut self) -> Result<ProjectStatus, Failure> {
        let alive = || self.index.rows().filter(|row| !row.deleted);
        let columns = Column::ALL
            .iter()
            .map(|column| (*column, alive().filter(|row| row.column == *column).count()));
        let columns = columns.collect();
        let open = |row: &&ItemView| row.column.is_open();
        let (held, conflicts) = (
            alive().filter(open).filter(|row| !row.holds.is_empty()).count(),
            alive().filter(|row| !row.conflicts.is_empty()).count(),
        );
        let last = self.feed_head.checked_sub(1);
        let last_event = match last {
            Some(before) => self.events(before, 1)?.pop(),
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
            deleted: self.index.rows().filter(|row| row.deleted).count(),
            items: self.index.len(),
            entries: self.log.entries(),
            log_bytes: self.log.bytes(),
            members: self.members.members().count(),
            waiting: self.replica.waiting(),
            digest: towline_proto::ids::to_hex(&self.replica.digest()),
            last_event,
            peers: self.net.as_ref().map(|_| self.peers()),
            board: None,
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
        let now = self.now();
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

/// The items that an item is related to.
fn related(view: &ItemView) -> impl Iterator<Item = ItemId> {
    view.links
        .iter()
        .filter(|link| link.kind == LinkKind::Related)
        .filter_map(|link| link.target.parse().ok())
}

fn passes(filter: &Filter, row: &ItemView) -> bool {
    let status = row.status();
    let shown = match (filter.deleted, row.deleted) {
        (wanted, deleted) if wanted != deleted => return false,
        (true, _) => true,
        (false, _) if filter.all || !filter.columns.is_empty() => true,
        (false, _) => row.column.is_open() || row.column == Column::Done,
    };
    let person = |who: &str| {
        row.assignee.as_deref() == Some(who) || row.claim.as_ref().is_some_and(|claim| claim.holder == who)
    };
    let contains = |text: &String| {
        let title = row.title.to_lowercase();
        text.to_lowercase()
            .split_whitespace()
            .all(|word| title.contains(word))
    };
    shown
        && (filter.columns.is_empty() || filter.columns.contains(&row.column))
        && (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
        && (filter.statuses.is_empty() || filter.statuses.contains(&status))
        && filter.labels.iter().all(|label| row.labels.contains(label))
        && filter.assignee.as_deref().is_none_or(person)
        && filter.text.as_ref().is_none_or(contains)
}
