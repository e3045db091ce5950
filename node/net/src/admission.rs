//! Proves this node's membership to another member.
//!
//! Two members may not know each other: each was admitted while the other was away, and the inviter is
//! offline now. The one that knows the other dials it and sends, on a stream of its own, the entries by which
//! it was admitted. The project's thread verifies them. There is no reply; a stranger that became a member
//! dials again. This file bounds sizes and times and verifies nothing.

use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use libp2p::swarm::Stream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use towline_proto::wire::{EntryBytes, MembershipProofs};
use towline_proto::{Entry, NodeId, limits};

use super::{NetInput, Shared, framing};

/// The time limit, on both sides.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends the entries and waits until the other side has processed them.
pub(super) async fn send(peer: NodeId, mut stream: Stream, entries: Vec<EntryBytes>) {
    let sent = timeout(ADMISSION_TIMEOUT, async {
        let frame = framing::encode(&MembershipProofs { entries }.encode())?;
        stream.write_all(&frame).await?;
        stream.flush().await?;
        // The other side closes its end when it has processed them.
        let mut rest = [0u8; 1];
        let _ = stream.read(&mut rest).await;
        Ok::<(), framing::FrameError>(())
    })
    .await;
    match sent {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(peer = %peer.short(), %error, "an admission was not shown"),
        Err(_) => tracing::debug!(peer = %peer.short(), "showing an admission took too long"),
    }
}

/// Receives the entries of a peer and passes them to the projects. `asked` is called once they have arrived.
pub(super) async fn receive(shared: &Shared, peer: NodeId, mut stream: Stream, asked: impl FnOnce()) {
    let received = timeout(ADMISSION_TIMEOUT, async {
        let Some(frame) = framing::read(&mut stream, limits::MEMBERSHIP_PROOFS_BYTES).await? else {
            return Ok(());
        };
        asked();
        match MembershipProofs::decode(&frame.payload) {
            Ok(admissions) => hand_over(shared, peer, admissions.entries).await,
            Err(error) => tracing::debug!(peer = %peer.short(), %error, "an admission cannot be read"),
        }
        Ok::<(), framing::FrameError>(())
    })
    .await;
    match received {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(peer = %peer.short(), %error, "showing an admission broke off"),
        Err(_) => tracing::debug!(peer = %peer.short(), "showing an admission took too long"),
    }
    let _ = timeout(ADMISSION_TIMEOUT, stream.close()).await;
}

async fn hand_over(shared: &Shared, peer: NodeId, entries: Vec<EntryBytes>) {
    for bytes in entries {
        let Ok(entry) = Entry::decode(bytes.0) else {
            continue;
        };
        let project = entry.project();
        if shared.registry.joinable(&project).is_none() || shared.registry.is_member_of(&peer, &project) {
            continue;
        }
        let (seen, received) = oneshot::channel();
        if shared
            .route
            .deliver(&project, NetInput::Admission { peer, entry, seen })
        {
            // An error means that the project is closing.
            let _ = received.await;
        }
    }
}
