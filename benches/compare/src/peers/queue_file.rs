//! queue-file: a ring in one file, with its header written last.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue_file::QueueFile;

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

pub const ENTRY: Entry = Entry {
    name: "queue-file",
    release: "queue-file 2.0.0",
    setting: "behind a mutex; removed bytes not overwritten; syncs off in the kernel's classes",
    acknowledges: "kernel",
    can: |_: Class| true,
    open,
};

struct Ring {
    file: Mutex<QueueFile>,
}

fn open(folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let promise = class.promise();
    let mut file = QueueFile::open(folder.join("queue"))?;
    file.set_sync_writes(promise == Promise::Medium);
    file.set_overwrite_on_remove(false);
    let file = Mutex::new(file);
    Ok(Box::new(Ring { file }))
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, QueueFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer for Ring {
    fn append(&self, record: &[u8]) -> Result<()> {
        Ok(self.lock().add(record)?)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        Ok(self.lock().add_n(records.iter())?)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut file = self.lock();
        let mut taken = 0;
        while taken < records && !file.is_empty() {
            let wanted = usize::try_from(per_ack.min(records - taken))?.min(file.size());
            if wanted == 1 {
                std::hint::black_box(file.peek()?);
                file.remove()?;
            } else {
                for record in file.iter().take(wanted) {
                    std::hint::black_box(record);
                }
                file.remove_n(wanted)?;
            }
            taken += wanted as u64;
            each();
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        Ok(self.lock().peek()?.is_some())
    }
}
