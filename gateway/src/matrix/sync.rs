//! Reads the rooms of an account with long polls: invitations and messages.
//!
//! The position of the sync is stored only after a whole batch was handled, and each command is recorded as
//! handled before it is executed. After a crash between the two, the batch is read again, but no command is
//! executed twice.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use towline_engine::handle::NodeHandle;
use towline_proto::Millis;

use super::account::{Account, AccountError, backoff};
use super::client::Call;
use super::incoming::{CommandQueues, QUEUE, send_responses};
use super::responder_order::ResponderOrder;
use super::room::Rooms;
use super::wire::{InvitedRoom, JoinedRoom, MessagesPage, RoomEvent, SyncBatch};
use crate::config;
use crate::http::wall_clock;
use crate::relay::StatusRegistry;
use crate::store::{GatewayStore, StoreError};

/// How long the homeserver keeps a poll open, in seconds.
const POLL_S: u64 = 30;
/// Maximum number of messages of one room in one batch; the rest is fetched page by page.
const TIMELINE_EVENTS: u64 = 50;
/// Maximum number of pages that are fetched for a gap. Older commands would be refused anyway.
const GAP_PAGES: usize = 5;

/// Reads the rooms of an account and runs the commands in them.
#[derive(Debug)]
pub(crate) struct RoomSync {
    pub(crate) handle: NodeHandle,
    pub(crate) config: config::MatrixConfig,
    pub(crate) account: Arc<Account>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) store: GatewayStore,
    pub(crate) registry: Arc<StatusRegistry>,
    pub(crate) resend: watch::Sender<u64>,
    pub(crate) order: ResponderOrder,
}

