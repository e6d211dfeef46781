//! The bare device: `pwrite`, and `fdatasync` where the promise needs it, on a zero-filled file.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

/// What is written again and again: the size of a segment, resident in the page cache.
const FILE_BYTES: u64 = 64 << 20;
/// Zeros are written in small pieces: large ones leave large folios, which slow every later write.
const FILL_BYTES: usize = 4096;
/// What a cursor takes.
const CURSOR: [u8; 64] = [7; 64];

pub const ENTRY: Entry = Entry {
    name: super::RAW,
    release: "",
    setting: "pwrite into a zero-filled file, fdatasync where it must survive power loss",
    acknowledges: "kernel",
    can: |class: Class| !class.waits() && !class.groups() && class != Class::OsThreads,
    open,
};

struct Raw {
    data: File,
    cursor: File,
    promise: Promise,
    at: AtomicU64,
    taken: AtomicU64,
    record_bytes: AtomicU64,
}

fn open(folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let promise = class.promise();
    let file = |name: &str| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(folder.join(name))
    };
    let (data, cursor) = (file("data")?, file("cursor")?);
    let mut at = 0;
    while at < FILE_BYTES {
        data.write_all_at(&[0; FILL_BYTES], at)?;
        at += FILL_BYTES as u64;
    }
    data.sync_all()?;
    Ok(Box::new(Raw {
        data,
        cursor,
        promise,
        at: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        record_bytes: AtomicU64::new(0),
    }))
}

impl Raw {
    fn write(&self, bytes: &[u8]) -> Result<()> {
        let length = bytes.len() as u64;
        let slots = FILE_BYTES / length;
        let slot = self.at.fetch_add(1, Ordering::Relaxed) % slots;
        self.data.write_all_at(bytes, slot * length)?;
        if self.promise == Promise::Medium {
            self.data.sync_data()?;
        }
        Ok(())
    }
}

impl Peer for Raw {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.write(record)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        self.write(&records.concat())
    }

    fn fill(&self, records: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        for record in records {
            self.record_bytes
                .store(record.len() as u64, Ordering::Relaxed);
            self.write(record)?;
        }
        Ok(())
    }

    /// A `pread` a record, a `pwrite` of a cursor an acknowledgement.
    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let length = self.record_bytes.load(Ordering::Relaxed).max(1);
        let mut record = vec![0; usize::try_from(length)?];
        for number in 1..=records {
            let slot = self.taken.fetch_add(1, Ordering::Relaxed) % (FILE_BYTES / length);
            self.data.read_exact_at(&mut record, slot * length)?;
            if number % per_ack == 0 || number == records {
                self.cursor.write_all_at(&CURSOR, 0)?;
                each();
            }
        }
        Ok(records)
    }
}
