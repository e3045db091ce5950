//! From a command to its exit code: make a plan, send its requests, print the replies.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use towline_api::document::schema;
use towline_api::request::{self, Failure, FailureCode, Filter, Query, Reply, Request};
use towline_proto::{Kind, Verb};

use super::args::{self, Command, DependsCommand};
use super::context::Context;
use super::launcher::Launcher;
use super::plan::{Layout, Plan, plan};
use super::render::tree;
use super::{
    Backend, CliError, backend, completions, demo, dry_run, edit, envelope, json, json_fields, open,
    print_error, render, settings, token, watch,
};

/// Runs a command and returns the exit code of the worst reply.
pub(super) fn run(
    ctx: &Context,
    launcher: &dyn Launcher,
    command: Command,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    json_fields::check(&command, &ctx.global.json_fields)?;
    let dry_run = ctx.global.dry_run;
    if let Some(mut plan) = plan(ctx, &command)? {
        if dry_run && plan.writes {
            plan = plan.into_dry_run();
        } else if dry_run {
            ctx.say(dry_run::CHANGES_NOTHING);
        } else if plan.writes && (plan.requests.len() > 1 || purges(&plan)) {
            // Everything is checked before anything is changed, and before the user is asked to confirm.
            let refused = check_first(ctx, &mut plan)?;
            if refused > 0 {
                return Ok(refused);
            }
            if purges(&plan) && !ctx.global.yes && !confirm_purge(ctx, &plan)? {
                ctx.say("Nothing was done.");
                return Ok(0);
            }
            return execute(ctx, &mut *backend::connect(ctx)?, plan, out);
        }
        // The user name is checked before anything is opened.
        let origin = plan.origin(ctx)?;
        let requests = plan.requests.iter().map(|(_, request)| request);
        let requests = requests.chain(&plan.among);
        let requests = requests.map(|request| envelope(ctx, origin.clone(), request.clone()));
        let mut backend = backend::connect_for(ctx, &requests.collect::<Vec<_>>())?;
        return execute(ctx, &mut *backend, plan, out);
    }
    if dry_run && dry_run::print_plan(ctx, &command, out)? {
        return Ok(0);
    }
    match command {
        Command::Init(args) => backend::init(ctx, &args, out)?,
        Command::Deinit => backend::deinit(ctx, out)?,
        Command::Doctor(_) => backend::repair(ctx, out)?,
        Command::Up(args) => backend::up(ctx, launcher, &args, out)?,
        Command::Serve(args) => backend::serve(ctx, launcher, &args, out)?,
        Command::Down(args) => backend::down(ctx, &args, out)?,
        Command::Demo => demo::run(ctx, launcher, out)?,
        Command::Open(args) => open::run(ctx, &args, out)?,
        Command::Config(args) => settings::run(ctx, &args, out)?,
        Command::Token(command) => token::run(ctx, &command, out)?,
        Command::Join(args) => backend::join(ctx, launcher, &args, out)?,
        Command::Import(args) => backend::import(ctx, &args, out)?,
        Command::Export(args) => backend::export(ctx, &args, out)?,
        Command::Sync(args) => backend::sync_wait(ctx, args.timeout, out)?,
        Command::Watch(args) => watch::run(ctx, &args, out)?,
        Command::Edit(args) => edit_in_editor(ctx, &args.item, out)?,
        Command::Depends(DependsCommand::Tree { item }) => {
            dependencies(ctx, &mut *backend::connect(ctx)?, item, out)?;
        }
        Command::Epic(args) => {
            let item = args.words.into_iter().next().unwrap_or_default();
            epic(ctx, &mut *backend::connect(ctx)?, item, out)?;
        }
        Command::Completions(args) => completions::run(ctx, &args, out)?,
        Command::Man { into } => manual(ctx, into.as_deref(), out)?,
        // All others have a plan.
        _ => return Err(Failure::new(FailureCode::Failure, "this command is not implemented").into()),
    }
    Ok(0)
}

/// Whether the plan purges an item, which cannot be undone.
fn purges(plan: &Plan) -> bool {
    let is_purge = |(_, request): &(String, Request)| matches!(request, Request::Command(request::Command::Transition(asked)) if asked.verb == Verb::Purge);
    plan.requests.iter().any(is_purge)
}

