//! A file that is in memory only, and is only read.

use std::path::{Path, PathBuf};

use super::{File, Map};
use crate::error::{Error, ErrorKind, Result};

/// Bytes in the place of a file.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Held {
    pub(crate) fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes }
    }

    fn refuse<T>(&self) -> Result<T> {
        let what = "what stands for a file here is only read";
        Err(Error::at(ErrorKind::InvalidInput, what, &self.path))
    }
}

impl File for Held {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let left = self.bytes.get(from..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        let pairs = buffer.iter_mut().zip(left);
        pairs.for_each(|(to, from)| *to = *from);
        Ok(count)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        self.refuse()
    }

    fn sync(&self) -> Result<()> {
        self.refuse()
    }

    fn length(&self) -> Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn set_length(&self, _bytes: u64) -> Result<()> {
        self.refuse()
    }

    fn allocate(&self, _bytes: u64) -> Result<()> {
        self.refuse()
    }

    fn map(&self) -> Result<Map> {
        Ok(Map::of_bytes(self.bytes.clone()))
    }
}
