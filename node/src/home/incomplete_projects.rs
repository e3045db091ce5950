//! Projects that are being made or joined: folders that are not whole yet, and who was named to begin with.
//!
//! A folder is made as `<digits>.new` and moved to its place when it is whole, so whatever still has that
//! name when nobody is making a project is worth nothing.

use std::fs;
use std::path::Path;

use towline_proto::{NodeId, limits};

use super::{Home, HomeError, ProjectHome, files, missing};

/// What stands behind the name of a project's folder until it is whole.
pub(super) const INCOMPLETE: &str = "new";
/// The file in a project's folder with the nodes that the inviter named, a line each.
const INTRODUCED_FILE: &str = "introduced";

/// Whether a folder of a project is not whole.
pub(super) fn is_incomplete(dir: &Path) -> bool {
    dir.extension().is_some_and(|extension| extension == INCOMPLETE)
}

impl Home {
    /// Removes what is left of projects that were being made or joined when a process died. The caller holds
    /// the lock and is making none.
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
    /// Keeps whom the inviter named: they count as members here until the project's own log says who is one.
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

    /// Whom the inviter named. A file that cannot be read costs their help and nothing else.
    pub fn introduced(&self) -> Vec<NodeId> {
        let text = fs::read_to_string(self.dir.join(INTRODUCED_FILE)).unwrap_or_default();
        let nodes = text.lines().filter_map(|line| line.parse().ok());
        nodes.take(limits::WELCOME_PEERS + 1).collect()
    }
}
