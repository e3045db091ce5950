//! Which tests need what of the machine: by package and by the beginning of a test's name.
//!
//! A test whose need is missing fails. `cargo xtask test` leaves those tests out of a run where `CI` is not set, and
//! nextest counts them as skipped. `tidy` holds this table to the tests that there are.

/// Chromium, ChromeDriver and axe-core.
pub(crate) const BROWSER: &str = "a browser";
/// Synapse.
pub(crate) const CHAT: &str = "a chat server";
/// `faketime`.
pub(crate) const CLOCK: &str = "a wrong clock";
/// exFAT on a loop device.
pub(crate) const STICK: &str = "a disk without modes";
/// A tmpfs and a read-only mount.
pub(crate) const MOUNTS: &str = "small and read-only disks";
/// One network namespace, by `unshare`.
pub(crate) const LOOPBACK: &str = "a network of its own";
/// Several, joined by a bridge, with lines that can be cut and slowed down.
pub(crate) const LAN: &str = "a local network of its own";

/// Need, package, beginning of the name.
pub(crate) const TESTS: &[(&str, &str, &str)] = &[
    (BROWSER, "towline-tests", "browser::"),
    (CHAT, "towline-tests", "matrix::"),
    (CHAT, "towline-tests", "fleet::room::"),
    (CHAT, "towline-tests", "fleet::two::"),
    (CLOCK, "towline-tests", "first::clock::a_clock_before_1970"),
    (STICK, "towline-tests", "first::disks::a_stick_without_modes"),
    (MOUNTS, "towline-tests", "first::disks::everything_that_reads"),
    (MOUNTS, "towline-tests", "refusals::disk::without_a_free_block"),
    (MOUNTS, "towline-tests", "refusals::disk::a_full_disk"),
    (MOUNTS, "towline-store", "cache::a_node_starts_on_a_full_disk"),
    (MOUNTS, "towline-engine", "export::stick::a_full_disk"),
    (MOUNTS, "towline-store", "log::a_full_disk"),
    (MOUNTS, "towline-store", "log::a_batch_that_does_not_fit"),
    (
        LOOPBACK,
        "towline-tests",
        "first::listen::an_address_that_was_asked_for",
    ),
    (LOOPBACK, "towline-tests", "first::readme::"),
    (LAN, "towline-tests", "lines::"),
];
