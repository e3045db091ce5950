//! Projects without a network: replicas whose clocks and meetings a test controls, in one thread.

mod asked;
mod circle_news;
mod circles;
mod epics;
mod explained;
mod imports;
mod pair;
mod presence;
mod purged;
mod ranks;
mod ready;
mod settings;
mod skew;
mod together;
mod trash;
mod upkeep;
