//! Replication tests: small fleets in memory ([`sim`]) and scenarios of single exchanges ([`stories`]). One binary, no
//! network, no clock, no threads.

mod sim;
mod stories;
