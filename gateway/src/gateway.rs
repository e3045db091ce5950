//! What a gateway runs beside its node: the deliveries of the relay, and the chat account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towline_engine::handle::{NodeHandle, ProjectLink};
use towline_proto::ProjectId;

use crate::config::GatewayConfig;
use crate::http::wall_clock;
use crate::matrix::{Account, AccountError, ResponderOrder, RoomSink, RoomSync, Rooms};
use crate::relay::{
    Delivery, DeliveryContext, DeliveryStatus, Preset, RelayStatus, Sink, StatusRegistry,
    take_refresh_request,
};
use crate::store::{GatewayStore, StoreError};
use crate::webhook::{Endpoint, EndpointError};

/// How often the supervisor checks for new projects, resend requests and status changes, in milliseconds.
const POLL_MS: u64 = 1_000;
/// While this file exists, the running gateway is asked to send failed messages again.
const RESEND_REQUEST: &str = "relay-resend";

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The gateway's store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chat account cannot be used.
    #[error("matrix: {0}")]
    Account(#[from] AccountError),
    /// A webhook endpoint cannot be used.
    #[error("webhook {name:?}: {source}")]
    Endpoint {
        /// Its name.
        name: String,
        /// Why.
        source: EndpointError,
    },
}

/// A destination of the configuration.
#[derive(Debug, Clone)]
struct Destination {
    name: String,
    projects: Vec<String>,
    preset: Preset,
    sink: Sink,
}

impl Destination {
    /// The projects that it gets, and the configured names that match no project or several, each with the
    /// reason. A name can become ambiguous later, because other people may use the same name.
    fn resolve_projects(&self, handle: &NodeHandle) -> (Vec<ProjectLink>, Vec<(String, String)>) {
        if self.projects.is_empty() {
            return (handle.projects(), Vec::new());
        }
        let (mut links, mut unresolved) = (Vec::new(), Vec::new());
        for name in &self.projects {
            match handle.project(Some(name)) {
                Ok(link) => links.push(link),
                Err(failure) => unresolved.push((name.clone(), failure.message)),
            }
        }
        (links, unresolved)
    }
}

