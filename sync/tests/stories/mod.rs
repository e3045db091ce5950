//! Scenarios with few nodes, each testing one exchange.

mod bounds;
mod catchup;
mod forks;
mod hostile;
mod net;
