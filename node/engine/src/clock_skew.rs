//! Adapts replies for display: adds what only this node knows now (when a claim's node was last seen, which
//! verbs are available) and corrects times that are implausibly far in the future.
//!
//! A time is the reading of its author's clock. If it is further ahead of this node's clock than
//! [`limits::CLOCK_SKEW_MS`], it is shown as now and flagged. This is an approximation: what matters is how
//! far it was ahead when it was first seen, so the flag disappears once that time has passed. Events store
//! when they were first seen and are corrected permanently. Exports contain the original times, so they are
//! equal on every node.

use towline_api::request::{Failure, Reply};
use towline_api::types::{Comment, HistoryLine, ItemCard, ItemPage, OpenConflict};
use towline_crdt::view::ItemView;
use towline_proto::{Millis, Origin, Verb, limits};

use crate::query::QueryContext;

/// Corrects a time that was first seen at `seen`. Returns whether it was too far ahead.
pub(super) fn clamp_time(at: &mut Millis, seen: Millis) -> bool {
    let is_ahead = at.0 > seen.0.saturating_add(limits::CLOCK_SKEW_MS);
    if is_ahead {
        *at = seen;
    }
    is_ahead
}

impl QueryContext<'_> {
    /// Adapts a reply for display.
    pub(super) fn annotate_reply(&self, mut reply: Reply, asker: Option<&Origin>) -> Reply {
        let now = self.now;
        match &mut reply {
            Reply::Cards(cards) => cards.iter_mut().for_each(|card| self.annotate_card(now, card)),
            Reply::Page(page) => self.annotate_page(now, page, asker),
            Reply::Pages(pages) => pages
                .iter_mut()
                .for_each(|page| self.annotate_page(now, page, asker)),
            Reply::History(lines) => lines.iter_mut().for_each(|line| clamp_line(now, line)),
            Reply::Conflicts(open) => open.iter_mut().for_each(|open| clamp_conflict(now, open)),
            Reply::Explanations(all) => {
                for explained in all {
                    self.annotate_card_for(now, &mut explained.card, asker);
                    explained.acts.iter_mut().for_each(|line| clamp_line(now, line));
                    let conflicts = explained.conflicts.iter_mut();
                    conflicts.for_each(|open| clamp_conflict(now, open));
                }
            }
            Reply::Applied(applied) => self.annotate_card_for(now, &mut applied.card, asker),
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

    /// Adapts a failure for display.
    pub(super) fn annotate_failure(&self, mut failure: Failure, asker: Option<&Origin>) -> Failure {
        if let Some(card) = &mut failure.current {
            self.annotate_card_for(self.now, card, asker);
        }
        failure
    }

    fn annotate_page(&self, now: Millis, page: &mut ItemPage, asker: Option<&Origin>) {
        self.annotate_card_for(now, &mut page.card, asker);
        page.remarks
            .iter_mut()
            .for_each(|remark| clamp_comment(now, remark));
        page.history.iter_mut().for_each(|line| clamp_line(now, line));
        let conflicts = page.open_conflicts.iter_mut();
        conflicts.for_each(|open| clamp_conflict(now, open));
    }

    fn annotate_card(&self, now: Millis, card: &mut ItemCard) {
        card.claim_heard = card.claim.as_ref().and_then(|claim| self.claim_heard(claim));
        clamp_card(now, card);
        self.hide_unavailable_verbs(card);
    }

    /// As [`QueryContext::annotate_card`], for a request about this one item: verbs that would be refused to the
    /// caller are removed, or, without a known caller, those refused to everybody at this node.
    fn annotate_card_for(&self, now: Millis, card: &mut ItemCard, asker: Option<&Origin>) {
        self.annotate_card(now, card);
        let Some(claim) = &card.claim else { return };
        let taker = asker.map_or("", |asker| asker.id.as_str());
        let taken_over = self.take_over_refusal(&card.id, claim, taker).is_none();
        let released = match asker {
            Some(asker) => self.may_release(claim, asker),
            None => claim.node == self.me,
        };
        card.legal.retain(|verb| match verb {
            Verb::TakeOver => taken_over,
            Verb::Release => released,
            _ => true,
        });
    }

    /// The verbs that the caller could use on an item now.
    pub(super) fn available_verbs(&self, row: &ItemView, asker: &Origin) -> Vec<Verb> {
        let mut card = self.index.card(row);
        self.annotate_card_for(self.now, &mut card, Some(asker));
        card.legal
    }

    /// Removes all verbs if this node may not write.
    pub(super) fn hide_unavailable_verbs(&self, card: &mut ItemCard) {
        if !self.role().may_write() {
            card.legal.clear();
        }
    }
}

/// Corrects the times of a card.
pub(super) fn clamp_card(now: Millis, card: &mut ItemCard) {
    let claimed = card.claim.as_mut().map(|claim| &mut claim.at);
    let times = [&mut card.created_at, &mut card.updated_at, &mut card.entered_at];
    for at in times.into_iter().chain(claimed) {
        card.skewed |= clamp_time(at, now);
    }
}

fn clamp_line(now: Millis, line: &mut HistoryLine) {
    line.skewed |= clamp_time(&mut line.at, now);
}

fn clamp_comment(now: Millis, remark: &mut Comment) {
    remark.skewed |= clamp_time(&mut remark.at, now);
}

fn clamp_conflict(now: Millis, open: &mut OpenConflict) {
    clamp_time(&mut open.since, now);
    open.sides
        .iter_mut()
        .for_each(|side| clamp_line(now, &mut side.line));
}
