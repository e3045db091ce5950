//! Where random tests begin: another place each time, so that they explore, and the same one under CI. The tests
//! of other crates include this file.
//!
//! A test prints the seed that it begins with; `TOWLINE_FIRST_SEED` repeats it.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seed to begin with.
pub(crate) fn first_seed() -> u64 {
    let seed = match number("TOWLINE_FIRST_SEED") {
        Some(seed) => seed,
        None if std::env::var_os("CI").is_some() => 1,
        None => RandomState::new().build_hasher().finish() % 1_000_000_000,
    };
    println!("TOWLINE_FIRST_SEED={seed}");
    seed
}

/// A number in the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
