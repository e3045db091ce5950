//! Projects that are being created or joined: incomplete folders, and the nodes that the inviter named.
//!
//! A folder is created as `<digits>.new` and moved to its place when it is complete, so a folder that still
//! has that name while nobody creates a project can be removed.

use std::fs;
use std::path::Path;

use towline_proto::{NodeId, limits};

use super::{Home, HomeError, ProjectHome, files, missing};

/// The extension of a project's folder until it is complete.
pub(super) const INCOMPLETE: &str = "new";
/// The file in a project's folder with the nodes that the inviter named, a line each.
const INTRODUCED_FILE: &str = "introduced";

/// Whether a folder of a project is incomplete.
pub(super) fn is_incomplete(dir: &Path) -> bool {
    dir.extension().is_some_and(|extension| extension == INCOMPLETE)
}

impl Home {
    /// Removes incomplete projects of processes that died. The caller holds the lock and is creating none.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove_incomplete_projects(&self) -> Result<(), HomeError> {
        let folder = self.dir().join("projects");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if missing(&error) => return Ok(()),
            Err(error) => return Err(HomeError::io("list", &folder)(error)),
        };
        for entry in entries {
            let dir = entry.map_err(HomeError::io("list", &folder))?.path();
            if is_incomplete(&dir) {
                fs::remove_dir_all(&dir).map_err(HomeError::io("remove", &dir))?;
            }
        }
        Ok(())
    }
}

impl ProjectHome {
    /// Stores the nodes that the inviter named: they count as members here until the project's own log is
    /// available.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn introduce(&self, nodes: &[NodeId]) -> Result<(), HomeError> {
        if nodes.is_empty() {
            return Ok(());
        }
        let path = self.dir.join(INTRODUCED_FILE);
        let text = nodes.iter().map(|node| format!("{node}\n")).collect::<String>();
        files::write_atomic(&path, text.as_bytes(), files::PRIVATE_MODE)
            .map_err(HomeError::io("write", &path))
    }

    /// The nodes that the inviter named. If the file cannot be read, only their help is lost.
    pub fn introduced(&self) -> Vec<NodeId> {
        let text = fs::read_to_string(self.dir.join(INTRODUCED_FILE)).unwrap_or_default();
        let nodes = text.lines().filter_map(|line| line.parse().ok());
        nodes.take(limits::WELCOME_PEERS + 1).collect()
    }
}
