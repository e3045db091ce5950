//! One delivery: the task that sends the events of one project to one destination.
//!
//! Each iteration has four steps, and a crash may come after any of them: read the feed, store the messages
//! that are due, attempt the first message, move the durable cursor. [`super::acked_ranges`] says why the
//! cursor alone is not enough.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode, Query, Reply, Request};
use towline_api::types::FeedEvent;
use towline_engine::handle::{NodeHandle, ProjectLink};
use towline_proto::Millis;

use super::acked_ranges::PositionRanges;
use super::delivery_state::{DeliveryContext, DeliveryState, Grouping};
use super::outbox::{MessageBody, Outbox, OutboxMessage};
use super::plan::Preset;
use super::status::{DeliveryStatus, StatusRegistry};
use super::{DeliveryOutcome, Sink};
use crate::http::wall_clock;
use crate::store::StoreError;
use crate::webhook::cloud_event;

/// Maximum number of events in one request.
const PAGE_EVENTS: usize = 500;
/// Maximum number of pages that are read in one iteration.
const PAGES: usize = 8;
/// Minimum time between two writes of a cursor that only skipped events, in milliseconds.
const IDLE_CURSOR_MS: u64 = 5_000;
/// Wait before a project that does not answer is asked again, in milliseconds.
pub(super) const UNREACHABLE_MS: u64 = 1_000;
/// Maximum number of failed messages of one delivery. Beyond it the delivery stops reading, and the feed keeps
/// the events.
const FAILED_MESSAGES: usize = 1_000;

/// Why a delivery ended without being stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// The gateway's own store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The name under which a node stores the cursor of a destination.
pub(super) fn subscriber(destination: &str) -> String {
    format!("relay:{destination}")
}

/// The task that sends the events of one project to one destination.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(super) handle: NodeHandle,
    pub(super) project: ProjectLink,
    pub(super) destination: String,
    pub(super) preset: Preset,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    pub(super) registry: Arc<StatusRegistry>,
    pub(super) resend: watch::Receiver<u64>,
    pub(super) stop: CancellationToken,
}

impl Delivery {
    pub(crate) fn new(
        shared: &DeliveryContext,
        project: ProjectLink,
        destination: &str,
        preset: Preset,
        sink: Sink,
    ) -> Self {
        Self {
            outbox: Outbox::new(shared.store.clone(), destination, &project.id),
            handle: shared.handle.clone(),
            project,
            destination: destination.to_owned(),
            preset,
            sink,
            registry: Arc::clone(&shared.registry),
            resend: shared.resend.clone(),
            stop: shared.stop.clone(),
        }
    }

    /// Runs until it is stopped or the store fails.
    pub(crate) async fn run(mut self) -> Result<(), DeliveryError> {
        let stop = self.stop.clone();
        // A step that is interrupted when the gateway stops is repeated after the next start.
        let result = stop
            .run_until_cancelled(self.deliver_events())
            .await
            .unwrap_or(Ok(()));
        if let Err(error) = &result {
            tracing::error!(destination = self.destination, project = self.project.name, %error, "delivery ended");
            self.registry.set(DeliveryStatus {
                destination: self.destination.clone(),
                project: self.project.name.clone(),
                error: Some(error.to_string()),
                ..DeliveryStatus::default()
            });
        }
        result
    }

    async fn deliver_events(&mut self) -> Result<(), DeliveryError> {
        let mut state = self.resume().await?;
        loop {
            let more = match self.read_feed(&mut state).await {
                Ok(more) => more,
                Err(failure) => {
                    self.report_status(&state, Some(failure.to_string()));
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                    self.refresh_project_link(&mut state);
                    continue;
                }
            };
            self.update_project_name(&mut state);
            self.enqueue_due(&mut state).await?;
            let left_outbox = self.attempt_next(&mut state).await?;
            self.advance_cursor(&mut state).await;
            self.report_status(&state, state.error.clone());
            if !more && !left_outbox {
                self.wait_for_work(&mut state).await?;
            }
        }
    }

