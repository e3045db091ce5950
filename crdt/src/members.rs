//! Who may do what: folds the membership log, which begins with the genesis entry.
//!
//! Only owners change the membership, and only the author of a ticket admits by it, so the result does not depend
//! on the order in which concurrent entries arrive. A replica applies an entry after the membership heads that
//! the entry names. The author's role is decided from those heads alone, never from a private setting of a node
//! (docs/spec/replication.md, *Identity and membership*).
//!
//! No entry is refused because of another entry that its author had not seen. Otherwise, when two owners admit
//! the same node concurrently, or an owner is restored from a backup and uses a ticket twice, some replicas would
//! accept a log that others refuse, for good. That a ticket works only once is enforced by the inviter's node.

use std::collections::{BTreeMap, BTreeSet};

use towline_proto::member::{Genesis, TicketHash};
use towline_proto::{Entry, EntryHash, MemberAct, Millis, NodeId, Payload, Role, limits, text};

use crate::doc::NodePrefix;

/// What the fold needs to know about signers.
pub trait Roles {
    /// The role of a node; `None` for one that is not a member.
    fn role(&self, node: NodePrefix) -> Option<Role>;
    /// The full id of a node.
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
    /// Since when, by the clock of the admitting author.
    pub at: Millis,
}

impl Member {
    /// Merges two admissions of the same node, made concurrently by two owners. The result does not depend on
    /// their order. The role is the higher one, so that entries admitted under it stay admissible.
    fn merge(&mut self, other: &Self) {
        self.role = self.role.max(other.role);
        self.at = self.at.min(other.at);
        if other.name < self.name {
            self.name.clone_from(&other.name);
        }
    }
}

/// A ticket that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The owner who issued it.
    pub inviter: NodeId,
    /// The role that it grants.
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
    applied: BTreeMap<EntryHash, AppliedEntry>,
    heads: BTreeSet<EntryHash>,
    /// The admissions of each member.
    grants: BTreeMap<NodePrefix, Vec<RoleGrant>>,
}

/// A membership entry that was applied.
#[derive(Debug, Clone)]
struct AppliedEntry {
    /// The index in the order of application. Entries that it names have smaller ones.
    index: usize,
    /// The membership heads that it names.
    parents: Vec<EntryHash>,
    /// Whether its parents were all heads at that time, so that every entry applied before it is an ancestor.
    after_all: bool,
}

/// One admission.
#[derive(Debug, Clone, Copy)]
struct RoleGrant {
    /// The index of the admitting entry.
    index: usize,
    role: Role,
}

