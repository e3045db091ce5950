//! Tests of the crate from outside: one binary, one module a subject.

mod fold;
mod world;
