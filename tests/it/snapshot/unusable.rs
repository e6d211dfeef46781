//! Physical damage costs a full replay; a snapshot of something else stops.

use std::path::Path;

use forebay::{Error, ErrorKind, Queue, Result};

use super::{edit, file, lines, mend, names, open, recover, save, save_bytes};
use crate::scene::{at, enqueue, folder, refused};
use crate::tree::copy_tree;

type Change = fn(&mut Vec<u8>);

/// A queue of `records` with a snapshot of `covers` of them, closed.
fn saved(path: &Path, records: u64, covers: u64) -> Result<()> {
    let queue = open(path);
    enqueue(&queue, 0..records)?;
    save(&queue.snapshots("view")?, covers)?;
    queue.close()
}

/// The hard error of recovering, with the closures never called and the file left as it is.
#[track_caller]
fn stopped(queue: &Queue, path: &Path) -> Error {
    let before = std::fs::read(file(path, "view")).expect("it is there");
    let store = queue.snapshots("view").expect("a free name");
    let mut called = 0;
    let outcome = store.recover(|_| (), |(), _| called += 1);
    let error = refused(outcome, ErrorKind::Corrupt);
    assert_eq!(called, 0, "{error}");
    assert_eq!(error.path(), Some(file(path, "view").as_path()));
    assert!(error.to_string().contains("move "), "no remedy: {error}");
    // Nor is it replaced by a new one.
    let next = queue.next().get();
    refused(save_bytes(&store, b"new", next), ErrorKind::Corrupt);
    assert!(std::fs::read(file(path, "view")).expect("it is there") == before);
    error
}

/// AQ-59, AQ-61.
#[test]
fn a_damaged_snapshot_costs_a_full_replay_that_says_why_and_is_kept_aside() -> Result<()> {
    let changes: [(&str, Change); 5] = [
        ("magic", |bytes| bytes[0] = 0),
        ("checksum", |bytes| bytes[60] ^= 1),
        ("bytes", |bytes| bytes.truncate(131)),
        ("0 bytes", Vec::clear),
        ("payload checksum", |bytes| bytes[140] ^= 1),
    ];
    for (what, change) in changes {
        let folder = folder();
        let path = folder.path().join("queue");
        saved(&path, 9, 5)?;
        edit(&path, "view", change);
        let damaged = std::fs::read(file(&path, "view")).expect("it is there");
        let queue = open(&path);
        let store = queue.snapshots("view")?;
        let recovered = recover(&store)?;
        assert_eq!(recovered.state, lines(9), "{what}");
        assert_eq!(recovered.report.snapshot, None);
        assert_eq!(recovered.report.read, at(0)..at(9));
        let why = recovered.report.unusable.expect("it says why");
        assert!(why.to_string().contains(what), "{what}: {why}");
        assert_eq!(names(&path, "quarantine"), [""; 0], "reading moves nothing");
        // A smaller one may take its place: what the damaged one says does not count.
        save(&store, 2)?;
        let aside = names(&path, "quarantine");
        assert_eq!(aside.len(), 1, "{aside:?}");
        let kept = std::fs::read(path.join("quarantine").join(&aside[0])).expect("it is there");
        assert!(kept == damaged, "{what}");
        let again = recover(&store)?;
        assert_eq!(
            (again.state, again.report.snapshot),
            (lines(9), Some(at(2)))
        );
    }
    Ok(())
}

#[test]
fn a_damaged_snapshot_of_a_log_without_its_beginning_is_a_hard_error() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..200)?;
    save(&queue.snapshots("view")?, 200)?;
    queue.consumer("ship")?.drain(|_| Ok::<(), ()>(()))?;
    queue.reclaim()?;
    assert!(queue.first() > at(0));
    edit(&path, "view", |bytes| bytes[140] ^= 1);
    let store = queue.snapshots("view")?;
    let error = refused(recover(&store), ErrorKind::OutOfRange);
    let text = error.to_string();
    assert!(
        text.contains("payload checksum") && text.contains("0.."),
        "{text}"
    );
    Ok(())
}

/// AQ-59.
#[test]
fn a_snapshot_of_another_queue_is_a_hard_error_and_stays() -> Result<()> {
    let folder = folder();
    let (path, other) = (folder.path().join("queue"), folder.path().join("other"));
    saved(&path, 9, 5)?;
    saved(&other, 9, 5)?;
    std::fs::copy(file(&other, "view"), file(&path, "view")).expect("it can be copied");
    let queue = open(&path);
    let error = stopped(&queue, &path);
    let id = queue.id().to_string();
    assert!(error.to_string().contains(&id), "{error}");
    Ok(())
}

