//! The operator's commands on queues that are whole and on queues that are damaged: what they say,
//! word for word, and what they do.

mod backup;
mod browser;
mod consumer;
mod dead_letters;
mod dump;
mod exchange;
mod golden;
mod help;
#[cfg(feature = "sqlite")]
mod import_sqlite;
mod look;
mod names;
mod remedies;
mod repair;
mod salvage;
mod scenes;
mod strange;
mod tail;
mod verify;
