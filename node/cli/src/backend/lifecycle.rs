//! Creating, running, joining and removing a node.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use towline_api::document::schema;
use towline_api::request::{Failure, FailureCode, Reply};
use towline_engine::in_home::{make_project, node_name, repair_project};
use towline_proto::Ticket;
use towline_socket::HELLO_TIMEOUT;
use towline_store::env::check_clock;
use towline_store::home::init::{self, plan_deinit, plan_init};
use towline_store::home::{Config, Home, key};

use super::busy_wait::BusyWait;
use super::local_store;
use crate::args::{InitArgs, JoinArgs, RunArgs};
use crate::launcher::{BoardStart, Launcher, NodeStart, StartedNode};
use crate::render::text::clean;
use crate::{CliError, Context, json};

/// The default name of a project: the directory's.
fn directory_name(dir: &Path) -> String {
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (name, _) = towline_proto::text::fit_line(&name, towline_proto::limits::NAME_CHARS);
    if name.is_empty() {
        "project".to_owned()
    } else {
        name
    }
}

/// Checks the given name of a project or a node.
fn checked_name(what: &str, name: &str) -> Result<String, Failure> {
    let checked = towline_proto::text::name(name);
    let refused = |why| Failure::new(FailureCode::Usage, format!("cannot use this {what} name: {why}"));
    checked.map(str::to_owned).map_err(refused)
}

/// The name of a new project.
pub(crate) fn project_name(dir: &Path, given: Option<&str>) -> Result<String, Failure> {
    match given {
        Some(name) => checked_name("project", name),
        None => Ok(directory_name(dir)),
    }
}

/// Refuses to create a project where commands already use one, unless `--here` is given: the user is probably in
/// another folder than they think.
pub(crate) fn check_no_project(ctx: &Context, args: &InitArgs) -> Result<(), Failure> {
    let Ok(root) = ctx.root() else { return Ok(()) };
    // A disk that is mounted below a project does not belong to it.
    let device = |dir: &Path| std::fs::metadata(dir).map(|meta| meta.dev()).ok();
    if args.here || root == ctx.dir || device(&root) != device(&ctx.dir) {
        return Ok(());
    }
    let how = if ctx.dir.starts_with(&root) {
        "this directory is inside it"
    } else {
        "this is a linked worktree of its repository"
    };
    Err(Failure::new(
        FailureCode::Usage,
        format!(
            "there is already a project in {}, and {how}, so commands here use that project; \
             use `towline init --here` to create a separate one",
            root.display()
        ),
    ))
}

/// `init`: a key, a configuration and a project.
pub(super) fn init(ctx: &Context, args: &InitArgs, out: &mut dyn Write) -> Result<(), CliError> {
    check_no_project(ctx, args)?;
    let steps = plan_init(&ctx.dir).map_err(Failure::from)?;
    let name = project_name(&ctx.dir, args.name.as_deref())?;
    for step in &steps {
        ctx.say(&format!("will {step}"));
    }
    ctx.say(&format!("will create the project {name:?}"));
    let home = make_home(&ctx.dir, args.node_name.clone())?;
    let lock = local_store::lock(ctx, &home, "towline init")?;
    home.remove_incomplete_projects().map_err(Failure::from)?;
    let config = Config::load(&home.config_file()).map_err(Failure::from)?;
    let key = key::load(&home.key_file()).map_err(Failure::from)?;
    let me = towline_proto::NodeId(key.verifying_key().to_bytes());
    let place = make_project(&home, &key, &name, &node_name(&config, &me))?;
    drop(lock);
    if ctx.global.json {
        let project = BTreeMap::from([("id", place.id.to_string()), ("name", place.name)]);
        out.write_all(json::document(schema::PROJECT, project).as_bytes())?;
    } else {
        writeln!(out, "{} {}", place.id, place.name)?;
    }
    Ok(())
}

