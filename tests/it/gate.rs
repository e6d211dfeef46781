//! A storage whose calls to segments can be held up, to look at what happens meanwhile.

use std::path::Path;
use std::sync::Arc;

use forebay::Result;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};
use parking_lot::{Condvar, Mutex};

/// The calls that a gate stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Writes,
    Syncs,
    /// Only those of the commit thread.
    BackgroundOpens,
}

/// Lets calls through, or holds them.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Whether it is shut, and how many wait at it.
    state: Mutex<(bool, usize)>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().0 = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().0 = false;
        self.opened.notify_all();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().1
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.1 += 1;
        while state.0 {
            self.opened.wait(&mut state);
        }
        state.1 -= 1;
    }
}

/// A tree with a gate before every call of one sort to a segment.
#[derive(Clone, Debug)]
pub(crate) struct Gated {
    inner: Arc<dyn Directory>,
    held: Held,
    pub(crate) gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn File>,
    gate: Option<(Held, Arc<Gate>)>,
}

impl Gated {
    pub(crate) fn new(inner: Arc<dyn Directory>, held: Held) -> Self {
        Self {
            inner,
            held,
            gate: Arc::default(),
        }
    }

    fn wrap(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        let is_segment = name.starts_with("segments/");
        let gate = is_segment.then(|| (self.held, Arc::clone(&self.gate)));
        Arc::new(GatedFile { inner, gate })
    }
}

impl GatedFile {
    fn pass(&self, call: Held) {
        if let Some((held, gate)) = &self.gate
            && *held == call
        {
            gate.pass();
        }
    }
}

impl Directory for Gated {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let is_background = std::thread::current().name() == Some("forebay-commit");
        if self.held == Held::BackgroundOpens && is_background && name.starts_with("segments/") {
            self.gate.pass();
        }
        Ok(self.wrap(name, self.inner.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.wrap(name, self.inner.create(name)?))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        self.inner.create_folder(folder)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn sync(&self, folder: &str) -> Result<()> {
        self.inner.sync(folder)
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        self.inner.lock(name, contents)
    }

    fn filesystem(&self) -> Filesystem {
        self.inner.filesystem()
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
        self.pass(Held::Writes);
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        self.pass(Held::Syncs);
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
