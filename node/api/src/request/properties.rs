//! What the engine, the socket, HTTP and the command line need to know about each request, in one table.
//!
//! Relies on the compiler: a request without a row does not compile. Never decides what a request does; the rules
//! of the domain are checked where it is executed.

use std::time::Duration;

use towline_proto::Role;

use super::{Administration, Command, Query, Request};
use crate::document::schema;

/// The name of [`Request::Idempotent`].
pub const IDEMPOTENT: &str = "once";
/// The name of [`Request::DryRun`].
pub const DRY_RUN: &str = "rehearse";

/// The family of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [`Query`].
    Query,
    /// [`Command`].
    Command,
    /// [`Administration`].
    Administration,
}

/// What a request does to a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// It makes entries of this node in the log, so that it needs an origin.
    Writes,
    /// It changes the store without an entry of this node.
    Maintains,
}

/// Whether a request may come over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverHttp {
    /// From everybody who may read.
    Read,
    /// From whoever may write.
    Write,
    /// From nobody. Membership and the store itself are changed on the node's machine only: a stolen browser
    /// session or token must not be able to invite others. The same goes for acts in the name of other people.
    Refused,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// As long as somebody waits.
    Short,
    /// It processes a whole project or many items. A rebuild of a large project takes seconds, and a busy
    /// machine may take some times that.
    Long,
}

impl TimeLimit {
    /// The time after which nobody waits for the reply any more.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(30),
            Self::Long => Duration::from_secs(300),
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Properties {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// The least role that a node needs to execute it.
    pub role: Role,
    /// What it does to the project.
    pub effect: Effect,
    /// Whether it may come over HTTP.
    pub http: OverHttp,
    /// How long it may take.
    pub time_limit: TimeLimit,
    /// The schema of the document that is made of its reply.
    pub schema: &'static str,
}

impl Properties {
    /// The row of a name. [`Request::Idempotent`] and [`Request::DryRun`] have none: theirs is that of the request
    /// inside.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.name == name)
    }
}

const fn query(name: &'static str, schema: &'static str) -> Properties {
    Properties {
        name,
        family: Family::Query,
        role: Role::Reader,
        effect: Effect::Reads,
        http: OverHttp::Read,
        time_limit: TimeLimit::Short,
        schema,
    }
}

const fn command(name: &'static str, role: Role) -> Properties {
    Properties {
        name,
        family: Family::Command,
        role,
        effect: Effect::Writes,
        http: OverHttp::Write,
        time_limit: TimeLimit::Short,
        schema: schema::APPLIED,
    }
}

const fn administration(
    name: &'static str,
    role: Role,
    effect: Effect,
    http: OverHttp,
    time_limit: TimeLimit,
    schema: &'static str,
) -> Properties {
    Properties {
        name,
        family: Family::Administration,
        role,
        effect,
        http,
        time_limit,
        schema,
    }
}

/// Every request.
#[rustfmt::skip]
pub const TABLE: &[Properties] = {
    use Effect::{Maintains, Reads, Writes};
    use OverHttp::{Read, Refused, Write};
    use Role::{Writer, Maintainer, Owner, Reader};
    use TimeLimit::{Long, Short};
    &[
        query("list", schema::ITEMS),
        query("show", schema::ITEM_PAGE),
        query("search", schema::ITEMS),
        query("ready", schema::ITEMS),
        query("settings", schema::CONFIG),
        query("conflicts", schema::CONFLICTS),
        query("explain", schema::EXPLANATIONS),
        query("log", schema::HISTORY),
        query("status", schema::STATUS),
        query("members", schema::MEMBERS),
        query("peers", schema::PEERS),
        query("addresses", schema::ADDRESSES),
        query("events", schema::EVENTS),
        Properties { time_limit: Long, ..query("export", schema::ITEM_PAGES) },
        command("create", Writer),
        command("edit", Writer),
        command("transition", Writer),
        command("label", Writer),
        command("depends", Writer),
        command("link", Writer),
        command("comment", Writer),
        command("add-criterion", Writer),
        command("set-criterion", Writer),
        command("settle", Writer),
        command("take-ready", Writer),
        command("undo", Writer),
        command("set", Maintainer),
        administration("doctor", Reader, Reads, Read, Long, schema::DOCTOR),
        administration("sync-now", Reader, Reads, Read, Short, schema::SYNCED),
        administration("rebuild", Reader, Maintains, Refused, Long, schema::DONE),
        administration("invite", Owner, Writes, Refused, Short, schema::TICKET),
        administration("withdraw", Owner, Writes, Refused, Short, schema::ENTRY),
        administration("settings-line", Reader, Reads, Read, Short, schema::EXPORT_LINES),
        administration("export-lines", Reader, Reads, Read, Long, schema::EXPORT_LINES),
        administration("records", Reader, Reads, Refused, Long, schema::RECORDS),
        administration("import-settings", Maintainer, Writes, Refused, Long, schema::TAKEN),
        administration("import-items", Writer, Writes, Write, Long, schema::IMPORT),
        administration("import-relations", Writer, Writes, Write, Long, schema::IMPORT),
        administration("import-lines", Writer, Writes, Refused, Long, schema::TAKEN),
        administration("carried", Reader, Maintains, Refused, Long, schema::ARRIVED),
    ]
};

