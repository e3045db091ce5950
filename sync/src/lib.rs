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
//!    [`Input::Outcome`] each, in the same order. [`Batch`] says which of them may not be stored
//!    because an earlier one of them was not. [`Effect::Read`] is answered by [`Input::Read`].
//! 4. Those inputs have effects of their own; go on until there are none.
//! 5. A local write: take `prev` from [`Replica::heads_of`] or [`Replica::opening`], sign, append,
//!    sync, then [`Input::Written`]. Every few seconds: [`Input::Tick`].
//!
//! # Where to read on
//!
//! | file | what |
//! |---|---|
//! | [`io`] | everything that goes in and comes out |
//! | `replica` | the state, and the dispatch of inputs |
//! | `admission` | from foreign bytes to [`Effect::Admit`] and back |
//! | `carried` | entries that came without a network |
//! | `holding` | what waits, what was refused, what proves a fork |
//! | `conversation` | Hello and Have with each peer, the end of a round, the tick |
//! | `giving` | Entries and Got: sending a peer what it lacks |
//! | `pace` | how large the frames to a peer are |
//! | `chain` | which entries are here, what may follow, the vector |
//! | `catchup` | what a peer lacks, in log order, a frame at a time |
//! | `frame` | which signatures of a frame are checked, on both sides |
//! | `waiting` | entries that came too early, bounded |
//! | `fork` | proofs that an author signed two histories |
//! | `peer` | what is remembered of one connected peer |

#![warn(clippy::indexing_slicing)]

mod admission;
mod carried;
mod catchup;
mod chain;
mod conversation;
mod fork;
mod frame;
mod giving;
mod holding;
pub mod io;
mod pace;
mod peer;
mod replica;
mod waiting;

pub use fork::ForkProof;
pub use io::{Batch, Effect, Input, Outcome, Verdict};
pub use peer::PeerState;
pub use replica::Replica;
