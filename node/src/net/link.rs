//! A link: the one long-lived stream between two members, for all projects that they share.
//!
//! One task per link reads frames, writes frames and tells the projects, in this order for each:
//! connected, messages, disconnected. A project whose queue is full makes the reader wait, and that
//! makes the peer wait; nothing is thrown away on the way in. On the way out a peer that does not
//! read fills its queue: then the message is dropped and the link closed, and catch-up resumes from
//! what was really received when the next link is up.

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

/// Messages that wait to be written to one peer. Catch-up keeps one frame in flight for each
/// project, so a peer that reads never comes near it.
pub(super) const QUEUE: usize = 64;
/// How often what has come and gone is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a project's thread may leave its queue full before the link gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);
/// First and longest pause between two attempts to put something in a project's queue.
const RETRY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

impl Pace {
    /// A keep-alive goes out after this much silence of ours.
    const fn keep_alive(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(4),
            Self::Slow => Duration::from_secs(15),
        }
    }

    /// A peer of which no byte came for this long is gone, whatever TCP believes: a machine that lost its
    /// power closes nothing. A long frame on a slow line is no silence.
    const fn silence(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(10),
            Self::Slow => Duration::from_secs(60),
        }
    }
}

/// What has come and gone on a link, in bytes.
#[derive(Debug, Default)]
struct Traffic {
    /// Bytes that came, of whatever kind.
    heard: AtomicU64,
    /// Bytes of payloads, either way: keep-alives have none.
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
    heard: &'a AtomicU64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(bytes)) = &read {
            Traffic::add(self.heard, *bytes);
        }
        read
    }
}

/// Why a link ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer or this node closed it.
    Closed,
    /// The stream broke.
    Broken(String),
    /// The peer sent what no honest peer sends.
    Foul(String),
    /// Nothing came for longer than the pace allows.
    Silent,
    /// A project of this node did not take a message for [`PATIENCE`].
    Stuck(ProjectId),
}

/// The driver's end of a link. Dropping it ends the link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) generation: u64,
    pub(super) since: Instant,
    pub(super) outbox: mpsc::Sender<Message>,
    /// Held for its drop.
    pub(super) _cancel: oneshot::Sender<()>,
}

/// Everything that a link's task needs.
pub(super) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: NodeId,
    pub(super) address: String,
    pub(super) stream: Stream,
    pub(super) pace: Pace,
    pub(super) outbox: mpsc::Receiver<Message>,
    pub(super) cancel: oneshot::Receiver<()>,
    /// Resolves when the peer's link before this one has told its projects that it is over.
    pub(super) after: Option<oneshot::Receiver<()>>,
}

/// Runs a link to its end.
pub(super) async fn run(task: Task) -> End {
    let Task {
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
        // An error means that the task is gone, which is as good.
        let _ = after.await;
    }
    let (reader, writer) = stream.split();
    let (incoming, inbox) = mpsc::channel(1);
    let mut present = BTreeSet::new();
    let traffic = Traffic::default();
    let counted = Counted {
        inner: reader,
        heard: &traffic.heard,
    };
    let end = tokio::select! {
        end = read(&shared.metrics, &traffic, counted, incoming) => end,
        end = write(&shared.metrics, &traffic, writer, outbox, pace) => end,
        end = deliver(&shared, peer, &address, &traffic, inbox, &mut present) => end,
        end = silence(&traffic.heard, pace.silence()) => end,
        _ = cancel => End::Closed,
    };
    for project in present {
        if !patiently(&shared, &project, || NetInput::Disconnected { peer }).await {
            tracing::warn!(%project, peer = %peer.short(), "a project was not told that a peer is gone");
        }
    }
    end
}

/// Ends when nothing has come for so long.
async fn silence(heard: &AtomicU64, limit: Duration) -> End {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        sleep(LOOK_EVERY).await;
        let now = heard.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= limit {
            return End::Silent;
        }
    }
}

