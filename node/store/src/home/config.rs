//! The configuration of a node: a TOML file for people, with a comment for each key. Unknown keys are
//! refused, so that a misspelt one is not silently ignored.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::HomeError;
use super::files::{PRIVATE_MODE, write_atomic};
use super::settings::{ArchiveAfter, BusyTimeout, ClaimTtl, Promote, Settings};

/// The default port of the board.
pub const BOARD_PORT: u16 = 4747;

/// The configuration of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The default user of commands; empty for none.
    pub user: String,
    /// The node's name for other members; empty for its id.
    pub node_name: String,
    /// Multiaddresses on which other nodes may connect; port 0 takes a free one.
    pub listen: Vec<String>,
    /// The address of the board and the API. If the port is in use, a free one is taken.
    pub board: SocketAddr,
    /// Host names that the board accepts besides its own address, such as that of a proxy.
    pub allowed_hosts: Vec<String>,
    /// Whether the node announces its private addresses on the local network and discovers others there.
    pub mdns: bool,
    /// Multiaddresses that are always tried.
    pub bootstrap: Vec<String>,
    /// Multiaddresses to announce to others instead of the detected ones, such as a forwarded port.
    pub announce: Vec<String>,
    /// How long a command waits while the project is in use.
    pub busy_timeout: BusyTimeout,
    /// A project setting from when each node had its own; see [`Config::legacy_settings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<Promote>,
    /// As `promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_after: Option<ArchiveAfter>,
    /// As `promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_ttl: Option<ClaimTtl>,
    /// Settings that override the project's, for programs that embed a node. Not stored in a file.
    #[serde(skip)]
    pub settings_override: Option<Settings>,
}

/// Defaults that earlier versions wrote into every file, so they are nobody's choice.
const OLD_DEFAULTS: [(&str, &str); 3] = [
    ("promote", "manual"),
    ("archive_after", "4h"),
    ("claim_ttl", "10m"),
];

impl Default for Config {
    fn default() -> Self {
        Self {
            user: String::new(),
            node_name: String::new(),
            listen: vec!["/ip4/0.0.0.0/tcp/0".to_owned(), "/ip6/::/tcp/0".to_owned()],
            board: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, BOARD_PORT)),
            allowed_hosts: Vec::new(),
            mdns: true,
            bootstrap: Vec::new(),
            announce: Vec::new(),
            busy_timeout: BusyTimeout::default(),
            promote: None,
            archive_after: None,
            claim_ttl: None,
            settings_override: None,
        }
    }
}

impl Config {
    /// Every setting of this machine with its value, in the order of the file.
    pub fn entries(&self) -> Vec<(String, Value)> {
        let all: Table = toml::from_str(&self.text()).unwrap_or_default();
        let text = self.text();
        let keys = text.lines().filter_map(|line| line.split_once(" = "));
        let known = keys.filter(|(key, _)| !key.starts_with('#') && !super::settings::KEYS.contains(key));
        known
            .filter_map(|(key, _)| Some((key.to_owned(), all.get(key)?.clone())))
            .collect()
    }

