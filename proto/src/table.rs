//! The transition table as data: which transition is legal in which state (docs/spec/pipeline.md, *Transitions*).
//!
//! One table serves the fold, the command line, the API, chat and the board. [`legal`] decides from an [`ItemState`]
//! alone. Rules about other items (dependencies) or about the person (roles) are not part of the table; they are
//! checked where an act is made.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stage::words;
use crate::{Column, HoldKind, Kind, Qa};

words!(
    /// The transitions, by the name that people type.
    Verb, "transition" {
        /// upcoming → backlog
        Triage = "triage",
        /// backlog → coding
        Start = "start",
        /// coding → qa, or merge
        Submit = "submit",
        /// qa, merge → coding
        RequestChanges = "request-changes",
        /// qa → merge, or a review hold
        PassQa = "pass-qa",
        /// qa with review hold → merge
        Approve = "approve",
        /// any open → done
        Merged = "merged",
        /// merge: + merge failure
        MergeFailed = "merge-failed",
        /// merge: − merge failure
        RetryMerge = "retry-merge",
        /// merge: merge failure becomes final
        GiveUpMerge = "give-up-merge",
        /// any open: + blocked
        Block = "block",
        /// any open: − blocked
        Unblock = "unblock",
        /// any open: + frozen
        Freeze = "freeze",
        /// any open: − frozen
        Unfreeze = "unfreeze",
        /// any open → closed
        Abandon = "abandon",
        /// any open → closed
        Supersede = "supersede",
        /// any open → closed
        Reject = "reject",
        /// done, closed, archived → backlog
        Reopen = "reopen",
        /// done, closed → archived
        Archive = "archive",
        /// any → any open
        Move = "move",
        /// coding, qa, merge: claim the right to work on it
        Claim = "claim",
        /// coding, qa, merge: release the claim
        Release = "release",
        /// coding, qa, merge: take over the claim of a holder that is gone
        TakeOver = "take-over",
        /// any: delete it
        Delete = "delete",
        /// deleted: restore it
        Restore = "restore",
        /// deleted: purge it from the trash
        Purge = "purge",
    }
);

/// The state on which the legality of a transition depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemState {
    /// Its column.
    pub column: Column,
    /// Its kind of work.
    pub kind: Kind,
    /// Hold: frozen.
    pub frozen: bool,
    /// Hold: blocked.
    pub blocked: bool,
    /// Hold: review.
    pub review: bool,
    /// Hold: merge failure.
    pub failure: bool,
    /// Whether somebody holds the claim.
    pub claimed: bool,
    /// Whether it is in the trash.
    pub deleted: bool,
    /// Whether it is purged.
    pub purged: bool,
}

impl ItemState {
    /// An active item of `kind` in `column`.
    pub const fn active(column: Column, kind: Kind) -> Self {
        Self {
            column,
            kind,
            frozen: false,
            blocked: false,
            review: false,
            failure: false,
            claimed: false,
            deleted: false,
            purged: false,
        }
    }

