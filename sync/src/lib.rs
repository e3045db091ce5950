//! towline-sync
