//! Writes the files of a copy, and remembers what was written.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::ManifestFile;
use crate::error::Result;
use crate::format::{narrow, wide};
use crate::storage::{Directory, File};

/// What is read and written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The files of a copy so far.
#[derive(Debug)]
pub(super) struct Copier<'a> {
    to: &'a dyn Directory,
    files: BTreeMap<String, ManifestFile>,
    folders: BTreeSet<String>,
    buffer: Vec<u8>,
}

impl<'a> Copier<'a> {
    pub(super) fn new(to: &'a dyn Directory) -> Self {
        Self {
            to,
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            buffer: Vec::new(),
        }
    }

    /// The files written so far, by name.
    pub(super) fn files(&self) -> impl Iterator<Item = &ManifestFile> {
        self.files.values()
    }

    /// Makes sure that `folder` is there, and what it is in.
    pub(super) fn make_folder(&mut self, folder: &str) -> Result<()> {
        let inner = folder.match_indices('/').map(|(at, _)| at);
        for end in inner.chain([folder.len()]) {
            let Some(part) = folder.get(..end) else {
                continue;
            };
            if !self.folders.contains(part) {
                self.to.create_folder(part)?;
                self.folders.insert(part.to_owned());
            }
        }
        Ok(())
    }

    /// Copies `from`, or its first `limit` bytes, to the file `name`.
    ///
    /// # Durability
    ///
    /// The bytes are durable on return; the name is after [`sync_names`](Self::sync_names).
    pub(super) fn put_file(
        &mut self,
        name: &str,
        from: &dyn File,
        limit: u64,
    ) -> Result<ManifestFile> {
        let to = self.make(name)?;
        let mut hasher = blake3::Hasher::new();
        let mut done = 0;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(CHUNK_BYTES, 0);
        while done < limit {
            let wanted = narrow(limit.saturating_sub(done)).min(CHUNK_BYTES);
            let found = from.read_at(&mut buffer[..wanted], done)?;
            let piece = &buffer[..found];
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            to.write_at(piece, done)?;
            let end = done.saturating_add(wide(found));
            to.start_writeback(done..end);
            done = end;
        }
        self.buffer = buffer;
        to.sync()?;
        Ok(self.note(name, done, &hasher))
    }

    /// Writes the file `name` with `bytes` in it.
    ///
    /// # Durability
    ///
    /// As for [`put_file`](Self::put_file).
    pub(super) fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<ManifestFile> {
        let to = self.make(name)?;
        to.write_at(bytes, 0)?;
        to.sync()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Ok(self.note(name, wide(bytes.len()), &hasher))
    }

    fn make(&mut self, name: &str) -> Result<std::sync::Arc<dyn File>> {
        if let Some((folder, _)) = name.rsplit_once('/') {
            self.make_folder(folder)?;
        }
        self.files.remove(name);
        self.to.remove(name)?;
        self.to.create(name)
    }

    fn note(&mut self, name: &str, bytes: u64, hasher: &blake3::Hasher) -> ManifestFile {
        let file = ManifestFile {
            name: name.to_owned(),
            bytes,
            hash: *hasher.finalize().as_bytes(),
        };
        self.files.insert(name.to_owned(), file.clone());
        file
    }

    /// Removes every file that is not wanted.
    pub(super) fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let unwanted: Vec<String> = self
            .files
            .keys()
            .filter(|name| !is_wanted(name))
            .cloned()
            .collect();
        for name in unwanted {
            self.to.remove(&name)?;
            self.files.remove(&name);
        }
        Ok(())
    }

    /// Makes the names of all files survive power loss.
    pub(super) fn sync_names(&self) -> Result<()> {
        for folder in self.folders.iter().rev() {
            self.to.sync(folder)?;
        }
        self.to.sync("")
    }
}
