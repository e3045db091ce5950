//! Handles the events of a room: executes commands, coordinated with other gateways, and responds to them.
//!
//! Each command is recorded as handled before it is executed, so a crash between the two repeats no command.
//! A command older than the limit, because the gateway was offline, is not executed. Commands in an encrypted
//! room are ignored, because no response could be sent there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use towline_proto::{Millis, NodeId, Origin, OriginKind, ProjectId, RequestId};

use super::account::{AccountError, backoff};
use super::extract::{command, responded_message};
use super::responder_order::RESPONSE_TIMEOUT;
use super::room::Room;
use super::sync::{RoomSync, retry_after};
use super::wire::RoomEvent;
use crate::commands::{self, CommandContext, CommandResponse, CommandTarget};
use crate::http::wall_clock;
use crate::relay::escape_html;
use crate::store::StoreError;

/// Maximum number of responses that wait to be sent, and of commands that wait for another gateway. Further
/// responses are dropped; their commands were executed.
pub(super) const QUEUE: usize = 256;
/// Maximum number of attempts to send a response.
const ATTEMPTS: u32 = 6;
/// The prefix of a Matrix account in a gateway's presence.
const SERVICE: &str = "matrix ";
/// Maximum number of accounts of other gateways that are recorded for one command.
const ACCOUNTS: usize = 64;

/// The queues of the tasks that handle commands later.
pub(super) struct CommandQueues {
    pub(super) responses: mpsc::Sender<QueuedResponse>,
    pub(super) deferred: mpsc::Sender<DeferredCommand>,
}

/// A response that waits to be sent.
pub(super) struct QueuedResponse {
    room: Arc<Room>,
    event: String,
    response: CommandResponse,
}

/// A command that waits for the response of another gateway.
pub(super) struct DeferredCommand {
    command: IncomingCommand,
    due: Instant,
    ahead: Vec<NodeId>,
    /// What to respond if no other gateway does. If absent, the command is executed then.
    response: Option<CommandResponse>,
}

/// A command that was read from a room.
struct IncomingCommand {
    room: Arc<Room>,
    event: String,
    sender: String,
    text: String,
}

impl RoomSync {
    /// Announces in the presence of every project the account that accepts commands.
    pub(super) async fn announce_account(&self, user: Option<&str>) {
        let accounts: Vec<String> = user.iter().map(|user| format!("{SERVICE}{user}")).collect();
        for link in self.handle.projects() {
            if let Err(failure) = self.handle.announce(&link.id, accounts.clone()).await {
                tracing::debug!(project = link.name, %failure, "cannot announce the chat account");
            }
        }
    }

    /// Handles an event of a room.
    pub(super) async fn handle_event(
        &self,
        room: &str,
        event: RoomEvent,
        now: Millis,
        queues: &CommandQueues,
    ) -> Result<(), StoreError> {
        let me = self.account.user_id().await.unwrap_or_default();
        if let Some(message) = responded_message(&event) {
            let is_gateway = event.sender == me || self.order.is_gateway(&event.sender);
            self.order.record_response(&message, is_gateway);
        }
        if event.sender == me {
            return Ok(());
        }
        if event.kind == "m.room.encryption" {
            self.rooms.room(room).await.mark_encrypted().await;
            return Ok(());
        }
        let Some(text) = command(&event, &self.config.prefix, &me) else {
            return Ok(());
        };
        let command = IncomingCommand {
            room: self.rooms.room(room).await,
            event: event.event_id,
            sender: event.sender,
            text,
        };
        // If this check fails now, it is repeated before anything is sent.
        let encrypted = matches!(command.room.is_encrypted().await, Ok(true));
        if encrypted || !self.store.record_handled(&command.event).await? {
            return Ok(());
        }
        let stale =
            now.since(Millis(event.origin_server_ts)) > self.config.stale_after_s.saturating_mul(1_000);
        if stale {
            // Another gateway may have been online. Its response follows the message.
            let response = CommandResponse::Error(
                "I was offline when you sent this; repeat it if it is still needed".to_owned(),
            );
            return self
                .run_or_defer(command, Vec::new(), 1, Some(response), queues)
                .await;
        }
        let ahead = self.gateways_ahead(&command, &me).await?;
        let rank = ahead.len();
        if commands::is_local(&command.text) {
            // Each gateway stores the settings of a room itself, and one of them responds.
            let response = self.execute(&command).await?;
            return self
                .run_or_defer(command, ahead, rank, Some(response), queues)
                .await;
        }
        self.run_or_defer(command, ahead, rank, None, queues).await
    }

