//! From a command to requests, without asking anybody: decide first, then act.
//!
//! Several items make several requests. Everything that can be refused without a store is refused
//! here, before anything is sent.

use std::path::Path;

use super::args::{
    AssignArgs, Command, ConflictsArgs, ConflictsCommand, CreateArgs, CriteriaArgs, CriterionCommand,
    DependsCommand, DoctorArgs, EditArgs, EpicArgs, FilterArgs, LabelArgs, LinkArgs, VerbCommand,
};
use super::context::Context;
use crate::request::{Edit, Failure, FailureCode, Filter, NewItem, Request, Transition};

/// What is to be asked, and how the answers are shown.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What each request is about, for its errors, and the request.
    pub(crate) asks: Vec<(String, Request)>,
    pub(crate) shape: Shape,
    /// Whether `--dry-run` holds it back.
    pub(crate) writes: bool,
    /// Whether it must be known who asks.
    pub(crate) signed: bool,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Cards by column.
    Columns,
    /// Cards in their order.
    Ready,
    /// Columns beside each other, with so many cards each.
    Board {
        /// As was asked for; else what suits the column.
        most: Option<usize>,
    },
    /// Items in full.
    Pages,
    /// The criteria of an item.
    Criteria,
    /// A timeline; of the whole project, or of one item.
    Timeline { whole: bool },
    /// What a write came to.
    Applied,
    /// The one answer as it is.
    Plain,
}

impl Plan {
    fn read(body: Request, shape: Shape) -> Self {
        Self {
            asks: vec![(String::new(), body)],
            shape,
            writes: false,
            signed: false,
        }
    }

    fn pages(items: &[String], request: impl Fn(String) -> Request) -> Self {
        Self {
            asks: Self::each(items.to_vec(), request),
            shape: Shape::Pages,
            writes: false,
            signed: false,
        }
    }

    fn write(asks: Vec<(String, Request)>) -> Self {
        Self {
            asks,
            shape: Shape::Applied,
            writes: true,
            signed: true,
        }
    }

    fn each(items: Vec<String>, request: impl Fn(String) -> Request) -> Vec<(String, Request)> {
        items
            .into_iter()
            .map(|item| (item.clone(), request(item)))
            .collect()
    }
}

/// What a command that only asks comes to; `None` for one that does more than that.
pub(crate) fn plan(ctx: &Context, command: &Command) -> Result<Option<Plan>, Failure> {
    let one = |item: &str, body| Plan::write(vec![(item.to_owned(), body)]);
    Ok(Some(match command {
        Command::Status => Plan::read(Request::Status, Shape::Plain),
        Command::Doctor(DoctorArgs { mend: false }) => Plan::read(Request::Doctor, Shape::Plain),
        Command::Members => Plan::read(Request::Members, Shape::Plain),
        Command::Peers => Plan::read(Request::Peers, Shape::Plain),
        Command::Rebuild => Plan {
            writes: true,
            ..Plan::read(Request::Rebuild, Shape::Plain)
        },
        Command::Ready => Plan::read(Request::Ready, Shape::Ready),
        Command::List(args) => {
            let filter = filter(ctx, &args.filter, args.limit)?;
            Plan::read(Request::List(filter), Shape::Columns)
        }
        Command::Board(args) => {
            let filter = filter(ctx, &args.filter, 0)?;
            Plan::read(Request::List(filter), Shape::Board { most: args.limit })
        }
        Command::Conflicts(args) => conflicts(args),
        Command::Explain(args) => Plan::pages(&args.items, |item| Request::Explain { item }),
        Command::Search(args) => {
            let text = args.words.join(" ");
            let limit = args.limit;
            Plan::read(Request::Search { text, limit }, Shape::Columns)
        }
        Command::Show(args) => Plan::pages(&args.items, |item| Request::Show { item }),
        Command::Log(args) => {
            let whole = args.item.is_none();
            let body = Request::Log {
                item: args.item.clone(),
                limit: args.limit,
            };
            Plan::read(body, Shape::Timeline { whole })
        }
        Command::Create(args) => one("", Request::Create(new_item(ctx, args)?)),
        Command::Edit(args) => match edit(ctx, args)? {
            Some(edit) => one(&args.item, Request::Edit(edit)),
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
            Request::Comment {
                item: args.item.clone(),
                text: ctx.text(args.text.clone())?,
            },
        ),
        Command::Criteria(args) => return criteria(ctx, args).map(Some),
        Command::Link(args) => one(&args.item, link(args)),
        Command::Invite(args) => Plan {
            shape: Shape::Plain,
            ..one(
                "",
                Request::Invite {
                    role: args.role,
                    valid_ms: u64::try_from(args.expires.as_millis()).unwrap_or(u64::MAX),
                },
            )
        },
        Command::Withdraw { ticket } => Plan {
            shape: Shape::Plain,
            ..one(
                ticket,
                Request::Withdraw {
                    ticket: ticket.clone(),
                },
            )
        },
        Command::Sync(args) if !args.wait => Plan::read(Request::SyncNow, Shape::Plain),
        Command::Init(_)
        | Command::Doctor(DoctorArgs { mend: true })
        | Command::Deinit
        | Command::Up(_)
        | Command::Serve(_)
        | Command::Down(_)
        | Command::Open
        | Command::Watch(_)
        | Command::Depends(DependsCommand::Tree { .. })
        | Command::Epic(_)
        | Command::Join(_)
        | Command::Sync(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Completions { .. }
        | Command::Config(_)
        | Command::Man { .. } => return Ok(None),
    }))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Usage, message)
}

