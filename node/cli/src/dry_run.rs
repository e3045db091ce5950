//! `--dry-run`: what a command would do, without doing it.
//!
//! A command that only sends requests sends them as dry runs, so that the project answers or refuses as it
//! would. The steps of all other commands are listed here. No command ignores the flag: one match covers all of
//! them. Nothing in this file changes a file, a node or a project.

use std::io::Write;

use towline_api::request::{Failure, FailureCode, Reply};
use towline_proto::Ticket;
use towline_store::home::Home;
use towline_store::home::init::{plan_deinit, plan_init};

use super::args::{Command, DoctorArgs, RunArgs, TokenCommand};
use super::context::{Context, now};
use super::{CliError, backend, demo, json, open, render};

/// Printed by commands that change nothing anyway.
pub(super) const CHANGES_NOTHING: &str = "This command changes nothing; --dry-run has no effect.";

fn usage(message: impl Into<String>) -> CliError {
    Failure::new(FailureCode::Usage, message).into()
}

/// Prints the result that a write would have, on one line.
pub(super) fn show(ctx: &Context, reply: &Reply, out: &mut dyn Write) -> Result<(), CliError> {
    match reply {
        Reply::Applied(done) if ctx.global.quiet => writeln!(out, "{}", done.card.handle)?,
        Reply::Applied(done) => {
            let line = render::reply(&ctx.view, super::plan::Layout::Applied, reply);
            write!(out, "would: {line}")?;
            for note in &done.notes {
                ctx.say(&format!("note: {}", render::text::clean(note)));
            }
        }
        Reply::Ticket { expires, .. } => {
            let ends = render::text::expiry(ctx.view.now, *expires);
            writeln!(out, "would create a one-time invitation, {ends}")?;
        }
        Reply::Entry(_) => writeln!(out, "would revoke the invitation")?,
        _ => writeln!(out, "would delete the cache and rebuild it from the log")?,
    }
    ctx.say("Nothing was done.");
    Ok(())
}

