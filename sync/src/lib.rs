//! The replication core of one project as a state machine: inputs in, effects out.
//!
//! It relies on `towline-proto` alone. It never does IO, reads a clock, spawns a thread, draws a
//! random number or uses a hash map, so the same inputs give the same effects, byte for byte. What
//! stands in an entry's changes is none of its business: the gate of the shell judges that.
//!
//! # The control loop
//!
//! The shell (a project's thread, or a test) owns a [`Replica`], the log and the gate:
//!
//! 1. Start: [`Replica::new`], then [`Replica::replay`] for each log record, in log order.
//! 2. Something happens: the shell calls [`Replica::handle`] with the [`Input`] and the time.
//! 3. It performs the [`Effect`]s in order. Consecutive [`Effect::Admit`]s may share one disk sync:
//!    run the gate on each, append the admitted ones, sync once, then hand in one
//!    [`Input::AdmissionOutcome`] each, in the same order. [`AdmissionBatch`] says which of them may not be stored
//!    because an earlier one of them was not. [`Effect::Read`] is answered by [`Input::Read`].
//! 4. Those inputs have effects of their own; go on until there are none.
//! 5. A local write: take `prev` from [`Replica::heads_of`] or [`Replica::opening`], sign, append,
//!    sync, then [`Input::Written`]. Every few seconds: [`Input::Tick`].
//!
//! # Where to read on
//!
//! | file | what |
//! |---|---|
//! | [`interface`] | everything that goes in and comes out |
//! | `replica` | the state, and the dispatch of inputs |
//! | `admission` | from foreign bytes to [`Effect::Admit`] and back |
//! | `offline_entries` | entries that came without a network |
//! | `orphans` | what waits, what was refused, what proves a fork |
//! | `conversation` | Hello and Have with each peer, the end of a round, the tick |
//! | `send` | Entries and Got: sending a peer what it lacks |
//! | `frame_size` | how large the frames to a peer are |
//! | `author_logs` | which entries are here, what may follow, the vector |
//! | `send_plan` | what a peer lacks, in log order, a frame at a time |
//! | `frame_signatures` | which signatures of a frame are checked, on both sides |
//! | `orphan_pool` | entries that came too early, bounded |
//! | `fork_proofs` | proofs that an author signed two histories |
//! | `peer_session` | what is remembered of one connected peer |

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