fn depends(item: &str, add: &[String], remove: &[String]) -> Request {
    Request::Depends {
        item: item.to_owned(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    }
}

fn conflicts(args: &ConflictsArgs) -> Plan {
    let item = args.item.clone();
    match &args.command {
        None => Plan::read(Request::Conflicts { item }, Shape::Plain),
        Some(ConflictsCommand::Settle(args)) => {
            let settle = Request::Settle {
                item: args.item.clone(),
                conflict: args.conflict.clone(),
                keep: args.keep.clone(),
            };
            Plan::write(vec![(args.item.clone(), settle)])
        }
    }
}

fn filter(ctx: &Context, args: &FilterArgs, limit: usize) -> Result<Filter, Failure> {
    let assignee = match args.mine {
        true => Some(ctx.origin()?.id),
        false => args.assignee.clone(),
    };
    Ok(Filter {
        columns: args.columns.clone(),
        kinds: args.kinds.clone(),
        labels: args.labels.clone(),
        assignee,
        statuses: args.statuses.clone(),
        epic: args.epic.clone(),
        text: args.text.clone(),
        all: args.all,
        deleted: args.deleted,
        limit,
    })
}

fn new_item(ctx: &Context, args: &CreateArgs) -> Result<NewItem, Failure> {
    let body = match (&args.body, &args.body_file) {
        (Some(body), _) => ctx.text(body.clone())?,
        (None, Some(file)) => read(&ctx.dir.join(file))?,
        (None, None) => String::new(),
    };
    Ok(NewItem {
        kind: args.kind,
        title: args.title.clone(),
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

fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            FailureCode::Failure,
            format!("{} cannot be read: {error}", file.display()),
        )
    };
    let most = towline_proto::limits::BODY_BYTES as u64;
    if std::fs::metadata(file).map_err(unreadable)?.len() > most {
        return Err(usage(format!(
            "{} is too long for a description: at most {most} bytes",
            file.display()
        )));
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// The changed fields; `None` when none is named and the editor is to be opened.
fn edit(ctx: &Context, args: &EditArgs) -> Result<Option<Edit>, Failure> {
    let body = args.body.clone().map(|body| ctx.text(body)).transpose()?;
    let edit = Edit {
        item: args.item.clone(),
        title: args.title.clone(),
        body,
        body_base: None,
        kind: args.kind,
        priority: args.priority,
        qa: args.qa,
        epic: args.epic.clone(),
        assignee: args.assignee.clone(),
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

fn transitions(ctx: &Context, verb: VerbCommand) -> Result<Vec<(String, Request)>, Failure> {
    let (target, mut transition) = verb.parts();
    if target.expect.is_some() && target.items.len() > 1 {
        return Err(usage(
            "--expect goes with one item: a revision belongs to an item",
        ));
    }
    transition.reason = transition
        .reason
        .map(|reason| ctx.text(reason).map(|text| text.trim_end().to_owned()))
        .transpose()?;
    Ok(Plan::each(target.items, |item| {
        Request::Transition(Transition {
            item,
            expect: target.expect.clone(),
            ..transition.clone()
        })
    }))
}

/// Splits `N… LAST`; with the flag everything is an item.
fn items_and_last(words: &[String], flag: bool, last: &str) -> Result<(Vec<String>, String), Failure> {
    match words.split_last() {
        _ if flag => Ok((words.to_vec(), String::new())),
        Some((value, items)) if !items.is_empty() => Ok((items.to_vec(), value.clone())),
        _ => Err(usage(format!("name at least one item, then {last}"))),
    }
}

fn assign(args: &AssignArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (items, who) = items_and_last(&args.words, args.nobody, "who is to do it, or give --nobody")?;
    Ok(Plan::each(items, |item| {
        Request::Edit(Edit {
            item,
            assignee: Some(who.clone()),
            ..Edit::default()
        })
    }))
}

fn epic(args: &EpicArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (items, epic) = items_and_last(&args.words, args.none, "the epic, or give --none")?;
    Ok(Plan::each(items, |item| {
        Request::Edit(Edit {
            item,
            epic: Some(epic.clone()),
            ..Edit::default()
        })
    }))
}

fn label(args: &LabelArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (mut items, mut add, remove) = (Vec::new(), args.add.clone(), args.remove.clone());
    for word in &args.words {
        match word.split_at_checked(1) {
            Some(("+", label)) if !label.is_empty() => add.push(label.to_owned()),
            _ => items.push(word.clone()),
        }
    }
    if items.is_empty() {
        return Err(usage("name at least one item"));
    }
    if add.is_empty() && remove.is_empty() {
        return Err(usage("name a label: +LABEL adds it, -LABEL removes it"));
    }
    Ok(Plan::each(items, |item| Request::Label {
        item,
        add: add.clone(),
        remove: remove.clone(),
    }))
}

fn criteria(ctx: &Context, args: &CriteriaArgs) -> Result<Plan, Failure> {
    let item = args.item.clone();
    let body = match &args.command {
        None => return Ok(Plan::read(Request::Show { item }, Shape::Criteria)),
        Some(CriterionCommand::Add { text }) => Request::AddCriterion {
            item,
            text: ctx.text(text.clone())?.trim_end().to_owned(),
        },
        Some(judgement) => {
            let Some((state, of)) = judgement.judgement() else {
                return Err(usage("met, failed, skipped or open"));
            };
            Request::SetCriterion {
                item,
                index: of.index,
                state,
                evidence: of.evidence.clone(),
            }
        }
    };
    Ok(Plan::write(vec![(args.item.clone(), body)]))
}

fn link(args: &LinkArgs) -> Request {
    let link = vec![(args.kind, args.target.clone())];
    let (add, remove) = if args.remove {
        (Vec::new(), link)
    } else {
        (link, Vec::new())
    };
    Request::Link {
        item: args.item.clone(),
        add,
        remove,
    }
}
