//! `export --to bundle` and `import --from bundle`: the signed log as a file, for use without a network.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use towline_api::document::schema;
use towline_api::request::{Administration, Failure, FailureCode, MAX_ENTRIES, Query, Reply, Request};
use towline_api::types::EntryImportReport;
use towline_api::types::ProjectStatus;
use towline_interchange::export::bundle::{self, BundleError, Header, Writer};
use towline_proto::{Entry, Payload, ProjectId};
use towline_store::home::files;

use super::export::unexpected_reply;
use super::failure;
use crate::args::ImportArgs;
use crate::backend::connect;
use crate::{Backend, CliError, Context, dry_run, envelope, json};

/// Bytes of entries that one request carries at most, unless one alone has more.
const CHUNK_BYTES: usize = 512 * 1024;
/// Reasons that are kept.
const REASONS: usize = 8;

/// Why a bundle cannot be imported.
enum ImportError {
    Bundle(BundleError),
    Failure(Failure),
}

impl From<BundleError> for ImportError {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

impl From<Failure> for ImportError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Writes every entry of the log into a file, which takes its name when it is whole.
pub(super) fn export(ctx: &Context, path: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    if files::is_special(path) {
        let message = format!(
            "cannot write a bundle to {}, because its header is written last; name a file",
            path.display()
        );
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    let mut backend = connect(ctx)?;
    if ctx.global.dry_run {
        let Reply::Status(status) = backend.request(envelope(ctx, None, Request::Query(Query::Status)))?
        else {
            return Err(unexpected_reply().into());
        };
        let step = format!("write {} entries to {}", status.entries, path.display());
        return dry_run::print_steps(ctx, &[step], out);
    }
    let temporary = files::temporary_beside(path);
    let written = write(ctx, &mut *backend, &temporary).and_then(|count| {
        fs::rename(&temporary, path)?;
        Ok(count)
    });
    match written {
        Ok(count) => {
            let size = fs::metadata(path)?.len();
            ctx.say(&format!(
                "{count} entries ({size} bytes) written to {}",
                path.display()
            ));
            Ok(())
        }
        Err(trouble) => {
            // What is left of it is worthless, and the first error is the one to tell.
            let _ = fs::remove_file(&temporary);
            Err(trouble)
        }
    }
}

fn write(ctx: &Context, backend: &mut dyn Backend, path: &Path) -> Result<u64, CliError> {
    let mut writer = None;
    let mut after = 0;
    loop {
        let request = Request::Administration(Administration::ExportEntries { after });
        let Reply::ExportedEntries {
            project,
            records,
            next,
        } = backend.request(envelope(ctx, None, request))?
        else {
            return Err(unexpected_reply().into());
        };
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(path)?;
                none.insert(Writer::begin(file, project)?)
            }
        };
        if records.is_empty() {
            break;
        }
        for record in records {
            let bytes = STANDARD.decode(record).map_err(|_| unexpected_reply())?;
            writer.add(&bytes)?;
        }
        after = next;
    }
    match writer {
        Some(writer) => Ok(writer.finish()?),
        None => Ok(0),
    }
}

/// Reads a bundle twice: once to see that it is whole, once to hand its entries in.
pub(super) fn import(ctx: &Context, args: &ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if args.file.as_os_str() == "-" {
        let message = "cannot read a bundle from standard input, because it is read twice; name the file";
        return Err(Failure::new(FailureCode::Usage, message).into());
    }
    let mut called = None;
    let header = look(&args.file, &mut called)?;
    ctx.root().map_err(|failure| {
        let message = format!(
            "{failure}\na bundle can be imported only into a copy of its project; `towline join TICKET` makes one"
        );
        failure.with_message(message)
    })?;
    let mut backend = connect(ctx)?;
    let Reply::Status(status) = backend.request(envelope(ctx, None, Request::Query(Query::Status)))? else {
        return Err(unexpected_reply().into());
    };
    fits(&header, called.as_deref(), &status)?;
    if ctx.global.dry_run {
        let step = format!(
            "import the {} entries of the bundle into this project",
            header.entries
        );
        return dry_run::print_steps(ctx, &[step], out);
    }
    let arrived = import_entries(ctx, &mut *backend, &args.file)?;
    tell(ctx, &arrived, out)
}

