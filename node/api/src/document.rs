//! JSON documents: what `--json` prints and the HTTP API answers. Each names its schema first.
//!
//! This is the only place that gives data a schema. Within a version fields may be added; no field changes its
//! meaning or goes away. The shapes are those of [`crate::types`].

use serde::Serialize;
use towline_proto::{Millis, ProjectId};

use crate::export_line::{ItemLine, SettingsLine};
use crate::failure::Failure;
use crate::reply::Reply;
use crate::types::{
    Applied, Doctor, EntryImportReport, EntryInfo, EventDocument, Explanation, FeedEvent, HistoryLine,
    ImportReport, ItemCard, ItemPage, LineOutcome, MemberInfo, OpenConflict, PeerInfo, ProjectStatus,
    Setting,
};

/// The names of the schemas.
pub mod schema {
    /// Where a node can be dialled: `addresses`.
    pub const ADDRESSES: &str = "towline.addresses/v1";
    /// Changes that were made: `applied`, one for each item.
    pub const APPLIED: &str = "towline.applied/v2";
    /// The outcome of a bundle.
    pub const ARRIVED: &str = "towline.arrived/v1";
    /// The address of the board: `board`.
    pub const BOARD: &str = "towline.board/v1";
    /// The cards of a board by column: `columns`.
    pub const COLUMNS: &str = "towline.columns/v1";
    /// Settings: `project`, from the command line also those of the machine.
    pub const CONFIG: &str = "towline.config/v1";
    /// Unresolved conflicts: `conflicts`.
    pub const CONFLICTS: &str = "towline.conflicts/v1";
    /// Findings in a store.
    pub const DOCTOR: &str = "towline.doctor/v1";
    /// Nothing to report.
    pub const DONE: &str = "towline.done/v1";
    /// An entry that is about no item.
    pub const ENTRY: &str = "towline.entry/v1";
    /// An epic and its items.
    pub const EPIC: &str = "towline.epic/v1";
    /// The boards of a demo: `boards`.
    pub const DEMO: &str = "towline.demo/v1";
    /// A failure.
    pub const ERROR: &str = "towline.error/v1";
    /// Events with their positions: `events`.
    pub const EVENTS: &str = "towline.events/v2";
    /// Why items are in their state: `items`.
    pub const EXPLANATIONS: &str = "towline.explanations/v1";
    /// Lines of an export: `lines` or `settings`.
    pub const EXPORT_LINES: &str = "towline.exports/v1";
    /// A timeline: `lines`.
    pub const HISTORY: &str = "towline.history/v1";
    /// Counts of an import.
    pub const IMPORT: &str = "towline.import/v1";
    /// One item in full.
    pub const ITEM_PAGE: &str = "towline.item-page/v1";
    /// Several items in full: `items`.
    pub const ITEM_PAGES: &str = "towline.item-pages/v1";
    /// Cards: `items`.
    pub const ITEMS: &str = "towline.items/v1";
    /// Members and open invitations: `members`.
    pub const MEMBERS: &str = "towline.members/v1";
    /// Connected peers: `peers`.
    pub const PEERS: &str = "towline.peers/v1";
    /// What a command would do: `steps`.
    pub const PLAN: &str = "towline.plan/v1";
    /// A new project.
    pub const PROJECT: &str = "towline.project/v1";
    /// The projects of a node: `projects`.
    pub const PROJECTS: &str = "towline.projects/v1";
    /// Entries of the log: `records`.
    pub const RECORDS: &str = "towline.records/v1";
    /// Counts and position.
    pub const STATUS: &str = "towline.status/v1";
    /// How many peers are in sync.
    pub const SYNCED: &str = "towline.synced/v1";
    /// The outcome of each line of an import: `lines`.
    pub const TAKEN: &str = "towline.taken/v1";
    /// An invitation.
    pub const TICKET: &str = "towline.ticket/v1";
    /// A new API token: `token`, and what is known about it.
    pub const TOKEN: &str = "towline.token/v1";
    /// API tokens without their secrets: `tokens`.
    pub const TOKENS: &str = "towline.tokens/v1";
    /// What an item depends on.
    pub const TREE: &str = "towline.tree/v1";
}

/// Data with its schema in front.
#[derive(Debug, Clone, Serialize)]
pub struct Document<T> {
    schema: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(flatten)]
    data: T,
}

impl<T: Serialize> Document<T> {
    /// A document; its data must be an object.
    pub const fn new(schema: &'static str, data: T) -> Self {
        Self {
            schema,
            dry_run: false,
            data,
        }
    }

    /// The same, marked as that of a dry run if it is one.
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Its schema.
    pub const fn schema(&self) -> &'static str {
        self.schema
    }
}

// These are not generic: the encoders of all replies are large, and so they are compiled once, in this crate.
impl Document<Data<'_>> {
    /// The document on one line, with a line feed.
    pub fn to_line(&self) -> String {
        line(self)
    }
}

impl Document<&Failure> {
    /// The document on one line, with a line feed.
    pub fn to_line(&self) -> String {
        line(self)
    }
}

impl EventDocument<'_> {
    /// The document on one line, with a line feed.
    pub fn to_line(&self) -> String {
        line(self)
    }
}

/// A document that names its schema itself, on one line with a line feed.
pub fn line(document: &impl Serialize) -> String {
    match serde_json::to_string(document) {
        Ok(mut line) => {
            line.push('\n');
            line
        }
        // A type that cannot be encoded would be a bug; it must not look like an empty success.
        Err(error) => {
            let (schema, message) = (schema::ERROR, error.to_string());
            format!(
                "{{\"schema\":\"{schema}\",\"code\":\"failure\",\"message\":{message:?},\"retry\":false}}\n"
            )
        }
    }
}

