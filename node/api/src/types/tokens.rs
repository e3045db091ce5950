//! API tokens, as `towline token list` shows them.
//!
//! Plain data. Never holds a secret.

use serde::{Deserialize, Serialize};
use towline_proto::Millis;

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Read what the API shows.
    Read,
    /// And send commands.
    Write,
}

impl Scope {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its public id, by which it is revoked.
    pub id: String,
    /// The agent in whose name its bearer acts.
    pub name: String,
    /// What its bearer may do.
    pub scope: Scope,
    /// When it was created.
    pub created: Millis,
    /// When it ends; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
}
