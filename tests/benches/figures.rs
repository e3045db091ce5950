//! `cargo bench`: the same figures as `cargo xtask bench`, small. Relies on the harness for everything.

fn main() -> anyhow::Result<()> {
    towline_tests::bench::run(std::env::args().skip(1), 200)
}
