//! Item documents: from an author's bytes to what everybody sees.
//!
//! The way of a change: [`gate`] admits it, [`doc`] holds it, [`fold`] derives from all acts of an
//! item its one [`view::ItemView`], and [`projection_update`] pairs a document with its row and the events that
//! tell the difference. [`compose`] goes the other way: from an operation that somebody asks for to
//! the changes of an entry. [`members`] says who may. [`settings`] is the one
//! document that is no item.
//!
//! Everything here is a pure function of its arguments. This crate never does IO, reads a clock,
//! draws a random number or keeps global state.

pub mod compose;
pub mod diff;
pub mod doc;
pub mod fold;
pub mod gate;
pub mod members;
pub mod projection_update;
pub mod settings;
pub mod view;
