//! One lane: the task that carries one project's events to one destination.
//!
//! Each round does four things, each of which can be the last before a crash: read the feed, write
//! the lines that are due, attempt the first line, move the durable cursor. See the ledger
//! ([`super::spans`]) for why the cursor alone does not say what was told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_node::api::request::{Failure, Reply, Request};
use towline_node::api::types::FeedEvent;
use towline_node::handle::{NodeHandle, ProjectLink};
use towline_proto::Millis;

use super::outbox::{Body, Line, Outbox};
use super::plan::Preset;
use super::running::{Intake, Running, Shared};
use super::spans::Spans;
use super::status::{LaneStatus, StatusBoard};
use super::story::Chain;
use super::{Outcome, Sink};
use crate::http::wall_clock;
use crate::store::StoreError;
use crate::webhook::cloud_event;

/// Events that one request asks for.
const PAGE: usize = 500;
/// Pages that are read before anything else gets its turn.
const PAGES: usize = 8;
/// A cursor that only skipped events is written at most so often, in milliseconds.
const IDLE_CURSOR_MS: u64 = 5_000;
/// Wait before a project that does not answer is asked again, in milliseconds.
pub(super) const UNREACHABLE_MS: u64 = 1_000;
/// Lines that may be set aside in one lane; beyond it the lane waits, and the feed keeps the rest.
const PARKED: usize = 1_000;

/// Why a lane ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The gateway's own store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The name under which a node keeps a destination's cursor.
pub fn subscriber(destination: &str) -> String {
    format!("relay:{destination}")
}

/// One destination and one project.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) handle: NodeHandle,
    pub(super) project: ProjectLink,
    pub(super) destination: String,
    pub(super) preset: Preset,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    pub(super) board: Arc<StatusBoard>,
    pub(super) resend: watch::Receiver<u64>,
    pub(super) stop: CancellationToken,
}

