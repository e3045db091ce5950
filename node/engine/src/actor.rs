//! The thread that owns a project: one bounded queue, and one sync for everything in it.
//!
//! Writing requests are applied one after the other, made durable by one append, and answered together. A
//! reading request runs after the writes that were queued before it. The thread has a large stack because the
//! gate runs Automerge on bytes from peers.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use towline_api::request::{Failure, Reply};
use towline_net::{NetInput, NetOutput};
use towline_sync::Input;

use super::Project;
use crate::handle::{JOBS, Job, ProjectLink};

/// The most requests that share one sync.
const MAX_BATCH: usize = 256;
/// Stack of a project's thread: Automerge recurses, and nested input was cut off long before this.
pub(super) const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Ticks of a quarter of a second between two `Tick` inputs to the replication core.
const TICKS_PER_LOOK: u32 = 8;

/// A project's thread.
#[derive(Debug)]
pub struct ProjectThread {
    /// The link through which the rest of the process sends jobs.
    pub link: ProjectLink,
    /// The thread; it ends after [`Job::Stop`].
    pub thread: JoinHandle<()>,
}

type PendingReplies = Vec<(oneshot::Sender<Result<Reply, Failure>>, Result<Reply, Failure>)>;

/// Starts a thread for a project. `my_addresses` returns the addresses under which this node can be reached.
///
/// # Errors
/// When the system cannot start a thread.
pub fn start(
    mut project: Project,
    net: Option<mpsc::Sender<NetOutput>>,
    my_addresses: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
) -> std::io::Result<ProjectThread> {
    let (jobs, queue) = mpsc::channel(JOBS);
    let (feed, feed_reader) = watch::channel(project.feed_head());
    let link = ProjectLink {
        id: project.id(),
        name: project.name().to_owned(),
        jobs,
        feed: feed_reader,
    };
    project.replication.net = net;
    project.replication.my_addresses = my_addresses;
    let name = format!("project {}", project.id().short());
    let thread = std::thread::Builder::new()
        .name(name)
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let span = tracing::info_span!("project", name = project.name(), id = %project.id().short());
            let _entered = span.enter();
            Actor {
                project,
                queue,
                feed,
                waiting: Vec::new(),
                ticks: 0,
            }
            .run();
        })?;
    Ok(ProjectThread { link, thread })
}

struct Actor {
    project: Project,
    queue: mpsc::Receiver<Job>,
    feed: watch::Sender<u64>,
    waiting: PendingReplies,
    ticks: u32,
}

impl Actor {
    fn run(mut self) {
        self.project.publish_members();
        while let Some(first) = self.queue.blocking_recv() {
            let mut next = Some(first);
            let mut taken = 0;
            let mut stop = false;
            while let Some(job) = next {
                stop = stop || matches!(job, Job::Stop);
                self.handle(job);
                taken += 1;
                next = if taken < MAX_BATCH && !stop && !self.project.batch.is_full() {
                    self.queue.try_recv().ok()
                } else {
                    None
                };
            }
            self.commit_and_reply();
            self.project.run_effects();
            self.notify_subscribers();
            self.project.save_if_full();
            if stop {
                break;
            }
        }
        self.project.close();
    }

    fn handle(&mut self, job: Job) {
        match job {
            // Entries from peers share a sync with other jobs; a join is handled alone.
            Job::Net(input) if !matches!(input, NetInput::Join { .. }) => self.project.handle_net(input),
            Job::Request { origin, body, reply } if body.writes() => {
                let answer = self.project.apply_request(origin.as_ref(), *body);
                self.waiting.push((reply, answer));
            }
            job => {
                self.commit_and_reply();
                self.perform(job);
            }
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Request { origin, body, reply } => {
                answer(reply, self.project.request(origin.as_ref(), *body));
            }
            Job::Cursor { subscriber, reply } => answer(reply, self.project.store.cursor(&subscriber)),
            Job::SetCursor {
                subscriber,
                position,
                reply,
            } => {
                let Project { store, index, .. } = &mut self.project;
                answer(reply, store.set_cursor(index, &subscriber, position));
            }
            Job::Spent { ticket, reply } => answer(reply, Ok(self.project.is_spent(&ticket))),
            Job::Net(input) => {
                self.project.handle_net(input);
                self.project.run_effects();
            }
            Job::Announce(accounts) => self.project.announce(accounts),
            Job::Gateways { reply } => {
                let now = self.project.env.instant();
                answer(reply, Ok(self.project.presence.gateways(now)));
            }
            Job::Tick => self.tick(),
            Job::Stop => {}
        }
    }

    /// Commits the pending batch and sends the replies that wait for it.
    fn commit_and_reply(&mut self) {
        if self.waiting.is_empty() && self.project.batch.is_empty() {
            return;
        }
        let outcome = self.project.commit_pending();
        // Before replies are sent: the receiver of a ticket may use it at once, and the network must know by
        // then that a ticket is open.
        self.project.publish_changed_members();
        for (reply, result) in self.waiting.drain(..) {
            let result = match (&outcome, result) {
                (Err(failure), Ok(_)) => Err(failure.clone()),
                (_, result) => result,
            };
            answer(reply, result);
        }
    }

    /// Notifies subscribers of new events, and the network of membership changes.
    fn notify_subscribers(&mut self) {
        let head = self.project.feed_head();
        self.feed.send_if_modified(|known| {
            let news = *known != head;
            *known = head;
            news
        });
        self.project.publish_changed_members();
    }

    fn tick(&mut self) {
        self.project.save_on_tick();
        self.project.run_maintenance();
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS_PER_LOOK) {
            self.project.replicate(Input::Tick);
            self.project.run_effects();
        }
    }
}

/// The caller may be gone; the reply is dropped then.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _ = reply.send(value);
}
