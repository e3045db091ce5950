//! A link: the one long-lived stream between two members, for all projects that they share.
//!
//! One task per link reads frames, writes frames and delivers inputs to the projects, for each in this order:
//! connected, messages, disconnected. A project with a full queue makes the reader wait, and thereby the
//! peer; no inbound message is dropped. Outbound, a peer that does not read fills its queue: then the message
//! is dropped and the link closed, and catch-up resumes from what was really received when the next link is
//! open.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, WriteHalf};
use libp2p::swarm::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use towline_proto::wire::Message;
use towline_proto::{NodeId, ProjectId, limits};

use super::metrics::NetMetrics;
use super::streams::Pace;
use super::{NetInput, Shared, framing};

/// The queue of messages to one peer. Catch-up keeps one frame in flight per project, so a peer that reads
/// never fills it.
pub(super) const QUEUE: usize = 64;
/// The interval between checks of the traffic counters.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long a project's queue may stay full before the link gives up.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest pause between two attempts to put something in a project's queue.
const RETRY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

impl Pace {
    /// A keep-alive is sent after this much silence of this node.
    const fn keep_alive(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(4),
            Self::Slow => Duration::from_secs(15),
        }
    }

    /// A peer from which no byte arrived for this long is gone, whatever TCP believes: a machine that lost
    /// power closes nothing. A long frame on a slow connection is not silence.
    const fn silence(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(10),
            Self::Slow => Duration::from_secs(60),
        }
    }
}

/// Traffic of a link, in bytes.
#[derive(Debug, Default)]
struct Traffic {
    /// Received bytes of any kind.
    received: AtomicU64,
    /// Payload bytes in both directions: keep-alives have none.
    payload: AtomicU64,
}

impl Traffic {
    fn add(counter: &AtomicU64, bytes: usize) {
        NetMetrics::add(counter, bytes as u64);
    }
}

/// A reader that counts.
struct Counted<'a, R> {
    inner: R,
    received: &'a AtomicU64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(bytes)) = &read {
            Traffic::add(self.received, *bytes);
        }
        read
    }
}

/// Why a link ended.
#[derive(Debug)]
pub(super) enum LinkEnd {
    /// The peer or this node closed it.
    Closed,
    /// The stream broke.
    Broken(String),
    /// The peer sent what no honest peer sends.
    Violation(String),
    /// Nothing was received for longer than the pace allows.
    TimedOut,
    /// A project of this node did not accept a message for [`DELIVERY_TIMEOUT`].
    ProjectBusy(ProjectId),
}

/// The driver's end of a link. Dropping it ends the link.
#[derive(Debug)]
pub(super) struct PeerLink {
    pub(super) generation: u64,
    pub(super) since: Instant,
    pub(super) outbox: mpsc::Sender<Message>,
    /// Held for its drop.
    pub(super) _cancel: oneshot::Sender<()>,
}

/// Everything that a link's task needs.
pub(super) struct LinkTask {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: NodeId,
    pub(super) address: String,
    pub(super) stream: Stream,
    pub(super) pace: Pace,
    pub(super) outbox: mpsc::Receiver<Message>,
    pub(super) cancel: oneshot::Receiver<()>,
    /// Resolves when the peer's previous link has reported its end to the projects.
    pub(super) after: Option<oneshot::Receiver<()>>,
}

/// Runs a link to its end.
pub(super) async fn run(task: LinkTask) -> LinkEnd {
    let LinkTask {
        shared,
        peer,
        address,
        stream,
        pace,
        outbox,
        cancel,
        after,
    } = task;
    if let Some(after) = after {
        // An error means that the task has ended, which is equivalent.
        let _ = after.await;
    }
    let (reader, writer) = stream.split();
    let (incoming, inbox) = mpsc::channel(1);
    let mut informed = BTreeSet::new();
    let traffic = Traffic::default();
    let counted = Counted {
        inner: reader,
        received: &traffic.received,
    };
    let end = tokio::select! {
        end = read(&shared.metrics, &traffic, counted, incoming) => end,
        end = write(&shared.metrics, &traffic, writer, outbox, pace) => end,
        end = deliver(&shared, peer, &address, &traffic, inbox, &mut informed) => end,
        end = silence(&traffic.received, pace.silence()) => end,
        _ = cancel => LinkEnd::Closed,
    };
    for project in informed {
        if !deliver_with_retry(&shared, &project, || NetInput::Disconnected { peer }).await {
            tracing::warn!(%project, peer = %peer.short(), "cannot notify a project that a peer has disconnected: its queue is full");
        }
    }
    end
}

/// Returns when nothing was received for `limit`.
async fn silence(received: &AtomicU64, limit: Duration) -> LinkEnd {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        sleep(CHECK_EVERY).await;
        let now = received.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= limit {
            return LinkEnd::TimedOut;
        }
    }
}

