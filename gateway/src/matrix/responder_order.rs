//! Decides which gateway responds to a command when several gateways read the same room.
//!
//! The gateways exchange no messages for this. Each knows from presence which others accept commands for the
//! project, and from the homeserver which of them are in the room, and all sort them in the same order, which
//! differs per room. The first gateway executes a command immediately. Each of the others waits for the
//! responses of those before it and executes the command if there is none. This avoids delays and duplicate
//! responses. A command that is executed twice nevertheless has one effect in the project
//! ([`RequestId`](towline_proto::RequestId)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use towline_proto::NodeId;

/// How long to wait for the response of each gateway before this one. If the homeserver delays a response for
/// longer, there are two responses, and nothing else happens.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a gateway that did not respond in time is skipped.
const SUSPECT_TIME: Duration = Duration::from_secs(60);
/// Maximum number of messages that wait for the response of another gateway; further ones are executed
/// immediately.
const PENDING_MESSAGES: usize = 256;
/// Maximum number of remembered accounts of other gateways.
const ACCOUNTS: usize = 256;

/// What is known about the other gateways, and the messages that wait for their response.
#[derive(Debug, Default)]
pub(crate) struct ResponderOrder {
    state: Mutex<OrderState>,
}

#[derive(Debug, Default)]
struct OrderState {
    /// The gateways that did not respond, and until when they are skipped.
    suspected: BTreeMap<NodeId, Instant>,
    /// The messages that wait for a response.
    pending: BTreeMap<String, ExpectedResponse>,
    /// The known accounts of other gateways.
    accounts: BTreeSet<String>,
}

#[derive(Debug)]
struct ExpectedResponse {
    /// Whether a response of anybody counts. It does for messages sent while this gateway was offline, because
    /// the other gateways are not known then.
    from_anybody: bool,
    responded: bool,
}

/// The order of the gateways for a room; every gateway computes the same.
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

impl ResponderOrder {
    /// The gateways before this one, without those that did not respond recently.
    pub(super) fn ahead_of(
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
        let ahead = order(room, all).into_iter().take_while(|node| *node != me);
        ahead.filter(|node| !suspected(node)).collect()
    }

    /// Starts to expect a response to a message; `false` if too many messages wait already.
    pub(super) fn expect_response(&self, event: &str, from_anybody: bool) -> bool {
        let Ok(mut state) = self.state.lock() else {
            return false;
        };
        if state.pending.len() >= PENDING_MESSAGES {
            return false;
        }
        let expected = ExpectedResponse {
            from_anybody,
            responded: false,
        };
        state.pending.insert(event.to_owned(), expected);
        true
    }

    /// Records a response to a message. A response of somebody who is not a gateway, such as a reaction of a
    /// person, does not count.
    pub(super) fn record_response(&self, event: &str, is_gateway: bool) {
        if let Ok(mut state) = self.state.lock()
            && let Some(expected) = state.pending.get_mut(event)
        {
            expected.responded |= is_gateway || expected.from_anybody;
        }
    }

    /// Records the accounts of other gateways.
    pub(super) fn record_accounts(&self, accounts: impl Iterator<Item = String>) {
        if let Ok(mut state) = self.state.lock() {
            state.accounts.extend(accounts);
            while state.accounts.len() > ACCOUNTS {
                state.accounts.pop_first();
            }
        }
    }

    /// Whether an account belongs to another gateway.
    pub(super) fn is_gateway(&self, account: &str) -> bool {
        let state = self.state.lock();
        state.is_ok_and(|state| state.accounts.contains(account))
    }

    /// Stops to expect a response, and returns whether there was one. If not, the gateways before this one are
    /// skipped for some time.
    pub(super) fn take_response(&self, now: Instant, event: &str, ahead: &[NodeId]) -> bool {
        let Ok(mut state) = self.state.lock() else {
            return false;
        };
        let expected = state.pending.remove(event);
        let responded = expected.is_some_and(|expected| expected.responded);
        if !responded {
            let until = now + SUSPECT_TIME;
            state.suspected.retain(|_, until| *until > now);
            state.suspected.extend(ahead.iter().map(|node| (*node, until)));
        }
        responded
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
    fn in_each_room_every_gateway_has_its_own_place_in_the_order() {
        let (order, now) = (ResponderOrder::default(), Instant::now());
        let mut first = BTreeSet::new();
        for room in 0..40 {
            let room = format!("!{room}:example.org");
            let places: BTreeMap<usize, NodeId> = NODES
                .into_iter()
                .map(|node| (order.ahead_of(now, &room, node, &others(node)).len(), node))
                .collect();
            assert_eq!(places.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
            first.extend(places.get(&0).copied());
        }
        assert_eq!(first.len(), 3, "rooms are shared among them");
    }

    #[test]
    fn a_gateway_that_does_not_respond_is_skipped_for_some_time() {
        let (order, now) = (ResponderOrder::default(), Instant::now());
        let room = "!room:example.org";
        let last = NODES
            .into_iter()
            .max_by_key(|node| order.ahead_of(now, room, *node, &others(*node)).len())
            .expect("somebody");
        let ahead = order.ahead_of(now, room, last, &others(last));
        assert!(order.expect_response("$1", false) && order.expect_response("$2", false));
        order.record_response("$1", true);
        order.record_response("$2", false);
        order.record_response("$not-expected", true);
        assert!(order.take_response(now, "$1", &ahead));
        assert_eq!(order.ahead_of(now, room, last, &others(last)).len(), 2);
        assert!(!order.take_response(now, "$2", &ahead));
        assert!(order.ahead_of(now, room, last, &others(last)).is_empty());
        let now = now + SUSPECT_TIME;
        assert_eq!(order.ahead_of(now, room, last, &others(last)).len(), 2);
    }

    #[test]
    fn the_number_of_pending_messages_is_bounded() {
        let order = ResponderOrder::default();
        let expect = |number| order.expect_response(&format!("${number}"), false);
        assert!((0..PENDING_MESSAGES).all(expect));
        assert!(!order.expect_response("$more", false));
    }
}
