//! The stage of an item (its column and holds), the status derived from it, and the other closed vocabularies of the
//! domain (docs/spec/pipeline.md, *Work item* and *Stage = column + holds*).
//!
//! Each word is defined once, by [`words!`](self), and is the same in code, on the wire, on the command line, in chat
//! and on the board. Which transitions are legal is defined in [`crate::table`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ActId, ItemId, Millis};

/// A word that is not one of a closed vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {got:?}; expected one of: {known}")]
pub struct UnknownWord {
    /// Which vocabulary.
    pub what: &'static str,
    /// The given text, cut to 80 characters.
    pub got: String,
    /// The known words, separated by commas.
    pub known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// All of them, in their natural order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word itself.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::stage::UnknownWord;
            fn from_str(text: &str) -> Result<Self, $crate::stage::UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| $crate::stage::UnknownWord {
                    what: $what,
                    got: text.chars().take(80).collect(),
                    known: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}
pub(crate) use words;

words!(
    /// The kind of work of an item.
    Kind, "kind" {
        /// Something a user gets.
        Story = "story",
        /// Something broken.
        Bug = "bug",
        /// A question to answer.
        Spike = "spike",
        /// A change of the code without a change of behaviour.
        Refactor = "refactor",
        /// A set of items; cannot be claimed.
        Epic = "epic",
    }
);

words!(
    /// The columns, in pipeline order.
    Column, "column" {
        /// Not yet looked at; shown at the foot of the backlog.
        Upcoming = "upcoming",
        /// Not started.
        Backlog = "backlog",
        /// Being worked on.
        Coding = "coding",
        /// Being checked.
        Qa = "qa",
        /// Waiting to be merged into the main branch.
        Merge = "merge",
        /// Merged.
        Done = "done",
        /// Done or closed, and removed from the board.
        Archived = "archived",
        /// Closed without being done; see [`Closing`].
        Closed = "closed",
    }
);

impl Column {
    /// Whether the column is *open*: every column but done, closed and archived.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Upcoming | Self::Backlog | Self::Coding | Self::Qa | Self::Merge => true,
            Self::Done | Self::Archived | Self::Closed => false,
        }
    }
}

words!(
    /// The holds, which stop an item in its column. Any number of them can be set at once.
    HoldKind, "hold" {
        /// Paused by somebody.
        Frozen = "frozen",
        /// Blocked, for a reason that is given.
        Blocked = "blocked",
        /// Passed its checks and waits for a person's approval.
        ReviewHold = "review-hold",
        /// The merge failed.
        MergeFailure = "merge-failure",
    }
);

words!(
    /// The status of an item, shown as one badge: derived from column and holds.
    Status, "status" {
        /// No hold is set.
        Active = "active",
        /// See [`HoldKind::Frozen`].
        Frozen = "frozen",
        /// See [`HoldKind::Blocked`].
        Blocked = "blocked",
        /// The merge failed and was given up.
        MergeFailureFinal = "merge-failure-final",
        /// See [`HoldKind::MergeFailure`].
        MergeFailure = "merge-failure",
        /// See [`HoldKind::ReviewHold`].
        ReviewHold = "review-hold",
        /// Closed: not going to be done.
        Abandoned = "abandoned",
        /// Closed in favour of another item.
        Superseded = "superseded",
        /// Closed: should not be done.
        Rejected = "rejected",
        /// Done.
        Done = "done",
    }
);

words!(
    /// How an item passes QA.
    Qa, "qa mode" {
        /// By the checks of the server; `submit` moves it straight to merge.
        Server = "server",
        /// By an agent.
        Agent = "agent",
        /// By a person: `pass-qa` sets a review hold, which only `approve` lifts.
        Human = "human",
    }
);

words!(
    /// Why a merge failed, as its reporter says.
    FailureKind, "merge failure" {
        /// The branch does not merge.
        Conflict = "conflict",
        /// A check on the merged tree failed.
        GatesFailed = "gates-failed",
        /// There was nothing to merge.
        EmptyDiff = "empty-diff",
        /// The branch has no commits.
        NoCommits = "no-commits",
        /// Anything else; the detail says what.
        Other = "other",
    }
);

words!(
    /// The state of an acceptance criterion.
    CriterionState, "criterion state" {
        /// Not judged yet.
        Open = "open",
        /// The work meets it.
        Met = "met",
        /// The work does not meet it.
        Failed = "failed",
        /// Skipped on purpose.
        Skipped = "skipped",
    }
);

words!(
    /// The kind of actor that asked for something.
    OriginKind, "origin kind" {
        /// A person.
        User = "user",
        /// A coding agent.
        Agent = "agent",
        /// towline itself.
        System = "system",
        /// A file that was imported.
        Import = "import",
    }
);

