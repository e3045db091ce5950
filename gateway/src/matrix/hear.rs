//! What is said in a room: commands are done, in turn with other gateways, and answered.
//!
//! Every command is noted as handled before it is acted upon, so a crash between the two repeats no
//! command. What arrives older than the limit (we were offline) is not executed. Nothing is heard in an
//! encrypted room, where nothing could be answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use towline_proto::{Millis, NodeId, Origin, OriginKind, ProjectId, RequestId};

use super::account::{AccountError, backoff};
use super::room::Room;
use super::said::{answers, command};
use super::sync::{Sync, retry_after};
use super::turns::TURN;
use super::wire::Event;
use crate::commands::{self, Answer, Context, Target};
use crate::http::wall_clock;
use crate::relay::escape;
use crate::store::StoreError;

/// Answers that wait to be sent, and messages that wait for their turn. Beyond it an answer is dropped:
/// the write itself has happened.
pub(super) const QUEUE: usize = 256;
/// Attempts to send an answer.
const ATTEMPTS: u32 = 6;
/// What the account of a gateway begins with in its presence.
const SERVICE: &str = "matrix ";
/// Other accounts of gateways that are remembered.
const ACCOUNTS: usize = 64;

/// Where what was heard goes on.
pub(super) struct Outlets {
    pub(super) answers: mpsc::Sender<Reply>,
    pub(super) waiting: mpsc::Sender<Waiting>,
}

/// An answer on its way.
pub(super) struct Reply {
    room: Arc<Room>,
    event: String,
    answer: Answer,
}

/// A message that waits for another gateway's answer.
pub(super) struct Waiting {
    heard: Heard,
    due: Instant,
    before: Vec<NodeId>,
    /// What to say if nobody answers; absent where the command is done then.
    say: Option<Answer>,
}

/// A command that was heard.
struct Heard {
    room: Arc<Room>,
    event: String,
    sender: String,
    text: String,
}

impl Sync {
    /// Says in every project under which account commands are taken here.
    pub(super) async fn announce(&self, user: Option<&str>) {
        let accounts: Vec<String> = user.iter().map(|user| format!("{SERVICE}{user}")).collect();
        for link in self.handle.projects() {
            if let Err(failure) = self.handle.announce(&link.id, accounts.clone()).await {
                tracing::debug!(project = link.name, %failure, "presence not told");
            }
        }
    }

    pub(super) async fn event(
        &self,
        room: &str,
        event: Event,
        now: Millis,
        out: &Outlets,
    ) -> Result<(), StoreError> {
        let me = self.account.user_id().await.unwrap_or_default();
        if let Some(answered) = answers(&event) {
            let known = event.sender == me || self.turns.is_gateway(&event.sender);
            self.turns.answered(&answered, known);
        }
        if event.sender == me {
            return Ok(());
        }
        if event.kind == "m.room.encryption" {
            self.rooms.room(room).await.became_encrypted().await;
            return Ok(());
        }
        let Some(text) = command(&event, &self.config.prefix, &me) else {
            return Ok(());
        };
        let heard = Heard {
            room: self.rooms.room(room).await,
            event: event.event_id,
            sender: event.sender,
            text,
        };
        // What cannot be looked up now is looked up again before anything is sent.
        if matches!(heard.room.is_encrypted().await, Ok(true)) || !self.store.first_time(&heard.event).await?
        {
            return Ok(());
        }
        let stale =
            now.since(Millis(event.origin_server_ts)) > self.config.stale_after_s.saturating_mul(1_000);
        if stale {
            // Another gateway may have been there: its answer comes right behind the message.
            let say =
                Answer::Error("I was offline when you sent this; repeat it if it still holds".to_owned());
            return self.wait(heard, Vec::new(), 1, Some(say), out).await;
        }
        let before = self.before(&heard, &me).await?;
        let turns = before.len();
        if commands::is_local(&heard.text) {
            // Each gateway keeps for itself what a room has set; one of them says so.
            let answer = self.perform(&heard).await?;
            return self.wait(heard, before, turns, Some(answer), out).await;
        }
        self.wait(heard, before, turns, None, out).await
    }

    /// Lets those before go first, or acts at once where nobody is.
    async fn wait(
        &self,
        heard: Heard,
        before: Vec<NodeId>,
        turns: usize,
        say: Option<Answer>,
        out: &Outlets,
    ) -> Result<(), StoreError> {
        let any = say.is_some() && before.is_empty();
        if turns == 0 || !self.turns.wait_for(&heard.event, any) {
            let answer = match say {
                Some(answer) => answer,
                None => self.perform(&heard).await?,
            };
            reply(heard, answer, &out.answers);
            return Ok(());
        }
        tracing::info!(
            event = heard.event,
            before = before.len(),
            "another gateway may answer first"
        );
        let due = Instant::now() + TURN * u32::try_from(turns).unwrap_or(u32::MAX).min(12);
        let waiting = Waiting {
            heard,
            due,
            before,
            say,
        };
        if out.waiting.try_send(waiting).is_err() {
            tracing::warn!("too many messages wait for other gateways; one is left to them");
        }
        Ok(())
    }