/// Makes a home in a folder, or completes one whose `init` or `join` was killed.
fn make_home(root: &Path, node_name: Option<String>) -> Result<Home, Failure> {
    check_clock()?;
    let node_name = node_name.map(|name| checked_name("node", &name)).transpose()?;
    let config = Config {
        node_name: node_name.unwrap_or_default(),
        ..Config::default()
    };
    let (home, _, _) = init::init(root, &config)?;
    Ok(home)
}

/// `deinit`: removes everything that `init` created.
pub(super) fn deinit(ctx: &Context, out: &mut dyn Write) -> Result<(), CliError> {
    let home = Home::at(ctx.root()?);
    for step in plan_deinit(&home).map_err(Failure::from)? {
        ctx.say(&format!("will {step}"));
    }
    if !ctx.confirm("Remove all of this? Data that no other node has is lost.")? {
        return Err(Failure::new(FailureCode::Failure, "nothing was removed: not confirmed").into());
    }
    check_not_running(&home)?;
    BusyWait::of(ctx, &home).retry_while_busy(|| init::deinit(&home))?;
    if ctx.global.json {
        out.write_all(json::done().as_bytes())?;
    }
    Ok(())
}

/// `doctor --repair`: rebuilds damaged logs from their intact entries.
pub(super) fn repair(ctx: &Context, out: &mut dyn Write) -> Result<(), CliError> {
    let home = Home::at(ctx.root()?);
    check_not_running(&home)?;
    let _lock = local_store::lock(ctx, &home, "towline doctor --repair")?;
    let key = key::load(&home.key_file()).map_err(Failure::from)?;
    for place in home.projects().map_err(Failure::from)? {
        if ctx
            .global
            .project
            .as_ref()
            .is_some_and(|wanted| *wanted != place.name)
        {
            continue;
        }
        let repaired = repair_project(&place, &key)?;
        if ctx.global.json {
            continue;
        }
        writeln!(
            out,
            "{}: {} entries kept, {} dropped, {} gaps; the old log is in {}",
            place.name,
            repaired.kept,
            repaired.left_out,
            repaired.gaps,
            repaired.old_log.display()
        )?;
    }
    if ctx.global.json {
        out.write_all(json::done().as_bytes())?;
    }
    ctx.say("Run `towline up` to get missing entries from peers.");
    Ok(())
}

/// `up` and `serve`: runs a node until it is stopped. `up` first creates a home and a project if there is none,
/// and prints a greeting.
pub(super) fn run(
    ctx: &Context,
    launcher: &dyn Launcher,
    args: &RunArgs,
    greet: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let home = match ctx.root() {
        Err(failure) if !greet => return Err(failure.into()),
        Ok(root) if !greet || Home::at(&root).exists() => Home::at(root),
        root => {
            // An invalid user name is refused before anything is created.
            ctx.origin()?;
            make_home(&root.unwrap_or_else(|_| ctx.dir.clone()), None)?
        }
    };
    check_not_running(&home)?;
    let lock = local_store::lock(ctx, &home, if greet { "towline up" } else { "towline serve" })?;
    let config = run_config(&home, args)?;
    let key = key::load(&home.key_file()).map_err(Failure::from)?;
    if greet && home.projects().map_err(Failure::from)?.is_empty() {
        let me = towline_proto::NodeId(key.verifying_key().to_bytes());
        make_project(
            &home,
            &key,
            &directory_name(home.root()),
            &node_name(&config, &me),
        )?;
    }
    let sign_in = match greet {
        true => Some(ctx.origin()?.id),
        false => None,
    };
    let title = directory_name(home.root());
    let start = NodeStart {
        home,
        lock,
        config,
        key,
    };
    launcher.serve(start, BoardStart { title, sign_in }, &mut |node| {
        match &node.sign_in {
            Some(link) => greeting(ctx, node, link, out)?,
            None => writeln!(out, "{}", node.board)?,
        }
        Ok(out.flush()?)
    })?;
    ctx.say("Stopped. All data is on disk.");
    Ok(())
}

