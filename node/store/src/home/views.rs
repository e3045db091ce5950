//! The views of the board that people have saved on this node: a name and the query of an address, for each person.
//!
//! They are of this node alone and are not replicated: they say how somebody looks at a board, not what is on it. The
//! file `views` in the home has them as JSON and is only ever replaced whole. One running node writes it; everything
//! in it is bounded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::files::{PRIVATE_MODE, write_atomic};
use super::{Home, HomeError};

/// Views of one person in one project.
pub const MAX_VIEWS: usize = 20;
/// People and projects that have views.
const MAX_OWNERS: usize = 512;
/// The most bytes read of the file. A file of the largest allowed contents is smaller.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredView {
    /// What its owner calls it.
    pub name: String,
    /// The query of the address.
    pub query: String,
}

/// Views by project and person.
type Views = BTreeMap<String, BTreeMap<String, Vec<StoredView>>>;

/// The saved views of a home.
#[derive(Debug)]
pub struct ViewStore {
    path: PathBuf,
    /// Held while the file is changed.
    changing: Mutex<()>,
}

impl ViewStore {
    /// The views of a home; nothing is read yet.
    pub fn of(home: &Home) -> Self {
        Self {
            path: home.views_file(),
            changing: Mutex::new(()),
        }
    }

    /// The views of a person, in the order in which they were saved.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, project: &str, who: &str) -> Result<Vec<StoredView>, HomeError> {
        let mut views = self.read()?;
        let of_project = views.get_mut(project);
        Ok(of_project
            .and_then(|people| people.remove(who))
            .unwrap_or_default())
    }

    /// Saves a view, in place of one with the same name. With an empty query it is removed.
    ///
    /// # Errors
    /// When there are too many, or the file cannot be read or written.
    pub fn save(&self, project: &str, who: &str, view: StoredView) -> Result<(), HomeError> {
        let _changing = self.changing.lock().unwrap_or_else(|broken| broken.into_inner());
        let mut views = self.read()?;
        let owners: usize = views.values().map(BTreeMap::len).sum();
        let people = views.entry(project.to_owned()).or_default();
        let is_new = !people.contains_key(who);
        let mine = people.entry(who.to_owned()).or_default();
        if view.query.is_empty() {
            mine.retain(|one| one.name != view.name);
        } else if let Some(known) = mine.iter_mut().find(|one| one.name == view.name) {
            *known = view;
        } else if mine.len() >= MAX_VIEWS || (is_new && owners >= MAX_OWNERS) {
            let why = format!("there are {MAX_VIEWS} saved views; remove one first");
            return Err(self.invalid(why));
        } else {
            mine.push(view);
        }
        people.retain(|_, views| !views.is_empty());
        let mut bytes = serde_json::to_vec_pretty(&views).map_err(|error| self.invalid(error.to_string()))?;
        bytes.push(b'\n');
        write_atomic(&self.path, &bytes, PRIVATE_MODE).map_err(HomeError::io("write", &self.path))
    }

    fn read(&self) -> Result<Views, HomeError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Views::new()),
            Err(error) => return Err(HomeError::io("read", &self.path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(HomeError::io("read", &self.path))?;
        let damaged = |error| self.invalid(format!("{error}; remove the file, and save the views again"));
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    fn invalid(&self, why: String) -> HomeError {
        HomeError::Invalid {
            path: self.path.clone(),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, query: &str) -> StoredView {
        StoredView {
            name: name.to_owned(),
            query: query.to_owned(),
        }
    }

    #[test]
    fn each_person_has_views_of_their_own_and_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        std::fs::create_dir(home.dir()).unwrap();
        let store = ViewStore::of(&home);
        assert_eq!(store.list("shop", "ann").unwrap(), []);
        store.save("shop", "ann", view("Bugs", "?kind=bug")).unwrap();
        store.save("shop", "ann", view("Mine", "?assignee=ann")).unwrap();
        store
            .save("shop", "ann", view("Bugs", "?kind=bug&view=list"))
            .unwrap();
        let again = ViewStore::of(&home);
        let kept = [view("Bugs", "?kind=bug&view=list"), view("Mine", "?assignee=ann")];
        assert_eq!(again.list("shop", "ann").unwrap(), kept);
        assert_eq!(again.list("shop", "ben").unwrap(), []);
        assert_eq!(again.list("yard", "ann").unwrap(), []);
        again.save("shop", "ann", view("Bugs", "")).unwrap();
        assert_eq!(store.list("shop", "ann").unwrap(), kept[1..]);
        for number in 1..MAX_VIEWS {
            store
                .save("shop", "ann", view(&number.to_string(), "?tab=done"))
                .unwrap();
        }
        let refused = store
            .save("shop", "ann", view("one more", "?tab=done"))
            .unwrap_err();
        assert!(refused.to_string().contains("remove one first"), "{refused}");
    }
}
