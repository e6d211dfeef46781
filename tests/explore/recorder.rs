//! A storage that remembers the disk after every call that changes it, with what was promised then.
//!
//! The disk before a call is the disk after the one before it, so these are all the boundaries
//! that a power cut can hit. Reads are counted, which is how "bounded" is judged without a clock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use forebay::Result;
use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use parking_lot::Mutex;

use crate::ledger::Ledger;

/// The disk at one boundary.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) disk: MemoryDirectory,
    pub(crate) ledger: Arc<Ledger>,
    /// The call that was made last, and on what.
    pub(crate) after: (&'static str, Arc<str>),
}

/// What a process read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
    /// The largest buffer that was to be filled.
    pub(crate) largest: u64,
}

#[derive(Debug)]
struct Tape {
    disk: MemoryDirectory,
    is_recording: AtomicBool,
    /// The process is dead: nothing it still does reaches the disk.
    is_dead: AtomicBool,
    moments: Mutex<Vec<Moment>>,
    ledger: Mutex<Arc<Ledger>>,
    read_calls: AtomicU64,
    read_bytes: AtomicU64,
    read_largest: AtomicU64,
    changes: AtomicU64,
}

/// A storage over a disk in memory, for one process.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    tape: Arc<Tape>,
}

impl Recorder {
    pub(crate) fn new(disk: MemoryDirectory, ledger: Arc<Ledger>) -> Self {
        Self {
            tape: Arc::new(Tape {
                disk,
                is_recording: AtomicBool::new(false),
                is_dead: AtomicBool::new(false),
                moments: Mutex::default(),
                ledger: Mutex::new(ledger),
                read_calls: AtomicU64::new(0),
                read_bytes: AtomicU64::new(0),
                read_largest: AtomicU64::new(0),
                changes: AtomicU64::new(0),
            }),
        }
    }

    pub(crate) fn disk(&self) -> &MemoryDirectory {
        &self.tape.disk
    }

    /// Begins to remember, with the disk as it is now.
    pub(crate) fn record(&self) {
        self.tape.is_recording.store(true, Ordering::Release);
        self.tape
            .moments
            .lock()
            .push(self.moment("start", &Arc::default()));
    }

    /// What was remembered since.
    pub(crate) fn take_moments(&self) -> Vec<Moment> {
        std::mem::take(&mut self.tape.moments.lock())
    }

    /// From now on this is what was promised: also for the disk as it is right now.
    pub(crate) fn promise(&self, ledger: &Arc<Ledger>) {
        *self.tape.ledger.lock() = Arc::clone(ledger);
        if let Some(last) = self.tape.moments.lock().last_mut() {
            last.ledger = Arc::clone(ledger);
        }
    }

    /// From now on this may happen; what was promised does not change for the disk as it is.
    pub(crate) fn expect(&self, ledger: &Arc<Ledger>) {
        *self.tape.ledger.lock() = Arc::clone(ledger);
    }

    /// Ends the process: nothing that it still does reaches the disk.
    pub(crate) fn end(&self) {
        self.tape.is_dead.store(true, Ordering::Release);
    }

    pub(crate) fn reads(&self) -> Reads {
        Reads {
            calls: self.tape.read_calls.load(Ordering::Relaxed),
            bytes: self.tape.read_bytes.load(Ordering::Relaxed),
            largest: self.tape.read_largest.load(Ordering::Relaxed),
        }
    }

    /// How many calls were made that change something, or could.
    pub(crate) fn changes(&self) -> u64 {
        self.tape.changes.load(Ordering::Relaxed)
    }

    /// The disk as it is now.
    pub(crate) fn moment(&self, call: &'static str, name: &Arc<str>) -> Moment {
        Moment {
            disk: self.tape.disk.copy(),
            ledger: Arc::clone(&self.tape.ledger.lock()),
            after: (call, Arc::clone(name)),
        }
    }

    fn alive(&self) -> Result<()> {
        if self.tape.is_dead.load(Ordering::Acquire) {
            // Any error will do for a process that is not there any more.
            return self.tape.disk.open("gone", Access::Write).map(drop);
        }
        Ok(())
    }

    fn change<T>(
        &self,
        call: &'static str,
        name: &Arc<str>,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.alive()?;
        self.tape.changes.fetch_add(1, Ordering::Relaxed);
        let outcome = act();
        if self.tape.is_recording.load(Ordering::Acquire) {
            let moment = self.moment(call, name);
            self.tape.moments.lock().push(moment);
        }
        outcome
    }

    fn wrap(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(RecordedFile {
            name: name.into(),
            inner,
            recorder: self.clone(),
        })
    }
}

impl Directory for Recorder {
    fn path(&self) -> &Path {
        self.tape.disk.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        self.alive()?;
        Ok(self.wrap(name, self.tape.disk.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let created = self.change("create", &name.into(), || self.tape.disk.create(name))?;
        Ok(self.wrap(name, created))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.tape.disk.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.change("create folder", &folder.into(), || {
            self.tape.disk.create_folder(folder)
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.change("rename to", &to.into(), || self.tape.disk.rename(from, to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.change("remove", &name.into(), || self.tape.disk.remove(name))
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.change("sync folder", &folder.into(), || {
            self.tape.disk.sync(folder)
        })
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.tape.changes.fetch_add(1, Ordering::Relaxed);
        self.tape.disk.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.tape.disk.filesystem()
    }
}

#[derive(Debug)]
struct RecordedFile {
    name: Arc<str>,
    inner: Arc<dyn File>,
    recorder: Recorder,
}

impl File for RecordedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let tape = &self.recorder.tape;
        let found = self.inner.read_at(buffer, offset)?;
        tape.read_calls.fetch_add(1, Ordering::Relaxed);
        tape.read_bytes.fetch_add(found as u64, Ordering::Relaxed);
        tape.read_largest
            .fetch_max(buffer.len() as u64, Ordering::Relaxed);
        Ok(found)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.recorder
            .change("write", &self.name, || self.inner.write_at(bytes, offset))
    }

    fn sync(&self) -> Result<()> {
        self.recorder
            .change("sync", &self.name, || self.inner.sync())
    }

    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.recorder
            .change("set length", &self.name, || self.inner.set_length(bytes))
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.recorder
            .change("allocate", &self.name, || self.inner.allocate(bytes))
    }

    fn map(&self) -> Result<Map> {
        self.inner.map()
    }
}
