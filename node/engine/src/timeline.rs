//! History: every act of an item as a line for people, with its outcome and why.
//!
//! Reads the result of the fold and decides nothing. A line is the same on every node with the same acts.

use towline_api::activity_text::{CHOSEN, IN_FAVOUR, activity};
use towline_api::types::{self, HistoryLine};
use towline_crdt::fold::{ActOutcome, FoldedAct, FoldedItem};
use towline_proto::{ActId, ItemId, LinkKind, Op, Rule, text};

use crate::query::QueryContext;

/// Characters of an act's text in a history line.
const DETAIL_CHARS: usize = 400;

impl QueryContext<'_> {
    /// The lines of one item, oldest first.
    pub(super) fn history(&self, folded: &FoldedItem<'_>) -> Vec<HistoryLine> {
        let mut lines: Vec<_> = folded
            .acts
            .iter()
            // Acts that several nodes wrote for one request are shown once.
            .filter(|(_, folding)| folding.duplicate_of.is_none())
            .map(|(act, folding)| (folding.order, self.line(folded, act, folding)))
            .collect();
        lines.sort_by_key(|(order, line)| (line.at, *order));
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// One act of an item as a line.
    pub(super) fn line(&self, folded: &FoldedItem<'_>, act: &ActId, folding: &FoldedAct<'_>) -> HistoryLine {
        HistoryLine {
            overtaken: match &folding.outcome {
                ActOutcome::Effective | ActOutcome::Superseded { .. } => None,
                ActOutcome::Overridden { by, rule } => Some(self.overtaken(folded, act, by, *rule)),
                ActOutcome::Refused(why) => Some(format!("refused: {why}")),
            },
            ..self.bare_line(folded, act, folding)
        }
    }

    /// One act, without the reason why it has no effect, which refers to other acts.
    fn bare_line(&self, folded: &FoldedItem<'_>, act: &ActId, folding: &FoldedAct<'_>) -> HistoryLine {
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
            overtaken: None,
            skewed: false,
            fate: match &folding.outcome {
                ActOutcome::Effective => types::HistoryOutcome::Effective,
                ActOutcome::Superseded { by } => types::HistoryOutcome::Superseded { by: *by },
                ActOutcome::Overridden { by, rule } => {
                    types::HistoryOutcome::Overtaken { by: *by, rule: *rule }
                }
                ActOutcome::Refused(_) => types::HistoryOutcome::Refused,
            },
        }
    }

    /// Which act overrode an act, by which rule, and how the conflict was resolved.
    fn overtaken(&self, folded: &FoldedItem<'_>, act: &ActId, by: &ActId, rule: Rule) -> String {
        let lost = match folded.acts.get(by) {
            Some(winner) => {
                let line = self.bare_line(folded, by, winner);
                format!("{}, who {}: {}", line.origin, activity(&line), rule.sentence())
            }
            None => rule.sentence().to_owned(),
        };
        let conflicts = &folded.view.conflicts;
        if conflicts.iter().any(|conflict| conflict.losers.contains(act)) {
            return format!("overridden by {lost}");
        }
        let saw = |folding: &&FoldedAct<'_>| folding.saw.contains(act);
        let mut settlers: Vec<_> = folded.acts.values().filter(saw).collect();
        settlers.sort_by_key(|folding| folding.order);
        let chose = |folding: &&&FoldedAct<'_>| folding.keeps == Some(*act);
        let stands = |folding: &&&FoldedAct<'_>| !matches!(folding.outcome, ActOutcome::Overridden { .. });
        let who = |folding: &FoldedAct<'_>| folding.record.act.origin.to_string();
        if let Some(chosen) = settlers.iter().filter(chose).find(stands) {
            return format!("first overridden by {lost}; {} {CHOSEN}", who(chosen));
        }
        match settlers.iter().find(chose).or(settlers.first()) {
            Some(one) if one.keeps == Some(*act) => {
                format!(
                    "overridden by {lost}; {} chose this side, and that choice was overridden too",
                    who(one)
                )
            }
            Some(one) => format!("overridden by {lost}; resolved by {}", who(one)),
            None => format!("overridden by {lost}"),
        }
    }

    pub(super) fn detail(&self, folded: &FoldedItem<'_>, op: &Op) -> Option<String> {
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
            Op::TakeOver {
                holder,
                generation,
                force: Some(reason),
                ..
            } => Some(format!(
                "{}, generation {generation}, by force: {}",
                text::show(holder, DETAIL_CHARS),
                text::show(reason, DETAIL_CHARS)
            )),
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
            Op::Resolve { over, keep } => {
                let about = self.about(folded, over);
                Some(match self.root(folded, keep) {
                    Some((root, folding)) => {
                        let line = self.bare_line(folded, &root, folding);
                        let kept = text::show(&activity(&line), DETAIL_CHARS);
                        format!("{about}{IN_FAVOUR}{}, who {kept}", line.origin)
                    }
                    None => about,
                })
            }
            Op::Comment { text: said } | Op::AddCriterion { text: said } => show(said),
            Op::SetCriterion { state, evidence, .. } => Some(
                evidence
                    .as_ref()
                    .map_or_else(|| state.to_string(), |proof| format!("{state}: {proof}")),
            ),
            Op::Set { key, value } => Some(format!(
                "{} to {}",
                text::show(key, DETAIL_CHARS),
                value
                    .as_deref()
                    .map_or("its default".to_owned(), |value| text::show(value, DETAIL_CHARS))
            )),
            _ => None,
        }
    }

    /// The act whose effect an act has: itself, or for a resolution the act that it keeps.
    pub(super) fn root<'f, 'a>(
        &self,
        folded: &'f FoldedItem<'a>,
        act: &ActId,
    ) -> Option<(ActId, &'f FoldedAct<'a>)> {
        let folding = folded.acts.get(act)?;
        let kept = folding
            .keeps
            .and_then(|root| Some((root, folded.acts.get(&root)?)));
        // A refused act may refer to anything, itself included, which would recurse without end.
        Some(kept.unwrap_or((*act, folding)))
            .filter(|(_, root)| !matches!(root.record.act.op, Op::Resolve { .. }))
    }
}
