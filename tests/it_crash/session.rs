//! A queue in use, one operation after the other, with what was promised so far.

use std::collections::HashSet;
use std::sync::Arc;

use forebay::storage::memory::{Fate, MemoryDirectory, UnsyncedChange};
use forebay::{Consumer, Overflow, Queue, QueueOptions, SyncPolicy};

use crate::support::{options, payload};

/// More than three operations enqueue without dropping any.
pub(crate) const CAPACITY: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    EnqueueSmall,
    EnqueueSpanningPages,
    EnqueueBatch,
    Rotate,
    Ack,
    DropOldest,
    Reclaim,
    Sync,
    Reopen,
}

pub(crate) const OPERATIONS: [Operation; 9] = [
    Operation::EnqueueSmall,
    Operation::EnqueueSpanningPages,
    Operation::EnqueueBatch,
    Operation::Rotate,
    Operation::Ack,
    Operation::DropOldest,
    Operation::Reclaim,
    Operation::Sync,
    Operation::Reopen,
];

/// What was promised so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// By sequence: no history here gives a sequence twice.
    pub(crate) payloads: Vec<Vec<u8>>,
    /// Where the log cannot end, because a batch is whole or gone.
    pub(crate) inside_batches: HashSet<u64>,
    pub(crate) durable: u64,
    pub(crate) acked: u64,
}

/// A queue in use.
pub(crate) struct Session {
    pub(crate) memory: MemoryDirectory,
    pub(crate) policy: SyncPolicy,
    queue: Option<Queue>,
    consumer: Option<Consumer>,
    pub(crate) promises: Promises,
}

fn bounded(policy: SyncPolicy) -> QueueOptions {
    options(policy)
        .max_records(CAPACITY)
        .overflow(Overflow::DropOldest)
}

pub(crate) fn open_bounded(memory: &MemoryDirectory, policy: SyncPolicy) -> Queue {
    bounded(policy)
        .open_on(Arc::new(memory.clone()))
        .expect("a power cut never keeps a queue from opening")
}

impl Session {
    pub(crate) fn begin(memory: MemoryDirectory, promises: Promises, policy: SyncPolicy) -> Self {
        let queue = open_bounded(&memory, policy);
        let mut session = Self {
            memory,
            policy,
            queue: Some(queue),
            consumer: None,
            promises,
        };
        session.note_durable();
        session
    }

    fn queue(&self) -> &Queue {
        self.queue.as_ref().expect("a session has an open queue")
    }

    fn enqueue(&mut self, count: usize, length: usize) {
        for _ in 0..count {
            let next = self.promises.payloads.len() as u64;
            let bytes = payload(next, length);
            let given = self.queue().enqueue(&bytes).expect("nothing fails here");
            assert_eq!(given.get(), next);
            self.promises.payloads.push(bytes);
        }
    }

    fn enqueue_batch(&mut self, count: u64, length: usize) {
        let next = self.promises.payloads.len() as u64;
        let batch: Vec<_> = (next..next + count)
            .map(|sequence| payload(sequence, length))
            .collect();
        let given = self
            .queue()
            .enqueue_batch(&batch)
            .expect("nothing fails here");
        assert_eq!(given.start.get(), next);
        self.promises.payloads.extend(batch);
        self.promises.inside_batches.extend(next + 1..next + count);
    }

    fn ack(&mut self) {
        let queue = self.queue.as_ref().expect("a session has an open queue");
        let consumer = self
            .consumer
            .get_or_insert_with(|| queue.consumer("c").expect("nothing fails here"));
        let batch = consumer.peek_batch(2).expect("nothing fails here");
        let Some(last) = batch.last().map(|record| record.sequence) else {
            return;
        };
        consumer.ack_through(last).expect("nothing fails here");
        self.promises.acked = self.promises.acked.max(last.get() + 1);
    }

    fn reopen(&mut self) {
        self.consumer = None;
        let queue = self.queue.take().expect("a session has an open queue");
        let next = queue.next();
        queue.close().expect("nothing fails here");
        let queue = open_bounded(&self.memory, self.policy);
        assert!(queue.recovery().clean, "{:?}", queue.recovery());
        assert_eq!(queue.next(), next);
        self.queue = Some(queue);
    }

    pub(crate) fn run(&mut self, operation: Operation) {
        match operation {
            Operation::EnqueueSmall => self.enqueue(1, 300),
            Operation::EnqueueSpanningPages => self.enqueue(1, 5000),
            Operation::EnqueueBatch => self.enqueue_batch(3, 400),
            Operation::Rotate => self.enqueue(3, 1500),
            Operation::Ack => self.ack(),
            Operation::DropOldest => self.enqueue_batch(10, 20),
            Operation::Reclaim => {
                self.queue().reclaim().expect("nothing fails here");
            }
            Operation::Sync => {
                self.queue().sync().expect("nothing fails here");
            }
            Operation::Reopen => self.reopen(),
        }
        self.note_durable();
    }

    /// What the queue itself says is durable, which must be all of it under `Always`.
    fn note_durable(&mut self) {
        let (durable, next) = (self.queue().durable().get(), self.queue().next().get());
        if self.policy == SyncPolicy::Always {
            assert_eq!(
                durable, next,
                "an enqueue returned before its record was durable"
            );
        }
        assert!(durable >= self.promises.durable, "the watermark fell");
        self.promises.durable = durable;
    }
}

/// A queue that a power cut has left with records behind a hole.
pub(crate) fn leave_torn(policy: SyncPolicy) -> (MemoryDirectory, Promises) {
    let mut session = Session::begin(MemoryDirectory::new(), Promises::default(), policy);
    session.enqueue(2, 300);
    session.queue().sync().expect("nothing fails here");
    session.note_durable();
    session.ack();
    let kept = session.promises.clone();
    session.policy = SyncPolicy::Manual;
    drop(session.queue.take());
    session.consumer = None;
    session.queue = Some(open_bounded(&session.memory, SyncPolicy::Manual));
    session.enqueue(1, 900);
    session.enqueue(2, 1500);
    let image = session.memory.crash(&mut |unit| {
        let is_page = matches!(unit.change, UnsyncedChange::Page { page: 1, .. });
        if is_page && unit.name.ends_with(".log") {
            Fate::Lost
        } else {
            Fate::Kept
        }
    });
    (
        image,
        Promises {
            durable: 2,
            acked: 2,
            ..kept
        },
    )
}