/// The data of the document of a reply.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the fields are those of the documents")]
pub enum Data<'a> {
    Cards {
        items: &'a [ItemCard],
    },
    Page(&'a ItemPage),
    Pages {
        items: &'a [ItemPage],
    },
    History {
        lines: &'a [HistoryLine],
    },
    Conflicts {
        conflicts: &'a [OpenConflict],
    },
    Explanations {
        items: &'a [Explanation],
    },
    Status(&'a ProjectStatus),
    Doctor(&'a Doctor),
    Members {
        members: &'a [MemberInfo],
    },
    Peers {
        peers: &'a [PeerInfo],
    },
    Addresses {
        addresses: &'a [String],
    },
    Events {
        events: &'a [FeedEvent],
    },
    Applied {
        applied: &'a [Applied],
    },
    Settings {
        project: &'a [Setting],
    },
    SettingsLine {
        settings: Option<&'a SettingsLine>,
    },
    Imported(&'a ImportReport),
    Lines {
        lines: &'a [ItemLine],
    },
    LineOutcomes {
        lines: &'a [LineOutcome],
    },
    Records {
        project: &'a ProjectId,
        records: &'a [String],
        next: u64,
    },
    EntriesImported(&'a EntryImportReport),
    Ticket {
        ticket: &'a str,
        expires: Millis,
    },
    Entry(&'a EntryInfo),
    Synced {
        peers: usize,
        equal: usize,
    },
    Board {
        board: &'a str,
    },
    Done {},
}

/// The document of a reply.
pub fn reply(reply: &Reply) -> Document<Data<'_>> {
    let (schema, data) = match reply {
        Reply::Cards(items) => (schema::ITEMS, Data::Cards { items }),
        Reply::Page(page) => (schema::ITEM_PAGE, Data::Page(page)),
        Reply::Pages(items) => (schema::ITEM_PAGES, Data::Pages { items }),
        Reply::History(lines) => (schema::HISTORY, Data::History { lines }),
        Reply::Conflicts(conflicts) => (schema::CONFLICTS, Data::Conflicts { conflicts }),
        Reply::Explanations(items) => (schema::EXPLANATIONS, Data::Explanations { items }),
        Reply::Status(status) => (schema::STATUS, Data::Status(status)),
        Reply::Doctor(found) => (schema::DOCTOR, Data::Doctor(found)),
        Reply::Members(members) => (schema::MEMBERS, Data::Members { members }),
        Reply::Peers(peers) => (schema::PEERS, Data::Peers { peers }),
        Reply::Addresses(addresses) => (schema::ADDRESSES, Data::Addresses { addresses }),
        Reply::Events(events) => (schema::EVENTS, Data::Events { events }),
        Reply::Applied(one) => return applied(std::slice::from_ref(one)),
        Reply::Settings(project) => (schema::CONFIG, Data::Settings { project }),
        Reply::SettingsLine(line) => {
            let settings = line.as_deref();
            (schema::EXPORT_LINES, Data::SettingsLine { settings })
        }
        Reply::Imported(report) => (schema::IMPORT, Data::Imported(report)),
        Reply::Lines(lines) => (schema::EXPORT_LINES, Data::Lines { lines }),
        Reply::LineOutcomes(lines) => (schema::TAKEN, Data::LineOutcomes { lines }),
        Reply::ExportedEntries {
            project,
            records,
            next,
        } => {
            let next = *next;
            (
                schema::RECORDS,
                Data::Records {
                    project,
                    records,
                    next,
                },
            )
        }
        Reply::EntriesImported(report) => (schema::ARRIVED, Data::EntriesImported(report)),
        Reply::Ticket { ticket, expires } => {
            let expires = *expires;
            (schema::TICKET, Data::Ticket { ticket, expires })
        }
        Reply::Entry(entry) => (schema::ENTRY, Data::Entry(entry)),
        Reply::Synced { peers, equal } => {
            let (peers, equal) = (*peers, *equal);
            (schema::SYNCED, Data::Synced { peers, equal })
        }
        Reply::Link { url } => (schema::BOARD, Data::Board { board: url }),
        Reply::Done => (schema::DONE, Data::Done {}),
    };
    Document::new(schema, data)
}

/// The document of changes that were made, however many.
pub const fn applied(applied: &[Applied]) -> Document<Data<'_>> {
    Document {
        schema: schema::APPLIED,
        dry_run: false,
        data: Data::Applied { applied },
    }
}

/// The document of a failure.
pub const fn failure(failure: &Failure) -> Document<&Failure> {
    Document {
        schema: schema::ERROR,
        dry_run: false,
        data: failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureCode;

    #[test]
    fn a_document_begins_with_its_schema() {
        let synced = Reply::Synced { peers: 2, equal: 1 };
        assert_eq!(
            reply(&synced).to_line(),
            "{\"schema\":\"towline.synced/v1\",\"peers\":2,\"equal\":1}\n"
        );
        assert_eq!(
            reply(&Reply::Done).with_dry_run(true).to_line(),
            "{\"schema\":\"towline.done/v1\",\"dry_run\":true}\n"
        );
        assert_eq!(
            reply(&Reply::Cards(Vec::new())).to_line(),
            "{\"schema\":\"towline.items/v1\",\"items\":[]}\n"
        );
    }

    #[test]
    fn a_failure_has_one_form_for_all() {
        let refused = Failure::new(FailureCode::NotAllowed, "no");
        assert_eq!(
            failure(&refused).to_line(),
            "{\"schema\":\"towline.error/v1\",\"code\":\"not-allowed\",\"message\":\"no\",\"retry\":false}\n"
        );
    }
}
