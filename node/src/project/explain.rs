//! Why an item stands where it stands: what is so, which act made it so, and what became of every
//! other act, in words for people who have not read the rules.
//!
//! Reads the fold's outcome and decides nothing.

use towline_crdt::fold::Folded;
use towline_proto::{ActId, Register, text};

use super::Project;
use crate::dto::{Explanation, Fate, HistoryLine};
use crate::request::Failure;

/// Characters of a reason in a sentence.
const REASON_CHARS: usize = 120;

impl Project {
    /// The items that a handle names, explained.
    pub(crate) fn explain(&mut self, wanted: &str) -> Result<Vec<Explanation>, Failure> {
        let ids = self.index.find(wanted)?;
        let mut explained = Vec::new();
        for id in ids {
            let circles = self.circles_of(&id)?;
            let doc = self.doc(&id)?;
            let folded = self.folded(&doc)?;
            let acts = self.history(&folded);
            explained.push(Explanation {
                card: self.index.card(&folded.view),
                because: self.because(&folded, &acts),
                conflicts: self.conflicts_of(&folded).into_iter().chain(circles).collect(),
                acts,
            });
        }
        Ok(explained)
    }

    fn because(&self, folded: &Folded<'_>, acts: &[HistoryLine]) -> Vec<String> {
        let view = &folded.view;
        let by = |act: Option<ActId>| {
            let line = act.and_then(|act| acts.iter().find(|line| line.act == act));
            line.map_or_else(String::new, |line| format!(": {}", told(line)))
        };
        let head = |register| folded.head(register);
        let mut because = Vec::new();
        let place = match &view.closing {
            Some(closing) => format!("{} ({})", view.column, closing.status()),
            None => view.column.to_string(),
        };
        because.push(format!(
            "it is in {place}{}",
            by(view.trail.first().map(|step| step.act))
        ));
        if view.deleted {
            because.push(format!("it is in the trash{}", by(head(&Register::Deleted))));
        }
        if view.holds.frozen {
            because.push(format!("it is frozen{}", by(head(&Register::Frozen))));
        }
        if let Some(blocked) = &view.holds.blocked {
            because.push(format!(
                "it is blocked, {}{}",
                text::show(&blocked.reason, REASON_CHARS),
                by(head(&Register::Blocked))
            ));
        }
        if view.holds.review {
            because.push(format!("it waits for approval{}", by(head(&Register::Review))));
        }
        if let Some(failure) = &view.holds.failure {
            let given_up = if failure.is_final { " and was given up" } else { "" };
            because.push(format!(
                "its merge failed, {}{given_up}{}",
                failure.kind,
                by(head(&Register::Failure))
            ));
        }
        if let Some(claim) = &view.claim {
            because.push(format!(
                "{} holds the claim of generation {}{}",
                text::show(&claim.holder, REASON_CHARS),
                claim.generation,
                by(Some(claim.act))
            ));
        }
        because.extend(view.attention.iter().cloned());
        let card = self.index.card(view);
        for link in card.depends_on.iter().filter(|link| !link.satisfied) {
            let note = link
                .note
                .as_ref()
                .map(|note| format!(" ({note})"))
                .unwrap_or_default();
            because.push(format!("it waits for {}{note}", link.handle));
        }
        for link in card.depends_on.iter().filter(|link| link.satisfied) {
            if let (true, Some(note)) = (self.index.is_suspended(&view.id, &link.id), &link.note) {
                because.push(format!("it does not wait for {} ({note})", link.handle));
            }
        }
        for line in acts {
            let why = match (&line.fate, &line.overtaken) {
                (Fate::Overtaken { .. } | Fate::Refused, Some(why)) => why,
                _ => continue,
            };
            because.push(format!("{} has no effect, {why}", told(line)));
        }
        because
    }
}

/// Who did what where, for half a sentence.
fn told(line: &HistoryLine) -> String {
    format!("{} by {} on {}", line.what, line.origin, line.node_name)
}
