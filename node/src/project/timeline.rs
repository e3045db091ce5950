//! Timelines: every act of an item as a line for people, with what became of it.
//!
//! Reads the fold's outcome and decides nothing.

use towline_crdt::fold::{Fate, Folded, Folding};
use towline_proto::{ActId, ItemId, LinkKind, Op, Rule, text};

use super::Project;
use crate::dto::{self, HistoryLine};

/// Characters of an act's text in a timeline.
const DETAIL_CHARS: usize = 400;

impl Project {
    /// The lines of one item, oldest first.
    pub(super) fn history(&self, folded: &Folded<'_>) -> Vec<HistoryLine> {
        let mut lines: Vec<_> = folded
            .acts
            .iter()
            .map(|(act, folding)| (folding.order, self.line(folded, act, folding)))
            .collect();
        lines.sort_by_key(|(order, line)| (line.at, *order));
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// One act of an item as a line.
    pub(super) fn line(&self, folded: &Folded<'_>, act: &ActId, folding: &Folding<'_>) -> HistoryLine {
        let view = &folded.view;
        let moved = folding.to.as_ref().filter(|to| folding.from.as_ref() != Some(to));
        HistoryLine {
            act: *act,
            item: view.id,
            handle: self.index.handle(view),
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
            skewed: false,
            fate: match &folding.fate {
                Fate::Effective => dto::Fate::Effective,
                Fate::Superseded { by } => dto::Fate::Superseded { by: *by },
                Fate::Overtaken { by, rule } => dto::Fate::Overtaken { by: *by, rule: *rule },
                Fate::Refused(_) => dto::Fate::Refused,
            },
        }
    }

    fn overtaken(&self, folded: &Folded<'_>, by: &ActId, rule: Rule) -> String {
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
}
