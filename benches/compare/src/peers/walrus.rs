//! walrus: a log of topics over file descriptors. It names its folder by an environment variable,
//! `WALRUS_DATA_DIR`, which whoever starts the process sets.

use std::path::Path;

use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

use crate::class::{BATCH, Class};
use crate::peer::{Entry, Peer, Promise, Result};

const TOPIC: &str = "compare";

pub const ENTRY: Entry = Entry {
    name: "walrus",
    release: "walrus-rust 0.2.0",
    setting: "file descriptors, its default; NoFsync, or SyncEach, which is O_SYNC and fsync both",
    acknowledges: "medium (drainb: its place is saved every 100)",
    can: |class: Class| !class.waits(),
    open,
};

struct Topic {
    log: Walrus,
}

fn open(_folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let schedule = match class.promise() {
        Promise::Kernel => FsyncSchedule::NoFsync,
        Promise::Medium => FsyncSchedule::SyncEach,
    };
    let consistency = if class == Class::DrainBatch {
        let persist_every = u32::try_from(BATCH)?;
        ReadConsistency::AtLeastOnce { persist_every }
    } else {
        ReadConsistency::StrictlyAtOnce
    };
    let log = Walrus::with_consistency_and_schedule(consistency, schedule)?;
    Ok(Box::new(Topic { log }))
}

impl Peer for Topic {
    fn append(&self, record: &[u8]) -> Result<()> {
        Ok(self.log.append_for_topic(TOPIC, record)?)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        Ok(self.log.batch_append_for_topic(TOPIC, records)?)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut taken = 0;
        while taken < records {
            let Some(entry) = self.log.read_next(TOPIC, true)? else {
                break;
            };
            std::hint::black_box(entry.data);
            taken += 1;
            if taken % per_ack == 0 {
                each();
            }
        }
        Ok(taken)
    }
}