    /// Reads new events; returns whether there may be more.
    async fn read_feed(&self, state: &mut DeliveryState) -> Result<bool, Failure> {
        state.feed.borrow_and_update();
        for _ in 0..PAGES {
            let limit = match &state.grouping {
                _ if state.failed >= FAILED_MESSAGES || state.closed.is_some() => 0,
                Grouping::Coalesced(_) => PAGE_EVENTS,
                Grouping::PerEvent { .. } => self.sink.window().saturating_sub(state.messages.len()),
            };
            if limit == 0 {
                return Ok(false);
            }
            let request = Request::Query(Query::Events {
                after: state.read(),
                limit,
            });
            let events = match self.handle.request(&self.project.id, None, request).await? {
                Reply::Events(events) => events,
                _ => return Ok(false),
            };
            let now = state.now_ms();
            let DeliveryState { grouping, acked, .. } = &mut *state;
            match grouping {
                Grouping::Coalesced(planner) if events.is_empty() => {
                    planner.caught_up(now);
                    return Ok(false);
                }
                Grouping::Coalesced(planner) => {
                    for event in events {
                        planner.push(now, wall_clock(), acked.contains(event.position), event);
                    }
                    acked.ack(&planner.take_filtered());
                }
                Grouping::PerEvent { .. } if events.is_empty() => return Ok(false),
                Grouping::PerEvent { .. } => self.enqueue_events(state, events).await?,
            }
        }
        Ok(true)
    }

    /// Queues one message for each event, all in one write.
    async fn enqueue_events(&self, state: &mut DeliveryState, events: Vec<FeedEvent>) -> Result<(), Failure> {
        let mut acked = state.acked.clone();
        let mut read = state.read();
        let mut messages = Vec::new();
        for event in events {
            let mut positions = PositionRanges::default();
            positions.insert(read + 1, event.position);
            read = event.position;
            if !acked.contains(event.position) && self.preset.wants(&event.event.what) {
                messages.push(OutboxMessage {
                    seq: state.next_seq + messages.len() as u64,
                    transaction: event.event.id.to_string(),
                    body: MessageBody::Event {
                        json: cloud_event(&self.project.name, &event),
                    },
                    positions: positions.clone(),
                    attempts: 0,
                    not_before: Millis(0),
                    last_error: None,
                });
            }
            acked.ack(&positions);
        }
        if !messages.is_empty() {
            let failed = |error: StoreError| Failure::new(FailureCode::Failure, error.to_string());
            self.outbox.enqueue(&acked, &messages).await.map_err(failed)?;
        }
        state.next_seq += messages.len() as u64;
        state.messages.extend(messages);
        state.acked = acked;
        state.grouping = Grouping::PerEvent { read };
        Ok(())
    }

    /// Queues the messages that are due, as far as the destination is ready for them. Events that are not
    /// queued yet are still combined with later ones, so a line shows the latest state when it is sent.
    async fn enqueue_due(&self, state: &mut DeliveryState) -> Result<(), DeliveryError> {
        let now = state.now_ms();
        while state.messages.len() < self.sink.window() {
            let Grouping::Coalesced(planner) = &mut state.grouping else {
                return Ok(());
            };
            let Some(planned) = planner.take_due(now) else {
                return Ok(());
            };
            state.acked.ack(&planned.positions);
            let Some(text) = planned.text else { continue };
            let message = OutboxMessage {
                seq: state.next_seq,
                transaction: planned.hash.transaction_id(self.outbox.delivery_id()),
                body: MessageBody::Text {
                    plain: text.plain,
                    html: text.html,
                },
                positions: planned.positions,
                attempts: 0,
                not_before: Millis(0),
                last_error: None,
            };
            self.outbox
                .enqueue(&state.acked, std::slice::from_ref(&message))
                .await?;
            state.next_seq += 1;
            state.messages.push(message);
        }
        Ok(())
    }

