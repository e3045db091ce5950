//! The command line of `towline-gateway`, and the commands that need no running node.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use towline_node::api::request::{Failure, FailureCode};
use towline_node::home::{Home, HomeError};
use towline_proto::text::show;

use crate::config::SAMPLE;
use crate::gateway::ask_to_resend;
use crate::http::wall_clock;
use crate::relay::{RelayStatus, StatusBoard, StatusError, ask};

/// How long a running gateway is waited for: it looks every second whether somebody asks.
const ANSWER: Duration = Duration::from_secs(5);
/// How often it is looked whether it has answered.
const LOOK: Duration = Duration::from_millis(50);

/// Many projects on one board and in one chat.
#[derive(Debug, Parser)]
#[command(name = "towline-gateway", version)]
pub struct Cli {
    /// The gateway's folder.
    #[arg(
        long,
        short = 'd',
        env = "TOWLINE_GATEWAY_DIR",
        default_value = ".towline-gateway",
        global = true
    )]
    pub dir: PathBuf,
    /// The configuration; `gateway.toml` in the folder when absent.
    #[arg(long, env = "TOWLINE_GATEWAY_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What was typed. A variable of the environment that is empty counts as absent. Ends the process with help
    /// or a complaint, as clap does.
    pub fn read() -> Self {
        let empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let command = Self::command().mut_args(|arg| match arg.get_env() {
            Some(name) if empty(name) => arg.env(clap::builder::Resettable::Reset),
            _ => arg,
        });
        let matches = command.get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the folder, with a configuration that explains itself.
    Init,
    /// Run the gateway until it is told to stop.
    Up(Up),
    /// Become a member of a project.
    Join {
        /// The ticket that a member made with `towline invite`.
        ticket: String,
        /// Seconds to wait until everything has come.
        #[arg(long, default_value_t = 60)]
        timeout_s: u64,
        /// Make the folder where there is no gateway yet.
        #[arg(long)]
        create: bool,
    },
    /// Look after deliveries to chat and webhooks.
    #[command(subcommand)]
    Relay(Relay),
}

/// How the gateway faces people and its members.
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Where the fleet page and the boards are served; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4848")]
    pub board: SocketAddr,
    /// Where members reach the gateway, as a multiaddress; may be given several times.
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// The person that the printed link signs in.
    #[arg(long = "as", value_name = "NAME", default_value = "admin")]
    pub who: String,
    /// Make the folder where there is no gateway yet.
    #[arg(long)]
    pub create: bool,
}

/// Deliveries to chat and webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Relay {
    /// Last delivery, lag and parked messages of each destination.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send again what was set aside.
    Resend,
}

impl Cli {
    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.config
            .clone()
            .unwrap_or_else(|| self.dir.join("gateway.toml"))
    }
}

/// Makes a gateway's folder with a sample configuration; one that is there stays as it is.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn init(dir: &Path, config: &Path) -> std::io::Result<bool> {
    std::fs::create_dir_all(dir)?;
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(config)
    {
        Ok(mut file) => {
            file.write_all(SAMPLE.as_bytes())?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses a folder in which nobody has set up a gateway: a mistyped one would otherwise start an empty
/// gateway, which says nothing and knows nothing.
///
/// # Errors
/// When there is neither a configuration nor a node in it.
pub fn must_be_there(cli: &Cli) -> Result<(), Failure> {
    if let Some(config) = cli.config.as_ref().filter(|config| !config.is_file()) {
        let message = format!("there is no configuration {}", config.display());
        return Err(Failure::new(FailureCode::NotFound, message));
    }
    if cli.config.is_some() || cli.config_path().is_file() || Home::at(&cli.dir).exists() {
        return Ok(());
    }
    let dir = cli.dir.display();
    let message = format!(
        "there is no gateway in {dir}; `towline-gateway -d {dir} init` makes one, `-d FOLDER` names another folder, \
         and `--create` makes one here without a configuration"
    );
    Err(Failure::new(FailureCode::NotFound, message))
}

/// Performs a `relay` command and writes what there is to say.
///
/// # Errors
/// When there is no gateway in the folder, or the folder cannot be written.
pub fn relay(cli: &Cli, command: Relay, out: &mut impl Write) -> anyhow::Result<()> {
    must_be_there(cli)?;
    let dir = cli.dir.as_path();
    match command {
        Relay::Status { json } => {
            let status = fresh(dir)?;
            if json {
                serde_json::to_writer_pretty(&mut *out, &status)?;
                writeln!(out)?;
            } else {
                tell(&status, out)?;
            }
        }
        Relay::Resend => {
            ask_to_resend(dir)?;
            let when = match is_running(dir) {
                true => "asked; the running gateway sends within a second",
                false => "noted; no gateway runs here, and the next one sends when it starts",
            };
            writeln!(out, "{when}")?;
        }
    }
    Ok(())
}

/// The status of now where a gateway runs, and else the last one.
fn fresh(dir: &Path) -> Result<RelayStatus, StatusError> {
    let asked_at = wall_clock();
    let running = is_running(dir);
    if running {
        ask(dir)?;
        let deadline = Instant::now() + ANSWER;
        while Instant::now() < deadline {
            match StatusBoard::read(dir) {
                Ok(status) if status.as_of >= asked_at => {
                    return Ok(RelayStatus { running, ..status });
                }
                Ok(_) | Err(_) => std::thread::sleep(LOOK),
            }
        }
    }
    Ok(RelayStatus {
        running,
        ..StatusBoard::read(dir)?
    })
}

fn tell(status: &RelayStatus, out: &mut impl Write) -> std::io::Result<()> {
    let age = wall_clock().since(status.as_of) / 1_000;
    match status.running {
        true if age > ANSWER.as_secs() => writeln!(
            out,
            "the gateway runs and does not answer; as of {}, {age} s ago:",
            status.as_of
        )?,
        true => writeln!(out, "the gateway runs; as of {}:", status.as_of)?,
        false => writeln!(
            out,
            "no gateway runs here; this is how it was at {}, {age} s ago:",
            status.as_of
        )?,
    }
    if status.lanes.is_empty() {
        writeln!(
            out,
            "nothing is relayed; see `rooms` and `webhook` in the configuration"
        )?;
    }
    for lane in &status.lanes {
        writeln!(out, "{lane}")?;
    }
    for (room, note) in &status.rooms {
        writeln!(out, "{}: {}", show(room, 80), show(note, 200))?;
    }
    Ok(())
}

/// Whether a gateway runs in a folder: somebody holds the lock of its node.
fn is_running(dir: &Path) -> bool {
    let home = Home::at(dir);
    home.exists() && matches!(home.lock("towline-gateway relay"), Err(HomeError::Busy { .. }))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let cli =
            Cli::try_parse_from(["towline-gateway", "relay", "status", "-d", "/srv/gateway"]).expect("parse");
        assert_eq!(cli.config_path(), Path::new("/srv/gateway/gateway.toml"));
    }

    #[test]
    fn init_never_overwrites_a_configuration() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = dir.path().join("gateway.toml");
        assert!(init(dir.path(), &config).expect("init"));
        std::fs::write(&config, "# mine").expect("write");
        assert!(!init(dir.path(), &config).expect("init again"));
        assert_eq!(std::fs::read_to_string(&config).expect("read"), "# mine");
    }
}
