//! The replication core of one project as a state machine: inputs in, effects out.
//!
//! It never does IO, reads a clock, spawns a thread or uses a hash map whose order could leak.