    /// Tries to deliver the first message that is due; returns whether it left the outbox.
    async fn attempt_next(&self, state: &mut DeliveryState) -> Result<bool, DeliveryError> {
        let wall = wall_clock();
        if state.closed.is_some() {
            return Ok(false);
        }
        let Some(index) = state
            .messages
            .iter()
            .position(|message| message.not_before <= wall)
        else {
            return Ok(false);
        };
        state.in_flight = true;
        self.report_status(state, state.error.clone());
        state.in_flight = false;
        let Some(message) = state.messages.get_mut(index) else {
            return Ok(false);
        };
        let (why, after) = match self.sink.deliver(message).await {
            DeliveryOutcome::Delivered => {
                let message = state.messages.remove(index);
                self.outbox.remove(&message).await?;
                state.error = None;
                state.delivered_since_cursor = true;
                state.last_delivery = Some(wall_clock());
                return Ok(true);
            }
            DeliveryOutcome::RetryLater { after, why } => {
                let backoff = self.sink.backoff(message.attempts + 1);
                (why, backoff.map(|backoff| backoff.max(after.unwrap_or_default())))
            }
            DeliveryOutcome::Rejected { why } => (why, None),
            DeliveryOutcome::Gone { why } => {
                tracing::warn!(
                    destination = self.destination,
                    why,
                    "the destination is gone; nothing more is sent to it"
                );
                state.closed = Some(why.clone());
                state.error = Some(why);
                return Ok(false);
            }
        };
        tracing::info!(
            destination = self.destination,
            attempts = message.attempts,
            why,
            "not delivered"
        );
        message.attempts = message.attempts.saturating_add(1);
        message.last_error = Some(why.clone());
        state.error = Some(why);
        match after {
            Some(after) => {
                let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                message.not_before = wall_clock().plus(after);
                // The retry schedule of an endpoint takes hours, so it is stored. A chat message is retried
                // immediately after a restart.
                if matches!(self.sink, Sink::Webhook(_)) {
                    self.outbox.update(message).await?;
                }
                Ok(false)
            }
            None => {
                let message = state.messages.remove(index);
                self.outbox.mark_failed(&message).await?;
                state.failed += 1;
                Ok(true)
            }
        }
    }

    /// Moves the node's cursor to the last position up to which everything is delivered.
    async fn advance_cursor(&self, state: &mut DeliveryState) {
        let delivered = state.delivered_through();
        if delivered <= state.cursor {
            return;
        }
        let now = state.now_ms();
        if !state.delivered_since_cursor && now.saturating_sub(state.cursor_written_ms) < IDLE_CURSOR_MS {
            return;
        }
        // A cursor that cannot be written now is written later. The outbox knows what is acknowledged.
        match self
            .handle
            .set_cursor(&self.project.id, &subscriber(&self.destination), delivered)
            .await
        {
            Ok(()) => {
                state.cursor = delivered;
                state.cursor_written_ms = now;
                state.delivered_since_cursor = false;
            }
            Err(failure) => tracing::debug!(%failure, "cursor not written"),
        }
    }

    fn report_status(&self, state: &DeliveryState, error: Option<String>) {
        let head = *state.feed.borrow();
        self.registry.set(DeliveryStatus {
            destination: self.destination.clone(),
            project: self.project.name.clone(),
            lag: head.saturating_sub(state.delivered_through()),
            held_back: state.held_back(),
            outbox: state.messages.len(),
            in_flight: usize::from(state.in_flight),
            next_attempt: state.next_attempt(wall_clock()),
            failed: state.failed,
            last_delivery: state.last_delivery,
            error: state.closed.clone().or(error),
        });
    }

    /// Waits until there are events to read or messages to send.
    async fn wait_for_work(&mut self, state: &mut DeliveryState) -> Result<(), DeliveryError> {
        let now = state.now_ms();
        let planned = match &state.grouping {
            Grouping::Coalesced(planner) if state.messages.len() < self.sink.window() => planner.due(),
            Grouping::Coalesced(_) | Grouping::PerEvent { .. } => None,
        };
        let wall = wall_clock();
        let retry = state
            .messages
            .iter()
            .map(|message| now + message.not_before.since(wall))
            .min();
        let retry = retry.filter(|_| state.closed.is_none());
        let idle = (state.delivered_through() > state.cursor).then_some(now + IDLE_CURSOR_MS);
        let due = [planned, retry, idle].into_iter().flatten().min();
        let due = due.map(|due| state.started + Duration::from_millis(due.max(now + 1)));
        tokio::select! {
            changed = state.feed.changed() => {
                if changed.is_err() {
                    // The project's thread has ended. The next read shows whether it was restarted.
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                }
            }
            () = sleep_until(due) => {}
            Ok(()) = self.resend.changed() => {
                state.closed = None;
                state.error = None;
                state.messages.extend(self.outbox.requeue_failed().await?);
                state.messages.sort_by_key(|message| message.seq);
                state.failed = 0;
                for message in &mut state.messages {
                    message.not_before = Millis(0);
                }
            }
        }
        Ok(())
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
