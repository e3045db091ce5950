//! The integration tests of `towline-proto`, in one binary: linking is what costs.

mod address;
mod events;
mod golden;
mod hostile;
mod presence;
mod samples;
mod table;
