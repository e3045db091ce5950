//! Activity text: what somebody did, as the predicate of a sentence: "ann **blocked it (waits for the
//! keys)**", its values alone, and why an act has no effect.
//!
//! Used wherever history lines are shown: pages, the terminal, explanations, chat, and the texts of JSON. The text is
//! made from the types of a line and decides nothing, so it can be reworded at any time. Text of users is shortened
//! and made safe for one line.

use towline_proto::{Column, EditKind, LinkKind, OpKind, Verb, text};

use crate::conflict_text::{about, means};
use crate::labels::rule_text;
use crate::notice_text::refusal_text;
use crate::types::{
    ActSummary, HistoryLine, HistoryOutcome, KeptSide, LineValue, OpenConflict, Resolution, Side,
};

/// What other trackers call a story, accepted as input.
pub const STORIES: [&str; 2] = ["feature", "task"];

/// Characters of a text of a user in a line.
const DETAIL_CHARS: usize = 400;

/// The activity of a line: what its author did.
pub fn activity(line: &HistoryLine) -> String {
    activity_of(line.what, line.to, line.value.as_ref())
}

/// The author and the activity of a line.
pub fn who_did(line: &HistoryLine) -> String {
    format!("{} {}", line.origin, activity(line))
}

/// The author and the activity of a line that resolves a conflict, in two parts: which conflict, and in favour of
/// what. The second part is empty for every other line.
pub(crate) fn who_did_in_favour(line: &HistoryLine) -> (String, String) {
    match &line.value {
        Some(LineValue::Resolution { over, kept }) => (
            format!("{} {}", line.origin, resolved(&about(over))),
            kept.as_deref().map(in_favour).unwrap_or_default(),
        ),
        _ => (who_did(line), String::new()),
    }
}

/// The activity of one side of a conflict. In a dependency cycle it may concern another item than the one
/// with the conflict, which is then named.
pub fn side_activity(conflict: &OpenConflict, side: &Side) -> String {
    if side.line.item == conflict.item.id {
        activity(&side.line)
    } else {
        format!("made it so that {}", means(side))
    }
}

/// Why an act has no effect, when it has none, as half a sentence; and for one that was overridden, how that conflict
/// was resolved.
pub fn why_not_effective(line: &HistoryLine) -> Option<String> {
    match &line.fate {
        HistoryOutcome::Effective | HistoryOutcome::Superseded { .. } => None,
        HistoryOutcome::Refused { why } => Some(format!("refused: {}", refusal_text(why))),
        HistoryOutcome::Overridden {
            rule,
            winner,
            resolution,
            ..
        } => {
            let lost = match winner {
                Some(winner) => format!("{}: {}", who_by(winner), rule_text(*rule)),
                None => rule_text(*rule).to_owned(),
            };
            Some(match resolution {
                None => format!("overridden by {lost}"),
                Some(Resolution { by, kept }) => match kept {
                    KeptSide::This => format!("first overridden by {lost}; {by} later chose this side"),
                    KeptSide::ThisInVain => format!(
                        "overridden by {lost}; {by} chose this side, and that choice was overridden too"
                    ),
                    KeptSide::Another => format!("overridden by {lost}; resolved by {by}"),
                },
            })
        }
    }
}

/// An author with what that person did, behind "by" or "of".
pub fn who_by(act: &ActSummary) -> String {
    format!(
        "{}, who {}",
        act.origin,
        activity_of(act.what, act.to, act.value.as_ref())
    )
}

fn activity_of(what: OpKind, to: Option<Column>, value: Option<&LineValue>) -> String {
    match what {
        OpKind::Transition(verb) => transition(verb, to, value),
        OpKind::Edit(edit) => edit_text(edit, value),
    }
}

fn transition(verb: Verb, to: Option<Column>, value: Option<&LineValue>) -> String {
    let text = match verb {
        Verb::Triage => "moved it to the backlog",
        Verb::Start => "started it",
        Verb::Submit => "submitted it",
        Verb::RequestChanges => "sent it back",
        Verb::PassQa => "passed its QA",
        Verb::Approve => "approved it",
        Verb::Merged if value.is_some() => "merged it",
        Verb::Merged => "marked it done",
        Verb::MergeFailed => "reported a failed merge",
        Verb::RetryMerge => "retried the merge",
        Verb::GiveUpMerge => "gave up merging it",
        Verb::Block => "blocked it",
        Verb::Unblock => "unblocked it",
        Verb::Freeze => "froze it",
        Verb::Unfreeze => "unfroze it",
        Verb::Abandon => "abandoned it",
        Verb::Supersede => {
            return format!("replaced it {}", value.map(supersede_detail).unwrap_or_default());
        }
        Verb::Reject => "rejected it",
        Verb::Reopen => "reopened it",
        Verb::Archive => "archived it",
        Verb::Move => match to {
            Some(to) => return with_detail(&format!("moved it to {to}"), value),
            None => "moved it",
        },
        Verb::Claim => "claimed it",
        Verb::Release => "released the claim",
        Verb::TakeOver => "took over the claim",
        Verb::Delete => "moved it to the trash",
        Verb::Restore => "restored it from the trash",
        Verb::Purge => "deleted it permanently",
    };
    with_detail(text, value)
}

