//! What a peer is asked to do, and what it says of itself.

use std::error::Error;
use std::path::Path;

use crate::class::Class;

/// Any error of any peer.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What must have happened when `append` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The kernel has the bytes: they survive `kill -9`.
    Kernel,
    /// The medium has the bytes: they survive power loss.
    Medium,
}

/// An open queue or log. Threads share it; one that takes a single writer stands behind a mutex.
pub trait Peer: Send + Sync {
    /// Adds a record, with the promise it was opened with.
    fn append(&self, record: &[u8]) -> Result<()>;

    /// Adds records with one commit.
    fn append_batch(&self, _records: &[&[u8]]) -> Result<()> {
        Err("no batches".into())
    }

    /// Adds records by the fastest way there is, before the measurement.
    fn fill(&self, records: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        for record in records {
            self.append(record)?;
        }
        Ok(())
    }

    /// Does what must be done once before the first record can be taken out.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Takes up to `records` out, acknowledging `per_ack` at a time; `each` is called after every
    /// acknowledgement. Returns how many were taken.
    fn drain(&self, _records: u64, _per_ack: u64, _each: &mut dyn FnMut()) -> Result<u64> {
        Err("no consumer".into())
    }

    /// Whether the oldest record can be read: the first thing that a program does with a backlog.
    fn see_first(&self) -> Result<bool> {
        Err("no reading".into())
    }
}

/// A peer in a certain configuration.
pub struct Entry {
    pub name: &'static str,
    /// Package and version; empty for what is not a package.
    pub release: &'static str,
    /// How it is used here.
    pub setting: &'static str,
    /// What its acknowledgement survives, for those that have one.
    pub acknowledges: &'static str,
    pub can: fn(Class) -> bool,
    pub open: fn(&Path, Class) -> Result<Box<dyn Peer>>,
}