    /// Reads the file; missing keys and empty values have their defaults.
    ///
    /// # Errors
    /// [`HomeError::Invalid`] with the line, or when it cannot be read.
    pub fn load(path: &Path) -> Result<Self, HomeError> {
        let text = fs::read_to_string(path).map_err(HomeError::open(path))?;
        let read = toml::from_str(&text).or_else(|error| without_blanks(&text).ok_or(error));
        let mut config: Self = read.map_err(|error| HomeError::Invalid {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        config.tidy();
        Ok(config)
    }

    /// Treats blank values as empty, in lists too.
    fn tidy(&mut self) {
        for text in [&mut self.user, &mut self.node_name] {
            if text.trim().is_empty() {
                text.clear();
            }
        }
        for list in [
            &mut self.listen,
            &mut self.allowed_hosts,
            &mut self.bootstrap,
            &mut self.announce,
        ] {
            list.retain(|text| !text.trim().is_empty());
        }
    }

    /// Settings that somebody chose in this file when each node had its own. They belong to the project now:
    /// a node whose role allows it writes them there once, if the project has not set them.
    pub fn legacy_settings(&self) -> Vec<(String, String)> {
        let chosen = |(key, value): &(&str, String)| !OLD_DEFAULTS.contains(&(*key, value.as_str()));
        let written = self.written().into_iter().filter(chosen);
        written.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Project settings in this file.
    fn written(&self) -> Vec<(&'static str, String)> {
        let promote = self.promote.map(|value| ("promote", value.to_string()));
        let archive_after = self
            .archive_after
            .map(|value| ("archive_after", value.to_string()));
        let claim_ttl = self.claim_ttl.map(|value| ("claim_ttl", value.to_string()));
        promote
            .into_iter()
            .chain(archive_after)
            .chain(claim_ttl)
            .collect()
    }

    /// Writes the file with its comments.
    ///
    /// # Errors
    /// When it cannot be written; the old one stays then.
    pub fn store(&self, path: &Path) -> Result<(), HomeError> {
        write_atomic(path, self.text().as_bytes(), PRIVATE_MODE).map_err(HomeError::io("write", path))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let list = |values: &[String]| {
            let values = values.iter().cloned().map(toml::Value::String).collect();
            toml::Value::Array(values).to_string()
        };
        let word = |value: &str| toml::Value::String(value.to_owned()).to_string();
        let mut text = String::from(
            "# towline: changes take effect at the next start of the node; `user` and `busy_timeout` at once.\n",
        );
        for (about, key, value) in [
            (
                "Your user name: who commands act as, unless they pass --as.",
                "user",
                word(&self.user),
            ),
            (
                "The name of this node, as other members see it.",
                "node_name",
                word(&self.node_name),
            ),
            (
                "Addresses on which other nodes can connect; port 0 means any free port.",
                "listen",
                list(&self.listen),
            ),
            (
                "Address of the board; if the port is in use, a free one is used instead.",
                "board",
                word(&self.board.to_string()),
            ),
            (
                "Host names that the board accepts besides its own address, such as board.example:443.",
                "allowed_hosts",
                list(&self.allowed_hosts),
            ),
            (
                "Find members on the local network, and let them find this node there by its private addresses.",
                "mdns",
                self.mdns.to_string(),
            ),
            (
                "Addresses of members to connect to at the start, as `towline peers --me` prints them.",
                "bootstrap",
                list(&self.bootstrap),
            ),
            (
                "Extra addresses to announce to other members, such as a forwarded port.",
                "announce",
                list(&self.announce),
            ),
            (
                "How long commands wait while another process has the project open.",
                "busy_timeout",
                word(&self.busy_timeout.to_string()),
            ),
        ] {
            // Writing to a string does not fail.
            let _ = write!(text, "\n# {about}\n{key} = {value}\n");
        }
        for (key, value) in self.written() {
            let value = word(&value);
            let _ = write!(
                text,
                "\n# This is now a setting of the project: `towline config {key}`.\n{key} = {value}\n"
            );
        }
        text
    }
}

/// The file without known keys that have a blank value, if that makes it valid. An unknown key remains an
/// error.
fn without_blanks(text: &str) -> Option<Config> {
    let mut table: toml::Table = toml::from_str(text).ok()?;
    let known: toml::Table = toml::from_str(&Config::default().text()).ok()?;
    table.retain(|key, value| {
        let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
        !(blank && known.contains_key(key))
    });
    table.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_what_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let config = Config {
            user: "Ada \"the\" \\ Ünïcode".to_owned(),
            node_name: "line\nbreak".to_owned(),
            bootstrap: vec!["/dns4/hub.example/tcp/4001".to_owned()],
            mdns: false,
            promote: Some(Promote::Auto),
            archive_after: Some(ArchiveAfter::Never),
            ..Config::default()
        };
        config.store(&path).unwrap();
        assert_eq!(Config::load(&path).unwrap(), config);
        fs::write(&path, "").unwrap();
        assert_eq!(Config::load(&path).unwrap(), Config::default());
    }

    #[test]
    fn what_is_empty_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        for (key, _) in Config::default().entries() {
            for blank in ["\"\"", "\"  \""] {
                fs::write(&path, format!("{key} = {blank}\n")).unwrap();
                let read = Config::load(&path);
                assert_eq!(read.unwrap(), Config::default(), "{key} = {blank}");
            }
        }
        fs::write(&path, "bootstrap = [\"\"]\nuser = \"ann\"\nboard = \"\"\n").unwrap();
        let read = Config::load(&path).unwrap();
        assert_eq!((read.user.as_str(), read.bootstrap.len()), ("ann", 0));
        fs::write(&path, "bord = \"\"\n").unwrap();
        assert!(Config::load(&path).is_err(), "a misspelt key is no empty setting");
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_and_only_what_was_chosen_is_inherited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let old = "promote = \"manual\"\narchive_after = \"4h\"\nclaim_ttl = \"10m\"\n";
        fs::write(&path, old).unwrap();
        assert_eq!(Config::load(&path).unwrap().legacy_settings(), []);
        fs::write(&path, old.replace("4h", "never")).unwrap();
        let chosen = [("archive_after".to_owned(), "never".to_owned())];
        assert_eq!(Config::load(&path).unwrap().legacy_settings(), chosen);
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "mdns = true\nlisten_on = []\n").unwrap();
        let refused = Config::load(&path).unwrap_err().to_string();
        assert!(
            refused.contains("listen_on") && refused.contains("line 2"),
            "{refused}"
        );
    }
}
