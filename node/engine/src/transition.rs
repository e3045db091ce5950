//! Transitions: from a verb and its arguments to an operation on an item.
//!
//! Relies on the index for handles, revisions and dependencies. Whether the table allows the verb is decided
//! when the entry is composed. Nothing is written here.

use towline_api::request::Transition;
use towline_crdt::view::ItemView;
use towline_proto::stage::Claim;
use towline_proto::table::legal;
use towline_proto::{Column, Kind, Op, Origin, OriginKind, Verb, limits, text};

use super::command::{CommandContext, CommandPlan, drafts};
use super::errors::{COMMIT, TransitionError};
use super::query::QueryContext;

/// Checks the form of a commit, because `merged` is treated as a fact.
fn is_commit(commit: &str) -> Result<(), TransitionError> {
    if COMMIT.contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(TransitionError::InvalidCommit(commit.to_owned()))
}

/// Why a transition that the table allows would change nothing.
pub(super) fn redundant(verb: Verb, row: &ItemView) -> Option<TransitionError> {
    let given_up = row.holds.failure.as_ref().is_some_and(|failure| failure.is_final);
    match verb {
        Verb::PassQa if row.holds.review => Some(TransitionError::QaPassed),
        Verb::GiveUpMerge if given_up => Some(TransitionError::MergeGivenUp),
        _ => None,
    }
}

/// Whether starting an item also claims it: not by automatic promotion, and not for an epic.
fn claims(origin: &Origin, row: &ItemView) -> bool {
    matches!(origin.kind, OriginKind::User | OriginKind::Agent) && row.kind != Kind::Epic
}

fn next_claim(row: &ItemView, holder: String) -> Op {
    Op::Claim {
        holder,
        generation: row.generation.saturating_add(1),
    }
}

/// The origin under which an item is blocked that was sent back too often. The node that sends it back writes
/// the block, so every replica agrees whatever its settings were.
fn retries() -> Origin {
    Origin {
        kind: OriginKind::System,
        id: "retry-limit".to_owned(),
    }
}

fn too_often(row: &ItemView) -> String {
    format!("sent back {} times", row.retries.saturating_add(1))
}

/// Combines a reason with the one that the item is blocked for already.
fn beside(row: &ItemView, reason: String) -> String {
    let known = row.holds.blocked.as_ref().map(|blocked| blocked.reason.as_str());
    match known.filter(|known| !known.is_empty()) {
        Some(known) => text::fit_lines(&format!("{reason}; {known}"), limits::NOTE_BYTES).0,
        None => reason,
    }
}