async fn read(
    metrics: &NetMetrics,
    traffic: &Traffic,
    mut stream: impl AsyncRead + Unpin,
    incoming: mpsc::Sender<Message>,
) -> LinkEnd {
    let came = |bytes| Traffic::add(&traffic.payload, bytes);
    loop {
        let frame = match framing::read_with_progress(&mut stream, limits::FRAME_BYTES, came).await {
            Ok(None) => return LinkEnd::Closed,
            Ok(Some(frame)) => frame,
            Err(error) if error.is_violation() => return LinkEnd::Violation(error.to_string()),
            Err(error) => return LinkEnd::Broken(error.to_string()),
        };
        NetMetrics::add(&metrics.frames_in, 1);
        NetMetrics::add(&metrics.bytes_in, frame.wire_bytes);
        if frame.payload.is_empty() {
            continue;
        }
        match Message::decode(&frame.payload) {
            Ok(message) => {
                if incoming.send(message).await.is_err() {
                    return LinkEnd::Closed;
                }
            }
            Err(error) => return LinkEnd::Violation(format!("a message that cannot be read: {error}")),
        }
    }
}

async fn write(
    metrics: &NetMetrics,
    traffic: &Traffic,
    mut stream: WriteHalf<Stream>,
    mut outbox: mpsc::Receiver<Message>,
    pace: Pace,
) -> LinkEnd {
    loop {
        let frame = match timeout(pace.keep_alive(), outbox.recv()).await {
            Err(_) => framing::KEEP_ALIVE.to_vec(),
            Ok(None) => return LinkEnd::Closed,
            Ok(Some(message)) => match framing::encode(&message.encode()) {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::error!(project = %message.project(), %error, "a message was not sent");
                    continue;
                }
            },
        };
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            match stream.write(rest).await {
                Ok(0) => return LinkEnd::Closed,
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    if !rest.is_empty() {
                        Traffic::add(&traffic.payload, written);
                    }
                }
                Err(error) => return LinkEnd::Broken(error.to_string()),
            }
        }
        // While more messages wait, they are flushed together.
        if outbox.is_empty()
            && let Err(error) = stream.flush().await
        {
            return LinkEnd::Broken(error.to_string());
        }
        NetMetrics::add(&metrics.frames_out, 1);
        NetMetrics::add(&metrics.bytes_out, frame.len() as u64);
    }
}

/// Reports connections to the projects and passes them the messages, in order.
async fn deliver(
    shared: &Shared,
    peer: NodeId,
    address: &str,
    traffic: &Traffic,
    mut inbox: mpsc::Receiver<Message>,
    informed: &mut BTreeSet<ProjectId>,
) -> LinkEnd {
    let mut changes = shared.registry.changes();
    let mut looks = interval(CHECK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    loop {
        changes.borrow_and_update();
        let common = shared.registry.shared_with(&peer);
        for project in informed.difference(&common).copied().collect::<Vec<_>>() {
            if !deliver_with_retry(shared, &project, || NetInput::Disconnected { peer }).await {
                return LinkEnd::ProjectBusy(project);
            }
            informed.remove(&project);
        }
        for project in common.difference(informed).copied().collect::<Vec<_>>() {
            let connected = || NetInput::Connected {
                peer,
                address: address.to_owned(),
            };
            if !deliver_with_retry(shared, &project, connected).await {
                return LinkEnd::ProjectBusy(project);
            }
            informed.insert(project);
        }
        loop {
            tokio::select! {
                biased;
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return LinkEnd::Closed,
                },
                _ = looks.tick() => {
                    let now = traffic.payload.load(Ordering::Relaxed);
                    if now != seen {
                        seen = now;
                        // A project with a full queue does not need this.
                        for project in &*informed {
                            shared.route.deliver(project, NetInput::Progress { peer });
                        }
                    }
                }
                message = inbox.recv() => {
                    // The reader returns why it ended; this side only sees that it did.
                    let Some(message) = message else { std::future::pending().await };
                    let project = message.project();
                    if !informed.contains(&project) {
                        tracing::trace!(peer = %peer.short(), %project, "a message about a project that is not shared");
                        continue;
                    }
                    let input = || NetInput::Message { peer, message: message.clone() };
                    if !deliver_with_retry(shared, &project, input).await {
                        return LinkEnd::ProjectBusy(project);
                    }
                }
            }
        }
    }
}

/// Puts an input into a project's queue, retrying while it is full. Returns whether that worked.
pub(super) async fn deliver_with_retry(
    shared: &Shared,
    project: &ProjectId,
    input: impl Fn() -> NetInput,
) -> bool {
    let give_up = Instant::now() + DELIVERY_TIMEOUT;
    let (mut pause, longest) = RETRY;
    while !shared.route.deliver(project, input()) {
        if Instant::now() >= give_up {
            return false;
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
    true
}
