//! What the models share: a disk in memory, a queue on it, and the check that follows every
//! acknowledgement.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use shuttle::thread::{self, JoinHandle};

use super::stepped::{Liar, Stepped};
use crate::log::Host;
use crate::position::Sequence;
use crate::storage::fault::FaultyDirectory;
use crate::storage::memory::MemoryDirectory;
use crate::{Error, ErrorKind, Queue, QueueOptions, SyncPolicy};

/// The smallest segments there are.
const SEGMENT_BYTES: u64 = 8192;
/// Two records of this size do not fit into a segment.
pub(super) const LARGE: usize = 3000;
pub(super) const SMALL: usize = 24;

/// A machine on which nothing is left to chance.
#[derive(Debug)]
struct ModelHost(AtomicU64);

impl Host for ModelHost {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed);
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        1
    }
}

/// The disk of a queue that was made and closed: most models begin with it, so that a schedule is
/// not spent on creation.
static MADE: LazyLock<MemoryDirectory> = LazyLock::new(|| {
    let memory = MemoryDirectory::new();
    let made = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&made);
    shuttle::check_dfs(
        move || {
            let memory = MemoryDirectory::new();
            let options = options(SyncPolicy::Always);
            let queue = options.open_on(Arc::new(memory.clone()));
            queue.expect("a queue").close().expect("it closes");
            *kept.lock() = Some(memory.copy());
        },
        Some(1),
    );
    let made = made.lock().take();
    made.unwrap_or(memory)
});

pub(super) fn options(policy: SyncPolicy) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(SEGMENT_BYTES)
        .preallocate(crate::Preallocate::None)
        .host(Arc::new(ModelHost(AtomicU64::new(1))))
        .sync_policy(policy)
}

/// One execution's disk, and what was acknowledged on it.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) memory: MemoryDirectory,
    pub(super) faults: FaultyDirectory,
    liar: Liar,
    acknowledged: Arc<Mutex<BTreeMap<u64, Vec<u8>>>>,
    /// Records that are not in the queue, and never will be.
    refused: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let memory = MADE.copy();
        Self {
            faults: FaultyDirectory::over_memory(memory.clone()),
            memory,
            liar: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
        }
    }

    pub(super) fn open(&self, options: QueueOptions) -> Queue {
        let storage = Stepped::new(self.faults.clone(), Arc::clone(&self.liar));
        options.open_on(Arc::new(storage)).expect("a queue")
    }

    /// From now on `folder` loses what is synced, and says so once.
    pub(super) fn lie_about(&self, folder: &'static str) {
        *self.liar.lock() = Some((folder, false));
    }

    /// The moment when somebody was told that a record is not accepted: it never turns up.
    pub(super) fn refuse(&self, payload: &[u8]) {
        self.refused.lock().push(payload.to_vec());
    }

    /// A record that no other `name` has.
    pub(super) fn payload(name: &str, length: usize) -> Vec<u8> {
        let mut payload = format!("<{name}>").into_bytes();
        payload.resize(length.max(payload.len()), b'.');
        payload
    }

    /// The moment when somebody was told that a record is durable: a power cut right now leaves
    /// it.
    pub(super) fn acknowledge(&self, sequence: Sequence, payload: &[u8]) {
        assert!(
            self.is_on_the_medium(payload),
            "{sequence} was acknowledged and is not durable"
        );
        self.remember(sequence, payload);
    }

    fn remember(&self, sequence: Sequence, payload: &[u8]) {
        let known = self
            .acknowledged
            .lock()
            .insert(sequence.get(), payload.to_vec());
        assert_eq!(known, None, "{sequence} was given twice");
    }

    fn is_on_the_medium(&self, payload: &[u8]) -> bool {
        let left = self.memory.crash_losing_all();
        let logs = left
            .names()
            .into_iter()
            .filter(|name| name.ends_with(".log"));
        logs.filter_map(|name| left.file_bytes(&name))
            .any(|bytes| bytes.windows(payload.len()).any(|found| found == payload))
    }

    /// Enqueues durably; the record is on the medium if it says so.
    pub(super) fn enqueue(&self, queue: &Queue, payload: &[u8]) -> Result<Sequence, Error> {
        let sequence = queue.enqueue(payload)?;
        let there = self.is_on_the_medium(payload);
        // Delivered or dropped in between, it may be deleted already.
        assert!(
            there || sequence < queue.first(),
            "{sequence} was acknowledged and is not durable"
        );
        self.remember(sequence, payload);
        Ok(sequence)
    }

    /// A thread that enqueues `count` records durably and expects no failure.
    pub(super) fn producer(
        &self,
        queue: &Queue,
        name: &'static str,
        (count, length): (usize, usize),
    ) -> JoinHandle<()> {
        let (scene, queue) = (self.clone(), queue.clone());
        thread::spawn(move || {
            for at in 0..count {
                let payload = Self::payload(&format!("{name}{at}"), length);
                let enqueued = scene.enqueue(&queue, &payload);
                enqueued.expect("the record is accepted");
            }
        })
    }

    pub(super) fn acknowledged(&self) -> BTreeMap<u64, Vec<u8>> {
        self.acknowledged.lock().clone()
    }

    /// Cuts the power and opens what is left: every acknowledged record is there, once, in its
    /// place, and nothing is damaged.
    pub(super) fn survives_a_power_cut(&self) {
        // Noted before the cut: what is acknowledged during it may miss it.
        let acknowledged = self.acknowledged();
        self.check_image(self.memory.crash_losing_all(), &acknowledged);
    }

    pub(super) fn survives_in(&self, left: MemoryDirectory) {
        self.check_image(left, &self.acknowledged());
    }

    fn check_image(&self, left: MemoryDirectory, acknowledged: &BTreeMap<u64, Vec<u8>>) {
        let options = options(SyncPolicy::Manual);
        let queue = options.open_on(Arc::new(left)).expect("it opens");
        assert_eq!(queue.recovery().corruption, [], "a power cut is no damage");
        let mut reader = queue.consumer("after").expect("a consumer");
        let mut there = BTreeMap::new();
        while let Some(record) = reader.peek().expect("readable") {
            there.insert(record.sequence.get(), record.payload.to_vec());
            let sequence = record.sequence;
            reader.ack_through(sequence).expect("an ack");
        }
        for payload in &*self.refused.lock() {
            assert!(
                !there.values().any(|found| found == payload),
                "it was refused"
            );
        }
        let first = queue.first().get();
        for (sequence, payload) in acknowledged.range(first..) {
            let found = there.get(sequence);
            assert!(found == Some(payload), "{sequence} was acknowledged");
        }
    }
}

/// Waits until all threads have ended.
pub(super) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// Whether a call was refused because the queue is poisoned.
pub(super) fn is_poison(error: &Error) -> bool {
    error.kind() == ErrorKind::Poisoned
}
