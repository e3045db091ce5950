//! Joining a project by a ticket, so that it can be cut short at any moment and made again.
//!
//! In this order: where the inviter may be is kept; the ticket is shown; where the others may be is kept; the
//! project's folder is made beside its place and moved there when it is whole. Whatever was reached, joining
//! again with the same ticket goes on from there: the inviter says welcome again to a node that it has let
//! in, and a project that is here already is only filled.

use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use towline_proto::wire::JoinReply;
use towline_proto::{Entry, NodeId, Ticket, limits};

use super::{Node, failed, open_project, options, peers_file};
use crate::api::request::{Failure, FailureCode, Reply, Request};
use crate::handle::ProjectLink;
use crate::home::{Home, ProjectHome};
use crate::project::Project;

/// How often a joining command looks whether everything has come, in milliseconds.
const JOIN_POLL_MS: u64 = 50;

/// Makes the folder of a project from its first entry, and its place among the node's projects.
/// `introduced` are the nodes that the inviter named, itself among them.
pub(super) fn adopt_project(
    home: &Home,
    key: &SigningKey,
    genesis: &Entry,
    name: &str,
    introduced: &[NodeId],
) -> Result<ProjectHome, Failure> {
    let place = home.make_project(genesis.project(), name)?;
    place.introduce(introduced)?;
    // A version that made folders in place may have been killed before this one was whole.
    let began = place.log_dir().is_dir();
    let made = if began {
        Project::open(options(&place, key), genesis.project())
    } else {
        Project::create(options(&place, key), genesis)
    };
    made.map_err(|error| failed(format!("{error:#}")))?.close();
    Ok(place.register()?)
}

impl Node {
    /// Joins a project by a ticket and starts it. What the project holds comes by catch-up behind
    /// this call. A project that this ticket led to before, in a call that was cut short, is only filled.
    ///
    /// # Errors
    /// When this node is a member of the project by another ticket, the inviter cannot be reached, or it does
    /// not let this node in.
    pub async fn join(&self, ticket: &Ticket) -> Result<ProjectLink, Failure> {
        let _turn = self.joins.lock().await;
        let addresses = || {
            ticket
                .addresses
                .iter()
                .take(limits::TICKET_ADDRESSES)
                .cloned()
                .collect()
        };
        self.net.note(&[(ticket.inviter, addresses())]);
        peers_file::write(&self.home, &self.net);
        let here = self
            .handle
            .projects()
            .into_iter()
            .find(|link| link.id == ticket.project);
        if let Some(link) = here {
            self.check_ticket_is_for_us(&link, ticket).await?;
            self.net.dial(ticket.inviter, addresses()).await;
            return Ok(link);
        }
        let reply = self.net.join(ticket, &self.name).await;
        let reply = reply.map_err(|error| Failure::new(FailureCode::Unreachable, error.to_string()))?;
        let (genesis, peers) = match reply {
            JoinReply::Welcome { genesis, peers } => (genesis, peers),
            JoinReply::Refused { why } => {
                let why = towline_proto::text::show(&why, 400);
                return Err(Failure::new(
                    FailureCode::NotAllowed,
                    format!("cannot join: {why}"),
                ));
            }
        };
        let genesis = Entry::decode(genesis.0).map_err(failed)?;
        if genesis.project() != ticket.project {
            let message =
                "the inviter answered with a different project than the ticket names; the node did not join";
            return Err(Failure::new(FailureCode::NotAllowed, message));
        }
        self.net.note(&peers);
        peers_file::write(&self.home, &self.net);
        let mut introduced: Vec<NodeId> = peers.iter().map(|(node, _)| *node).collect();
        introduced.truncate(limits::WELCOME_PEERS);
        introduced.push(ticket.inviter);
        let (home, key, name) = (self.home.clone(), self.key.clone(), ticket.name.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let place = adopt_project(&home, &key, &genesis, &name, &introduced)?;
            open_project(&place, &key)
        });
        let link = self.start_project(opened.await.map_err(failed)??)?;
        self.net.dial(ticket.inviter, addresses()).await;
        Ok(link)
    }

    /// Refuses a ticket for a project that is here unless it is the one that led to it: another could let
    /// another node in, and is not spent for nothing.
    async fn check_ticket_is_for_us(&self, link: &ProjectLink, ticket: &Ticket) -> Result<(), Failure> {
        let members = self.handle.request(&link.id, None, Request::Members).await?;
        // Before everything has come this node does not know itself as a member: the join goes on. Once it
        // does, it knows the ticket, too: whoever let it in wrote that before.
        let member = matches!(&members, Reply::Members(members) if members.iter().any(|member| member.me));
        if member && !self.handle.spent(&link.id, ticket.secret.hash()).await? {
            return Err(Failure::new(
                FailureCode::Usage,
                format!(
                    "this node is already a member of {}; the ticket was not used",
                    ticket.name
                ),
            ));
        }
        Ok(())
    }

    /// Joins and stays until the inviter and this node hold the same, or the time is over: being a
    /// member is not undone by a slow line. Answers with the project's status.
    ///
    /// # Errors
    /// As [`Node::join`].
    pub async fn join_and_wait(&self, ticket: &Ticket, patience: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + patience;
        let link = self.join(ticket).await?;
        let ask = |request| self.handle.request(&link.id, None, request);
        loop {
            match ask(Request::SyncStatus).await? {
                Reply::Synced { peers, equal } if peers > 0 && peers == equal => break,
                _ if Instant::now() >= deadline => {
                    tracing::warn!("the project is not complete yet; a running node fetches the rest");
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(JOIN_POLL_MS)).await,
            }
        }
        ask(Request::Status).await
    }
}
