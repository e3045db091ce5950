//! Why a claim cannot be taken over without force.
//!
//! Relies on what [`crate::presence`] knows of the holder's node. Decides nothing.

use std::time::Duration;

use towline_api::failure::{FailureCode, Hint, OperationError};
use towline_proto::Verb;

/// Why the holder keeps the claim. `holder` is as in "bo on laptop".
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeOverError {
    /// Somebody else at this node holds it.
    #[error("{holder}, which is this node, holds the claim")]
    Here {
        /// Who has it.
        holder: String,
    },
    /// No node runs here, so that no presence is known.
    #[error(
        "{holder} holds the claim, and without a running node here it is unknown whether that node is gone"
    )]
    Unknown {
        /// Who has it.
        holder: String,
    },
    /// The holder's node was seen lately, or this one has not run for long enough to say.
    #[error(
        "{holder} holds the claim, and that node {}; if it is not seen again, the claim can be taken over in {}",
        seen(*.last_seen, *.running), about(*.left)
    )]
    Seen {
        /// Who has it.
        holder: String,
        /// How long ago the node was seen.
        last_seen: Option<Duration>,
        /// How long this node has been running.
        running: Duration,
        /// How long until it can be taken over.
        left: Duration,
    },
}

impl OperationError for TakeOverError {
    fn code(&self) -> FailureCode {
        FailureCode::Conflict
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Unknown { .. } => Hint::UpOrForce,
            Self::Here { .. } | Self::Seen { .. } => Hint::Force { verb: Verb::TakeOver },
        })
    }

    fn retry(&self) -> bool {
        matches!(self, Self::Seen { .. })
    }
}

fn seen(last_seen: Option<Duration>, running: Duration) -> String {
    match last_seen {
        Some(ago) => format!("was last seen {} ago", about(ago)),
        None => format!("was not seen since this node started {} ago", about(running)),
    }
}

fn about(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m {seconds}s"),
    }
}
