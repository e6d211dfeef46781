//! The work of a class, done once against one peer: a cell.

mod adding;
mod backlog;
mod drain;
pub mod reopen;

use std::path::Path;
use std::time::Duration;

use crate::class::Class;
use crate::figures::Figures;
use crate::payloads::Payloads;
use crate::peer::{Entry, Result};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub class: Class,
    pub record_bytes: usize,
    pub seconds: f64,
    /// Records that are waiting when `drain` and `reopen` begin.
    pub waiting: u64,
    /// Instead of `seconds`, exactly so many calls of one thread each, for counting syncs.
    pub calls: Option<u64>,
    /// How long every sync takes at least.
    pub sync_microseconds: u64,
}

impl Load {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

pub fn run(entry: &Entry, folder: &Path, load: &Load) -> Result<Figures> {
    let payloads = Payloads::new(load.record_bytes);
    crate::syncs::prolong(load.sync_microseconds);
    match load.class {
        Class::Reopen | Class::Killed => reopen::run(entry, folder, load, &payloads),
        Class::Backlog { records } => {
            let peer = (entry.open)(folder, load.class)?;
            backlog::run(peer.as_ref(), records, load, &payloads)
        }
        Class::Drain | Class::DrainBatch => {
            let peer = (entry.open)(folder, load.class)?;
            drain::run(peer.as_ref(), load, &payloads)
        }
        _ => {
            let peer = (entry.open)(folder, load.class)?;
            adding::run(peer.as_ref(), load, &payloads)
        }
    }
}