    /// The gateways that are in the room, take commands for the project of this one, and go before us.
    async fn before(&self, heard: &Heard, me: &str) -> Result<Vec<NodeId>, StoreError> {
        let context = self.context(heard)?;
        let (projects, last): (Vec<ProjectId>, bool) =
            match commands::target(&self.handle, &context, &heard.text) {
                Target::Project(id) => (vec![id], false),
                Target::None => (self.all_projects(), false),
                // Another gateway may know what is meant.
                Target::Unknown => (self.all_projects(), true),
            };
        let mut others: Vec<(NodeId, String)> = Vec::new();
        for project in projects {
            // A project that does not answer has no presence to tell either.
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
        self.turns
            .gateways(others.iter().map(|(_, user)| user.clone()).take(ACCOUNTS));
        if let Ok(members) = heard.room.members().await {
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
            .turns
            .before(Instant::now(), &heard.room.id, self.handle.me(), &others))
    }

    fn all_projects(&self) -> Vec<ProjectId> {
        self.handle.projects().into_iter().map(|link| link.id).collect()
    }

    /// Goes on with messages that nobody else has answered in time.
    pub(super) async fn follow(
        &self,
        mut queue: mpsc::Receiver<Waiting>,
        answers: &mpsc::Sender<Reply>,
    ) -> Result<(), StoreError> {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            let due = waiting.iter().map(|one| one.due).min();
            let next = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                one = queue.recv() => match one {
                    Some(one) => waiting.push(one),
                    None => return Ok(()),
                },
                () = next => {
                    let now = Instant::now();
                    let late: Vec<Waiting> = waiting.extract_if(.., |one| one.due <= now).collect();
                    for one in late {
                        if self.turns.was_answered(now, &one.heard.event, &one.before) {
                            tracing::info!(event = one.heard.event, "another gateway has answered");
                            continue;
                        }
                        let answer = match one.say {
                            Some(answer) => answer,
                            None => self.perform(&one.heard).await?,
                        };
                        reply(one.heard, answer, answers);
                    }
                }
            }
        }
    }

    fn context(&self, heard: &Heard) -> Result<Context, StoreError> {
        // A user id that cannot be recorded is told so when the command is done.
        let origin = Origin::new(OriginKind::User, &heard.sender).unwrap_or(Origin {
            kind: OriginKind::User,
            id: String::new(),
        });
        let room = &heard.room.id;
        let configured = self
            .config
            .rooms
            .iter()
            .find(|configured| configured.room == *room);
        let active = match self.store.state(&format!("active {room}"))? {
            Some(active) => Some(active),
            None => configured.and_then(|room| room.active.clone()),
        };
        Ok(Context {
            origin,
            level: self.config.level(&heard.sender),
            active,
            prefix: self.config.prefix.clone(),
            request: Some(RequestId::derive(&format!("{SERVICE}{room}"), &heard.event)),
        })
    }

    async fn perform(&self, heard: &Heard) -> Result<Answer, StoreError> {
        let context = self.context(heard)?;
        if context.origin.check().is_err() {
            return Ok(Answer::Error("your user id cannot be recorded".to_owned()));
        }
        let answer = commands::run(&self.handle, &context, &heard.text).await;
        match &answer {
            Answer::Switch(project) => {
                let name = format!("active {}", heard.room.id);
                self.store.set_state(&name, project).await?;
            }
            Answer::Mute(span) => {
                let until =
                    span.map(|span| wall_clock().plus(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
                heard.room.mute(until).await?;
                // What waited for the end of it goes out now.
                self.resend.send_modify(|count| *count = count.wrapping_add(1));
            }
            Answer::Resend => self.resend.send_modify(|count| *count = count.wrapping_add(1)),
            Answer::RelayStatus => {
                let status = self.board.status(wall_clock());
                let lanes: Vec<_> = status.lanes.iter().map(ToString::to_string).collect();
                let lines = match lanes.is_empty() {
                    true => "nothing is relayed".to_owned(),
                    false => lanes.join("\n"),
                };
                return Ok(Answer::Say(lines));
            }
            Answer::Done | Answer::Say(_) | Answer::Error(_) => {}
        }
        Ok(answer)
    }
}

fn reply(heard: Heard, answer: Answer, answers: &mpsc::Sender<Reply>) {
    let Heard { room, event, .. } = heard;
    let id = room.id.clone();
    if answers.try_send(Reply { room, event, answer }).is_err() {
        tracing::warn!(room = id, "too many answers wait; one is dropped");
    }
}

/// Sends answers in the order of their commands. They are a courtesy: after a few attempts one is
/// given up, and what it would have said stands in the project.
pub(super) async fn answer(mut queue: mpsc::Receiver<Reply>) {
    while let Some(Reply { room, event, answer }) = queue.recv().await {
        let transaction = format!("towline-answer-{}", event.trim_start_matches('$'));
        for attempt in 0..ATTEMPTS {
            let sent = match &answer {
                Answer::Say(text) | Answer::Error(text) => {
                    let html = escape(text).replace('\n', "<br>");
                    room.answer(&event, &transaction, text, &html).await
                }
                Answer::Done | Answer::Switch(_) | Answer::Mute(_) | Answer::Resend | Answer::RelayStatus => {
                    room.react(&event, "✅").await
                }
            };
            let Err(error) = sent else { break };
            if matches!(error, AccountError::Encrypted(_)) {
                break;
            }
            let wait = retry_after(&error).unwrap_or_default().max(backoff(attempt));
            tracing::info!(room = room.id, %error, "answer not sent");
            tokio::time::sleep(wait.min(Duration::from_secs(60))).await;
        }
    }
}
