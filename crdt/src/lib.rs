//! Item documents: from signed changes to the state that everybody sees.
//!
//! A change passes the [`gate`] into a document ([`doc`]). The [`fold`] computes from all acts of the document the
//! item's [`view::ItemView`] (its row), and [`projection_update`] pairs a document with its new row and the
//! events that describe the difference. In the other direction, [`compose`] makes the changes of an entry from
//! operations that somebody asks for. [`members`] knows who may do what. [`settings`] is the one document that is
//! not an item.
//!
//! Everything here is a pure function of its arguments. This crate never does IO, reads a clock, draws a random
//! number or keeps global state.

pub mod compose;
pub mod diff;
pub mod doc;
pub mod fold;
pub mod gate;
pub mod members;
pub mod projection_update;
pub mod reasons;
pub mod settings;
pub mod view;
