//! `import --from jsonl`: imports an export of towline, in two passes over its lines.

use std::collections::BTreeSet;
use std::io::Write;

use towline_api::document::schema;
use towline_api::export_line::ItemLine;
use towline_api::request::{Administration, Failure, IMPORT_CHUNK, Reply, Request};
use towline_api::types::ImportReport;
use towline_api::types::{ImportPass, LineOutcome};
use towline_interchange::import::jsonl::{self, JsonlFile};
use towline_proto::Origin;

use super::{CHUNK_BYTES, SHOWN, UNCHANGED, bar, failure, reader, write_notes};
use crate::args::ImportArgs;
use crate::backend::connect;
use crate::render::text::plural;
use crate::{Backend, CliError, Context, envelope, json};

/// Numbers that are listed as shared.
const LISTED: usize = 20;

/// The counts of all passes.
#[derive(Default)]
struct Counts {
    report: ImportReport,
    /// Numbers that an item here had before.
    shared: BTreeSet<u32>,
    problems: Vec<(usize, String)>,
}

/// Imports every line of a file.
pub(super) fn import(ctx: &Context, args: &ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let origin = ctx.origin()?;
    let mut file = jsonl::read(reader(&args.file)?);
    let mut backend = connect(ctx)?;
    let bar = bar(ctx, file.lines.len());
    let mut counts = Counts::default();
    let first = if ctx.global.dry_run {
        ImportPass::DryRun
    } else {
        ImportPass::Create
    };
    if let Some((number, line)) = file.settings.take() {
        let request = Request::Administration(Administration::ImportSettings {
            line: Box::new(line),
            dry_run: ctx.global.dry_run,
        });
        match backend.request(envelope(ctx, Some(origin.clone()), request))? {
            Reply::LineOutcomes(taken) => taken.into_iter().for_each(|taken| counts.settings(number, taken)),
            _ => return Err(unexpected_reply().into()),
        }
    }
    let mut made = BTreeSet::new();
    let mut left = Vec::new();
    for chunk in chunks(&file.lines) {
        for (line, taken) in send_pass(ctx, &mut *backend, &origin, &file, chunk, first)? {
            if let LineOutcome::Created { more: true, .. } = &taken {
                made.insert(line.0);
            }
            if matches!(
                taken,
                LineOutcome::Existing | LineOutcome::Created { more: true, .. }
            ) && first == ImportPass::Create
            {
                left.push(line.clone());
            } else {
                bar.inc(1);
            }
            counts.count(line, taken, &made, first);
        }
    }
    for chunk in chunks(&left) {
        for (line, taken) in send_pass(ctx, &mut *backend, &origin, &file, chunk, ImportPass::Complete)? {
            counts.count(line, taken, &made, ImportPass::Complete);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for (line, what) in std::mem::take(&mut counts.problems) {
        file.problem(line, &what);
    }
    tell(ctx, &file, counts, out)
}

type Numbered = (usize, ItemLine);

/// Lines in pieces that a request can carry; a line that is larger goes alone.
fn chunks(lines: &[Numbered]) -> Vec<&[Numbered]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, (_, line)) in lines.iter().enumerate() {
        let size = serde_json::to_vec(line).map_or(0, |bytes| bytes.len());
        if at > start && (at - start >= IMPORT_CHUNK || bytes + size > CHUNK_BYTES) {
            chunks.extend(lines.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    chunks.extend(lines.get(start..).filter(|rest| !rest.is_empty()));
    chunks
}

fn send_pass<'l>(
    ctx: &Context,
    backend: &mut dyn Backend,
    origin: &Origin,
    file: &JsonlFile,
    chunk: &'l [Numbered],
    pass: ImportPass,
) -> Result<Vec<(&'l Numbered, LineOutcome)>, Failure> {
    let lines: Vec<ItemLine> = chunk.iter().map(|(_, line)| line.clone()).collect();
    let request = Request::Administration(Administration::ImportLines {
        names: file.names(&lines),
        lines,
        pass,
    });
    match backend.request(envelope(ctx, Some(origin.clone()), request)) {
        Ok(Reply::LineOutcomes(taken)) if taken.len() == chunk.len() => Ok(chunk.iter().zip(taken).collect()),
        Ok(_) => Err(unexpected_reply()),
        // A line that is too large for the socket must not stop the others.
        Err(failure) if chunk.len() == 1 => {
            let why = format!("{failure}; if it is only too large, run `towline down` and import again");
            Ok(chunk
                .iter()
                .map(|line| (line, LineOutcome::Rejected { why: why.clone() }))
                .collect())
        }
        Err(failure) => Err(failure),
    }
}

fn unexpected_reply() -> Failure {
    failure("unexpected reply from the node to an import; it may run another version of towline".into())
}

impl Counts {
    /// The settings are not counted as an item.
    fn settings(&mut self, number: usize, taken: LineOutcome) {
        match taken {
            LineOutcome::Rejected { why } => self.problems.push((number, why)),
            LineOutcome::Updated { .. } => self
                .report
                .notes
                .push("the project settings were imported".to_owned()),
            LineOutcome::Created { .. }
            | LineOutcome::Existing
            | LineOutcome::Unchanged
            | LineOutcome::InTrash { .. } => {}
        }
    }

    fn count(
        &mut self,
        (number, line): &Numbered,
        taken: LineOutcome,
        made: &BTreeSet<usize>,
        pass: ImportPass,
    ) {
        let mut compare = |differs: Vec<String>| {
            if !differs.is_empty() {
                let fields = differs.join(", ");
                let what = format!(
                    "item {} was imported, but these fields differ: {fields}",
                    line.handle
                );
                self.problems.push((*number, what));
            }
        };
        match taken {
            LineOutcome::Created { shared, differs, .. } => {
                compare(differs);
                self.report.created += 1;
                if shared {
                    self.shared.insert(line.number);
                }
            }
            LineOutcome::Existing => {}
            LineOutcome::Updated { differs } => {
                compare(differs);
                self.report.updated += usize::from(!made.contains(number));
            }
            LineOutcome::Unchanged => self.report.unchanged += usize::from(!made.contains(number)),
            LineOutcome::InTrash { note } => {
                self.report.unchanged += 1;
                self.report.notes.push(note);
            }
            LineOutcome::Rejected { why } if pass == ImportPass::Complete && made.contains(number) => {
                let what = format!("item {} was created, but only in part: {why}", line.handle);
                self.problems.push((*number, what));
            }
            LineOutcome::Rejected { why } => self.problems.push((*number, why)),
        }
    }
}

fn tell(ctx: &Context, file: &JsonlFile, counts: Counts, out: &mut dyn Write) -> Result<(), CliError> {
    let report = ImportReport {
        problems: file.problems.clone(),
        ..counts.report
    };
    if ctx.global.json {
        out.write_all(json::written(schema::IMPORT, ctx.global.dry_run, &report).as_bytes())?;
    } else {
        let would = if ctx.global.dry_run { "would be " } else { "" };
        writeln!(
            out,
            "items: {} {would}created, {} {would}updated, {} unchanged",
            report.created, report.updated, report.unchanged
        )?;
        if !counts.shared.is_empty() {
            let numbers: Vec<String> = counts.shared.iter().take(LISTED).map(u32::to_string).collect();
            let more = counts.shared.len().saturating_sub(LISTED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            writeln!(
                out,
                "numbers that were already in use and are now shared (42a, 42b): {}{more}",
                numbers.join(", ")
            )?;
        }
        write_notes(UNCHANGED, &report.notes, out)?;
        for problem in report.problems.iter().take(SHOWN) {
            ctx.say(problem);
        }
    }
    let problems = report.problems.len() + file.more_problems;
    if problems == 0 {
        return Ok(());
    }
    if problems > SHOWN && !ctx.global.json {
        ctx.say(&format!("… and {} more; --json lists them", problems - SHOWN));
    }
    out.flush()?;
    Err(failure(format!(
        "import finished with {}; everything else was imported",
        plural(problems, "problem")
    ))
    .into())
}
