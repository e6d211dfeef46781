//! Cursor files that are damaged, misplaced or missing.

use std::path::{Path, PathBuf};

use forebay::{CorruptionPolicy, ErrorKind, Queue};

use crate::scene::{at, drain_exactly, enqueue, folder, quick, refused};

fn cursor(path: &Path, name: &str) -> PathBuf {
    path.join("cursors").join(format!("{name}.cursor"))
}

/// A closed queue of 300 records; `a` has acknowledged 100 of them, `b` 200.
fn make(path: &Path) -> forebay::Result<()> {
    let queue = quick().open(path)?;
    enqueue(&queue, 0..300)?;
    queue.sync()?;
    for (name, acked) in [("a", 100), ("b", 200)] {
        let mut consumer = queue.consumer(name)?;
        consumer.ack_through(at(acked - 1))?;
    }
    queue.close()
}

/// Claims that `a` is refused, each time, that `b` is where it was, that nothing is reclaimed, and
/// that the producer goes on.
fn check_a_is_refused(path: &Path, kind: ErrorKind) -> forebay::Result<()> {
    for _ in 0..2 {
        let queue = quick().open(path)?;
        let first = queue.first();
        let error = refused(queue.consumer("a"), kind);
        assert!(error.to_string().contains("a.cursor"), "{error}");
        refused(queue.consumer("a"), kind);
        let mut other = queue.consumer("b")?;
        let end = queue.next().get();
        enqueue(&queue, end..end + 100)?;
        drain_exactly(&mut other, 200..end + 100)?;
        other.seek(at(200))?;
        queue.reclaim()?;
        assert_eq!(queue.first(), first, "nobody knows what a needs");
    }
    Ok(())
}

#[test]
fn a_cursor_with_both_slots_bad_fails_closed_for_its_consumer_only() -> forebay::Result<()> {
    for damage in ["zeros", "noise", "short", "empty"] {
        let folder = folder();
        let path = folder.path().join("q");
        make(&path)?;
        let file = cursor(&path, "a");
        let length = std::fs::read(&file).expect("there").len();
        let bytes = match damage {
            "zeros" => vec![0; length],
            "noise" => vec![0xA5; length],
            "short" => vec![1; 17],
            _ => Vec::new(),
        };
        std::fs::write(&file, bytes).expect("can be written");
        check_a_is_refused(&path, ErrorKind::Corrupt)?;
    }
    Ok(())
}

#[test]
fn one_bad_slot_costs_at_most_some_acks() -> forebay::Result<()> {
    for slot in 0..2 {
        let folder = folder();
        let path = folder.path().join("q");
        make(&path)?;
        let file = cursor(&path, "a");
        let mut bytes = std::fs::read(&file).expect("there");
        let half = bytes.len() / 2;
        bytes[slot * half..(slot + 1) * half].fill(0xFF);
        std::fs::write(&file, bytes).expect("can be written");
        let queue = quick().open(&path)?;
        let mut consumer = queue.consumer("a")?;
        let from = consumer.next_sequence();
        assert!(from == at(0) || from == at(100), "{from}");
        // What both consumers had acknowledged may be deleted.
        let from = from.max(queue.first());
        drain_exactly(&mut consumer, from.get()..300)?;
    }
    Ok(())
}

#[test]
fn a_cursor_renamed_to_another_consumer_is_refused() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path)?;
    std::fs::copy(cursor(&path, "b"), cursor(&path, "a")).expect("can be copied");
    check_a_is_refused(&path, ErrorKind::Corrupt)
}

#[test]
fn a_cursor_of_another_queue_is_refused() -> forebay::Result<()> {
    let folder = folder();
    let (path, other) = (folder.path().join("q"), folder.path().join("other"));
    make(&path)?;
    make(&other)?;
    std::fs::copy(cursor(&other, "a"), cursor(&path, "a")).expect("can be copied");
    check_a_is_refused(&path, ErrorKind::Corrupt)
}

#[test]
fn a_cursor_that_knows_more_than_the_log_is_refused() -> forebay::Result<()> {
    let folder = folder();
    let (path, old) = (folder.path().join("q"), folder.path().join("old"));
    make(&path)?;
    crate::tree::copy_tree(&path, &old);
    let queue = quick().open(&path)?;
    enqueue(&queue, 300..400)?;
    drain_exactly(&mut queue.consumer("a")?, 100..400)?;
    queue.close()?;
    // A restored backup, with one cursor that was not restored.
    std::fs::copy(cursor(&path, "a"), cursor(&old, "a")).expect("can be copied");
    let queue = quick().open(&old)?;
    refused(queue.consumer("a"), ErrorKind::Corrupt);
    drain_exactly(&mut queue.consumer("b")?, 200..queue.next().get())
}

#[cfg(unix)]
#[test]
fn a_cursor_that_cannot_be_opened_fails_closed_for_its_consumer_only() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path)?;
    let (file, aside) = (cursor(&path, "a"), folder.path().join("aside"));
    std::fs::copy(&file, &aside).expect("can be copied");
    std::fs::remove_file(&file).expect("can be removed");
    std::os::unix::fs::symlink(&aside, &file).expect("can be linked");
    let before = std::fs::read(&aside).expect("there");
    check_a_is_refused(&path, ErrorKind::Foreign)?;
    assert_eq!(std::fs::read(&aside).expect("there"), before);
    assert!(std::fs::symlink_metadata(&file).is_ok_and(|found| found.is_symlink()));
    Ok(())
}

#[test]
fn a_folder_in_the_place_of_a_cursor_is_refused() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path)?;
    let file = cursor(&path, "a");
    std::fs::remove_file(&file).expect("can be removed");
    std::fs::create_dir(&file).expect("can be made");
    let queue = quick().open(&path)?;
    drop(queue.consumer("a").expect_err("a folder is no cursor"));
    queue.consumer("b")?;
    assert!(file.is_dir());
    Ok(())
}

#[test]
fn a_bad_cursor_does_not_keep_a_strict_queue_from_opening() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path)?;
    std::fs::write(cursor(&path, "a"), [0; 100]).expect("can be written");
    let options = quick().corruption_policy(CorruptionPolicy::RefuseOpen);
    let queue = options.open(&path)?;
    refused(queue.consumer("a"), ErrorKind::Corrupt);
    Ok(())
}

#[test]
fn what_is_no_cursor_is_ignored() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    make(&path)?;
    for name in [
        "notes.txt",
        ".cursor",
        "c.cursor.tmp",
        ".hidden.cursor",
        "README",
    ] {
        std::fs::write(path.join("cursors").join(name), "foreign").expect("can be written");
    }
    let queue = Queue::open(&path)?;
    assert_eq!(queue.consumers(), ["a", "b"]);
    // Left over from a kill while it was made.
    assert_eq!(queue.consumer("c")?.next_sequence(), queue.first());
    Ok(())
}
