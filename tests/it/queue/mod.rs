//! The face of the queue, option by option and call by call.

mod bounds;
mod closing;
mod commits;
mod durability;
mod events;
mod numbers;
mod once;
mod once_together;
mod options;
mod reclaim;
mod threads;
mod tickets;
mod upkeep;
