//! Answers as people are shown them: with what this node knows of the present, and with times that
//! cannot be true put right.
//!
//! A time is what its author's clock said. One that is further ahead of now than
//! [`limits::CLOCK_SKEW_MS`] is shown as now and flagged. That is an approximation: what matters is how far it
//! was ahead when it was first seen, so the flag goes when the time has come. Events keep when they were
//! seen and are put right for good. Exports say what was written, the same on every node.

use towline_crdt::view::ItemView;
use towline_proto::{Millis, Origin, Verb, limits};

use super::Project;
use crate::api::request::{Failure, Reply};
use crate::api::types::{Comment, HistoryLine, ItemCard, ItemPage, OpenConflict};

/// Puts a time right that was seen at `seen`; whether it had to be.
pub(super) fn clamp(at: &mut Millis, seen: Millis) -> bool {
    let is_ahead = at.0 > seen.0.saturating_add(limits::CLOCK_SKEW_MS);
    if is_ahead {
        *at = seen;
    }
    is_ahead
}

impl Project {
    /// An answer as people are shown it.
    pub(super) fn present(&self, mut reply: Reply, asker: Option<&Origin>) -> Reply {
        let now = self.now();
        match &mut reply {
            Reply::Cards(cards) => cards.iter_mut().for_each(|card| self.present_card(now, card)),
            Reply::Page(page) => self.present_page(now, page, asker),
            Reply::Pages(pages) => pages
                .iter_mut()
                .for_each(|page| self.present_page(now, page, asker)),
            Reply::History(lines) => lines.iter_mut().for_each(|line| present_line(now, line)),
            Reply::Conflicts(open) => open.iter_mut().for_each(|open| present_conflict(now, open)),
            Reply::Explanations(all) => {
                for explained in all {
                    self.present_one(now, &mut explained.card, asker);
                    explained.acts.iter_mut().for_each(|line| present_line(now, line));
                    let conflicts = explained.conflicts.iter_mut();
                    conflicts.for_each(|open| present_conflict(now, open));
                }
            }
            Reply::Applied(applied) => self.present_one(now, &mut applied.card, asker),
            Reply::Status(_)
            | Reply::Doctor(_)
            | Reply::Members(_)
            | Reply::Peers(_)
            | Reply::Addresses(_)
            | Reply::Events(_)
            | Reply::Settings(_)
            | Reply::SettingsLine(_)
            | Reply::Imported(_)
            | Reply::Lines(_)
            | Reply::LineOutcomes(_)
            | Reply::ExportedEntries { .. }
            | Reply::EntriesImported(_)
            | Reply::Ticket { .. }
            | Reply::Entry(_)
            | Reply::Synced { .. }
            | Reply::Link { .. }
            | Reply::Done => {}
        }
        reply
    }

    /// A refusal as people are shown it.
    pub(super) fn present_failure(&self, mut failure: Failure, asker: Option<&Origin>) -> Failure {
        if let Some(card) = &mut failure.current {
            self.present_one(self.now(), card, asker);
        }
        failure
    }

    fn present_page(&self, now: Millis, page: &mut ItemPage, asker: Option<&Origin>) {
        self.present_one(now, &mut page.card, asker);
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
        self.only_what_may_be(card);
    }

    /// As [`Project::present_card`], for somebody who looks at this one item: what would be refused to
    /// them, or to anybody at this node where it is not known who asks, is not proposed.
    fn present_one(&self, now: Millis, card: &mut ItemCard, asker: Option<&Origin>) {
        self.present_card(now, card);
        let Some(claim) = &card.claim else { return };
        let taker = asker.map_or("", |asker| asker.id.as_str());
        let taken_over = self.held_by_the_living(&card.id, claim, taker).is_none();
        let released = match asker {
            Some(asker) => self.gives_back(claim, asker),
            None => claim.node == self.me,
        };
        card.legal.retain(|verb| match verb {
            Verb::TakeOver => taken_over,
            Verb::Release => released,
            _ => true,
        });
    }

    /// What somebody could do to an item now.
    pub(super) fn proposals(&self, row: &ItemView, asker: &Origin) -> Vec<Verb> {
        let mut card = self.index.card(row);
        self.present_one(self.now(), &mut card, Some(asker));
        card.legal
    }

    /// A node that may not write is proposed nothing.
    pub(super) fn only_what_may_be(&self, card: &mut ItemCard) {
        if !self.role().may_write() {
            card.legal.clear();
        }
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
