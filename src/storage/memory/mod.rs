//! A disk in memory, with a cache that power loss empties: what a test needs to see every image
//! that a crash may leave.
//!
//! Kept apart are what is written and what is synced, for the bytes of each file and for the names
//! in each folder; neither sync does the work of the other. What survives of one place (a sector,
//! a length, a name) is one of the states it went through; different places survive in any order.

mod content;
mod crash;
mod handle;
mod names;
mod node;
#[cfg(test)]
mod tests;
mod volume;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Access, Directory, File, Filesystem, Lock, failed, sync_failed};
use crate::error::{EIO, Error, ErrorKind, Result};

pub use crash::{Fate, Unsynced, UnsyncedChange};

use content::PAGE;
use handle::{MemoryFile, MemoryLock};
use names::Entry;
use node::{Inode, Node};
use volume::{Locking, Volume};

/// Where every tree in memory says it is.
const PATH: &str = "/memory";

/// A queue's tree in memory. A clone is another handle to the same tree.
#[derive(Clone)]
pub struct MemoryDirectory {
    volume: Arc<Mutex<Volume>>,
}

impl Default for MemoryDirectory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDirectory").finish_non_exhaustive()
    }
}

impl MemoryDirectory {
    /// An empty tree on a disk without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Volume::default())
    }

    /// An empty tree on a disk of `bytes`, counted in whole pages of 4 KiB.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        let directory = Self::new();
        directory.set_capacity(Some(bytes));
        directory
    }

    fn of(volume: Volume) -> Self {
        Self {
            volume: Arc::new(Mutex::new(volume)),
        }
    }

    /// Changes the size of the disk, in bytes; `None` is without a limit. Where more is in use
    /// already, it stays, and nothing is added.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.volume.lock().device.capacity = bytes.map(|bytes| bytes / PAGE as u64);
    }

    /// The bytes that the pages of all files take: of those with a name, and of those still open.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.volume.lock().device.used * PAGE as u64
    }

    /// Changes what [`filesystem`](Directory::filesystem) says.
    pub fn set_filesystem(&self, filesystem: Filesystem) {
        self.volume.lock().filesystem = filesystem;
    }

    /// What a power cut now would leave, as a tree of its own, all of it durable and nothing
    /// locked.
    ///
    /// `choice` is asked once about each thing that is not synced, in the order in which they
    /// happened. A change that survives takes with it the earlier ones of the same sectors and of
    /// the same name, and a length takes the earlier cuts of its file.
    #[must_use]
    pub fn crash(&self, choice: &mut dyn FnMut(&Unsynced) -> Fate) -> Self {
        let mut volume = self.volume.lock().clone();
        volume.lose_power(choice);
        Self::of(volume)
    }

    /// A power cut after which only what was synced is there.
    #[must_use]
    pub fn crash_losing_all(&self) -> Self {
        self.crash(&mut |_| Fate::Lost)
    }

    /// A power cut just after everything reached the medium.
    #[must_use]
    pub fn crash_keeping_all(&self) -> Self {
        self.crash(&mut |_| Fate::Kept)
    }

    /// What [`crash`](Self::crash) would ask about, in that order.
    #[must_use]
    pub fn unsynced(&self) -> Vec<Unsynced> {
        self.volume
            .lock()
            .unsynced()
            .into_iter()
            .map(|(_, unit)| unit)
            .collect()
    }

    /// How many things [`crash`](Self::crash) would ask about.
    #[must_use]
    pub fn unsynced_count(&self) -> usize {
        let volume = self.volume.lock();
        volume.names.change_count()
            + volume
                .reachable_nodes()
                .map(Node::change_count)
                .sum::<usize>()
    }

    /// What killing the process leaves, as a tree of its own: all that was written, synced or not
    /// as before, and nothing locked.
    #[must_use]
    pub fn process_kill(&self) -> Self {
        let mut volume = self.volume.lock().clone();
        volume.restart();
        Self::of(volume)
    }

    /// A tree of its own with the same bytes and names, synced or not as here. Nobody has it open
    /// or locked.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.process_kill()
    }

    /// All bytes of the file `name` as a read would see them, when it exists.
    #[must_use]
    pub fn file_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let mut volume = self.volume.lock();
        let inode = volume.names.file(name).ok()?;
        Some(volume.node(inode).0.live().to_vec())
    }

    /// Puts a file with these bytes at `name`, in place of the bytes of a file that is there,
    /// with the folders it needs. All of it is durable at once, whatever the capacity.
    ///
    /// # Panics
    ///
    /// When `name` is a folder, or a folder that it needs is a file.
    pub fn put_file(&self, name: &str, bytes: &[u8]) {
        self.volume.lock().put_file(name, bytes);
    }

    /// The names of all files, with their folders, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let volume = self.volume.lock();
        let files = volume
            .names
            .live()
            .filter(|(_, entry)| *entry != Entry::Folder);
        files.map(|(path, _)| path.as_ref().to_owned()).collect()
    }

    /// A number that is the same for trees that read the same, and else another, but for one pair in
    /// 2^64. Files that `is_left_out` names do not count.
    #[must_use]
    pub fn fingerprint(&self, is_left_out: impl Fn(&str) -> bool) -> u64 {
        self.volume.lock().fingerprint(is_left_out)
    }

    /// Makes the next sync of the file `name` fail as on Linux: its unsynced bytes stay readable
    /// and count as synced, so that the sync after that succeeds, but the medium does not have
    /// them. Only writing a page again, and syncing that, puts it there.
    pub fn fail_next_sync_and_mark_clean(&self, name: &str) {
        self.volume.lock().make_forgetful(name);
    }

    fn place(name: &str) -> PathBuf {
        Path::new(PATH).join(name)
    }

    fn file(&self, name: &str, inode: Inode, access: Access) -> Arc<dyn File> {
        let volume = Arc::clone(&self.volume);
        Arc::new(MemoryFile::new(Self::place(name), volume, inode, access))
    }
}

