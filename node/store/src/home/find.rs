//! Finds the home that a folder belongs to: upwards, as git does, and from a linked git worktree in the main
//! checkout.
//!
//! A project belongs to its repository, and a repository may be checked out in several places: a linked
//! worktree has a file `.git` that leads to git's common directory. Relies on the layout that git documents
//! (`gitrepository-layout`), and only reads; the `git` program is not needed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes read of git's small files: each contains one path.
const FILE_BYTES: u64 = 8 * 1024;

/// The nearest folder that is a home, from `start` upwards. In a linked worktree the folder of the main checkout
/// that corresponds to `start`, and those above it up to that checkout, come before what is above the worktree.
pub fn root(start: &Path, is_home: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut beyond = None;
    for dir in start.ancestors() {
        if is_home(dir) {
            return Some(dir.to_owned());
        }
        let Some(main) = main_checkout(dir) else { continue };
        let below = start.strip_prefix(dir).unwrap_or(Path::new(""));
        let there = main.join(below);
        let inside = there.ancestors().take_while(|each| each.starts_with(&main));
        if let Some(found) = inside.into_iter().find(|each| is_home(each)) {
            return Some(found.to_owned());
        }
        beyond.get_or_insert(main);
    }
    let beyond = beyond?;
    beyond
        .ancestors()
        .skip(1)
        .find(|each| is_home(each))
        .map(Path::to_owned)
}

/// The main checkout of the repository that `dir` is a linked worktree of. `None` for anything else: a main
/// checkout, a submodule, a folder inside a checkout.
pub fn main_checkout(dir: &Path) -> Option<PathBuf> {
    let text = read(&dir.join(".git"))?;
    let own = dir.join(text.trim_end().strip_prefix("gitdir:")?.trim_start());
    // A submodule has such a file too, and no common directory.
    let common = own.join(read(&own.join("commondir"))?.trim_end());
    let common = common.canonicalize().ok()?;
    let main = common.parent()?;
    // A bare repository has no checkout.
    (common.file_name()? == ".git").then(|| main.to_owned())
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    // Opening a pipe would wait for whoever writes to it.
    if !path.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    file.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn git(dir: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(dir)
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args);
        let done = git.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn is_home(dir: &Path) -> bool {
        dir.join(".towline").is_dir()
    }

    #[test]
    fn a_worktree_has_the_project_of_the_main_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (main, tree) = (top.join("main"), top.join("elsewhere/tree"));
        fs::create_dir_all(main.join("part/deep")).unwrap();
        fs::write(main.join("part/deep/file"), "").unwrap();
        git(&main, &["init", "-q"]);
        git(&main, &["add", "."]);
        git(&main, &["commit", "-q", "-m", "x"]);
        git(&main, &["worktree", "add", "-q", "../elsewhere/tree", "-b", "w"]);
        let deep = tree.join("part/deep");
        assert_eq!(root(&deep, is_home), None);
        // What is above the worktree is further away than what is in the repository.
        fs::create_dir(top.join("elsewhere/.towline")).unwrap();
        assert_eq!(root(&deep, is_home), Some(top.join("elsewhere")));
        fs::create_dir(main.join(".towline")).unwrap();
        assert_eq!(root(&deep, is_home), Some(main.clone()));
        fs::create_dir(main.join("part/.towline")).unwrap();
        assert_eq!(root(&deep, is_home), Some(main.join("part")));
        assert_eq!(root(&tree, is_home), Some(main.clone()));
        fs::create_dir(tree.join(".towline")).unwrap();
        assert_eq!(root(&deep, is_home), Some(tree), "one of its own");
    }

    #[test]
    fn neither_a_main_checkout_nor_a_submodule_nor_nonsense_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        git(&top, &["init", "-q"]);
        assert_eq!(main_checkout(&top), None);
        let below = top.join("below");
        fs::create_dir_all(top.join(".git/modules/below")).unwrap();
        fs::create_dir(&below).unwrap();
        for text in [
            "gitdir: ../.git/modules/below\n",
            "gitdir: /nowhere",
            "",
            "\u{fffd}",
            "gitdir:",
        ] {
            fs::write(below.join(".git"), text).unwrap();
            assert_eq!(main_checkout(&below), None, "{text:?}");
        }
        fs::remove_file(below.join(".git")).unwrap();
        let made = Command::new("mkfifo").arg(below.join(".git")).status();
        assert!(made.unwrap().success());
        assert_eq!(main_checkout(&below), None, "and not waited for");
        fs::create_dir(top.join(".towline")).unwrap();
        assert_eq!(root(&below, is_home), Some(top));
    }
}
