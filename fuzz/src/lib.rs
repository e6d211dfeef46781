//! What the two large fuzz targets run: a damaged queue, and a sequence of operations.
//!
//! The small ones are functions of `forebay::fuzzing`, because decoders are private to the crate.

mod damage;
mod directory;
mod golden;
mod operations;
mod payload;
mod scene;

pub use damage::{Case, Edit};
pub use directory::directory;
pub use golden::{Golden, Machine, goldens};
pub use operations::{Story, operations};
