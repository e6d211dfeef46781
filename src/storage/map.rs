//! Read-only views of files: the one file with `unsafe`.
//!
//! # Safety
//!
//! Only index files are mapped. An index is written whole under a temporary name and never changed
//! or shortened by us after it has its own name; a new one replaces it by rename, which leaves the
//! mapped file as it was. What remains is another program that shortens the file while the queue's
//! lock is held: reading past the new end raises SIGBUS, as it would for any mapping.
#![allow(
    unsafe_code,
    reason = "mapping a file is unsafe by nature; this is the only place"
)]

use std::ops::Deref;

/// The bytes of a file: mapped, or (for storage without files) held in memory.
#[derive(Debug)]
pub struct Map(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    #[cfg(feature = "test-support")]
    Held(Vec<u8>),
}

impl Map {
    /// Maps all of `file`.
    pub(super) fn of_file(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: `Mmap::map` asks that the file is not changed or shortened while mapped.
        // 1. We open it for reading and keep no writable handle to it.
        // 2. A file under an index's name is never written again; replacing it renames another.
        // 3. The queue's lock keeps other forebay writers out while we hold the mapping.
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Self(Bytes::Mapped(map)))
    }

    /// A view of bytes that are already in memory.
    #[cfg(feature = "test-support")]
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(Bytes::Held(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            #[cfg(feature = "test-support")]
            Bytes::Held(bytes) => bytes,
        }
    }
}
