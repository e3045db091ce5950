//! A handle to a running node, through which the rest of the process talks to its projects.
//!
//! Cheap to clone. Each call becomes a job in the bounded queue of the project's own thread and
//! waits for its answer; a full queue makes the caller wait. The handle never touches a store.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use tokio::sync::{mpsc, oneshot, watch};
use towline_api::project_names::{self, Named};
use towline_api::request::{Failure, FailureCode, Reply, Request};
use towline_api::types::UnavailableProject;
use towline_proto::member::TicketHash;
use towline_proto::{NodeId, Origin, ProjectId};

/// Jobs that may wait for one project's thread. At 10,000 writes a second this is 0.1 s of work.
pub const JOBS: usize = 1_024;

/// What a project's thread can be asked to do.
#[derive(Debug)]
pub enum Job {
    /// A request by a person, an agent or a program.
    Request {
        /// The user.
        origin: Option<Origin>,
        /// What is asked.
        body: Box<Request>,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Reply, Failure>>,
    },
    /// Read a subscriber's durable cursor.
    Cursor {
        /// Whose.
        subscriber: String,
        /// Where the answer goes: the feed position it has dealt with, if any.
        reply: oneshot::Sender<Result<Option<u64>, Failure>>,
    },
    /// Store a subscriber's durable cursor.
    SetCursor {
        /// Whose.
        subscriber: String,
        /// The feed position it has dealt with.
        position: u64,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<(), Failure>>,
    },
    /// Announce to the members the chat accounts under which this node takes commands.
    Announce(Vec<String>),
    /// Which other nodes take commands from chat.
    Gateways {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Gateways, Failure>>,
    },
    /// Ask whether a ticket of the project was used or revoked, as far as is known here.
    Spent {
        /// Its hash.
        ticket: TicketHash,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<bool, Failure>>,
    },
    /// Something from the network.
    Net(towline_net::NetInput),
    /// A quarter of a second went by.
    Tick,
    /// Finish what is queued, store what is derived, and end the thread.
    Stop,
}

/// Nodes that take commands from chat, each with its accounts there.
pub type Gateways = Vec<(NodeId, Vec<String>)>;

/// One project as the rest of the process sees it.
#[derive(Debug, Clone)]
pub struct ProjectLink {
    /// Which.
    pub id: ProjectId,
    /// What people call it; of a node that has another of that name, with digits of its id.
    pub name: String,
    /// Its thread's queue.
    pub jobs: mpsc::Sender<Job>,
    /// The last position of its feed; changes when there are new events.
    pub feed: watch::Receiver<u64>,
}

/// A handle to a running node.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    me: NodeId,
    projects: Arc<RwLock<BTreeMap<ProjectId, ProjectLink>>>,
    unavailable: Arc<RwLock<Vec<UnavailableProject>>>,
}

impl NodeHandle {
    /// A handle without projects.
    pub fn new(me: NodeId) -> Self {
        Self {
            me,
            projects: Arc::default(),
            unavailable: Arc::default(),
        }
    }

    /// This node.
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// Adds or replaces a project.
    pub fn add(&self, link: ProjectLink) {
        if let Ok(mut projects) = self.projects.write() {
            projects.insert(link.id, link);
        }
    }

    /// Notes a project that could not be opened.
    pub fn add_unavailable(&self, project: UnavailableProject) {
        if let Ok(mut unavailable) = self.unavailable.write() {
            unavailable.push(project);
        }
    }

    /// The projects that could not be opened.
    pub fn unavailable(&self) -> Vec<UnavailableProject> {
        self.unavailable.read().map(|all| all.clone()).unwrap_or_default()
    }

    /// Every project, sorted by name. Where several share a name, each is called by its name and digits
    /// of its id ([`towline_api::project_names`]).
    pub fn projects(&self) -> Vec<ProjectLink> {
        let mut links = self.links();
        let names: Vec<_> = links.iter().map(|link| (link.name.clone(), link.id)).collect();
        let all: Vec<Named<'_>> = names.iter().map(|(name, id)| (name.as_str(), id)).collect();
        for (link, one) in links.iter_mut().zip(&all) {
            link.name = project_names::address(&all, *one);
        }
        links
    }

