//! Tests of presence alone: when heartbeats are due, and what they contain.

use super::*;

const EVERY: Duration = Duration::from_secs(30);

fn context(clock: Instant, now: u64) -> BeatContext {
    BeatContext {
        project: ProjectId([0; 32]),
        me: NodeId([1; 32]),
        now: Millis(now),
        clock,
        random: 256,
        every: EVERY,
    }
}

fn claims(count: usize) -> Vec<Renewal> {
    let claim = |number: usize| {
        let mut id = [0; ItemId::LEN];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Renewal {
            item: ItemId(id),
            generation: 1,
        }
    };
    (0..count).map(claim).collect()
}

#[test]
fn a_heartbeat_is_due_at_once_then_after_a_while_and_sooner_when_a_peer_connects() {
    let start = Instant::now();
    let mut presence = Presence::default();
    assert!(presence.is_due(start));
    presence.beat(&context(start, 1_000), Vec::new());
    assert!(!presence.is_due(start + EVERY / 2));
    assert!(presence.is_due(start + EVERY));
    let later = start + EVERY / 2;
    presence.announce_soon(later);
    assert!(!presence.is_due(later));
    assert!(presence.is_due(later + ANNOUNCE_WITHIN));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_heartbeat_look_old() {
    let start = Instant::now();
    let mut presence = Presence::default();
    assert_eq!(
        presence.beat(&context(start, 1_000), Vec::new()).at,
        Millis(1_000)
    );
    assert_eq!(presence.beat(&context(start, 10), Vec::new()).at, Millis(1_001));
}

#[test]
fn many_claims_take_turns() {
    let start = Instant::now();
    let mut presence = Presence::default();
    let all = claims(limits::PRESENCE_CLAIMS + 2);
    let first = presence.beat(&context(start, 1), all.clone()).claims;
    assert_eq!(first, all[..limits::PRESENCE_CLAIMS]);
    let second = presence.beat(&context(start, 2), all.clone()).claims;
    assert_eq!(second[..2], all[limits::PRESENCE_CLAIMS..]);
    assert_eq!(second[2], all[0]);
}

#[test]
fn accounts_are_announced_when_they_change() {
    let start = Instant::now();
    let mut presence = Presence::default();
    presence.beat(&context(start, 1), Vec::new());
    let accounts = vec!["@bot:example.org".to_owned()];
    assert!(presence.set_accounts(start + EVERY / 2, accounts.clone()));
    assert!(presence.is_due(start + EVERY / 2));
    assert!(!presence.set_accounts(start, accounts.clone()));
    assert_eq!(presence.beat(&context(start, 2), Vec::new()).accounts, accounts);
}
