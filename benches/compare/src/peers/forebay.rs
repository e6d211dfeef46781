//! forebay with its defaults, and without the chained hash.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use forebay::{Consumer, Integrity, Queue, QueueOptions, SyncPolicy};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

pub const CHAINED: Entry = Entry {
    name: "forebay",
    release: "this crate",
    setting: "default options: chained hash, checksums; Always, or Manual in the kernel's classes",
    acknowledges: "kernel",
    can: |_: Class| true,
    open: |folder, class| open(folder, class.promise(), Integrity::Chained),
};

pub const CHECKSUMMED: Entry = Entry {
    name: "forebay-crc32c",
    release: "this crate",
    setting: "the same with Integrity::Crc32c: checksums only, as the peers have",
    acknowledges: "kernel",
    can: |_: Class| true,
    open: |folder, class| open(folder, class.promise(), Integrity::Crc32c),
};

pub const UNGATHERED: Entry = Entry {
    name: "forebay-no-gather",
    release: "this crate",
    setting: "the default options, but the leader of a commit waits for nobody: what the wait brings",
    acknowledges: "kernel",
    can: |class: Class| class.groups(),
    open: |folder, class| {
        let options = Queue::options().gather(false);
        open_with(folder, options, class.promise(), Integrity::Chained)
    },
};

struct Forebay {
    queue: Queue,
    /// Made when it is first used: records are kept for a consumer from then on.
    consumer: Mutex<Option<Consumer>>,
}

fn open(folder: &Path, promise: Promise, integrity: Integrity) -> Result<Box<dyn Peer>> {
    open_with(folder, Queue::options(), promise, integrity)
}

fn open_with(
    folder: &Path,
    options: QueueOptions,
    promise: Promise,
    integrity: Integrity,
) -> Result<Box<dyn Peer>> {
    let sync_policy = match promise {
        Promise::Kernel => SyncPolicy::Manual,
        Promise::Medium => SyncPolicy::Always,
    };
    let queue = options
        .sync_policy(sync_policy)
        .integrity(integrity)
        .open(folder.join("queue"))?;
    let consumer = Mutex::new(None);
    Ok(Box::new(Forebay { queue, consumer }))
}

impl Forebay {
    fn with_consumer<T>(&self, work: impl FnOnce(&mut Consumer) -> Result<T>) -> Result<T> {
        let mut held = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        let consumer = match held.as_mut() {
            Some(consumer) => consumer,
            None => held.insert(self.queue.consumer("compare")?),
        };
        work(consumer)
    }
}

impl Peer for Forebay {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.queue.enqueue(record)?;
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        self.queue.enqueue_batch(records.iter().copied())?;
        Ok(())
    }

    /// Only durable records are handed out.
    fn settle(&self) -> Result<()> {
        self.queue.sync()?;
        self.with_consumer(|_| Ok(()))
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        self.with_consumer(|consumer| {
            if per_ack == 1 {
                let mut taken = 0;
                // The record before this one has been acknowledged when the next is handed out.
                consumer.drain(|record| {
                    std::hint::black_box(record.payload);
                    if taken > 0 {
                        each();
                    }
                    if taken == records {
                        return Err(());
                    }
                    taken += 1;
                    Ok(())
                })?;
                return Ok(taken);
            }
            let mut taken = 0;
            while taken < records {
                let wanted = per_ack.min(records - taken);
                let batch = consumer.peek_batch(usize::try_from(wanted)?)?;
                std::hint::black_box(&batch);
                let Some(last) = batch.iter().last() else {
                    break;
                };
                let (count, sequence) = (batch.len() as u64, last.sequence);
                consumer.ack_through(sequence)?;
                taken += count;
                each();
            }
            Ok(taken)
        })
    }

    fn see_first(&self) -> Result<bool> {
        self.with_consumer(|consumer| Ok(consumer.peek()?.is_some()))
    }
}
