//! `init` and `deinit`: planned first, so that the plan can be shown, then executed.
//!
//! `init` writes `.towline/` and one line of `.gitignore`, the latter only inside a git repository. `deinit`
//! reverts exactly that, according to the `undo` file.

use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

use super::files::sync_folder;
use super::ignore::{Ignore, IgnoreChange, LINE};
use super::{Config, Home, HomeError, key};

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitStep {
    /// Create the folder with the key and the configuration.
    MakeFolder(PathBuf),
    /// Add the ignore line to an existing file.
    AddLine(PathBuf),
    /// Create an ignore file with that line.
    MakeIgnoreFile(PathBuf),
    /// Remove the folder with its contents.
    RemoveFolder(PathBuf),
    /// Remove the ignore line.
    RemoveLine(PathBuf),
    /// Remove the ignore file, which contains nothing else.
    RemoveIgnoreFile(PathBuf),
}

impl fmt::Display for InitStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeFolder(path) => {
                write!(f, "create {} with a new key and a configuration", path.display())
            }
            Self::AddLine(path) => write!(f, "add the line {LINE} to {}", path.display()),
            Self::MakeIgnoreFile(path) => {
                write!(f, "create {} with the line {LINE}", path.display())
            }
            Self::RemoveFolder(path) => write!(
                f,
                "remove {} with its key and the logs of all projects",
                path.display()
            ),
            Self::RemoveLine(path) => {
                write!(f, "remove the line {LINE} from {}", path.display())
            }
            Self::RemoveIgnoreFile(path) => {
                write!(f, "remove {}, which contains only that line", path.display())
            }
        }
    }
}

/// What `init` would do in a folder; changes nothing.
///
/// # Errors
/// [`HomeError::Exists`] when there is a home with a project already. One without any is of an `init` or `join`
/// that was cut short and needs nothing but its project.
pub fn plan_init(root: &Path) -> Result<Vec<InitStep>, HomeError> {
    let root = fs::canonicalize(root).map_err(HomeError::io("find", root))?;
    let home = Home::at(&root);
    if home.exists() {
        let incomplete = home.projects()?.is_empty();
        return incomplete
            .then(Vec::new)
            .ok_or_else(|| HomeError::Exists { path: home.dir() });
    }
    let mut steps = vec![InitStep::MakeFolder(home.dir())];
    let ignore = Ignore::of(&root);
    match ignore.wanted()? {
        Some(IgnoreChange::Make) => steps.push(InitStep::MakeIgnoreFile(ignore.path().to_owned())),
        Some(_) => steps.push(InitStep::AddLine(ignore.path().to_owned())),
        None => {}
    }
    Ok(steps)
}

/// Makes a home: the folder, a key, the configuration, and the ignore line where there is git.
///
/// # Errors
/// [`HomeError::Exists`], [`HomeError::Busy`], or what the file system says. The configuration is
/// written last, so that an `init` that was cut short can be made again; one that is refused leaves nothing.
pub fn init(root: &Path, config: &Config) -> Result<(Home, SigningKey, Vec<InitStep>), HomeError> {
    let steps = plan_init(root)?;
    let root = fs::canonicalize(root).map_err(HomeError::io("find", root))?;
    let home = Home::at(&root);
    let dir = home.dir();
    let was_there = dir.exists();
    let made = make(&home, config);
    if made.is_err() && !was_there {
        // Nobody else has begun to use it: what keeps others out is in it. The first error is the one to tell.
        let _ = deinit(&home).map(drop).or_else(|_| fs::remove_dir(&dir));
    }
    Ok((home, made?, steps))
}

fn make(home: &Home, config: &Config) -> Result<SigningKey, HomeError> {
    let dir = home.dir();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(HomeError::io("make", &dir))?;
    let _lock = home.lock("towline init")?;
    let key = new_key(home)?;
    let ignore = Ignore::of(home.root());
    if let Some(change) = ignore.wanted()? {
        ignore.add(change, &home.undo_file())?;
    }
    let file = home.config_file();
    if !home.exists() {
        config.store(&file)?;
    } else if !config.node_name.is_empty() {
        let mut kept = Config::load(&file)?;
        kept.node_name.clone_from(&config.node_name);
        kept.store(&file)?;
    }
    sync_folder(home.root()).map_err(HomeError::io("sync", home.root()))?;
    Ok(key)
}

