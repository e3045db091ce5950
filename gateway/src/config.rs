//! The gateway's configuration file in TOML. Unknown keys and invalid values are errors.
//!
//! Reading the file checks everything that can be checked without a network: presets, roles, addresses,
//! secrets, and duplicate names. It never opens a connection.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::relay::Preset;
use crate::webhook::sign::WebhookKey;

/// Maximum size of a configuration file, in bytes; a real one has a few thousand.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// Allowed values of `stale_after_s`, in seconds. Less would refuse commands that were only briefly delayed, and
/// more would run commands of the day before.
const STALE_S: std::ops::RangeInclusive<u64> = 5..=86_400;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// It is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// A value is invalid.
    #[error("{key}: {problem}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong, and what would be valid.
        problem: String,
    },
}

impl ConfigError {
    fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value {
            key: key.into(),
            problem: problem.into(),
        }
    }
}

/// A text that is never printed in logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ConfigSecret(String);

impl ConfigSecret {
    /// The text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConfigSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The configuration of a gateway.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// The chat account, if any.
    pub matrix: Option<MatrixConfig>,
    /// The webhook endpoints.
    pub webhook: Vec<WebhookConfig>,
}

/// A Matrix account and its rooms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixConfig {
    /// The address of the homeserver's client API, such as `https://matrix.example.org`.
    pub homeserver: String,
    /// The account: `@towline:example.org` or its local part.
    #[serde(default)]
    pub user: String,
    /// The password; alternative to `token_file`.
    #[serde(default)]
    pub password: Option<ConfigSecret>,
    /// A file with an access token; alternative to `password`.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The rooms that get events.
    #[serde(default)]
    pub rooms: Vec<RoomConfig>,
    /// The full user ids of people whose invitations are accepted.
    #[serde(default)]
    pub allow_inviters: Vec<String>,
    /// The roles of chat users; everybody else is a viewer.
    #[serde(default)]
    pub users: Vec<ChatUser>,
    /// The prefix of commands.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Commands older than this are refused, in seconds.
    #[serde(default = "default_stale")]
    pub stale_after_s: u64,
}

fn default_prefix() -> String {
    "!".to_owned()
}

/// Two minutes: `docs/spec/gateway.md`, *Commands from chat*.
const fn default_stale() -> u64 {
    120
}

/// A room that gets events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomConfig {
    /// The room: `!id:server` or `#alias:server`.
    pub room: String,
    /// The names of the projects; all projects if empty.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Which events it gets.
    #[serde(default)]
    pub preset: Preset,
    /// The project of commands that do not name one.
    #[serde(default)]
    pub active: Option<String>,
}

/// What a chat user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChatRole {
    /// Read.
    #[default]
    Viewer,
    /// Read, and change items.
    Operator,
    /// Everything.
    Admin,
}

impl ChatRole {
    /// The name of the role.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A chat user with a role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatUser {
    /// The full user id, such as `@ann:example.org`. A display name is not accepted: anybody can choose it.
    pub id: String,
    /// The role.
    pub role: ChatRole,
}

/// A webhook endpoint that gets events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The name; it identifies the stored messages of the endpoint.
    pub name: String,
    /// The address.
    pub url: String,
    /// The signing secret, `whsec_` and base64.
    pub secret: ConfigSecret,
    /// The names of the projects; all projects if empty.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Which events it gets.
    #[serde(default)]
    pub preset: Preset,
    /// Whether private, link-local and loopback addresses are allowed.
    #[serde(default)]
    pub allow_private: bool,
}

impl GatewayConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When the file cannot be read or is invalid. The message names the key; the caller adds the file name.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        if std::fs::metadata(path).map_err(ConfigError::Read)?.len() > CONFIG_BYTES {
            return Err(ConfigError::Read(std::io::Error::other(
                "it is larger than 1 MiB",
            )));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(ConfigError::Read)?)
    }

    /// Parses and checks a text.
    ///
    /// # Errors
    /// When it is invalid; the message names the key.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        if let Some(matrix) = &config.matrix {
            matrix.check()?;
        }
        let mut names = BTreeSet::new();
        for webhook in &config.webhook {
            webhook.check()?;
            if !names.insert(&webhook.name) {
                return Err(ConfigError::value(
                    format!("webhook {:?}", webhook.name),
                    "two webhooks have this name; each needs a name of its own, because it identifies the queue",
                ));
            }
        }
        Ok(config)
    }
}

