//! Repair: what it gives up, and that an interruption changes nothing of that.

mod hostile;
mod interrupted;
mod outcome;
mod reclaimed;
mod scene;
mod starts;
mod unreadable;
