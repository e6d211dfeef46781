//! A storage in memory that knows which handle wrote what, how much was read at once, and that can
//! hold syncs back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use forebay::Result;
use forebay::storage::memory::MemoryDirectory;
use forebay::storage::{Access, Directory, File, Filesystem, Lock, Map};

/// A disk in memory whose handles are watched. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    inner: MemoryDirectory,
    scene: Arc<Scene>,
}

#[derive(Debug, Default)]
struct Scene {
    notes: Mutex<Notes>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Notes {
    handles: u64,
    /// The handles that wrote since they last synced, with the name they were opened by.
    unsynced: BTreeMap<u64, String>,
    /// Handles closed with bytes they had not synced.
    closed_unsynced: Vec<String>,
    longest_read: usize,
    holds: bool,
    held: u64,
}

impl Scene {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no test panics with the notes")
    }
}

impl Witness {
    pub(super) fn new(inner: &MemoryDirectory) -> Self {
        Self {
            inner: inner.clone(),
            scene: Arc::default(),
        }
    }

    /// The names of handles that hold bytes they have not synced.
    pub(super) fn unsynced(&self) -> Vec<String> {
        self.scene.notes().unsynced.values().cloned().collect()
    }

    /// The names of handles that were closed with bytes they had not synced.
    pub(super) fn closed_unsynced(&self) -> Vec<String> {
        self.scene.notes().closed_unsynced.clone()
    }

    /// The most bytes that were asked for in one read.
    pub(super) fn longest_read(&self) -> usize {
        self.scene.notes().longest_read
    }

    /// From now on, or no longer, syncs of segments wait.
    pub(super) fn hold_syncs(&self, holds: bool) {
        self.scene.notes().holds = holds;
        self.scene.changed.notify_all();
    }

    /// Waits until a sync is held back.
    pub(super) fn wait_until_held(&self) {
        let mut notes = self.scene.notes();
        while notes.held == 0 {
            let woken = self.scene.changed.wait(notes);
            notes = woken.expect("no test panics with the notes");
        }
    }

    fn file(&self, name: &str, inner: Arc<dyn File>) -> Arc<dyn File> {
        let mut notes = self.scene.notes();
        notes.handles += 1;
        Arc::new(WatchedFile {
            inner,
            name: name.to_owned(),
            handle: notes.handles,
            scene: Arc::clone(&self.scene),
        })
    }
}

impl Directory for Witness {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        Ok(self.file(name, self.inner.open(name, access)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(name, self.inner.create(name)?))
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

#[derive(Debug)]
struct WatchedFile {
    inner: Arc<dyn File>,
    name: String,
    handle: u64,
    scene: Arc<Scene>,
}

impl WatchedFile {
    fn note_change(&self) {
        let mut notes = self.scene.notes();
        notes.unsynced.insert(self.handle, self.name.clone());
    }
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        let mut notes = self.scene.notes();
        if notes.unsynced.remove(&self.handle).is_some() {
            notes.closed_unsynced.push(self.name.clone());
        }
    }
}

impl File for WatchedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut notes = self.scene.notes();
        notes.longest_read = notes.longest_read.max(buffer.len());
        drop(notes);
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.note_change();
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        let mut notes = self.scene.notes();
        if self.name.ends_with(".log") {
            while notes.holds {
                notes.held += 1;
                self.scene.changed.notify_all();
                let woken = self.scene.changed.wait(notes);
                notes = woken.expect("no test panics with the notes");
            }
        }
        notes.unsynced.remove(&self.handle);
        drop(notes);
        self.inner.sync()
    }

    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.note_change();
        self.inner.set_length(bytes)
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.note_change();
        self.inner.allocate(bytes)
    }

    fn map(&self) -> Result<Map> {
        self.inner.map()
    }
}