/// Fails if a node is already running.
pub(crate) fn check_not_running(home: &Home) -> Result<(), Failure> {
    let who = match towline_socket::find(home)? {
        Some(client) => {
            let info = client.check_alive(HELLO_TIMEOUT)?.hello()?;
            let board = info.board.map(|board| format!(", with its board at {board}"));
            format!("(pid {}){}", info.pid, board.unwrap_or_default())
        }
        // Only a node notes a socket; other holders of the lock are soon done.
        None => match home.holder()? {
            Some(holder) if holder.socket.is_some() => {
                format!("({}), but does not answer on its socket", holder.who)
            }
            _ => return Ok(()),
        },
    };
    let message = format!("a node is already running here {who}; stop it with `towline down`");
    Err(Failure::new(FailureCode::Busy, message))
}

/// The configuration, with the flags of this command.
pub(crate) fn run_config(home: &Home, args: &RunArgs) -> Result<Config, Failure> {
    let file = home.config_file();
    // A node that is not created yet has the defaults.
    let mut config = if file.exists() {
        Config::load(&file)?
    } else {
        Config::default()
    };
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    config.board = args.board.unwrap_or(config.board);
    config.mdns = config.mdns && !args.no_mdns;
    Ok(config)
}

fn greeting(ctx: &Context, node: &StartedNode, sign_in: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let names: Vec<_> = node.projects.iter().map(|name| clean(name)).collect();
    writeln!(out, "towline is up: {} ({})", names.join(", "), clean(&node.name))?;
    writeln!(out, "board: {}", node.board)?;
    writeln!(out, "sign in: {sign_in}")?;
    ctx.say(
        "\nNext, in another terminal:\n  \
         towline create story \"My first story\"\n  \
         towline list\n  \
         towline invite          (then `towline join TICKET` on another machine)\n\
         Press Ctrl-C or run `towline down` to stop the node; no data is lost.",
    );
    Ok(())
}

/// `join`: through the running node, or with a temporary node that runs until all entries have arrived.
pub(super) fn join(
    ctx: &Context,
    launcher: &dyn Launcher,
    args: &JoinArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let ticket = ctx.text(args.ticket.clone(), towline_proto::limits::NOTE_BYTES)?;
    let ticket: Ticket = ticket
        .trim()
        .parse()
        .map_err(|why| Failure::new(FailureCode::Usage, format!("{why}")))?;
    let root = ctx.root();
    if let Ok(root) = &root
        && let Some(client) = local_store::node(&Home::at(root))?
    {
        let reply = client.with_timeout(args.timeout).join(&ticket.to_string())?;
        return joined(ctx, &ticket, &reply, out);
    }
    let home = match root {
        Ok(root) if Home::at(&root).exists() => Home::at(root),
        root => make_home(&root.unwrap_or_else(|_| ctx.dir.clone()), args.node_name.clone())?,
    };
    let lock = local_store::lock(ctx, &home, "towline join")?;
    let config = Config::load(&home.config_file()).map_err(Failure::from)?;
    let key = key::load(&home.key_file()).map_err(Failure::from)?;
    let start = NodeStart {
        home,
        lock,
        config,
        key,
    };
    let reply = launcher.join(start, &ticket, args.timeout)?;
    joined(ctx, &ticket, &reply, out)
}

fn joined(ctx: &Context, ticket: &Ticket, reply: &Reply, out: &mut dyn Write) -> Result<(), CliError> {
    if let Reply::Status(status) = reply {
        if ctx.global.json {
            out.write_all(json::document(schema::STATUS, status).as_bytes())?;
            return Ok(());
        }
        writeln!(
            out,
            "joined {} as {}: {} items so far",
            clean(&status.name),
            status.role,
            status.items
        )?;
    } else {
        writeln!(out, "joined {}", clean(&ticket.name))?;
    }
    ctx.say("Run `towline up` to keep this node in sync.");
    Ok(())
}
