//! `import` and `export`: whole files in and out, in pieces that a request can carry.

mod bundle;
mod export;
mod jsonl;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use towline_api::document::schema;
use towline_api::request::{
    Administration, Failure, FailureCode, IMPORT_CHUNK, ImportItem, ImportRelation, Reply, Request,
};
use towline_api::types::ImportReport;
use towline_interchange::import::{self, PROBLEMS, Parsed};
use towline_proto::ItemId;

use super::connect;
use crate::args::{ImportArgs, ImportSource};
use crate::render::text::{clean, plural};
use crate::{Backend, CliError, Context, envelope, json};

/// Bytes of text that one import request carries at most, below what the socket takes.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Problems that are shown; the summary counts the rest.
const SHOWN: usize = 20;

/// The heading over the notes about items that an import did not change.
const UNCHANGED: &str = "left unchanged";

pub(super) use export::export;

fn failure(message: String) -> Failure {
    Failure::new(FailureCode::Failure, message)
}

/// `import`.
pub(super) fn import(ctx: &Context, args: &ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if args.repo.is_some() && args.from != ImportSource::Github {
        let message = "--repo can be used with --from github only";
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    match args.from {
        ImportSource::Jsonl => return jsonl::import(ctx, args, out),
        ImportSource::Bundle => return bundle::import(ctx, args, out),
        ImportSource::Beads | ImportSource::Backlog | ImportSource::Github => {}
    }
    let origin = ctx.origin()?;
    let parsed = read(args)?;
    let names = parsed.items.iter().map(|item| item.record.shared.clone());
    let is_shared = names.flatten().next().is_some();
    let mut backend = connect(ctx)?;
    let bar = bar(ctx, parsed.items.len() + parsed.relations.len());
    let mut report = ImportReport::default();
    let dry_run = ctx.global.dry_run;
    for items in chunks(&parsed.items) {
        let count = items.len() as u64;
        let request = Request::Administration(Administration::ImportItems { items, dry_run });
        add(&mut report, send_chunk(ctx, &mut *backend, &origin, request)?);
        bar.inc(count);
    }
    // After a dry run the items do not exist, so their relations cannot be found.
    let mut relations = if dry_run {
        Vec::new()
    } else {
        parsed.relations.clone()
    };
    if is_shared {
        name_ends(&mut relations, &report);
    }
    for relations in relations.chunks(IMPORT_CHUNK) {
        let request = Request::Administration(Administration::ImportRelations {
            relations: relations.to_vec(),
            dry_run,
        });
        add(&mut report, send_chunk(ctx, &mut *backend, &origin, request)?);
        bar.inc(relations.len() as u64);
    }
    bar.finish_and_clear();
    tell(ctx, &parsed, &report, out)
}

/// Replaces shared ids in relations by item ids: only the records of this import say which item is meant.
fn name_ends(relations: &mut [ImportRelation], report: &ImportReport) {
    let items: BTreeMap<&str, &ItemId> = report
        .items
        .iter()
        .map(|(name, id)| (name.as_str(), id))
        .collect();
    for relation in relations {
        for end in [&mut relation.from, &mut relation.to, &mut relation.said_by] {
            if let Some(id) = items.get(end.as_str()) {
                *end = id.to_string();
            }
        }
    }
}

fn read(args: &ImportArgs) -> Result<Parsed, Failure> {
    match args.from {
        ImportSource::Beads => Ok(import::beads::read(reader(&args.file)?)),
        ImportSource::Backlog => import::backlog::read(&args.file),
        ImportSource::Github => Ok(import::github::read_repository(
            reader(&args.file)?,
            args.repo.as_ref(),
        )),
        // These are handled elsewhere.
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
        Failure::new(code, format!("cannot read {}: {error}", path.display()))
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
        // Records that share an id must be in one request; there are few of them, and they are adjacent.
        let is_more_of_one =
            |before: &ImportItem| item.record.shared.is_some() && before.record.shared == item.record.shared;
        let fits = chunks.last().is_some_and(|chunk| {
            let has_room = chunk.len() < IMPORT_CHUNK && bytes + size <= CHUNK_BYTES;
            has_room || chunk.len() < IMPORT_CHUNK && chunk.last().is_some_and(is_more_of_one)
        });
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

fn send_chunk(
    ctx: &Context,
    backend: &mut dyn Backend,
    origin: &towline_proto::Origin,
    request: Request,
) -> Result<ImportReport, Failure> {
    match backend.request(envelope(ctx, Some(origin.clone()), request))? {
        Reply::Imported(report) => Ok(report),
        _ => Err(failure(
            "unexpected reply from the node to an import; it may run another version of towline".into(),
        )),
    }
}

fn add(total: &mut ImportReport, part: ImportReport) {
    total.created += part.created;
    total.updated += part.updated;
    total.unchanged += part.unchanged;
    total.older += part.older;
    total.repeated += part.repeated;
    total.refused += part.refused;
    total.others += part.others;
    total.related += part.related;
    total.related_before += part.related_before;
    total.related_older += part.related_older;
    total.linked += part.linked;
    total.items.extend(part.items);
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

/// Notes under a heading.
fn write_notes(heading: &str, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "{heading}")?;
    for note in notes.iter().take(SHOWN) {
        writeln!(out, "  {}", clean(note))?;
    }
    if notes.len() > SHOWN {
        writeln!(out, "  … and {} more; --json lists them all", notes.len() - SHOWN)?;
    }
    Ok(())
}

/// The counts of an import: every record is in one of them, and every relation.
fn write_counts(ctx: &Context, report: &ImportReport, out: &mut dyn Write) -> io::Result<()> {
    let would = if ctx.global.dry_run { "would be " } else { "" };
    write!(
        out,
        "items: {} {would}created, {} {would}updated, {} unchanged",
        report.created, report.updated, report.unchanged
    )?;
    for (count, what) in [
        (report.older, "older than the items here"),
        (report.repeated, "repeated"),
        (report.refused, "rejected"),
        (report.others, "not issues"),
    ] {
        if count > 0 {
            write!(out, ", {count} {what}")?;
        }
    }
    writeln!(out, "; {} in total", plural(report.records, "record"))?;
    if ctx.global.dry_run {
        return Ok(());
    }
    write!(
        out,
        "relations: {} created, {} unchanged",
        report.related, report.related_before
    )?;
    for (count, what) in [
        (report.linked, "kept as links because one end is missing"),
        (report.related_older, "older than the items here"),
    ] {
        if count > 0 {
            write!(out, ", {count} {what}")?;
        }
    }
    writeln!(out)
}

fn tell(ctx: &Context, parsed: &Parsed, report: &ImportReport, out: &mut dyn Write) -> Result<(), CliError> {
    let problems: Vec<String> = parsed
        .problems
        .iter()
        .map(ToString::to_string)
        .chain(report.problems.iter().cloned())
        .collect();
    let report = ImportReport {
        problems: problems.clone(),
        repeated: parsed.records.repeated,
        refused: report.refused + parsed.records.unreadable,
        others: parsed.records.others,
        records: parsed.items.len()
            + parsed.records.repeated
            + parsed.records.unreadable
            + parsed.records.others,
        ..report.clone()
    };
    if ctx.global.json {
        let notes = parsed.notes.iter().chain(&report.notes).cloned().collect();
        let whole = ImportReport { notes, ..report };
        out.write_all(json::written(schema::IMPORT, ctx.global.dry_run, whole).as_bytes())?;
    } else {
        write_counts(ctx, &report, out)?;
        out.write_all(parsed.tally.render().as_bytes())?;
        write_notes("notes", &parsed.notes, out)?;
        write_notes(UNCHANGED, &report.notes, out)?;
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
    // The list of problems is bounded; the summary counts all of them.
    let more = if parsed.problems.len() < PROBLEMS {
        ""
    } else {
        " or more"
    };
    Err(failure(format!(
        "import finished with {}{more}; everything else was imported",
        plural(problems.len(), "problem")
    ))
    .into())
}
