//! Lists the projects of a home; one that cannot be read does not affect the others.
//!
//! Changes nothing on the disk.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use towline_proto::ProjectId;

use super::{Home, HomeError, ProjectHome, is_incomplete, missing};

/// The projects of a home.
#[derive(Debug, Default)]
pub struct ProjectScan {
    /// Those that can be read, sorted by name.
    pub projects: Vec<ProjectHome>,
    /// The folders of the others, and why they cannot be read.
    pub unreadable: Vec<(String, HomeError)>,
}

/// The project in a folder; `None` without a `project.toml`, for instance if the process died while it was
/// created or joined.
fn read_project(dir: PathBuf) -> Result<Option<ProjectHome>, HomeError> {
    let path = dir.join("project.toml");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if missing(&error) => return Ok(None),
        Err(error) => return Err(HomeError::io("read", &path)(error)),
    };
    let file: ProjectFile = toml::from_str(&text).map_err(|error| HomeError::Invalid {
        path,
        why: error.to_string(),
    })?;
    Ok(Some(ProjectHome {
        id: file.id,
        name: file.name,
        dir,
    }))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectFile {
    pub(super) name: String,
    pub(super) id: ProjectId,
}

impl Home {
    /// Scans the projects of the node; one that cannot be read does not affect the others.
    ///
    /// # Errors
    /// When the folder of the projects cannot be listed.
    pub fn scan_projects(&self) -> Result<ProjectScan, HomeError> {
        let folder = self.dir().join("projects");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ProjectScan::default()),
            Err(error) => return Err(HomeError::io("list", &folder)(error)),
        };
        let mut scan = ProjectScan::default();
        for entry in entries {
            let entry = entry.map_err(HomeError::io("list", &folder))?;
            if is_incomplete(&entry.path()) {
                continue;
            }
            match read_project(entry.path()) {
                Ok(Some(project)) => scan.projects.push(project),
                Ok(None) => {}
                Err(error) => {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    scan.unreadable.push((name, error));
                }
            }
        }
        scan.projects
            .sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        scan.unreadable.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(scan)
    }
}
