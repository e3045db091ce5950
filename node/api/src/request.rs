//! The requests to a project and their replies, for the command line, the API, the board and chat.
//!
//! One closed set of requests and replies, plain data with a JSON form, so that asking a running
//! node through its socket and opening the store directly are the same thing. Nothing here performs
//! anything: see `towline-engine`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towline_proto::{
    Column, CriterionState, FailureKind, Kind, LinkKind, Millis, Origin, ProjectId, Qa, RequestId, Role, Verb,
};

use super::types::{
    Applied, Doctor, EntryImportReport, EntryInfo, Explanation, FeedEvent, HistoryLine, ImportPass,
    ImportReport, ItemCard, ItemPage, LineOutcome, MemberInfo, OpenConflict, PeerInfo, ProjectStatus,
    Setting,
};
use crate::export_line::{ItemLine, SettingsLine};

mod import;
mod properties;

pub use import::{ImportRecord, Part};

/// The name of an item: `42`, `42a`, `#42`, a key prefix of four or more hex digits, the full id,
/// or the id that it has in another tracker.
pub type ItemRef = String;

/// One request to one project.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Cards that pass a filter, in board order.
    List(Filter),
    /// One item in full.
    Show {
        /// Which.
        item: ItemRef,
    },
    /// Cards whose title, body, label or reference contains every word of the text.
    Search {
        /// The words.
        text: String,
        /// At most so many.
        limit: usize,
    },
    /// The items that somebody can start now, best first.
    Ready {
        /// The user; somebody without assigned items when absent.
        #[serde(default)]
        asker: Option<String>,
        /// What cannot be started too, behind the rest, with the reason in
        /// [`ItemCard::in_the_way`] or in its assignee.
        #[serde(default)]
        all: bool,
    },
    /// Start and claim the best ready item. Two callers never get the same item.
    #[serde(rename = "take-ready")]
    ClaimReady {
        /// Who is to work on it; the origin when absent.
        #[serde(default)]
        holder: Option<String>,
    },
    /// The settings of the project.
    Settings,
    /// Change a setting of the project.
    Set {
        /// Which.
        key: String,
        /// Its value; absent for the default.
        #[serde(default)]
        value: Option<String>,
    },
    /// The settings with everything that was done to them, for export; nothing where nobody set any.
    SettingsLine,
    /// The settings of an export of ours.
    ImportSettings {
        /// The line.
        line: Box<SettingsLine>,
        /// Only say what would happen.
        dry_run: bool,
    },
    /// Unresolved conflicts of one item or of the project, oldest first.
    Conflicts {
        /// Which item; all when absent.
        #[serde(default)]
        item: Option<ItemRef>,
    },
    /// Why an item is in its state.
    Explain {
        /// Which.
        item: ItemRef,
    },
    /// The timeline of one item, or of the whole project, newest last.
    Log {
        /// Which item; all when absent.
        #[serde(default)]
        item: Option<ItemRef>,
        /// The last so many lines.
        limit: usize,
    },
    /// Counts, peers, position.
    Status,
    /// Check the store: recompute everything derived, compare, and check the log.
    Doctor,
    /// Members and open invitations.
    Members,
    /// Connected peers and whether they are in sync. Empty without a running node.
    Peers,
    /// Where this node can be dialled, to be given to others.
    Addresses,
    /// Every item in full, in order of creation, for export. Paged: at most `limit` from `offset`.
    Export {
        /// Items to skip.
        offset: usize,
        /// At most so many.
        limit: usize,
    },
    /// Every item with everything that was done to it, in order of creation. Paged like
    /// [`Request::Export`]; a page may hold fewer than `limit`, and the last is empty.
    ExportLines {
        /// Items to skip.
        offset: usize,
        /// At most so many.
        limit: usize,
    },
    /// Entries of the log in its order, as they were signed.
    #[serde(rename = "records")]
    ExportEntries {
        /// Where the last answer ended; 0 for the beginning.
        after: u64,
    },
    /// Entries of this project from a bundle. They pass the same checks as entries from peers; importing them
    /// again changes nothing.
    #[serde(rename = "carried")]
    ImportEntries {
        /// Which project they are of.
        project: ProjectId,
        /// Entries in base64, at most [`MAX_ENTRIES`] of them.
        records: Vec<String>,
    },
    /// Events after a feed position, for `watch` and subscribers.
    Events {
        /// The last position that the asker has.
        after: u64,
        /// At most so many.
        limit: usize,
    },

    /// A new item.
    Create(NewItem),
    /// Change fields of an item; what is absent stays.
    Edit(Edit),
    /// A transition of the table.
    Transition(Transition),
    /// Add and remove labels.
    Label {
        /// Which item.
        item: ItemRef,
        /// To add.
        add: Vec<String>,
        /// To remove.
        remove: Vec<String>,
    },
    /// Add and remove dependencies.
    Depends {
        /// Which item.
        item: ItemRef,
        /// What must be done first.
        add: Vec<ItemRef>,
        /// What need not any more.
        remove: Vec<ItemRef>,
    },
    /// Add and remove links.
    Link {
        /// Which item.
        item: ItemRef,
        /// To add.
        add: Vec<(LinkKind, String)>,
        /// To remove.
        remove: Vec<(LinkKind, String)>,
    },
    /// Add a comment.
    Comment {
        /// Which item.
        item: ItemRef,
        /// Markdown.
        text: String,
    },
    /// Add an acceptance criterion.
    AddCriterion {
        /// Which item.
        item: ItemRef,
        /// What must be true.
        text: String,
    },
    /// Judge a criterion.
    SetCriterion {
        /// Which item.
        item: ItemRef,
        /// Which criterion, counted from 1.
        index: usize,
        /// How far it is met.
        state: CriterionState,
        /// What proves it.
        #[serde(default)]
        evidence: Option<String>,
    },

    /// Resolve a conflict by choosing the side that takes effect.
    #[serde(rename = "settle")]
    Resolve {
        /// Which item.
        item: ItemRef,
        /// The beginning of the conflict's id; the only one when absent.
        #[serde(default)]
        conflict: Option<String>,
        /// The side: its key, its author, its action, its result, or the first digits of the act's id.
        keep: String,
    },

    /// Items from another tracker, found again by their external reference.
    ImportItems {
        /// At most [`IMPORT_CHUNK`] of them.
        items: Vec<ImportItem>,
        /// Only count what would happen.
        dry_run: bool,
    },
    /// Relations between imported items, once all are there.
    ImportRelations {
        /// At most [`IMPORT_CHUNK`] of them.
        relations: Vec<ImportRelation>,
        /// Only count what would happen.
        dry_run: bool,
    },

    /// Lines of an export of ours.
    ImportLines {
        /// At most [`IMPORT_CHUNK`] of them.
        lines: Vec<ItemLine>,
        /// The references of the items that they name, by what the file calls them.
        names: BTreeMap<String, String>,
        /// Which pass over the file.
        pass: ImportPass,
    },

    /// A ticket for a new member.
    Invite {
        /// What it may do.
        role: Role,
        /// Valid for so many milliseconds.
        valid_ms: u64,
    },
    /// Revoke an invitation.
    #[serde(rename = "withdraw")]
    Revoke {
        /// The first hex digits of its hash, as `members` shows them.
        ticket: String,
    },
    /// Delete the cache and rebuild it from the log.
    Rebuild,
    /// How many connected peers are in sync.
    #[serde(rename = "sync-now")]
    SyncStatus,
    /// A request with an id. If an act with that id is already known, the reply is that of the first time and
    /// nothing is done. Disconnected nodes that execute it make one intent.
    #[serde(rename = "once")]
    Idempotent {
        /// Its name.
        id: RequestId,
        /// What is asked.
        of: Box<Request>,
    },
    /// A dry run: the request is applied in memory, answered and undone; nothing is written. It is a request of
    /// its own, so that a node that does not know it refuses it instead of executing it.
    #[serde(rename = "rehearse")]
    DryRun {
        /// What would be asked.
        of: Box<Request>,
    },
}