/// Why a membership entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The author's role does not allow it.
    #[error("{author} is {}; only an owner can change the membership", role.map_or("not a member", Role::as_str))]
    NotAllowed {
        /// Who tried.
        author: String,
        /// What it is.
        role: Option<Role>,
    },
    /// A project has one genesis entry.
    #[error("a second beginning of the project")]
    SecondGenesis,
    /// The ticket is not the author's, or there is none.
    #[error("the ticket is not one of the author's")]
    ForeignTicket,
    /// The ticket was issued before.
    #[error("the ticket was already issued")]
    SecondInvite,
    /// Another member's id begins with the same 16 bytes.
    #[error("another member's id begins with the same 16 bytes")]
    PrefixTaken,
    /// The project has the most members that are allowed.
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
    pub fn from_genesis(entry: &Entry, genesis: &Genesis) -> Self {
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
            applied: BTreeMap::from([(
                entry.hash(),
                AppliedEntry {
                    index: 0,
                    parents: Vec::new(),
                    after_all: true,
                },
            )]),
            heads: BTreeSet::from([entry.hash()]),
            grants: BTreeMap::from([(
                NodePrefix::from(&author),
                vec![RoleGrant {
                    index: 0,
                    role: Role::Owner,
                }],
            )]),
        }
    }

    /// The node that a verified entry admits, when its author is an owner. That is enough to connect to the node
    /// before the entries that precede this one have arrived. What the node may write is decided after that.
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

    /// Every ticket that was ever issued.
    pub fn invitations(&self) -> impl Iterator<Item = (&TicketHash, &Invitation)> {
        self.invitations.iter()
    }

    /// One ticket.
    pub fn invitation(&self, ticket: &TicketHash) -> Option<&Invitation> {
        self.invitations.get(ticket)
    }

    /// The membership heads for a new entry of `author`. When there are more than an entry can name, a head that
    /// proves the author's role comes first.
    pub fn heads(&self, author: &NodeId) -> Vec<EntryHash> {
        let mut heads: Vec<EntryHash> = self.heads.iter().rev().copied().collect();
        if heads.len() > limits::HEADS_PER_ENTRY {
            let role = self.member(author).map(|member| member.role);
            let proves_role = |head: &EntryHash| self.role_at(author, &[*head]) == role;
            if let Some(at) = heads.iter().position(proves_role) {
                heads.swap(0, at);
            }
            heads.truncate(limits::HEADS_PER_ENTRY);
        }
        heads
    }

    /// The role of an entry's author at the membership heads that the entry names, which must have been applied.
    /// It is the same on every replica, whatever else the replica knows about the membership.
    pub fn role_of(&self, entry: &Entry) -> Option<Role> {
        let body = entry.body();
        if self.heads.iter().all(|head| body.members.contains(head)) {
            return self.member(&body.author).map(|member| member.role);
        }
        self.role_at(&body.author, &body.members)
    }

    /// The highest role that a node was granted by `heads` or their ancestors. The walk stops at an entry that
    /// has every earlier entry as an ancestor (usually the first one, unless owners wrote concurrently), and at
    /// the node's first admission.
    fn role_at(&self, node: &NodeId, heads: &[EntryHash]) -> Option<Role> {
        self.member(node)?;
        let grants = self.grants.get(&NodePrefix::from(node))?;
        let first = grants.iter().map(|grant| grant.index).min()?;
        let mut role = None;
        let mut next = heads.to_vec();
        let mut seen: BTreeSet<EntryHash> = heads.iter().copied().collect();
        while let Some(hash) = next.pop() {
            let Some(entry) = self.applied.get(&hash).filter(|entry| entry.index >= first) else {
                continue;
            };
            let granted = |grant: &&RoleGrant| {
                grant.index == entry.index || entry.after_all && grant.index < entry.index
            };
            role = role.max(grants.iter().filter(granted).map(|grant| grant.role).max());
            if !entry.after_all {
                next.extend(entry.parents.iter().filter(|parent| seen.insert(**parent)));
            }
        }
        role
    }

    /// A digest of the roles of all writing members, which break ties. When it changes, rows may have to be
    /// folded again.
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

    /// The membership heads that an entry names and that have not been applied yet.
    pub fn missing(&self, entry: &Entry) -> Vec<EntryHash> {
        entry
            .body()
            .members
            .iter()
            .filter(|head| !self.applied.contains_key(*head))
            .copied()
            .collect()
    }

    /// Checks a membership entry without applying it.
    ///
    /// # Errors
    /// The rule that it breaks.
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
                    return Err(MembershipError::PrefixTaken);
                }
                if self.members.len() >= limits::MEMBERS {
                    return Err(MembershipError::Full);
                }
                Ok(())
            }
        }
    }

    /// Applies an entry that passed [`check`](Self::check).
    pub fn apply(&mut self, entry: &Entry) {
        let Payload::Member(act) = &entry.body().payload else {
            return;
        };
        let author = entry.body().author;
        let index = self.applied.len();
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
                    .push(RoleGrant { index, role });
            }
        }
        let parents = entry.body().members.clone();
        for head in &parents {
            self.heads.remove(head);
        }
        let after_all = self.heads.is_empty();
        self.heads.insert(entry.hash());
        self.applied.insert(
            entry.hash(),
            AppliedEntry {
                index,
                parents,
                after_all,
            },
        );
    }
}