impl RoomSync {
    /// Runs until it is stopped or the store fails.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (responses, response_queue) = mpsc::channel(QUEUE);
        let (deferred, deferred_queue) = mpsc::channel(QUEUE);
        let queues = CommandQueues { responses, deferred };
        let work = async {
            tokio::select! {
                result = self.poll(&queues) => result,
                result = self.run_deferred(deferred_queue, &queues.responses) => result,
                () = send_responses(response_queue) => Ok(()),
            }
        };
        let result = Box::pin(stop.run_until_cancelled(work)).await;
        let result = result.unwrap_or(Ok(()));
        // Other gateways must not wait for this one any more.
        self.announce_account(None).await;
        result
    }

    async fn poll(&self, queues: &CommandQueues) -> Result<(), StoreError> {
        let name = format!("matrix.since {} {}", self.config.homeserver, self.config.user);
        // An initial sync has every open invitation, including those that only a change of the configuration
        // allows. Messages from before the first start are not commands.
        let (all, _) = self.next_batch(None).await;
        self.accept_invitations(&all).await;
        self.join_configured_rooms().await;
        let mut since = match self.store.state(&name)? {
            Some(since) => since,
            None => all.next_batch,
        };
        loop {
            let user = self.account.user_id().await;
            self.announce_account(user.as_deref()).await;
            let (batch, at) = self.next_batch(Some(&since)).await;
            self.accept_invitations(&batch).await;
            for (room, joined) in batch.rooms.join {
                self.handle_joined_room(&room, joined, &since, at, queues).await?;
            }
            if since != batch.next_batch {
                self.store.set_state(&name, &batch.next_batch).await?;
                since = batch.next_batch;
            }
        }
    }

    /// The next batch; retries for as long as the homeserver cannot be reached.
    async fn next_batch(&self, since: Option<&str>) -> (SyncBatch, Millis) {
        let mut since = since;
        let mut failures = 0;
        loop {
            match self.request_batch(since).await {
                Ok(batch) => return batch,
                Err(error) => {
                    let wait = retry_after(&error).unwrap_or_default().max(backoff(failures));
                    tracing::info!(%error, wait_s = wait.as_secs(), "sync failed");
                    // The homeserver does not know the position, for example because it was set up again, and
                    // would reject it for ever.
                    if matches!(&error, AccountError::Matrix(error) if error.status() == Some(400)) {
                        since = None;
                    }
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Joins the configured rooms. Rooms that need an invitation are joined when it arrives.
    async fn join_configured_rooms(&self) {
        for room in &self.config.rooms {
            if let Err(error) = self.rooms.join(&room.room).await {
                tracing::info!(room = room.room, %error, "cannot join the room yet");
            }
        }
    }

    async fn request_batch(&self, since: Option<&str>) -> Result<(SyncBatch, Millis), AccountError> {
        let filter = json!({
            "presence": { "types": [] },
            "account_data": { "types": [] },
            "room": {
                "timeline": { "limit": TIMELINE_EVENTS, "types": ["m.room.message", "m.room.encryption", "m.reaction"] },
                "state": { "types": [] },
                "ephemeral": { "types": [] },
                "account_data": { "types": [] },
            },
        })
        .to_string();
        // Synapse keeps the answer to a sync from nothing for two minutes and gives it again to the
        // same question, so a gateway that is started twice would miss what came in between. The
        // wait is part of the question, and means nothing in this one.
        let (wait, timeout) = match since {
            Some(_) => (POLL_S, POLL_S * 1_000),
            None => (0, wall_clock().0 % 1_000_000),
        };
        let timeout = timeout.to_string();
        let answer = self
            .account
            .call_with(|client, token| {
                let (filter, timeout, since) = (filter.clone(), timeout.clone(), since.map(str::to_owned));
                async move {
                    let mut query = vec![("filter", filter.as_str()), ("timeout", timeout.as_str())];
                    if let Some(since) = &since {
                        query.push(("since", since));
                    }
                    let mut call = Call::new(Method::GET, &["sync"]);
                    call.query = &query;
                    call.wait = Duration::from_secs(wait);
                    client.call::<SyncBatch>(Some(&token), call).await
                }
            })
            .await?;
        Ok((answer.value, answer.at.unwrap_or_else(wall_clock)))
    }

    async fn accept_invitations(&self, batch: &SyncBatch) {
        for (room, invited) in &batch.rooms.invite {
            self.accept_invitation(room, invited).await;
        }
    }

    /// Accepts an invitation into a configured room, or from somebody who may invite us.
    async fn accept_invitation(&self, room: &str, invited: &InvitedRoom) {
        let me = self.account.user_id().await.unwrap_or_default();
        let inviter = invited
            .invite_state
            .events
            .iter()
            .find(|event| event.kind == "m.room.member" && event.state_key.as_deref() == Some(&me))
            .map(|event| event.sender.as_str());
        let allowed = self.config.rooms.iter().any(|configured| configured.room == room)
            || inviter.is_some_and(|inviter| self.config.allow_inviters.iter().any(|id| id == inviter));
        if !allowed {
            tracing::info!(room, inviter, "invitation ignored");
            return;
        }
        if let Err(error) = self.rooms.join(room).await {
            tracing::warn!(room, %error, "cannot accept an invitation");
        }
    }

    async fn handle_joined_room(
        &self,
        room: &str,
        joined: JoinedRoom,
        since: &str,
        now: Millis,
        queues: &CommandQueues,
    ) -> Result<(), StoreError> {
        let mut events = joined.timeline.events;
        if joined.timeline.limited
            && let Some(from) = joined.timeline.prev_batch
        {
            match self.fetch_gap(room, &from, since).await {
                Ok(mut before) => {
                    before.append(&mut events);
                    events = before;
                }
                Err(error) => {
                    tracing::warn!(room, %error, "cannot fetch the messages in a gap; commands in it are not executed")
                }
            }
        }
        for event in events {
            self.handle_event(room, event, now, queues).await?;
        }
        Ok(())
    }

    /// The messages between the last batch and this one, oldest first.
    async fn fetch_gap(&self, room: &str, from: &str, since: &str) -> Result<Vec<RoomEvent>, AccountError> {
        let mut from = from.to_owned();
        let mut events = Vec::new();
        for _ in 0..GAP_PAGES {
            let page = self
                .account
                .call_with(|client, token| {
                    let (room, from, since) = (room.to_owned(), from.clone(), since.to_owned());
                    async move {
                        let path = ["rooms", room.as_str(), "messages"];
                        let query = [
                            ("dir", "b"),
                            ("limit", "100"),
                            ("from", from.as_str()),
                            ("to", since.as_str()),
                        ];
                        let mut call = Call::new(Method::GET, &path);
                        call.query = &query;
                        client.call::<MessagesPage>(Some(&token), call).await
                    }
                })
                .await?
                .value;
            let empty = page.chunk.is_empty();
            events.extend(page.chunk);
            match page.end {
                Some(end) if !empty => from = end,
                _ => break,
            }
        }
        events.reverse();
        Ok(events)
    }
}

pub(super) fn retry_after(error: &AccountError) -> Option<Duration> {
    match error {
        AccountError::Matrix(error) => error.retry_after(),
        AccountError::File { .. }
        | AccountError::Token(_)
        | AccountError::Encrypted(_)
        | AccountError::Store(_) => None,
    }
}
