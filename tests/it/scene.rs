//! What the tests stand on: folders, payloads, a listener that writes down, a clock that is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use forebay::{
    Consumer, Corruption, Error, ErrorKind, Gap, GapReason, Host, Listener, Queue, QueueOptions,
    Result, SegmentNumber, Sequence, SyncPolicy, TornTail,
};
use parking_lot::Mutex;

/// Longer than anything that works takes, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

pub(crate) fn at(sequence: u64) -> Sequence {
    Sequence::new(sequence)
}

/// Small segments and no sync per record: for tests of something else.
pub(crate) fn quick() -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Manual)
}

/// The payload that the record `number` has wherever a test does not say otherwise.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

/// Enqueues the records `numbers`, each with its own payload.
pub(crate) fn enqueue(queue: &Queue, numbers: std::ops::Range<u64>) -> Result<()> {
    for number in numbers {
        let sequence = queue.enqueue(payload(number))?;
        assert_eq!(sequence, at(number));
    }
    Ok(())
}

/// Drains everything and returns sequences and payloads.
pub(crate) fn drain(consumer: &mut Consumer) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut all = Vec::new();
    consumer.drain(|record| {
        all.push((record.sequence.get(), record.payload.to_vec()));
        Ok::<(), ()>(())
    })?;
    Ok(all)
}

/// Drains everything and claims that it is exactly the records `numbers`.
pub(crate) fn drain_exactly(consumer: &mut Consumer, numbers: std::ops::Range<u64>) -> Result<()> {
    let found = drain(consumer)?;
    let sequences: Vec<u64> = found.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, numbers.collect::<Vec<_>>());
    for (sequence, bytes) in found {
        assert_eq!(bytes, payload(sequence), "record {sequence}");
    }
    Ok(())
}

/// The error that `result` must be, with the kind that it must have.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.expect_err("the call has to fail");
    assert_eq!(error.kind(), kind, "{error}");
    error
}

/// Waits until `done`; a test that waits longer than [`PATIENCE`] fails.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every file below `root` with its bytes, by relative name, sorted; links by where they point.
pub(crate) fn snapshot(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the tree can be listed") {
            let path = entry.expect("the tree can be listed").path();
            let name = path.strip_prefix(root).expect("below the root");
            let name = name.to_string_lossy().into_owned();
            let kind = std::fs::symlink_metadata(&path).expect("there").file_type();
            if kind.is_symlink() {
                let target = std::fs::read_link(&path).expect("a link");
                found.push((name, target.to_string_lossy().into_owned().into_bytes()));
            } else if kind.is_dir() {
                found.push((format!("{name}/"), Vec::new()));
                folders.push(path);
            } else {
                found.push((name, std::fs::read(&path).expect("a file can be read")));
            }
        }
    }
    found.sort();
    found
}

/// What a [`Recorder`] heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Enqueued(u64, u64),
    Dropped(std::ops::Range<u64>, GapReason, u64),
    Delivered(String, u64),
    Synced(u64),
    Rotated(u64, u64),
    Reclaimed(u64, u64),
    TornTail(TornTail),
    Corruption(Corruption),
    Poisoned(ErrorKind),
}

/// A listener that writes down what it hears, and on which thread.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<(ThreadId, Heard)>>);

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn note(&self, heard: Heard) {
        self.0.lock().push((std::thread::current().id(), heard));
    }

    pub(crate) fn all(&self) -> Vec<Heard> {
        self.0
            .lock()
            .iter()
            .map(|(_, heard)| heard.clone())
            .collect()
    }

    pub(crate) fn all_with_threads(&self) -> Vec<(ThreadId, Heard)> {
        self.0.lock().clone()
    }

    pub(crate) fn any(&self, wanted: impl Fn(&Heard) -> bool) -> bool {
        self.0.lock().iter().any(|(_, heard)| wanted(heard))
    }

    /// The sums of (enqueued, dropped, delivered) records.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let mut counts = (0, 0, 0);
        for (_, heard) in self.0.lock().iter() {
            if let Heard::Enqueued(records, _) = heard {
                counts.0 += records;
            } else if let Heard::Dropped(_, _, records) = heard {
                counts.1 += records;
            } else if let Heard::Delivered(_, records) = heard {
                counts.2 += records;
            }
        }
        counts
    }
}

impl Listener for Recorder {
    fn enqueued(&self, records: u64, bytes: u64) {
        self.note(Heard::Enqueued(records, bytes));
    }

    fn dropped(&self, gap: &Gap, count: u64) {
        let range = gap.range.start.get()..gap.range.end.get();
        self.note(Heard::Dropped(range, gap.reason, count));
    }

    fn delivered(&self, consumer: &str, records: u64) {
        self.note(Heard::Delivered(consumer.to_owned(), records));
    }

    fn synced(&self, _duration: Duration, records: u64) {
        self.note(Heard::Synced(records));
    }

    fn rotated(&self, sealed: SegmentNumber, active: SegmentNumber) {
        self.note(Heard::Rotated(sealed.get(), active.get()));
    }

    fn reclaimed(&self, segment: SegmentNumber, bytes: u64) {
        self.note(Heard::Reclaimed(segment.get(), bytes));
    }

    fn torn_tail_removed(&self, torn: &TornTail) {
        self.note(Heard::TornTail(torn.clone()));
    }

    fn corruption(&self, corruption: &Corruption) {
        self.note(Heard::Corruption(corruption.clone()));
    }

    fn poisoned(&self, error: &Error) {
        self.note(Heard::Poisoned(error.kind()));
    }
}

/// A machine whose clock stands until it is moved.
#[derive(Debug)]
pub(crate) struct Clock {
    now: AtomicU64,
    random: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            now: AtomicU64::new(1_700_000_000_000_000_000),
            random: AtomicU64::new(0x1234_5678_9abc_def0),
        })
    }

    /// A clock that shows `now`, in nanoseconds since 1970.
    pub(crate) fn at(now: u64) -> Arc<Self> {
        let clock = Self::new();
        clock.set(now);
        clock
    }

    pub(crate) fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("a short time");
        self.now.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Host for Clock {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn random(&self) -> u64 {
        self.random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst)
    }

    fn process(&self) -> u32 {
        std::process::id()
    }
}
