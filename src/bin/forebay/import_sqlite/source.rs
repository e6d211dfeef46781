//! The database, as a copy: SQLite would make files beside the one that it reads, or change them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params};

use super::times::Largest;
use crate::failure::Failure;

/// The table unless another one is named; it is known to have a column of times.
pub(super) const TABLE: &str = "events";
const TABLE_TIME: &str = "enqueued_at";

/// The first bytes of a database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What belongs to a database. The index of the log, `-shm`, is made anew by whoever opens a copy.
const PARTS: [&str; 3] = ["", "-wal", "-journal"];

/// What rows are made of, as the user named it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    pub(super) table: &'a str,
    pub(super) order: &'a str,
    pub(super) payload: &'a str,
    pub(super) time: Option<&'a str>,
}

/// A copy of a database.
#[derive(Debug)]
pub(super) struct Source {
    connection: Connection,
}

/// The rows of one table, in order.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    source: &'a Source,
    table: String,
    time: Option<String>,
    query: String,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// Counted from 0.
    pub(super) number: u64,
    pub(super) payload: &'a [u8],
    /// NULL where there is no column for it.
    pub(super) time: ValueRef<'a>,
}

impl Source {
    /// Copies the database into `folder`, checks and opens it there.
    pub(super) fn copy(database: &Path, folder: &Path) -> Result<Self, Failure> {
        let read = || Failure::io(format!("cannot read {}", database.display()));
        // Its other files lie where the database does, not where a link to it does.
        let database = fs::canonicalize(database).map_err(read())?;
        refuse_other(&database)?;
        let copy = folder.join("copy.db");
        let before = state_of(&database).map_err(read())?;
        for part in PARTS {
            match fs::copy(with_suffix(&database, part), with_suffix(&copy, part)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !part.is_empty() => {}
                Err(error) => {
                    let what = format!("cannot copy {}{part}", database.display());
                    return Err(Failure::io(what)(error));
                }
            }
        }
        if state_of(&database).map_err(read())? != before {
            return Err(Failure::Input {
                what: format!("the database is being written: {}", database.display()),
                remedy: "stop the program that uses it, then run the import again",
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&copy, flags).map_err(failed("open"))?;
        let source = Self { connection };
        source.refuse_damaged(&database)?;
        Ok(source)
    }

    fn refuse_damaged(&self, database: &Path) -> Result<(), Failure> {
        let check = "PRAGMA quick_check(1)";
        let found: Result<String, _> = self.connection.query_row(check, [], |row| row.get(0));
        let found = found.unwrap_or_else(|error| error.to_string());
        if found == "ok" {
            return Ok(());
        }
        let database = database.display();
        Err(Failure::Finding(format!(
            "the database is damaged: {database}: {found}; `sqlite3 {database} .recover` gets out \
             what is left"
        )))
    }

    /// The rows of a table.
    pub(super) fn rows(&self, columns: &Columns<'_>) -> Result<Rows<'_>, Failure> {
        let Columns { table, time, .. } = *columns;
        let known = self.names("SELECT name FROM pragma_table_xinfo(?1)", params![table])?;
        if known.is_empty() {
            let tables = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
                          AND substr(name, 1, 7) <> 'sqlite_'";
            let tables = self.names(tables, [])?.join(", ");
            return Err(Failure::Input {
                what: format!("there is no table {table:?}; there are: {tables}"),
                remedy: "name the table with --table",
            });
        }
        let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let is_usual = table.eq_ignore_ascii_case(TABLE) && is_known(TABLE_TIME);
        let time = time.or(is_usual.then_some(TABLE_TIME));
        for name in [Some(columns.order), Some(columns.payload), time] {
            let Some(name) = name else { continue };
            if !is_known(name) && !name.eq_ignore_ascii_case("rowid") {
                let known = known.join(", ");
                return Err(Failure::Input {
                    what: format!("{table:?} has no column {name:?}; it has: {known}"),
                    remedy: "name the columns with --order, --payload and --time",
                });
            }
        }
        Ok(Rows {
            source: self,
            table: table.to_owned(),
            time: time.map(str::to_owned),
            query: self.query(columns, time),
        })
    }

    /// The statement that reads the rows. What is quoted with its table in front is a column's
    /// name, whatever it is made of; alone it would be a text where there is no such column.
    fn query(&self, columns: &Columns<'_>, time: Option<&str>) -> String {
        let table = quoted(columns.table);
        let column = |name| format!("{table}.{}", quoted(name));
        let time = time.map_or_else(|| "NULL".to_owned(), column);
        let (payload, order) = (column(columns.payload), column(columns.order));
        let query = format!("SELECT {payload}, {time} FROM {table} ORDER BY {order}");
        // Rows that are equal by that column stay in the order in which they came, where it is known.
        let exact = format!("{query}, {table}.rowid");
        if self.connection.prepare(&exact).is_ok() {
            exact
        } else {
            query
        }
    }

    fn names(&self, query: &str, of: impl rusqlite::Params) -> Result<Vec<String>, Failure> {
        let mut statement = self
            .connection
            .prepare(query)
            .map_err(failed("look into"))?;
        let names = statement.query_map(of, |row| row.get(0));
        let names = names.and_then(Iterator::collect);
        names.map_err(failed("look into"))
    }
}

impl Rows<'_> {
    /// The column of times.
    pub(super) fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    /// What is the largest of the times.
    pub(super) fn largest_time(&self) -> Result<Largest, Failure> {
        let Some(time) = &self.time else {
            return Ok(Largest::default());
        };
        let table = quoted(&self.table);
        let time = format!("{table}.{}", quoted(time));
        let is_number = format!("typeof({time}) IN ('integer', 'real')");
        let query = format!(
            "SELECT max({time}) FILTER (WHERE {is_number}), \
             count(*) FILTER (WHERE typeof({time}) = 'text') FROM {table}"
        );
        let connection = &self.source.connection;
        let found = connection.query_row(&query, [], |row| {
            Ok(Largest {
                number: row.get(0)?,
                texts: row.get(1)?,
            })
        });
        found.map_err(failed("read"))
    }

    /// Hands all rows to `take`, in order.
    pub(super) fn for_each(
        &self,
        mut take: impl FnMut(Row<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let connection = &self.source.connection;
        let mut statement = connection.prepare(&self.query).map_err(failed("read"))?;
        let mut rows = statement.query([]).map_err(failed("read"))?;
        let mut number = 0_u64;
        while let Some(row) = rows.next().map_err(failed("read"))? {
            let payload = match row.get_ref(0).map_err(failed("read"))? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
                other @ (ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_)) => {
                    let (sort, table) = (other.data_type(), &self.table);
                    return Err(Failure::Input {
                        what: format!(
                            "row {number} of {table:?}, counted from 0, has a payload of type \
                             {sort}: expected text or a blob"
                        ),
                        remedy: "name another column with --payload, or another table",
                    });
                }
            };
            let time = row.get_ref(1).map_err(failed("read"))?;
            take(Row {
                number,
                payload,
                time,
            })?;
            number += 1;
        }
        Ok(())
    }
}

/// `name` as SQL has names, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

/// Refuses what is no database, before anything is copied.
fn refuse_other(path: &Path) -> Result<(), Failure> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    read.map_err(Failure::io(format!("cannot read {}", path.display())))?;
    if start == MAGIC {
        return Ok(());
    }
    Err(Failure::Input {
        what: format!("not a SQLite database: {}", path.display()),
        remedy: "the queue's directory comes first, then the database",
    })
}

/// How long the database's files are, and when they were changed.
fn state_of(database: &Path) -> io::Result<Vec<Option<(u64, SystemTime)>>> {
    let state = |part| match fs::metadata(with_suffix(database, part)) {
        Ok(metadata) => Ok(Some((metadata.len(), metadata.modified()?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    PARTS.into_iter().map(state).collect()
}

fn failed(act: &'static str) -> impl Fn(rusqlite::Error) -> Failure {
    move |error| Failure::io(format!("cannot {act} the database"))(io::Error::other(error))
}
