//! The bound socket of a node: created in its home or, if that is not possible, in the runtime folder; checked, and
//! created again when it vanishes.
//!
//! Relies on the lock of the home: its holder is the only node here, so a socket without a listener is a leftover.
//! Never replaces a socket with a listener, and removes only its own.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use towline_api::request::{Failure, FailureCode};
use towline_store::home::Home;
use towline_store::home::lock::LockHolder;

use super::Client;
use super::{path, runtime};

/// A socket that listens, and where.
#[derive(Debug)]
pub struct BoundSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
}

/// The node that runs in a home, when it can be reached: in its usual place, or where the lock says that it
/// listens.
///
/// # Errors
/// When somebody listens and cannot be reached: another user's node, or one that hangs.
pub fn find(home: &Home) -> Result<Option<Client>, Failure> {
    let usual = Client::connect(&home.socket());
    if let Ok(None) = usual
        && let Some(noted) = LockHolder::noted_socket(&home.lock_file())
        && noted.parent().is_some_and(runtime::is_private)
    {
        return Client::connect(&noted);
    }
    usual
}

impl BoundSocket {
    /// Makes the socket of the node in a home. The caller holds the home's lock.
    ///
    /// # Errors
    /// When somebody answers there already (busy), or no socket can be made anywhere.
    pub fn bind(home: &Home) -> Result<Self, Failure> {
        let usual = home.socket();
        let why = match Self::at(&usual) {
            Err(BindError::Io(why)) => why,
            Err(BindError::InUse(failure)) => return Err(failure),
            Ok(socket) => return Ok(socket),
        };
        // Without the folder another place is of no use.
        if !home.dir().is_dir() {
            return Err(failed(&usual, &why));
        }
        let other = runtime::place(home.root()).map_err(|error| {
            let message = format!("{}; and cannot use another place: {error}", failed(&usual, &why));
            Failure::new(FailureCode::Failure, message)
        })?;
        tracing::info!(%why, path = %other.display(), "cannot create the socket in the project's folder; using another place");
        Self::at(&other).map_err(|refused| match refused {
            BindError::Io(error) => failed(&other, &error),
            BindError::InUse(failure) => failure,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still there.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|file| file == self.file)
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        drop(self.listener);
        if !identity(&self.path).is_ok_and(|file| file == self.file) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the socket was not removed");
        }
    }

    /// A file that is left over from a killed process is replaced; one that somebody answers on is not.
    fn at(path: &Path) -> Result<Self, BindError> {
        let short = path::shorten(path).map_err(BindError::Io)?;
        match std::os::unix::net::UnixStream::connect(&short.path) {
            Ok(_) => {
                return Err(BindError::InUse(Failure::new(
                    FailureCode::Busy,
                    format!("a node is already running here; it answers on {}", path.display()),
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(BindError::Io)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BindError::Io(error)),
        }
        let listener = make(path).map_err(BindError::Io)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            file: identity(path).map_err(BindError::Io)?,
        })
    }
}

/// Why there is no socket in one place.
enum BindError {
    /// The system does not make one.
    Io(io::Error),
    /// Somebody answers there.
    InUse(Failure),
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        FailureCode::Failure,
        format!("cannot create the socket {}: {error}", path.display()),
    )
}

/// Between bind and chmod anybody could connect, so the socket is made inside a directory of our own and moved to
/// its place when it has its mode.
fn make(path: &Path) -> io::Result<UnixListener> {
    let nursery = path.with_extension("new");
    let made = nursery.join("s");
    let clear = || {
        let _ = fs::remove_file(&made);
        let _ = fs::remove_dir(&nursery);
    };
    clear();
    let build = || {
        fs::DirBuilder::new().mode(0o700).create(&nursery)?;
        let listener = UnixListener::bind(&path::shorten(&made)?.path)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    };
    let built = build();
    clear();
    built
}
