//! Doors that a stranger must not shut: silent connections, unfinished requests, foul bytes, broken files
//! and full disks, against nodes as real processes on loopback.

mod crowds;
mod logs;
mod projects;
mod tokens;

use std::fs;
use std::path::PathBuf;

use towline_tests::process::{Place, Running};

/// Ann's project with one item.
fn shop() -> Place {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("The first");
    ann
}

/// How many descriptors a node has open.
fn descriptors(node: &Running<'_>) -> usize {
    let folder = PathBuf::from(format!("/proc/{}/fd", node.pid()));
    fs::read_dir(folder).expect("a running process").count()
}
