//! From a command to its requests, without sending any.
//!
//! Several items make several requests. What can be checked without a store is checked here, before anything is
//! sent.

mod fields;
mod lists;

use std::path::Path;

use towline_api::request::{
    self, Administration, Edit, Failure, FailureCode, NewItem, Query, Request, Transition,
};
use towline_proto::{Column, Kind, Origin, Verb, limits};

use super::args::{
    Command, ConflictsArgs, ConflictsCommand, CreateArgs, DependsCommand, DoctorArgs, EditArgs, PeersArgs,
    TransitionCommand, kind,
};
use super::context::Context;
use super::listing::Listing;
use fields::{assign, criteria, epic, label, link};

/// The requests of a command, and how to print the replies.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The requests, each with the item to name in an error.
    pub(crate) requests: Vec<(String, Request)>,
    pub(crate) layout: Layout,
    /// Whether it changes something; `--dry-run` sends dry runs then.
    pub(crate) writes: bool,
    /// Whether it needs a user name.
    pub(crate) signed: bool,
    /// A list: of the reply, only the cards are shown that are in it too.
    pub(crate) among: Option<Request>,
}

impl Plan {
    /// Who asks.
    ///
    /// # Errors
    /// When the plan needs a user name and there is none.
    pub(crate) fn origin(&self, ctx: &Context) -> Result<Option<Origin>, Failure> {
        Ok(if self.signed {
            Some(ctx.origin()?)
        } else if self.layout == Layout::Pages {
            // The commands that are possible depend on the user; without a name it is anybody.
            ctx.origin().ok()
        } else {
            None
        })
    }
}

/// How replies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Cards by column, or in the order that was asked for.
    Columns(Listing),
    /// The cards of `ready`, in their order.
    Ready(Listing),
    /// Columns beside each other, with so many cards each.
    Board {
        /// As was asked for; else what suits the column.
        most: Option<usize>,
        /// The columns that were asked for; all when that is none.
        only: ColumnSelection,
    },
    /// Items in full.
    Pages,
    /// The criteria of an item.
    Criteria,
    /// A timeline; of the whole project, or of one item.
    Timeline { whole: bool },
    /// The result of a write.
    Applied,
    /// The one reply as it is.
    Plain,
}

/// Some columns of the pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ColumnSelection([bool; Column::ALL.len()]);

impl ColumnSelection {
    /// These; none means all.
    pub(crate) fn of(columns: &[Column]) -> Self {
        let mut is_in = Column::ALL.iter().map(|column| columns.contains(column));
        Self(std::array::from_fn(|_| is_in.next().unwrap_or_default()))
    }

    /// Whether a column is one of them.
    pub(crate) fn has(&self, column: Column) -> bool {
        let all = !self.0.contains(&true);
        let mut named = Column::ALL.iter().zip(self.0);
        all || named.any(|(each, is_in)| is_in && *each == column)
    }

    /// Whether this column was asked for by its name.
    pub(crate) fn names(&self, column: Column) -> bool {
        self.0.contains(&true) && self.has(column)
    }
}

impl Plan {
    fn read(body: impl Into<Request>, layout: Layout) -> Self {
        Self {
            requests: vec![(String::new(), body.into())],
            layout,
            writes: false,
            signed: false,
            among: None,
        }
    }

    fn pages(items: &[String], request: impl Fn(String) -> Request) -> Self {
        Self {
            requests: Self::each(items.to_vec(), request),
            layout: Layout::Pages,
            writes: false,
            signed: false,
            among: None,
        }
    }

    fn write(requests: Vec<(String, Request)>) -> Self {
        Self {
            requests,
            layout: Layout::Applied,
            writes: true,
            signed: true,
            among: None,
        }
    }

    /// The same plan as dry runs.
    pub(crate) fn into_dry_run(mut self) -> Self {
        let dry_run = |(item, body)| (item, Request::DryRun { of: Box::new(body) });
        self.requests = self.requests.into_iter().map(dry_run).collect();
        self
    }

    fn each(items: Vec<String>, request: impl Fn(String) -> Request) -> Vec<(String, Request)> {
        items
            .into_iter()
            .map(|item| (item.clone(), request(item)))
            .collect()
    }
}

