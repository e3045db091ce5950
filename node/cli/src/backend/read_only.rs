//! A store that cannot be written: on a read-only mount, in a backup, or without write permission. Commands that
//! only read use a copy of it.
//!
//! The log and the cache repair themselves when they are opened, and the cache writes whenever it is open, so a
//! folder that must not change is not opened. Only this user can read the copy, and it is deleted when dropped.
//! Never writes to the store.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;
use towline_api::request::properties::Effect;
use towline_api::request::{Failure, FailureCode, Request};
use towline_store::home::{HomeError, ProjectHome};

use crate::user_name::variable;

/// The reserve file of the log, for a full disk; it holds no data.
const RESERVE: &str = "reserve";
/// How deep folders are copied at most: a store has three levels.
const MAX_DEPTH: u32 = 8;

/// A copy of a project's store.
pub(super) struct StoreCopy {
    place: ProjectHome,
    /// Why the store itself cannot be written.
    why: HomeError,
    // Removed when dropped.
    _folder: TempDir,
}

/// Whether taking the lock failed because the folder cannot be written.
pub(super) fn is_unwritable(error: &HomeError) -> bool {
    let HomeError::Io { source, .. } = error else {
        return false;
    };
    matches!(
        source.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

impl StoreCopy {
    /// Copies the store of a project.
    pub(super) fn of(place: &ProjectHome, why: HomeError) -> Result<Self, Failure> {
        // Not `std::env::temp_dir`, for which an empty variable is the current folder: it cannot be written.
        let temporary = variable("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
        let made = tempfile::Builder::new()
            .prefix("towline-read-")
            .tempdir_in(temporary);
        let made = made.and_then(|folder| {
            copy(place.dir(), folder.path(), MAX_DEPTH)?;
            Ok(folder)
        });
        let folder = made.map_err(|error| {
            let message = format!("{why}; and cannot make a copy of the store to read from: {error}");
            Failure::new(FailureCode::Failure, message)
        })?;
        Ok(Self {
            place: place.moved_to(folder.path()),
            why,
            _folder: folder,
        })
    }

    /// The project, as it is in the copy.
    pub(super) const fn place(&self) -> &ProjectHome {
        &self.place
    }

    /// Refuses a request that would change the project.
    pub(super) fn check_read_only(&self, request: &Request) -> Result<(), Failure> {
        if request.effect() != Effect::Reads {
            let message = format!("{}; only commands that read work here", self.why);
            return Err(Failure::new(FailureCode::Failure, message));
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path, depth: u32) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, there) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() && depth > 0 {
            fs::create_dir(&there)?;
            copy(&entry.path(), &there, depth - 1)?;
        } else if kind.is_file() && entry.file_name() != RESERVE {
            // Without its mode: the copy of a store without write permission must be writable.
            let mut file = fs::File::create(&there)?;
            io::copy(&mut fs::File::open(entry.path())?, &mut file)?;
        }
    }
    Ok(())
}
