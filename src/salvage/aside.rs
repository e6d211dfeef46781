//! Records whose place another one has: kept beside the new queue, for a person to look at.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::format::{QUARANTINE, hexadecimal, wide};
use crate::rebuild::RebuildRecord;
use crate::storage::{Directory, File};

/// In the folder of quarantine, under a name that is no segment's.
const NAME: &str = "superseded.records";
const BUFFER_BYTES: usize = 1 << 20;

/// The file of such records: a line of text each, and the payload behind it.
#[derive(Debug)]
pub(super) struct Aside<'a> {
    to: &'a dyn Directory,
    file: Option<Arc<dyn File>>,
    buffer: Vec<u8>,
    written: u64,
    records: u64,
}

impl<'a> Aside<'a> {
    pub(super) fn new(to: &'a dyn Directory) -> Self {
        Self {
            to,
            file: None,
            buffer: Vec::new(),
            written: 0,
            records: 0,
        }
    }

    pub(super) fn keep(&mut self, record: &RebuildRecord<'_>) -> Result<()> {
        let key = record.key.map(hexadecimal);
        let key = key.unwrap_or_else(|| "none".to_owned());
        let line = format!(
            "sequence {} epoch {} kind {} time {} key {key} bytes {}\n",
            record.sequence,
            record.epoch,
            record.kind,
            record.enqueued_at,
            record.payload.len()
        );
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.extend_from_slice(record.payload);
        self.buffer.push(b'\n');
        self.records = self.records.saturating_add(1);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<Arc<dyn File>> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.to.create(&format!("{QUARANTINE}/{NAME}"))?,
        };
        file.write_at(&self.buffer, self.written)?;
        self.written = self.written.saturating_add(wide(self.buffer.len()));
        self.buffer.clear();
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// How many records were kept, and where; durable on return.
    pub(super) fn finish(mut self) -> Result<(u64, Option<PathBuf>)> {
        if self.records == 0 {
            return Ok((0, None));
        }
        let file = self.write()?;
        file.sync()?;
        self.to.sync(QUARANTINE)?;
        Ok((self.records, Some(file.path().to_path_buf())))
    }
}