/// The plan of a command that only sends requests; `None` for a command that does more.
pub(crate) fn plan(ctx: &Context, command: &Command) -> Result<Option<Plan>, Failure> {
    let one = |item: &str, body| Plan::write(vec![(item.to_owned(), body)]);
    Ok(Some(match command {
        Command::Status => Plan::read(Query::Status, Layout::Plain),
        Command::Doctor(DoctorArgs { repair: false }) => Plan::read(Administration::Doctor, Layout::Plain),
        Command::Members => Plan::read(Query::Members, Layout::Plain),
        Command::Peers(PeersArgs { me: false }) => Plan::read(Query::Peers, Layout::Plain),
        Command::Peers(PeersArgs { me: true }) => Plan::read(Query::Addresses, Layout::Plain),
        Command::Rebuild => Plan {
            writes: true,
            ..Plan::read(Administration::Rebuild, Layout::Plain)
        },
        Command::Ready(args) if args.claim => {
            let holder = args.holder.clone();
            one("", Request::Command(request::Command::ClaimReady { holder }))
        }
        Command::Ready(args) => lists::ready(ctx, args)?,
        Command::List(args) => lists::list(ctx, args)?,
        Command::Board(args) => lists::board(ctx, args)?,
        Command::Conflicts(args) => conflicts(args),
        Command::Explain(args) => Plan::pages(&args.items, |item| Request::Query(Query::Explain { item })),
        Command::Search(args) => lists::search(args),
        Command::Show(args) => Plan::pages(&args.items, |item| Request::Query(Query::Show { item })),
        Command::Log(args) => {
            let whole = args.item.is_none();
            let (item, limit) = (args.item.clone(), args.limit);
            let body = Query::Log { item, limit };
            Plan::read(body, Layout::Timeline { whole })
        }
        Command::Create(args) => one("", request::Command::Create(new_item(ctx, args)?).into()),
        Command::Edit(args) => match edit(ctx, args)? {
            Some(edit) => one(&args.item, Request::Command(request::Command::Edit(edit))),
            None => return Ok(None),
        },
        Command::Verb(verb) => Plan::write(transitions(ctx, verb.clone())?),
        Command::Assign(args) => Plan::write(assign(args)?),
        Command::Epic(args) if args.words.len() > 1 || args.none => Plan::write(epic(args)?),
        Command::Label(args) => Plan::write(label(args)?),
        Command::Depends(DependsCommand::Add { item, on }) => one(item, depends(item, on, &[])),
        Command::Depends(DependsCommand::Remove { item, on }) => one(item, depends(item, &[], on)),
        Command::Comment(args) => one(
            &args.item,
            Request::Command(request::Command::Comment {
                item: args.item.clone(),
                text: ctx.text(args.text.clone(), limits::NOTE_BYTES)?,
            }),
        ),
        Command::Undo(args) => {
            let item = args.item.clone();
            one(
                item.as_deref().unwrap_or_default(),
                request::Command::Undo { item: item.clone() }.into(),
            )
        }
        Command::Criteria(args) => return criteria(ctx, args).map(Some),
        Command::Link(args) => one(&args.item, link(args)),
        Command::Invite(args) => Plan {
            layout: Layout::Plain,
            ..{
                let valid_ms = u64::try_from(args.expires.as_millis()).unwrap_or(u64::MAX);
                let role = args.role;
                one("", Administration::Invite { role, valid_ms }.into())
            }
        },
        Command::Revoke { ticket } => Plan {
            layout: Layout::Plain,
            ..one(
                ticket,
                Administration::Revoke {
                    ticket: ticket.clone(),
                }
                .into(),
            )
        },
        Command::Sync(args) if !args.wait => Plan::read(Administration::SyncStatus, Layout::Plain),
        Command::Init(_)
        | Command::Doctor(DoctorArgs { repair: true })
        | Command::Deinit
        | Command::Up(_)
        | Command::Serve(_)
        | Command::Down(_)
        | Command::Open(_)
        | Command::Demo
        | Command::Watch(_)
        | Command::Depends(DependsCommand::Tree { .. })
        | Command::Epic(_)
        | Command::Join(_)
        | Command::Sync(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Completions(_)
        | Command::Config(_)
        | Command::Token(_)
        | Command::Man { .. } => return Ok(None),
    }))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Usage, message)
}

