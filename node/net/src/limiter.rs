//! Limits connections to a listener: in total, per address, and which one is evicted when it is full.
//!
//! A connection that has not completed a message yet (no finished handshake, no finished request) is
//! *unfinished*. If there is no room for a new connection, the oldest unfinished one of the same address is
//! evicted, or, if the listener is full, that of the address with the most. So whoever opens connections and
//! stays silent only evicts its own, and whoever completes a message at once is served even under attack.
//! Knows no socket: it counts, and signals the task of a connection to end it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// The source of a connection: one IPv4 address, or the /64 network of an IPv6 address, which is what a
/// single machine is usually given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl Source {
    /// The only source of a local socket.
    pub const LOCAL: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }
}

/// The limits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In total.
    pub total: usize,
    /// From one source.
    pub per_source: usize,
    /// How old an unfinished connection must be to be evicted: the data of an honest one may not have been
    /// read yet.
    pub grace: Duration,
}

/// Counts the connections of one listener. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    limits: Limits,
    next: u64,
    /// In the order of arrival.
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    source: Source,
    since: Instant,
    unfinished: bool,
    evicted: CancellationToken,
}

impl Limiter {
    /// A limiter that holds nobody.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Table {
            limits,
            next: 0,
            held: BTreeMap::new(),
        })))
    }

    /// A permit for a new connection, which is unfinished; `None` if there is no room and nothing to evict.
    pub fn enter(&self, source: Source) -> Option<Permit> {
        let mut table = self.table();
        if !table.make_room(source) {
            return None;
        }
        let id = table.next;
        table.next += 1;
        let evicted = CancellationToken::new();
        table.held.insert(
            id,
            Held {
                source,
                since: Instant::now(),
                unfinished: true,
                evicted: evicted.clone(),
            },
        );
        drop(table);
        Some(Permit {
            id,
            limiter: self.clone(),
            evicted,
        })
    }

    /// Evicts the oldest unfinished connection of the source with the most, because the process has no file
    /// descriptor left for the next one.
    pub fn evict_one(&self) -> bool {
        let mut table = self.table();
        match table.victim() {
            Some(victim) => {
                table.evict(victim);
                true
            }
            None => false,
        }
    }

    /// The number of connections.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.table().held.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn make_room(&mut self, source: Source) -> bool {
        let own = self.held.values().filter(|held| held.source == source).count();
        let victim = if own >= self.limits.per_source {
            self.oldest_unfinished(source)
        } else if self.held.len() >= self.limits.total {
            self.victim()
        } else {
            return true;
        };
        match victim {
            Some(victim) => {
                self.evict(victim);
                true
            }
            None => false,
        }
    }

    fn gives_way(&self, held: &Held) -> bool {
        held.unfinished && held.since.elapsed() >= self.limits.grace
    }

    fn oldest_unfinished(&self, source: Source) -> Option<u64> {
        self.held
            .iter()
            .find(|(_, held)| held.source == source && self.gives_way(held))
            .map(|(id, _)| *id)
    }

    /// The oldest unfinished connection of the source that has the most of them.
    fn victim(&self) -> Option<u64> {
        let mut unfinished: BTreeMap<Source, usize> = BTreeMap::new();
        for held in self.held.values().filter(|held| self.gives_way(held)) {
            *unfinished.entry(held.source).or_default() += 1;
        }
        let (source, _) = unfinished.into_iter().max_by_key(|(_, count)| *count)?;
        self.oldest_unfinished(source)
    }

    fn evict(&mut self, id: u64) {
        if let Some(held) = self.held.remove(&id) {
            held.evicted.cancel();
        }
    }
}

/// The permit of one connection; dropping it frees the slot.
#[derive(Debug)]
pub struct Permit {
    id: u64,
    limiter: Limiter,
    evicted: CancellationToken,
}

impl Permit {
    /// A message was completed: the connection is not evicted any more.
    pub fn finished(&self) {
        self.set_unfinished(false);
    }

    /// The message was answered, and no other was completed since.
    pub fn unfinished(&self) {
        self.set_unfinished(true);
    }

    /// Returns when the connection is evicted.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Whether the connection is evicted.
    pub fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    fn set_unfinished(&self, unfinished: bool) {
        if let Some(held) = self.limiter.table().held.get_mut(&self.id) {
            held.unfinished = unfinished;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.table().held.remove(&self.id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from(text.parse::<IpAddr>().unwrap())
    }

    fn limiter() -> Limiter {
        Limiter::new(Limits {
            total: 6,
            per_source: 3,
            grace: Duration::ZERO,
        })
    }

    #[test]
    fn the_oldest_silent_connection_of_an_address_is_evicted_for_its_next() {
        let limiter = limiter();
        let ann = source("192.0.2.1");
        let mut held: Vec<_> = (0..3).map(|_| limiter.enter(ann).unwrap()).collect();
        held[0].finished();
        held.push(limiter.enter(ann).unwrap());
        let evicted: Vec<_> = held.iter().map(Permit::is_evicted).collect();
        assert_eq!(evicted, [false, true, false, false]);
        assert_eq!(limiter.held(), 3);
        held.iter().for_each(Permit::finished);
        assert!(limiter.enter(ann).is_none(), "whoever has spoken keeps the place");
        held[0].unfinished();
        assert!(limiter.enter(ann).is_some());
        drop(held);
        assert_eq!(limiter.held(), 0);
    }

    #[test]
    fn a_full_listener_evicts_from_the_address_with_the_most() {
        let limiter = limiter();
        let mallory: Vec<_> = (0..3)
            .map(|_| limiter.enter(source("198.51.100.7")).unwrap())
            .collect();
        let others: Vec<_> = (1..=3)
            .map(|n| limiter.enter(source(&format!("192.0.2.{n}"))).unwrap())
            .collect();
        let ann = limiter.enter(source("203.0.113.1")).unwrap();
        assert!(mallory[0].is_evicted() && !mallory[1].is_evicted());
        assert!(others.iter().all(|other| !other.is_evicted()));
        assert!(limiter.evict_one() && mallory[1].is_evicted());
        drop(ann);
    }

    #[test]
    fn a_network_of_64_bits_is_one_source_and_a_mapped_address_is_itself() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1:2:3"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