    fn links(&self) -> Vec<ProjectLink> {
        let mut links: Vec<_> = self
            .projects
            .read()
            .map(|all| all.values().cloned().collect())
            .unwrap_or_default();
        links.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        links
    }

    /// Finds a project by name, by name and digits of its id where several share the name, or by an id
    /// prefix of at least four digits; the only one when no name is given.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn project(&self, wanted: Option<&str>) -> Result<ProjectLink, Failure> {
        let links = self.links();
        let all: Vec<Named<'_>> = links.iter().map(|link| (link.name.as_str(), &link.id)).collect();
        let at = project_names::resolve(&all, &self.unavailable(), wanted)?;
        let gone = || Failure::new(FailureCode::NotFound, "no such project");
        let name = project_names::address(&all, *all.get(at).ok_or_else(gone)?);
        let link = links.get(at).cloned().ok_or_else(gone)?;
        Ok(ProjectLink { name, ..link })
    }

    /// Asks a project and waits for the answer.
    ///
    /// # Errors
    /// The failure of the request, or that the project's thread has ended.
    pub async fn request(
        &self,
        project: &ProjectId,
        origin: Option<Origin>,
        body: Request,
    ) -> Result<Reply, Failure> {
        let answer = self
            .job(project, |reply| Job::Request {
                origin,
                body: Box::new(body),
                reply,
            })
            .await;
        match answer {
            Ok(Reply::Status(mut status)) => {
                status.unavailable = self.unavailable();
                Ok(Reply::Status(status))
            }
            answer => answer,
        }
    }

    /// The feed position that a subscriber has dealt with; `None` for a new one.
    ///
    /// # Errors
    /// When the store cannot be read or the project's thread has ended.
    pub async fn cursor(&self, project: &ProjectId, subscriber: &str) -> Result<Option<u64>, Failure> {
        let subscriber = subscriber.to_owned();
        self.job(project, |reply| Job::Cursor { subscriber, reply }).await
    }

    /// Stores the feed position that a subscriber has dealt with; durable when this returns.
    ///
    /// # Errors
    /// When the store cannot be written or the project's thread has ended.
    pub async fn set_cursor(
        &self,
        project: &ProjectId,
        subscriber: &str,
        position: u64,
    ) -> Result<(), Failure> {
        let subscriber = subscriber.to_owned();
        self.job(project, |reply| Job::SetCursor {
            subscriber,
            position,
            reply,
        })
        .await
    }

    /// Announces to a project's members the chat accounts under which this node takes commands.
    ///
    /// # Errors
    /// When the project's thread has ended.
    pub async fn announce(&self, project: &ProjectId, accounts: Vec<String>) -> Result<(), Failure> {
        let jobs = self.jobs(project)?;
        jobs.send(Job::Announce(accounts))
            .await
            .map_err(|_| store_closed())
    }

    /// The other nodes that take commands from chat in a project and were seen recently, each with its
    /// accounts.
    ///
    /// # Errors
    /// When the project's thread has ended.
    pub async fn gateways(&self, project: &ProjectId) -> Result<Gateways, Failure> {
        self.job(project, |reply| Job::Gateways { reply }).await
    }

    fn jobs(&self, project: &ProjectId) -> Result<mpsc::Sender<Job>, Failure> {
        let jobs = match self.projects.read() {
            Ok(projects) => projects.get(project).map(|link| link.jobs.clone()),
            Err(_) => None,
        };
        jobs.ok_or_else(|| {
            Failure::new(
                FailureCode::NotFound,
                format!("this node has no project {}", project.short()),
            )
        })
    }

    /// Whether a ticket of a project was used or revoked, as far as is known here.
    ///
    /// # Errors
    /// When the project's thread has ended.
    pub async fn spent(&self, project: &ProjectId, ticket: TicketHash) -> Result<bool, Failure> {
        self.job(project, |reply| Job::Spent { ticket, reply }).await
    }

    async fn job<T>(
        &self,
        project: &ProjectId,
        make: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Job,
    ) -> Result<T, Failure> {
        let jobs = self.jobs(project)?;
        let (reply, answer) = oneshot::channel();
        jobs.send(make(reply)).await.map_err(|_| store_closed())?;
        answer.await.map_err(|_| store_closed())?
    }
}

fn store_closed() -> Failure {
    Failure::new(FailureCode::Unreachable, "the store of this project is closed")
}
