//! A storage of which one kind of call waits until it is let through: what others do meanwhile is
//! done while, say, a sync of a segment runs, whatever the scheduler does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use forebay::{Queue, QueueOptions, Result};
use parking_lot::{Condvar, Mutex};

/// Holds calls, or lets them through.
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
    /// Holds every call before it has had an effect.
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

    /// Lets one call through; the gate stays shut.
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

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Syncs of segments.
    Syncs,
    /// Syncs of the segments' names.
    Names,
    /// The creation of segments.
    Creation,
    /// Zeros on their way into segments.
    Zeros,
}

/// A tree in memory with a gate before some of its calls.
#[derive(Clone, Debug)]
pub(crate) struct Gated {
    pub(crate) memory: MemoryDirectory,
    pub(crate) gate: Arc<Gate>,
    held: Held,
}

impl Gated {
    pub(crate) fn new() -> Self {
        Self::holding(Held::Syncs)
    }

    pub(crate) fn holding(held: Held) -> Self {
        Self {
            memory: MemoryDirectory::new(),
            gate: Arc::default(),
            held,
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
        let held = self.held;
        Arc::new(GatedFile { inner, gate, held })
    }

    /// Waits here if calls of this kind are held.
    fn pass(&self, call: Held, name: &str) {
        if self.held == call && name.starts_with("segments") {
            self.gate.pass();
        }
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
    held: Held,
}

impl GatedFile {
    /// The gate at which calls of this kind wait.
    fn gate_of(&self, call: Held) -> Option<&Gate> {
        self.gate.as_deref().filter(|_| self.held == call)
    }
}

impl Directory for Gated {
    fn path(&self) -> &Path {
        self.memory.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.memory.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.pass(Held::Creation, name);
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
        self.pass(Held::Names, folder);
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
        let is_blank = bytes.iter().all(|byte| *byte == 0);
        if let Some(gate) = self.gate_of(Held::Zeros).filter(|_| is_blank) {
            gate.pass();
        }
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        let Some(gate) = self.gate_of(Held::Syncs) else {
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