/// A running gateway. Dropping it aborts every task.
#[derive(Debug)]
pub struct Gateway {
    tasks: JoinSet<()>,
    registry: Arc<StatusRegistry>,
    resend: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Gateway {
    /// Starts the deliveries of every project and destination, and the chat account. Returns without
    /// waiting for a server.
    ///
    /// # Errors
    /// When the folder cannot be used, or a setting is invalid.
    pub fn start(
        handle: NodeHandle,
        config: GatewayConfig,
        dir: &Path,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let store = GatewayStore::open(dir)?;
        let registry = Arc::new(StatusRegistry::default());
        let (resend, resends) = watch::channel(0);
        let mut destinations = Vec::new();
        let mut tasks = JoinSet::new();
        if let Some(matrix) = config.matrix {
            let account = Arc::new(Account::new(matrix.clone(), dir)?);
            let rooms = Arc::new(Rooms::new(
                Arc::clone(&account),
                store.clone(),
                Arc::clone(&registry),
            ));
            for room in &matrix.rooms {
                destinations.push(Destination {
                    name: format!("matrix:{}", room.room),
                    projects: room.projects.clone(),
                    preset: room.preset,
                    sink: Sink::Matrix(RoomSink::new(Arc::clone(&rooms), &room.room, &matrix.prefix)),
                });
            }
            let sync = RoomSync {
                handle: handle.clone(),
                config: matrix,
                account,
                rooms,
                store: store.clone(),
                registry: Arc::clone(&registry),
                resend: resend.clone(),
                order: ResponderOrder::default(),
            };
            let stop = stop.clone();
            tasks.spawn(async move {
                if let Err(error) = Box::pin(sync.run(stop)).await {
                    tracing::error!(%error, "reading commands from chat ended");
                }
            });
        }
        for webhook in &config.webhook {
            let endpoint = Endpoint::new(webhook).map_err(|source| StartError::Endpoint {
                name: webhook.name.clone(),
                source,
            })?;
            destinations.push(Destination {
                name: format!("webhook:{}", webhook.name),
                projects: webhook.projects.clone(),
                preset: webhook.preset,
                sink: Sink::Webhook(endpoint),
            });
        }
        let supervisor = Supervisor {
            dir: dir.to_owned(),
            destinations,
            resend: resend.clone(),
            shared: DeliveryContext {
                handle,
                store,
                registry: Arc::clone(&registry),
                resend: resends,
                stop: stop.clone(),
            },
        };
        tasks.spawn(supervisor.run());
        Ok(Self {
            tasks,
            registry,
            resend,
            stop,
        })
    }

    /// The status of every delivery.
    pub fn deliveries(&self) -> Vec<DeliveryStatus> {
        self.registry.deliveries()
    }

    /// Sends failed messages again, and retries waiting ones immediately.
    pub fn resend(&self) {
        self.resend.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Stops every task and waits for the end of it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Aborts every task, as a crash would, and waits for the end of it.
    pub async fn abort(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Asks the gateway of a folder to send failed messages again. A gateway that does not run does so at its next
/// start.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn request_resend(dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join(RESEND_REQUEST), b"")
}

/// Starts a delivery for every project and destination, including projects that are added later.
struct Supervisor {
    dir: PathBuf,
    destinations: Vec<Destination>,
    resend: watch::Sender<u64>,
    shared: DeliveryContext,
}

impl Supervisor {
    async fn run(self) {
        // The deliveries belong to this task, so that they end when it ends for any reason.
        let mut deliveries = JoinSet::new();
        let mut started: BTreeSet<(String, ProjectId)> = BTreeSet::new();
        let mut reported: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut written = None;
        while !self.shared.stop.is_cancelled() {
            for destination in &self.destinations {
                let (projects, unresolved) = destination.resolve_projects(&self.shared.handle);
                for project in projects {
                    if started.insert((destination.name.clone(), project.id)) {
                        let Destination {
                            name, preset, sink, ..
                        } = destination;
                        let delivery = Delivery::new(&self.shared, project, name, *preset, sink.clone());
                        deliveries.spawn(delivery.run());
                    }
                }
                self.report_unresolved(&destination.name, unresolved, &mut reported);
            }
            if std::fs::remove_file(self.dir.join(RESEND_REQUEST)).is_ok() {
                self.resend.send_modify(|count| *count = count.wrapping_add(1));
            }
            let status = self.shared.registry.snapshot(wall_clock());
            let same =
                |before: &RelayStatus| before.deliveries == status.deliveries && before.rooms == status.rooms;
            if take_refresh_request(&self.dir) || !written.as_ref().is_some_and(same) {
                if let Err(error) = StatusRegistry::write(&self.dir, &status) {
                    tracing::warn!(%error, "cannot write the relay status");
                }
                written = Some(status);
            }
            let pause = tokio::time::sleep(Duration::from_millis(POLL_MS));
            self.shared.stop.run_until_cancelled(pause).await;
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Reports the configured project names of a destination that match no project or several: once in the
    /// log, and in the status for as long as the problem lasts.
    fn report_unresolved(
        &self,
        destination: &str,
        unresolved: Vec<(String, String)>,
        reported: &mut BTreeMap<(String, String), String>,
    ) {
        let registry = &self.shared.registry;
        let unresolved: BTreeMap<String, String> = unresolved.into_iter().collect();
        reported.retain(|(of, name), _| {
            let stays = of != destination || unresolved.contains_key(name);
            if !stays {
                registry.remove(of, name);
            }
            stays
        });
        for (name, why) in unresolved {
            let key = (destination.to_owned(), name.clone());
            if reported.get(&key) == Some(&why) {
                continue;
            }
            tracing::warn!(
                destination,
                project = name,
                why,
                "a project in the configuration cannot be found; none of its events are sent"
            );
            registry.set(DeliveryStatus {
                destination: destination.to_owned(),
                project: name,
                error: Some(why.clone()),
                ..DeliveryStatus::default()
            });
            reported.insert(key, why);
        }
    }
}