    /// Defers a command until the gateways before this one had time to respond, or executes it immediately if
    /// there are none.
    async fn run_or_defer(
        &self,
        command: IncomingCommand,
        ahead: Vec<NodeId>,
        rank: usize,
        response: Option<CommandResponse>,
        queues: &CommandQueues,
    ) -> Result<(), StoreError> {
        let from_anybody = response.is_some() && ahead.is_empty();
        if rank == 0 || !self.order.expect_response(&command.event, from_anybody) {
            let response = match response {
                Some(response) => response,
                None => self.execute(&command).await?,
            };
            queue_response(command, response, &queues.responses);
            return Ok(());
        }
        tracing::info!(
            event = command.event,
            ahead = ahead.len(),
            "another gateway may answer first"
        );
        let due = Instant::now() + RESPONSE_TIMEOUT * u32::try_from(rank).unwrap_or(u32::MAX).min(12);
        let deferred = DeferredCommand {
            command,
            due,
            ahead,
            response,
        };
        if queues.deferred.try_send(deferred).is_err() {
            tracing::warn!("too many commands wait for other gateways; one is left to them");
        }
        Ok(())
    }

    /// The gateways before this one: they are in the room and accept commands for the same project.
    async fn gateways_ahead(&self, command: &IncomingCommand, me: &str) -> Result<Vec<NodeId>, StoreError> {
        let context = self.context(command)?;
        let (projects, last): (Vec<ProjectId>, bool) =
            match commands::target(&self.handle, &context, &command.text) {
                CommandTarget::Project(id) => (vec![id], false),
                CommandTarget::None => (self.all_projects(), false),
                // Another gateway may know the project, so this one is the last.
                CommandTarget::Unknown => (self.all_projects(), true),
            };
        let mut others: Vec<(NodeId, String)> = Vec::new();
        for project in projects {
            // If a project does not answer, its presence is not known.
            for (node, accounts) in self.handle.gateways(&project).await.unwrap_or_default() {
                let users = accounts
                    .iter()
                    .filter_map(|account| account.strip_prefix(SERVICE));
                others.extend(users.map(|user| (node, user.to_owned())));
            }
        }
        if others.is_empty() {
            return Ok(Vec::new());
        }
        self.order
            .record_accounts(others.iter().map(|(_, user)| user.clone()).take(ACCOUNTS));
        if let Ok(members) = command.room.members().await {
            others.retain(|(_, user)| user == me || members.contains(user));
        }
        let others: BTreeSet<NodeId> = others.into_iter().map(|(node, _)| node).collect();
        let others: BTreeSet<NodeId> = others
            .into_iter()
            .filter(|node| *node != self.handle.me())
            .collect();
        if last {
            return Ok(others.into_iter().collect());
        }
        Ok(self
            .order
            .ahead_of(Instant::now(), &command.room.id, self.handle.me(), &others))
    }

    fn all_projects(&self) -> Vec<ProjectId> {
        self.handle.projects().into_iter().map(|link| link.id).collect()
    }

