//! The table that forebay replaces, with its statements: `SQLite` as a buffer.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use crate::class::Class;
use crate::peer::{Entry, Peer, Result};

/// So many that no record is dropped, as no peer drops any.
const CAPACITY: i64 = i64::MAX;
const TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    payload BLOB NOT NULL,
    enqueued_at INTEGER NOT NULL
)";
const COUNT: &str = "SELECT COUNT(*) FROM events";
const INSERT: &str = "INSERT INTO events (payload, enqueued_at) VALUES (?1, ?2)";

pub const NORMAL: Entry = Entry {
    name: "sqlite-normal",
    release: "rusqlite 0.41.1",
    setting: "the replaced table: WAL, synchronous NORMAL, a COUNT per insert for the capacity",
    acknowledges: "kernel",
    can: |class: Class| class.writes() || class.drains() || class.waits(),
    open: |folder, _| open(folder, "NORMAL"),
};

pub const FULL: Entry = Entry {
    name: "sqlite-full",
    release: "rusqlite 0.41.1",
    setting: "the same with synchronous FULL",
    acknowledges: "medium",
    can: |class: Class| class.commits() || class.drains() || class == Class::Batch,
    open: |folder, _| open(folder, "FULL"),
};

struct Sqlite {
    connection: Mutex<Connection>,
}

fn open(folder: &Path, synchronous: &str) -> Result<Box<dyn Peer>> {
    let connection = Connection::open(folder.join("buffer.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute(TABLE, [])?;
    let connection = Mutex::new(connection);
    Ok(Box::new(Sqlite { connection }))
}

fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

impl Sqlite {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the replaced buffer did before each insert: count, and drop the oldest at capacity.
fn make_room(connection: &Connection, coming: i64) -> Result<()> {
    let count: i64 = connection
        .prepare_cached(COUNT)?
        .query_row([], |row| row.get(0))?;
    if count > CAPACITY - coming {
        return Err("the table is full".into());
    }
    Ok(())
}

impl Peer for Sqlite {
    fn append(&self, record: &[u8]) -> Result<()> {
        let connection = self.lock();
        make_room(&connection, 1)?;
        connection
            .prepare_cached(INSERT)?
            .execute(params![record, now()?])?;
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        make_room(&transaction, i64::try_from(records.len())?)?;
        for record in records {
            transaction
                .prepare_cached(INSERT)?
                .execute(params![record, now()?])?;
        }
        Ok(transaction.commit()?)
    }

    fn fill(&self, records: &mut dyn Iterator<Item = &[u8]>) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for record in records {
            transaction
                .prepare_cached(INSERT)?
                .execute(params![record, now()?])?;
        }
        Ok(transaction.commit()?)
    }

    fn drain(&self, records: u64, per_ack: u64, each: &mut dyn FnMut()) -> Result<u64> {
        const OLDEST: &str = "SELECT id, payload FROM events ORDER BY id LIMIT ?1";
        let connection = self.lock();
        let mut taken = 0;
        while taken < records {
            let limit = i64::try_from((records - taken).min(per_ack.max(100)))?;
            let mut statement = connection.prepare_cached(OLDEST)?;
            let rows: Vec<(i64, Vec<u8>)> = statement
                .query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<std::result::Result<_, _>>()?;
            if rows.is_empty() {
                break;
            }
            for chunk in rows.chunks(usize::try_from(per_ack)?) {
                let (sql, last) = match chunk {
                    [(id, _)] => ("DELETE FROM events WHERE id = ?1", *id),
                    [.., (id, _)] => ("DELETE FROM events WHERE id <= ?1", *id),
                    [] => continue,
                };
                connection.prepare_cached(sql)?.execute([last])?;
                taken += chunk.len() as u64;
                each();
            }
        }
        Ok(taken)
    }

    fn see_first(&self) -> Result<bool> {
        const FIRST: &str = "SELECT payload FROM events ORDER BY id LIMIT 1";
        let connection = self.lock();
        let payload: Vec<u8> = connection.query_row(FIRST, [], |row| row.get(0))?;
        Ok(!payload.is_empty())
    }
}
