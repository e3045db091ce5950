//! The arguments of `token`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use towline_api::types::Scope;

use super::duration;

/// `token`.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it; it is not shown again
    #[command(after_help = "A program sends it as `Authorization: Bearer TOKEN`.\n\n\
        Examples:\n  towline token create --scope read --name dashboard\n  \
        towline token create --scope write --name ci --expires 30d")]
    Create(TokenCreateArgs),
    /// List the tokens of this node
    List,
    /// Revoke a token; it is refused from the next request on
    Revoke {
        /// Its id, as `towline token list` shows it
        id: String,
    },
}

/// `token create`.
#[derive(Debug, Clone, Args)]
pub struct TokenCreateArgs {
    /// What the token allows
    #[arg(long, value_enum)]
    pub scope: ScopeArg,
    /// Agent in whose name changes are made
    #[arg(long, value_name = "NAME", default_value = "api")]
    pub name: String,
    /// How long the token is valid [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub expires: Option<Duration>,
}

/// A scope on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Read what the API shows.
    Read,
    /// Read, and change items and settings.
    Write,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Read => Self::Read,
            ScopeArg::Write => Self::Write,
        }
    }
}
