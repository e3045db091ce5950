//! `import` and `export`: whole files in and out, in pieces that a request can carry.

mod bundle;
mod export;
mod own;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::connect;
use crate::cli::args::{ImportArgs, ImportSource};
use crate::cli::render::text::{clean, plural};
use crate::cli::{Ask, Context, Trouble, envelope, json};
use crate::dto::ImportReport;
use crate::import::{self, PROBLEMS, Parsed};
use crate::request::{Failure, FailureCode, IMPORT_CHUNK, ImportItem, Reply, Request};

/// Bytes of text that one import request carries at most, below what the socket takes.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Problems that are shown; the summary counts the rest.
const SHOWN: usize = 20;

pub(super) use export::export;

fn failure(message: String) -> Failure {
    Failure::new(FailureCode::Failure, message)
}

/// `import`.
pub(super) fn import(ctx: &Context, args: &ImportArgs, out: &mut dyn Write) -> Result<(), Trouble> {
    match args.from {
        ImportSource::Jsonl => return own::import(ctx, args, out),
        ImportSource::Bundle => return bundle::import(ctx, args, out),
        ImportSource::Beads | ImportSource::Backlog | ImportSource::Github => {}
    }
    let origin = ctx.origin()?;
    let parsed = read(args)?;
    let mut ask = connect(ctx)?;
    let bar = bar(ctx, parsed.items.len() + parsed.relations.len());
    let mut report = ImportReport::default();
    let dry_run = ctx.global.dry_run;
    for items in chunks(&parsed.items) {
        let count = items.len() as u64;
        let request = Request::ImportItems { items, dry_run };
        add(&mut report, ask_import(ctx, &mut *ask, &origin, request)?);
        bar.inc(count);
    }
    // What was only looked at is not there for its relations to be found.
    let relations = if dry_run { &[] } else { parsed.relations.as_slice() };
    for relations in relations.chunks(IMPORT_CHUNK) {
        let request = Request::ImportRelations {
            relations: relations.to_vec(),
            dry_run,
        };
        add(&mut report, ask_import(ctx, &mut *ask, &origin, request)?);
        bar.inc(relations.len() as u64);
    }
    bar.finish_and_clear();
    tell(ctx, &parsed, &report, out)
}

fn read(args: &ImportArgs) -> Result<Parsed, Failure> {
    match args.from {
        ImportSource::Beads => Ok(import::beads::read(reader(&args.file)?)),
        ImportSource::Backlog => import::backlog::read(&args.file),
        ImportSource::Github => Ok(import::github::read(reader(&args.file)?)),
        // These have ways of their own.
        ImportSource::Jsonl | ImportSource::Bundle => Ok(Parsed::default()),
    }
}

fn reader(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound {
            FailureCode::NotFound
        } else {
            FailureCode::Failure
        };
        Failure::new(code, format!("{} cannot be read: {error}", path.display()))
    })?;
    Ok(Box::new(BufReader::new(file)))
}

fn chunks(items: &[ImportItem]) -> Vec<Vec<ImportItem>> {
    let mut chunks: Vec<Vec<ImportItem>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = item.body.len()
            + item
                .comments
                .iter()
                .map(|comment| comment.text.len())
                .chain(item.criteria.iter().map(|criterion| criterion.text.len()))
                .sum::<usize>();
        let fits =
            chunks.last().is_some_and(|chunk| chunk.len() < IMPORT_CHUNK) && bytes + size <= CHUNK_BYTES;
        if !fits {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(item.clone());
        }
    }
    chunks
}

fn ask_import(
    ctx: &Context,
    ask: &mut dyn Ask,
    origin: &towline_proto::Origin,
    request: Request,
) -> Result<ImportReport, Failure> {
    match ask.ask(envelope(ctx, Some(origin.clone()), request))? {
        Reply::Imported(report) => Ok(report),
        _ => Err(failure(
            "the node answered an import with something else; it may be another version".into(),
        )),
    }
}

fn add(total: &mut ImportReport, part: ImportReport) {
    total.created += part.created;
    total.updated += part.updated;
    total.unchanged += part.unchanged;
    total.related += part.related;
    total.related_before += part.related_before;
    total.problems.extend(part.problems);
    total.notes.extend(part.notes);
}

fn bar(ctx: &Context, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    // Drawn on a terminal only; a pipe sees nothing of it.
    bar.set_draw_target(if ctx.global.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    });
    if let Ok(style) = ProgressStyle::with_template("importing {bar:32} {pos}/{len} ({eta})") {
        bar.set_style(style);
    }
    bar
}

/// What was left as it is here.
fn write_notes(notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "left as it is here")?;
    for note in notes.iter().take(SHOWN) {
        writeln!(out, "  {}", clean(note))?;
    }
    if notes.len() > SHOWN {
        writeln!(out, "  … and {} more; --json lists them all", notes.len() - SHOWN)?;
    }
    Ok(())
}

fn tell(ctx: &Context, parsed: &Parsed, report: &ImportReport, out: &mut dyn Write) -> Result<(), Trouble> {
    let problems: Vec<String> = parsed
        .problems
        .iter()
        .map(ToString::to_string)
        .chain(report.problems.iter().cloned())
        .collect();
    if ctx.global.json {
        let whole = ImportReport {
            problems: problems.clone(),
            ..report.clone()
        };
        out.write_all(json::written("towline.import/v1", ctx.global.dry_run, whole).as_bytes())?;
    } else {
        let would = if ctx.global.dry_run { "would be " } else { "" };
        writeln!(
            out,
            "items: {} {would}created, {} {would}updated, {} unchanged",
            report.created, report.updated, report.unchanged
        )?;
        if !ctx.global.dry_run {
            writeln!(
                out,
                "relations: {} made, {} there before",
                report.related, report.related_before
            )?;
        }
        out.write_all(parsed.tally.render().as_bytes())?;
        write_notes(&report.notes, out)?;
        for problem in problems.iter().take(SHOWN) {
            ctx.say(problem);
        }
        if problems.len() > SHOWN {
            ctx.say(&format!(
                "… and {} more; --json lists them all",
                problems.len() - SHOWN
            ));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    out.flush()?;
    // What is kept of them is bounded; the summary has counted all.
    let more = if parsed.problems.len() < PROBLEMS {
        ""
    } else {
        " or more"
    };
    Err(failure(format!(
        "{}{more} could not be imported; the rest was",
        plural(problems.len(), "thing")
    ))
    .into())
}
