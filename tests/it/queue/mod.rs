//! The face of the queue, option by option and call by call.

mod bounds;
mod closing;
mod durability;
mod events;
mod full;
mod numbers;
mod options;
mod threads;
mod tickets;
mod upkeep;