    /// Executes deferred commands to which no other gateway responded in time.
    pub(super) async fn run_deferred(
        &self,
        mut queue: mpsc::Receiver<DeferredCommand>,
        responses: &mpsc::Sender<QueuedResponse>,
    ) -> Result<(), StoreError> {
        let mut deferred: Vec<DeferredCommand> = Vec::new();
        loop {
            let due = deferred.iter().map(|one| one.due).min();
            let next = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                one = queue.recv() => match one {
                    Some(one) => deferred.push(one),
                    None => return Ok(()),
                },
                () = next => {
                    let now = Instant::now();
                    let expired: Vec<DeferredCommand> = deferred.extract_if(.., |one| one.due <= now).collect();
                    for one in expired {
                        if self.order.take_response(now, &one.command.event, &one.ahead) {
                            tracing::info!(event = one.command.event, "another gateway has answered");
                            continue;
                        }
                        let response = match one.response {
                            Some(response) => response,
                            None => self.execute(&one.command).await?,
                        };
                        queue_response(one.command, response, responses);
                    }
                }
            }
        }
    }

    fn context(&self, command: &IncomingCommand) -> Result<CommandContext, StoreError> {
        // An invalid user id is reported when the command is executed.
        let origin = Origin::new(OriginKind::User, &command.sender).unwrap_or(Origin {
            kind: OriginKind::User,
            id: String::new(),
        });
        let room = &command.room.id;
        let configured = self
            .config
            .rooms
            .iter()
            .find(|configured| configured.room == *room);
        let active = match self.store.state(&format!("active {room}"))? {
            Some(active) => Some(active),
            None => configured.and_then(|room| room.active.clone()),
        };
        Ok(CommandContext {
            origin,
            role: self.config.role(&command.sender),
            active,
            prefix: self.config.prefix.clone(),
            request: Some(RequestId::derive(&format!("{SERVICE}{room}"), &command.event)),
        })
    }

    async fn execute(&self, command: &IncomingCommand) -> Result<CommandResponse, StoreError> {
        let context = self.context(command)?;
        if context.origin.check().is_err() {
            let error = "your user id cannot be recorded as the author of a change";
            return Ok(CommandResponse::Error(error.to_owned()));
        }
        let response = commands::run(&self.handle, &context, &command.text).await;
        match &response {
            CommandResponse::Switch(project) => {
                let name = format!("active {}", command.room.id);
                self.store.set_state(&name, project).await?;
            }
            CommandResponse::Mute(time) => {
                let until =
                    time.map(|time| wall_clock().plus(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
                command.room.mute(until).await?;
                // Messages that wait for the end of a mute are sent now.
                self.resend.send_modify(|count| *count = count.wrapping_add(1));
            }
            CommandResponse::Resend => self.resend.send_modify(|count| *count = count.wrapping_add(1)),
            CommandResponse::RelayStatus => {
                let deliveries = self.registry.deliveries();
                let lines: Vec<_> = deliveries.iter().map(ToString::to_string).collect();
                let text = match lines.is_empty() {
                    true => "nothing is relayed".to_owned(),
                    false => lines.join("\n"),
                };
                return Ok(CommandResponse::Text(text));
            }
            CommandResponse::Done | CommandResponse::Text(_) | CommandResponse::Error(_) => {}
        }
        Ok(response)
    }
}

fn queue_response(
    command: IncomingCommand,
    response: CommandResponse,
    responses: &mpsc::Sender<QueuedResponse>,
) {
    let IncomingCommand { room, event, .. } = command;
    let id = room.id.clone();
    let queued = QueuedResponse {
        room,
        event,
        response,
    };
    if responses.try_send(queued).is_err() {
        tracing::warn!(room = id, "too many responses wait to be sent; one is dropped");
    }
}

/// Sends responses in the order of their commands. After a few failed attempts a response is dropped; its
/// command was executed.
pub(super) async fn send_responses(mut queue: mpsc::Receiver<QueuedResponse>) {
    while let Some(QueuedResponse {
        room,
        event,
        response,
    }) = queue.recv().await
    {
        let transaction = format!("towline-answer-{}", event.trim_start_matches('$'));
        for attempt in 0..ATTEMPTS {
            let sent = match &response {
                CommandResponse::Text(text) | CommandResponse::Error(text) => {
                    let html = escape_html(text).replace('\n', "<br>");
                    room.reply(&event, &transaction, text, &html).await
                }
                CommandResponse::Done
                | CommandResponse::Switch(_)
                | CommandResponse::Mute(_)
                | CommandResponse::Resend
                | CommandResponse::RelayStatus => room.react(&event, "✅").await,
            };
            let Err(error) = sent else { break };
            if matches!(error, AccountError::Encrypted(_)) {
                break;
            }
            let wait = retry_after(&error).unwrap_or_default().max(backoff(attempt));
            tracing::info!(room = room.id, %error, "cannot send a response");
            tokio::time::sleep(wait.min(Duration::from_secs(60))).await;
        }
    }
}
