//! Projects without a network: replicas whose clocks and meetings a test controls, in one thread.

mod batch_admission;
mod clock_skew;
mod cycle_events;
mod cycles;
mod edit_base;
mod epics;
mod explained;
mod imports;
mod maintenance;
pub(crate) mod pair;
mod presence;
mod purged;
mod ready;
mod refold_on_role_change;
mod request_ids;
mod settings;
mod trash;
mod undo;
