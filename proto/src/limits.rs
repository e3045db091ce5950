//! Every limit of the system, with its unit and its reason. Units come last in the names.
//!
//! Exceeding a limit is a clear error where something is written, and a refusal where it is received. The figures
//! are those of docs/spec/replication.md (*Limits*) unless a line says otherwise.

/// Deepest nesting that a decoder follows; honest values need at most eight levels.
pub const DECODE_DEPTH: usize = 32;
/// Largest entry that travels by gossip, in bytes: gossipsub's own default frame.
pub const ENTRY_GOSSIP_BYTES: usize = 64 * 1024;
/// Largest entry at all, in bytes: what catch-up carries.
pub const ENTRY_BYTES: usize = 1024 * 1024;
/// Changes that one entry may carry.
pub const CHANGES_PER_ENTRY: usize = 1_024;
/// Operations that one Automerge change may hold; counted before Automerge parses it, because 127
/// bytes can claim a hundred million.
pub const OPS_PER_CHANGE: u64 = 2_000;
/// Dependencies of one Automerge change.
pub const DEPS_PER_CHANGE: usize = 64;
/// Actors that one Automerge change may name beside its own.
pub const ACTORS_PER_CHANGE: usize = 64;
/// Bytes of one Automerge change.
pub const CHANGE_BYTES: usize = 64 * 1024;
/// Bytes of one act record.
pub const ACT_BYTES: usize = 48 * 1024;
/// Acts that one act may name as seen: heads of registers, of which honest items have a handful.
pub const SAW_PER_ACT: usize = 256;
/// Entries that an entry may name as its predecessors or membership heads.
pub const HEADS_PER_ENTRY: usize = 16;
/// Title length in characters.
pub const TITLE_CHARS: usize = 200;
/// Body length in bytes.
pub const BODY_BYTES: usize = 256 * 1024;
/// Reason, comment, criterion or detail length in bytes.
pub const NOTE_BYTES: usize = 32 * 1024;
/// Name, label, holder or external reference length in characters.
pub const NAME_CHARS: usize = 200;
/// Labels of one item.
pub const LABELS: usize = 64;
/// Comments of one item.
pub const COMMENTS: usize = 10_000;
/// Comments of one item for which one entry causes events, the youngest ones: more at once come from an import.
pub const COMMENT_EVENTS: usize = 32;
/// Overridden acts that the event of a new conflict names; the conflict lists all of them.
pub const EVENT_LOSERS: usize = 8;
/// Acts of one item, of all kinds.
pub const ACTS_PER_ITEM: usize = 50_000;
/// Bytes of orphans in one project: entries that wait for another entry.
pub const ORPHANS_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of orphans of one author.
pub const ORPHANS_AUTHOR_BYTES: usize = 16 * 1024 * 1024;
/// Orphans of one author, so that an author cannot flood a node with entries that will never be complete.
pub const ORPHANS_AUTHOR_ENTRIES: usize = 1_000;
/// Connected peers of one node.
pub const PEERS: usize = 128;
/// Members of one project.
pub const MEMBERS: usize = 10_000;
/// Membership proofs in one message: one for each project that both nodes share.
pub const MEMBERSHIP_PROOFS: usize = 64;
/// Bytes of a message with membership proofs: each has about 400.
pub const MEMBERSHIP_PROOFS_BYTES: usize = 64 * 1024;
/// Members of one project that are known by a membership proof only, until the entry itself arrives.
pub const VOUCHED_MEMBERS: usize = 256;
/// Addresses in one ticket.
pub const TICKET_ADDRESSES: usize = 16;
/// Bytes of one frame on a direct stream, before compression.
pub const FRAME_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of entries that one catch-up frame aims at; a single larger entry still travels alone.
pub const CATCH_UP_BYTES: usize = 512 * 1024;
/// Entries of one catch-up frame at most.
pub const CATCH_UP_ENTRIES: usize = 2_048;
/// Entries a second that one peer may gossip, sustained.
pub const PEER_ENTRIES_PER_S: u32 = 100;
/// Entries that one peer may gossip in a burst.
pub const PEER_ENTRIES_BURST: u32 = 500;
/// Rows (author tips) of one version vector on the wire.
pub const VECTOR_ROWS: usize = 20_000;
/// A time that is further ahead of when it was first seen than this is shown clamped, in milliseconds.
pub const CLOCK_SKEW_MS: u64 = 10 * 60 * 1_000;
/// Claims that one presence may renew; a node with more renews them in turn.
pub const PRESENCE_CLAIMS: usize = 256;
/// Bytes of one presence: each claim has about 25.
pub const PRESENCE_BYTES: usize = 16 * 1024;
/// Chat accounts that one presence may name: a gateway has one for each chat service.
pub const PRESENCE_ACCOUNTS: usize = 4;
/// Bytes of one chat account in a presence: a service's name and an id, which Matrix bounds at 255.
pub const PRESENCE_ACCOUNT_BYTES: usize = 300;
/// Presence messages of a node that follow each other faster than this are not forwarded, in milliseconds.
pub const PRESENCE_MIN_INTERVAL_MS: u64 = 250;
/// How often a running node sends its presence, in milliseconds, give or take a quarter.
pub const PRESENCE_INTERVAL_MS: u64 = 30_000;
/// Addresses in one address record: with more, one of the first will work.
pub const RECORD_ADDRESSES: usize = 8;
/// Bytes of one address in a record: a host name of 253 and a port.
pub const RECORD_ADDRESS_BYTES: usize = 300;
/// Bytes of one address record.
pub const RECORD_BYTES: usize = 4 * 1024;
/// Address records in one exchange; a larger project needs several exchanges.
pub const EXCHANGE_RECORDS: usize = 512;
/// Bytes of address records in one exchange.
pub const EXCHANGE_BYTES: usize = 256 * 1024;
/// Members whose addresses a welcome contains, so that it stays short on a slow connection.
pub const WELCOME_PEERS: usize = 64;
