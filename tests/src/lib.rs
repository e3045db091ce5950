//! What the whole-system tests share: real servers and small worlds to run them in.

pub mod bench;
pub mod breaker;
pub mod browser;
pub mod forward;
pub mod gateway;
pub mod memory;
pub mod netns;
pub mod person;
pub mod process;
pub mod synapse;