/// What `deinit` would do; changes nothing.
///
/// # Errors
/// When the ignore file cannot be read.
pub fn plan_deinit(home: &Home) -> Result<Vec<InitStep>, HomeError> {
    let mut steps = Vec::new();
    let ignore = Ignore::of(home.root());
    match ignore.plan_removal(&home.undo_file())? {
        Some(IgnoreChange::Unmake) => steps.push(InitStep::RemoveIgnoreFile(ignore.path().to_owned())),
        Some(_) => steps.push(InitStep::RemoveLine(ignore.path().to_owned())),
        None => {}
    }
    steps.push(InitStep::RemoveFolder(home.dir()));
    Ok(steps)
}

/// Reverts [`init`] and removes all projects. Refused while a node has them open.
///
/// # Errors
/// [`HomeError::Busy`], or what the file system says.
pub fn deinit(home: &Home) -> Result<Vec<InitStep>, HomeError> {
    let lock = home.lock("towline deinit")?;
    let steps = plan_deinit(home)?;
    let ignore = Ignore::of(home.root());
    if let Some(change) = ignore.plan_removal(&home.undo_file())? {
        ignore.remove(change, &home.undo_file())?;
    }
    key::remove_external(&home.key_file())?;
    let dir = home.dir();
    let removed = fs::remove_dir_all(&dir);
    // Network and FUSE file systems keep open files under another name, and the lock's own file is open.
    drop(lock);
    if removed.is_err() && dir.exists() {
        fs::remove_dir_all(&dir).map_err(HomeError::io("remove", &dir))?;
    }
    sync_folder(home.root()).map_err(HomeError::io("sync", home.root()))?;
    Ok(steps)
}

/// The home's key: a new one, or the one of an `init` that was cut short.
fn new_key(home: &Home) -> Result<SigningKey, HomeError> {
    let path = home.key_file();
    match fs::metadata(&path) {
        // The process died between creating the file and writing it; nothing was signed with it.
        Ok(meta) if meta.len() == 0 => {
            fs::remove_file(&path).map_err(HomeError::io("remove", &path))?;
            key::create(&path)
        }
        Ok(_) => key::load(&path),
        // Another key would be another node, which is no member of the projects that are here.
        Err(_) if !home.projects()?.is_empty() => Err(HomeError::Missing { path }),
        Err(_) => key::create(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::FOLDER;

    #[test]
    fn init_outside_of_git_touches_only_its_folder_and_deinit_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let config = Config {
            user: "ada".to_owned(),
            ..Config::default()
        };
        let (home, key, steps) = init(&root, &config).unwrap();
        assert_eq!(steps, [InitStep::MakeFolder(root.join(FOLDER))]);
        assert_eq!(key::load(&home.key_file()).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(Config::load(&home.config_file()).unwrap(), config);
        let (again, same, steps) = init(&root, &Config::default()).unwrap();
        assert_eq!(
            (same.to_bytes(), steps),
            (key.to_bytes(), vec![]),
            "it has no project yet"
        );
        assert_eq!(
            Config::load(&again.config_file()).unwrap(),
            config,
            "what was set stays"
        );
        let place = home
            .make_project(towline_proto::ProjectId([1; 32]), "demo")
            .unwrap();
        assert!(plan_init(&root).is_ok(), "the project is not whole");
        place.register().unwrap();
        assert!(matches!(init(&root, &config), Err(HomeError::Exists { .. })));
        let lock = home.lock("towline up").unwrap();
        assert!(matches!(deinit(&home), Err(HomeError::Busy { .. })));
        drop(lock);
        deinit(&home).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn a_line_that_was_there_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join(".gitignore"), "/target\n.towline/\n").unwrap();
        let (home, _, steps) = init(root, &Config::default()).unwrap();
        assert_eq!(steps.len(), 1);
        deinit(&home).unwrap();
        let text = fs::read_to_string(root.join(".gitignore")).unwrap();
        assert_eq!(text, "/target\n.towline/\n");
    }

    #[test]
    fn an_init_that_was_cut_short_is_made_again_with_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let (home, key, _) = init(folder.path(), &Config::default()).unwrap();
        fs::remove_file(home.config_file()).unwrap();
        let (_, again, _) = init(folder.path(), &Config::default()).unwrap();
        assert_eq!(again.to_bytes(), key.to_bytes());
        fs::remove_file(home.config_file()).unwrap();
        fs::write(home.key_file(), "").unwrap();
        assert!(init(folder.path(), &Config::default()).is_ok());
        let project = home
            .make_project(towline_proto::ProjectId([1; 32]), "demo")
            .unwrap();
        project.register().unwrap();
        fs::remove_file(home.config_file()).unwrap();
        fs::remove_file(home.key_file()).unwrap();
        let refused = init(folder.path(), &Config::default());
        assert!(matches!(refused, Err(HomeError::Missing { .. })));
    }
}
