//! What the tests stand on: a storage whose calls can be counted and interrupted, payloads that
//! tell their sequence, and what a follower has seen.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{
    ErrorKind, Follower, GapReason, Host, Preallocate, Queue, QueueOptions, Result, Sequence,
    Start, SyncPolicy,
};
use parking_lot::Mutex;

type Hook = Box<dyn FnMut(u64) + Send>;
/// A file, and what is done once while it is synced.
type Meanwhile = (&'static str, Box<dyn FnOnce() + Send>);

/// A tree in memory that another may take the place of, and before whose calls something happens.
#[derive(Clone)]
pub(crate) struct Stage {
    inner: Arc<Mutex<MemoryDirectory>>,
    hook: Arc<Mutex<Option<Hook>>>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    calls: Arc<AtomicU64>,
    may_write: bool,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    /// For a writer.
    pub(crate) fn new(memory: &MemoryDirectory) -> Self {
        Self {
            inner: Arc::new(Mutex::new(memory.clone())),
            hook: Arc::default(),
            meanwhile: Arc::default(),
            calls: Arc::default(),
            may_write: true,
        }
    }

    /// For a follower: any call that could change something fails the test.
    pub(crate) fn read_only(memory: &MemoryDirectory) -> Self {
        Self {
            may_write: false,
            ..Self::new(memory)
        }
    }

    /// Puts another tree in the place of this one; what is open stays open.
    pub(crate) fn switch(&self, memory: &MemoryDirectory) {
        *self.inner.lock() = memory.clone();
    }

    /// Runs `hook` before every call, with the number of the call from 1.
    pub(crate) fn hook(&self, hook: impl FnMut(u64) + Send + 'static) {
        self.calls.store(0, Ordering::Relaxed);
        *self.hook.lock() = Some(Box::new(hook));
    }

    pub(crate) fn unhook(&self) {
        *self.hook.lock() = None;
    }

    /// Does `action` while the file `name` is synced for the next time.
    pub(crate) fn during_sync(&self, name: &'static str, action: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock() = Some((name, Box::new(action)));
    }

    /// How many calls there were since the hook was set.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn call(&self) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let taken = self.hook.lock().take();
        if let Some(mut hook) = taken {
            hook(number);
            *self.hook.lock() = Some(hook);
        }
    }

    fn change(&self, what: &str) -> MemoryDirectory {
        assert!(self.may_write, "a follower asked to {what}");
        self.call();
        self.memory()
    }

    fn memory(&self) -> MemoryDirectory {
        self.inner.lock().clone()
    }

    fn wrap(&self, inner: Arc<dyn File>) -> Arc<dyn File> {
        let stage = self.clone();
        Arc::new(StagedFile { inner, stage })
    }
}

impl Directory for Stage {
    fn path(&self) -> &Path {
        Path::new("/memory")
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        assert!(self.may_write || access == Access::Read, "{name} to write");
        self.call();
        Ok(self.wrap(self.memory().open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.wrap(self.change("create").create(name)?))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.call();
        self.memory().list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.change("create a folder").create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.change("rename").rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.change("remove").remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.change("sync").sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.change("lock").lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.memory().filesystem()
    }
}

#[derive(Debug)]
struct StagedFile {
    inner: Arc<dyn File>,
    stage: Stage,
}

impl StagedFile {
    fn change(&self, what: &str) -> &dyn File {
        drop(self.stage.change(what));
        &*self.inner
    }
}

impl File for StagedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.stage.call();
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.change("write").write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        let synced = self.change("sync").sync();
        let mut waiting = self.stage.meanwhile.lock();
        // A file may have been opened by the name that it had before it was whole.
        let path = self.inner.path().to_string_lossy().into_owned();
        let action = waiting.take_if(|(name, _)| path.contains(*name));
        drop(waiting);
        if let Some((_, action)) = action {
            action();
        }
        synced
    }

    fn length(&self) -> Result<u64> {
        self.stage.call();
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.change("set a length").set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.change("allocate").allocate(bytes)
    }

    fn map(&self) -> Result<Map> {
        assert!(self.stage.may_write, "a follower maps nothing");
        self.inner.map()
    }
}

