//! Changes one setting in the configuration file, and nothing else in it.
//!
//! The value of the key is replaced, or added if it is missing; comments and order stay. A value with which the
//! node would not start is refused before anything is written.

use std::fs;
use std::path::Path;

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};
use towline_api::request::{Failure, FailureCode};
use towline_net::identity;
use towline_proto::text;
use towline_store::home::files::{PRIVATE_MODE, write_atomic};
use towline_store::home::{Config, HomeError};

/// Settings that are lists of multiaddresses.
const ADDRESSES: [&str; 3] = ["listen", "bootstrap", "announce"];
/// Settings that are names, shown to others.
const NAMES: [&str; 2] = ["user", "node_name"];

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Usage, message)
}

/// One setting.
///
/// # Errors
/// When there is no such setting; the message lists them.
pub(crate) fn entry(config: &Config, key: &str) -> Result<Value, Failure> {
    let all = config.entries();
    let found = all.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|(known, _)| known.as_str()).collect();
        let key = text::show(key, 80);
        usage(format!(
            "unknown setting {key:?}; expected one of: {}",
            known.join(", ")
        ))
    })
}

/// Changes one setting in the file; `given` is as a person types it: lists are separated by commas, and a
/// blank text means an empty list or the default of any other setting.
///
/// # Errors
/// When there is no such setting, the value is invalid, or the file cannot be written. The file is
/// unchanged then.
pub(crate) fn set(path: &Path, key: &str, given: &str) -> Result<Config, Failure> {
    let (wanted, value) = changed(path, key, given)?;
    let text = fs::read_to_string(path).map_err(HomeError::io("read", path))?;
    let mut document: DocumentMut = text.parse().map_err(|error| usage(format!("{error}")))?;
    match document.get_mut(key).and_then(Item::as_value_mut) {
        // What stands around the value, such as a comment, stays.
        Some(old) => {
            let decor = old.decor().clone();
            *old = edited(&value);
            *old.decor_mut() = decor;
        }
        None => {
            document.insert(key, Item::Value(edited(&value)));
        }
    }
    write_atomic(path, document.to_string().as_bytes(), PRIVATE_MODE)
        .map_err(HomeError::io("write", path))?;
    Ok(wanted)
}

/// The configuration that [`set`] would produce, and the value that it would write; changes nothing.
///
/// # Errors
/// When there is no such setting, or the value is invalid.
pub(crate) fn changed(path: &Path, key: &str, given: &str) -> Result<(Config, Value), Failure> {
    let before = Config::load(path)?;
    let blank = given.trim().is_empty();
    let value = match entry(&before, key)? {
        Value::Array(_) if blank => Value::Array(Vec::new()),
        // A blank value stands for the default.
        _ if blank => entry(&Config::default(), key)?,
        Value::Array(_) => list(key, given)?,
        Value::Boolean(_) => match given {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(usage(format!("{key} must be true or false; got {given:?}"))),
        },
        _ => {
            if NAMES.contains(&key) {
                text::name(given).map_err(|why| usage(format!("invalid {key}: {why}")))?;
            }
            Value::String(given.to_owned())
        }
    };
    let mut table: Table = toml::from_str(&before.text()).map_err(|error| usage(error.to_string()))?;
    table.insert(key.to_owned(), value.clone());
    let wanted: Config = table
        .try_into()
        .map_err(|error: toml::de::Error| usage(format!("invalid {key} {given:?}: {}", error.message())))?;
    Ok((wanted, value))
}

fn list(key: &str, given: &str) -> Result<Value, Failure> {
    let parts = given.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut values = Vec::new();
    for part in parts {
        if ADDRESSES.contains(&key) {
            check_address(key, part)?;
        }
        if key == "allowed_hosts" && !is_host(part) {
            let part = text::show(part, 200);
            return Err(usage(format!(
                "{key} expects host names as browsers send them, separated by commas, such as board.example or board.example:8443; got {part:?}"
            )));
        }
        values.push(Value::String(part.to_owned()));
    }
    Ok(Value::Array(values))
}

