//! The integration tests of `towline-proto`, in one binary: linking is what costs.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "tests take seeds from the environment and read files"
)]

mod address;
mod events;
mod golden;
mod hostile;
mod presence;
mod samples;
mod table;
