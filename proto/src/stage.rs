//! Where an item stands and what holds it there: columns, holds, status, and the other closed
//! vocabularies of the domain (pipeline spec, *Work item* and *Stage = column + holds*).
//!
//! Each word is written once, by [`words!`](self), and is the same in code, on the wire, in the
//! command line, in chat and on the board. What may follow what is in [`crate::table`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ActId, ItemId, Millis};

/// A word that is not one of a closed vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {got:?}; expected one of: {known}")]
pub struct UnknownWord {
    /// Which vocabulary.
    pub what: &'static str,
    /// What was given, cut to 80 characters.
    pub got: String,
    /// The words there are, separated by commas.
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
    /// What sort of work an item is.
    Kind, "kind" {
        /// Something a user gets.
        Story = "story",
        /// Something broken.
        Bug = "bug",
        /// A question to answer.
        Spike = "spike",
        /// A change of shape without a change of behaviour.
        Refactor = "refactor",
        /// A set of items; cannot be claimed.
        Epic = "epic",
    }
);

words!(
    /// Where an item stands, in pipeline order.
    Column, "column" {
        /// Not yet looked at; shown at the foot of the backlog.
        Upcoming = "upcoming",
        /// Waits to be started.
        Backlog = "backlog",
        /// Being made.
        Coding = "coding",
        /// Being checked.
        Qa = "qa",
        /// Waits to reach the main branch.
        Merge = "merge",
        /// Reached it.
        Done = "done",
        /// Done or closed, and out of sight.
        Archived = "archived",
        /// Ended without being done; see [`Closing`].
        Closed = "closed",
    }
);

impl Column {
    /// *Open* is every column but done, closed and archived.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Upcoming | Self::Backlog | Self::Coding | Self::Qa | Self::Merge => true,
            Self::Done | Self::Archived | Self::Closed => false,
        }
    }
}

words!(
    /// One of the things that can hold an item where it stands. Any number hold at once.
    HoldKind, "hold" {
        /// Put on ice by somebody.
        Frozen = "frozen",
        /// Cannot go on, for a reason that is given.
        Blocked = "blocked",
        /// Passed its checks and waits for a person's approval.
        ReviewHold = "review-hold",
        /// The merge went wrong.
        MergeFailure = "merge-failure",
    }
);

words!(
    /// The one badge of an item, derived from column and holds.
    Status, "status" {
        /// Nothing holds it.
        Active = "active",
        /// See [`HoldKind::Frozen`].
        Frozen = "frozen",
        /// See [`HoldKind::Blocked`].
        Blocked = "blocked",
        /// The merge went wrong and was given up.
        MergeFailureFinal = "merge-failure-final",
        /// See [`HoldKind::MergeFailure`].
        MergeFailure = "merge-failure",
        /// See [`HoldKind::ReviewHold`].
        ReviewHold = "review-hold",
        /// Closed: not going to be done.
        Abandoned = "abandoned",
        /// Closed: another item took its place.
        Superseded = "superseded",
        /// Closed: should not be done.
        Rejected = "rejected",
        /// Done.
        Done = "done",
    }
);

words!(
    /// Who passes an item through QA.
    Qa, "qa mode" {
        /// The server's gates; `submit` goes straight to merge.
        Server = "server",
        /// An agent.
        Agent = "agent",
        /// A person: `pass-qa` leaves a review hold that only `approve` lifts.
        Human = "human",
    }
);

words!(
    /// Why a merge failed, typed by whoever reports it.
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
    /// How far an acceptance criterion is met.
    CriterionState, "criterion state" {
        /// Not looked at.
        Open = "open",
        /// True of the work.
        Met = "met",
        /// Not true of the work.
        Failed = "failed",
        /// Left out on purpose.
        Skipped = "skipped",
    }
);

words!(
    /// What sort of actor asked for something.
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
    /// What sort of actor.
    pub kind: OriginKind,
    /// Who: a person's name, a chat identity such as `@ann:example.org`, an agent's name.
    pub id: String,
}

/// Why an origin is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Nobody is named.
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

/// How a closed item ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case")]
pub enum Closing {
    /// Nobody is going to do it.
    Abandoned,
    /// Another item took its place.
    Superseded {
        /// The successor.
        by: ItemId,
    },
    /// It should not be done.
    Rejected {
        /// Why.
        reason: String,
    },
}

impl Closing {
    /// The badge of an item that ended so.
    pub const fn status(&self) -> Status {
        match self {
            Self::Abandoned => Status::Abandoned,
            Self::Superseded { .. } => Status::Superseded,
            Self::Rejected { .. } => Status::Rejected,
        }
    }
}

/// A blocked hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blocked {
    /// Why it cannot go on.
    pub reason: String,
}

/// A merge failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MergeFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// What the reporter adds.
    pub detail: String,
    /// Given up: nobody retries by itself.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// Everything that holds an item. Holds are beside the column, never instead of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holds {
    /// Put on ice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Cannot go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// Waits for approval; only ever in qa.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// The merge went wrong; only ever in merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<MergeFailure>,
}

impl Holds {
    /// The kinds that hold, in order of their badge.
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

    /// Whether nothing holds.
    pub fn is_empty(&self) -> bool {
        !self.frozen && self.blocked.is_none() && !self.review && self.failure.is_none()
    }
}

/// The badge: the first that applies, as the pipeline spec lists them. A done item never shows a
/// failure and a closed one never a hold that was lifted by its end.
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

/// The exclusive right to work on an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The act that made it.
    pub act: ActId,
    /// Who holds it: a person or an agent.
    pub holder: String,
    /// On which node.
    pub node: crate::NodeId,
    /// The fencing number: every claim of an item has a higher one than the last.
    pub generation: u32,
    /// Since when.
    pub at: Millis,
}
