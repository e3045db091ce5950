//! A running node: the lock of its home, a thread for each project, the network.
//!
//! `towline up`, `towline serve` and the gateway start the same [`Node`]. The interfaces (socket, board,
//! relay) are added around it by the caller and talk to it through its handle.

mod home_watch;
mod joining;
mod peers_file;
mod port;
mod project_tasks;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode};
use towline_api::types::UnavailableProject;
use towline_engine::Project;
use towline_engine::handle::{Job, NodeHandle, ProjectLink};
use towline_engine::in_home::{node_name, open_project};
use towline_net::{Net, NetInput, Route};
use towline_proto::{NodeId, ProjectId};
use towline_store::env::check_clock;
use towline_store::home::{Config, Home, Lock, ProjectScan, Settings};

/// The queues of the projects, for the network.
#[derive(Debug, Default)]
struct Routes(RwLock<BTreeMap<ProjectId, mpsc::Sender<Job>>>);

impl Route for Routes {
    fn deliver(&self, project: &ProjectId, input: NetInput) -> bool {
        let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        routes
            .get(project)
            .is_some_and(|jobs| jobs.try_send(Job::Net(input)).is_ok())
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    home: Home,
    key: SigningKey,
    name: String,
    /// Settings of its own file from earlier versions, to be adopted by the project.
    legacy_settings: Vec<(String, String)>,
    settings_override: Option<Settings>,
    handle: NodeHandle,
    net: Net,
    routes: Arc<Routes>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Only one join at a time, so that two joins of one project do not interfere.
    joins: tokio::sync::Mutex<()>,
    stop: CancellationToken,
    /// Why the node cannot continue, if it cannot.
    fatal: watch::Sender<Option<Failure>>,
    // Released when the node is dropped, after everything that it guards.
    lock: Lock,
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Failure, error.to_string())
}

impl Node {
    /// Starts the network and every project of a home.
    ///
    /// # Errors
    /// When no project can be opened, or an address cannot be listened on.
    pub async fn start(
        home: Home,
        lock: Lock,
        config: &Config,
        key: SigningKey,
    ) -> Result<Arc<Self>, Failure> {
        check_clock()?;
        let me = NodeId(key.verifying_key().to_bytes());
        // On a read-only disk the leftover stays, and the start continues.
        if let Err(error) = home.remove_incomplete_projects() {
            tracing::warn!(%error, "cannot remove the files of an incomplete project");
        }
        let routes = Arc::new(Routes::default());
        let net = port::start_net(&home, config, &key, &routes).await?;
        let node = Arc::new(Self {
            name: node_name(config, &me),
            legacy_settings: config.legacy_settings(),
            settings_override: config.settings_override,
            home,
            key,
            handle: NodeHandle::new(me),
            net,
            routes,
            threads: Mutex::default(),
            joins: tokio::sync::Mutex::default(),
            stop: CancellationToken::new(),
            fatal: watch::Sender::new(None),
            lock,
        });
        // One damaged store must not stop a gateway's other projects.
        let ProjectScan { projects, unreadable } = node.home.scan_projects()?;
        let mut fatal = None;
        for (name, error) in unreadable {
            fatal.get_or_insert(node.leave_out(name, error.into()));
        }
        for place in projects {
            // Opening replays entries that are missing from the cache, which can take a while.
            let (key, name) = (node.key.clone(), place.name.clone());
            let opened = tokio::task::spawn_blocking(move || open_project(&place, &key))
                .await
                .map_err(failed)?;
            if let Err(why) = opened.and_then(|opened| node.start_project(opened).map(drop)) {
                fatal.get_or_insert(node.leave_out(name, why));
            }
        }
        if let Some(why) = fatal.filter(|_| node.handle.projects().is_empty()) {
            return Err(why);
        }
        tokio::spawn(peers_file::save_on_change(
            node.home.clone(),
            node.net.clone(),
            node.stop.clone(),
        ));
        tokio::spawn(home_watch::watch(Arc::downgrade(&node)));
        Ok(node)
    }

    /// Continues without a project that cannot be opened; it is listed with the others.
    fn leave_out(&self, name: String, why: Failure) -> Failure {
        tracing::error!(project = %name, %why, "the project cannot be opened and is unavailable");
        self.handle.add_unavailable(UnavailableProject {
            name,
            why: why.message.clone(),
            hint: why.hint.clone(),
        });
        why
    }

    fn start_project(&self, mut opened: Project) -> Result<ProjectLink, Failure> {
        opened.set_legacy_settings(self.legacy_settings.clone());
        if let Some(settings) = self.settings_override {
            opened.override_settings(settings);
        }
        let net = self.net.clone();
        let addresses = Arc::new(move || net.addresses());
        let started = towline_engine::start(opened, Some(self.net.output()), addresses).map_err(failed)?;
        let link = started.link;
        self.routes
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(link.id, link.jobs.clone());
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(started.thread);
        tokio::spawn(project_tasks::tick(link.jobs.clone(), self.stop.clone()));
        tokio::spawn(project_tasks::watch(
            link.jobs.clone(),
            self.stop.clone(),
            self.fatal.clone(),
        ));
        self.handle.add(link.clone());
        Ok(link)
    }

    /// The handle through which other parts talk to the projects.
    pub const fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// The network.
    pub const fn net(&self) -> &Net {
        &self.net
    }

    /// The home.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Waits until the node cannot continue and returns why: its folder is gone, or a project's thread has
    /// ended unexpectedly, which is a bug. The process should exit then.
    pub async fn fatal(&self) -> Failure {
        let mut fatal = self.fatal.subscribe();
        let why = fatal.wait_for(Option::is_some).await;
        // The sender lives as long as this node.
        let why = why.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| failed("the node has stopped"))
    }

    /// Writes the path of its socket into the lock file, for clients.
    pub(crate) fn set_socket(&self, socket: &Path) {
        self.lock.set_socket(socket);
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops everything and waits for it.
    pub async fn stop(&self) {
        self.stop.cancel();
        for link in self.handle.projects() {
            // A thread may have ended already.
            let _ = link.jobs.send(Job::Stop).await;
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("the thread of a project panicked; its log has all confirmed changes");
                }
            }
        });
        if let Err(error) = ended.await {
            tracing::error!(%error, "cannot wait for the threads of the projects");
        }
        peers_file::write(&self.home, &self.net);
        self.net.clone().stop().await;
    }
}