/// Who asked for an act. Required on every act, and the id is never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The kind of actor.
    pub kind: OriginKind,
    /// Who: a person's name, a chat identity such as `@ann:example.org`, an agent's name.
    pub id: String,
}

/// Why an origin is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The name is empty.
    #[error("no user name is set; use --as NAME, TOWLINE_USER, or `towline config user NAME`")]
    Empty,
    /// The name cannot be shown on one line.
    #[error(
        "a user name must be one line of at most {} characters without control characters",
        crate::limits::NAME_CHARS
    )]
    Unprintable,
}

impl Origin {
    /// A checked origin.
    ///
    /// # Errors
    /// When the id is empty, too long or not printable.
    pub fn new(kind: OriginKind, id: impl Into<String>) -> Result<Self, OriginError> {
        let origin = Self { kind, id: id.into() };
        origin.check()?;
        Ok(origin)
    }

    /// Checks an origin that came from elsewhere.
    ///
    /// # Errors
    /// When the id is empty, too long or not printable.
    pub fn check(&self) -> Result<(), OriginError> {
        if self.id.trim().is_empty() {
            return Err(OriginError::Empty);
        }
        crate::text::name(&self.id)
            .map(|_| ())
            .map_err(|_| OriginError::Unprintable)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            OriginKind::User => f.write_str(&self.id),
            OriginKind::Agent | OriginKind::System | OriginKind::Import => {
                write!(f, "{} ({})", self.id, self.kind)
            }
        }
    }
}

/// How an item was closed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case")]
pub enum Closing {
    /// It is not going to be done.
    Abandoned,
    /// In favour of another item.
    Superseded {
        /// The other item.
        by: ItemId,
    },
    /// It should not be done.
    Rejected {
        /// Why.
        reason: String,
    },
}

impl Closing {
    /// The status of an item that was closed like this.
    pub const fn status(&self) -> Status {
        match self {
            Self::Abandoned => Status::Abandoned,
            Self::Superseded { .. } => Status::Superseded,
            Self::Rejected { .. } => Status::Rejected,
        }
    }
}

/// The hold blocked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blocked {
    /// Why it is blocked.
    pub reason: String,
}

/// The hold merge failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MergeFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// What the reporter adds.
    pub detail: String,
    /// Given up: nothing retries the merge automatically.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The holds of an item. They are independent of the column: a held item stays in its column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holds {
    /// Paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Blocked, with the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// Waits for approval; only in the column qa.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// The merge failed; only in the column merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<MergeFailure>,
}

impl Holds {
    /// The holds that are set, in the order of their badges.
    pub fn kinds(&self) -> Vec<HoldKind> {
        let mut kinds = Vec::new();
        if self.frozen {
            kinds.push(HoldKind::Frozen);
        }
        if self.blocked.is_some() {
            kinds.push(HoldKind::Blocked);
        }
        if self.failure.is_some() {
            kinds.push(HoldKind::MergeFailure);
        }
        if self.review {
            kinds.push(HoldKind::ReviewHold);
        }
        kinds
    }

    /// Whether no hold is set.
    pub fn is_empty(&self) -> bool {
        !self.frozen && self.blocked.is_none() && !self.review && self.failure.is_none()
    }
}

/// The status: the first one that applies (docs/spec/pipeline.md, *Stage = column + holds*). A done item never shows
/// a merge failure, and a closed item never shows a hold.
pub fn status(column: Column, closing: Option<&Closing>, holds: &Holds) -> Status {
    match column {
        Column::Done => return Status::Done,
        Column::Archived => return closing.map_or(Status::Done, Closing::status),
        Column::Closed => return closing.map_or(Status::Abandoned, Closing::status),
        Column::Upcoming | Column::Backlog | Column::Coding | Column::Qa | Column::Merge => {}
    }
    if holds.frozen {
        return Status::Frozen;
    }
    if holds.blocked.is_some() {
        return Status::Blocked;
    }
    match &holds.failure {
        Some(failure) if failure.is_final => return Status::MergeFailureFinal,
        Some(_) => return Status::MergeFailure,
        None => {}
    }
    if holds.review {
        Status::ReviewHold
    } else {
        Status::Active
    }
}

/// A claim: the exclusive right to work on an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The act that made it.
    pub act: ActId,
    /// Who holds it: a person or an agent.
    pub holder: String,
    /// The holder's node.
    pub node: crate::NodeId,
    /// The fencing token: each claim of an item has a higher one than the claim before.
    pub generation: u32,
    /// Since when.
    pub at: Millis,
}
