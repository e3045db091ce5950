//! `cargo run --release -p towline-tests --bin bench -- [--items N] [--full] [NAME…]`: see
//! `docs/performance.md`. Only hands its arguments to the harness.

fn main() -> anyhow::Result<()> {
    towline_tests::bench::run(std::env::args().skip(1), 1_000)
}
