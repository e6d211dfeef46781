//! wal-db: a write-ahead log; `append` writes, `sync` shares one sync among its callers.

use std::path::Path;

use wal_db::{FileStore, Wal};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

pub const ENTRY: Entry = Entry {
    name: "wal-db",
    release: "wal-db 1.1.0",
    setting: "one file; append, or append_and_sync where it must survive power loss",
    acknowledges: "-",
    can: |class: Class| class.writes() || class.commits() || class.opens() || class == Class::Batch,
    open,
};

struct WalDb {
    log: Wal<FileStore>,
    promise: Promise,
}

fn open(folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let promise = class.promise();
    let log = Wal::open(folder.join("log"))?;
    Ok(Box::new(WalDb { log, promise }))
}

impl Peer for WalDb {
    fn append(&self, record: &[u8]) -> Result<()> {
        let _place = match self.promise {
            Promise::Kernel => self.log.append(record)?,
            Promise::Medium => self.log.append_and_sync(record)?,
        };
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        for record in records {
            let _place = self.log.append(record)?;
        }
        Ok(self.log.sync()?)
    }

    fn see_first(&self) -> Result<bool> {
        Ok(self.log.iter()?.next().transpose()?.is_some())
    }
}
