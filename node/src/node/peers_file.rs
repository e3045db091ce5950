//! The address book of a node on disk: `peers.json` in its folder, written when it changes.
//!
//! Without the file, members only find each other less easily after a restart, so no error here is fatal. The
//! address book validates the contents.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use towline_net::{Net, SavedNode};
use towline_proto::NodeId;
use towline_store::home::{Home, files};

/// The file.
const FILE: &str = "peers.json";
/// The interval between checks for changes, and so between writes.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// One node as this version writes it, or as versions before address records did.
#[derive(Deserialize)]
#[serde(untagged)]
enum SavedRow {
    Node(SavedNode),
    Pair(NodeId, Vec<String>),
}

fn file(home: &Home) -> PathBuf {
    home.dir().join(FILE)
}

/// Reads the file.
pub(super) fn read(home: &Home) -> Vec<SavedNode> {
    let text = std::fs::read(file(home)).unwrap_or_default();
    let rows: Vec<SavedRow> = serde_json::from_slice(&text).unwrap_or_default();
    let saved = rows.into_iter().map(|row| match row {
        SavedRow::Node(node) => node,
        SavedRow::Pair(node, addresses) => SavedNode {
            node,
            addresses,
            record: None,
        },
    });
    saved.collect()
}

/// Writes the address book; returns the number of changes that it contains.
pub(super) fn write(home: &Home, net: &Net) -> u64 {
    let (changes, saved) = net.saved_nodes();
    let written = serde_json::to_vec(&saved)
        .map_err(std::io::Error::other)
        .and_then(|text| files::write_atomic(&file(home), &text, files::PRIVATE_MODE));
    if let Err(error) = written {
        tracing::warn!(%error, "the address book was not saved");
    }
    changes
}

/// Writes the file whenever the address book changes, until the node stops.
pub(super) async fn save_on_change(home: Home, net: Net, stop: CancellationToken) {
    let mut saved = 0;
    while stop
        .run_until_cancelled(tokio::time::sleep(CHECK_EVERY))
        .await
        .is_some()
    {
        if net.book_changes() != saved {
            saved = write(&home, &net);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_earlier_version_is_read_and_a_damaged_one_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        std::fs::create_dir(home.dir()).unwrap();
        assert_eq!(read(&home), []);
        let ann = NodeId([1; 32]);
        let old = format!(r#"[["{ann}",["/ip4/10.0.0.1/tcp/1"]],{{"node":"{ann}","addresses":[]}}]"#);
        std::fs::write(file(&home), old).unwrap();
        let nodes = read(&home);
        assert_eq!(nodes[0].addresses, ["/ip4/10.0.0.1/tcp/1"]);
        assert_eq!(nodes.len(), 2);
        std::fs::write(file(&home), "[[").unwrap();
        assert_eq!(read(&home), []);
    }
}
