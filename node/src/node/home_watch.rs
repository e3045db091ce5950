//! Watches the home of a running node: its folder, with the lock and the projects.
//!
//! Open files stay writable when their folder is removed, by `git clean -fdx` or with a worktree, and what is
//! written to them then is lost silently. So the node checks every second. It only checks: a folder that is
//! gone is not created again.

use std::sync::Weak;
use std::time::Duration;

use towline_api::request::{Failure, FailureCode};

use super::Node;

/// The interval between checks; what is acknowledged in between may be lost.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Checks until the node is dropped or its home is gone.
pub(super) async fn watch(node: Weak<Node>) {
    let mut interval = tokio::time::interval(CHECK_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(node) = node.upgrade() else { return };
        if node.stop.is_cancelled() {
            return;
        }
        let checked = tokio::task::spawn_blocking(move || {
            let missing = missing(&node);
            if let Some(why) = &missing {
                node.fatal.send_replace(Some(why.clone()));
            }
            missing.is_some()
        });
        if checked.await.unwrap_or(true) {
            return;
        }
    }
}

/// The failure, if a part of the home is missing.
fn missing(node: &Node) -> Option<Failure> {
    let failed = |what: String| {
        let message = format!(
            "{what} while the node was running (`git clean -fdx` or removing a worktree does that). \
             Changes of the last second may be lost; join the project again to get everything that other members have"
        );
        Some(Failure::new(FailureCode::Failure, message))
    };
    let dir = node.home.dir();
    if !node.lock.still_holds(&node.home.lock_file()) {
        return failed(format!("{} was removed or replaced", dir.display()));
    }
    let removed = |id| {
        let log = node.home.project_dir(id).join("log");
        (!log.is_dir()).then_some(log)
    };
    let removed = node.handle.projects().iter().find_map(|link| removed(&link.id));
    removed.and_then(|log| failed(format!("{} was removed", log.display())))
}
