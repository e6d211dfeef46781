//! What a backup was made of, for the caller.

use std::time::Duration;

use super::manifest::Manifest;
use crate::error::{Corruption, Unreadable};

/// What a backup was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// What the backup consists of.
    pub manifest: Manifest,
    /// What is damaged in the queue, and therefore in the backup: the files named are the queue's.
    /// A torn tail is none.
    pub damage: Vec<Corruption>,
    /// What the system did not give back of the queue. In the backup there are zeros instead, or an
    /// empty file for what is none; records behind the end of the log that it may have hidden are
    /// not in it, and nothing but this tells of them.
    pub unreadable: Vec<Unreadable>,
    /// How often the queue was gone through until nothing had been taken away meanwhile.
    pub passes: u32,
    /// How long it took.
    pub elapsed: Duration,
}

impl BackupReport {
    /// Whether the queue is damaged or cannot be read everywhere, and the backup with it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.damage.is_empty() || !self.unreadable.is_empty()
    }
}
