//! `towline-gateway`: reads the command line and hands over to the library.

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use towline_gateway::cli::{self, Cli, Command};
use towline_gateway::run;
use towline_node::api::request::Failure;
use towline_node::logging;
use towline_proto::text::show;

fn main() -> ExitCode {
    let filter = std::env::var("TOWLINE_LOG")
        .ok()
        .filter(|filter| !filter.trim().is_empty());
    logging::start(filter.as_deref().unwrap_or("warn,towline=info"));
    match perform(&Cli::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("towline-gateway: {}", show(&format!("{error:#}"), usize::MAX));
            error
                .downcast_ref::<Failure>()
                .map_or(ExitCode::FAILURE, |failure| ExitCode::from(failure.code.exit()))
        }
    }
}

fn perform(cli: &Cli) -> anyhow::Result<()> {
    let config = cli.config_path();
    match &cli.command {
        Command::Init => {
            if cli::init(&cli.dir, &config)? {
                println!("wrote {}; switch on what you need", config.display());
            } else {
                println!("{} is there already and stays as it is", config.display());
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
                cli::must_be_there(cli)?;
            }
            run::join(cli, ticket, Duration::from_secs(*timeout_s), &mut stdout())
        }
    }
}
