//! The operator's commands on queues that are whole and on queues that are damaged: what they say,
//! word for word, and what they do.

mod exchange;
mod golden;
mod repair;
mod salvage;
mod scenes;
mod verify;
