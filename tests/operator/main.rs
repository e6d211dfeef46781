//! The operator's commands on queues that are whole and on queues that are damaged: what they say,
//! word for word, and what they do.

mod backup;
mod golden;
mod scenes;
