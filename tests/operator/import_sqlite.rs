//! `forebay import-sqlite`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use forebay::{EventBuffer, Follower, Queue, inspect};
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

use crate::golden;
use crate::scenes;

/// The statements of the event buffer whose tables are moved.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    payload BLOB NOT NULL,
    enqueued_at INTEGER NOT NULL
)";
const INSERT: &str = "INSERT INTO events (payload, enqueued_at) VALUES (?1, ?2)";
const EVICT: &str =
    "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id ASC LIMIT ?1)";
const READ: &str = "SELECT payload, enqueued_at FROM events ORDER BY id ASC";

/// What row `number` holds: JSON, bytes that are no text, or nothing.
fn payload(number: i64) -> Vec<u8> {
    match number % 100 {
        13 => Vec::new(),
        57 => (0..=255).rev().collect(),
        rest => format!(
            "{{\"number\":{number},\"text\":\"{}\"}}",
            "ä".repeat(usize::try_from(rest).expect("small"),)
        )
        .into_bytes(),
    }
}

fn time_ns(number: i64) -> i64 {
    1_700_000_000_123_456_789 + number * 1001
}

/// Opens a database as the event buffer does.
fn database(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a new database");
    let mode = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    connection.execute_batch(mode).expect("pragmas");
    connection.execute(TABLE, []).expect("a table");
    connection
}

fn fill(connection: &Connection, rows: std::ops::Range<i64>) {
    connection.execute_batch("BEGIN").expect("a transaction");
    let mut insert = connection.prepare(INSERT).expect("a statement");
    for number in rows {
        let row = params![payload(number), time_ns(number)];
        insert.execute(row).expect("room");
    }
    connection.execute_batch("COMMIT").expect("room");
}

fn folder_with(rows: i64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = database(&folder.path().join("buffer.db"));
    fill(&connection, 0..rows);
    connection.close().expect("a clean close");
    folder
}

fn import(folder: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["import-sqlite", "q", "buffer.db"], more].concat();
    let output = golden::run(folder, &arguments);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What it said of an import that went well.
fn imported(folder: &Path, more: &[&str]) -> Value {
    let (code, said, error) = import(folder, &[more, &["--json"]].concat());
    assert_eq!((code, error.as_str()), (Some(0), ""));
    serde_json::from_str(&said).expect("an object")
}

/// The payloads of the queue with their times, which have the sequences from 0.
fn records(folder: &Path) -> Vec<(Vec<u8>, u64)> {
    let mut follower = Follower::open(folder.join("q")).expect("a queue");
    let mut found = Vec::new();
    while let Some(record) = follower.next().expect("whole records") {
        assert_eq!(
            usize::try_from(record.sequence.get()).ok(),
            Some(found.len())
        );
        let since = record
            .enqueued_at
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        let time = u64::try_from(since.as_nanos()).expect("this century");
        found.push((record.payload.to_vec(), time));
    }
    found
}

fn payloads(folder: &Path) -> Vec<String> {
    let text = |(payload, _): &(Vec<u8>, u64)| String::from_utf8_lossy(payload).into_owned();
    records(folder).iter().map(text).collect()
}

/// What lies in `folder` besides the database's own files.
fn others(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let names = entries.map(|entry| name(entry.expect("an entry")));
    names
        .filter(|name| !name.starts_with("buffer.db"))
        .collect()
}

#[test]
fn a_hundred_thousand_rows_come_over_row_by_row_and_the_source_is_not_touched() {
    const ROWS: i64 = 100_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("buffer.db");
    let connection = database(&path);
    fill(&connection, 0..ROWS);
    // The buffer at its capacity drops the oldest, and goes on.
    connection.execute(EVICT, [500]).expect("a smaller table");
    fill(&connection, ROWS..ROWS + 500);
    let before = scenes::files(folder.path());
    let logged = before
        .get(&folder.path().join("buffer.db-wal"))
        .map_or(0, Vec::len);
    assert!(
        logged > 1 << 20,
        "rows that are in the log alone: {logged} bytes"
    );

    let said = imported(folder.path(), &[]);
    let mut after = scenes::files(folder.path());
    after.retain(|name, _| !name.starts_with(folder.path().join("q")));
    assert!(after.keys().eq(before.keys()), "{:?}", after.keys());
    assert!(after == before, "the source was changed");

    let mut statement = connection.prepare(READ).expect("a statement");
    let mut rows = statement.query([]).expect("rows");
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    for (payload, time) in records(folder.path()) {
        let row = rows
            .next()
            .expect("a row")
            .expect("as many rows as records");
        assert_eq!(row.get_ref(0).expect("a payload").as_blob(), Ok(&*payload));
        let at: i64 = row.get(1).expect("a time");
        assert_eq!(u64::try_from(at).ok(), Some(time));
        hasher.update(&payload);
        count += 1;
    }
    assert!(rows.next().expect("the end").is_none());
    assert_eq!(count, ROWS);
    assert_eq!(said["records"], ROWS);
    assert_eq!(said["blake3"], hasher.finalize().to_hex().as_str());
    assert_eq!(
        (&said["times"], &said["times_missing"]),
        (&"ns".into(), &0.into())
    );
    assert_eq!(said["first"], 0);
    assert_eq!(said["next"], ROWS);
}

