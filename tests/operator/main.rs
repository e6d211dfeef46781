//! The operator's commands on queues that are whole and on queues that are damaged: what they say,
//! word for word, and what they do.

mod browser;
mod golden;
mod look;
mod scenes;
mod verify;
