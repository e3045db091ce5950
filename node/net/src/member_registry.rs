//! The member registry: the members of each of this node's projects, as reported by the projects' threads,
//! and the banned nodes.
//!
//! Shared by the connection policy, the gossip filter, the links and the driver; every lock is held for a
//! lookup only. Nothing here decides who *should* be a member: the log does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;
use tokio::time::Instant;
use towline_proto::wire::EntryBytes;
use towline_proto::{NodeId, ProjectId, limits};

/// The most banned nodes. Only members can be penalised, so strangers cannot fill it; beyond it the ban that
/// ends first is dropped.
const BANS: usize = 1_024;

#[derive(Debug, Default)]
struct ProjectMembers {
    members: BTreeSet<NodeId>,
    joinable: bool,
}

#[derive(Debug, Default)]
struct State {
    projects: BTreeMap<ProjectId, ProjectMembers>,
    /// The entry that admitted this node to each project; its creator needs none.
    admissions: BTreeMap<ProjectId, EntryBytes>,
    banned: BTreeMap<NodeId, Instant>,
}

/// Members and bans, for decisions of the network.
#[derive(Debug)]
pub(crate) struct MemberRegistry {
    state: RwLock<State>,
    changed: watch::Sender<()>,
}

/// The difference that a new list of members makes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MembershipChange {
    /// The project was not known before.
    pub(crate) first: bool,
    /// New members.
    pub(crate) added: Vec<NodeId>,
    /// Removed members.
    pub(crate) removed: Vec<NodeId>,
}

impl MemberRegistry {
    pub(crate) fn new() -> Self {
        Self {
            state: RwLock::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a project's members.
    pub(crate) fn set(&self, project: ProjectId, members: Vec<NodeId>, joinable: bool) -> MembershipChange {
        let members: BTreeSet<_> = members.into_iter().take(limits::MEMBERS).collect();
        let mut state = self.write();
        let first = !state.projects.contains_key(&project);
        let known = state.projects.entry(project).or_default();
        let change = MembershipChange {
            first,
            added: members.difference(&known.members).copied().collect(),
            removed: known.members.difference(&members).copied().collect(),
        };
        *known = ProjectMembers { members, joinable };
        drop(state);
        self.changed.send_replace(());
        change
    }

    /// Stores the entry that admitted this node to a project.
    pub(crate) fn set_admission(&self, project: ProjectId, entry: EntryBytes) {
        self.write().admissions.insert(project, entry);
    }

    /// The entries that admitted this node to the projects that it shares with the other.
    pub(crate) fn admissions_for(&self, node: &NodeId) -> Vec<EntryBytes> {
        let state = self.read();
        let shared = state.projects.iter();
        let shared = shared.filter(|(_, known)| known.members.contains(node));
        let mine = shared.filter_map(|(project, _)| state.admissions.get(project));
        mine.take(limits::MEMBERSHIP_PROOFS).cloned().collect()
    }

    /// Whether this node has any project.
    pub(crate) fn has_projects(&self) -> bool {
        !self.read().projects.is_empty()
    }

    /// Wakes whenever [`MemberRegistry::set`] was called.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The projects that this node and the other are both members of.
    pub(crate) fn shared_with(&self, node: &NodeId) -> BTreeSet<ProjectId> {
        self.read()
            .projects
            .iter()
            .filter(|(_, known)| known.members.contains(node))
            .map(|(project, _)| *project)
            .collect()
    }

    /// Every member of the projects that this node shares with the other, itself included: the nodes that it
    /// may know about.
    pub(crate) fn known_to(&self, node: &NodeId) -> BTreeSet<NodeId> {
        self.read()
            .projects
            .values()
            .filter(|known| known.members.contains(node))
            .flat_map(|known| known.members.iter().copied())
            .collect()
    }

    /// The members of one of our projects, without this node.
    pub(crate) fn members_of(&self, project: &ProjectId) -> Vec<NodeId> {
        let state = self.read();
        let known = state.projects.get(project);
        known
            .map(|known| known.members.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Whether a node is a member of any of our projects.
    pub(crate) fn is_member(&self, node: &NodeId) -> bool {
        self.read()
            .projects
            .values()
            .any(|known| known.members.contains(node))
    }

    /// Whether a node is a member of one of our projects.
    pub(crate) fn is_member_of(&self, node: &NodeId, project: &ProjectId) -> bool {
        self.read()
            .projects
            .get(project)
            .is_some_and(|known| known.members.contains(node))
    }

    /// Whether strangers may ask to join a project; `None` if it is not ours.
    pub(crate) fn joinable(&self, project: &ProjectId) -> Option<bool> {
        self.read().projects.get(project).map(|known| known.joinable)
    }

    /// Bans a node until a time.
    pub(crate) fn ban(&self, node: NodeId, until: Instant) {
        let mut state = self.write();
        if state.banned.len() >= BANS
            && let Some(soonest) = state
                .banned
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(node, _)| *node)
        {
            state.banned.remove(&soonest);
        }
        state.banned.insert(node, until);
    }

    /// Whether a node is banned at `now`.
    pub(crate) fn is_banned(&self, now: Instant, node: &NodeId) -> bool {
        self.read().banned.get(node).is_some_and(|until| now < *until)
    }

    /// Drops bans that have ended.
    pub(crate) fn expire(&self, now: Instant) {
        self.write().banned.retain(|_, until| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ANNA: NodeId = NodeId([1; 32]);
    const BEN: NodeId = NodeId([2; 32]);
    const DEMO: ProjectId = ProjectId([9; 32]);

    #[test]
    fn a_new_list_replaces_the_old_one_and_says_what_changed() {
        let registry = MemberRegistry::new();
        assert_eq!(registry.joinable(&DEMO), None);
        let change = registry.set(DEMO, vec![ANNA], true);
        assert_eq!((change.first, change.added), (true, vec![ANNA]));
        let change = registry.set(DEMO, vec![BEN], false);
        assert_eq!((change.first, change.removed), (false, vec![ANNA]));
        assert!(registry.is_member(&BEN) && !registry.is_member(&ANNA));
        assert_eq!(registry.shared_with(&BEN), BTreeSet::from([DEMO]));
        registry.set(ProjectId([8; 32]), vec![ANNA], false);
        assert_eq!(
            registry.known_to(&BEN),
            BTreeSet::from([BEN]),
            "nobody of another project"
        );
        assert_eq!(registry.members_of(&DEMO), [BEN]);
        let admission = EntryBytes(vec![1].into());
        registry.set_admission(DEMO, admission.clone());
        assert_eq!(registry.admissions_for(&BEN), [admission]);
        assert_eq!(
            registry.admissions_for(&ANNA),
            [],
            "it is a member of another project"
        );
    }

    #[test]
    fn a_ban_ends() {
        let registry = MemberRegistry::new();
        let now = Instant::now();
        registry.ban(BEN, now + Duration::from_secs(1));
        assert!(registry.is_banned(now, &BEN));
        assert!(!registry.is_banned(now + Duration::from_secs(1), &BEN));
    }
}
