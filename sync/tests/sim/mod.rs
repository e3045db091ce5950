//! A seeded simulation: several nodes, a network that misbehaves, then one that heals.
//!
//! Everything follows from the seed, so a failing one can be replayed: `TOWLINE_SEED=17`.

pub(crate) mod node;
pub(crate) mod rng;
pub(crate) mod world;

use world::World;

/// Seeds of one test run; each takes some 50 ms.
const SEEDS: u64 = 100;

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("TOWLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => seed..seed + 1,
        None => 0..SEEDS,
    }
}

fn run(seed: u64) -> [u8; 32] {
    let mut world = World::new(seed);
    world.misbehave();
    world.heal();
    world.rest();
    world.trace()
}

#[test]
fn a_fleet_agrees_after_every_kind_of_trouble_and_then_falls_silent() {
    for seed in seeds() {
        let caught = std::panic::catch_unwind(|| (run(seed), run(seed)));
        match caught {
            Ok((first, second)) => assert_eq!(first, second, "TOWLINE_SEED={seed} gives two traces"),
            Err(panic) => {
                eprintln!("replay with TOWLINE_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
