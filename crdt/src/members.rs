//! Who may do what: the membership log folded from the genesis entry.
//!
//! Only owners change the membership and only a ticket's own author admits by it, so what the log
//! says does not depend on the order in which concurrent entries arrived. A replica feeds entries in
//! an order in which each comes behind the membership heads it names; authority is decided from them
//! alone, never by a node's private setting (replication spec, *Identity and membership*). Nothing is
//! refused because of an entry that its author had not seen: two owners who let one node in, or one
//! who was restored from a backup and used a ticket again, would otherwise have logs that some replicas
//! follow and others do not, for good. That a ticket works once is its inviter's to keep.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::member::{Genesis, TicketHash};
use towline_proto::{Entry, EntryHash, MemberAct, Millis, NodeId, Payload, Role, limits, text};

use crate::doc::NodePrefix;

/// What the fold asks about a signer.
pub trait Roles {
    /// The role of a node; `None` for one that is not a member.
    fn role(&self, node: NodePrefix) -> Option<Role>;
    /// The whole id of a node.
    fn node(&self, node: NodePrefix) -> Option<NodeId>;
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Since when, by the admitting author's clock.
    pub at: Millis,
}

impl Member {
    /// Let in twice, by owners who did not know of each other: the same on every replica, whichever
    /// comes first. A role only grows, so what was admitted stays admissible.
    fn merge(&mut self, other: &Self) {
        self.role = self.role.max(other.role);
        self.at = self.at.min(other.at);
        if other.name < self.name {
            self.name.clone_from(&other.name);
        }
    }
}

/// A ticket that somebody handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Whose ticket it is.
    pub inviter: NodeId,
    /// What it lets do.
    pub role: Role,
    /// Until when.
    pub expires: Millis,
    /// Whether it was used or withdrawn.
    pub spent: bool,
}

/// The membership of one project.
#[derive(Debug, Clone)]
pub struct Membership {
    name: String,
    members: BTreeMap<NodePrefix, Member>,
    invitations: BTreeMap<TicketHash, Invitation>,
    known: BTreeMap<EntryHash, Known>,
    heads: BTreeSet<EntryHash>,
    /// By whose entries each member is one.
    grants: BTreeMap<NodePrefix, Vec<Grant>>,
}

/// A membership entry that was taken.
#[derive(Debug, Clone)]
struct Known {
    /// Which one it was here. Whatever it names was taken before it.
    turn: usize,
    /// The heads that it names.
    behind: Vec<EntryHash>,
    /// Whether those were all the heads there were here, so that every entry taken before it is behind it.
    all: bool,
}

/// One admission.
#[derive(Debug, Clone, Copy)]
struct Grant {
    /// The turn of the entry that admits.
    turn: usize,
    role: Role,
}

/// Why a membership entry is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The author may not.
    #[error("{author} is {}; only an owner can change the membership", role.map_or("not a member", Role::as_str))]
    NotAllowed {
        /// Who tried.
        author: String,
        /// What it is.
        role: Option<Role>,
    },
    /// A project begins once.
    #[error("a second beginning of the project")]
    SecondGenesis,
    /// The ticket is not the author's, or there is none.
    #[error("the ticket is not one of the author's")]
    ForeignTicket,
    /// The ticket was handed out before.
    #[error("the ticket was already issued")]
    SecondInvite,
    /// Another member's id begins with the same 16 bytes.
    #[error("another member's id begins with the same 16 bytes")]
    Already,
    /// No room.
    #[error("the project already has {} members, which is the maximum", limits::MEMBERS)]
    Full,
    /// The name cannot be shown.
    #[error("invalid name: {0}")]
    Name(text::TextError),
}

impl Roles for Membership {
    fn role(&self, node: NodePrefix) -> Option<Role> {
        self.members.get(&node).map(|member| member.role)
    }

    fn node(&self, node: NodePrefix) -> Option<NodeId> {
        self.members.get(&node).map(|member| member.node)
    }
}