/// Tries every request of the plan as a dry run and reports each failure. Returns the worst exit code; unless it
/// is 0, nothing may be done. An item that is named twice is kept once.
fn check_first(ctx: &Context, plan: &mut Plan) -> Result<u8, Failure> {
    let origin = Some(ctx.origin()?);
    let mut backend = backend::connect(ctx)?;
    let several = plan.requests.len() > 1;
    let (mut worst, mut possible) = (0, Vec::new());
    let mut seen = BTreeSet::new();
    for (item, request) in std::mem::take(&mut plan.requests) {
        let of = Box::new(request.clone());
        match backend.request(envelope(ctx, origin.clone(), Request::DryRun { of })) {
            Ok(Reply::Applied(done)) if !seen.insert(done.card.id) => {}
            Ok(_) => possible.push((item, request)),
            Err(failure) => {
                let about = if several { item.as_str() } else { "" };
                print_error(ctx.global.json, ctx.stderr_style, about, &failure);
                worst = worst.max(failure.code.exit());
                if matches!(failure.code, FailureCode::Unreachable | FailureCode::TimedOut) {
                    break;
                }
            }
        }
    }
    if worst > 0 {
        for (item, _) in &possible {
            let item = render::text::clean(item);
            ctx.say(&format!("{item}: nothing was done, because another item failed"));
        }
    }
    plan.requests = possible;
    Ok(worst)
}

/// Asks to confirm a purge.
fn confirm_purge(ctx: &Context, plan: &Plan) -> Result<bool, Failure> {
    let items: Vec<_> = plan
        .requests
        .iter()
        .map(|(item, _)| render::text::clean(item))
        .collect();
    ctx.confirm(&format!(
        "Delete {} from the trash permanently?",
        items.join(", ")
    ))
}

/// Sends all requests of a plan. When one fails the others are still sent.
pub(super) fn execute(
    ctx: &Context,
    backend: &mut dyn Backend,
    plan: Plan,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let origin = plan.origin(ctx)?;
    let several = plan.requests.len() > 1;
    let is_dry_run = ctx.global.dry_run && plan.writes;
    let (mut worst, mut replies) = (0, Vec::new());
    for (at, (item, body)) in plan.requests.into_iter().enumerate() {
        let reply = backend.request(envelope(ctx, origin.clone(), body));
        let reply = reply.and_then(|reply| match &plan.among {
            Some(among) => common(
                reply,
                backend.request(envelope(ctx, origin.clone(), among.clone()))?,
            ),
            None => Ok(reply),
        });
        match reply {
            Ok(reply) => {
                worst = worst.max(findings(&reply));
                if ctx.global.json {
                    replies.push(reply);
                } else if is_dry_run {
                    dry_run::show(ctx, &reply, out)?;
                } else {
                    show(ctx, plan.layout, &reply, at > 0, out)?;
                }
            }
            Err(failure) => {
                let about = if several { item.as_str() } else { "" };
                print_error(ctx.global.json, ctx.stderr_style, about, &failure);
                worst = worst.max(failure.code.exit());
                // Without a node the others would fail in the same way.
                if matches!(failure.code, FailureCode::Unreachable | FailureCode::TimedOut) {
                    break;
                }
            }
        }
    }
    if is_dry_run && !replies.is_empty() {
        out.write_all(json::into_dry_run(replies).as_bytes())?;
    } else if !replies.is_empty() {
        let document = json::replies(plan.layout, replies);
        out.write_all(json_fields::select(document, &ctx.global.json_fields).as_bytes())?;
    }
    Ok(worst)
}

/// The cards of the first reply that are in the second one too.
fn common(first: Reply, second: Reply) -> Result<Reply, Failure> {
    let (Reply::Cards(mut cards), Reply::Cards(others)) = (first, second) else {
        return Err(unexpected_reply());
    };
    let others: BTreeSet<_> = others.iter().map(|card| card.id).collect();
    cards.retain(|card| others.contains(&card.id));
    Ok(Reply::Cards(cards))
}

fn unexpected_reply() -> Failure {
    Failure::new(
        FailureCode::Failure,
        "unexpected reply from the node; it may run another version of towline",
    )
}

/// Says how many cards a page does not show, and how to see them.
fn say_hidden(ctx: &Context, layout: Layout, reply: &Reply, out: &mut dyn Write) -> Result<(), CliError> {
    let (Layout::Columns(listing) | Layout::Ready(listing), Reply::Cards(cards)) = (layout, reply) else {
        return Ok(());
    };
    let (all, shown) = (cards.len(), listing.on_a_page());
    if all > shown {
        let line = format!(
            "{shown} of {all} items are shown; use -n {all} to show all of them, or filter them, for example with --mine"
        );
        // On a terminal at the end of the page, which may be in a pager; elsewhere programs read the output.
        match ctx.screen_lines.filter(|_| !ctx.global.quiet) {
            Some(_) => writeln!(out, "\n{line}")?,
            None => ctx.say(&line),
        }
    }
    Ok(())
}

fn findings(reply: &Reply) -> u8 {
    match reply {
        Reply::Doctor(found) if !found.findings.is_empty() => FailureCode::Findings.exit(),
        _ => 0,
    }
}

