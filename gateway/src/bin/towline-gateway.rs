//! `towline-gateway`: parses the command line and calls the library.

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use towline_api::failure::{Failure, Hint, OperationError as _};
use towline_cli::{hint_sentence, logging};
use towline_gateway::cli::{self, Cli, Command};
use towline_gateway::run;
use towline_proto::text::show;
use towline_store::home::HomeError;

fn main() -> ExitCode {
    let filter = std::env::var("TOWLINE_LOG")
        .ok()
        .filter(|filter| !filter.trim().is_empty());
    logging::start(filter.as_deref().unwrap_or("warn,towline=info"));
    match run_command(&Cli::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = message(&error);
            if let Some(hint) = hint(&error).as_ref().and_then(hint_sentence) {
                text.push_str("; ");
                text.push_str(&hint);
            }
            eprintln!("towline-gateway: {}", show(&text, usize::MAX));
            error
                .downcast_ref::<Failure>()
                .map_or(ExitCode::FAILURE, |failure| ExitCode::from(failure.code.exit()))
        }
    }
}

/// The error with its causes. Many errors contain the text of their cause, which is not repeated.
fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// What to do about the error.
fn hint(error: &anyhow::Error) -> Option<Hint> {
    match (error.downcast_ref::<Failure>(), error.downcast_ref::<HomeError>()) {
        (Some(failure), _) => failure.hint.clone(),
        (None, home) => home?.hint(),
    }
}

fn run_command(cli: &Cli) -> anyhow::Result<()> {
    let config = cli.config_path();
    match &cli.command {
        Command::Init => {
            if cli::init(&cli.dir, &config)? {
                println!("created {}; edit it to enable the relay", config.display());
            } else {
                println!("{} exists and was not changed", config.display());
            }
            Ok(())
        }
        Command::Relay(command) => cli::relay(cli, *command, &mut stdout().lock()),
        Command::Up(args) => run::up(cli, args, &mut stdout()),
        Command::Join {
            ticket,
            timeout_s,
            create,
        } => {
            if !create {
                cli::require_gateway(cli)?;
            }
            run::join(cli, ticket, Duration::from_secs(*timeout_s), &mut stdout())
        }
    }
}