/// Refuses an address with which a node would not start, or which it would ignore.
fn check_address(key: &str, given: &str) -> Result<(), Failure> {
    let shown = text::show(given, 200);
    if let Err(why) = identity::check_syntax(given) {
        return Err(usage(format!(
            "{key} expects multiaddresses separated by commas, such as /ip4/203.0.113.7/tcp/4001; got {shown:?}: {why}"
        )));
    }
    let checked = match key {
        "bootstrap" => identity::named(given).map(drop),
        "announce" => identity::reachable(given),
        _ => identity::bindable(given),
    };
    checked.map_err(|why| usage(format!("{key}: {why}")))
}

/// Whether it could be the `Host` header of a request.
fn is_host(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    text.chars().all(known)
}

/// A value of the kinds that settings have, for the editor of the file.
fn edited(value: &Value) -> toml_edit::Value {
    match value {
        Value::Boolean(value) => (*value).into(),
        Value::Array(values) => values.iter().map(edited).collect(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_setting_changes_and_everything_else_in_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "# mine\nmdns = true # at home\nuser = \"ann\"\n").unwrap();
        let config = set(&path, "node_name", "desk").unwrap();
        assert_eq!((config.node_name.as_str(), config.mdns), ("desk", true));
        set(&path, "user", "bo").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "# mine\nmdns = true # at home\nuser = \"bo\"\nnode_name = \"desk\"\n"
        );
        let node = "12D3KooWSahP5pFRCEfaziPEba7urXGeif6T1y8jmodzdFUvzBHj";
        let two = format!("/dns4/a.example/tcp/1/p2p/{node}, /ip4/1.2.3.4/tcp/2/p2p/{node}");
        let config = set(&path, "bootstrap", &two).unwrap();
        assert_eq!(config.bootstrap.len(), 2);
        assert_eq!(Config::load(&path).unwrap(), config);
        fs::write(&path, "listen = [\n  \"/ip4/127.0.0.1/tcp/0\",\n]\n").unwrap();
        let config = set(&path, "listen", "").unwrap();
        assert_eq!(Config::load(&path).unwrap(), config);
        assert!(config.listen.is_empty());
    }

    #[test]
    fn an_empty_value_takes_a_setting_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        Config::default().store(&path).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        for (key, value) in [
            ("user", "bo"),
            ("board", "127.0.0.1:80"),
            ("mdns", "false"),
            ("announce", "/ip4/1.2.3.4/tcp/1"),
        ] {
            set(&path, key, value).unwrap();
            assert_ne!(fs::read_to_string(&path).unwrap(), before, "{key}");
            set(&path, key, "").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), before, "{key}");
        }
    }

    #[test]
    fn what_is_no_setting_or_no_value_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        Config::default().store(&path).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        for (key, value, says) in [
            ("promotion", "auto", "expected one of: user, node_name, listen"),
            ("promote", "auto", "expected one of: user, node_name, listen"),
            ("mdns", "on", "true or false"),
            ("listen", "localhost:80", "multiaddresses separated by commas"),
            ("listen", "/dns4/a.example/tcp/1", "an IP address of this machine"),
            ("listen", "/ip4/0.0.0.0/udp/1", "an IP address of this machine"),
            ("announce", "/ip4/0.0.0.0/tcp/1", "a host and a TCP port"),
            ("bootstrap", "/ip4/1.2.3.4/tcp/2", "`towline peers --me`"),
            (
                "bootstrap",
                "/ip4/1.2.3.4/tcp/2/p2p/Qm",
                "multiaddresses separated by commas",
            ),
            (
                "bootstrap",
                "/ip4/1.2.3.4/tcp/2/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
                "not the id of a towline node",
            ),
            ("board", "nowhere", "invalid board"),
            ("node_name", "lap\u{1b}[31mtop", "U+001B"),
            ("user", "zo\u{7}e", "U+0007"),
            ("allowed_hosts", "https://board.example", "board.example:8443"),
        ] {
            let refused = set(&path, key, value).unwrap_err();
            assert_eq!(refused.code.exit(), 2, "{key}: {refused}");
            assert!(refused.message.contains(says), "{key}: {refused}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
}