fn depends(item: &str, add: &[String], remove: &[String]) -> Request {
    Request::Command(request::Command::Depends {
        item: item.to_owned(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    })
}

fn conflicts(args: &ConflictsArgs) -> Plan {
    let item = args.item.clone();
    match &args.command {
        None => Plan::read(Query::Conflicts { item }, Layout::Plain),
        Some(ConflictsCommand::Resolve(args)) => {
            let (item, conflict, keep) = (args.item.clone(), args.conflict.clone(), args.keep.clone());
            let request = request::Command::Resolve { item, conflict, keep }.into();
            Plan::write(vec![(args.item.clone(), request)])
        }
    }
}

fn new_item(ctx: &Context, args: &CreateArgs) -> Result<NewItem, Failure> {
    let body = match (&args.body, &args.body_file) {
        (Some(body), _) => ctx.text(body.clone(), limits::BODY_BYTES)?,
        (None, Some(file)) => read(&ctx.dir.join(file))?,
        (None, None) => String::new(),
    };
    let (kind, title) = kind_and_title(args)?;
    Ok(NewItem {
        kind,
        title,
        body,
        upcoming: args.upcoming,
        priority: args.priority,
        qa: args.qa,
        labels: args.labels.clone(),
        depends_on: args.depends.clone(),
        epic: args.epic.clone(),
        assignee: args.assignee.clone(),
        criteria: args.criteria.clone(),
    })
}

/// `create TITLE` makes a story; where two words are given, the first is the kind.
fn kind_and_title(args: &CreateArgs) -> Result<(Kind, String), Failure> {
    let known = kind(&args.kind);
    match (&args.title, known) {
        (Some(title), Ok(kind)) => Ok((kind, title.clone())),
        (None, Err(_)) => Ok((Kind::Story, args.kind.clone())),
        (None, Ok(_)) => {
            let kind = &args.kind;
            Err(usage(format!(
                "missing title: use `towline create {kind} TITLE`; to create a story called {kind:?}, use `towline create story {kind}`"
            )))
        }
        (Some(_), Err(why)) => Err(usage(format!("{why}. Put a title of several words in quotes"))),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            FailureCode::Failure,
            format!("cannot read {}: {error}", file.display()),
        )
    };
    let most = towline_proto::limits::BODY_BYTES as u64;
    if std::fs::metadata(file).map_err(unreadable)?.len() > most {
        return Err(usage(format!(
            "{} is too long for a description: at most {most} bytes are allowed",
            file.display()
        )));
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// The changed fields; `None` if no field is named, which opens the editor.
fn edit(ctx: &Context, args: &EditArgs) -> Result<Option<Edit>, Failure> {
    let body = args.body.clone();
    let body = body.map(|body| ctx.text(body, limits::BODY_BYTES)).transpose()?;
    let edit = Edit {
        item: args.item.clone(),
        title: args.title.clone(),
        body,
        kind: args.kind,
        priority: args.priority,
        qa: args.qa,
        epic: args.epic.clone(),
        assignee: args.assignee.clone(),
        ..Edit::default()
    };
    let named = edit.title.is_some()
        || edit.body.is_some()
        || edit.kind.is_some()
        || edit.priority.is_some()
        || edit.qa.is_some()
        || edit.epic.is_some()
        || edit.assignee.is_some();
    Ok(named.then_some(edit))
}

fn transitions(ctx: &Context, verb: TransitionCommand) -> Result<Vec<(String, Request)>, Failure> {
    let (target, mut transition) = verb.parts();
    if target.expect.is_some() && target.items.len() > 1 {
        return Err(usage(
            "--expect can be used with one item only, because a revision belongs to an item",
        ));
    }
    let most = match transition.verb {
        Verb::MergeFailed => limits::BODY_BYTES,
        _ => limits::NOTE_BYTES,
    };
    transition.reason = transition
        .reason
        .map(|reason| ctx.text(reason, most).map(|text| text.trim_end().to_owned()))
        .transpose()?;
    Ok(Plan::each(target.items, |item| {
        Request::Command(request::Command::Transition(Transition {
            item,
            expect: target.expect.clone(),
            ..transition.clone()
        }))
    }))
}
