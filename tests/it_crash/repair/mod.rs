//! Repair: what it gives up, and that an interruption changes nothing of that.

mod interrupted;
mod outcome;
mod scene;
mod unreadable;
