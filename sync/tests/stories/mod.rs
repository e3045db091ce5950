//! Single conversations between few nodes, each told as a story.

mod bounds;
mod catchup;
mod forks;
mod hostile;
mod net;
