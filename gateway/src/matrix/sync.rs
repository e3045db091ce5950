//! Reading rooms: long polls, invitations, commands.
//!
//! The position of the sync is stored only after everything in a batch was handled, and every
//! command is noted as handled before it is acted upon, so a crash between the two repeats the batch
//! but no command. What arrives older than the limit (we were offline) is not executed.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use towline_node::handle::NodeHandle;
use towline_proto::Millis;

use super::account::{Account, AccountError, backoff};
use super::client::Call;
use super::hear::{Outlets, QUEUE, answer};
use super::room::Rooms;
use super::turns::Turns;
use super::wire::{Batch, Event, Invited, Joined, Messages};
use crate::config;
use crate::http::wall_clock;
use crate::relay::StatusBoard;
use crate::store::{Store, StoreError};

/// How long the homeserver holds a poll, in seconds.
const POLL_S: u64 = 30;
/// Messages of one room in one batch; what is missing is fetched page by page.
const TIMELINE: u64 = 50;
/// Pages that are fetched after a gap. Older messages are older than the limit for commands anyway.
const GAP_PAGES: usize = 5;
/// Reads the rooms of an account and runs the commands in them.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) handle: NodeHandle,
    pub(crate) config: config::Matrix,
    pub(crate) account: Arc<Account>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) store: Store,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) resend: watch::Sender<u64>,
    pub(crate) turns: Turns,
}

impl Sync {
    /// Runs until it is stopped or the store fails.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let (answers, replies) = mpsc::channel(QUEUE);
        let (waiting, waits) = mpsc::channel(QUEUE);
        let out = Outlets { answers, waiting };
        let work = async {
            tokio::select! {
                done = self.poll(&out) => done,
                done = self.follow(waits, &out.answers) => done,
                () = answer(replies) => Ok(()),
            }
        };
        let done = Box::pin(stop.run_until_cancelled(work)).await;
        let done = done.unwrap_or(Ok(()));
        // Others need not wait for somebody who is gone.
        self.announce(None).await;
        done
    }

    async fn poll(&self, out: &Outlets) -> Result<(), StoreError> {
        let name = format!("matrix.since {} {}", self.config.homeserver, self.config.user);
        // A sync from nothing shows every open invitation, also one that was not allowed until the
        // configuration changed. What was said in rooms before the first start is nobody's command.
        let (all, _) = self.batch_at_last(None).await;
        self.invitations(&all).await;
        self.enter().await;
        let mut since = match self.store.state(&name)? {
            Some(since) => since,
            None => all.next_batch,
        };
        loop {
            self.announce(self.account.user_id().await.as_deref()).await;
            let (batch, at) = self.batch_at_last(Some(&since)).await;
            self.invitations(&batch).await;
            for (room, joined) in batch.rooms.join {
                self.joined(&room, joined, &since, at, out).await?;
            }
            if since != batch.next_batch {
                self.store.set_state(&name, &batch.next_batch).await?;
                since = batch.next_batch;
            }
        }
    }

    /// The next batch, however long the homeserver is away.
    async fn batch_at_last(&self, since: Option<&str>) -> (Batch, Millis) {
        let mut since = since;
        let mut failures = 0;
        loop {
            match self.batch(since).await {
                Ok(found) => return found,
                Err(error) => {
                    let wait = retry_after(&error).unwrap_or_default().max(backoff(failures));
                    tracing::info!(%error, wait_s = wait.as_secs(), "sync failed");
                    // A position that the homeserver does not know any more (it was set up anew)
                    // would be refused for ever.
                    if matches!(&error, AccountError::Matrix(refused) if refused.status() == Some(400)) {
                        since = None;
                    }
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Enters the configured rooms; those that need an invitation follow when it comes.
    async fn enter(&self) {
        for room in &self.config.rooms {
            if let Err(error) = self.rooms.join(&room.room).await {
                tracing::info!(room = room.room, %error, "not in the room yet");
            }
        }
    }

    async fn batch(&self, since: Option<&str>) -> Result<(Batch, Millis), AccountError> {
        let filter = json!({
            "presence": { "types": [] },
            "account_data": { "types": [] },
            "room": {
                "timeline": { "limit": TIMELINE, "types": ["m.room.message", "m.room.encryption", "m.reaction"] },
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
                    client.call::<Batch>(Some(&token), call).await
                }
            })
            .await?;
        Ok((answer.value, answer.at.unwrap_or_else(wall_clock)))
    }

    async fn invitations(&self, batch: &Batch) {
        for (room, invited) in &batch.rooms.invite {
            self.invited(room, invited).await;
        }
    }

    /// Follows an invitation of somebody who may invite us, or into a configured room.
    async fn invited(&self, room: &str, invited: &Invited) {
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
            tracing::warn!(room, %error, "cannot follow an invitation");
        }
    }

    async fn joined(
        &self,
        room: &str,
        joined: Joined,
        since: &str,
        now: Millis,
        out: &Outlets,
    ) -> Result<(), StoreError> {
        let mut events = joined.timeline.events;
        if joined.timeline.limited
            && let Some(from) = joined.timeline.prev_batch
        {
            match self.gap(room, &from, since).await {
                Ok(mut before) => {
                    before.append(&mut events);
                    events = before;
                }
                Err(error) => tracing::warn!(room, %error, "messages before a gap are lost"),
            }
        }
        for event in events {
            self.event(room, event, now, out).await?;
        }
        Ok(())
    }

    /// What lies between the last batch and this one, oldest first.
    async fn gap(&self, room: &str, from: &str, since: &str) -> Result<Vec<Event>, AccountError> {
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
                        client.call::<Messages>(Some(&token), call).await
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