    const fn has(self, hold: HoldKind) -> bool {
        match hold {
            HoldKind::Frozen => self.frozen,
            HoldKind::Blocked => self.blocked,
            HoldKind::ReviewHold => self.review,
            HoldKind::MergeFailure => self.failure,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct TransitionRule {
    /// The transition.
    pub verb: Verb,
    /// The columns from which it is legal.
    pub from: &'static [Column],
    /// A hold that must be set.
    pub needs: Option<HoldKind>,
    /// A hold that must not be set.
    pub unless: Option<HoldKind>,
    /// Whether it is illegal for a frozen or blocked item.
    pub held_refuses: bool,
    /// Whether a reason must be given.
    pub reason: bool,
    /// What it does, in a few words, for help texts.
    pub help: &'static str,
}

const ANY: &[Column] = Column::ALL;
const OPEN: &[Column] = &[
    Column::Upcoming,
    Column::Backlog,
    Column::Coding,
    Column::Qa,
    Column::Merge,
];
const WORKED: &[Column] = &[Column::Coding, Column::Qa, Column::Merge];

const fn rule(verb: Verb, from: &'static [Column], help: &'static str) -> TransitionRule {
    TransitionRule {
        verb,
        from,
        needs: None,
        unless: None,
        held_refuses: false,
        reason: false,
        help,
    }
}

const fn needs(rule: TransitionRule, hold: HoldKind) -> TransitionRule {
    TransitionRule {
        needs: Some(hold),
        ..rule
    }
}

const fn unless(rule: TransitionRule, hold: HoldKind) -> TransitionRule {
    TransitionRule {
        unless: Some(hold),
        ..rule
    }
}

const fn held_refuses(rule: TransitionRule) -> TransitionRule {
    TransitionRule {
        held_refuses: true,
        ..rule
    }
}

const fn reason(rule: TransitionRule) -> TransitionRule {
    TransitionRule { reason: true, ..rule }
}

/// The table: one row per verb, in the order of [`Verb::ALL`].
pub const TRANSITION_RULES: &[TransitionRule] = &[
    rule(Verb::Triage, &[Column::Upcoming], "move it to the backlog"),
    held_refuses(rule(Verb::Start, &[Column::Backlog], "start work on it")),
    held_refuses(rule(
        Verb::Submit,
        &[Column::Coding],
        "submit finished work for checks",
    )),
    reason(rule(
        Verb::RequestChanges,
        &[Column::Qa, Column::Merge],
        "send it back to coding",
    )),
    held_refuses(rule(Verb::PassQa, &[Column::Qa], "mark its checks as passed")),
    held_refuses(needs(
        rule(Verb::Approve, &[Column::Qa], "approve it for merge"),
        HoldKind::ReviewHold,
    )),
    rule(Verb::Merged, OPEN, "mark it as merged or done"),
    rule(Verb::MergeFailed, &[Column::Merge], "report a failed merge"),
    needs(
        rule(Verb::RetryMerge, &[Column::Merge], "retry the merge"),
        HoldKind::MergeFailure,
    ),
    needs(
        rule(Verb::GiveUpMerge, &[Column::Merge], "stop retrying the merge"),
        HoldKind::MergeFailure,
    ),
    reason(rule(Verb::Block, OPEN, "mark it as blocked, with a reason")),
    needs(rule(Verb::Unblock, OPEN, "remove the block"), HoldKind::Blocked),
    unless(
        rule(Verb::Freeze, OPEN, "pause it without moving it"),
        HoldKind::Frozen,
    ),
    needs(
        rule(Verb::Unfreeze, OPEN, "resume it after a freeze"),
        HoldKind::Frozen,
    ),
    rule(Verb::Abandon, OPEN, "close it because nobody will do it"),
    rule(Verb::Supersede, OPEN, "close it because another item replaces it"),
    reason(rule(Verb::Reject, OPEN, "close it because it should not be done")),
    rule(
        Verb::Reopen,
        &[Column::Done, Column::Closed, Column::Archived],
        "move it back to the backlog",
    ),
    rule(
        Verb::Archive,
        &[Column::Done, Column::Closed],
        "hide it from the board",
    ),
    rule(Verb::Move, ANY, "move it to any open column, skipping the rules"),
    held_refuses(rule(
        Verb::Claim,
        WORKED,
        "claim the exclusive right to work on it",
    )),
    rule(Verb::Release, WORKED, "release the claim"),
    rule(
        Verb::TakeOver,
        WORKED,
        "take over the claim of a holder that is gone",
    ),
    rule(Verb::Delete, ANY, "move it to the trash"),
    rule(Verb::Restore, ANY, "restore it from the trash"),
    rule(Verb::Purge, ANY, "delete it from the trash permanently"),
];

impl Verb {
    /// Its row of the table.
    ///
    /// # Panics
    /// Never: a test checks that every verb has its row.
    #[allow(clippy::indexing_slicing)]
    pub const fn rule(self) -> &'static TransitionRule {
        &TRANSITION_RULES[self as usize]
    }
}

/// Why a transition is illegal, and what would be legal instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IllegalTransition {
    /// The transition that was tried.
    pub verb: Verb,
    /// Why it is illegal.
    pub why: IllegalReason,
    /// The transitions that are legal in this state.
    pub legal: Vec<Verb>,
}

/// The reason why a transition is illegal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IllegalReason {
    /// The transition is not legal from this column.
    Column(Column),
    /// A hold forbids it; the verb lifts the hold.
    Held(HoldKind, Verb),
    /// The hold that the transition requires is not set.
    NotHeld(HoldKind),
    /// The hold that the transition would set is set already.
    AlreadyHeld(HoldKind),
    /// The item is in the trash.
    Deleted,
    /// The item is not in the trash.
    NotDeleted,
    /// The item was purged.
    Purged,
    /// An epic cannot be claimed.
    Epic,
    /// Somebody holds the claim already.
    Claimed,
    /// Nobody holds a claim.
    NotClaimed,
    /// The item is in this column already.
    AlreadyThere(Column),
}

impl fmt::Display for IllegalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => write!(f, "the item is in {column}"),
            Self::Held(hold, lift) => write!(f, "the item is {hold}; `{lift}` lifts that"),
            Self::NotHeld(hold) => write!(f, "the item is not {hold}"),
            Self::AlreadyHeld(hold) => write!(f, "the item is {hold} already"),
            Self::Deleted => f.write_str("the item is deleted; `restore` brings it back"),
            Self::NotDeleted => f.write_str("the item is not deleted"),
            Self::Purged => f.write_str("the item was purged and cannot be brought back"),
            Self::Epic => f.write_str("an epic cannot be claimed; claim one of its items"),
            Self::Claimed => f.write_str("somebody else holds the claim; `release` gives it back"),
            Self::NotClaimed => f.write_str("nobody holds a claim"),
            Self::AlreadyThere(column) => write!(f, "the item is in {column} already"),
        }
    }
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.verb, self.why)?;
        let legal: Vec<_> = self.legal.iter().map(|verb| verb.as_str()).collect();
        write!(f, ". Possible now: {}", legal.join(", "))
    }
}

