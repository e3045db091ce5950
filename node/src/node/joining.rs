//! Joins a project by a ticket. A join can be interrupted at any moment and repeated.
//!
//! The order is: store the inviter's addresses; send the ticket; store the other members' addresses; build
//! the project's folder beside its place and move it there when it is complete. Whatever was reached, joining
//! again with the same ticket continues from there: the inviter repeats its welcome to a node that it has
//! admitted, and a project that exists already is only filled.

use std::time::{Duration, Instant};

use towline_api::request::{Administration, Failure, FailureCode, Query, Reply, Request};
use towline_engine::handle::ProjectLink;
use towline_engine::in_home::{adopt_project, open_project};
use towline_proto::wire::JoinReply;
use towline_proto::{Entry, NodeId, Ticket, limits};

use super::{Node, failed, peers_file};

/// The interval between checks whether everything has arrived, in milliseconds.
const JOIN_POLL_MS: u64 = 50;

impl Node {
    /// Joins a project by a ticket and starts it. Its contents arrive by catch-up after this call. A project
    /// that an interrupted call with this ticket has created is only filled.
    ///
    /// # Errors
    /// When this node is a member by another ticket, the inviter cannot be reached, or it refuses this node.
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

    /// For a project that exists here, refuses any ticket but the one that this node joined with: another one
    /// could admit another node and must not be spent for nothing.
    async fn check_ticket_is_for_us(&self, link: &ProjectLink, ticket: &Ticket) -> Result<(), Failure> {
        let members = self
            .handle
            .request(&link.id, None, Request::Query(Query::Members))
            .await?;
        // Before everything has arrived this node does not know that it is a member: the join continues. Once
        // it knows, it also knows the ticket, which its inviter's log contains.
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

    /// Joins and waits until this node is in sync with the inviter or the time is over: a slow connection
    /// does not undo the membership. Returns the project's status.
    ///
    /// # Errors
    /// As [`Node::join`].
    pub async fn join_and_wait(&self, ticket: &Ticket, patience: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + patience;
        let link = self.join(ticket).await?;
        let ask = |request| self.handle.request(&link.id, None, request);
        loop {
            match ask(Request::Administration(Administration::SyncStatus)).await? {
                Reply::Synced { peers, equal } if peers > 0 && peers == equal => break,
                _ if Instant::now() >= deadline => {
                    tracing::warn!("the project is not complete yet; a running node fetches the rest");
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(JOIN_POLL_MS)).await,
            }
        }
        ask(Request::Query(Query::Status)).await
    }
}
