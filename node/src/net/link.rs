//! A link: the one long-lived stream between two members, for all projects that they share.
//!
//! One task per link reads frames, writes frames and tells the projects, in this order for each:
//! connected, messages, disconnected. A project whose queue is full makes the reader wait, and that
//! makes the peer wait; nothing is thrown away on the way in. On the way out a peer that does not
//! read fills its queue: then the message is dropped and the link closed, and catch-up resumes from
//! what was really received when the next link is up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use libp2p::swarm::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use towline_proto::wire::Message;
use towline_proto::{NodeId, ProjectId, limits};

use super::metrics::NetMetrics;
use super::{NetInput, Shared, framing};

/// Messages that wait to be written to one peer. Catch-up keeps one frame in flight for each
/// project, so a peer that reads never comes near it.
pub(super) const QUEUE: usize = 64;
/// A keep-alive goes out after this much silence of ours.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// A peer that is not heard for this long is gone, whatever TCP believes: a machine that lost its
/// power closes nothing. Also the time that one frame may take.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a project's thread may leave its queue full before the link gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);
/// First and longest pause between two attempts to put something in a project's queue.
const RETRY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Why a link ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer or this node closed it.
    Closed,
    /// The stream broke.
    Broken(String),
    /// The peer sent what no honest peer sends.
    Foul(String),
    /// Nothing was heard for [`SILENCE`].
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
    let end = tokio::select! {
        end = read(&shared.metrics, reader, incoming) => end,
        end = write(&shared.metrics, writer, outbox) => end,
        end = deliver(&shared, peer, &address, inbox, &mut present) => end,
        _ = cancel => End::Closed,
    };
    for project in present {
        if !patiently(&shared, &project, || NetInput::Disconnected { peer }).await {
            tracing::warn!(%project, peer = %peer.short(), "a project was not told that a peer is gone");
        }
    }
    end
}

async fn read(metrics: &NetMetrics, mut stream: ReadHalf<Stream>, incoming: mpsc::Sender<Message>) -> End {
    loop {
        let frame = match timeout(SILENCE, framing::read(&mut stream, limits::FRAME_BYTES)).await {
            Err(_) => return End::Silent,
            Ok(Ok(None)) => return End::Closed,
            Ok(Ok(Some(frame))) => frame,
            Ok(Err(error)) if error.is_foul() => return End::Foul(error.to_string()),
            Ok(Err(error)) => return End::Broken(error.to_string()),
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
    mut stream: WriteHalf<Stream>,
    mut outbox: mpsc::Receiver<Message>,
) -> End {
    loop {
        let frame = match timeout(KEEP_ALIVE_EVERY, outbox.recv()).await {
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
        if let Err(error) = stream.write_all(&frame).await {
            return End::Broken(error.to_string());
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
    mut inbox: mpsc::Receiver<Message>,
    present: &mut BTreeSet<ProjectId>,
) -> End {
    let mut changes = shared.roll.changes();
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
