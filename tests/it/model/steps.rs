//! What can happen to a queue, drawn at random.

use std::sync::Arc;
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::{CommitPadding, Overflow, Preallocate, Queue, QueueOptions, SyncPolicy};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Enqueue(usize),
    Batch(Vec<usize>),
    Submit {
        size: usize,
        wait: bool,
    },
    Sync,
    /// Peek and acknowledge, one by one.
    Ack(usize),
    /// Peek a batch and acknowledge it, but for its last records.
    AckBatch {
        max: usize,
        keep: usize,
    },
    /// Drain until so many are accepted, then refuse.
    Drain(usize),
    SeekBack(u64),
    Reclaim,
    Reopen(Shape),
    Kill(Shape),
    PowerCut(Shape, Loss),
}

#[derive(Clone, Copy, Debug)]
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

pub(super) fn shapes() -> impl Strategy<Value = Shape> {
    let policies = prop_oneof![
        Just(SyncPolicy::Always),
        Just(SyncPolicy::Manual),
        Just(SyncPolicy::Interval(Duration::from_millis(1))),
    ];
    let paddings = prop_oneof![
        4 => Just(CommitPadding::None),
        1 => Just(CommitPadding::Sector),
        1 => Just(CommitPadding::Page),
    ];
    (
        prop_oneof![Just(8192), Just(20_000), Just(1 << 20)],
        prop_oneof![Just(3_u64), Just(40), Just(u64::MAX)],
        policies,
        prop_oneof![Just(Overflow::Reject), Just(Overflow::DropOldest)],
        paddings,
        prop_oneof![
            Just(Preallocate::Allocate),
            Just(Preallocate::None),
            Just(Preallocate::Zero),
        ],
    )
        .prop_map(
            |(segment_bytes, max_records, policy, overflow, padding, preallocate)| Shape {
                segment_bytes,
                max_records,
                policy,
                overflow,
                padding,
                preallocate,
            },
        )
}

pub(super) fn steps() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![3 => 0..200_usize, 1 => Just(0), 1 => 2000..6000_usize];
    let loss = prop_oneof![
        Just(Loss::All),
        Just(Loss::None),
        any::<u64>().prop_map(Loss::Some)
    ];
    prop_oneof![
        6 => size().prop_map(Step::Enqueue),
        3 => prop::collection::vec(size(), 0..6).prop_map(Step::Batch),
        2 => (size(), any::<bool>()).prop_map(|(size, wait)| Step::Submit { size, wait }),
        2 => Just(Step::Sync),
        3 => (1..6_usize).prop_map(Step::Ack),
        2 => (1..9_usize, 0..3_usize).prop_map(|(max, keep)| Step::AckBatch { max, keep }),
        3 => (0..12_usize).prop_map(Step::Drain),
        1 => (1..30_u64).prop_map(Step::SeekBack),
        1 => Just(Step::Reclaim),
        2 => shapes().prop_map(Step::Reopen),
        2 => shapes().prop_map(Step::Kill),
        2 => (shapes(), loss).prop_map(|(shape, loss)| Step::PowerCut(shape, loss)),
    ]
}
