//! The requests to a project, for the command line, the API, the board and chat.
//!
//! One closed set in three families (queries, commands and administration), plain data with a JSON form, so
//! that asking a running node through its socket and opening the store directly are the same thing. What each
//! request needs and gives is in [`properties`]. Nothing here performs anything: see `towline-engine`.

use serde::{Deserialize, Serialize};
use towline_proto::{Origin, RequestId};

mod administration;
pub mod check;
mod command;
pub mod fields;
mod import;
pub mod properties;
mod query;
#[cfg(test)]
mod tests;
mod wire;

pub use administration::{Administration, IMPORT_CHUNK, MAX_ENTRIES};
pub use command::{Command, Edit, NewItem, Transition};
pub use import::{
    ImportComment, ImportCriterion, ImportItem, ImportRecord, ImportRelation, ImportStage, Part, RelationKind,
};
pub use query::{Filter, Query};

pub use crate::failure::{Failure, FailureCode, Hint};
pub use crate::reply::Reply;

/// The name of an item: `42`, `42a`, `#42`, a key prefix of four or more hex digits, the full id,
/// or the id that it has in another tracker.
pub type ItemRef = String;

/// One request to one project. Its JSON is an object with the name of the request in `request`.
#[derive(Debug, Clone)]
pub enum Request {
    /// It reads.
    Query(Query),
    /// It changes items or settings.
    Command(Command),
    /// It is about the whole project.
    Administration(Administration),
    /// `once`: a request with an id. If an act with that id is already known, the reply is that of the first time and
    /// nothing is done. Disconnected nodes that execute it make one intent.
    Idempotent {
        /// Its name.
        id: RequestId,
        /// What is asked.
        of: Box<Request>,
    },
    /// `rehearse`: the request is applied in memory, answered and undone; nothing is written. It is a request of
    /// its own, so that a node that does not know it refuses it instead of executing it.
    DryRun {
        /// What would be asked.
        of: Box<Request>,
    },
}

impl From<Query> for Request {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

impl From<Administration> for Request {
    fn from(administration: Administration) -> Self {
        Self::Administration(administration)
    }
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