#[test]
fn what_was_moved_is_a_buffer_s_backlog_with_its_age() {
    let folder = folder_with(300);
    let (code, _, error) = import(folder.path(), &[]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let found = inspect::inspect(folder.path().join("q")).expect("a queue");
    assert!(!found.is_damaged() && found.opening.clean);
    let oldest = u64::try_from(time_ns(0)).expect("positive");
    assert_eq!(
        found.oldest_waiting,
        Some(UNIX_EPOCH + Duration::from_nanos(oldest))
    );
    let buffer: EventBuffer<Vec<u8>, forebay::Bytes> =
        EventBuffer::new(folder.path().join("q"), 1000).expect("a buffer");
    buffer.enqueue(&b"new".to_vec()).expect("room");
    let mut drained = Vec::new();
    let count = buffer.drain(|event| {
        drained.push(event);
        Ok::<_, std::io::Error>(())
    });
    assert_eq!(count.expect("whole"), 301);
    assert!(drained[..300].iter().cloned().eq((0..300).map(payload)));
    assert_eq!(drained[300], b"new");
}

#[test]
fn what_it_says_is_for_people_too() {
    let folder = folder_with(10);
    golden::check(
        "import-sqlite",
        folder.path(),
        &["import-sqlite", "q", "buffer.db"],
    );
    let again = ["import-sqlite", "q", "buffer.db"];
    golden::check("import-sqlite-again", folder.path(), &again);
    assert_eq!(records(folder.path()).len(), 10);
}

#[test]
fn any_table_and_any_name_will_do_and_none_is_pasted() {
    let folder = folder_with(3);
    let connection = Connection::open(folder.path().join("buffer.db")).expect("the database");
    connection
        .execute_batch(
            r#"CREATE TABLE "a ""b""; DROP TABLE events; --" ("select" TEXT, "or der" REAL, at);
            INSERT INTO "a ""b""; DROP TABLE events; --" VALUES
                ('third', 3.5, '2026-01-31 08:00:03'), ('first', -1, '2026-01-31T08:00:01Z'),
                (x'7365636f6e64', 2, '2026-01-31T10:00:02.5+02:00'), ('tied', 3.5, NULL);"#,
        )
        .expect("statements");
    connection.close().expect("a clean close");
    let table = "a \"b\"; DROP TABLE events; --";
    let of = [
        "--table",
        table,
        "--order",
        "or der",
        "--payload",
        "SELECT",
        "--time",
        "at",
    ];
    let (code, said, error) = import(folder.path(), &of);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("that of the import: 1\n"), "{error}");
    assert!(said.contains("ISO 8601"), "{said}");
    assert_eq!(
        payloads(folder.path()),
        ["first", "second", "third", "tied"]
    );
    let start = 1_769_846_400_000_000_000;
    let times: Vec<u64> = records(folder.path())
        .iter()
        .map(|(_, time)| *time)
        .collect();
    let second = 1_000_000_000;
    assert_eq!(
        times[..3],
        [start + second, start + 5 * second / 2, start + 3 * second]
    );
    assert!(times[3] > start + 3600 * second);
}

#[test]
fn times_are_new_where_no_column_is_named_for_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = Connection::open(folder.path().join("buffer.db")).expect("a new database");
    connection
        .execute_batch(
            "CREATE TABLE jobs (seq INTEGER PRIMARY KEY, body TEXT, enqueued_at INTEGER);
            INSERT INTO jobs VALUES (2, 'b', 5), (1, 'a', 6);",
        )
        .expect("statements");
    connection.close().expect("a clean close");
    let of = ["--table", "jobs", "--order", "seq", "--payload", "body"];
    let said = imported(folder.path(), &of);
    assert_eq!(
        (&said["times"], &said["times_missing"]),
        (&Value::Null, &0.into())
    );
    assert_eq!(payloads(folder.path()), ["a", "b"]);
    assert!(
        records(folder.path())
            .iter()
            .all(|(_, time)| *time > 1_700_000_000_000_000_000)
    );

    fs::remove_dir_all(folder.path().join("q")).expect("a queue");
    let of = [&of[..], &["--time", "enqueued_at"]].concat();
    let (code, _, error) = import(folder.path(), &of);
    assert_eq!(code, Some(2));
    assert!(error.contains("--time-unit"), "{error}");
    let said = imported(folder.path(), &[&of[..], &["--time-unit", "s"]].concat());
    assert_eq!(said["times"], "s");
    let times: Vec<u64> = records(folder.path())
        .iter()
        .map(|(_, time)| *time)
        .collect();
    assert_eq!(times, [6_000_000_000, 5_000_000_000]);
}

