//! Where random tests begin: another place each time, so that they explore, and the same one under CI.
//!
//! A test prints the seed that it begins with; `TOWLINE_FIRST_SEED` repeats it.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seed to begin with.
pub(crate) fn first_seed() -> u64 {
    let given = std::env::var("TOWLINE_FIRST_SEED").ok();
    let seed = match given.and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed,
        None if std::env::var_os("CI").is_some() => 1,
        None => RandomState::new().build_hasher().finish() % 1_000_000_000,
    };
    println!("TOWLINE_FIRST_SEED={seed}");
    seed
}
