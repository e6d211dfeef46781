//! A second decoder of the format, written in another language from docs/FORMAT.md alone, against
//! the crate: what both say of the same files is compared. Where they differ, the crate or the
//! document is wrong.
//!
//! `read_queue.py` beside this file is that decoder; `python3` runs it. Where there is none, the
//! tests say loudly that they were skipped.

mod agree;
mod emptied;
mod flips;
mod golden;
mod listing;
mod lives;
mod repaired;
mod scene;
