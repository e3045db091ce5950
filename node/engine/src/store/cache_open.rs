//! Opens the cache of a project, and reports in which state it was.
//!
//! Decides nothing about what is in it.

use std::path::Path;

use towline_proto::Millis;
use towline_store::cache::{Cache, CacheError, OpenOutcome};
use towline_store::log::Log;

/// Opens the cache. On a full disk it gets the room of the log's reserve, so that reading and starting
/// go on; and where even that is used up, everything is made from the log in a folder elsewhere.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn open_cache(now: Millis, dir: &Path) -> Result<Cache, CacheError> {
    let cache = dir.join("cache");
    let opened = match Cache::open(now, &cache) {
        Err(CacheError::Full { .. }) => {
            Log::release_reserve_of(&dir.join("log"));
            Cache::open(now, &cache)
        }
        opened => opened,
    };
    match opened {
        Err(full @ CacheError::Full { .. }) => {
            let temporary = Cache::open_temporary(now).map_err(|_| full)?;
            let there = temporary.temporary_dir().unwrap_or(&cache).display();
            tracing::error!(%there, "the disk is full: derived data is kept in this folder until the next start, and nothing can be written until there is space");
            Ok(temporary)
        }
        opened => {
            let (cache, state) = opened?;
            log_state(&state);
            Ok(cache)
        }
    }
}

/// A damaged cache is rebuilt automatically, so this is logged and is not a finding.
fn log_state(opened: &OpenOutcome) {
    match opened {
        OpenOutcome::Created | OpenOutcome::Intact => {}
        OpenOutcome::Repaired { removed } => {
            tracing::warn!(
                removed,
                "a part of the cache was removed so that it opens; nothing is lost"
            );
        }
        OpenOutcome::Replaced { aside, why } => {
            tracing::warn!(aside = %aside.display(), %why, "the cache was moved aside and is rebuilt from the log");
        }
    }
}
