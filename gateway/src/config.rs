//! The gateway's configuration file: TOML, every key known, every mistake named.
//!
//! Reading checks what can be checked without a network: that presets, roles and addresses are such,
//! that a secret is there, that names are not given twice. It never opens a connection.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::relay::Preset;
use crate::webhook::sign::Key;

/// Largest configuration file that is read, in bytes; an honest one has a few thousand.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// After how long commands may be called too old, in seconds: less would refuse what only took a moment,
/// more would do yesterday's commands today.
const STALE_S: std::ops::RangeInclusive<u64> = 5..=86_400;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// Not TOML of the right shape.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// A value that cannot be meant.
    #[error("{key}: {problem}")]
    Value {
        /// Which key.
        key: String,
        /// What is wrong and what would be right.
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

/// A text that never shows itself in logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Everything that a gateway is told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The chat account, if there is one.
    pub matrix: Option<Matrix>,
    /// Endpoints that get every event.
    pub webhook: Vec<Webhook>,
}

/// A Matrix account and its rooms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Where the homeserver's client API is, such as `https://matrix.example.org`.
    pub homeserver: String,
    /// The account, `@towline:example.org` or its local part.
    #[serde(default)]
    pub user: String,
    /// Its password; or else `token_file`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file that holds an access token; or else `password`.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Rooms that get events.
    #[serde(default)]
    pub rooms: Vec<Room>,
    /// Whose invitations are accepted, by full user id.
    #[serde(default)]
    pub allow_inviters: Vec<String>,
    /// Who may do what; everybody else may only read.
    #[serde(default)]
    pub users: Vec<User>,
    /// What a command begins with.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Older commands are refused with "repeat it", in seconds.
    #[serde(default = "default_stale")]
    pub stale_after_s: u64,
}

fn default_prefix() -> String {
    "!".to_owned()
}

/// Two minutes: the gateway specification, *Commands from chat*.
const fn default_stale() -> u64 {
    120
}

/// A room that gets events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// `!id:server` or `#alias:server`.
    pub room: String,
    /// Only these projects, by name; all when empty.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Which events.
    #[serde(default)]
    pub preset: Preset,
    /// The project that commands without one are about.
    #[serde(default)]
    pub active: Option<String>,
}

/// What a chat user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Read.
    #[default]
    Viewer,
    /// Read and write.
    Operator,
    /// Everything.
    Admin,
}

impl Level {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
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
pub struct User {
    /// The full user id, such as `@ann:example.org`. Display names say nothing.
    pub id: String,
    /// What they may do.
    pub role: Level,
}

/// An endpoint that gets every event.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What people call it.
    pub name: String,
    /// Where to.
    pub url: String,
    /// The signing secret, `whsec_` and base64.
    pub secret: Secret,
    /// Only these projects, by name; all when empty.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Which events.
    #[serde(default)]
    pub preset: Preset,
    /// Whether private, link-local and loopback addresses may be called.
    #[serde(default)]
    pub allow_private: bool,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read or used; the message names the key, and its caller the file.
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
    /// When it cannot be used; the message names the key.
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
                    "there are two of that name; names tell delivery queues apart",
                ));
            }
        }
        Ok(config)
    }
}

/// An http address whose plain-text form leads nowhere but to this machine.
fn http_url(text: &str) -> Result<reqwest::Url, String> {
    let url: reqwest::Url = text
        .parse()
        .map_err(|error| format!("{text:?} is not an address: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.host_str().is_some() => Ok(url),
        "http" | "https" => Err(format!("{text:?} names no host")),
        other => Err(format!("{other}: is not supported; use https://")),
    }
}

fn is_user_id(text: &str) -> bool {
    text.starts_with('@')
        && text.len() <= 255
        && text.split_once(':').is_some_and(|(_, server)| !server.is_empty())
}

impl Matrix {
    fn check(&self) -> Result<(), ConfigError> {
        let url =
            http_url(&self.homeserver).map_err(|problem| ConfigError::value("matrix.homeserver", problem))?;
        if url.scheme() == "http" && !crate::http::is_loopback(&url) {
            return Err(ConfigError::value(
                "matrix.homeserver",
                "a password must not travel in the clear; use https:// (http:// is only for this machine)",
            ));
        }
        match (&self.password, &self.token_file) {
            (Some(_), None) if self.user.is_empty() => {
                return Err(ConfigError::value(
                    "matrix.user",
                    "a password needs the user it belongs to",
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
                    format!("{} is there twice", room.room),
                ));
            }
        }
        if !STALE_S.contains(&self.stale_after_s) {
            return Err(ConfigError::value(
                "matrix.stale_after_s",
                format!(
                    "{} is not from {} s to {} s",
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
                format!("{} is there twice; each user has one role", twice.id),
            )),
            None => Ok(()),
        }
    }

    /// What a user may do: nothing but reading, unless a line of the configuration says otherwise.
    pub fn level(&self, user: &str) -> Level {
        self.users
            .iter()
            .find(|entry| entry.id == user)
            .map_or(Level::Viewer, |entry| entry.role)
    }
}

impl Webhook {
    fn check(&self) -> Result<(), ConfigError> {
        let key = |what: &str| format!("webhook {:?}: {what}", self.name);
        towline_proto::text::name(&self.name)
            .map_err(|problem| ConfigError::value(key("name"), problem.to_string()))?;
        http_url(&self.url).map_err(|problem| ConfigError::value(key("url"), problem))?;
        Key::parse(self.secret.reveal())
            .map(|_| ())
            .map_err(|problem| ConfigError::value(key("secret"), problem.to_string()))
    }
}

/// What `init` writes: everything there is, explained and switched off.
pub const SAMPLE: &str = include_str!("sample.toml");
