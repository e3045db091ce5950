//! The command line: arguments become requests, replies become pages or JSON.
//!
//! ```text
//! args ──► plan (requests) ──► Backend: the node's socket, or the store ──► render / json ──► stdout
//! ```
//!
//! Data goes to standard output and messages to standard error. The exit code is that of the worst reply. The
//! command line knows no rule of the domain: it asks the backend.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod args;
pub mod backend;
mod completions;
mod config_file;
pub mod context;
mod demo;
mod dry_run;
mod edit;
mod json;
mod json_fields;
pub mod launcher;
mod listing;
pub mod logging;
mod open;
mod pager;
mod plan;
pub(crate) mod render;
mod run;
mod settings;
mod style;
#[cfg(test)]
mod tests;
mod token;
mod user_name;
mod watch;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use towline_proto::Origin;

pub use context::Context;
use launcher::Launcher;
pub use render::hint::sentence as hint_sentence;

use args::Cli;
use style::{Ink, Style};
use towline_api::request::{Envelope, Failure, FailureCode, Reply, Request};

/// Something that answers requests: a running node through its socket, or the store opened directly.
pub trait Backend {
    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// Why the request failed.
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure>;
}

impl<B: Backend + ?Sized> Backend for &mut B {
    fn request(&mut self, envelope: Envelope) -> Result<Reply, Failure> {
        (**self).request(envelope)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A request or a local step failed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

/// The whole program. `launcher` runs a node where a command asks for one.
pub fn main(launcher: &dyn Launcher) -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error),
    };
    crate::logging::start(&context::log_filter(cli.global.verbose));
    let json = cli.global.json;
    let ctx = match Context::of_process(cli.global) {
        Ok(ctx) => ctx,
        Err(failure) => {
            print_error(json, Style::PLAIN, "", &failure);
            return ExitCode::from(failure.code.exit());
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let ended = run_paged(&ctx, launcher, cli.command, &mut out).and_then(|worst| {
        out.flush()?;
        Ok(worst)
    });
    match ended {
        Ok(worst) => ExitCode::from(worst),
        // `towline list | head` is no failure of ours.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(CliError::Output(error)) => {
            let failure = Failure::new(FailureCode::Failure, CliError::Output(error).to_string());
            print_error(json, ctx.stderr_style, "", &failure);
            ExitCode::from(failure.code.exit())
        }
        Err(CliError::Failure(failure)) => {
            print_error(json, ctx.stderr_style, "", &failure);
            ExitCode::from(failure.code.exit())
        }
    }
}

/// Runs a command, and shows long output in a pager.
fn run_paged(
    ctx: &Context,
    launcher: &dyn Launcher,
    command: args::Command,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    if !pager::is_wanted(ctx, &command) {
        return run::run(ctx, launcher, command, out);
    }
    let mut page = Vec::new();
    let ended = run::run(ctx, launcher, command, &mut page);
    pager::show(ctx, &page, out)?;
    ended
}

/// Prints what clap reports. Help and version are no errors; anything else is a wrong use.
fn usage_error(error: &clap::Error) -> ExitCode {
    let wanted =
        std::env::args_os().any(|arg| arg == "--json" || arg.as_encoded_bytes().starts_with(b"--json="));
    if error.use_stderr() && wanted {
        let said = error.to_string();
        let message = said.trim().trim_start_matches("error: ").to_owned();
        print_error(true, Style::PLAIN, "", &Failure::new(FailureCode::Usage, message));
    } else {
        // A closed pipe below `--help` is no failure of ours either.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Prints a failure on standard error.
fn print_error(json: bool, style: Style, about: &str, failure: &Failure) {
    let text = if json {
        json::error(failure)
    } else {
        let about = match about {
            "" => String::new(),
            item => format!("{}: ", render::text::clean(item)),
        };
        let hint = failure.hint.as_ref().and_then(hint_sentence);
        let message = match hint {
            Some(hint) => format!("{}; {hint}", failure.message),
            None => failure.message.clone(),
        };
        let message = render::text::clean_lines(&message).join("\n");
        format!("{} {about}{message}\n", style.paint(Ink::Red, "error:"))
    };
    let _ = io::stderr().write_all(text.as_bytes());
}

fn envelope(ctx: &Context, origin: Option<Origin>, body: Request) -> Envelope {
    Envelope {
        project: ctx.global.project.clone(),
        origin,
        body,
    }
}
