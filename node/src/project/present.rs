//! Answers as people are shown them: with what this node knows of the present, and with times that
//! cannot be true put right.
//!
//! A time is what its author's clock said. One that is further ahead of now than
//! [`limits::SKEW_MS`] is shown as now and flagged. That is an approximation: what matters is how far it
//! was ahead when it was first seen, so the flag goes when the time has come. Events keep when they were
//! seen and are put right for good. Exports say what was written, the same on every node.

use towline_proto::{Millis, limits};

use super::Project;
use crate::dto::{Comment, HistoryLine, ItemCard, ItemPage, OpenConflict};
use crate::request::{Failure, Reply};

/// Puts a time right that was seen at `seen`; whether it had to be.
pub(super) fn clamp(at: &mut Millis, seen: Millis) -> bool {
    let is_ahead = at.0 > seen.0.saturating_add(limits::SKEW_MS);
    if is_ahead {
        *at = seen;
    }
    is_ahead
}

impl Project {
    /// An answer as people are shown it.
    pub(super) fn present(&self, mut reply: Reply) -> Reply {
        let now = self.now();
        match &mut reply {
            Reply::Cards(cards) => cards.iter_mut().for_each(|card| self.present_card(now, card)),
            Reply::Page(page) => self.present_page(now, page),
            Reply::Pages(pages) => pages.iter_mut().for_each(|page| self.present_page(now, page)),
            Reply::History(lines) => lines.iter_mut().for_each(|line| present_line(now, line)),
            Reply::Conflicts(open) => open.iter_mut().for_each(|open| present_conflict(now, open)),
            Reply::Explanations(all) => {
                for explained in all {
                    self.present_card(now, &mut explained.card);
                    explained.acts.iter_mut().for_each(|line| present_line(now, line));
                    let conflicts = explained.conflicts.iter_mut();
                    conflicts.for_each(|open| present_conflict(now, open));
                }
            }
            Reply::Applied(applied) => self.present_card(now, &mut applied.card),
            Reply::Status(_)
            | Reply::Doctor(_)
            | Reply::Members(_)
            | Reply::Peers(_)
            | Reply::Events(_)
            | Reply::Imported(_)
            | Reply::Lines(_)
            | Reply::Taken(_)
            | Reply::Records { .. }
            | Reply::Arrived(_)
            | Reply::Ticket { .. }
            | Reply::Entry(_)
            | Reply::Synced { .. }
            | Reply::Link { .. }
            | Reply::Done => {}
        }
        reply
    }

    /// A refusal as people are shown it.
    pub(super) fn present_failure(&self, mut failure: Failure) -> Failure {
        if let Some(card) = &mut failure.current {
            self.present_card(self.now(), card);
        }
        failure
    }

    fn present_page(&self, now: Millis, page: &mut ItemPage) {
        self.present_card(now, &mut page.card);
        page.remarks
            .iter_mut()
            .for_each(|remark| present_remark(now, remark));
        page.history.iter_mut().for_each(|line| present_line(now, line));
        let conflicts = page.open_conflicts.iter_mut();
        conflicts.for_each(|open| present_conflict(now, open));
    }

    fn present_card(&self, now: Millis, card: &mut ItemCard) {
        card.claim_heard = card.claim.as_ref().and_then(|claim| self.claim_heard(claim));
        clamp_card(now, card);
    }
}

/// Puts the times of a card right.
pub(super) fn clamp_card(now: Millis, card: &mut ItemCard) {
    let claimed = card.claim.as_mut().map(|claim| &mut claim.at);
    let times = [&mut card.created_at, &mut card.updated_at, &mut card.entered_at];
    for at in times.into_iter().chain(claimed) {
        card.skewed |= clamp(at, now);
    }
}

fn present_line(now: Millis, line: &mut HistoryLine) {
    line.skewed |= clamp(&mut line.at, now);
}

fn present_remark(now: Millis, remark: &mut Comment) {
    remark.skewed |= clamp(&mut remark.at, now);
}

fn present_conflict(now: Millis, open: &mut OpenConflict) {
    clamp(&mut open.since, now);
    open.sides
        .iter_mut()
        .for_each(|side| present_line(now, &mut side.line));
}
