//! Activity text: what somebody did, as the predicate of a sentence: "ann **blocked it (waits for the
//! keys)**".
//!
//! Used wherever history lines are shown: pages, explanations, chat. The text depends on the operation name
//! of the line (from `towline-proto`) and on its other fields. User text is returned unescaped; the caller
//! makes it safe.

use towline_proto::Verb;

use crate::types::{HistoryLine, OpenConflict, Side};

/// What other trackers call a story, accepted as input.
pub const STORIES: [&str; 2] = ["feature", "task"];

/// How the reason of an overridden act ends when somebody who saw that chose the act.
pub const CHOSEN: &str = "later chose this side";

/// What stands between the conflict that somebody resolved and the author of the side that was kept.
pub const IN_FAVOUR: &str = " in favour of ";

/// The note of an item that is in the trash.
pub const IN_TRASH: &str = "deleted";

/// The subject of a conflict about whether an item is in the trash.
pub const ABOUT_TRASH: &str = "trash";

/// Whether an act was overridden and then kept by a resolution, so that it is in effect.
pub fn was_chosen(line: &HistoryLine) -> bool {
    line.overtaken.as_ref().is_some_and(|why| why.ends_with(CHOSEN))
}

/// The activity of a line: what its author did.
pub fn activity(line: &HistoryLine) -> String {
    match line.what.parse::<Verb>() {
        Ok(verb) => transition(verb, line),
        Err(_) => edit_text(line),
    }
}

/// The author and the activity of a line.
pub fn who_did(line: &HistoryLine) -> String {
    format!("{} {}", line.origin, activity(line))
}

/// The activity of one side of a conflict. In a dependency cycle it may concern another item than the one
/// with the conflict, which is then named.
pub fn side_activity(conflict: &OpenConflict, side: &Side) -> String {
    if side.line.item == conflict.item.id {
        activity(&side.line)
    } else {
        format!("made it so that {}", side.means)
    }
}

/// Whether a conflict can only be resolved after its item is restored from the trash. A conflict about the
/// trash itself can be resolved at any time.
pub fn must_restore_first(conflict: &OpenConflict) -> bool {
    conflict.item.note.as_deref() == Some(IN_TRASH) && conflict.about != ABOUT_TRASH
}

fn transition(verb: Verb, line: &HistoryLine) -> String {
    let text = match verb {
        Verb::Triage => "moved it to the backlog",
        Verb::Start => "started it",
        Verb::Submit => "submitted it",
        Verb::RequestChanges => "sent it back",
        Verb::PassQa => "passed its QA",
        Verb::Approve => "approved it",
        Verb::Merged if line.detail.is_some() => "merged it",
        Verb::Merged => "marked it done",
        Verb::MergeFailed => "reported a failed merge",
        Verb::RetryMerge => "retried the merge",
        Verb::GiveUpMerge => "gave up merging it",
        Verb::Block => "blocked it",
        Verb::Unblock => "unblocked it",
        Verb::Freeze => "froze it",
        Verb::Unfreeze => "unfroze it",
        Verb::Abandon => "abandoned it",
        Verb::Supersede => return format!("replaced it {}", line.detail.as_deref().unwrap_or_default()),
        Verb::Reject => "rejected it",
        Verb::Reopen => "reopened it",
        Verb::Archive => "archived it",
        Verb::Move => match line.to {
            Some(to) => return with_detail(&format!("moved it to {to}"), line),
            None => "moved it",
        },
        Verb::Claim => "claimed it",
        Verb::Release => "released the claim",
        Verb::TakeOver => "took over the claim",
        Verb::Delete => "moved it to the trash",
        Verb::Restore => "restored it from the trash",
        Verb::Purge => "deleted it permanently",
    };
    with_detail(text, line)
}

fn edit_text(line: &HistoryLine) -> String {
    let detail = line.detail.as_deref().unwrap_or_default();
    match line.what.as_str() {
        "create" => "created it".to_owned(),
        "settle" => format!("resolved the conflict about the {detail}"),
        "title" => format!("changed the title to “{detail}”"),
        "kind" => format!("changed the kind to {detail}"),
        "priority" => format!("set its priority to {detail}"),
        "qa" => format!("set its QA to {detail}"),
        "epic" if detail == "none" => "removed it from its epic".to_owned(),
        "epic" => format!("added it to epic {detail}"),
        "assign" => format!("assigned it to {detail}"),
        "edit" => "edited the description".to_owned(),
        "label" => format!("added the label {detail}"),
        "unlabel" => format!("removed the label {detail}"),
        "depends" => format!("made it wait for {detail}"),
        "undepends" => format!("removed its dependency on {detail}"),
        "link" => format!("linked it to {detail}"),
        "unlink" => format!("removed its link to {detail}"),
        "comment" => "commented".to_owned(),
        "criterion" => format!("added the criterion “{detail}”"),
        "judge" => format!("updated a criterion: {detail}"),
        "import" => "imported it".to_owned(),
        "set" => format!("set {detail}"),
        _ => "did something that this version of towline does not know".to_owned(),
    }
}

fn with_detail(text: &str, line: &HistoryLine) -> String {
    match &line.detail {
        Some(detail) => format!("{text} ({detail})"),
        None => text.to_owned(),
    }
}