impl std::error::Error for IllegalTransition {}

fn why_illegal(verb: Verb, state: ItemState) -> Option<IllegalReason> {
    let rule = verb.rule();
    let about_trash = matches!(verb, Verb::Restore | Verb::Purge);
    match (state.purged, state.deleted) {
        (true, _) => return Some(IllegalReason::Purged),
        (false, true) if !about_trash => return Some(IllegalReason::Deleted),
        (false, false) if about_trash => return Some(IllegalReason::NotDeleted),
        (false, _) => {}
    }
    if !rule.from.contains(&state.column) {
        return Some(IllegalReason::Column(state.column));
    }
    if rule.held_refuses && state.frozen {
        return Some(IllegalReason::Held(HoldKind::Frozen, Verb::Unfreeze));
    }
    if rule.held_refuses && state.blocked {
        return Some(IllegalReason::Held(HoldKind::Blocked, Verb::Unblock));
    }
    if let Some(hold) = rule.needs.filter(|hold| !state.has(*hold)) {
        return Some(IllegalReason::NotHeld(hold));
    }
    if let Some(hold) = rule.unless.filter(|hold| state.has(*hold)) {
        return Some(IllegalReason::AlreadyHeld(hold));
    }
    match verb {
        Verb::Claim | Verb::TakeOver if state.kind == Kind::Epic => Some(IllegalReason::Epic),
        Verb::Claim if state.claimed => Some(IllegalReason::Claimed),
        Verb::Release | Verb::TakeOver if !state.claimed => Some(IllegalReason::NotClaimed),
        _ => None,
    }
}

/// Whether `verb` is legal from `state`.
///
/// # Errors
/// The reason why it is not, and the transitions that are legal.
pub fn legal(verb: Verb, state: ItemState) -> Result<(), IllegalTransition> {
    match why_illegal(verb, state) {
        None => Ok(()),
        Some(why) => Err(IllegalTransition {
            verb,
            why,
            legal: legal_from(state),
        }),
    }
}

/// Every verb that is legal from `state`, in table order.
pub fn legal_from(state: ItemState) -> Vec<Verb> {
    Verb::ALL
        .iter()
        .copied()
        .filter(|verb| why_illegal(*verb, state).is_none())
        .collect()
}

/// The column to which `verb` leads by the table: `None` for `move`, which names its column, and for transitions that
/// leave the column unchanged.
pub const fn leads_to(verb: Verb, qa: Qa) -> Option<Column> {
    match verb {
        Verb::Triage | Verb::Reopen => Some(Column::Backlog),
        Verb::Start | Verb::RequestChanges => Some(Column::Coding),
        Verb::Submit => match qa {
            Qa::Server => Some(Column::Merge),
            Qa::Agent | Qa::Human => Some(Column::Qa),
        },
        Verb::PassQa => match qa {
            Qa::Human => None,
            Qa::Server | Qa::Agent => Some(Column::Merge),
        },
        Verb::Approve => Some(Column::Merge),
        Verb::Merged => Some(Column::Done),
        Verb::Abandon | Verb::Supersede | Verb::Reject => Some(Column::Closed),
        Verb::Archive => Some(Column::Archived),
        Verb::MergeFailed
        | Verb::RetryMerge
        | Verb::GiveUpMerge
        | Verb::Block
        | Verb::Unblock
        | Verb::Freeze
        | Verb::Unfreeze
        | Verb::Move
        | Verb::Claim
        | Verb::Release
        | Verb::TakeOver
        | Verb::Delete
        | Verb::Restore
        | Verb::Purge => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_its_own_row() {
        for verb in Verb::ALL {
            assert_eq!(verb.rule().verb, *verb);
        }
        assert_eq!(TRANSITION_RULES.len(), Verb::ALL.len());
    }

    #[test]
    fn a_frozen_item_refuses_work_and_names_what_lifts_it() {
        let mut state = ItemState::active(Column::Backlog, Kind::Story);
        state.frozen = true;
        let refused = legal(Verb::Start, state).expect_err("frozen");
        assert_eq!(refused.why, IllegalReason::Held(HoldKind::Frozen, Verb::Unfreeze));
        assert!(refused.legal.contains(&Verb::Unfreeze));
        assert!(!refused.legal.contains(&Verb::Start));
    }

    #[test]
    fn a_deleted_item_can_only_be_restored() {
        for column in Column::ALL {
            let state = ItemState {
                deleted: true,
                ..ItemState::active(*column, Kind::Bug)
            };
            assert_eq!(legal_from(state), [Verb::Restore, Verb::Purge]);
        }
    }
}
