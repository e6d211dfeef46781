//! Copies of queues made beside their writers, and queues made of the copies.

mod batches;
mod beside;
mod faults;
mod identity;
mod moments;
mod refusals;
mod stage;