fn show(
    ctx: &Context,
    layout: Layout,
    reply: &Reply,
    follows: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if follows && layout == Layout::Pages {
        out.write_all(b"\n")?;
    }
    match reply {
        // For scripts that make an item and go on with it: `N=$(towline -q create …)`.
        Reply::Applied(done) if ctx.global.quiet => writeln!(out, "{}", done.card.handle)?,
        Reply::Applied(done) => {
            out.write_all(render::reply(&ctx.view, layout, reply).as_bytes())?;
            for note in &done.notes {
                ctx.say(&format!("note: {}", render::text::clean(note)));
            }
        }
        _ => {
            let page = render::reply(&ctx.view, layout, reply);
            if page.is_empty() {
                ctx.say(empty_message(reply));
            }
            out.write_all(page.as_bytes())?;
            say_hidden(ctx, layout, reply, out)?;
        }
    }
    if let Reply::Addresses(addresses) = reply
        && let Some(first) = addresses.first()
    {
        ctx.say(&format!(
            "Other members can dial this node at these addresses. On another machine, run: towline config bootstrap {first}"
        ));
    }
    if let Reply::Ticket { expires, .. } = reply {
        ctx.say(&format!(
            "one-time invitation, {}; use it with `towline join TICKET`",
            render::text::expiry(ctx.view.now, *expires)
        ));
    }
    Ok(())
}

const fn empty_message(reply: &Reply) -> &'static str {
    match reply {
        Reply::Cards(_) => "No items.",
        Reply::Peers(_) => "No peers are connected.",
        Reply::Addresses(_) => "This node does not listen on any address; see `towline config listen`.",
        Reply::History(_) => "No history yet.",
        Reply::Conflicts(_) => "No unresolved conflicts.",
        _ => "Done.",
    }
}

fn edit_in_editor(ctx: &Context, item: &str, out: &mut dyn Write) -> Result<(), CliError> {
    if ctx.global.agent || !ctx.terminal {
        let who = if ctx.global.agent {
            "agents have none"
        } else {
            "this is not one"
        };
        let message = format!(
            "cannot open an editor: it needs a terminal, and {who}; use `towline edit {item} --body -` to read the \
             description from standard input, or options such as --title to change other fields",
            item = render::text::clean(item)
        );
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    // Two connections: without a node a connection holds the store, and an editor may stay open for long.
    let editing = edit::begin(ctx, &mut *backend::connect(ctx)?, item)?;
    match editing.finish(ctx, || backend::connect(ctx))? {
        None if ctx.global.json => out.write_all(json::replies(Layout::Applied, Vec::new()).as_bytes())?,
        None => ctx.say("Nothing was changed."),
        Some(reply) if ctx.global.json => {
            out.write_all(json::replies(Layout::Applied, vec![reply]).as_bytes())?;
        }
        Some(reply) => show(ctx, Layout::Applied, &reply, false, out)?,
    }
    Ok(())
}

/// `depends tree`: asks for the item and then for all cards at once, not for each branch.
fn dependencies(
    ctx: &Context,
    backend: &mut dyn Backend,
    item: String,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let all = Request::Query(Query::List(Filter {
        all: true,
        ..Filter::default()
    }));
    let page = edit::one_page(ctx, backend, item)?;
    let Reply::Cards(cards) = backend.request(envelope(ctx, None, all))? else {
        return Err(unexpected_reply().into());
    };
    let tree = tree(&page.card, &cards);
    let text = if ctx.global.json {
        json::document(schema::TREE, &tree)
    } else {
        tree.page(&ctx.view)
    };
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// `epic N`: the epic, then its items in all columns.
fn epic(ctx: &Context, backend: &mut dyn Backend, item: String, out: &mut dyn Write) -> Result<(), CliError> {
    let page = edit::one_page(ctx, backend, item)?;
    let handle = &page.card.handle;
    if page.card.kind != Kind::Epic {
        let message = format!(
            "{handle} is a {}, not an epic; use `towline epic {handle} EPIC` to add it to one",
            page.card.kind
        );
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    let below = Request::Query(Query::List(Filter {
        epic: Some(page.card.id.to_string()),
        all: true,
        ..Filter::default()
    }));
    let Reply::Cards(cards) = backend.request(envelope(ctx, None, below))? else {
        return Err(unexpected_reply().into());
    };
    let text = if ctx.global.json {
        json::epic(&page.card, &cards)
    } else {
        render::epic(&ctx.view, &page, &cards)
    };
    out.write_all(text.as_bytes())?;
    Ok(())
}

fn manual(ctx: &Context, directory: Option<&Path>, out: &mut dyn Write) -> Result<(), CliError> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(args::command()).render(&mut page)?;
        out.write_all(&page)?;
        return Ok(());
    };
    let directory = ctx.dir.join(directory);
    std::fs::create_dir_all(&directory)?;
    clap_mangen::generate_to(args::command(), &directory)?;
    ctx.say(&format!("Manual pages written to {}.", directory.display()));
    Ok(())
}
