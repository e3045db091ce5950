//! Everything a gateway runs beside its node: the lanes of the relay and the chat account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towline_node::handle::{NodeHandle, ProjectLink};
use towline_proto::ProjectId;

use crate::config::Config;
use crate::http::wall_clock;
use crate::matrix::{Account, AccountError, RoomSink, Rooms, Sync, Turns};
use crate::relay::{Lane, LaneStatus, Preset, RelayStatus, Shared, Sink, StatusBoard, is_asked};
use crate::store::{Store, StoreError};
use crate::webhook::{Endpoint, EndpointError};

/// How often new projects, requests to resend and the status file are looked after, in milliseconds.
const ROUND_MS: u64 = 1_000;
/// Its presence asks the running gateway to send again what was set aside.
const RESEND: &str = "relay-resend";

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The gateway's own store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chat account.
    #[error("matrix: {0}")]
    Account(#[from] AccountError),
    /// An endpoint.
    #[error("webhook {name:?}: {source}")]
    Endpoint {
        /// Its name.
        name: String,
        /// Why.
        source: EndpointError,
    },
}

/// Where events go.
#[derive(Debug, Clone)]
struct Destination {
    name: String,
    projects: Vec<String>,
    preset: Preset,
    sink: Sink,
}

impl Destination {
    /// The projects that it is to get, and the names of its configuration that lead to none or to
    /// several: somebody else can call a project by a name that is there already.
    fn wanted(&self, handle: &NodeHandle) -> (Vec<ProjectLink>, Vec<(String, String)>) {
        if self.projects.is_empty() {
            return (handle.projects(), Vec::new());
        }
        let (mut links, mut astray) = (Vec::new(), Vec::new());
        for name in &self.projects {
            match handle.project(Some(name)) {
                Ok(link) => links.push(link),
                Err(failure) => astray.push((name.clone(), failure.message)),
            }
        }
        (links, astray)
    }
}

/// A running gateway. Dropping it ends every task where it stands.
#[derive(Debug)]
pub struct Gateway {
    tasks: JoinSet<()>,
    board: Arc<StatusBoard>,
    resend: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Gateway {
    /// Starts the lanes of every project and destination, and the chat account. Returns at once:
    /// nothing here waits for a server.
    ///
    /// # Errors
    /// When the folder cannot be used or the configuration names something impossible.
    pub fn start(
        handle: NodeHandle,
        config: Config,
        dir: &Path,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let store = Store::open(dir)?;
        let board = Arc::new(StatusBoard::default());
        let (resend, resends) = watch::channel(0);
        let mut destinations = Vec::new();
        let mut tasks = JoinSet::new();
        if let Some(matrix) = config.matrix {
            let account = Arc::new(Account::new(matrix.clone(), dir)?);
            let rooms = Arc::new(Rooms::new(
                Arc::clone(&account),
                store.clone(),
                Arc::clone(&board),
            ));
            for room in &matrix.rooms {
                destinations.push(Destination {
                    name: format!("matrix:{}", room.room),
                    projects: room.projects.clone(),
                    preset: room.preset,
                    sink: Sink::Matrix(RoomSink::new(Arc::clone(&rooms), &room.room, &matrix.prefix)),
                });
            }
            let sync = Sync {
                handle: handle.clone(),
                config: matrix,
                account,
                rooms,
                store: store.clone(),
                board: Arc::clone(&board),
                resend: resend.clone(),
                turns: Turns::default(),
            };
            let stop = stop.clone();
            tasks.spawn(async move {
                if let Err(error) = Box::pin(sync.run(stop)).await {
                    tracing::error!(%error, "commands from chat ended");
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
            shared: Shared {
                handle,
                store,
                board: Arc::clone(&board),
                resend: resends,
                stop: stop.clone(),
            },
        };
        tasks.spawn(supervisor.run());
        Ok(Self {
            tasks,
            board,
            resend,
            stop,
        })
    }

    /// How every lane does.
    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.board.lanes()
    }

    /// Sends again what was set aside, and tries at once what waits for its time.
    pub fn resend(&self) {
        self.resend.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Stops and waits until everything has ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends every task where it stands, as a crash would, and waits until they are gone.
    pub async fn abort(mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until every task has ended, because it was stopped or because the store failed.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Asks the gateway that runs in a folder to send again what was set aside; one that does not run
/// does so at its next start.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn ask_to_resend(dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join(RESEND), b"")
}

/// Gives every project and destination a lane, also those that come later.
struct Supervisor {
    dir: PathBuf,
    destinations: Vec<Destination>,
    resend: watch::Sender<u64>,
    shared: Shared,
}

impl Supervisor {
    async fn run(self) {
        // The lanes belong to this task, so that they end with it however it ends.
        let mut lanes = JoinSet::new();
        let mut begun: BTreeSet<(String, ProjectId)> = BTreeSet::new();
        let mut astray: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut shown = None;
        while !self.shared.stop.is_cancelled() {
            for destination in &self.destinations {
                let (projects, lost) = destination.wanted(&self.shared.handle);
                for project in projects {
                    if begun.insert((destination.name.clone(), project.id)) {
                        let Destination {
                            name, preset, sink, ..
                        } = destination;
                        let lane = Lane::new(&self.shared, project, name, *preset, sink.clone());
                        lanes.spawn(lane.run());
                    }
                }
                self.note_astray(&destination.name, lost, &mut astray);
            }
            if std::fs::remove_file(self.dir.join(RESEND)).is_ok() {
                self.resend.send_modify(|count| *count = count.wrapping_add(1));
            }
            let now = self.shared.board.status(wall_clock());
            let same = |before: &RelayStatus| before.lanes == now.lanes && before.rooms == now.rooms;
            if is_asked(&self.dir) || !shown.as_ref().is_some_and(same) {
                if let Err(error) = StatusBoard::write(&self.dir, &now) {
                    tracing::warn!(%error, "relay status not written");
                }
                shown = Some(now);
            }
            let round = tokio::time::sleep(Duration::from_millis(ROUND_MS));
            self.shared.stop.run_until_cancelled(round).await;
        }
        while lanes.join_next().await.is_some() {}
    }

    /// Says of a destination which names of its configuration lead nowhere, in the log once and in the
    /// status for as long as it is so.
    fn note_astray(
        &self,
        destination: &str,
        lost: Vec<(String, String)>,
        astray: &mut BTreeMap<(String, String), String>,
    ) {
        let board = &self.shared.board;
        let lost: BTreeMap<String, String> = lost.into_iter().collect();
        astray.retain(|(of, name), _| {
            let stays = of != destination || lost.contains_key(name);
            if !stays {
                board.forget(of, name);
            }
            stays
        });
        for (name, why) in lost {
            let key = (destination.to_owned(), name.clone());
            if astray.get(&key) == Some(&why) {
                continue;
            }
            tracing::warn!(
                destination,
                project = name,
                why,
                "the configuration names a project that is not told"
            );
            board.set(LaneStatus {
                destination: destination.to_owned(),
                project: name,
                trouble: Some(why.clone()),
                ..LaneStatus::default()
            });
            astray.insert(key, why);
        }
    }
}
