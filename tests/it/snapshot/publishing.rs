//! The way of a draft: nothing before it is finished, all of it afterwards.

use std::io::Write;

use forebay::{ErrorKind, Result};

use super::{file, lines, names, open, recover, save, save_bytes};
use crate::scene::{at, enqueue, folder, refused};

const PUBLISHED: &str = "view.snapshot";

/// AQ-50, AQ-52, AQ-53: the target is not touched before the end, and nothing else is left then.
#[test]
fn a_draft_shows_nothing_before_it_is_finished_and_leaves_no_second_file() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    let mut draft = store.begin()?;
    draft.put(b"a state")?;
    draft.flush().expect("it can be written");
    assert!(!file(&path, "view").exists());
    assert_eq!(names(&path, "snapshots").len(), 1, "the draft");
    assert_eq!(store.load()?, None);
    draft.finish(at(2))?;
    assert_eq!(names(&path, "snapshots"), [PUBLISHED]);
    let loaded = store.load()?.expect("it is published");
    assert_eq!(loaded.state, b"a state");
    assert_eq!((loaded.covers, loaded.epoch), (at(2), queue.epoch()));
    Ok(())
}

/// AQ-54.
#[test]
fn a_dropped_draft_is_deleted_and_the_old_one_stays_byte_identical() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    save(&store, 2)?;
    let before = std::fs::read(file(&path, "view")).expect("it is there");
    let mut draft = store.begin()?;
    draft.put(&vec![7; 600_000])?;
    assert_eq!(names(&path, "snapshots").len(), 2);
    drop(draft);
    assert_eq!(names(&path, "snapshots"), [PUBLISHED]);
    assert!(std::fs::read(file(&path, "view")).expect("it is there") == before);
    Ok(())
}

/// A1W-16: nothing put in is an error; an empty state is a state.
#[test]
fn finishing_without_writing_is_refused_and_keeps_the_old_one() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    save(&store, 1)?;
    refused(store.begin()?.finish(at(3)), ErrorKind::InvalidInput);
    assert_eq!(store.load()?.map(|kept| kept.covers), Some(at(1)));
    assert_eq!(names(&path, "snapshots"), [PUBLISHED]);
    save_bytes(&store, b"", 3)?;
    let loaded = store.load()?.expect("an empty state is one");
    assert_eq!((loaded.covers, loaded.state), (at(3), Vec::new()));
    Ok(())
}

/// AQ-55, A1W-17.
#[test]
fn a_smaller_state_leaves_nothing_of_a_larger_one() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    save_bytes(&store, &[1; 10_000], 1)?;
    save_bytes(&store, b"small", 2)?;
    let bytes = std::fs::read(file(&path, "view")).expect("it is there");
    assert_eq!(bytes.len(), 128 + 5);
    assert_eq!(
        store.load()?.map(|kept| kept.state),
        Some(b"small".to_vec())
    );
    Ok(())
}

/// A1W-15.
#[test]
fn two_drafts_of_one_name_never_touch_each_other() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    let (mut one, mut other) = (store.begin()?, store.begin()?);
    for _ in 0..3 {
        one.put(&vec![1; 200_000])?;
        other.put(&vec![2; 300_000])?;
    }
    one.finish(at(1))?;
    assert!(
        store
            .load()?
            .is_some_and(|kept| kept.state == vec![1; 600_000])
    );
    other.finish(at(2))?;
    assert!(
        store
            .load()?
            .is_some_and(|kept| kept.state == vec![2; 900_000])
    );
    Ok(())
}

/// AQ-58.
#[test]
fn an_older_candidate_never_replaces_a_newer_one() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..30)?;
    let store = queue.snapshots("view")?;
    let mut slow = store.begin()?;
    slow.put(b"older")?;
    save(&store, 20)?;
    let error = refused(slow.finish(at(10)), ErrorKind::OutOfRange);
    let text = error.to_string();
    assert!(text.contains("10") && text.contains("20"), "{text}");
    drop(store);
    // Also by what is on the disk, not only by what this store has published.
    queue.close()?;
    let queue = open(&path);
    let store = queue.snapshots("view")?;
    refused(save(&store, 19), ErrorKind::OutOfRange);
    assert_eq!(recover(&store)?.state, lines(30));
    save_bytes(&store, b"the same place", 20)
}

#[test]
fn a_snapshot_of_what_the_log_does_not_hold_is_refused() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let store = queue.snapshots("view")?;
    let error = refused(save(&store, 4), ErrorKind::OutOfRange);
    assert!(error.to_string().contains("0..3"), "{error}");
    assert_eq!(names(&path, "snapshots"), [""; 0]);
    save(&store, 3)
}

/// A1W-19: the log is durable below what is covered, though nobody had asked for a sync.
#[test]
fn publishing_makes_the_log_durable_first() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    enqueue(&queue, 0..3)?;
    assert_eq!(queue.durable(), at(0));
    save(&queue.snapshots("view")?, 2)?;
    assert!(queue.durable() >= at(2));
    Ok(())
}