/// At most so many items or relations in one import request.
pub const IMPORT_CHUNK: usize = 200;

/// At most so many entries in one [`Request::ImportEntries`].
pub const MAX_ENTRIES: usize = 1_024;

/// Which items to list. Empty means all that are open or done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only these columns.
    pub columns: Vec<Column>,
    /// Only these kinds.
    pub kinds: Vec<Kind>,
    /// Only with all of these labels.
    pub labels: Vec<String>,
    /// Only of this assignee or claim holder.
    pub assignee: Option<String>,
    /// Only with one of these badges.
    pub statuses: Vec<towline_proto::Status>,
    /// Only items of this epic.
    pub epic: Option<ItemRef>,
    /// Only with these words in the title.
    pub text: Option<String>,
    /// Archived and closed ones too.
    pub all: bool,
    /// Only the trash.
    pub deleted: bool,
    /// At most so many; 0 means all.
    pub limit: usize,
}

/// A new item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewItem {
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Markdown.
    #[serde(default)]
    pub body: String,
    /// Before the backlog instead of in it.
    #[serde(default)]
    pub upcoming: bool,
    /// 0 (highest) to 4.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Who passes it through QA.
    #[serde(default)]
    pub qa: Option<Qa>,
    /// Labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What must be done first.
    #[serde(default)]
    pub depends_on: Vec<ItemRef>,
    /// Its epic.
    #[serde(default)]
    pub epic: Option<ItemRef>,
    /// A person or agent.
    #[serde(default)]
    pub assignee: Option<String>,
    /// Acceptance criteria.
    #[serde(default)]
    pub criteria: Vec<String>,
}