/// The row of a name, while the program is compiled.
const fn row(name: &str) -> &'static Properties {
    let mut rest = TABLE;
    while let [first, more @ ..] = rest {
        if is_same(first.name.as_bytes(), name.as_bytes()) {
            return first;
        }
        rest = more;
    }
    #[expect(
        clippy::panic,
        reason = "only the compiler calls this, and then does not compile"
    )]
    {
        panic!("a request without a row in the table")
    }
}

const fn is_same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let ([first, more @ ..], [other, rest @ ..]) = (a, b) {
        if *first != *other {
            return false;
        }
        (a, b) = (more, rest);
    }
    a.is_empty() && b.is_empty()
}

impl Query {
    /// Its row.
    pub const fn properties(&self) -> &'static Properties {
        match self {
            Self::List(_) => const { row("list") },
            Self::Show { .. } => const { row("show") },
            Self::Search { .. } => const { row("search") },
            Self::Ready { .. } => const { row("ready") },
            Self::Settings => const { row("settings") },
            Self::Conflicts { .. } => const { row("conflicts") },
            Self::Explain { .. } => const { row("explain") },
            Self::Log { .. } => const { row("log") },
            Self::Status => const { row("status") },
            Self::Members => const { row("members") },
            Self::Peers => const { row("peers") },
            Self::Addresses => const { row("addresses") },
            Self::Events { .. } => const { row("events") },
            Self::Export { .. } => const { row("export") },
        }
    }
}

impl Command {
    /// Its row.
    pub const fn properties(&self) -> &'static Properties {
        match self {
            Self::Create(_) => const { row("create") },
            Self::Edit(_) => const { row("edit") },
            Self::Transition(_) => const { row("transition") },
            Self::Label { .. } => const { row("label") },
            Self::Depends { .. } => const { row("depends") },
            Self::Link { .. } => const { row("link") },
            Self::Comment { .. } => const { row("comment") },
            Self::AddCriterion { .. } => const { row("add-criterion") },
            Self::SetCriterion { .. } => const { row("set-criterion") },
            Self::Resolve { .. } => const { row("settle") },
            Self::ClaimReady { .. } => const { row("take-ready") },
            Self::Undo { .. } => const { row("undo") },
            Self::Set { .. } => const { row("set") },
        }
    }
}

impl Administration {
    /// Its row.
    pub const fn properties(&self) -> &'static Properties {
        match self {
            Self::Doctor => const { row("doctor") },
            Self::Rebuild => const { row("rebuild") },
            Self::SyncStatus => const { row("sync-now") },
            Self::Invite { .. } => const { row("invite") },
            Self::Revoke { .. } => const { row("withdraw") },
            Self::SettingsLine => const { row("settings-line") },
            Self::ExportLines { .. } => const { row("export-lines") },
            Self::ExportEntries { .. } => const { row("records") },
            Self::ImportSettings { .. } => const { row("import-settings") },
            Self::ImportItems { .. } => const { row("import-items") },
            Self::ImportRelations { .. } => const { row("import-relations") },
            Self::ImportLines { .. } => const { row("import-lines") },
            Self::ImportEntries { .. } => const { row("carried") },
        }
    }
}

impl Request {
    /// Its row; that of the request inside for [`Self::Idempotent`] and [`Self::DryRun`].
    pub const fn properties(&self) -> &'static Properties {
        match self {
            Self::Query(query) => query.properties(),
            Self::Command(command) => command.properties(),
            Self::Administration(administration) => administration.properties(),
            Self::Idempotent { of, .. } | Self::DryRun { of } => of.properties(),
        }
    }

    /// What it does to the project; a dry run does nothing.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::DryRun { .. } => Effect::Reads,
            Self::Idempotent { of, .. } => of.effect(),
            Self::Query(_) | Self::Command(_) | Self::Administration(_) => self.properties().effect,
        }
    }

    /// Whether it changes something, so that it needs an origin and a sync of the log.
    pub const fn writes(&self) -> bool {
        matches!(self.effect(), Effect::Writes)
    }

    /// Whether it may come over HTTP. A dry run may not: it holds up the project's thread like a write.
    pub const fn over_http(&self) -> OverHttp {
        match self {
            Self::DryRun { .. } => OverHttp::Refused,
            Self::Idempotent { of, .. } => of.over_http(),
            Self::Query(_) | Self::Command(_) | Self::Administration(_) => self.properties().http,
        }
    }

    /// How long it may take.
    pub const fn time_limit(&self) -> Duration {
        self.properties().time_limit.duration()
    }
}
