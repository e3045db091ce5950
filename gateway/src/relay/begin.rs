//! Where a lane begins: where it left off, or at the end of the feed when it is new.

use std::time::Duration;

use tokio::time::Instant;
use towline_node::api::request::{Failure, Reply, Request};

use super::Sink;
use super::lane::{Lane, LaneError, UNREACHABLE_MS, subscriber};
use super::plan::Planner;
use super::running::{Intake, Running};
use super::spans::{Ledger, Spans};

impl Lane {
    /// Finds out where to begin: where the ledger or the node's cursor stands, or, for a new
    /// destination, at the end of the feed, because nobody asked for the past.
    pub(super) async fn begin(&mut self) -> Result<Running, LaneError> {
        let opened = self.outbox.open()?;
        let (head, cursor) = loop {
            match self.head_and_cursor().await {
                Ok(found) => break found,
                Err(failure) => {
                    tracing::debug!(project = self.project.name, %failure, "project does not answer yet");
                    tokio::time::sleep(Duration::from_millis(UNREACHABLE_MS)).await;
                }
            }
        };
        let known = match (&opened.ledger, cursor) {
            (None, None) => None,
            (ledger, cursor) => {
                let mut ledger = ledger.clone().unwrap_or_default();
                let mut before = Spans::default();
                before.insert(0, cursor.unwrap_or(0));
                ledger.settle(&before);
                Some(ledger)
            }
        };
        let ledger = match known {
            Some(ledger) if ledger.through <= head => ledger,
            // A store that was rebuilt or restored counts its feed anew; what was told is told.
            Some(_) | None => {
                let ledger = Ledger::new(head);
                self.outbox.plan(&ledger, &[]).await?;
                ledger
            }
        };
        let intake = match self.sink {
            Sink::Matrix(_) => Intake::Chat(Box::new(Planner::new(
                &self.project.name,
                self.preset,
                ledger.through,
                head,
            ))),
            Sink::Webhook(_) => Intake::Each { read: ledger.through },
        };
        Ok(Running {
            feed: self.project.feed.clone(),
            intake,
            ledger,
            lines: opened.lines,
            in_flight: false,
            next_seq: opened.next_seq,
            parked: opened.parked,
            cursor: cursor.unwrap_or(0),
            cursor_at: 0,
            fresh: false,
            closed: None,
            trouble: None,
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
            .request(&self.project.id, None, Request::Status)
            .await?
        {
            head = head.max(status.last_event.map_or(0, |event| event.position));
        }
        Ok((head, cursor))
    }

    /// Another project of the same name may have come or gone, and with it what this one is called.
    pub(super) fn call(&mut self, running: &mut Running) {
        let links = self.handle.projects();
        if let Some(link) = links.into_iter().find(|link| link.id == self.project.id) {
            if link.name != self.project.name {
                self.board.forget(&self.destination, &self.project.name);
            }
            self.project.name = link.name;
        }
        if let Intake::Chat(planner) = &mut running.intake {
            let see = format!("`{}list {}/` shows all", self.sink.prefix(), self.project.name);
            planner.call(&self.project.name, see);
        }
    }

    /// The project may have been opened anew, with another queue and another feed.
    pub(super) fn find_project(&mut self, running: &mut Running) {
        if let Some(link) = self
            .handle
            .projects()
            .into_iter()
            .find(|link| link.id == self.project.id)
        {
            running.feed = link.feed.clone();
            self.project = link;
        }
    }
}
