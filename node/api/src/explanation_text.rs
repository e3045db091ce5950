//! The sentences of an explanation, for people who have not read the rules.
//!
//! Faces and the texts of JSON use them. They are made from the reasons of an explanation and decide nothing. A face
//! that has commands passes a [`Hint`]; then a sentence ends with the command that changes what it says.

use towline_proto::{ActId, Closing, Column, Register, Rule, Verb, text};

use crate::activity_text::who_did_in_favour;
use crate::conflict_text::{Hint, Step, about};
use crate::labels::rule_text;
use crate::notice_text::{link_note_text, notice_text};
use crate::relative_time::ago_phrase;
use crate::types::{ColumnHold, ConflictTopic, Explanation, ItemLink, StateReason};

/// Characters of an activity in a sentence.
const ACTIVITY_CHARS: usize = 160;

/// A sentence for each reason.
pub fn sentences(explanation: &Explanation, hint: Hint<'_>) -> Vec<String> {
    let sentences = Sentences { explanation, hint };
    explanation
        .reasons
        .iter()
        .map(|reason| sentences.sentence(reason))
        .collect()
}

struct Sentences<'a> {
    explanation: &'a Explanation,
    hint: Hint<'a>,
}

impl Sentences<'_> {
    fn sentence(&self, reason: &StateReason) -> String {
        match reason {
            StateReason::Column { by, held, successor } => self.place(*by, *held, successor.as_deref()),
            StateReason::Overridden { act, rule } => {
                let did = self.activity(Some(*act));
                match rule {
                    Rule::Hold => {
                        format!("At the same time {did}. That takes effect when the hold is lifted.")
                    }
                    rule => format!(
                        "At the same time {did}. That is overridden: {}.",
                        rule_text(*rule)
                    ),
                }
            }
            StateReason::MoreOverridden { count } => {
                format!("{count} more concurrent changes are overridden.")
            }
            StateReason::Purged { by } => format!("It was deleted permanently: {}.", self.activity(*by)),
            StateReason::Deleted { by } => format!(
                "It is in the trash: {}.{}",
                self.activity(*by),
                self.hint("Restore it", Verb::Restore)
            ),
            StateReason::Frozen { by } => self.held("frozen", *by, Verb::Unfreeze),
            StateReason::Blocked { by } => self.held("blocked", *by, Verb::Unblock),
            StateReason::Review { by } => format!(
                "It waits for approval: {}.{}",
                self.activity(*by),
                self.hint("Approve it", Verb::Approve)
            ),
            StateReason::MergeFailed { by, is_final: true } => {
                format!("Its merge failed and was given up: {}.", self.activity(*by))
            }
            StateReason::MergeFailed { by, is_final: false } => format!(
                "Its merge failed: {}.{}",
                self.activity(*by),
                self.hint("Retry it", Verb::RetryMerge)
            ),
            StateReason::Claimed {
                holder,
                at,
                node_name,
                generation,
            } => format!(
                "{} works on it: claimed {} on {node_name} (generation {generation}).",
                text::show(holder, ACTIVITY_CHARS),
                ago_phrase(self.explanation.at, *at),
            ),
            StateReason::Notice { notice } => {
                format!("Attention: {}.", text::show(&notice_text(notice), ACTIVITY_CHARS))
            }
            StateReason::Waits { item } => waits(item),
            StateReason::Conflict {
                topic,
                winner,
                losers,
                ..
            } => {
                let losers: Vec<_> = losers.iter().map(|act| self.activity(Some(*act))).collect();
                format!(
                    "There is a conflict about {}. In effect: {}. Overridden: {}.",
                    question(topic),
                    self.activity(Some(*winner)),
                    losers.join("; ")
                )
            }
        }
    }

    /// Where it is and why.
    fn place(&self, by: Option<ActId>, held: Option<ColumnHold>, successor: Option<&ItemLink>) -> String {
        let card = &self.explanation.card;
        let column = match card.column {
            Column::Done | Column::Closed | Column::Archived => card.column.to_string(),
            open => format!("in {open}"),
        };
        let place = match (&card.closing, successor) {
            (Some(Closing::Superseded { .. }), Some(by)) => {
                let title = text::show(&by.title, ACTIVITY_CHARS);
                format!("{column}, replaced by {} {title}", by.handle)
                    .trim_end()
                    .to_owned()
            }
            (Some(closing), _) => format!("{column} ({})", closing.status()),
            (None, _) => column,
        };
        let (handle, did) = (&card.handle, self.activity(by));
        match held {
            None => format!("{handle} is {place}: {did}."),
            Some(hold) => {
                let lift = match hold {
                    ColumnHold::Frozen => Verb::Unfreeze,
                    ColumnHold::Blocked => Verb::Unblock,
                };
                let hint = self.hint("Lift that", lift);
                format!("{handle} stays {place} because {did}.{hint}")
            }
        }
    }

    fn held(&self, word: &str, by: Option<ActId>, lift: Verb) -> String {
        let did = self.activity(by);
        match self.explanation.card.column.is_open() {
            true => format!("It is {word}: {did}.{}", self.hint("Lift that", lift)),
            false => format!("It was {word}: {did}. That has no effect in this column."),
        }
    }

    /// A sentence that names the command of a transition, with a space in front, if the face has one.
    fn hint(&self, what: &str, verb: Verb) -> String {
        let step = Step::Transition(verb, &self.explanation.card.handle);
        let command = self.hint.and_then(|hint| hint(step));
        command.map_or_else(String::new, |command| format!(" {what} with `{command}`."))
    }

    /// Who did an act, what, and how long ago.
    fn activity(&self, act: Option<ActId>) -> String {
        let acts = &self.explanation.acts;
        let Some(line) = act.and_then(|act| acts.iter().find(|line| line.act == act)) else {
            return "by an act that is not known here".to_owned();
        };
        // The time is that of the resolution, not of the act that it keeps.
        let (did, in_favour) = who_did_in_favour(line);
        let did = text::show(&did, ACTIVITY_CHARS);
        let room = ACTIVITY_CHARS.saturating_sub(did.chars().count());
        let in_favour = text::show(&in_favour, room);
        format!("{did} {}{in_favour}", ago_phrase(self.explanation.at, line.at))
    }
}

/// What a conflict is about, as a question or a thing of the item.
fn question(topic: &ConflictTopic) -> String {
    let ConflictTopic::Register { register, .. } = topic else {
        return format!("its {}", about(topic));
    };
    match register {
        Register::Frozen => "whether it is frozen".to_owned(),
        Register::Blocked => "whether it is blocked".to_owned(),
        Register::Review => "whether it waits for approval".to_owned(),
        Register::Failure => "whether its merge failed".to_owned(),
        Register::Deleted => "whether it is in the trash".to_owned(),
        _ => format!("its {}", about(topic)),
    }
}

/// That it waits for an item, or does not.
fn waits(link: &ItemLink) -> String {
    let title = text::show(&link.title, ACTIVITY_CHARS);
    let note = link.note.as_ref().map(link_note_text);
    match link.satisfied {
        true => {
            let note = note.unwrap_or_else(|| "suspended".to_owned());
            format!("It does not wait for {} {title} ({note}).", link.handle)
        }
        false => {
            let note = note.unwrap_or_else(|| "not done".to_owned());
            format!("It waits for {} {title} ({note}).", link.handle)
        }
    }
}
