//! The first minutes of a new user, and the places in which a project may find itself: the README as it stands,
//! worktrees, folders that vanish, odd disks, wrong clocks, hosts without IPv6, crowds.

mod busy;
mod clock;
mod disks;
mod folder;
mod listen;
mod names;
mod readme;
mod sockets;
mod worktree;