/// Prints the steps of a command that does more than send requests. False when the command only reads, or
/// looks at the flag itself.
pub(super) fn print_plan(ctx: &Context, command: &Command, out: &mut dyn Write) -> Result<bool, CliError> {
    let steps = match command {
        Command::Init(args) => {
            backend::check_no_project(ctx, args)?;
            let name = backend::project_name(&ctx.dir, args.name.as_deref())?;
            let mut steps = init_steps(ctx)?;
            steps.push(format!("create the project {name:?}"));
            steps
        }
        Command::Deinit => {
            let home = Home::at(ctx.root()?);
            let steps = plan_deinit(&home).map_err(Failure::from)?;
            steps.iter().map(ToString::to_string).collect()
        }
        Command::Doctor(DoctorArgs { repair: true }) => {
            let home = Home::at(ctx.root()?);
            let projects = home.projects().map_err(Failure::from)?;
            let wanted = ctx.global.project.as_ref();
            let meant = projects
                .iter()
                .filter(|place| wanted.is_none_or(|wanted| *wanted == place.name));
            meant
                .map(|place| {
                    let name = render::text::clean(&place.name);
                    format!("rebuild the log of {name} from its intact entries, and keep the old log in a backup folder")
                })
                .collect()
        }
        Command::Up(args) => run_steps(ctx, args, true)?,
        Command::Serve(args) => run_steps(ctx, args, false)?,
        Command::Down(_) => vec![format!(
            "stop the node (pid {})",
            backend::running(ctx)?.hello()?.pid
        )],
        Command::Open(args) => {
            ctx.origin()?;
            let mut node = backend::running(ctx)?;
            let page = match &args.item {
                Some(item) => open::item_page(ctx, &mut node, item)?,
                None => String::new(),
            };
            let board = node.hello()?.board;
            let board = board.ok_or_else(|| {
                CliError::from(Failure::new(
                    FailureCode::Failure,
                    "the running node serves no board",
                ))
            })?;
            vec![format!(
                "create a sign-in link for {board}{page} and open it in a browser"
            )]
        }
        Command::Demo => demo::steps(),
        Command::Join(args) => {
            let ticket = ctx.text(args.ticket.clone(), towline_proto::limits::NOTE_BYTES)?;
            let ticket: Ticket = ticket.trim().parse().map_err(|why| usage(format!("{why}")))?;
            if ticket.expires <= now() {
                return Err(Failure::new(
                    FailureCode::NotAllowed,
                    "this ticket has expired; ask for a new one",
                )
                .into());
            }
            let mut steps = if ctx.root().is_ok() {
                Vec::new()
            } else {
                init_steps(ctx)?
            };
            let name = render::text::clean(&ticket.name);
            steps.push(format!(
                "ask node {} to admit this node to {name} as a {}",
                ticket.inviter.short(),
                ticket.role
            ));
            steps
        }
        Command::Man { into: Some(into) } => {
            vec![format!(
                "write the manual pages to {}",
                ctx.dir.join(into).display()
            )]
        }
        Command::Edit(_) => {
            return Err(usage(
                "--dry-run cannot open the editor; use options to name the fields to change",
            ));
        }
        // These look at the flag where they would write.
        Command::Config(args) if args.value.is_some() => return Ok(false),
        Command::Import(_) => return Ok(false),
        Command::Token(TokenCommand::Create(_) | TokenCommand::Revoke { .. }) => return Ok(false),
        Command::Export(args) if args.output.is_some() => return Ok(false),
        Command::Config(_)
        | Command::Token(TokenCommand::List)
        | Command::Export(_)
        | Command::Man { into: None }
        | Command::Completions(_)
        | Command::Watch(_)
        | Command::Sync(_)
        | Command::Depends(_)
        | Command::Epic(_)
        | Command::Doctor(_)
        | Command::Status
        | Command::Rebuild
        | Command::Create(_)
        | Command::List(_)
        | Command::Board(_)
        | Command::Show(_)
        | Command::Search(_)
        | Command::Ready(_)
        | Command::Explain(_)
        | Command::Conflicts(_)
        | Command::Log(_)
        | Command::Verb(_)
        | Command::Assign(_)
        | Command::Label(_)
        | Command::Comment(_)
        | Command::Criteria(_)
        | Command::Undo(_)
        | Command::Link(_)
        | Command::Invite(_)
        | Command::Revoke { .. }
        | Command::Members
        | Command::Peers(_) => {
            ctx.say(CHANGES_NOTHING);
            return Ok(false);
        }
    };
    print_steps(ctx, &steps, out)?;
    Ok(true)
}

/// Prints the steps that would be done.
pub(super) fn print_steps(ctx: &Context, steps: &[String], out: &mut dyn Write) -> Result<(), CliError> {
    if ctx.global.json {
        out.write_all(json::steps(steps).as_bytes())?;
    } else {
        for step in steps {
            writeln!(out, "would {step}")?;
        }
        ctx.say("Nothing was done.");
    }
    Ok(())
}

fn init_steps(ctx: &Context) -> Result<Vec<String>, Failure> {
    let steps = plan_init(&ctx.dir).map_err(Failure::from)?;
    Ok(steps.iter().map(ToString::to_string).collect())
}

fn run_steps(ctx: &Context, args: &RunArgs, makes: bool) -> Result<Vec<String>, Failure> {
    let (mut steps, home) = match ctx.root() {
        Ok(root) => (Vec::new(), Home::at(root)),
        Err(failure) if !makes => return Err(failure),
        Err(_) => (init_steps(ctx)?, Home::at(&ctx.dir)),
    };
    backend::check_not_running(&home)?;
    let config = backend::run_config(&home, args)?;
    if makes && (!steps.is_empty() || home.projects()?.is_empty()) {
        let name = backend::project_name(home.root(), None)?;
        steps.push(format!("create the project {name:?}"));
    }
    steps.push(format!("start the node with its board at {}", config.board));
    Ok(steps)
}
