//! History: every act of an item as a line, with its values, its outcome and why.
//!
//! Reads the result of the fold and decides nothing. A line is the same on every node with the same acts. Lines carry
//! types; the words are made where people read them.

use towline_api::types::{
    ActSummary, ConflictTopic, CriterionName, HistoryLine, HistoryOutcome, KeptSide, LineValue, Resolution,
};
use towline_crdt::fold::{ActOutcome, FoldedAct, FoldedItem};
use towline_proto::{ActId, ItemId, ItemName, LinkKind, Op, Register, Rule};

use crate::query::QueryContext;

/// Characters of an act's text in a history line; a longer text keeps one more, so that it is seen to be cut.
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
        let view = &folded.view;
        let summary = self.summary(folded, folding);
        HistoryLine {
            act: *act,
            item: view.id,
            handle: self.index.handle(view),
            title: view.title.clone(),
            at: folding.record.act.at,
            origin: summary.origin,
            node: folding.node,
            node_name: self.node_name(&folding.node),
            what: summary.what,
            from: summary.to.and(folding.from.as_ref()).map(|place| place.column),
            to: summary.to,
            value: summary.value,
            skewed: false,
            fate: match &folding.outcome {
                ActOutcome::Effective => HistoryOutcome::Effective,
                ActOutcome::Superseded { by } => HistoryOutcome::Superseded { by: *by },
                ActOutcome::Overridden { by, rule } => self.overridden(folded, act, by, *rule),
                ActOutcome::Refused(why) => HistoryOutcome::Refused { why: why.clone() },
            },
        }
    }

    /// Who did what by an act, without its outcome, which refers to other acts.
    pub(super) fn summary(&self, folded: &FoldedItem<'_>, folding: &FoldedAct<'_>) -> ActSummary {
        let moved = folding.to.as_ref().filter(|to| folding.from.as_ref() != Some(to));
        ActSummary {
            origin: folding.record.act.origin.clone(),
            what: folding.record.act.op.kind(),
            to: moved.map(|place| place.column),
            value: self.value(folded, &folding.record.act.op),
        }
    }

    /// Which act overrode an act, by which rule, and how the conflict was resolved.
    fn overridden(&self, folded: &FoldedItem<'_>, act: &ActId, by: &ActId, rule: Rule) -> HistoryOutcome {
        let winner = folded.acts.get(by).map(|winner| self.summary(folded, winner));
        HistoryOutcome::Overridden {
            by: *by,
            rule,
            winner: winner.map(Box::new),
            resolution: resolution(folded, act),
        }
    }

    /// The values of an operation, with the names of the items in it.
    pub(super) fn value(&self, folded: &FoldedItem<'_>, op: &Op) -> Option<LineValue> {
        let item = |id: &ItemId| self.index.link(id).name();
        let reason = |reason: &str| LineValue::Reason { reason: cut(reason) };
        Some(match op {
            Op::Create { title, .. } | Op::SetTitle { title } => LineValue::Title { title: cut(title) },
            Op::Start { force: Some(text) }
            | Op::RequestChanges { reason: text }
            | Op::Block { reason: text }
            | Op::Reject { reason: text }
            | Op::Abandon { reason: Some(text) }
            | Op::Delete { reason: Some(text) }
            | Op::Move {
                reason: Some(text), ..
            } => reason(text),
            Op::Merged { commit: Some(commit) } => LineValue::Commit { commit: cut(commit) },
            Op::MergeFailed { kind, detail } => LineValue::Failure {
                kind: *kind,
                detail: cut(detail),
            },
            Op::Supersede { by } => LineValue::Item { item: item(by) },
            Op::Claim { holder, generation } => LineValue::Claim {
                holder: cut(holder),
                generation: *generation,
                force: None,
            },
            Op::TakeOver {
                holder,
                generation,
                force,
                ..
            } => LineValue::Claim {
                holder: cut(holder),
                generation: *generation,
                force: force.as_deref().map(cut),
            },
            Op::SetKind { kind } => LineValue::Kind { kind: *kind },
            Op::SetPriority { priority } => LineValue::Priority { priority: *priority },
            Op::SetQa { qa } => LineValue::Qa { qa: *qa },
            Op::SetEpic { epic } => LineValue::Epic {
                epic: epic.as_ref().map(item),
            },
            Op::Assign { who } => LineValue::Assignee {
                who: who.as_deref().map(cut),
            },
            Op::AddLabel { label } | Op::RemoveLabel { label } => LineValue::Label { label: cut(label) },
            Op::AddDependency { on } | Op::RemoveDependency { on } => LineValue::Item { item: item(on) },
            Op::AddLink { kind, target } | Op::RemoveLink { kind, target } => LineValue::Link {
                kind: *kind,
                target: cut(target),
                item: self.related(*kind, target),
            },
            Op::Resolve { over, keep } => LineValue::Resolution {
                over: self.topic(folded, over),
                kept: self
                    .root(folded, keep)
                    .map(|(_, root)| Box::new(self.summary(folded, root))),
            },
            Op::Comment { text } | Op::AddCriterion { text } => LineValue::Text { text: cut(text) },
            Op::SetCriterion { state, evidence, .. } => LineValue::Judgement {
                state: *state,
                evidence: evidence.clone(),
            },
            Op::Set { key, value } => LineValue::Setting {
                key: cut(key),
                value: value.as_deref().map(cut),
            },
            _ => return None,
        })
    }

    /// The item that a link to a related item points to.
    fn related(&self, kind: LinkKind, target: &str) -> Option<ItemName> {
        let id: ItemId = target.parse().ok().filter(|_| kind == LinkKind::Related)?;
        Some(self.index.link(&id).name())
    }

    /// What a conflict about a register is about; a criterion by its place and text.
    pub(super) fn topic(&self, folded: &FoldedItem<'_>, register: &Register) -> ConflictTopic {
        let mut criteria = folded.view.criteria.iter().enumerate();
        let criterion = match register {
            Register::Criterion(id) => criteria.find(|(_, criterion)| criterion.id == *id),
            _ => None,
        };
        ConflictTopic::Register {
            register: register.clone(),
            criterion: criterion.map(|(place, criterion)| CriterionName {
                place: place + 1,
                text: cut(&criterion.text),
            }),
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

/// How the conflict was resolved in which an act was overridden; `None` while it is open.
fn resolution(folded: &FoldedItem<'_>, act: &ActId) -> Option<Resolution> {
    let conflicts = &folded.view.conflicts;
    if conflicts.iter().any(|conflict| conflict.losers.contains(act)) {
        return None;
    }
    let saw = |folding: &&FoldedAct<'_>| folding.saw.contains(act);
    let mut later: Vec<_> = folded.acts.values().filter(saw).collect();
    later.sort_by_key(|folding| folding.order);
    let chose = |folding: &&&FoldedAct<'_>| folding.keeps == Some(*act);
    let stands = |folding: &&&FoldedAct<'_>| !matches!(folding.outcome, ActOutcome::Overridden { .. });
    let resolved = |folding: &FoldedAct<'_>, kept| Resolution {
        by: folding.record.act.origin.clone(),
        kept,
    };
    if let Some(chosen) = later.iter().filter(chose).find(stands) {
        return Some(resolved(chosen, KeptSide::This));
    }
    if let Some(chosen) = later.iter().find(chose) {
        return Some(resolved(chosen, KeptSide::ThisInVain));
    }
    later.first().map(|first| resolved(first, KeptSide::Another))
}

/// The beginning of a text: enough to show [`DETAIL_CHARS`], and to see that there was more.
fn cut(said: &str) -> String {
    said.chars().take(DETAIL_CHARS + 1).collect()
}
