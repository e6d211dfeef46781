//! What a caller holds: open files, and the lock.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::node::{Device, Inode, Node};
use super::volume::Volume;
use crate::error::Result;
use crate::storage::{Access, File, Lock, Map, failed, sync_failed};

/// One open handle; the file lives at least as long.
pub(super) struct MemoryFile {
    path: PathBuf,
    volume: Arc<Mutex<Volume>>,
    inode: Inode,
    access: Access,
}

impl MemoryFile {
    /// Of a file that was just opened, and knows of this handle.
    pub(super) fn new(
        path: PathBuf,
        volume: Arc<Mutex<Volume>>,
        inode: Inode,
        access: Access,
    ) -> Self {
        Self {
            path,
            volume,
            inode,
            access,
        }
    }

    /// What a system call on a handle without the right answers.
    fn require_write(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    fn change(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut Node, &mut Device) -> io::Result<()>,
    ) -> Result<()> {
        let changed = self.require_write().and_then(|()| {
            let mut volume = self.volume.lock();
            let (node, device) = volume.node(self.inode);
            change(node, device)
        });
        changed.map_err(failed(operation, &self.path))
    }
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.volume.lock().close(self.inode);
    }
}

impl File for MemoryFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        Ok(self
            .volume
            .lock()
            .node(self.inode)
            .0
            .live()
            .read(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.change("write", |node, device| node.write(bytes, offset, device))
    }

    fn sync(&self) -> Result<()> {
        let synced = self.volume.lock().sync_file(self.inode);
        synced.map_err(sync_failed("sync", &self.path))
    }

    fn length(&self) -> Result<u64> {
        Ok(self.volume.lock().node(self.inode).0.live().length())
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.change("set length", |node, device| node.set_length(bytes, device))
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        self.change("allocate", |node, device| node.allocate(bytes, device))
    }

    fn map(&self) -> Result<Map> {
        Ok(Map::of_bytes(
            self.volume.lock().node(self.inode).0.live().to_vec(),
        ))
    }
}

/// Released when dropped.
pub(super) struct MemoryLock {
    volume: Arc<Mutex<Volume>>,
    inode: Inode,
}

impl MemoryLock {
    /// Of a lock that was just taken.
    pub(super) fn new(volume: Arc<Mutex<Volume>>, inode: Inode) -> Self {
        Self { volume, inode }
    }
}

impl fmt::Debug for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLock").finish_non_exhaustive()
    }
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.volume.lock().unlock(self.inode);
    }
}
