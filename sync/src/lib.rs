//! The replication core of one project, as a state machine: inputs in, effects out.
//!
//! It depends on `towline-proto` only. It never does IO, reads a clock, spawns a thread, draws a random number or
//! uses a hash map, so the same inputs give the same effects, byte for byte. It does not look at the changes in an
//! entry; the shell's gate checks those.
//!
//! # The control loop
//!
//! The shell (a project's thread, or a test) owns a [`Replica`], the log and the gate:
//!
//! 1. Start: [`Replica::new`], then [`Replica::replay`] for each log record, in log order.
//! 2. Something happens: the shell calls [`Replica::handle`] with the [`Input`] and the time.
//! 3. It performs the [`Effect`]s in order. Consecutive [`Effect::Admit`]s may share one disk sync: run the gate on
//!    each, append the admitted ones, sync once, then hand in one [`Input::AdmissionOutcome`] each, in the same order.
//!    [`AdmissionBatch`] says which of them must not be stored because an earlier one was not. [`Effect::Read`] is
//!    answered by [`Input::Read`].
//! 4. Those inputs have effects of their own; repeat until there are none.
//! 5. A local write: take `prev` from [`Replica::heads_of`] or [`Replica::opening`], sign, append,
//!    sync, then [`Input::Written`]. Every few seconds: [`Input::Tick`].
//!
//! # Modules
//!
//! | file | what |
//! |---|---|
//! | [`interface`] | inputs and effects |
//! | `replica` | the state, and the dispatch of inputs |
//! | `admission` | from a peer's bytes to [`Effect::Admit`], and the outcome |
//! | `offline_entries` | entries that came in a file |
//! | `orphans` | entries that cannot be admitted now: orphans, refused ones, fork proofs |
//! | `conversation` | Hello and Have with each peer, the end of an exchange, the tick |
//! | `send` | Entries and Got: sending a peer the entries that it lacks |
//! | `frame_size` | the size of the frames to each peer |
//! | `author_logs` | the index of known entries, what may come next, the version vector |
//! | `send_plan` | which entries a peer lacks, in log order |
//! | `frame_signatures` | which signatures of a frame are checked |
//! | `orphan_pool` | the bounded pool of orphans |
//! | `fork_proofs` | proofs that an author signed two histories |
//! | `peer_session` | the state of the session with one peer |

#![warn(clippy::indexing_slicing)]

mod admission;
mod author_logs;
mod conversation;
mod fork_proofs;
mod frame_signatures;
mod frame_size;
pub mod interface;
mod offline_entries;
mod orphan_pool;
mod orphans;
mod peer_session;
mod replica;
mod send;
mod send_plan;

pub use fork_proofs::ForkProof;
pub use interface::{AdmissionBatch, AdmissionOutcome, Effect, GossipVerdict, Input};
pub use peer_session::PeerState;
pub use replica::Replica;
