//! Which files of a Backlog.md project are tasks, and in which folder they stand.
//!
//! Only what is below the given directory is looked at: links are named and not followed, since one
//! could lead to any file of this machine. Of files only the project's configuration is read, for where
//! its folder is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use towline_api::request::{Failure, FailureCode};

use super::front_matter;
use crate::import::sanitize::natural;

/// Files that are read of one project at most.
const FILES: usize = 100_000;
/// Largest configuration that is read.
const CONFIG_BYTES: u64 = 64 * 1024;
/// How far below a folder of tasks further folders are looked into.
const DEPTH: usize = 4;
/// What is said of a folder of tasks that is none.
const NO_FOLDER: &str = "not a folder, or a symbolic link, which is not followed";
/// The folders of tasks in the order in which they are read, so that of two tasks of one id the one
/// that is worked on is kept.
const FOLDERS: [(&str, Folder); 4] = [
    ("tasks", Folder::Tasks),
    ("completed", Folder::Completed),
    ("drafts", Folder::Drafts),
    ("archive", Folder::Archive),
];

/// What the folder of a task says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    /// Worked on, or to be.
    Tasks,
    /// Done, and tidied away.
    Completed,
    /// Not a task yet.
    Drafts,
    /// Put away without being done.
    Archive,
}

/// A file that should be a task.
#[derive(Debug)]
pub(super) struct TaskFile {
    pub(super) folder: Folder,
    /// From the project's own folder on.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// What a project consists of.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<TaskFile>,
    /// What is no task, counted.
    pub(super) others: BTreeMap<String, usize>,
    /// What could not be looked at, by name.
    pub(super) problems: Vec<(String, String)>,
}

/// Everything in a project, its own folder, or a folder of tasks.
pub(super) fn find(dir: &Path) -> Result<Listing, Failure> {
    let meta = fs::metadata(dir).map_err(|error| cannot(dir, &error))?;
    if !meta.is_dir() {
        let message = format!(
            "{} is a file; expected the directory of a Backlog.md project, which has a `backlog` folder",
            dir.display()
        );
        return Err(Failure::new(FailureCode::Usage, message));
    }
    let root = configured(dir)
        .into_iter()
        .chain(["backlog".into(), ".backlog".into()])
        .find_map(|name: PathBuf| below(dir, &name))
        .unwrap_or_else(|| dir.to_owned());
    let mut listing = Listing::default();
    let names = entries(&root).map_err(|error| cannot(&root, &error))?;
    if FOLDERS
        .iter()
        .all(|(name, _)| below(&root, Path::new(name)).is_none())
    {
        let folder = root.canonicalize().ok();
        let folder = folder.as_deref().and_then(Path::file_name);
        let folder = FOLDERS
            .into_iter()
            .find(|(name, _)| folder.is_some_and(|folder| folder == *name))
            .map_or(Folder::Tasks, |(_, folder)| folder);
        // Some directory that happens to hold tasks: what is below it may be anything.
        listing.walk(&root, "", folder, DEPTH);
    } else {
        for (name, folder) in FOLDERS {
            if !names.iter().any(|there| there == name) {
                continue;
            }
            match below(&root, Path::new(name)) {
                Some(tasks) => listing.walk(&tasks, name, folder, 0),
                None => listing.problems.push((name.to_owned(), NO_FOLDER.to_owned())),
            }
        }
        for name in names
            .iter()
            .filter(|name| FOLDERS.iter().all(|(folder, _)| *name != folder))
        {
            listing.other(format!("{name} of the project"));
        }
    }
    if listing.files.is_empty() && listing.problems.is_empty() {
        let message = format!(
            "no tasks in {}; expected the directory of a Backlog.md project, its `backlog` folder, or a folder of tasks",
            dir.display()
        );
        return Err(Failure::new(FailureCode::NotFound, message));
    }
    Ok(listing)
}

/// The folder that the project's configuration names, where it is one below the project.
fn configured(dir: &Path) -> Option<PathBuf> {
    let mut text = String::new();
    let path = dir.join("backlog.config.yml");
    fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let file = fs::File::open(path).ok()?;
    file.take(CONFIG_BYTES).read_to_string(&mut text).ok()?;
    let (mut fields, _) = front_matter::parse(&text).ok()?;
    let name = PathBuf::from(fields.remove("backlog_directory")?.as_str()?);
    let is_below = name
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    is_below.then_some(name)
}

/// A folder below another, where no part of the way there is a link.
fn below(dir: &Path, name: &Path) -> Option<PathBuf> {
    let mut path = dir.to_owned();
    for part in name.components() {
        path.push(part);
        fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_dir)?;
    }
    Some(path)
}

fn cannot(dir: &Path, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound {
        FailureCode::NotFound
    } else {
        FailureCode::Failure
    };
    Failure::new(code, format!("cannot read {}: {error}", dir.display()))
}

/// Names in a directory, those with numbers in the order of the numbers.
fn entries(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)?.take(FILES) {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_by_cached_key(|name| natural(name));
    Ok(names)
}

impl Listing {
    fn other(&mut self, what: String) {
        *self.others.entry(what).or_default() += 1;
    }

    fn walk(&mut self, dir: &Path, name: &str, folder: Folder, depth: usize) {
        let names = match entries(dir) {
            Ok(names) => names,
            Err(error) => {
                let what = format!("cannot read the folder: {error}");
                self.problems.push((name.to_owned(), what));
                return;
            }
        };
        for entry in names {
            let path = dir.join(&entry);
            let name = if name.is_empty() {
                entry.clone()
            } else {
                format!("{name}/{entry}")
            };
            let Ok(meta) = fs::symlink_metadata(&path) else {
                let what = "cannot read it; its name may not be valid text".to_owned();
                self.problems.push((name, what));
                continue;
            };
            if meta.is_symlink() {
                let what = "a symbolic link, which is not followed".to_owned();
                self.problems.push((name, what));
            } else if meta.is_dir() && depth < DEPTH {
                self.walk(&path, &name, folder, depth + 1);
            } else if meta.is_file() && entry.to_lowercase().ends_with(".md") {
                if self.files.len() == FILES {
                    self.other(format!("files beyond {FILES}"));
                } else {
                    self.files.push(TaskFile { folder, name, path });
                }
            } else if meta.is_dir() {
                self.other("folders that were skipped".to_owned());
            } else if entry != ".gitkeep" {
                self.other("files that are not .md".to_owned());
            }
        }
    }
}
