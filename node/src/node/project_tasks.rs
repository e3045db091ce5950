//! The tasks beside a project's thread: its ticks, and a watcher for its unexpected end.
//!
//! Both rely on the queue of the thread, which closes with it, and end with the node.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use towline_api::request::Failure;
use towline_engine::handle::Job;

use super::failed;

/// The interval between ticks, in milliseconds; see [`Job::Tick`].
const TICK_MS: u64 = 250;

/// Reports an unexpected end of a project's thread.
pub(super) async fn watch(
    jobs: mpsc::Sender<Job>,
    stop: CancellationToken,
    fatal: watch::Sender<Option<Failure>>,
) {
    jobs.closed().await;
    if !stop.is_cancelled() {
        let why = "the thread of a project ended unexpectedly, which is a bug; confirmed changes are on disk";
        fatal.send_replace(Some(failed(why)));
    }
}

/// Sends ticks to a project's thread. A full queue needs none.
pub(super) async fn tick(jobs: mpsc::Sender<Job>, stop: CancellationToken) {
    let mut interval = tokio::time::interval(Duration::from_millis(TICK_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        if let Err(mpsc::error::TrySendError::Closed(_)) = jobs.try_send(Job::Tick) {
            return;
        }
    }
}
