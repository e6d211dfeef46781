//! fjall: a log-structured key-value store, with a counter as the key.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::class::Class;
use crate::peer::{Entry, Peer, Promise, Result};

pub const ENTRY: Entry = Entry {
    name: "fjall",
    release: "fjall 3.1.13",
    setting: "a keyspace with a counter as key; Buffer, or SyncData where it must survive power loss",
    acknowledges: "kernel",
    can: |_: Class| true,
    open,
};

struct Fjall {
    database: Database,
    records: Keyspace,
    promise: Promise,
    next: AtomicU64,
}

fn open(folder: &Path, class: Class) -> Result<Box<dyn Peer>> {
    let promise = class.promise();
    let database = Database::builder(folder.join("database"))
        .manual_journal_persist(promise == Promise::Medium)
        .open()?;
    let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
    Ok(Box::new(Fjall {
        database,
        records,
        promise,
        next: AtomicU64::new(0),
    }))
}

impl Fjall {
    fn key(&self) -> [u8; 8] {
        self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes()
    }
}

impl Peer for Fjall {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.records.insert(self.key(), record)?;
        if self.promise == Promise::Medium {
            self.database.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mode = match self.promise {
            Promise::Kernel => PersistMode::Buffer,
            Promise::Medium => PersistMode::SyncData,
        };
        let mut batch = self.database.batch().durability(Some(mode));
        for record in records {
            batch.insert(&self.records, self.key(), *record);
        }
        Ok(batch.commit()?)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut taken = 0;
        let mut waiting = self.records.iter();
        while taken < records {
            let mut batch = self.database.batch();
            let mut count = 0;
            while count < per_ack.min(records - taken) {
                let Some(guard) = waiting.next() else { break };
                let (key, value) = guard.into_inner()?;
                std::hint::black_box(value);
                if per_ack == 1 {
                    self.records.remove(key)?;
                } else {
                    batch.remove(&self.records, key);
                }
                count += 1;
            }
            if count == 0 {
                break;
            }
            batch.commit()?;
            taken += count;
            each();
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        match self.records.first_key_value() {
            Some(guard) => Ok(!guard.value()?.is_empty()),
            None => Ok(false),
        }
    }
}