/// Changed fields of an item; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Edit {
    /// Which item.
    pub item: ItemRef,
    /// New title.
    pub title: Option<String>,
    /// New body.
    pub body: Option<String>,
    /// The body that the new one was made from: only the difference is written, so that an edit
    /// elsewhere merges. Without it the difference is taken from the body as it stands.
    pub body_base: Option<String>,
    /// New kind.
    pub kind: Option<Kind>,
    /// New priority.
    pub priority: Option<u8>,
    /// New QA mode.
    pub qa: Option<Qa>,
    /// New epic; an empty string means none.
    pub epic: Option<ItemRef>,
    /// New assignee; an empty string means nobody.
    pub assignee: Option<String>,
}

/// A transition with whatever its verb needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transition {
    /// Which item.
    pub item: ItemRef,
    /// Which transition.
    pub verb: Verb,
    /// Reason of `block`, `reject`, `request-changes`, `abandon`, `move`, `delete`, and of a forced
    /// `start` or `take-over`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Target of `move`.
    #[serde(default)]
    pub to: Option<Column>,
    /// Successor of `supersede`.
    #[serde(default)]
    pub by: Option<ItemRef>,
    /// Commit of `merged`.
    #[serde(default)]
    pub commit: Option<String>,
    /// Kind of `merge-failed`.
    #[serde(default)]
    pub failure: Option<FailureKind>,
    /// Holder of `start`, `claim` and `take-over`; the origin when absent.
    #[serde(default)]
    pub holder: Option<String>,
    /// `start` although a dependency is not satisfied; `take-over` although the holder's node was
    /// seen recently.
    #[serde(default)]
    pub force: bool,
    /// `start` without claiming it, which a person or an agent does otherwise.
    #[serde(default)]
    pub no_claim: bool,
    /// The revision ([`ItemCard::revision`]) that the asker had in front of it; on a mismatch the
    /// request is refused with the current card.
    #[serde(default)]
    pub expect: Option<String>,
}

impl Transition {
    /// A transition with nothing but its verb.
    pub fn plain(item: impl Into<ItemRef>, verb: Verb) -> Self {
        Self {
            item: item.into(),
            verb,
            reason: None,
            to: None,
            by: None,
            commit: None,
            failure: None,
            holder: None,
            force: false,
            no_claim: false,
            expect: None,
        }
    }
}

/// Where an imported item ends up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum ImportStage {
    /// Open, in a column.
    Open {
        /// Which.
        column: Column,
    },
    /// Done.
    Done,
    /// Closed without being done.
    Abandoned {
        /// Why.
        reason: Option<String>,
    },
    /// In the trash.
    Deleted {
        /// Why.
        reason: Option<String>,
    },
}

/// A remark of an imported item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportComment {
    /// Its id in the other tracker, so that the record of an issue tells its comments apart. A comment is
    /// found again by its time and text, or by its text alone where it has no time; one that was
    /// edited over there is another.
    pub id: String,
    /// Who said it.
    pub author: String,
    /// When; 0 where that is not known.
    pub at: Millis,
    /// What.
    pub text: String,
}

/// An acceptance criterion of an imported item, found again by its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCriterion {
    /// What must be true of the work.
    pub text: String,
    /// How far it is met.
    pub state: CriterionState,
}

/// One item from another tracker, already in our words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportItem {
    /// `tracker:id`; an item with this external link is updated instead of made again.
    pub external: String,
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// 0 to 4.
    pub priority: u8,
    /// Labels.
    pub labels: Vec<String>,
    /// A person or agent.
    pub assignee: Option<String>,
    /// Who made it there.
    pub created_by: String,
    /// When; 0 where that is not known, and it then is when it is imported.
    pub created_at: Millis,
    /// When it last changed there; 0 where that is not known.
    pub updated_at: Millis,
    /// Where it ends up.
    pub stage: ImportStage,
    /// Put on ice.
    pub frozen: bool,
    /// Blocked, and why.
    pub blocked: Option<String>,
    /// What was said.
    pub comments: Vec<ImportComment>,
    /// Further links.
    pub links: Vec<(LinkKind, String)>,
    /// What must be true of the work, in order. Left out of the encoding where there is nothing, so
    /// that the hash of a record without criteria is what it was before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<ImportCriterion>,
    /// About the record itself. Left out where there is nothing, for the same reason.
    #[serde(default, skip_serializing_if = "ImportRecord::is_plain")]
    pub record: ImportRecord,
}