impl Membership {
    /// The membership of a project that has only its genesis entry.
    pub fn begin(entry: &Entry, genesis: &Genesis) -> Self {
        let author = entry.body().author;
        let founder = Member {
            node: author,
            name: genesis.node_name.clone(),
            role: Role::Owner,
            at: entry.body().at,
        };
        Self {
            name: genesis.name.clone(),
            members: BTreeMap::from([(NodePrefix::from(&author), founder)]),
            invitations: BTreeMap::new(),
            known: BTreeMap::from([(
                entry.hash(),
                Known {
                    turn: 0,
                    behind: Vec::new(),
                    all: true,
                },
            )]),
            heads: BTreeSet::from([entry.hash()]),
            grants: BTreeMap::from([(
                NodePrefix::from(&author),
                vec![Grant {
                    turn: 0,
                    role: Role::Owner,
                }],
            )]),
        }
    }

    /// The node that a verified entry lets in by the word of an owner: enough to talk to that node before
    /// the entries in front of this one are here. What it may write is decided when they are.
    pub fn vouched_by(&self, entry: &Entry) -> Option<NodeId> {
        let Payload::Member(MemberAct::Admit { node, .. }) = &entry.body().payload else {
            return None;
        };
        let author = self.member(&entry.body().author)?;
        author.role.may_invite().then_some(*node)
    }

    /// What people call the project.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every member, in order of their keys.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One member.
    pub fn member(&self, node: &NodeId) -> Option<&Member> {
        self.members
            .get(&NodePrefix::from(node))
            .filter(|member| member.node == *node)
    }

    /// Every ticket ever handed out.
    pub fn invitations(&self) -> impl Iterator<Item = (&TicketHash, &Invitation)> {
        self.invitations.iter()
    }

    /// One ticket.
    pub fn invitation(&self, ticket: &TicketHash) -> Option<&Invitation> {
        self.invitations.get(ticket)
    }

    /// The membership heads that an entry of `author` names now. Where there are more than an entry can
    /// name, one by which the author is what it is comes first.
    pub fn heads(&self, author: &NodeId) -> Vec<EntryHash> {
        let mut heads: Vec<EntryHash> = self.heads.iter().rev().copied().collect();
        if heads.len() > limits::HEADS_PER_ENTRY {
            let role = self.member(author).map(|member| member.role);
            let vouches = |head: &EntryHash| self.role_behind(author, &[*head]) == role;
            if let Some(at) = heads.iter().position(vouches) {
                heads.swap(0, at);
            }
            heads.truncate(limits::HEADS_PER_ENTRY);
        }
        heads
    }

    /// What the author of an entry was by the membership heads that the entry names, all of which are
    /// here: the same on every replica, whatever else it knows of the membership by now.
    pub fn role_of(&self, entry: &Entry) -> Option<Role> {
        let body = entry.body();
        if self.heads.iter().all(|head| body.members.contains(head)) {
            return self.member(&body.author).map(|member| member.role);
        }
        self.role_behind(&body.author, &body.members)
    }

    /// The highest role that a node was given by `heads` or by what is behind them. The walk ends where
    /// everything earlier is behind an entry, which is at once unless owners have just been apart, and at
    /// the node's first admission.
    fn role_behind(&self, node: &NodeId, heads: &[EntryHash]) -> Option<Role> {
        self.member(node)?;
        let grants = self.grants.get(&NodePrefix::from(node))?;
        let first = grants.iter().map(|grant| grant.turn).min()?;
        let mut role = None;
        let mut next = heads.to_vec();
        let mut seen: BTreeSet<EntryHash> = heads.iter().copied().collect();
        while let Some(hash) = next.pop() {
            let Some(known) = self.known.get(&hash).filter(|known| known.turn >= first) else {
                continue;
            };
            let behind = |grant: &&Grant| grant.turn == known.turn || known.all && grant.turn < known.turn;
            role = role.max(grants.iter().filter(behind).map(|grant| grant.role).max());
            if !known.all {
                next.extend(known.behind.iter().filter(|behind| seen.insert(**behind)));
            }
        }
        role
    }

