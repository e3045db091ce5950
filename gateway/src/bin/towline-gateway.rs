//! `towline-gateway`: reads the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;
use towline_gateway::cli::{self, Cli, Command};

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("towline-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
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
        Command::Relay(command) => cli::relay(&cli.dir, *command, &mut std::io::stdout().lock()),
        Command::Up | Command::Join { .. } => {
            anyhow::bail!("the node that a gateway runs on is not built into this binary yet")
        }
    }
}
