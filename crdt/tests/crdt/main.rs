//! Tests of the crate from outside: one binary, one module a subject.
#![allow(clippy::unwrap_used)]

mod attention;
mod claims;
mod contests;
mod ends;
mod floods;
mod fold;
mod forged;
mod found;
mod gate;
mod gate_fuzz;
mod gate_schema;
mod gate_together;
mod gate_world;
mod histories;
mod members;
mod model;
mod news;
mod seed;
mod settings;
mod shown;
mod standings;
mod together;
mod world;
