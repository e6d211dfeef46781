//! okaywal: a write-ahead log with group commit; every commit is synced, there is nothing less.

use std::io;
use std::path::Path;

use okaywal::{Entry as Recovered, EntryId, LogManager, SegmentReader, WriteAheadLog};

use crate::class::Class;
use crate::peer::{Entry, Peer, Result};

pub const ENTRY: Entry = Entry {
    name: "okaywal",
    release: "okaywal 0.3.1",
    setting: "an entry of one chunk a record; checkpoints keep nothing",
    acknowledges: "-",
    can: |class: Class| class.commits() || class == Class::Batch,
    open,
};

/// A log whose checkpoints drop what they are given: the least work that it can do.
#[derive(Debug)]
struct Drop;

impl LogManager for Drop {
    fn recover(&mut self, _entry: &mut Recovered<'_>) -> io::Result<()> {
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last: EntryId,
        _entries: &mut SegmentReader,
        _log: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

struct OkayWal {
    log: WriteAheadLog,
}

fn open(folder: &Path, _class: Class) -> Result<Box<dyn Peer>> {
    let log = WriteAheadLog::recover(folder.join("log"), Drop)?;
    Ok(Box::new(OkayWal { log }))
}

impl Peer for OkayWal {
    fn append(&self, record: &[u8]) -> Result<()> {
        let mut entry = self.log.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit()?;
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut entry = self.log.begin_entry()?;
        for record in records {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }
}
