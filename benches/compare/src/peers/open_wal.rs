//! open-wal: a log for one writer; what is appended is in memory until `commit`, which syncs.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use open_wal::{NullObserver, Wal, WalConfig};

use crate::class::Class;
use crate::peer::{Entry, Peer, Result};

pub const ENTRY: Entry = Entry {
    name: "open-wal",
    release: "open-wal 0.2.1",
    setting: "default segments; behind a mutex; append and commit",
    acknowledges: "-",
    can: |class: Class| class.commits() || class.opens() || class == Class::Batch,
    open,
};

struct OpenWal {
    log: Mutex<Wal<NullObserver>>,
}

fn open(folder: &Path, _class: Class) -> Result<Box<dyn Peer>> {
    let folder = folder.join("log");
    std::fs::create_dir_all(&folder)?;
    let (log, _) = Wal::open(&folder, WalConfig::default())?;
    let log = Mutex::new(log);
    Ok(Box::new(OpenWal { log }))
}

impl OpenWal {
    fn lock(&self) -> MutexGuard<'_, Wal<NullObserver>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer for OpenWal {
    fn append(&self, record: &[u8]) -> Result<()> {
        let mut log = self.lock();
        log.append(record)?;
        log.commit()?;
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut log = self.lock();
        for record in records {
            log.append(record)?;
        }
        log.commit()?;
        Ok(())
    }

    fn fill(&self, records: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        const RECORDS: usize = 10_000;
        let mut log = self.lock();
        for (number, record) in records.enumerate() {
            log.append(record)?;
            if number % RECORDS == 0 {
                log.commit()?;
            }
        }
        log.commit()?;
        Ok(())
    }

    fn see_first(&self) -> Result<bool> {
        let log = self.lock();
        let mut reader = log.reader_from(open_wal::Lsn(1))?;
        Ok(reader.next().transpose()?.is_some())
    }
}
