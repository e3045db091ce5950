//! Joining: one request and one answer on a stream of their own.
//!
//! The inviter passes the request to the project, which alone checks the ticket; this file bounds sizes and
//! times and never reads the secret.

use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use libp2p::swarm::Stream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use towline_proto::wire::{JoinReply, JoinRequest};
use towline_proto::{NodeId, ProjectId, limits};

use super::{NetError, NetInput, Shared, framing};

/// The time limit of a join, on both sides.
pub(super) const WITHIN: Duration = Duration::from_secs(30);
/// Largest request: a project id, a secret and a name of [`limits::NAME_CHARS`].
const REQUEST_BYTES: usize = 4 * 1024;
/// How long the inviter waits for the other side to have read the answer.
const LINGER: Duration = Duration::from_secs(5);

/// Answers a peer that opened a join stream; returns when the answer has been read or the time is up. `asked`
/// is called once the request has arrived.
pub(super) async fn answer(shared: &Shared, peer: NodeId, mut stream: Stream, asked: impl FnOnce()) {
    let outcome = timeout(WITHIN, async {
        let request = read_request(&mut stream).await?;
        asked();
        let reply = match request {
            Ok(request) => decide(shared, peer, request).await,
            Err(why) => refused(&why),
        };
        send(&mut stream, &reply.encode()).await
    })
    .await;
    match outcome {
        Ok(Ok(())) => {
            // The connection is closed after this, which would cut off an answer in transit. The other side
            // closes its end once it has read the answer.
            let mut rest = [0u8; 1];
            let _ = timeout(LINGER, stream.read(&mut rest)).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %peer.short(), %error, "a join was interrupted"),
        Err(_) => tracing::debug!(peer = %peer.short(), "a join took too long"),
    }
}

/// Sends a join request to an inviter; the stream is closed when this returns.
pub(super) async fn ask(mut stream: Stream, request: JoinRequest) -> Result<JoinReply, NetError> {
    let broken = |error: framing::FrameError| NetError::Unreachable(error.to_string());
    let exchange = async {
        send(&mut stream, &request.encode()).await.map_err(broken)?;
        let frame = framing::read(&mut stream, limits::FRAME_BYTES)
            .await
            .map_err(broken)?;
        let frame = frame
            .ok_or_else(|| NetError::Unreachable("it closed the connection without an answer".into()))?;
        JoinReply::decode(&frame.payload).map_err(|error| NetError::Unreadable(error.to_string()))
    };
    let reply = timeout(WITHIN, exchange).await.map_err(|_| NetError::Timeout)?;
    let _ = stream.close().await;
    reply
}

async fn read_request(stream: &mut Stream) -> Result<Result<JoinRequest, String>, framing::FrameError> {
    let Some(frame) = framing::read(stream, REQUEST_BYTES).await? else {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    };
    let request = match JoinRequest::decode(&frame.payload) {
        Ok(request) => request,
        Err(error) => return Ok(Err(format!("the request cannot be read: {error}"))),
    };
    if request.name.chars().count() > limits::NAME_CHARS {
        let most = limits::NAME_CHARS;
        return Ok(Err(format!(
            "the name of a node can have at most {most} characters"
        )));
    }
    Ok(Ok(request))
}

async fn decide(shared: &Shared, peer: NodeId, request: JoinRequest) -> JoinReply {
    match shared.registry.joinable(&request.project) {
        // Its welcome was lost: it is repeated, whether the ticket has expired meanwhile or not.
        Some(_) if shared.registry.is_member_of(&peer, &request.project) => {}
        None => return refused("this node is not a member of that project"),
        Some(false) => {
            return refused("that project has no open invitation; ask an owner for a new ticket");
        }
        Some(true) => {}
    }
    let (reply, answered) = oneshot::channel();
    let project = request.project;
    let input = NetInput::Join { peer, request, reply };
    if !shared.route.deliver(&project, input) {
        return refused("this node is busy; try again in a moment");
    }
    match answered.await {
        Ok(JoinReply::Welcome { genesis, .. }) => JoinReply::Welcome {
            genesis,
            peers: others(shared, &project, &peer),
        },
        Ok(refused) => refused,
        Err(_) => refused("this node cannot answer right now; try again in a moment"),
    }
}

/// The addresses of the project's other members, so that the new one finds somebody when this node is
/// offline.
fn others(shared: &Shared, project: &ProjectId, new: &NodeId) -> Vec<(NodeId, Vec<String>)> {
    let members = shared.registry.members_of(project);
    let book = shared.book();
    let others = members.into_iter().filter(|node| node != new);
    others
        .map(|node| (node, book.addresses_of(&node)))
        .filter(|(_, addresses)| !addresses.is_empty())
        .take(limits::WELCOME_PEERS)
        .collect()
}

fn refused(why: &str) -> JoinReply {
    JoinReply::Refused { why: why.to_owned() }
}

async fn send(stream: &mut Stream, payload: &[u8]) -> Result<(), framing::FrameError> {
    stream.write_all(&framing::encode(payload)?).await?;
    stream.flush().await?;
    Ok(())
}
