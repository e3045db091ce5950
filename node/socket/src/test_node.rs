//! A node for tests that answers on a real socket: a thread in place of a project's thread says how many jobs it
//! has seen. Tests of the command line include this file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use towline_api::request::{Administration, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::FeedEvent;
use towline_engine::handle::{JOBS, Job, NodeHandle, ProjectLink};
use towline_proto::{
    Column, Event, EventId, EventKind, ItemId, Kind, Millis, NodeId, Origin, OriginKind, ProjectId, Status,
};
use towline_store::home::Home;

use super::{BoundSocket, Client, ControlHandler, NodeInfo, serve};

/// A node whose only project says on every search how many jobs it has seen.
#[derive(Debug)]
pub(crate) struct TestNode {
    /// Its socket.
    pub(crate) path: PathBuf,
    stop: CancellationToken,
    server: Option<JoinHandle<Result<(), Failure>>>,
    _project: JoinHandle<()>,
}

/// A node that neither joins nor serves a board.
struct NoControls;

impl ControlHandler for NoControls {
    fn join(&self, _: String) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + '_>> {
        Box::pin(std::future::ready(Err(Failure::new(
            FailureCode::Usage,
            "joins nothing",
        ))))
    }
    fn login(&self, who: &str) -> Result<Reply, Failure> {
        Ok(Reply::Link {
            url: format!("http://127.0.0.1:1/login?code={who}"),
        })
    }
    fn set_socket(&self, _: &Path) {}
}

fn answers(mut jobs: mpsc::Receiver<Job>) {
    let mut seen = BTreeMap::<String, usize>::new();
    while let Some(job) = jobs.blocking_recv() {
        let Job::Request { origin, body, reply } = job else {
            return;
        };
        let who = origin.map_or_else(|| "nobody".to_owned(), |origin| origin.id);
        let count = seen.entry(who.clone()).or_default();
        *count += 1;
        let answer = match *body {
            Request::Query(Query::Peers) => Ok(Reply::Synced {
                peers: *count,
                equal: 0,
            }),
            Request::Query(Query::Search { text, .. }) => Err(Failure::new(
                FailureCode::NotFound,
                format!("{who} searched {} bytes", text.len()),
            )),
            // One more has happened each time that somebody asks.
            Request::Query(Query::Events { after, .. }) => Ok(Reply::Events(vec![FeedEvent {
                position: after + 1,
                ..moved()
            }])),
            // Never answered: the asker keeps waiting.
            Request::Administration(Administration::Doctor) => {
                std::mem::forget(reply);
                continue;
            }
            _ => Ok(Reply::Done),
        };
        let _ = reply.send(answer);
    }
}

/// The node of the home in a folder, whose `.towline` is made if need be.
pub(crate) fn node_at(root: &Path) -> TestNode {
    try_node_at(root).expect("a socket")
}

pub(crate) fn try_node_at(root: &Path) -> Result<TestNode, Failure> {
    let home = Home::at(root);
    std::fs::create_dir_all(home.dir()).expect("made");
    let me = NodeId([7; 32]);
    let (jobs, queue) = mpsc::channel(JOBS);
    let handle = NodeHandle::new(me);
    handle.add(ProjectLink {
        id: ProjectId([1; 32]),
        name: "demo".into(),
        jobs,
        feed: watch::channel(0).1,
    });
    let project = std::thread::spawn(move || answers(queue));
    let stop = CancellationToken::new();
    let info = NodeInfo {
        node: me,
        pid: 1,
        board: Some("http://127.0.0.1:1".into()),
    };
    let (bound, is_bound) = std::sync::mpsc::channel();
    let server = std::thread::spawn({
        let stop = stop.clone();
        move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async move {
                    let socket = BoundSocket::bind(&home);
                    let path = socket.as_ref().map(|socket| socket.path().to_owned());
                    bound.send(path.map_err(Clone::clone)).expect("the test waits");
                    serve(socket?, home, handle, info, Arc::new(NoControls), stop).await
                })
        }
    });
    let path = is_bound.recv().expect("the server thread lives")?;
    Ok(TestNode {
        path,
        stop,
        server: Some(server),
        _project: project,
    })
}

impl TestNode {
    /// A client that is connected to it.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.path)
            .expect("reachable")
            .expect("listening")
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) fn ended(&mut self) -> Result<(), Failure> {
        let server = self.server.take().expect("not awaited yet");
        server.join().expect("no panic")
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn moved() -> FeedEvent {
    FeedEvent {
        position: 88,
        seen_at: Millis(1_700_000_000_000),
        backfill: false,
        skewed: false,
        event: Event {
            id: EventId([1; 16]),
            project: ProjectId([1; 32]),
            item: ItemId([42; 16]),
            number: 42,
            kind: Kind::Bug,
            title: "Login fails on Safari".into(),
            status: Status::Active,
            origin: Origin {
                kind: OriginKind::User,
                id: "ann".into(),
            },
            node: NodeId([0x3f; 32]),
            at: Millis(1_700_000_000_000),
            what: EventKind::ItemCreated {
                column: Column::Coding,
            },
        },
    }
}
