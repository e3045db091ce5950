//! The replies to requests.
//!
//! A closed set of plain data, tagged on the socket. Its form as a document is in [`crate::document`].

mod read;

use serde::Serialize;
use towline_proto::{Millis, ProjectId};

use crate::export_line::{ItemLine, SettingsLine};
use crate::types::{
    Applied, Doctor, EntryImportReport, EntryInfo, Explanation, FeedEvent, HistoryLine, ImportReport,
    ItemCard, ItemPage, LineOutcome, MemberInfo, OpenConflict, PeerInfo, ProjectStatus, Setting,
};

/// The reply to a request.
#[derive(Debug, Clone, Serialize)]
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
