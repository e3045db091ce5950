//! Replication tests: whole small fleets in memory ([`sim`]) and single conversations
//! ([`stories`]). One binary, no network, no clock, no thread.

mod sim;
mod stories;