/// AQ-62: an older copy of the log was put back beside a newer snapshot.
#[test]
fn a_snapshot_beyond_the_log_is_a_hard_error_with_both_ends() -> Result<()> {
    let folder = folder();
    let (path, older) = (folder.path().join("queue"), folder.path().join("older"));
    saved(&path, 5, 1)?;
    copy_tree(&path, &older);
    let queue = open(&path);
    enqueue(&queue, 5..9)?;
    save(&queue.snapshots("view")?, 8)?;
    queue.close()?;
    std::fs::copy(file(&path, "view"), file(&older, "view")).expect("it can be copied");
    let queue = open(&older);
    let error = stopped(&queue, &older);
    assert_eq!(error.corruption().expect("a range").range, at(5)..at(9));
    Ok(())
}

/// A1W-20: a log that has lost everything does not begin again at 0 under a snapshot of more.
#[test]
fn a_snapshot_over_an_empty_log_is_a_hard_error() -> Result<()> {
    let folder = folder();
    let (path, empty) = (folder.path().join("queue"), folder.path().join("empty"));
    drop(open(&path));
    copy_tree(&path, &empty);
    saved(&path, 9, 5)?;
    std::fs::create_dir(empty.join("snapshots")).expect("it can be made");
    std::fs::copy(file(&path, "view"), file(&empty, "view")).expect("it can be copied");
    let queue = open(&empty);
    stopped(&queue, &empty);
    Ok(())
}

#[test]
fn a_snapshot_of_a_later_run_than_the_log_knows_is_a_hard_error() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    saved(&path, 9, 5)?;
    edit(&path, "view", |bytes| {
        bytes[52] += 1;
        mend(bytes);
    });
    let error = stopped(&open(&path), &path);
    assert!(error.to_string().contains("epoch"), "{error}");
    Ok(())
}

/// The log was cut below the snapshot, and went on with other records under its sequences.
fn cut_below(folder: &Path) -> Result<std::path::PathBuf> {
    let (path, cut) = (folder.join("queue"), folder.join("cut"));
    let queue = open(&path);
    enqueue(&queue, 0..5)?;
    queue.sync()?;
    copy_tree(&path, &cut);
    enqueue(&queue, 5..9)?;
    save(&queue.snapshots("view")?, 8)?;
    queue.close()?;
    std::fs::create_dir_all(cut.join("snapshots")).expect("it can be made");
    std::fs::copy(file(&path, "view"), file(&cut, "view")).expect("it can be copied");
    let queue = open(&cut);
    assert_eq!((queue.next(), queue.recovery().clean), (at(5), false));
    for number in 5..200 {
        queue.enqueue(format!("other {number}"))?;
    }
    queue.close()?;
    Ok(cut)
}

#[test]
fn a_snapshot_ahead_of_a_log_that_was_cut_costs_a_full_replay_that_says_so() -> Result<()> {
    let folder = folder();
    let path = cut_below(folder.path())?;
    let queue = open(&path);
    let store = queue.snapshots("view")?;
    let error = refused(store.load(), ErrorKind::Corrupt);
    assert_eq!(error.corruption().expect("a range").range, at(5)..at(8));
    let recovered = recover(&store)?;
    let text = String::from_utf8(recovered.state).expect("it is text");
    assert!(
        text.contains("record 4\nother 5\n"),
        "the other run's records"
    );
    assert_eq!((recovered.report.snapshot, recovered.next), (None, at(200)));
    let why = recovered.report.unusable.expect("it says why");
    assert!(why.to_string().contains("cut at 5"), "{why}");
    // One that covers less than it claimed may take its place.
    save_bytes(&store, text.as_bytes(), 6)?;
    assert_eq!(recover(&store)?.report.snapshot, Some(at(6)));
    Ok(())
}

#[test]
fn a_snapshot_ahead_of_a_log_that_was_cut_and_reclaimed_is_a_hard_error() -> Result<()> {
    let folder = folder();
    let path = cut_below(folder.path())?;
    let queue = open(&path);
    queue.consumer("ship")?.drain(|_| Ok::<(), ()>(()))?;
    queue.reclaim()?;
    assert!(queue.first() > at(0));
    refused(recover(&queue.snapshots("view")?), ErrorKind::OutOfRange);
    Ok(())
}

#[test]
fn a_snapshot_below_the_cut_of_a_log_is_used() -> Result<()> {
    let folder = folder();
    let (path, cut) = (folder.path().join("queue"), folder.path().join("cut"));
    let queue = open(&path);
    enqueue(&queue, 0..5)?;
    save(&queue.snapshots("view")?, 5)?;
    enqueue(&queue, 5..9)?;
    copy_tree(&path, &cut);
    drop(queue);
    let queue = open(&cut);
    enqueue(&queue, queue.next().get()..20)?;
    let recovered = recover(&queue.snapshots("view")?)?;
    assert_eq!(recovered.state, lines(20));
    assert_eq!(recovered.report.snapshot, Some(at(5)));
    Ok(())
}