async fn read(
    metrics: &NetMetrics,
    traffic: &Traffic,
    mut stream: impl AsyncRead + Unpin,
    incoming: mpsc::Sender<Message>,
) -> End {
    let came = |bytes| Traffic::add(&traffic.payload, bytes);
    loop {
        let frame = match framing::read_telling(&mut stream, limits::FRAME_BYTES, came).await {
            Ok(None) => return End::Closed,
            Ok(Some(frame)) => frame,
            Err(error) if error.is_foul() => return End::Foul(error.to_string()),
            Err(error) => return End::Broken(error.to_string()),
        };
        NetMetrics::add(&metrics.frames_in, 1);
        NetMetrics::add(&metrics.bytes_in, frame.wire_bytes);
        if frame.payload.is_empty() {
            continue;
        }
        match Message::decode(&frame.payload) {
            Ok(message) => {
                if incoming.send(message).await.is_err() {
                    return End::Closed;
                }
            }
            Err(error) => return End::Foul(format!("a message that cannot be read: {error}")),
        }
    }
}

async fn write(
    metrics: &NetMetrics,
    traffic: &Traffic,
    mut stream: WriteHalf<Stream>,
    mut outbox: mpsc::Receiver<Message>,
    pace: Pace,
) -> End {
    loop {
        let frame = match timeout(pace.keep_alive(), outbox.recv()).await {
            Err(_) => framing::KEEP_ALIVE.to_vec(),
            Ok(None) => return End::Closed,
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
                Ok(0) => return End::Closed,
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    if !rest.is_empty() {
                        Traffic::add(&traffic.payload, written);
                    }
                }
                Err(error) => return End::Broken(error.to_string()),
            }
        }
        // While more is waiting it goes out in one write.
        if outbox.is_empty()
            && let Err(error) = stream.flush().await
        {
            return End::Broken(error.to_string());
        }
        NetMetrics::add(&metrics.frames_out, 1);
        NetMetrics::add(&metrics.bytes_out, frame.len() as u64);
    }
}

/// Tells the projects who is there and hands them the messages, in one order.
async fn deliver(
    shared: &Shared,
    peer: NodeId,
    address: &str,
    traffic: &Traffic,
    mut inbox: mpsc::Receiver<Message>,
    present: &mut BTreeSet<ProjectId>,
) -> End {
    let mut changes = shared.roll.changes();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    loop {
        changes.borrow_and_update();
        let common = shared.roll.shared_with(&peer);
        for project in present.difference(&common).copied().collect::<Vec<_>>() {
            if !patiently(shared, &project, || NetInput::Disconnected { peer }).await {
                return End::Stuck(project);
            }
            present.remove(&project);
        }
        for project in common.difference(present).copied().collect::<Vec<_>>() {
            let connected = || NetInput::Connected {
                peer,
                address: address.to_owned(),
            };
            if !patiently(shared, &project, connected).await {
                return End::Stuck(project);
            }
            present.insert(project);
        }
        loop {
            tokio::select! {
                biased;
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return End::Closed,
                },
                _ = looks.tick() => {
                    let now = traffic.payload.load(Ordering::Relaxed);
                    if now != seen {
                        seen = now;
                        // A project that is too busy to hear of it does not wait for the peer.
                        for project in &*present {
                            shared.route.deliver(project, NetInput::Progress { peer });
                        }
                    }
                }
                message = inbox.recv() => {
                    // The reader says why it ended; this side of the channel only knows that it did.
                    let Some(message) = message else { std::future::pending().await };
                    let project = message.project();
                    if !present.contains(&project) {
                        tracing::trace!(peer = %peer.short(), %project, "a message about a project that is not shared");
                        continue;
                    }
                    let input = || NetInput::Message { peer, message: message.clone() };
                    if !patiently(shared, &project, input).await {
                        return End::Stuck(project);
                    }
                }
            }
        }
    }
}

/// Puts something in a project's queue, waiting while it is full. Whether it is in there.
pub(super) async fn patiently(shared: &Shared, project: &ProjectId, input: impl Fn() -> NetInput) -> bool {
    let give_up = Instant::now() + PATIENCE;
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
