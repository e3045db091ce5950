//! Integration tests of the crate: one binary, one module per subject.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "tests take seeds from the environment and read files"
)]

mod actors;
mod archived_exits;
mod attention;
mod bulk_compose;
mod claims;
mod conflicts;
mod event_ids;
mod every_state;
mod floods;
mod fold;
mod fold_regressions;
mod forged_acts;
mod gate;
mod gate_fuzz;
mod gate_groups;
mod gate_schema;
mod gate_writers;
mod histories;
mod members;
mod model;
mod pinned_event_ids;
mod seed;
mod settings;
mod values_in_events;