impl Directory for MemoryDirectory {
    fn path(&self) -> &Path {
        Path::new(PATH)
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        let opened = self.volume.lock().open(name);
        let inode = opened.map_err(failed("open", &Self::place(name)))?;
        Ok(self.file(name, inode, access))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let created = self.volume.lock().create(name);
        let inode = created.map_err(failed("create", &Self::place(name)))?;
        Ok(self.file(name, inode, Access::Write))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.volume
            .lock()
            .names
            .list(folder)
            .map_err(failed("list", &Self::place(folder)))
    }

    fn create_folder(&self, folder: &str) -> Result<()> {
        let made = self.volume.lock().create_folder(folder);
        made.map_err(failed("create directory", &Self::place(folder)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.volume
            .lock()
            .rename(from, to)
            .map_err(failed("rename", &Self::place(from)))
    }

    fn remove(&self, name: &str) -> Result<()> {
        match self.volume.lock().remove(name) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(failed("remove", &Self::place(name))),
        }
    }

    fn sync(&self, folder: &str) -> Result<()> {
        let synced = self.volume.lock().sync_folder(folder);
        synced.map_err(sync_failed("sync directory", &Self::place(folder)))
    }

    fn lock(&self, name: &str, contents: &str) -> Result<Box<dyn Lock>> {
        let path = Self::place(name);
        let locking = self.volume.lock().lock(name, contents);
        match locking.map_err(failed("open lock", &path))? {
            Locking::Taken(inode) => Ok(Box::new(MemoryLock::new(Arc::clone(&self.volume), inode))),
            Locking::Held(hint) => {
                let pid = hint
                    .split_whitespace()
                    .next()
                    .and_then(|pid| pid.parse().ok());
                let by = pid.map_or_else(String::new, |pid: u32| format!(" by process {pid}"));
                let what = format!("the queue is open elsewhere, locked{by}");
                Err(Error::at(ErrorKind::Locked { pid }, what, &path))
            }
        }
    }

    fn filesystem(&self) -> Filesystem {
        self.volume.lock().filesystem
    }
}

/// What a medium that fails answers.
pub(super) fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}