/// How two imported items relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// `from` depends on `to`.
    DependsOn,
    /// `from` belongs to the epic `to`.
    Epic,
    /// A link without an order.
    Related,
    /// `to` takes the place of `from`; only noted as a link when `from` is not open.
    SupersededBy,
}

/// A relation between two imported items, by their external references or ids. One end may be an item that
/// is not here: then it is kept as a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRelation {
    /// Whose it is.
    pub from: String,
    /// What it is.
    pub kind: RelationKind,
    /// To whom.
    pub to: String,
    /// When it was made there.
    pub at: Millis,
    /// By whom.
    pub by: String,
    /// The record that says it; empty where that is not known.
    #[serde(default)]
    pub said_by: String,
    /// When that record last changed; 0 where that is not known.
    #[serde(default)]
    pub record_at: Millis,
}

/// The reply to a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", content = "data", rename_all = "kebab-case")]
pub enum Reply {
    /// Cards.
    Cards(Vec<ItemCard>),
    /// One item in full.
    Page(Box<ItemPage>),
    /// Several items in full.
    Pages(Vec<ItemPage>),
    /// A timeline.
    History(Vec<HistoryLine>),
    /// Unresolved conflicts.
    Conflicts(Vec<OpenConflict>),
    /// Why items are in their state; several only if items share the number.
    Explanations(Vec<Explanation>),
    /// Counts and position.
    Status(Box<ProjectStatus>),
    /// Findings.
    Doctor(Doctor),
    /// Members.
    Members(Vec<MemberInfo>),
    /// Peers.
    Peers(Vec<PeerInfo>),
    /// Where this node can be dialled, the best first, each with the node at its end.
    Addresses(Vec<String>),
    /// Events with their feed positions.
    Events(Vec<FeedEvent>),
    /// A change was made and is on disk.
    Applied(Box<Applied>),
    /// The settings of the project.
    Settings(Vec<Setting>),
    /// The settings as a line of an export.
    SettingsLine(Option<Box<SettingsLine>>),
    /// Counts of an import chunk.
    Imported(ImportReport),
    /// Items with everything that was done to them.
    Lines(Vec<ItemLine>),
    /// The outcome of each line of an import.
    #[serde(rename = "taken")]
    LineOutcomes(Vec<LineOutcome>),
    /// Entries of the log.
    #[serde(rename = "records")]
    ExportedEntries {
        /// Which project they are of.
        project: ProjectId,
        /// Entries in base64; none behind the end.
        records: Vec<String>,
        /// Where to go on.
        next: u64,
    },
    /// The outcome of the entries of a bundle.
    #[serde(rename = "arrived")]
    EntriesImported(EntryImportReport),
    /// A ticket.
    Ticket {
        /// The string to hand over.
        ticket: String,
        /// Until when.
        expires: Millis,
    },
    /// An entry that is about no item was written.
    Entry(EntryInfo),
    /// How many connected peers are in sync.
    Synced {
        /// Connected peers.
        peers: usize,
        /// Peers that hold the same.
        equal: usize,
    },
    /// An address to open in a browser, once.
    Link {
        /// The address, with its one-time code.
        url: String,
    },
    /// Nothing to report.
    Done,
}

/// A request on its way through the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Which project, by name or id prefix; the only one when absent.
    #[serde(default)]
    pub project: Option<String>,
    /// Who asks. Required for everything that writes.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// What is asked.
    pub body: Request,
}

/// The kind of failure, with its exit code (docs/cli.md, *Exit codes*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// 1: anything else.
    Failure,
    /// 2: asked wrongly.
    Usage,
    /// 3: not there, or more than one.
    NotFound,
    /// 4: not allowed.
    NotAllowed,
    /// 5: illegal transition, claim held, stale revision.
    Conflict,
    /// 6: findings.
    Findings,
    /// 69: the node cannot be reached.
    Unreachable,
    /// 75: somebody else holds the lock; try again later.
    Busy,
    /// 124: timed out.
    TimedOut,
}

impl FailureCode {
    /// The process exit code.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 4,
            Self::Conflict => 5,
            Self::Findings => 6,
            Self::Unreachable => 69,
            Self::Busy => 75,
            Self::TimedOut => 124,
        }
    }
}

/// A request that failed. Nothing was changed.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What sort.
    pub code: FailureCode,
    /// What failed, why, and what to do about it.
    pub message: String,
    /// The card as it stands, where the asker's was stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<ItemCard>>,
}

impl Failure {
    /// A failure of a sort with its sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            current: None,
        }
    }
}