    /// A digest of all that ties ask of the membership: what everybody is who may write. Rows that were
    /// folded by another digest may have to be folded again.
    pub fn roles_digest(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        for member in self.members.values().filter(|member| member.role.may_write()) {
            hasher.update(&member.node.0);
            hasher.update(member.role.as_str().as_bytes());
        }
        let hash = hasher.finalize();
        hash.as_bytes()
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The heads that an entry names and that are not here yet.
    pub fn missing(&self, entry: &Entry) -> Vec<EntryHash> {
        entry
            .body()
            .members
            .iter()
            .filter(|head| !self.known.contains_key(*head))
            .copied()
            .collect()
    }

    /// Checks a membership entry without taking it.
    ///
    /// # Errors
    /// Why it must not be admitted.
    pub fn check(&self, entry: &Entry) -> Result<(), MembershipError> {
        let author = entry.body().author;
        match &entry.body().payload {
            Payload::Genesis(_) => Err(MembershipError::SecondGenesis),
            Payload::Changes(_) => Ok(()),
            Payload::Member(act) => {
                let role = self.role_of(entry);
                if !role.is_some_and(Role::may_invite) {
                    return Err(MembershipError::NotAllowed {
                        author: author.short(),
                        role,
                    });
                }
                self.check_act(&author, act)
            }
        }
    }

    fn check_act(&self, author: &NodeId, act: &MemberAct) -> Result<(), MembershipError> {
        let own = |ticket: &TicketHash| match self.invitations.get(ticket) {
            Some(invitation) if invitation.inviter != *author => Err(MembershipError::ForeignTicket),
            Some(_) => Ok(()),
            None => Err(MembershipError::ForeignTicket),
        };
        match act {
            MemberAct::Invite { ticket, .. } if self.invitations.contains_key(ticket) => {
                Err(MembershipError::SecondInvite)
            }
            MemberAct::Invite { .. } => Ok(()),
            MemberAct::Withdraw { ticket } => own(ticket),
            MemberAct::Admit { node, name, ticket } => {
                own(ticket)?;
                text::name(name).map_err(MembershipError::Name)?;
                let prefix = NodePrefix::from(node);
                if self
                    .members
                    .get(&prefix)
                    .is_some_and(|member| member.node != *node)
                {
                    return Err(MembershipError::Already);
                }
                if self.members.len() >= limits::MEMBERS {
                    return Err(MembershipError::Full);
                }
                Ok(())
            }
        }
    }

    /// Takes an entry that [`check`](Self::check) let pass.
    pub fn apply(&mut self, entry: &Entry) {
        let Payload::Member(act) = &entry.body().payload else {
            return;
        };
        let author = entry.body().author;
        let turn = self.known.len();
        match act {
            MemberAct::Invite {
                ticket,
                role,
                expires,
            } => {
                let invitation = Invitation {
                    inviter: author,
                    role: *role,
                    expires: *expires,
                    spent: false,
                };
                self.invitations.insert(*ticket, invitation);
            }
            MemberAct::Withdraw { ticket } => {
                if let Some(invitation) = self.invitations.get_mut(ticket) {
                    invitation.spent = true;
                }
            }
            MemberAct::Admit { node, name, ticket } => {
                let Some(invitation) = self.invitations.get_mut(ticket) else {
                    return;
                };
                invitation.spent = true;
                let member = Member {
                    node: *node,
                    name: name.clone(),
                    role: invitation.role,
                    at: entry.body().at,
                };
                self.members
                    .entry(NodePrefix::from(node))
                    .and_modify(|known| known.merge(&member))
                    .or_insert(member);
                let role = invitation.role;
                self.grants
                    .entry(NodePrefix::from(node))
                    .or_default()
                    .push(Grant { turn, role });
            }
        }
        let behind = entry.body().members.clone();
        for head in &behind {
            self.heads.remove(head);
        }
        let all = self.heads.is_empty();
        self.heads.insert(entry.hash());
        self.known.insert(entry.hash(), Known { turn, behind, all });
    }
}