#[test]
fn what_cannot_be_moved_is_named_and_leaves_nothing() {
    let folder = folder_with(3);
    let connection = Connection::open(folder.path().join("buffer.db")).expect("the database");
    let more = "CREATE TABLE odd (id, payload); INSERT INTO odd VALUES (1, 'x'), (2, NULL);";
    connection.execute_batch(more).expect("statements");
    connection.close().expect("a clean close");
    for (arguments, word) in [
        (&["--table", "odd"][..], "row 1"),
        (&["--table", "none"], "events, odd"),
        (&["--order", "none"], "id, payload, enqueued_at"),
        (&["--payload", "id"], "Integer"),
        (&["--time", "none"], "id, payload, enqueued_at"),
    ] {
        let (code, _, error) = import(folder.path(), arguments);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(word), "{word}: {error}");
        assert_eq!(others(folder.path()), [""; 0], "{arguments:?}");
    }
    fs::write(folder.path().join("plain"), "text").expect("a file");
    for (database, word) in [("plain", "not a SQLite database"), ("missing", "missing")] {
        let output = golden::run(folder.path(), &["import-sqlite", "q", database]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word));
        assert_eq!(others(folder.path()), ["plain"]);
    }
    fs::create_dir(folder.path().join("q")).expect("a folder");
    assert_eq!(import(folder.path(), &[]).0, Some(2));
    assert_eq!(
        fs::read_dir(folder.path().join("q"))
            .expect("a folder")
            .count(),
        0
    );
}

#[test]
fn a_damaged_database_is_a_finding_and_leaves_nothing() {
    let folder = folder_with(5000);
    let path = folder.path().join("buffer.db");
    let mut bytes = fs::read(&path).expect("a database");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(&path, bytes).expect("a writable file");
    let (code, _, error) = import(folder.path(), &[]);
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.contains("damaged") && error.contains(".recover"),
        "{error}"
    );
    assert_eq!(others(folder.path()), [""; 0]);
}

#[test]
fn the_error_for_a_database_in_the_place_of_a_queue_names_the_import() {
    let folder = folder_with(1);
    let output = golden::run(folder.path(), &["stats", "buffer.db"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("forebay import-sqlite"));
    let error = Queue::open(folder.path().join("buffer.db")).expect_err("a file");
    assert!(
        error.to_string().contains("forebay import-sqlite"),
        "{error}"
    );
}

#[test]
fn an_import_that_was_killed_is_done_again_and_no_row_is_there_twice() {
    let folder = folder_with(30_000);
    let staging = folder.path().join("q.importing");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["import-sqlite", "q", "buffer.db"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs");
    // Records are being written once this is there.
    while !staging.join("queue/segments").exists() && !folder.path().join("q").exists() {
        std::thread::yield_now();
    }
    child.kill().expect("a child");
    child.wait().expect("an end");
    if !folder.path().join("q").exists() {
        assert!(staging.exists());
        let (code, _, error) = import(folder.path(), &[]);
        assert_eq!(code, Some(0), "{error}");
        assert!(
            error.contains("removed what an interrupted import left"),
            "{error}"
        );
    }
    assert_eq!(records(folder.path()).len(), 30_000);
    assert_eq!(import(folder.path(), &[]).0, Some(2));
    assert_eq!(records(folder.path()).len(), 30_000);
    assert_eq!(others(folder.path()), ["q"]);
}

#[test]
fn only_what_an_import_left_is_removed_and_not_while_it_runs() {
    let folder = folder_with(3);
    let staging = folder.path().join("q.importing");
    fs::create_dir(&staging).expect("a folder");
    fs::write(staging.join("precious"), "mine").expect("a file");
    let (code, _, error) = import(folder.path(), &[]);
    assert_eq!(code, Some(2));
    assert!(error.contains("q.importing"), "{error}");
    assert_eq!(fs::read(staging.join("precious")).expect("a file"), b"mine");

    let mark = File::create(staging.join("IMPORT")).expect("a file");
    mark.try_lock().expect("nobody else has it");
    let (code, _, error) = import(folder.path(), &[]);
    assert_eq!(code, Some(2));
    assert!(error.contains("another import"), "{error}");
    drop(mark);
    let (code, _, error) = import(folder.path(), &[]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(others(folder.path()), ["q"]);
}
