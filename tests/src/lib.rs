//! towline-tests
