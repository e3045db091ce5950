//! Whose turn a command is where several gateways read the same room.
//!
//! Nobody sends anybody a message about it: each gateway knows from presence which others take commands
//! in the project and from the homeserver who of them is in the room, and all put them in the same order,
//! another one for each room. The first acts at once. Each of the others waits a little for its answer,
//! one after the other, and acts when there is none. That is for speed and for one answer: what is done
//! twice all the same comes to one intent in the project ([`RequestId`](towline_proto::RequestId)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use towline_proto::NodeId;

/// How long each gateway is waited for. An answer takes a moment; a homeserver that holds answers up
/// costs a second answer and nothing else.
pub(super) const TURN: Duration = Duration::from_secs(5);
/// For how long one that did not answer in its turn is not waited for.
const SUSPECTED: Duration = Duration::from_secs(60);
/// Messages that wait for somebody else's answer at most; beyond it one acts at once.
const WAITING: usize = 256;
/// Accounts of other gateways that are remembered.
const ACCOUNTS: usize = 256;

/// What is known of the other gateways, and which messages wait for them.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that did not answer, and until when that counts.
    suspected: BTreeMap<NodeId, Instant>,
    /// Messages that wait for an answer.
    waiting: BTreeMap<String, Wait>,
    /// The accounts of other gateways that were heard of.
    accounts: BTreeSet<String>,
}

#[derive(Debug)]
struct Wait {
    /// Whether anybody's answer will do: for what was said while we were away, when we do not know yet
    /// who was there.
    any: bool,
    answered: bool,
}

/// The place of each gateway for a room: the same list in every gateway.
fn order(room: &str, mut gateways: Vec<NodeId>) -> Vec<NodeId> {
    gateways.sort_by_cached_key(|node| -> [u8; 32] {
        Sha256::new()
            .chain_update(room)
            .chain_update(node.0)
            .finalize()
            .into()
    });
    gateways
}

impl Turns {
    /// Those that go before this one, without those that failed to answer lately.
    pub(super) fn before(
        &self,
        now: Instant,
        room: &str,
        me: NodeId,
        others: &BTreeSet<NodeId>,
    ) -> Vec<NodeId> {
        let suspected = |node: &NodeId| {
            let state = self.state.lock();
            state.is_ok_and(|state| state.suspected.get(node).is_some_and(|until| *until > now))
        };
        let all = others.iter().copied().chain([me]).collect();
        let before = order(room, all).into_iter().take_while(|node| *node != me);
        before.filter(|node| !suspected(node)).collect()
    }

    /// Waits for an answer to a message from now on; `false` where too many wait already.
    pub(super) fn wait_for(&self, event: &str, any: bool) -> bool {
        let Ok(mut state) = self.state.lock() else {
            return false;
        };
        if state.waiting.len() >= WAITING {
            return false;
        }
        let answered = false;
        state.waiting.insert(event.to_owned(), Wait { any, answered });
        true
    }

    /// Somebody has answered a message; `known` says that it was a gateway. Whoever else puts a sign on
    /// a command keeps nobody from doing it.
    pub(super) fn answered(&self, event: &str, known: bool) {
        if let Ok(mut state) = self.state.lock()
            && let Some(wait) = state.waiting.get_mut(event)
        {
            wait.answered |= known || wait.any;
        }
    }

    /// Notes the accounts of other gateways.
    pub(super) fn gateways(&self, accounts: impl Iterator<Item = String>) {
        if let Ok(mut state) = self.state.lock() {
            state.accounts.extend(accounts);
            while state.accounts.len() > ACCOUNTS {
                state.accounts.pop_first();
            }
        }
    }

    /// Whether an account is another gateway's.
    pub(super) fn is_gateway(&self, account: &str) -> bool {
        let state = self.state.lock();
        state.is_ok_and(|state| state.accounts.contains(account))
    }

    /// Whether a message that waited was answered. Where it was not, those before are not waited for
    /// again for a while.
    pub(super) fn was_answered(&self, now: Instant, event: &str, before: &[NodeId]) -> bool {
        let Ok(mut state) = self.state.lock() else {
            return false;
        };
        let answered = state.waiting.remove(event).is_some_and(|wait| wait.answered);
        if !answered {
            let until = now + SUSPECTED;
            state.suspected.retain(|_, until| *until > now);
            state.suspected.extend(before.iter().map(|node| (*node, until)));
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [NodeId; 3] = [NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32])];

    fn others(me: NodeId) -> BTreeSet<NodeId> {
        NODES.into_iter().filter(|node| *node != me).collect()
    }

    #[test]
    fn of_all_gateways_in_a_room_one_is_first_and_each_has_a_place_of_its_own() {
        let (turns, now) = (Turns::default(), Instant::now());
        let mut first = BTreeSet::new();
        for room in 0..40 {
            let room = format!("!{room}:example.org");
            let places: BTreeMap<usize, NodeId> = NODES
                .into_iter()
                .map(|node| (turns.before(now, &room, node, &others(node)).len(), node))
                .collect();
            assert_eq!(places.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
            first.extend(places.get(&0).copied());
        }
        assert_eq!(first.len(), 3, "rooms are shared among them");
    }

    #[test]
    fn who_does_not_answer_is_passed_over_for_a_while() {
        let (turns, now) = (Turns::default(), Instant::now());
        let room = "!room:example.org";
        let last = NODES
            .into_iter()
            .max_by_key(|node| turns.before(now, room, *node, &others(*node)).len())
            .expect("somebody");
        let before = turns.before(now, room, last, &others(last));
        assert!(turns.wait_for("$1", false) && turns.wait_for("$2", false));
        turns.answered("$1", true);
        turns.answered("$2", false);
        turns.answered("$not-waited-for", true);
        assert!(turns.was_answered(now, "$1", &before));
        assert_eq!(turns.before(now, room, last, &others(last)).len(), 2);
        assert!(!turns.was_answered(now, "$2", &before));
        assert!(turns.before(now, room, last, &others(last)).is_empty());
        let now = now + SUSPECTED;
        assert_eq!(turns.before(now, room, last, &others(last)).len(), 2);
    }

    #[test]
    fn what_waits_is_bounded() {
        let turns = Turns::default();
        assert!((0..WAITING).all(|at| turns.wait_for(&format!("${at}"), false)));
        assert!(!turns.wait_for("$more", false));
    }
}