/// Parses an address with the scheme http or https.
fn http_url(text: &str) -> Result<reqwest::Url, String> {
    let url: reqwest::Url = text
        .parse()
        .map_err(|error| format!("{text:?} is not an address: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.host_str().is_some() => Ok(url),
        "http" | "https" => Err(format!("{text:?} has no host")),
        other => Err(format!("{other}: is not supported; use https://")),
    }
}

fn is_user_id(text: &str) -> bool {
    text.starts_with('@')
        && text.len() <= 255
        && text.split_once(':').is_some_and(|(_, server)| !server.is_empty())
}

impl MatrixConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let url =
            http_url(&self.homeserver).map_err(|problem| ConfigError::value("matrix.homeserver", problem))?;
        if url.scheme() == "http" && !crate::http::is_loopback(&url) {
            return Err(ConfigError::value(
                "matrix.homeserver",
                "http:// would send the password unencrypted; use https:// (http:// is allowed only for this machine)",
            ));
        }
        match (&self.password, &self.token_file) {
            (Some(_), None) if self.user.is_empty() => {
                return Err(ConfigError::value(
                    "matrix.user",
                    "`password` needs `user`: the account that it belongs to",
                ));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => {
                return Err(ConfigError::value(
                    "matrix",
                    "give either `password` or `token_file`",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(ConfigError::value(
                    "matrix",
                    "give `password` or `token_file`, not both",
                ));
            }
        }
        if self.prefix.is_empty() || self.prefix.chars().any(char::is_whitespace) {
            return Err(ConfigError::value(
                "matrix.prefix",
                "commands need a prefix without spaces, such as \"!\"",
            ));
        }
        let mut rooms = BTreeSet::new();
        for room in &self.rooms {
            if !(room.room.starts_with('!') || room.room.starts_with('#')) {
                return Err(ConfigError::value(
                    "matrix.rooms",
                    format!(
                        "{:?} is neither a room id (!id:server) nor an alias (#name:server)",
                        room.room
                    ),
                ));
            }
            if !rooms.insert(&room.room) {
                return Err(ConfigError::value(
                    "matrix.rooms",
                    format!("{} is listed twice", room.room),
                ));
            }
        }
        if !STALE_S.contains(&self.stale_after_s) {
            return Err(ConfigError::value(
                "matrix.stale_after_s",
                format!(
                    "{} is out of range; use {} to {} seconds",
                    self.stale_after_s,
                    STALE_S.start(),
                    STALE_S.end()
                ),
            ));
        }
        let users = self.users.iter().map(|user| ("matrix.users", &user.id));
        let inviters = self
            .allow_inviters
            .iter()
            .map(|user| ("matrix.allow_inviters", user));
        for (key, user) in users.chain(inviters) {
            if !is_user_id(user) {
                return Err(ConfigError::value(
                    key,
                    format!("{user:?} is not a full user id such as @ann:example.org"),
                ));
            }
        }
        let mut known = BTreeSet::new();
        match self.users.iter().find(|user| !known.insert(&user.id)) {
            Some(twice) => Err(ConfigError::value(
                "matrix.users",
                format!("{} is listed twice; give each user one role", twice.id),
            )),
            None => Ok(()),
        }
    }

    /// The role of a user; viewer unless configured.
    pub(crate) fn role(&self, user: &str) -> ChatRole {
        self.users
            .iter()
            .find(|entry| entry.id == user)
            .map_or(ChatRole::Viewer, |entry| entry.role)
    }
}

impl WebhookConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let key = |what: &str| format!("webhook {:?}: {what}", self.name);
        towline_proto::text::name(&self.name)
            .map_err(|problem| ConfigError::value(key("name"), problem.to_string()))?;
        http_url(&self.url).map_err(|problem| ConfigError::value(key("url"), problem))?;
        WebhookKey::parse(self.secret.reveal())
            .map(|_| ())
            .map_err(|problem| ConfigError::value(key("secret"), problem.to_string()))
    }
}

/// The configuration that `init` writes: every setting, explained and commented out.
pub(crate) const SAMPLE: &str = include_str!("sample.toml");
