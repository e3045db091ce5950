//! Transitions: from a verb and its arguments to an operation on an item.
//!
//! Relies on the index for handles, revisions and dependencies. Whether the table allows the verb is decided
//! when the entry is composed. Nothing is written here.

use towline_api::request::{Failure, FailureCode, Transition};
use towline_crdt::view::ItemView;
use towline_proto::stage::Claim;
use towline_proto::table::legal;
use towline_proto::{Column, Kind, Op, Origin, OriginKind, Verb, limits, text};

use super::command::{CommandContext, CommandPlan, drafts};
use super::query::QueryContext;
use super::transition_errors;
use super::write::{conflict, usage};

/// The number of hex digits of a commit: from the usual short form to the longest hash.
const COMMIT: std::ops::RangeInclusive<usize> = 7..=64;

/// Checks the form of a commit, because `merged` is treated as a fact.
fn is_commit(commit: &str) -> Result<(), Failure> {
    if COMMIT.contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let commit = towline_proto::text::show(commit, 80);
    let (least, most) = (COMMIT.start(), COMMIT.end());
    Err(usage(format!(
        "invalid commit {commit:?}: expected {least} to {most} hex digits, such as 3f2a1c9"
    )))
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
    pub(crate) fn transition(&self, asked: Transition) -> Result<CommandPlan, Failure> {
        let origin = self.origin;
        let row = self.index.find_one(&asked.item)?;
        if asked
            .expect
            .as_ref()
            .is_some_and(|expect| *expect != super::index::revision(&row))
        {
            let mut failure = conflict(format!(
                "{} has changed in the meantime; it is now in {} ({})",
                self.index.handle(&row),
                row.column,
                row.status()
            ));
            failure.current = Some(Box::new(self.index.card(&row)));
            return Err(failure);
        }
        if let Some(why) =
            transition_errors::redundant(asked.verb, &row).filter(|_| !row.deleted && !row.purged)
        {
            return Err(conflict(why));
        }
        let (verb, no_claim) = (asked.verb, asked.no_claim);
        let holder = asked.holder.clone().unwrap_or_else(|| origin.id.clone());
        let op = self.transition_op(&row, asked)?;
        if let Err(mut illegal) = legal(verb, row.state()) {
            // The message lists the verbs that would be accepted.
            illegal.legal = self.available_verbs(&row, origin);
            return Err(conflict(transition_errors::message(&illegal)));
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
    pub(crate) fn take_ready(&self, holder: Option<String>) -> Result<CommandPlan, Failure> {
        let holder = holder.unwrap_or_else(|| self.origin.id.clone());
        let Some(row) = self.index.best(&holder) else {
            let message = format!(
                "nothing is ready for {}; run `towline ready --all` to see why",
                text::show(&holder, 80)
            );
            return Err(Failure::new(FailureCode::NotFound, message));
        };
        let mut ops = Vec::new();
        if row.column == Column::Backlog {
            ops.push(Op::Start { force: None });
        }
        ops.push(next_claim(&row, holder));
        self.plan(&row, ops, None)
    }

    fn transition_op(&self, row: &ItemView, asked: Transition) -> Result<Op, Failure> {
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
        let required = || {
            reason
                .clone()
                .ok_or_else(|| usage(format!("`{verb}` needs a reason")))
        };
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
                let by = by.ok_or_else(|| usage("`supersede` needs the item that replaces it"))?;
                let by = self.index.find_one(&by)?.id;
                if by == row.id {
                    return Err(usage("an item cannot replace itself"));
                }
                if self.index.depends_on(&by, &row.id) {
                    let [this, by] = [&row.id, &by].map(|id| self.index.link(id).handle);
                    let message = format!(
                        "{by} cannot replace {this}, because {by} depends on {this}, directly or through other items; \
                         remove that dependency first (see `towline depends tree {by}`)"
                    );
                    return Err(conflict(message));
                }
                Op::Supersede { by }
            }
            Verb::Reject => Op::Reject { reason: required()? },
            Verb::Reopen => Op::Reopen,
            Verb::Archive => Op::Archive,
            Verb::Move => {
                let to = to.ok_or_else(|| usage("`move` needs a target column"))?;
                if to == row.column && !row.deleted {
                    return Err(conflict(format!("{} is already in {to}", self.index.handle(row))));
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

    fn start(&self, row: &ItemView, force: bool, reason: Option<String>) -> Result<Op, Failure> {
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
            (false, true, None) => Err(usage("`start --force` needs a reason")),
            (false, false, _) => Err(conflict(format!(
                "`start` is not possible: it waits for {}; use `--force` with a reason to start it anyway",
                unmet.join(", ")
            ))),
        }
    }

    fn claim(&self, row: &ItemView, holder: String, generation: u32) -> Result<Op, Failure> {
        match &row.claim {
            Some(claim) if claim.holder == holder && claim.node == self.me => {
                Err(conflict(format!("{holder} already holds the claim")))
            }
            Some(claim) => Err(conflict(format!(
                "{} on {} has held the claim since {} (generation {}); use `take-over` once that node is gone",
                claim.holder,
                self.node_name(&claim.node),
                claim.at,
                claim.generation
            ))),
            None => Ok(Op::Claim { holder, generation }),
        }
    }

    /// A claim is released by its holder, or by a person at the node whose agent holds it. Anyone else would
    /// bypass the conditions of a take-over.
    fn release(&self, row: &ItemView) -> Result<Op, Failure> {
        let given = |claim: &&Claim| !self.may_release(claim, self.origin);
        if let Some(claim) = row.claim.as_ref().filter(given) {
            return Err(conflict(format!(
                "only the holder, {} on {}, can release this claim; use `take-over` once that node is gone, or at once \
                 with `--force` and `--reason`",
                claim.holder,
                self.node_name(&claim.node)
            )));
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
