//! Why operations fail: one enum for each family, with its code, sentence, hint and whether trying again helps.
//!
//! Relies on [`OperationError`], through which each becomes a [`towline_api::failure::Failure`] with `?`. The
//! sentences name no command and no option of the command line: that is what hints are for. Verbs are words of
//! the domain and may be named. Nothing here decides whether something fails.

mod edit;
mod invitation;
mod item;
mod resolve;
mod settings;
mod storage;
mod take_over;
mod transfer;
mod transition;
mod undo;
mod write;

pub(crate) use edit::EditError;
pub(crate) use invitation::InvitationError;
pub(crate) use item::ItemError;
pub(crate) use resolve::ResolveError;
pub(crate) use settings::SettingsError;
pub(crate) use storage::StorageError;
pub(crate) use take_over::TakeOverError;
pub(crate) use transfer::TransferError;
pub(crate) use transition::{COMMIT, TransitionError};
pub(crate) use undo::UndoError;
pub(crate) use write::WriteError;
