//! Where a delivery resumes: at its stored position, or at the end of the feed if it is new.

use std::time::Duration;

use tokio::time::Instant;
use towline_api::request::{Failure, Query, Reply, Request};

use super::Sink;
use super::acked_ranges::{AckedPositions, PositionRanges};
use super::delivery::{Delivery, DeliveryError, UNREACHABLE_MS, subscriber};
use super::delivery_state::{DeliveryState, Grouping};
use super::plan::Planner;

impl Delivery {
    /// Loads the state of the delivery: from the outbox and the node's cursor, or, for a new destination,
    /// from the end of the feed, because past events are not sent to it.
    pub(super) async fn resume(&mut self) -> Result<DeliveryState, DeliveryError> {
        let stored = self.outbox.load()?;
        let (head, cursor) = loop {
            match self.head_and_cursor().await {
                Ok(found) => break found,
                Err(failure) => {
                    tracing::debug!(project = self.project.name, %failure, "the project does not answer yet");
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                }
            }
        };
        let known = match (&stored.acked, cursor) {
            (None, None) => None,
            (acked, cursor) => {
                let mut acked = acked.clone().unwrap_or_default();
                let mut before = PositionRanges::default();
                before.insert(0, cursor.unwrap_or(0));
                acked.ack(&before);
                Some(acked)
            }
        };
        let acked = match known {
            Some(acked) if acked.through <= head => acked,
            // A store that was rebuilt or restored numbers its feed again from the start. Its events were
            // delivered before.
            Some(_) | None => {
                let acked = AckedPositions::new(head);
                self.outbox.enqueue(&acked, &[]).await?;
                acked
            }
        };
        let grouping = match self.sink {
            Sink::Matrix(_) => Grouping::Coalesced(Box::new(Planner::new(
                &self.project.name,
                self.preset,
                acked.through,
                head,
            ))),
            Sink::Webhook(_) => Grouping::PerEvent { read: acked.through },
        };
        Ok(DeliveryState {
            feed: self.project.feed.clone(),
            grouping,
            acked,
            messages: stored.messages,
            in_flight: false,
            next_seq: stored.next_seq,
            failed: stored.failed,
            cursor: cursor.unwrap_or(0),
            cursor_written_ms: 0,
            delivered_since_cursor: false,
            closed: None,
            error: None,
            last_delivery: None,
            started: Instant::now(),
        })
    }

    async fn head_and_cursor(&self) -> Result<(u64, Option<u64>), Failure> {
        let cursor = self
            .handle
            .cursor(&self.project.id, &subscriber(&self.destination))
            .await?;
        let mut head = *self.project.feed.borrow();
        if let Reply::Status(status) = self
            .handle
            .request(&self.project.id, None, Request::Query(Query::Status))
            .await?
        {
            head = head.max(status.last_event.map_or(0, |event| event.position));
        }
        Ok((head, cursor))
    }

    /// Updates the project's name: it is longer while another project of the same name exists.
    pub(super) fn update_project_name(&mut self, state: &mut DeliveryState) {
        let links = self.handle.projects();
        if let Some(link) = links.into_iter().find(|link| link.id == self.project.id) {
            if link.name != self.project.name {
                self.registry.remove(&self.destination, &self.project.name);
            }
            self.project.name = link.name;
        }
        if let Grouping::Coalesced(planner) = &mut state.grouping {
            let hint = format!(
                "`{}list {}/` lists all",
                self.sink.command_prefix(),
                self.project.name
            );
            planner.set_project(&self.project.name, hint);
        }
    }

    /// Gets the project's current link: the project may have been reopened, with a new queue and feed.
    pub(super) fn refresh_project_link(&mut self, state: &mut DeliveryState) {
        if let Some(link) = self
            .handle
            .projects()
            .into_iter()
            .find(|link| link.id == self.project.id)
        {
            state.feed = link.feed.clone();
            self.project = link;
        }
    }
}