/// Sees that a bundle is whole, and what its project is called.
fn look(path: &Path, called: &mut Option<String>) -> Result<Header, Failure> {
    let mut at = 0_u64;
    let read = bundle::read(path, |_, bytes| {
        at += 1;
        let entry = Entry::decode(bytes.into());
        let entry = entry.map_err(|why| ImportError::Failure(failure(format!("entry {at}: {why}"))))?;
        if let Payload::Genesis(genesis) = &entry.body().payload {
            called.get_or_insert_with(|| genesis.name.clone());
        }
        Ok::<(), ImportError>(())
    });
    read.map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, error: ImportError) -> Failure {
    let (code, why) = match error {
        ImportError::Bundle(BundleError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            (FailureCode::NotFound, BundleError::Io(error).to_string())
        }
        ImportError::Bundle(error) => (FailureCode::Failure, error.to_string()),
        ImportError::Failure(failure) => (failure.code, failure.message),
    };
    let why = towline_proto::text::show(&why, 300);
    Failure::new(code, format!("{}: {why}", path.display()))
}

fn fits(header: &Header, called: Option<&str>, status: &ProjectStatus) -> Result<(), Failure> {
    if header.project == status.id {
        return Ok(());
    }
    let name = |name: Option<&str>, id: &ProjectId| match name {
        Some(name) => format!("{} ({})", towline_proto::text::show(name, 80), id.short()),
        None => id.short(),
    };
    let message = format!(
        "the bundle belongs to project {}, and this is {}; nothing was imported",
        name(called, &header.project),
        name(Some(&status.name), &status.id)
    );
    Err(Failure::new(FailureCode::Conflict, message))
}

fn import_entries(
    ctx: &Context,
    backend: &mut dyn Backend,
    path: &Path,
) -> Result<EntryImportReport, Failure> {
    let mut arrived = EntryImportReport::default();
    let mut records: Vec<String> = Vec::new();
    let mut size = 0;
    let mut send = |project: ProjectId, records: &mut Vec<String>| -> Result<(), Failure> {
        let request = Request::Administration(Administration::ImportEntries {
            project,
            records: std::mem::take(records),
        });
        let Reply::EntriesImported(more) = backend.request(envelope(ctx, None, request))? else {
            return Err(unexpected_reply());
        };
        arrived.new += more.new;
        arrived.known += more.known;
        arrived.waiting += more.waiting;
        arrived.refused += more.refused;
        let room = REASONS.saturating_sub(arrived.reasons.len());
        arrived.reasons.extend(more.reasons.into_iter().take(room));
        Ok(())
    };
    let header = bundle::read(path, |header, bytes| {
        if !records.is_empty() && (size + bytes.len() > CHUNK_BYTES || records.len() >= MAX_ENTRIES) {
            send(header.project, &mut records)?;
            size = 0;
        }
        size += bytes.len();
        records.push(STANDARD.encode(&bytes));
        Ok::<(), ImportError>(())
    });
    let header = header.map_err(|error| unusable(path, error))?;
    if !records.is_empty() {
        send(header.project, &mut records)?;
    }
    Ok(arrived)
}

fn tell(ctx: &Context, arrived: &EntryImportReport, out: &mut dyn Write) -> Result<(), CliError> {
    if ctx.global.json {
        out.write_all(json::document(schema::ARRIVED, arrived).as_bytes())?;
    } else {
        writeln!(
            out,
            "entries: {} new, {} known, {} waiting, {} refused",
            arrived.new, arrived.known, arrived.waiting, arrived.refused
        )?;
        for reason in &arrived.reasons {
            ctx.say(reason);
        }
    }
    if arrived.waiting > 0 {
        ctx.say("Waiting entries depend on entries that are missing here; they are added when those arrive.");
    }
    if arrived.refused == 0 {
        return Ok(());
    }
    out.flush()?;
    Err(failure(format!(
        "{} refused; all others were imported",
        match arrived.refused {
            1 => "1 entry was".to_owned(),
            more => format!("{more} entries were"),
        }
    ))
    .into())
}
