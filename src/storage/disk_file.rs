//! One real file.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use fs2::FileExt as _;

use super::transfer::{read_on, write_on};
use super::{File, Map, failed, sync_failed};
use crate::error::Result;

/// How much is read at once of a file that is to be mapped.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct DiskFile {
    pub(super) path: PathBuf,
    pub(super) file: fs::File,
}

impl DiskFile {
    /// Reads everything once: what the medium does not give back is an error here, and would be a
    /// signal (SIGBUS) that ends the process for whoever meets it in a mapping.
    fn read_through(&self) -> Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut offset = 0;
        loop {
            match self.read_at(&mut piece, offset)? {
                0 => return Ok(()),
                count => offset += count as u64,
            }
        }
    }

    #[cfg(unix)]
    fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset)
    }

    #[cfg(unix)]
    fn write_some(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.file, bytes, offset)
    }

    #[cfg(windows)]
    fn write_some(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.file, bytes, offset)
    }
}

impl File for DiskFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        read_on(buffer, offset, |buffer, offset| {
            self.read_some(buffer, offset)
        })
        .map_err(failed("read", &self.path))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        write_on(bytes, offset, |bytes, offset| {
            self.write_some(bytes, offset)
        })
        .map_err(failed("write", &self.path))
    }

    fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(sync_failed("sync", &self.path))
    }

    #[cfg(target_os = "linux")]
    fn rewrite(&self, range: Range<u64>) -> Result<()> {
        super::rewrite::rewrite_past_cache(self, &self.file, range)
    }

    #[cfg(unix)]
    fn is_linked(&self) -> Result<bool> {
        use std::os::unix::fs::MetadataExt as _;

        let metadata = self.file.metadata();
        Ok(metadata.map_err(failed("look at", &self.path))?.nlink() > 0)
    }

    fn length(&self) -> Result<u64> {
        let metadata = self
            .file
            .metadata()
            .map_err(failed("look at", &self.path))?;
        Ok(metadata.len())
    }

    fn set_length(&self, bytes: u64) -> Result<()> {
        self.file
            .set_len(bytes)
            .map_err(failed("set length", &self.path))
    }

    fn allocate(&self, bytes: u64) -> Result<()> {
        // fs2 reports a stale error number here: what the device lacks shows in the write.
        self.file.allocate(bytes).map_err(|_stale| {
            let source = io::Error::other("the file system did not reserve the blocks");
            failed("allocate", &self.path)(source)
        })
    }

    #[cfg(target_os = "linux")]
    fn start_writeback(&self, range: Range<u64>) {
        super::map::start_writeback(&self.file, range);
    }

    fn map(&self) -> Result<Map> {
        self.read_through()?;
        Map::of_file(&self.file).map_err(failed("map", &self.path))
    }
}
