//! Acts: a record of one transition or edit, with the acts that its author had seen.
//!
//! An act is written once, under a key that only its author can write ([`ActId::derive`]), and never changes. The
//! fold derives column, holds, claim, fields and conflicts from acts; they are stored nowhere. A record lists in
//! `saw` the acts of the same registers that its author had seen, and supersedes those. Only acts that did not see
//! each other compete (docs/spec/pipeline.md, *When replicas disagree*).
//!
//! Acts are encoded as MessagePack with one-letter field names: an act is a single scalar in the item's document.
//! Fields and operations of a newer version are kept in the document unchanged.

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::stage::words;
use crate::text::{self, TextError};
use crate::{
    ActId, Column, CriterionState, FailureKind, ItemId, Kind, Millis, Origin, Qa, Register, RequestId, Verb,
    limits,
};

/// One recorded transition or edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The operation.
    #[serde(rename = "o")]
    pub op: Op,
    /// The acts that its author had seen, in the registers that `op` reads or writes.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<ActId>,
    /// When, by the author's clock; for showing only.
    #[serde(rename = "t")]
    pub at: Millis,
    /// Who asked for it.
    #[serde(rename = "b")]
    pub origin: Origin,
    /// Makes the record's hash smaller or larger than another's, so that an exported item which is imported again
    /// keeps the order of its ties. (An author could steer the hash by choosing a time just as well.)
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u32>,
    /// The id of the request that it fulfils, when the request has one. A second act of the same request in the same
    /// item, written by a node that had not seen the first, is the same intent and counts once.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

words!(
    /// What a link of an item points to.
    LinkKind, "link kind" {
        /// A commit.
        Commit = "commit",
        /// A branch.
        Branch = "branch",
        /// A pull request.
        PullRequest = "pull-request",
        /// The same thing in another tracker, as `tracker:id`; imports find their items by it.
        External = "external",
        /// Another item, with no order between the two; the target is its id.
        Related = "related",
    }
);

/// The operation of an act. The transitions are those of [`crate::table`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "kebab-case")]
pub enum Op {
    /// The first act of every item.
    Create {
        /// The number that people type: one above every number that the creating node knew.
        number: u32,
        /// The kind of work.
        kind: Kind,
        /// The title, one line.
        title: String,
        /// Backlog or upcoming.
        column: Column,
        /// 0 (highest) to 4.
        priority: u8,
        /// How it passes QA.
        qa: Qa,
    },

