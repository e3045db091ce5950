//! Creates, opens and repairs the projects of a home. The caller holds the lock of the home.

use ed25519_dalek::SigningKey;
use towline_api::request::{Failure, FailureCode};
use towline_proto::{Entry, NodeId};
use towline_store::env::{SystemEnvironment, check_clock};
use towline_store::home::{Config, Home, ProjectHome};

use crate::errors::StorageError;
use crate::{Project, ProjectOptions, RepairReport};

fn options(project: &ProjectHome, key: &SigningKey) -> ProjectOptions {
    ProjectOptions {
        dir: project.dir().to_owned(),
        key: key.clone(),
        env: Box::new(SystemEnvironment),
    }
}

/// What a node calls itself: its configured name, else the host's, else its id.
pub fn node_name(config: &Config, me: &NodeId) -> String {
    let host = || {
        std::fs::read_to_string("/etc/hostname")
            .ok()
            .map(|name| name.trim().to_owned())
    };
    let configured = (!config.node_name.is_empty()).then(|| config.node_name.clone());
    configured
        .or_else(host)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| me.short())
}

/// Creates a project in a home: its log with a first entry, and its registration with the node.
///
/// # Errors
/// When the files cannot be written.
pub fn make_project(
    home: &Home,
    key: &SigningKey,
    name: &str,
    node_name: &str,
) -> Result<ProjectHome, Failure> {
    check_clock()?;
    towline_proto::text::name(name)
        .map_err(|why| Failure::new(FailureCode::Usage, format!("invalid project name: {why}")))?;
    let genesis = Project::genesis(key, &SystemEnvironment, name, node_name);
    adopt_project(home, key, &genesis, name, &[])
}

/// Opens one project of a home without a running node. The caller holds the lock.
///
/// # Errors
/// When the store cannot be opened.
pub fn open_project(place: &ProjectHome, key: &SigningKey) -> Result<Project, Failure> {
    check_clock()?;
    let opened = Project::open(options(place, key), place.id);
    let mut opened = opened.map_err(StorageError::Open)?;
    opened.introduce(place.introduced());
    Ok(opened)
}

/// Repairs one project of a home. The caller holds the lock.
///
/// # Errors
/// When the first entry is damaged or the files cannot be written.
pub fn repair_project(place: &ProjectHome, key: &SigningKey) -> Result<RepairReport, Failure> {
    check_clock()?;
    Ok(Project::repair(options(place, key), place.id).map_err(StorageError::Open)?)
}

/// Creates the folder of a project from its first entry and registers it. `introduced` are the nodes that the
/// inviter named, itself included.
///
/// # Errors
/// When the files cannot be written.
pub fn adopt_project(
    home: &Home,
    key: &SigningKey,
    genesis: &Entry,
    name: &str,
    introduced: &[NodeId],
) -> Result<ProjectHome, Failure> {
    let place = home.make_project(genesis.project(), name)?;
    place.introduce(introduced)?;
    // An earlier version that created folders in place may have been killed before this one was complete.
    let began = place.log_dir().is_dir();
    let made = if began {
        Project::open(options(&place, key), genesis.project())
    } else {
        Project::create(options(&place, key), genesis)
    };
    made.map_err(StorageError::Open)?.close();
    Ok(place.register()?)
}
