//! The words for notices, refusals and notes about other items.
//!
//! Faces and the texts of JSON use them. They are made from types and decide nothing, so they can be reworded at any
//! time. Text of users is made safe for one line.

use towline_crdt::reasons::{
    NOTICE_COMMIT_CHARS, NOTICE_HOLDER_CHARS, NOTICE_REASON_CHARS, Notice, NoticedAct, RefusalReason,
};
use towline_proto::{OpKind, Verb, text};

use crate::labels::unkeepable_text;
use crate::types::LinkNote;

/// A fact that contradicts the state of an item, as half a sentence.
pub fn notice_text(notice: &Notice) -> String {
    match notice {
        Notice::DoneDespite { act } => format!("done, but {} at the same time", past_tense(act)),
        Notice::MergedDespite { act } => format!("merged, but {} at the same time", past_tense(act)),
        Notice::MergedRepeatedly { commits } => {
            let named: Vec<_> = commits
                .iter()
                .map(|commit| text::show(commit, NOTICE_COMMIT_CHARS))
                .collect();
            format!(
                "merged more than once at the same time, as {}",
                named.join(" and ")
            )
        }
        Notice::DeletedDespite { acts, edits, total } => {
            let mut parts: Vec<String> = acts.iter().map(past_tense).collect();
            match edits {
                0 => {}
                1 => parts.push("edited".to_owned()),
                many => parts.push(format!("edited {many} times")),
            }
            let back = if *total == 1 { "both" } else { "all" };
            let list = match parts.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
                Some((only, _)) => only.clone(),
                None => String::new(),
            };
            format!("deleted, but {list} at the same time; `restore` brings {back} back")
        }
    }
}

/// An act in the past tense.
fn past_tense(act: &NoticedAct) -> String {
    let word = match act {
        NoticedAct::MergeFailed { kind } => return format!("a failed merge ({kind}) was reported"),
        NoticedAct::Blocked { reason } => {
            return format!("blocked ({})", text::show(reason, NOTICE_REASON_CHARS));
        }
        NoticedAct::Claimed { holder } => {
            return format!("claimed by {}", text::show(holder, NOTICE_HOLDER_CHARS));
        }
        NoticedAct::Merged { commit: Some(commit) } => {
            return format!("merged ({})", text::show(commit, NOTICE_COMMIT_CHARS));
        }
        NoticedAct::Moved { to } => return format!("moved to {to}"),
        NoticedAct::Frozen => "frozen",
        NoticedAct::Merged { commit: None } => "marked done",
        NoticedAct::Other { op } => match op {
            OpKind::Transition(verb) => past_tense_of(*verb),
            OpKind::Edit(edit) => edit.as_str(),
        },
    };
    word.to_owned()
}

const fn past_tense_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Abandon => "abandoned",
        Verb::Reject => "rejected",
        Verb::Supersede => "superseded",
        Verb::RequestChanges => "sent back",
        Verb::Triage => "triaged",
        Verb::Start => "started",
        Verb::Submit => "submitted",
        Verb::PassQa => "passed by QA",
        Verb::Approve => "approved",
        Verb::Reopen => "reopened",
        Verb::Archive => "archived",
        verb => verb.as_str(),
    }
}

/// Why an act is refused.
pub fn refusal_text(reason: &RefusalReason) -> String {
    match reason {
        RefusalReason::MissingAct => "it names an act that is not there".to_owned(),
        RefusalReason::NoColumn => "it does not name what put the item where it stood".to_owned(),
        RefusalReason::UnknownOperation => "a newer version of towline wrote it".to_owned(),
        RefusalReason::NotMaintainer => {
            "only a maintainer or an owner changes the project's settings".to_owned()
        }
        RefusalReason::Illegal { why } => why.to_string(),
        RefusalReason::NotNextGeneration { generation, seen } => {
            format!("generation {generation} is not the next one after {seen}")
        }
        RefusalReason::NotPresentGeneration { generation, present } => {
            format!("generation {generation} is not the present one, which is {present}")
        }
        RefusalReason::OldRenewal => "it cites a renewal from before the claim that it takes over".to_owned(),
        RefusalReason::NoConflict { register } => {
            format!("there was no conflict about the {register}")
        }
        RefusalReason::NoSide => "what it keeps was no side of the conflict".to_owned(),
        RefusalReason::NotKeepable { rule } => unkeepable_text(*rule).to_owned(),
    }
}

/// What to know about another item.
pub fn link_note_text(note: &LinkNote) -> String {
    match note {
        LinkNote::Unknown => "not known here yet".to_owned(),
        LinkNote::Deleted => "deleted".to_owned(),
        LinkNote::Purged => "purged".to_owned(),
        LinkNote::Superseded { by } => format!("superseded by {}", by.handle),
        LinkNote::NotDone { status } => format!("{status} without being done"),
        LinkNote::EndlessSuccessors => "its successors form a cycle".to_owned(),
        LinkNote::Suspended { with, .. } if with.is_empty() => "suspended: it closes a cycle".to_owned(),
        LinkNote::Suspended { with, more } => {
            let named: Vec<_> = with.iter().map(|item| item.handle.as_str()).collect();
            let more = if *more { " …" } else { "" };
            format!("suspended: it closes a cycle with {}{more}", named.join(", "))
        }
    }
}