    /// Move it into the backlog.
    Triage,
    /// Start work on it.
    Start {
        /// Why it starts although a dependency is not satisfied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        force: Option<String>,
    },
    /// Submit it from coding for checks.
    Submit,
    /// Send it back to coding.
    RequestChanges {
        /// What is wrong.
        reason: String,
    },
    /// The checks passed.
    PassQa,
    /// A person approved.
    Approve,
    /// It was merged into the main branch: a fact if a commit is named, otherwise an intent.
    Merged {
        /// The commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// The merge failed.
    MergeFailed {
        /// The kind of failure.
        kind: FailureKind,
        /// What the reporter adds.
        detail: String,
    },
    /// Retry the merge.
    RetryMerge,
    /// Give up on the merge: nothing retries it automatically.
    GiveUpMerge,
    /// Set the hold blocked.
    Block {
        /// Why.
        reason: String,
    },
    /// Lift the hold blocked.
    Unblock,
    /// Set the hold frozen: pause the item in its column.
    Freeze,
    /// Lift the hold frozen.
    Unfreeze,
    /// Close it: it is not going to be done.
    Abandon {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Close it in favour of another item.
    Supersede {
        /// The other item.
        by: ItemId,
    },
    /// Close it: it should not be done.
    Reject {
        /// Why.
        reason: String,
    },
    /// Bring it back to the backlog.
    Reopen,
    /// Archive it.
    Archive,
    /// Override the table: move it from any column to any open column.
    Move {
        /// The column.
        to: Column,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Claim the exclusive right to work on it.
    Claim {
        /// The person or agent that holds the claim.
        holder: String,
        /// One above every generation that its author saw.
        generation: u32,
    },
    /// Release the claim.
    Release {
        /// The generation of the claim.
        generation: u32,
    },
    /// Take over the claim from a holder whose node is gone.
    TakeOver {
        /// The new holder.
        holder: String,
        /// One above the claim that is taken over.
        generation: u32,
        /// The last renewal of the old claim that the new holder's node saw.
        renewal: Millis,
        /// Why it is taken over although its holder was seen recently.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        force: Option<String>,
    },
    /// Delete it: hide it everywhere until it is restored.
    Delete {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Restore a deleted item.
    Restore,
    /// Purge it from the trash. Takes effect only when there are no concurrent acts that its author had not seen.
    Purge,

    /// Resolve a conflict by choosing one of the competing acts. Called `settle` on the wire.
    #[serde(rename = "settle")]
    Resolve {
        /// The register of the conflict.
        over: Register,
        /// The act that is kept, whose effect this one repeats.
        keep: ActId,
    },

    /// Field: title.
    SetTitle {
        /// The new one.
        title: String,
    },
    /// Field: kind.
    SetKind {
        /// The new one.
        kind: Kind,
    },
    /// Field: priority.
    SetPriority {
        /// 0 (highest) to 4.
        priority: u8,
    },
    /// Field: QA mode.
    SetQa {
        /// The new one.
        qa: Qa,
    },
    /// Field: epic.
    SetEpic {
        /// The epic, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epic: Option<ItemId>,
    },
    /// Field: assignee.
    Assign {
        /// A person or agent, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    /// The body was edited; the text itself is in the document's `body`.
    EditBody,

    /// Set: labels. Adding wins against a concurrent removal.
    AddLabel {
        /// The label.
        label: String,
    },
    /// Set: labels. Removes the additions that it saw.
    RemoveLabel {
        /// The label.
        label: String,
    },
    /// Set: dependencies. Adding wins against a concurrent removal.
    AddDependency {
        /// What must be done first.
        on: ItemId,
    },
    /// Set: dependencies. Removes the additions that it saw.
    RemoveDependency {
        /// The item that is no longer a dependency.
        on: ItemId,
    },
    /// Set: links. Adding wins against a concurrent removal.
    AddLink {
        /// What it points to.
        kind: LinkKind,
        /// Where.
        target: String,
    },
    /// Set: links. Removes the additions that it saw.
    RemoveLink {
        /// What it points to.
        kind: LinkKind,
        /// Where.
        target: String,
    },

    /// A comment.
    Comment {
        /// Markdown.
        text: String,
    },
    /// A new acceptance criterion; its id is the id of this act.
    AddCriterion {
        /// What must be true of the work.
        text: String,
    },
    /// A criterion was judged.
    SetCriterion {
        /// Which.
        criterion: ActId,
        /// Its new state.
        state: CriterionState,
        /// A reference to what proves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
    },

    /// Records from which version of a foreign tracker's record the item was created or updated. Importing the same
    /// record again changes nothing, whatever was edited here since.
    MarkImport {
        /// A hash of the record, in hex.
        digest: String,
        /// When the record was last changed in the other tracker, so that an older version of it is recognised; zero
        /// when the record has no time. Absent in acts of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record_at: Option<Millis>,
    },

    /// A setting of the project. Allowed in the settings document only ([`ItemId::settings`]), and in effect only
    /// when a maintainer or an owner signed it.
    Set {
        /// Its name. Settings that this version does not know are kept.
        key: String,
        /// Its value; absent to restore the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },

    /// An operation of a newer version: kept, shown as unknown, without effect.
    #[serde(other)]
    Unknown,
}

/// Why an act is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Not decodable.
    #[error("the change cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// A text in it is not valid.
    #[error("invalid {field}: {source}")]
    Text {
        /// Which text.
        field: &'static str,
        /// What is wrong with it.
        source: TextError,
    },
    /// Its origin is missing or not valid.
    #[error(transparent)]
    Origin(#[from] crate::stage::OriginError),
    /// A number out of range.
    #[error("the {field} is {got}; {want}")]
    Range {
        /// Which number.
        field: &'static str,
        /// What it is.
        got: u64,
        /// What it may be.
        want: &'static str,
    },
    /// More bytes than the record of one act may have.
    #[error("the change has {got} bytes, but at most {max} fit into one record; shorten the text")]
    Size {
        /// Bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// The register cannot have conflicts.
    #[error("the {over} has no conflict to resolve: nothing written there was overridden")]
    Over {
        /// What was named.
        over: String,
    },
    /// A column that this operation cannot lead to.
    #[error("{verb} cannot lead to {to}; it leads to {want}")]
    Column {
        /// What was tried.
        verb: &'static str,
        /// The column given.
        to: Column,
        /// What would be right.
        want: &'static str,
    },
}

impl Op {
    /// The transition of the table that this is, if it is one.
    pub const fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::Triage => Verb::Triage,
            Self::Start { .. } => Verb::Start,
            Self::Submit => Verb::Submit,
            Self::RequestChanges { .. } => Verb::RequestChanges,
            Self::PassQa => Verb::PassQa,
            Self::Approve => Verb::Approve,
            Self::Merged { .. } => Verb::Merged,
            Self::MergeFailed { .. } => Verb::MergeFailed,
            Self::RetryMerge => Verb::RetryMerge,
            Self::GiveUpMerge => Verb::GiveUpMerge,
            Self::Block { .. } => Verb::Block,
            Self::Unblock => Verb::Unblock,
            Self::Freeze => Verb::Freeze,
            Self::Unfreeze => Verb::Unfreeze,
            Self::Abandon { .. } => Verb::Abandon,
            Self::Supersede { .. } => Verb::Supersede,
            Self::Reject { .. } => Verb::Reject,
            Self::Reopen => Verb::Reopen,
            Self::Archive => Verb::Archive,
            Self::Move { .. } => Verb::Move,
            Self::Claim { .. } => Verb::Claim,
            Self::Release { .. } => Verb::Release,
            Self::TakeOver { .. } => Verb::TakeOver,
            Self::Delete { .. } => Verb::Delete,
            Self::Restore => Verb::Restore,
            Self::Purge => Verb::Purge,
            Self::Create { .. }
            | Self::Resolve { .. }
            | Self::SetTitle { .. }
            | Self::SetKind { .. }
            | Self::SetPriority { .. }
            | Self::SetQa { .. }
            | Self::SetEpic { .. }
            | Self::Assign { .. }
            | Self::EditBody
            | Self::AddLabel { .. }
            | Self::RemoveLabel { .. }
            | Self::AddDependency { .. }
            | Self::RemoveDependency { .. }
            | Self::AddLink { .. }
            | Self::RemoveLink { .. }
            | Self::Comment { .. }
            | Self::AddCriterion { .. }
            | Self::SetCriterion { .. }
            | Self::MarkImport { .. }
            | Self::Set { .. }
            | Self::Unknown => return None,
        })
    }

    /// The name of its kind: the verb, or what is edited.
    pub const fn name(&self) -> &'static str {
        self.kind().as_str()
    }

    fn check(&self) -> Result<(), ActError> {
        let text = |field, result: Result<&str, TextError>| {
            result
                .map(|_| ())
                .map_err(|source| ActError::Text { field, source })
        };
        let priority = |priority: u8| {
            if priority <= 4 {
                return Ok(());
            }
            Err(ActError::Range {
                field: "priority",
                got: priority.into(),
                want: "0 (highest) to 4",
            })
        };
        match self {
            Self::Create {
                title,
                column,
                priority: given,
                number,
                ..
            } => {
                text("title", text::title(title))?;
                priority(*given)?;
                if *number == 0 {
                    return Err(ActError::Range {
                        field: "number",
                        got: 0,
                        want: "numbers begin at 1",
                    });
                }
                match column {
                    Column::Backlog | Column::Upcoming => Ok(()),
                    Column::Coding
                    | Column::Qa
                    | Column::Merge
                    | Column::Done
                    | Column::Archived
                    | Column::Closed => Err(ActError::Column {
                        verb: "create",
                        to: *column,
                        want: "backlog or upcoming",
                    }),
                }
            }
            Self::SetTitle { title } => text("title", text::title(title)),
            Self::SetPriority { priority: given } => priority(*given),
            Self::Start { force: Some(reason) }
            | Self::RequestChanges { reason }
            | Self::Block { reason }
            | Self::Abandon { reason: Some(reason) }
            | Self::Reject { reason }
            | Self::Delete { reason: Some(reason) } => text("reason", text::note(reason)),
            Self::Merged { commit: Some(commit) } => text("commit", text::name(commit)),
            Self::MergeFailed { detail, .. } => text("detail", text::body(detail)),
            Self::Move { to, reason } => {
                if let Some(reason) = reason {
                    text("reason", text::note(reason))?;
                }
                if to.is_open() {
                    return Ok(());
                }
                Err(ActError::Column {
                    verb: "move",
                    to: *to,
                    want: "an open column",
                })
            }
            Self::TakeOver {
                holder,
                force: Some(reason),
                ..
            } => {
                text("holder", text::name(holder))?;
                text("reason", text::note(reason))
            }
            Self::Claim { holder, .. } | Self::TakeOver { holder, .. } => text("holder", text::name(holder)),
            Self::Resolve { over, .. } if !over.can_conflict() => Err(ActError::Over {
                over: text::show(&over.to_string(), 80),
            }),
            Self::Assign { who: Some(who) } => text("assignee", text::name(who)),
            Self::AddLabel { label } | Self::RemoveLabel { label } => text("label", text::name(label)),
            Self::AddLink { target, .. } | Self::RemoveLink { target, .. } => {
                text("link", text::name(target))
            }
            Self::Comment { text: said } => text("comment", text::note(said)),
            Self::MarkImport { digest, .. } => text("digest", text::name(digest)),
            Self::Set { key, value } => {
                text("name of the setting", text::name(key))?;
                value
                    .as_deref()
                    .map_or(Ok(()), |value| text("value of the setting", text::name(value)))
            }
            Self::AddCriterion { text: criterion } => text("criterion", text::note(criterion)),
            Self::SetCriterion {
                evidence: Some(evidence),
                ..
            } => text("evidence", text::name(evidence)),
            Self::Triage
            | Self::Start { force: None }
            | Self::Submit
            | Self::PassQa
            | Self::Approve
            | Self::Merged { commit: None }
            | Self::RetryMerge
            | Self::GiveUpMerge
            | Self::Unblock
            | Self::Freeze
            | Self::Unfreeze
            | Self::Abandon { reason: None }
            | Self::Supersede { .. }
            | Self::Reopen
            | Self::Archive
            | Self::Release { .. }
            | Self::Delete { reason: None }
            | Self::Restore
            | Self::Purge
            | Self::Resolve { .. }
            | Self::SetKind { .. }
            | Self::SetQa { .. }
            | Self::SetEpic { .. }
            | Self::Assign { who: None }
            | Self::EditBody
            | Self::AddDependency { .. }
            | Self::RemoveDependency { .. }
            | Self::SetCriterion { evidence: None, .. }
            | Self::Unknown => Ok(()),
        }
    }
}

impl Act {
    /// The bytes that go into the document.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Checks the act and returns the bytes for the document. What [`Act::decode`] refuses on other nodes is refused
    /// here, before it is written: a log with an entry that nobody accepts could not be continued.
    ///
    /// # Errors
    /// The first thing that is out of bounds.
    pub fn record(&self) -> Result<Vec<u8>, ActError> {
        self.check()?;
        let bytes = self.encode();
        if bytes.len() > limits::ACT_BYTES {
            let (got, max) = (bytes.len(), limits::ACT_BYTES);
            return Err(ActError::Size { got, max });
        }
        Ok(bytes)
    }

    /// Reads and checks a record. An operation of a newer version becomes [`Op::Unknown`].
    ///
    /// # Errors
    /// When it is not readable or something in it is out of bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, ActError> {
        if bytes.len() > limits::ACT_BYTES {
            return Err(DecodeError::TooLarge {
                got: bytes.len(),
                max: limits::ACT_BYTES,
            }
            .into());
        }
        let act: Self = codec::decode(bytes)?;
        act.check()?;
        Ok(act)
    }

    /// Checks every text and number in the act.
    ///
    /// # Errors
    /// The first thing that is out of bounds.
    pub fn check(&self) -> Result<(), ActError> {
        self.origin.check()?;
        if self.saw.len() > limits::SAW_PER_ACT {
            return Err(ActError::Range {
                field: "number of acts seen",
                got: self.saw.len() as u64,
                want: "at most 256",
            });
        }
        self.op.check()
    }

    /// The hash of a record's bytes, which breaks ties between competing acts.
    pub fn record_hash(bytes: &[u8]) -> [u8; 32] {
        blake3::derive_key("towline/act/1", bytes)
    }
}
