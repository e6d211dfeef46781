//! A storage whose syncs of segments wait until they are let through: what others do meanwhile is
//! done while a sync runs, whatever the scheduler does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{Queue, QueueOptions, Result};
use parking_lot::{Condvar, Mutex};

/// Holds syncs of segments, or lets them through.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    /// A sync takes effect before it waits, and not when it is let through.
    at_once: bool,
    waiting: usize,
    /// How many may pass though the gate is shut.
    passes: usize,
}

impl Gate {
    /// Holds every sync before it has made anything durable.
    pub(crate) fn shut(&self) {
        self.state.lock().shut = true;
    }

    /// Holds every sync after it has made durable what was written before it.
    pub(crate) fn shut_behind(&self) {
        let mut state = self.state.lock();
        state.shut = true;
        state.at_once = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().shut = false;
        self.changed.notify_all();
    }

    /// Lets one sync through; the gate stays shut.
    pub(crate) fn let_one_through(&self) {
        self.state.lock().passes += 1;
        self.changed.notify_all();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    fn is_at_once(&self) -> bool {
        self.state.lock().at_once
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        while state.shut && state.passes == 0 {
            self.changed.wait(&mut state);
        }
        state.passes = state.passes.saturating_sub(1);
        state.waiting -= 1;
    }
}

/// A tree in memory with a gate before every sync of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Gated {
    pub(crate) memory: MemoryDirectory,
    pub(crate) gate: Arc<Gate>,
}

impl Gated {
    pub(crate) fn new() -> Self {
        Self {
            memory: MemoryDirectory::new(),
            gate: Arc::default(),
        }
    }

    pub(crate) fn queue(&self, options: QueueOptions) -> Queue {
        options
            .open_on(Arc::new(self.clone()))
            .expect("the queue opens")
    }

    fn wrap(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        let is_segment = name.starts_with("segments/");
        let gate = is_segment.then(|| Arc::clone(&self.gate));
        Arc::new(GatedFile { inner, gate })
    }
}

/// Waits until `reached`; fails after a minute.
pub(crate) fn wait_until(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if reached() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("never: {what}");
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn File>,
    gate: Option<Arc<Gate>>,
}

impl Directory for Gated {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.memory.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.memory.create(name)?))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.memory.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.memory.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.memory.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.memory.remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.memory.sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.memory.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.memory.filesystem()
    }
}

impl File for GatedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        let Some(gate) = &self.gate else {
            return self.inner.sync();
        };
        if gate.is_at_once() {
            self.inner.sync()?;
            gate.pass();
            return Ok(());
        }
        gate.pass();
        self.inner.sync()
    }

    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.inner.set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.inner.allocate(bytes)
    }

    fn map(&self) -> Result<Map> {
        self.inner.map()
    }
}