impl CommandContext<'_> {
    /// Performs a transition.
    pub(crate) fn transition(&self, asked: Transition) -> Result<CommandPlan, TransitionError> {
        let origin = self.origin;
        let row = self.index.find_one(&asked.item)?;
        if asked
            .expect
            .as_ref()
            .is_some_and(|expect| *expect != super::index::revision(&row))
        {
            return Err(TransitionError::Stale(Box::new(self.index.card(&row))));
        }
        if let Some(why) = redundant(asked.verb, &row).filter(|_| !row.deleted && !row.purged) {
            return Err(why);
        }
        let (verb, no_claim) = (asked.verb, asked.no_claim);
        let holder = asked.holder.clone().unwrap_or_else(|| origin.id.clone());
        let op = self.transition_op(&row, asked)?;
        if let Err(mut illegal) = legal(verb, row.state()) {
            // The message lists the verbs that would be accepted.
            illegal.legal = self.available_verbs(&row, origin);
            return Err(TransitionError::Illegal(illegal));
        }
        let mut planned = self.drafts(vec![op]);
        let mut note = None;
        match verb {
            Verb::Start if !no_claim && claims(origin, &row) => {
                planned.extend(self.drafts(vec![next_claim(&row, holder)]));
            }
            Verb::RequestChanges if self.settings.retry_limit.is_reached(row.retries) => {
                let reason = too_often(&row);
                note = Some(format!("also blocked: {reason}; use `unblock` to continue"));
                let reason = beside(&row, reason);
                planned.extend(drafts(self, &retries(), self.request, vec![Op::Block { reason }]));
            }
            _ => {}
        }
        Ok(CommandPlan::change(&row, planned, None)?.note_last(note))
    }

    /// Starts and claims the best ready item. It runs on the project's own thread, so the next caller finds
    /// it claimed.
    pub(crate) fn take_ready(&self, holder: Option<String>) -> Result<CommandPlan, TransitionError> {
        let holder = holder.unwrap_or_else(|| self.origin.id.clone());
        let Some(row) = self.index.best(&holder) else {
            return Err(TransitionError::NothingReady(holder));
        };
        let mut ops = Vec::new();
        if row.column == Column::Backlog {
            ops.push(Op::Start { force: None });
        }
        ops.push(next_claim(&row, holder));
        Ok(self.plan(&row, ops, None)?)
    }

    fn transition_op(&self, row: &ItemView, asked: Transition) -> Result<Op, TransitionError> {
        let origin = self.origin;
        let Transition {
            verb,
            reason,
            to,
            by,
            commit,
            failure,
            holder,
            force,
            ..
        } = asked;
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let required = || reason.clone().ok_or(TransitionError::NoReason(verb));
        let holder = || holder.clone().unwrap_or_else(|| origin.id.clone());
        let generation = row.generation.saturating_add(1);
        Ok(match verb {
            Verb::Triage => Op::Triage,
            Verb::Start => self.start(row, force, reason.clone())?,
            Verb::Submit => Op::Submit,
            Verb::RequestChanges => Op::RequestChanges { reason: required()? },
            Verb::PassQa => Op::PassQa,
            Verb::Approve => Op::Approve,
            Verb::Merged => {
                commit.as_deref().map_or(Ok(()), is_commit)?;
                Op::Merged { commit }
            }
            Verb::MergeFailed => {
                let kind = failure.unwrap_or(towline_proto::FailureKind::Other);
                Op::MergeFailed {
                    kind,
                    detail: reason.clone().unwrap_or_default(),
                }
            }
            Verb::RetryMerge => Op::RetryMerge,
            Verb::GiveUpMerge => Op::GiveUpMerge,
            Verb::Block => Op::Block { reason: required()? },
            Verb::Unblock => Op::Unblock,
            Verb::Freeze => Op::Freeze,
            Verb::Unfreeze => Op::Unfreeze,
            Verb::Abandon => Op::Abandon {
                reason: reason.clone(),
            },
            Verb::Supersede => {
                let by = by.ok_or(TransitionError::NoReplacement)?;
                let by = self.index.find_one(&by)?.id;
                if by == row.id {
                    return Err(TransitionError::ReplacesItself);
                }
                if self.index.depends_on(&by, &row.id) {
                    let [this, by] = [&row.id, &by].map(|id| self.index.link(id).handle);
                    return Err(TransitionError::ReplacementWaits { this, by });
                }
                Op::Supersede { by }
            }
            Verb::Reject => Op::Reject { reason: required()? },
            Verb::Reopen => Op::Reopen,
            Verb::Archive => Op::Archive,
            Verb::Move => {
                let to = to.ok_or(TransitionError::NoColumn)?;
                if to == row.column && !row.deleted {
                    let handle = self.index.handle(row);
                    return Err(TransitionError::AlreadyThere { handle, column: to });
                }
                Op::Move {
                    to,
                    reason: reason.clone(),
                }
            }
            Verb::Claim => self.claim(row, holder(), generation)?,
            Verb::Release => self.release(row)?,
            Verb::TakeOver => {
                let taker = holder();
                let force = self.may_take_over(row, &taker, force, reason.clone())?;
                Op::TakeOver {
                    holder: taker,
                    generation,
                    renewal: self.last_renewal(row),
                    force,
                }
            }
            Verb::Delete => Op::Delete {
                reason: reason.clone(),
            },
            Verb::Restore => Op::Restore,
            Verb::Purge => Op::Purge,
        })
    }

    fn start(&self, row: &ItemView, force: bool, reason: Option<String>) -> Result<Op, TransitionError> {
        if legal(Verb::Start, row.state()).is_err() {
            // The table will refuse it and list the legal verbs; `--force` would not help.
            return Ok(Op::Start { force: None });
        }
        let links = row.depends_on.iter().map(|on| self.index.wait(row, on));
        let unmet: Vec<_> = links
            .filter(|link| !link.satisfied)
            .map(|link| link.handle)
            .collect();
        match (unmet.is_empty(), force, reason) {
            (true, _, _) => Ok(Op::Start { force: None }),
            (false, true, Some(reason)) => Ok(Op::Start { force: Some(reason) }),
            (false, true, None) => Err(TransitionError::ForcedWithoutReason(Verb::Start)),
            (false, false, _) => Err(TransitionError::Waits(unmet.join(", "))),
        }
    }

    fn claim(&self, row: &ItemView, holder: String, generation: u32) -> Result<Op, TransitionError> {
        match &row.claim {
            Some(claim) if claim.holder == holder && claim.node == self.me => {
                Err(TransitionError::AlreadyClaimed(holder))
            }
            Some(claim) => Err(TransitionError::Claimed {
                holder: claim.holder.clone(),
                node: self.node_name(&claim.node),
                at: claim.at,
                generation: claim.generation,
            }),
            None => Ok(Op::Claim { holder, generation }),
        }
    }

    /// A claim is released by its holder, or by a person at the node whose agent holds it. Anyone else would
    /// bypass the conditions of a take-over.
    fn release(&self, row: &ItemView) -> Result<Op, TransitionError> {
        let given = |claim: &&Claim| !self.may_release(claim, self.origin);
        if let Some(claim) = row.claim.as_ref().filter(given) {
            return Err(TransitionError::NotTheHolder {
                holder: claim.holder.clone(),
                node: self.node_name(&claim.node),
            });
        }
        let generation = row.generation;
        Ok(Op::Release { generation })
    }
}

impl QueryContext<'_> {
    /// Whether somebody may release a claim.
    pub(super) fn may_release(&self, claim: &Claim, who: &Origin) -> bool {
        let at_home = claim.node == self.me && who.kind == OriginKind::User;
        at_home || claim.holder == who.id
    }
}
