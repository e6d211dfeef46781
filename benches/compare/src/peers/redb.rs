//! redb: a copy-on-write tree with transactions, with a counter as the key. What it does not
//! commit durably it does not promise to keep, so it has no kernel's class.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::class::Class;
use crate::peer::{Entry, Peer, Result};

const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

pub const ENTRY: Entry = Entry {
    name: "redb",
    release: "redb 4.4.0",
    setting: "a table with a counter as key; Durability::Immediate, its default",
    acknowledges: "medium",
    can: |class: Class| class.commits() || class.drains() || class.opens() || class == Class::Batch,
    open,
};

struct Redb {
    database: Database,
    next: AtomicU64,
}

fn open(folder: &Path, _class: Class) -> Result<Box<dyn Peer>> {
    let database = Database::create(folder.join("database"))?;
    let next = AtomicU64::new(0);
    Ok(Box::new(Redb { database, next }))
}

impl Redb {
    fn insert<'a>(&self, records: &mut dyn Iterator<Item = &'a [u8]>) -> Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for record in records {
                table.insert(self.next.fetch_add(1, Ordering::Relaxed), record)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Peer for Redb {
    fn append(&self, record: &[u8]) -> Result<()> {
        self.insert(&mut std::iter::once(record))
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        self.insert(&mut records.iter().copied())
    }

    fn fill(&self, records: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        self.insert(records)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        let mut taken = 0;
        while taken < records {
            let transaction = self.database.begin_write()?;
            let mut count = 0;
            {
                let mut table = transaction.open_table(RECORDS)?;
                while count < per_ack.min(records - taken) {
                    let Some((_, value)) = table.pop_first()? else {
                        break;
                    };
                    std::hint::black_box(value.value());
                    count += 1;
                }
            }
            transaction.commit()?;
            if count == 0 {
                break;
            }
            taken += count;
            each();
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        Ok(table.first()?.is_some())
    }
}
