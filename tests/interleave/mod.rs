//! Models of the queue as it ships: a scheduler decides who goes on at every lock, atomic, wait
//! and storage call, and each claim is looked at over thousands of such schedules.
//!
//! Part of the crate's unit tests under `--cfg shuttle`, where `crate::sync` is the checker's:
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test --release --lib interleave
//! ```
//!
//! `FOREBAY_SCHEDULES` is how many schedules each claim gets, `FOREBAY_SEED` where they begin; a
//! failure names both, and the same two fail again at the same place.

mod closing;
mod committing;
mod consuming;
mod explore;
mod failing;
mod keeping;
mod preparing;
mod scene;
mod stepped;