impl Lane {
    pub(crate) fn new(
        shared: &Shared,
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
            board: Arc::clone(&shared.board),
            resend: shared.resend.clone(),
            stop: shared.stop.clone(),
        }
    }

    /// Runs until it is stopped or the store fails.
    pub(crate) async fn run(mut self) -> Result<(), LaneError> {
        let stop = self.stop.clone();
        // Whatever is under way when the gateway stops is done again after the next start.
        let result = stop.run_until_cancelled(self.carry()).await.unwrap_or(Ok(()));
        if let Err(error) = &result {
            tracing::error!(destination = self.destination, project = self.project.name, %error, "lane ended");
            self.board.set(LaneStatus {
                destination: self.destination.clone(),
                project: self.project.name.clone(),
                trouble: Some(error.to_string()),
                ..LaneStatus::default()
            });
        }
        result
    }

    async fn carry(&mut self) -> Result<(), LaneError> {
        let mut running = self.begin().await?;
        loop {
            let more = match self.read(&mut running).await {
                Ok(more) => more,
                Err(failure) => {
                    self.report(&running, Some(failure.to_string()));
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                    self.find_project(&mut running);
                    continue;
                }
            };
            self.call(&mut running);
            self.plan(&mut running).await?;
            let attempted = self.attempt(&mut running).await?;
            self.advance(&mut running).await;
            self.report(&running, running.trouble.clone());
            if !more && !attempted {
                self.wait(&mut running).await?;
            }
        }
    }

    /// Takes in what is new; says whether there is more.
    async fn read(&self, running: &mut Running) -> Result<bool, Failure> {
        running.feed.borrow_and_update();
        for _ in 0..PAGES {
            let room = match &running.intake {
                _ if running.parked >= PARKED || running.closed.is_some() => 0,
                Intake::Chat(_) => PAGE,
                Intake::Each { .. } => self.sink.window().saturating_sub(running.lines.len()),
            };
            if room == 0 {
                return Ok(false);
            }
            let request = Request::Events {
                after: running.read(),
                limit: room,
            };
            let events = match self.handle.request(&self.project.id, None, request).await? {
                Reply::Events(events) => events,
                _ => return Ok(false),
            };
            let now = running.now();
            let Running { intake, ledger, .. } = &mut *running;
            match intake {
                Intake::Chat(planner) if events.is_empty() => {
                    planner.caught_up(now);
                    return Ok(false);
                }
                Intake::Chat(planner) => {
                    for event in events {
                        planner.offer(now, wall_clock(), ledger.has(event.position), event);
                    }
                    ledger.settle(&planner.take_dropped());
                }
                Intake::Each { .. } if events.is_empty() => return Ok(false),
                Intake::Each { .. } => self.enqueue(running, events).await?,
            }
        }
        Ok(true)
    }

    /// Each event becomes a line of its own, in one write.
    async fn enqueue(&self, running: &mut Running, events: Vec<FeedEvent>) -> Result<(), Failure> {
        let mut ledger = running.ledger.clone();
        let mut read = running.read();
        let mut lines = Vec::new();
        for event in events {
            let mut spans = Spans::default();
            spans.insert(read + 1, event.position);
            read = event.position;
            if !ledger.has(event.position) && self.preset.wants(&event.event.what) {
                lines.push(Line {
                    seq: running.next_seq + lines.len() as u64,
                    transaction: event.event.id.to_string(),
                    body: Body::Event {
                        json: cloud_event(&self.project.name, &event),
                    },
                    spans: spans.clone(),
                    attempts: 0,
                    not_before: Millis(0),
                    trouble: None,
                });
            }
            ledger.settle(&spans);
        }
        if !lines.is_empty() {
            let failed = |error: StoreError| {
                Failure::new(
                    towline_node::api::request::FailureCode::Failure,
                    error.to_string(),
                )
            };
            self.outbox.plan(&ledger, &lines).await.map_err(failed)?;
        }
        running.next_seq += lines.len() as u64;
        running.lines.extend(lines);
        running.ledger = ledger;
        running.intake = Intake::Each { read };
        Ok(())
    }

    /// Writes the lines that are due, as far as the receiver is ready for them. What is not written
    /// yet still folds: a stage that is left again before its turn comes is never announced.
    async fn plan(&self, running: &mut Running) -> Result<(), LaneError> {
        let now = running.now();
        while running.lines.len() < self.sink.window() {
            let Intake::Chat(planner) = &mut running.intake else {
                return Ok(());
            };
            let Some(plan) = planner.take(now) else {
                return Ok(());
            };
            running.ledger.settle(&plan.spans);
            let Some(text) = plan.text else { continue };
            let line = Line {
                seq: running.next_seq,
                transaction: self.transaction(&plan.chain),
                body: Body::Text {
                    plain: text.plain,
                    html: text.html,
                },
                spans: plan.spans,
                attempts: 0,
                not_before: Millis(0),
                trouble: None,
            };
            self.outbox
                .plan(&running.ledger, std::slice::from_ref(&line))
                .await?;
            running.next_seq += 1;
            running.lines.push(line);
        }
        Ok(())
    }

    fn transaction(&self, chain: &Chain) -> String {
        chain.transaction(self.outbox.lane())
    }

    /// Attempts the first line whose time has come; says whether it left the outbox.
    async fn attempt(&self, running: &mut Running) -> Result<bool, LaneError> {
        let wall = wall_clock();
        if running.closed.is_some() {
            return Ok(false);
        }
        let Some(index) = running.lines.iter().position(|line| line.not_before <= wall) else {
            return Ok(false);
        };
        running.in_flight = true;
        self.report(running, running.trouble.clone());
        running.in_flight = false;
        let Some(line) = running.lines.get_mut(index) else {
            return Ok(false);
        };
        let (why, after) = match self.sink.deliver(line).await {
            Outcome::Delivered => {
                let line = running.lines.remove(index);
                self.outbox.done(&line).await?;
                running.trouble = None;
                running.fresh = true;
                running.last_delivery = Some(wall_clock());
                return Ok(true);
            }
            Outcome::Later { after, why } => {
                let backoff = self.sink.backoff(line.attempts + 1);
                (why, backoff.map(|backoff| backoff.max(after.unwrap_or_default())))
            }
            Outcome::Refused { why } => (why, None),
            Outcome::Gone { why } => {
                tracing::warn!(
                    destination = self.destination,
                    why,
                    "destination is gone; it gets nothing more"
                );
                running.closed = Some(why.clone());
                running.trouble = Some(why);
                return Ok(false);
            }
        };
        tracing::info!(
            destination = self.destination,
            attempts = line.attempts,
            why,
            "not delivered"
        );
        line.attempts = line.attempts.saturating_add(1);
        line.trouble = Some(why.clone());
        running.trouble = Some(why);
        match after {
            Some(after) => {
                let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                line.not_before = wall_clock().plus(after);
                // A chat line is tried again at once after a restart, so only its schedule in this
                // process matters; an endpoint's schedule goes over hours and is kept.
                if matches!(self.sink, Sink::Webhook(_)) {
                    self.outbox.update(line).await?;
                }
                Ok(false)
            }
            None => {
                let line = running.lines.remove(index);
                self.outbox.park(&line).await?;
                running.parked += 1;
                Ok(true)
            }
        }
    }

    /// Moves the node's cursor to what the receiver has accepted.
    async fn advance(&self, running: &mut Running) {
        let safe = running.safe();
        if safe <= running.cursor {
            return;
        }
        let now = running.now();
        if !running.fresh && now.saturating_sub(running.cursor_at) < IDLE_CURSOR_MS {
            return;
        }
        // A cursor that could not be written is written with the next line; the ledger knows.
        match self
            .handle
            .set_cursor(&self.project.id, &subscriber(&self.destination), safe)
            .await
        {
            Ok(()) => {
                running.cursor = safe;
                running.cursor_at = now;
                running.fresh = false;
            }
            Err(failure) => tracing::debug!(%failure, "cursor not written"),
        }
    }

    fn report(&self, running: &Running, trouble: Option<String>) {
        let head = *running.feed.borrow();
        self.board.set(LaneStatus {
            destination: self.destination.clone(),
            project: self.project.name.clone(),
            lag: head.saturating_sub(running.safe()),
            held_back: running.held_back(),
            outbox: running.lines.len(),
            in_flight: usize::from(running.in_flight),
            next_attempt: running.next_attempt(wall_clock()),
            parked: running.parked,
            last_delivery: running.last_delivery,
            trouble: running.closed.clone().or(trouble),
        });
    }

    async fn wait(&mut self, running: &mut Running) -> Result<(), LaneError> {
        let now = running.now();
        let planned = match &running.intake {
            Intake::Chat(planner) if running.lines.len() < self.sink.window() => planner.due(),
            Intake::Chat(_) | Intake::Each { .. } => None,
        };
        let wall = wall_clock();
        let retry = running
            .lines
            .iter()
            .map(|line| now + line.not_before.since(wall))
            .min();
        let retry = retry.filter(|_| running.closed.is_none());
        let idle = (running.safe() > running.cursor).then_some(now + IDLE_CURSOR_MS);
        let due = [planned, retry, idle].into_iter().flatten().min();
        let due = due.map(|due| running.started + Duration::from_millis(due.max(now + 1)));
        tokio::select! {
            changed = running.feed.changed() => {
                if changed.is_err() {
                    // The project's thread has ended; the next read says whether it came back.
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                }
            }
            () = sleep_until(due) => {}
            Ok(()) = self.resend.changed() => {
                running.closed = None;
                running.trouble = None;
                running.lines.extend(self.outbox.unpark().await?);
                running.lines.sort_by_key(|line| line.seq);
                running.parked = 0;
                for line in &mut running.lines {
                    line.not_before = Millis(0);
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
