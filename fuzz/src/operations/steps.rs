//! What can happen to a queue, as a fuzzer says it.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Overflow, Preallocate, Queue, QueueOptions, SyncPolicy};

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Step {
    Enqueue(#[arbitrary(with = size)] usize),
    Batch(#[arbitrary(with = sizes)] Vec<usize>),
    Submit {
        #[arbitrary(with = size)]
        size: usize,
        wait: bool,
    },
    Sync,
    Ack(#[arbitrary(with = few)] usize),
    AckBatch {
        #[arbitrary(with = |from: &mut Unstructured<'_>| from.int_in_range(1..=16))]
        max: usize,
        #[arbitrary(with = few)]
        keep: usize,
    },
    Drain(#[arbitrary(with = few)] usize),
    SeekBack(#[arbitrary(with = |from: &mut Unstructured<'_>| from.int_in_range(0..=63))] u64),
    Reclaim,
    Reopen(Shape),
    Kill(Shape),
    PowerCut(Shape, Loss),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Loss {
    All,
    None,
    Some(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) segment_bytes: u64,
    pub(super) max_records: u64,
    pub(super) policy: SyncPolicy,
    pub(super) overflow: Overflow,
    pub(super) padding: CommitPadding,
    pub(super) preallocate: Preallocate,
}

impl Shape {
    pub(super) fn open(self, memory: &MemoryDirectory) -> Queue {
        QueueOptions::new()
            .segment_bytes(self.segment_bytes)
            .max_records(self.max_records)
            .sync_policy(self.policy)
            .overflow(self.overflow)
            .commit_padding(self.padding)
            .preallocate(self.preallocate)
            .open_on(Arc::new(memory.clone()))
            .expect("nothing is damaged")
    }
}

impl<'a> Arbitrary<'a> for Shape {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            segment_bytes: *from.choose(&[8192, 20_000, 1 << 20])?,
            max_records: *from.choose(&[3, 40, u64::MAX])?,
            policy: *from.choose(&[
                SyncPolicy::Always,
                SyncPolicy::Manual,
                SyncPolicy::Interval(Duration::from_millis(1)),
            ])?,
            overflow: *from.choose(&[Overflow::Reject, Overflow::DropOldest])?,
            padding: *from.choose(&[
                CommitPadding::None,
                CommitPadding::Sector,
                CommitPadding::Page,
            ])?,
            preallocate: *from.choose(&[Preallocate::Allocate, Preallocate::None, Preallocate::Zero])?,
        })
    }
}

/// The length of a payload: mostly short, sometimes of several pages.
fn size(from: &mut Unstructured<'_>) -> Result<usize> {
    let byte: u8 = from.arbitrary()?;
    Ok(match byte {
        0..200 => usize::from(byte),
        200.. => usize::from(byte - 199) * 107,
    })
}

fn sizes(from: &mut Unstructured<'_>) -> Result<Vec<usize>> {
    let count = few(from)? % 6;
    (0..count).map(|_| size(from)).collect()
}

fn few(from: &mut Unstructured<'_>) -> Result<usize> {
    from.int_in_range(0..=15)
}
