//! A gateway as people run it: the real binaries, projects on their own nodes, a real homeserver.

mod bad_input;
mod room;
mod two;
mod webhook;