/// A machine that gives the same answers each time, and has no threads.
#[derive(Debug)]
struct Still(AtomicU64);

impl Host for Still {
    fn now(&self) -> u64 {
        // A second for every question.
        self.0.fetch_add(1, Ordering::Relaxed) * 1_000_000_000
    }

    fn random(&self) -> u64 {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        1
    }

    fn has_threads(&self) -> bool {
        false
    }
}

/// The smallest segments, and nothing that happens by itself. `seed` tells lives apart.
pub(crate) fn still(seed: u64, policy: SyncPolicy) -> QueueOptions {
    QueueOptions::new()
        .segment_bytes(8192)
        .preallocate(Preallocate::None)
        .sync_policy(policy)
        .host(Arc::new(Still(AtomicU64::new(seed * 1_000_003 + 1))))
}

pub(crate) fn open(options: QueueOptions, stage: &Stage) -> Queue {
    let opened = options.open_on(Arc::new(stage.clone()));
    opened.expect("the queue opens")
}

pub(crate) fn follow(stage: &Stage) -> Follower {
    follow_from(stage, Start::First).expect("there is a queue")
}

pub(crate) fn follow_from(stage: &Stage, start: Start) -> Result<Follower> {
    Follower::open_on(Arc::new(stage.clone()), start)
}

pub(crate) fn at(sequence: u64) -> Sequence {
    Sequence::new(sequence)
}

/// The payload of `sequence` in the life `life` of the queue: of a size of its own.
pub(crate) fn payload(life: u64, sequence: u64) -> Vec<u8> {
    let mut bytes = format!("life {life} record {sequence}:").into_bytes();
    let length = usize::try_from(sequence * 7919 % 900).expect("small");
    bytes.resize(bytes.len() + length, sequence.to_le_bytes()[0] | 1);
    bytes
}

/// Enqueues `count` records of the life `life`.
pub(crate) fn fill(queue: &Queue, life: u64, count: u64) {
    for _ in 0..count {
        let next = queue.next().get();
        let given = queue.enqueue(payload(life, next)).expect("there is room");
        assert_eq!(given.get(), next);
    }
}

/// What a follower has got: every sequence once, as a record or in a gap.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) from: u64,
    /// By sequence, from `from`; `None` is a gap.
    pub(crate) records: Vec<Option<Vec<u8>>>,
    pub(crate) gaps: Vec<(Range<u64>, GapReason)>,
}

impl Seen {
    pub(crate) fn from(from: u64) -> Self {
        Self {
            from,
            records: Vec::new(),
            gaps: Vec::new(),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.from + self.records.len() as u64
    }

    /// Takes at most `max` records; how many there were.
    pub(crate) fn take(&mut self, follower: &mut Follower, max: usize) -> Result<usize> {
        let batch = follower.next_batch(max)?;
        let got: Vec<_> = batch
            .iter()
            .map(|record| (record.sequence.get(), record.payload.to_vec()))
            .collect();
        for gap in follower.take_gaps() {
            let range = gap.range.start.get()..gap.range.end.get();
            assert_eq!(range.start, self.next(), "a gap where there is none");
            self.records.extend(range.clone().map(|_| None));
            self.gaps.push((range, gap.reason));
        }
        let count = got.len();
        for (sequence, bytes) in got {
            assert_eq!(sequence, self.next(), "in order, each once");
            self.records.push(Some(bytes));
        }
        assert_eq!(follower.next_sequence().get(), self.next());
        Ok(count)
    }

    pub(crate) fn take_all(&mut self, follower: &mut Follower) -> Result<()> {
        while self.take(follower, 5)? > 0 {}
        Ok(())
    }

    /// Asserts that every record is the one of its sequence in the life `life`.
    pub(crate) fn assert_of_life(&self, life: u64) {
        for (sequence, found) in (self.from..).zip(&self.records) {
            if let Some(found) = found {
                assert!(*found == payload(life, sequence), "record {sequence}");
            }
        }
    }
}

/// Asserts that `result` fails with an error of this kind; its text.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> String {
    let error = result.expect_err("the call has to fail");
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}
