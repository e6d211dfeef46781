//! Who may drain the buffer now, and what the sinks have accepted so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::dead_letters::{DeadLetter, DeadLetters};
use super::sink::Delivery;
use crate::consumer::Consumer;
use crate::error::{Error, ErrorKind, Result};
use crate::position::Sequence;

/// Nobody holds the lease.
const NOBODY: u64 = 0;

/// The buffer's consumer, shared with its thread.
///
/// The lease, not the lock, says who drains: the lock is held for one piece of file work, or by a
/// drain that blocks. A future that is dropped gives back the lease at once, whatever the thread
/// is doing for it; what was accepted by then is noted here, and acknowledged before the next
/// drain reads.
pub(super) struct Desk {
    consumer: Mutex<Consumer>,
    holder: AtomicU64,
    leases: AtomicU64,
    /// Every event before this one was accepted, as far as sinks were asked.
    accepted: AtomicU64,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

/// The right to drain. Given back when dropped.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    desk: &'a Desk,
    number: u64,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.desk.holder.store(NOBODY, Ordering::Release);
    }
}

/// What the thread is asked to do for a drain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand {
    /// Whether it is the first of its drain, which begins at the first event not accepted. What a
    /// dropped drain had read before, or has read even now, is handed out again then.
    pub(super) first: bool,
    /// How many records to read at most.
    pub(super) records_max: usize,
}

/// What came of an errand.
#[derive(Debug)]
pub(super) struct Haul {
    /// Every event before this one is acknowledged.
    pub(super) settled: Result<Sequence>,
    /// The next records, none where there is none.
    pub(super) parcels: Result<Vec<Delivery<()>>>,
}

impl Desk {
    pub(super) fn new(consumer: Consumer) -> Self {
        Self {
            consumer: Mutex::new(consumer),
            holder: AtomicU64::new(NOBODY),
            leases: AtomicU64::new(NOBODY),
            accepted: AtomicU64::new(0),
        }
    }

    /// The lease, unless another drain has it.
    pub(super) fn lease(&self) -> Result<Lease<'_>> {
        let number = self.leases.fetch_add(1, Ordering::Relaxed) + 1;
        // Acquire pairs with the release of the lease before.
        self.holder
            .compare_exchange(NOBODY, number, Ordering::Acquire, Ordering::Relaxed)
            .map_err(|_holder| {
                Error::new(ErrorKind::Busy, "another drain of the buffer is under way")
            })?;
        Ok(Lease { desk: self, number })
    }

    /// Notes that every event before `sequence` was accepted.
    pub(super) fn accept_below(&self, sequence: Sequence) {
        self.accepted.fetch_max(sequence.get(), Ordering::AcqRel);
    }

    /// Every event before this one was accepted.
    pub(super) fn accepted(&self) -> Sequence {
        Sequence::new(self.accepted.load(Ordering::Acquire))
    }

    /// Acknowledges what was accepted, and reads on.
    pub(super) fn run(&self, errand: Errand) -> Haul {
        let mut consumer = self.consumer.lock();
        let settled = self.settle(&mut consumer);
        let parcels = match settled {
            Ok(_) => read(&mut consumer, errand),
            Err(_) => Ok(Vec::new()),
        };
        Haul { settled, parcels }
    }

    /// Makes the first event that was not accepted a dead letter, and acknowledges it.
    ///
    /// One piece of work, under the lock: a drain that is dropped meanwhile has parked the event
    /// and removed it, or neither.
    pub(super) fn park(
        &self,
        lease: u64,
        letters: &DeadLetters,
        letter: &DeadLetter,
    ) -> Result<()> {
        let mut consumer = self.consumer.lock();
        // Under the lock: who has the lease now waits for it before looking at the event.
        if self.holder.load(Ordering::Acquire) != lease {
            return Ok(());
        }
        letters.park(letter)?;
        self.accept_below(letter.record.sequence.plus(1));
        self.settle(&mut consumer).map(drop)
    }

    fn settle(&self, consumer: &mut Consumer) -> Result<Sequence> {
        let accepted = self.accepted();
        if let Some(last) = accepted.get().checked_sub(1) {
            consumer.ack_through(Sequence::new(last))?;
        }
        Ok(accepted)
    }
}

fn read(consumer: &mut Consumer, errand: Errand) -> Result<Vec<Delivery<()>>> {
    if errand.first {
        consumer.rewind();
    }
    let batch = consumer.next_batch(errand.records_max)?;
    Ok(batch.iter().map(|record| Delivery::of(&record)).collect())
}

impl<'a> Lease<'a> {
    /// What names this lease.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn desk(&self) -> &'a Desk {
        self.desk
    }

    /// The consumer, at the first event that was not accepted. It may wait for the thread.
    pub(super) fn consumer(&self) -> Result<MutexGuard<'a, Consumer>> {
        let mut consumer = self.desk.consumer.lock();
        self.desk.settle(&mut consumer)?;
        consumer.rewind();
        Ok(consumer)
    }
}