fn with_detail(text: &str, value: Option<&LineValue>) -> String {
    match value {
        Some(value) => format!("{text} ({})", detail(value)),
        None => text.to_owned(),
    }
}

fn edit_text(edit: EditKind, value: Option<&LineValue>) -> String {
    let shown = value.map(detail).unwrap_or_default();
    match (edit, value) {
        (EditKind::Create, _) => "created it".to_owned(),
        (EditKind::Resolve, Some(LineValue::Resolution { over, kept })) => {
            let kept = kept.as_deref().map(in_favour).unwrap_or_default();
            format!("{}{kept}", resolved(&about(over)))
        }
        (EditKind::Resolve, _) => "resolved a conflict".to_owned(),
        (EditKind::Title, _) => format!("changed the title to “{shown}”"),
        (EditKind::Kind, _) => format!("changed the kind to {shown}"),
        (EditKind::Priority, _) => format!("set its priority to {shown}"),
        (EditKind::Qa, _) => format!("set its QA to {shown}"),
        (EditKind::Epic, Some(LineValue::Epic { epic: None })) => "removed it from its epic".to_owned(),
        (EditKind::Epic, _) => format!("added it to epic {shown}"),
        (EditKind::Assign, _) => format!("assigned it to {shown}"),
        (EditKind::Body, _) => "edited the description".to_owned(),
        (EditKind::AddLabel, _) => format!("added the label {shown}"),
        (EditKind::RemoveLabel, _) => format!("removed the label {shown}"),
        (EditKind::AddDependency, _) => format!("made it wait for {shown}"),
        (EditKind::RemoveDependency, _) => format!("removed its dependency on {shown}"),
        (EditKind::AddLink, _) => format!("linked it to {shown}"),
        (EditKind::RemoveLink, _) => format!("removed its link to {shown}"),
        (EditKind::Comment, _) => "commented".to_owned(),
        (EditKind::AddCriterion, _) => format!("added the criterion “{shown}”"),
        (EditKind::SetCriterion, _) => format!("updated a criterion: {shown}"),
        (EditKind::MarkImport, _) => "imported it".to_owned(),
        (EditKind::Set, _) => format!("set {shown}"),
        (EditKind::Unknown, _) => "did something that this version of towline does not know".to_owned(),
    }
}

fn resolved(about: &str) -> String {
    format!("resolved the conflict about the {about}")
}

fn in_favour(kept: &ActSummary) -> String {
    let did = activity_of(kept.what, kept.to, kept.value.as_ref());
    format!(" in favour of {}, who {}", kept.origin, show(&did))
}

fn supersede_detail(value: &LineValue) -> String {
    match value {
        LineValue::Item { item } => format!("by {}", item.handle),
        value => detail(value),
    }
}

/// The values of a line as one text. For an act that replaced the item, use [`line_detail`].
pub fn detail(value: &LineValue) -> String {
    match value {
        LineValue::Title { title: said }
        | LineValue::Reason { reason: said }
        | LineValue::Commit { commit: said }
        | LineValue::Label { label: said }
        | LineValue::Text { text: said } => show(said),
        LineValue::Failure { kind, detail } => format!("{kind}: {}", show(detail)),
        LineValue::Item { item } => item.handle.clone(),
        LineValue::Claim {
            holder,
            generation,
            force,
        } => {
            let force = force
                .as_ref()
                .map(|reason| format!(", by force: {}", show(reason)));
            format!(
                "{}, generation {generation}{}",
                show(holder),
                force.unwrap_or_default()
            )
        }
        LineValue::Kind { kind } => kind.to_string(),
        LineValue::Priority { priority } => format!("P{priority}"),
        LineValue::Qa { qa } => qa.to_string(),
        LineValue::Epic { epic } => epic
            .as_ref()
            .map_or_else(|| "none".to_owned(), |epic| epic.handle.clone()),
        LineValue::Assignee { who } => who.as_deref().map_or_else(|| "nobody".to_owned(), show),
        LineValue::Link {
            kind: LinkKind::Related,
            item: Some(item),
            ..
        } => format!("related to {}", item.handle),
        LineValue::Link { kind, target, .. } => format!("{kind} {}", show(target)),
        LineValue::Resolution { over, kept } => {
            let kept = kept.as_deref().map(in_favour).unwrap_or_default();
            format!("{}{kept}", about(over))
        }
        LineValue::Judgement { state, evidence } => match evidence {
            Some(proof) => format!("{state}: {proof}"),
            None => state.to_string(),
        },
        LineValue::Setting { key, value } => {
            let value = value.as_deref().map_or_else(|| "its default".to_owned(), show);
            format!("{} to {value}", show(key))
        }
    }
}

/// The values of a line as one text, if it has any.
pub fn line_detail(line: &HistoryLine) -> Option<String> {
    let value = line.value.as_ref()?;
    Some(match line.what {
        OpKind::Transition(Verb::Supersede) => supersede_detail(value),
        OpKind::Transition(_) | OpKind::Edit(_) => detail(value),
    })
}

fn show(said: &str) -> String {
    text::show(said, DETAIL_CHARS)
}
