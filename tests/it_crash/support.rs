//! Verbs that all modules of this binary use: open, fill, drain, cut the power.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use forebay::storage::Directory;
use forebay::storage::memory::{Fate, MemoryDirectory, Unsynced};
use forebay::{Consumer, Error, Gap, Queue, QueueOptions, Sequence, SyncPolicy};

/// The smallest segments there are, so that a few records rotate.
pub(crate) const SEGMENT_BYTES: u64 = 8192;

/// Options with the smallest segments.
pub(crate) fn options(policy: SyncPolicy) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(SEGMENT_BYTES)
        .sync_policy(policy)
}

/// Opens `memory` with small segments.
pub(crate) fn open(memory: &MemoryDirectory, policy: SyncPolicy) -> Queue {
    try_open(memory, options(policy)).expect("the queue opens")
}

/// Opens `memory` with `options`.
pub(crate) fn try_open(memory: &MemoryDirectory, options: QueueOptions) -> Result<Queue, Error> {
    options.open_on(Arc::new(memory.clone()))
}

/// Opens any storage with small segments.
pub(crate) fn open_storage(storage: Arc<dyn Directory>, policy: SyncPolicy) -> Queue {
    options(policy).open_on(storage).expect("the queue opens")
}

/// A payload of `length` bytes that no other `sequence` has.
pub(crate) fn payload(sequence: u64, length: usize) -> Vec<u8> {
    let mut bytes = format!("record {sequence}:").into_bytes();
    let filler = (sequence % 251).to_le_bytes()[0] | 1;
    bytes.resize(length.max(bytes.len()), filler);
    bytes
}

/// Enqueues `count` records of `length` bytes, each telling its sequence.
pub(crate) fn fill(queue: &Queue, count: u64, length: usize) {
    for _ in 0..count {
        let next = queue.next().get();
        let given = queue
            .enqueue(payload(next, length))
            .expect("there is room for the record");
        assert_eq!(given.get(), next, "one producer gets the next sequence");
    }
}

/// Drains `consumer`, acknowledging everything; what it got by sequence, in order.
pub(crate) fn drain(consumer: &mut Consumer) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let mut got: Vec<(u64, Vec<u8>)> = Vec::new();
    loop {
        let batch = consumer.peek_batch(64)?;
        let Some(last) = batch.last().map(|record| record.sequence) else {
            return Ok(got);
        };
        for record in batch.iter() {
            got.push((record.sequence.get(), record.payload.to_vec()));
        }
        consumer.ack_through(last)?;
    }
}

/// Drains the consumer `name` of `queue`.
pub(crate) fn drain_all(queue: &Queue, name: &str) -> Vec<(u64, Vec<u8>)> {
    let mut consumer = queue.consumer(name).expect("the consumer opens");
    drain(&mut consumer).expect("everything can be read")
}

/// The sequences that `name` gets.
pub(crate) fn drain_sequences(queue: &Queue, name: &str) -> Vec<u64> {
    let got = drain_all(queue, name);
    got.into_iter().map(|(sequence, _)| sequence).collect()
}

/// Asserts that `name` gets exactly the sequences `range`, each with its own payload.
pub(crate) fn assert_drains(queue: &Queue, name: &str, range: Range<u64>) {
    let got = drain_all(queue, name);
    let sequences: Vec<u64> = got.iter().map(|(sequence, _)| *sequence).collect();
    let expected: Vec<u64> = range.collect();
    assert_eq!(sequences, expected, "{:?}", queue.recovery());
    for (sequence, bytes) in got {
        let lead = format!("record {sequence}:");
        assert!(
            bytes.starts_with(lead.as_bytes()),
            "record {sequence} has another's payload"
        );
    }
}

/// The image that a kill leaves; `queue` is dropped on the original, which the image does not see.
pub(crate) fn kill(memory: &MemoryDirectory, queue: Queue) -> MemoryDirectory {
    let image = memory.process_kill();
    drop(queue);
    image
}

/// The image that a power cut leaves when nothing unsynced survives.
pub(crate) fn cut_power(memory: &MemoryDirectory, queue: Queue) -> MemoryDirectory {
    let image = memory.crash_losing_all();
    drop(queue);
    image
}

/// Waits until the idle queue in `memory` has synced what it had written.
pub(crate) fn settle(memory: &MemoryDirectory) {
    let is_cache = |unit: &Unsynced| unit.name.contains(".idx");
    // Zeros in the segment that is made ready are the device's to take in its time.
    let is_zeros = |unit: &Unsynced| {
        unit.name.ends_with(".log") && !segments(memory).iter().any(|name| *name == *unit.name)
    };
    while memory
        .unsynced()
        .iter()
        .any(|unit| !is_cache(unit) && !is_zeros(unit))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All files but the lock, which names a process.
pub(crate) fn contents(memory: &MemoryDirectory) -> BTreeMap<String, Vec<u8>> {
    let names = memory.names().into_iter().filter(|name| name != "LOCK");
    names
        .map(|name| {
            let bytes = memory.file_bytes(&name).expect("a listed file is there");
            (name, bytes)
        })
        .collect()
}

/// The files of segments in which something was written, oldest first: not the one that is made
/// ready behind them.
pub(crate) fn segments(memory: &MemoryDirectory) -> Vec<String> {
    let is_segment = |name: &String| {
        let bytes = memory.file_bytes(name).unwrap_or_default();
        name.starts_with("segments/")
            && name.ends_with(".log")
            && bytes.iter().skip(4096).any(|byte| *byte != 0)
    };
    memory.names().into_iter().filter(is_segment).collect()
}

/// Changes the bytes of a file.
pub(crate) fn edit(memory: &MemoryDirectory, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = memory.file_bytes(name).expect("the file is there");
    change(&mut bytes);
    memory.put_file(name, &bytes);
}

/// The offset of `needle` in a file.
pub(crate) fn find(memory: &MemoryDirectory, name: &str, needle: &[u8]) -> usize {
    let bytes = memory.file_bytes(name).expect("the file is there");
    let mut windows = bytes.windows(needle.len());
    windows
        .position(|window| window == needle)
        .expect("the bytes are in the file")
}

/// The ranges of `gaps`.
pub(crate) fn ranges(gaps: &[Gap]) -> Vec<Range<u64>> {
    let plain = |range: &Range<Sequence>| range.start.get()..range.end.get();
    gaps.iter().map(|gap| plain(&gap.range)).collect()
}

/// What takes longer hangs, on a machine with much else to do, too.
const HANG: Duration = Duration::from_mins(5);

/// Runs `work` in a thread of its own and ends the whole test process when it hangs.
pub(crate) fn guard<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let result = work();
        done.send(()).ok();
        result
    });
    if finished.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
        tell(&format!("HANG: {what}"));
        std::process::abort();
    }
    match worker.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Says something on the test's output.
#[expect(clippy::print_stderr, reason = "what a sweep counted is worth seeing")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Numbers that look random and are the same each time.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).expect("it is below a usize")
    }

    /// What becomes of one unsynced thing: lost, kept, or some of its sectors.
    pub(crate) fn fate(&mut self, _unit: &Unsynced) -> Fate {
        let roll = self.roll();
        match roll % 4 {
            0 => Fate::Lost,
            1 | 2 => Fate::Kept,
            _ => Fate::Torn {
                sectors: (roll >> 8).to_le_bytes()[0],
            },
        }
    }
}