/// A1W-21.
#[test]
fn a_store_deletes_what_a_crash_has_left_of_its_name_and_nothing_else() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..3)?;
    let (store, other) = (queue.snapshots("view")?, queue.snapshots("other")?);
    save(&store, 1)?;
    let (mut lost, mut live) = (store.begin()?, other.begin()?);
    lost.put(b"unfinished")?;
    live.put(b"unfinished")?;
    live.flush().expect("it can be written");
    let mut left = names(&path, "snapshots");
    assert_eq!(left.len(), 3);
    // What a kill would leave: a copy under the name that the draft had.
    let kept: Vec<(String, Vec<u8>)> = left
        .iter()
        .map(|name| {
            let bytes = std::fs::read(path.join("snapshots").join(name)).expect("it is there");
            (name.clone(), bytes)
        })
        .collect();
    drop((lost, store));
    for (name, bytes) in kept {
        std::fs::write(path.join("snapshots").join(name), bytes).expect("it can be written");
    }
    std::fs::write(path.join("snapshots/mine.tmp"), b"a stranger's").expect("it can be written");
    let store = queue.snapshots("view")?;
    let now = names(&path, "snapshots");
    left.retain(|name| now.contains(name));
    assert_eq!(
        left.len(),
        2,
        "the published one and the live draft: {now:?}"
    );
    assert!(now.contains(&"mine.tmp".to_owned()));
    assert_eq!(store.load()?.map(|kept| kept.covers), Some(at(1)));
    live.finish(at(2))
}

#[test]
fn a_name_has_one_live_store_and_its_drafts_count() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    let store = queue.snapshots("view")?;
    refused(queue.snapshots("view"), ErrorKind::Busy);
    let other = queue.snapshots("other")?;
    assert_eq!((store.name(), other.name()), ("view", "other"));
    let draft = store.begin()?;
    drop(store);
    refused(queue.snapshots("view"), ErrorKind::Busy);
    drop(draft);
    queue.snapshots("view").map(drop)
}

#[test]
fn names_that_could_leave_the_folder_are_refused_and_the_longest_one_works() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..1)?;
    for name in ["", "..", "a/b", ".hidden", "a\nb", &"x".repeat(245)] {
        refused(queue.snapshots(name), ErrorKind::InvalidInput);
    }
    let longest = "x".repeat(244);
    let store = queue.snapshots(&longest)?;
    save(&store, 1)?;
    super::edit(&path, &longest, Vec::clear);
    save(&store, 1)?;
    assert_eq!(recover(&store)?.report.snapshot, Some(at(1)));
    Ok(())
}

/// A1W-18: no folder is ever looked for above the queue's own.
#[test]
fn a_queue_at_a_relative_path_publishes() -> Result<()> {
    let here = std::env::current_dir().expect("there is one");
    let folder = tempfile::tempdir_in(&here).expect("a folder can be made");
    let relative = folder.path().strip_prefix(&here).expect("it is below");
    let queue = open(&relative.join("queue"));
    enqueue(&queue, 0..2)?;
    let store = queue.snapshots("view")?;
    save(&store, 2)?;
    assert_eq!(recover(&store)?.state, lines(2));
    Ok(())
}

/// AQ-51: what is put in, in whatever pieces, is what is loaded.
#[test]
fn a_state_written_in_pieces_reads_back_whole() -> Result<()> {
    let folder = folder();
    let queue = open(&folder.path().join("queue"));
    enqueue(&queue, 0..1)?;
    let store = queue.snapshots("view")?;
    let sizes = [0, 1, 127, 128, 4096, 262_143, 262_144, 262_145, 700_001];
    let mut whole = Vec::new();
    let mut draft = store.begin()?;
    for (size, byte) in sizes.into_iter().zip(1..) {
        let piece = vec![byte; size];
        draft.write_all(&piece).expect("there is room");
        whole.extend(piece);
    }
    draft.finish(at(1))?;
    assert!(store.load()?.is_some_and(|kept| kept.state == whole));
    Ok(())
}

#[test]
fn a_closed_queue_publishes_and_loads_nothing() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("queue");
    let queue = open(&path);
    enqueue(&queue, 0..2)?;
    let store = queue.snapshots("view")?;
    let mut draft = store.begin()?;
    draft.put(b"late")?;
    queue.clone().close()?;
    refused(draft.finish(at(1)), ErrorKind::Closed);
    refused(store.load(), ErrorKind::Closed);
    refused(store.begin(), ErrorKind::Closed);
    refused(store.replay(), ErrorKind::Closed);
    refused(queue.snapshots("other"), ErrorKind::Closed);
    drop((store, queue));
    let queue = open(&path);
    assert_eq!(queue.snapshots("view")?.load()?, None);
    assert_eq!(names(&path, "snapshots"), [""; 0]);
    Ok(())
}
