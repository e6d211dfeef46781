//! walrus: a log of topics over file descriptors. It names its folder by an environment variable,
//! `WALRUS_DATA_DIR`, which whoever starts the process sets.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

const TOPIC: &str = "compare";

pub const ENTRY: Entry = Entry {
    name: "walrus",
    release: "walrus-rust 0.2.0",
    setting: "file descriptors, its default; NoFsync, or SyncEach, which is O_SYNC and fsync both",
    acknowledges: "medium",
    can: |class: Class| !class.waits(),
    open,
};

struct Topic {
    log: Walrus,
    /// Of the last that was added: batches are asked for by their bytes.
    record_bytes: AtomicUsize,
}

fn open(_folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let schedule = match class.promise() {
        Promise::Kernel => FsyncSchedule::NoFsync,
        Promise::Medium => FsyncSchedule::SyncEach,
    };
    let log = Walrus::with_consistency_and_schedule(ReadConsistency::StrictlyAtOnce, schedule)?;
    let record_bytes = AtomicUsize::new(0);
    Ok(Box::new(Topic { log, record_bytes }))
}

impl Peer for Topic {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.record_bytes.store(record.len(), Ordering::Relaxed);
        Ok(self.log.append_for_topic(TOPIC, record)?)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        Ok(self.log.batch_append_for_topic(TOPIC, records)?)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut taken = 0;
        while taken < records {
            let wanted = usize::try_from(per_ack.min(records - taken))?;
            let count = if wanted == 1 {
                let entry = self.log.read_next(TOPIC, true)?;
                std::hint::black_box(&entry).iter().len()
            } else {
                let bytes = self.record_bytes.load(Ordering::Relaxed) * wanted;
                let entries = self.log.batch_read_for_topic(TOPIC, bytes, true)?;
                std::hint::black_box(&entries).len()
            };
            if count == 0 {
                break;
            }
            taken += count as u64;
            each();
        }
        Ok(taken)
    }
}
