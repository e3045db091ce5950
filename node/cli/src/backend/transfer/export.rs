//! `export`: what the project holds, in one of its formats, to a file, a folder or the standard output.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use towline_api::request::{Administration, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::ItemPage;
use towline_interchange::export::{self, markdown};
use towline_store::home::files;

use super::{bundle, failure};
use crate::args::{ExportArgs, ExportFormat};
use crate::backend::connect;
use crate::{Backend, CliError, Context, dry_run, envelope};

/// Items that one export request asks for.
const PAGE: usize = 200;
/// Files that are named when a folder is not empty.
const NAMED: usize = 3;

/// `export`.
pub(in crate::backend) fn export(
    ctx: &Context,
    args: &ExportArgs,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let needs = |what: &str| {
        let message = format!("`export --to {what}` needs an output path: use -o");
        Failure::new(FailureCode::Usage, message)
    };
    match args.to {
        ExportFormat::Jsonl => {
            let mut backend = connect(ctx)?;
            write(ctx, args.output.as_deref(), out, |out| {
                lines(ctx, &mut *backend, out)
            })
        }
        ExportFormat::Csv => {
            let mut backend = connect(ctx)?;
            let project = name(ctx, &mut *backend)?;
            let pages = pages(ctx, &mut *backend)?;
            write(ctx, args.output.as_deref(), out, |mut out| {
                Ok(export::csv::write(&project, &pages, &mut out)?)
            })
        }
        ExportFormat::Markdown => {
            let dir = args.output.as_deref().ok_or_else(|| needs("markdown"))?;
            let pages = pages(ctx, &mut *connect(ctx)?)?;
            folder(ctx, &pages, dir, out)
        }
        ExportFormat::Bundle => {
            let file = args.output.as_deref().ok_or_else(|| needs("bundle"))?;
            bundle::export(ctx, file, out)
        }
    }
}

/// Writes to a file, which is replaced whole or stays as it was, to a device or pipe, or to the standard output.
fn write(
    ctx: &Context,
    path: Option<&Path>,
    out: &mut dyn Write,
    with: impl FnOnce(&mut dyn Write) -> Result<usize, CliError>,
) -> Result<(), CliError> {
    match path {
        None => {
            let mut out = BufWriter::new(out);
            with(&mut out)?;
            out.flush()?;
        }
        Some(path) => {
            let mut bytes = Vec::new();
            let count = with(&mut bytes)?;
            if ctx.global.dry_run {
                let step = format!("write {count} items to {}", path.display());
                return dry_run::print_steps(ctx, &[step], out);
            }
            if files::is_special(path) {
                OpenOptions::new().write(true).open(path)?.write_all(&bytes)?;
            } else {
                files::write_atomic(path, &bytes, files::PUBLIC_MODE)?;
            }
            ctx.say(&format!("{count} items written to {}", path.display()));
        }
    }
    Ok(())
}

fn lines(ctx: &Context, backend: &mut dyn Backend, mut out: &mut dyn Write) -> Result<usize, CliError> {
    let Reply::SettingsLine(settings) = backend.request(envelope(
        ctx,
        None,
        Request::Administration(Administration::SettingsLine),
    ))?
    else {
        return Err(unexpected_reply().into());
    };
    if let Some(settings) = settings {
        export::jsonl::write_settings(&settings, &mut out)?;
    }
    let mut offset = 0;
    loop {
        let request = Request::Administration(Administration::ExportLines { offset, limit: PAGE });
        let Reply::Lines(more) = backend.request(envelope(ctx, None, request))? else {
            return Err(unexpected_reply().into());
        };
        if more.is_empty() {
            return Ok(offset);
        }
        offset += export::jsonl::write(more, &mut out)?;
    }
}

fn pages(ctx: &Context, backend: &mut dyn Backend) -> Result<Vec<ItemPage>, Failure> {
    let mut pages = Vec::new();
    let mut offset = 0;
    loop {
        let request = Request::Query(Query::Export { offset, limit: PAGE });
        let Reply::Pages(more) = backend.request(envelope(ctx, None, request))? else {
            return Err(unexpected_reply());
        };
        if more.is_empty() {
            break;
        }
        offset += more.len();
        pages.extend(more);
    }
    pages.sort_by_key(|page: &ItemPage| (page.card.created_at, page.card.number, page.card.id));
    Ok(pages)
}

fn name(ctx: &Context, backend: &mut dyn Backend) -> Result<String, Failure> {
    match backend.request(envelope(ctx, None, Request::Query(Query::Status)))? {
        Reply::Status(status) => Ok(status.name),
        _ => Err(unexpected_reply()),
    }
}

pub(super) fn unexpected_reply() -> Failure {
    failure("unexpected reply from the node to an export; it may run another version of towline".into())
}

/// Writes a file an item into a folder that has nothing else in it.
fn folder(ctx: &Context, pages: &[ItemPage], dir: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let written = markdown::files(pages);
    let ours: BTreeSet<PathBuf> = written
        .iter()
        .map(|file| dir.join(file.folder).join(&file.name))
        .collect();
    let mut others = Vec::new();
    strangers(dir, &ours, &mut others)?;
    if !others.is_empty() && !ctx.global.yes {
        let names: Vec<String> = others
            .iter()
            .take(NAMED)
            .map(|path| path.display().to_string())
            .collect();
        let message = format!(
            "{} contains files that are not part of this export ({}); use an empty folder, or --yes to keep them and continue",
            dir.display(),
            towline_proto::text::show(&names.join(", "), 300)
        );
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    if ctx.global.dry_run {
        let step = format!("write {} files to {}", written.len(), dir.display());
        return dry_run::print_steps(ctx, &[step], out);
    }
    for folder in markdown::FOLDERS {
        if written.iter().any(|file| file.folder == folder) {
            fs::create_dir_all(dir.join(folder))?;
        }
    }
    fs::create_dir_all(dir)?;
    for file in &written {
        fs::write(dir.join(file.folder).join(&file.name), &file.text)?;
    }
    let left_out = pages.len() - written.len();
    let trash = if left_out > 0 {
        format!("; {left_out} items in the trash skipped")
    } else {
        String::new()
    };
    ctx.say(&format!(
        "{} files written to {}{trash}",
        written.len(),
        dir.display()
    ));
    Ok(())
}

/// Files below a folder that are none of `ours`; enough of them to name some.
fn strangers(dir: &Path, ours: &BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if found.len() > NAMED {
            break;
        }
        // A folder of ours that is a link leads elsewhere.
        if entry.file_type()?.is_dir() && ours.iter().any(|file| file.starts_with(&path)) {
            strangers(&path, ours, found)?;
        } else if !(entry.file_type()?.is_file() && ours.contains(&path)) {
            found.push(path);
        }
    }
    Ok(())
}
