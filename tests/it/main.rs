//! The contract of the crate, seen from outside.

mod buffer;
mod consumer;
mod gate;
mod input;
mod model;
mod queue;
mod scene;
mod snapshot;
#[path = "../stage/tree.rs"]
mod tree;
