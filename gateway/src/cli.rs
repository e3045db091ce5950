//! The command line of `towline-gateway`, and the commands that need no running node.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use towline_api::request::{Failure, FailureCode};
use towline_proto::text::show;
use towline_store::home::{Home, HomeError};

use crate::config::SAMPLE;
use crate::gateway::request_resend;
use crate::http::wall_clock;
use crate::relay::{RelayStatus, StatusError, StatusRegistry, request_refresh};

/// How long to wait for the running gateway to refresh its status; it checks for requests every second.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);
/// How often to check whether the status was refreshed.
const REFRESH_POLL: Duration = Duration::from_millis(50);

/// Show many projects on one board, and relay their events to chat rooms and webhooks.
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
    /// The configuration file; `gateway.toml` in the folder by default.
    #[arg(long, env = "TOWLINE_GATEWAY_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses the command line. Empty environment variables count as absent. Exits the process with the help
    /// text or a usage error, as clap does.
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the folder with a commented configuration file.
    Init,
    /// Run the gateway in the foreground until it is stopped.
    Up(UpArgs),
    /// Join a project with an invitation.
    Join {
        /// The ticket that a member created with `towline invite`.
        ticket: String,
        /// Maximum time to wait for the project's items, in seconds.
        #[arg(long, default_value_t = 60)]
        timeout_s: u64,
        /// Create the gateway if the folder has none.
        #[arg(long)]
        create: bool,
    },
    /// Show the status of deliveries, or repeat failed ones.
    #[command(subcommand)]
    Relay(RelayCommand),
}

/// The arguments of `up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// The address of the web pages; port 0 picks a free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4848")]
    pub board: SocketAddr,
    /// An address at which other nodes reach the gateway; may be repeated.
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// The person whom the printed link signs in.
    #[arg(long = "as", value_name = "NAME", default_value = "admin")]
    pub who: String,
    /// Create the gateway if the folder has none.
    #[arg(long)]
    pub create: bool,
}

/// The commands of `relay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum RelayCommand {
    /// Show the last delivery, lag and failed messages of each destination.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send failed messages again, and reopen closed endpoints.
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

/// Creates a gateway's folder with a sample configuration. Returns `false` and changes nothing if the
/// configuration exists.
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

/// Checks that a gateway was set up in the folder. Otherwise a mistyped folder would start an empty gateway
/// without any message.
///
/// # Errors
/// When the folder contains neither a configuration nor a node.
pub fn require_gateway(cli: &Cli) -> Result<(), Failure> {
    if let Some(config) = cli.config.as_ref().filter(|config| !config.is_file()) {
        let message = format!("the configuration file {} does not exist", config.display());
        return Err(Failure::new(FailureCode::NotFound, message));
    }
    if cli.config.is_some() || cli.config_path().is_file() || Home::at(&cli.dir).exists() {
        return Ok(());
    }
    let dir = cli.dir.display();
    let message = format!(
        "there is no gateway in {dir}; run `towline-gateway -d {dir} init` to set one up, name another folder with \
         `-d FOLDER`, or use `--create` to create one without a configuration"
    );
    Err(Failure::new(FailureCode::NotFound, message))
}

/// Runs a `relay` command.
///
/// # Errors
/// When there is no gateway in the folder, or the folder cannot be written.
pub fn relay(cli: &Cli, command: RelayCommand, out: &mut impl Write) -> anyhow::Result<()> {
    require_gateway(cli)?;
    let dir = cli.dir.as_path();
    match command {
        RelayCommand::Status { json } => {
            let status = current_status(dir)?;
            if json {
                serde_json::to_writer_pretty(&mut *out, &status)?;
                writeln!(out)?;
            } else {
                print_status(&status, out)?;
            }
        }
        RelayCommand::Resend => {
            request_resend(dir)?;
            let when = match is_running(dir) {
                true => "requested; the gateway sends the failed messages within a second",
                false => "the gateway is not running; it sends the failed messages when it starts",
            };
            writeln!(out, "{when}")?;
        }
    }
    Ok(())
}

/// The current status if the gateway runs, otherwise its last one.
fn current_status(dir: &Path) -> Result<RelayStatus, StatusError> {
    let requested_at = wall_clock();
    let running = is_running(dir);
    if running {
        request_refresh(dir)?;
        let deadline = Instant::now() + REFRESH_TIMEOUT;
        while Instant::now() < deadline {
            match StatusRegistry::read(dir) {
                Ok(status) if status.as_of >= requested_at => {
                    return Ok(RelayStatus { running, ..status });
                }
                Ok(_) | Err(_) => std::thread::sleep(REFRESH_POLL),
            }
        }
    }
    Ok(RelayStatus {
        running,
        ..StatusRegistry::read(dir)?
    })
}

fn print_status(status: &RelayStatus, out: &mut impl Write) -> std::io::Result<()> {
    let age = wall_clock().since(status.as_of) / 1_000;
    match status.running {
        true if age > REFRESH_TIMEOUT.as_secs() => writeln!(
            out,
            "the gateway is running but did not refresh its status; status of {}, {age} s ago:",
            status.as_of
        )?,
        true => writeln!(out, "the gateway is running; status of {}:", status.as_of)?,
        false => writeln!(
            out,
            "the gateway is not running; last status of {}, {age} s ago:",
            status.as_of
        )?,
    }
    if status.deliveries.is_empty() {
        writeln!(
            out,
            "nothing is relayed; configure `rooms` or `webhook` in the configuration file"
        )?;
    }
    for delivery in &status.deliveries {
        writeln!(out, "{delivery}")?;
    }
    for (room, note) in &status.rooms {
        writeln!(out, "{}: {}", show(room, 80), show(note, 200))?;
    }
    Ok(())
}

/// Whether a gateway runs in a folder: another process holds the lock of its node.
fn is_running(dir: &Path) -> bool {
    let home = Home::at(dir);
    home.exists() && matches!(home.lock("towline-gateway relay"), Err(HomeError::Busy { .. }))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_valid() {
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
