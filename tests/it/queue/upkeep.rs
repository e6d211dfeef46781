//! What stays on disk: retention, reclaim, and what a full drain gives back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::storage::Directory as _;
use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{Preallocate, Queue, Retention};

use crate::scene::{Clock, at, drain_exactly, enqueue, folder, quick, snapshot, wait_until};

/// Waits until the background has deleted everything but one segment.
fn wait_for_one_segment(queue: &Queue) {
    wait_until("only one segment is left", || {
        queue.stats().expect("nothing is wrong").segments == 1
    });
}

fn files(path: &Path) -> Vec<String> {
    snapshot(&path.join("segments"))
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_full_drain_gives_the_disk_back() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..2000)?;
    assert!(queue.stats()?.segments > 15);
    drain_exactly(&mut queue.consumer("a")?, 0..2000)?;
    wait_for_one_segment(&queue);
    queue.close()?;
    let files = files(&path);
    // The segment that grows, and since the close its index.
    assert_eq!(files.len(), 2, "{files:?}");
    let all: usize = snapshot(&path).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(all < 8192 * 2 + 4 * 8192, "{all} bytes");
    enqueue(&quick().open(&path)?, 2000..2001)
}

#[test]
fn nothing_goes_while_one_consumer_needs_it() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..1000)?;
    let segments = queue.stats()?.segments;
    assert_eq!(queue.reclaim()?, 0, "nobody has read it");
    let (mut fast, mut slow) = (queue.consumer("fast")?, queue.consumer("slow")?);
    drain_exactly(&mut fast, 0..1000)?;
    queue.reclaim()?;
    assert_eq!(queue.stats()?.segments, segments);
    // Also over a reopening in which the slow one has no handle.
    drop((fast, slow));
    queue.close()?;
    let queue = quick().open(&path)?;
    queue.reclaim()?;
    assert_eq!(queue.stats()?.segments, segments);
    slow = queue.consumer("slow")?;
    slow.ack_through(at(499))?;
    queue.reclaim()?;
    let left = queue.stats()?.segments;
    assert!(left > 1 && left < segments, "{left} of {segments}");
    drain_exactly(&mut slow, 500..1000)?;
    wait_for_one_segment(&queue);
    Ok(())
}

#[test]
fn keep_forever_keeps_everything() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let options = || quick().retention(Retention::KeepForever);
    let queue = options().open(&path)?;
    enqueue(&queue, 0..1000)?;
    let segments = queue.stats()?.segments;
    drain_exactly(&mut queue.consumer("a")?, 0..1000)?;
    assert_eq!(queue.reclaim()?, 0);
    queue.close()?;
    let queue = options().open(&path)?;
    assert_eq!((queue.stats()?.segments, queue.first()), (segments, at(0)));
    let mut consumer = queue.consumer("a")?;
    consumer.seek(at(0))?;
    drain_exactly(&mut consumer, 0..1000)?;
    // The choice is not stored: opened without it, what is acknowledged goes.
    drop(consumer);
    queue.close()?;
    let queue = quick().open(&path)?;
    queue.reclaim()?;
    assert_eq!(queue.stats()?.segments, 1);
    Ok(())
}

#[test]
fn keep_bytes_keeps_at_least_so_many() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().retention(Retention::KeepBytes(20_000));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..2000)?;
    drain_exactly(&mut queue.consumer("a")?, 0..2000)?;
    queue.reclaim()?;
    let kept = queue.next().since(queue.first()) * 88;
    assert!((20_000..40_000).contains(&kept), "{kept} bytes are kept");
    Ok(())
}

#[test]
fn keep_age_keeps_until_the_time_is_up() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let options = quick()
        .retention(Retention::KeepAge(Duration::from_mins(1)))
        .host(Arc::<Clock>::clone(&clock));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..500)?;
    drain_exactly(&mut queue.consumer("a")?, 0..500)?;
    let segments = queue.stats()?.segments;
    clock.advance(Duration::from_secs(59));
    queue.reclaim()?;
    assert_eq!(queue.stats()?.segments, segments);
    clock.advance(Duration::from_secs(2));
    queue.reclaim()?;
    assert_eq!(queue.stats()?.segments, 1);
    Ok(())
}

/// A full device leaves a segment without records, which close deletes: were the one before it
/// reclaimed, the log would be without any segment, and look damaged.
#[test]
fn a_segment_without_records_takes_no_records_with_it() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let options = || quick().preallocate(Preallocate::None);
    let queue = options().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..5)?;
    let image = memory.process_kill();
    let queue = options().open_on(Arc::new(image.clone()))?;
    drain_exactly(&mut queue.consumer("a")?, 0..5)?;
    for pages in 1..6 {
        image.set_capacity(Some(image.used_bytes() + pages * 4096));
        let refused = queue.enqueue(vec![0; 40_000]).map_err(|error| error.kind());
        let reason = forebay::FullReason::Disk;
        assert_eq!(refused, Err(forebay::ErrorKind::Full { reason }));
        queue.reclaim()?;
    }
    queue.close()?;
    image.set_capacity(None);
    let queue = options().open_on(Arc::new(image))?;
    assert_eq!((queue.next(), queue.len()), (at(5), 0));
    let mut new = queue.consumer("new")?;
    let first = queue.first().get();
    assert_eq!(new.next_sequence().get(), first);
    enqueue(&queue, 5..8)?;
    drain_exactly(&mut new, first..8)?;
    assert_eq!(new.take_gaps(), []);
    Ok(())
}

#[test]
fn retention_keeps_no_capacity() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().retention(Retention::KeepForever).max_records(10);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    for round in 0..30 {
        enqueue(&queue, round * 10..(round + 1) * 10)?;
        drain_exactly(&mut consumer, round * 10..(round + 1) * 10)?;
    }
    assert_eq!((queue.first(), queue.len()), (at(0), 0));
    Ok(())
}

#[test]
fn sequences_go_on_after_everything_was_reclaimed() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("q"), folder.path().join("image"));
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..500)?;
    drain_exactly(&mut queue.consumer("a")?, 0..500)?;
    wait_for_one_segment(&queue);
    crate::tree::copy_tree(&path, &image);
    drop(queue);
    for place in [&path, &image] {
        let queue = quick().open(place)?;
        assert_eq!(queue.next(), at(500));
        enqueue(&queue, 500..600)?;
        let mut new = queue.consumer("new")?;
        drain_exactly(&mut queue.consumer("a")?, 500..600)?;
        let first = new.next_sequence().get();
        drain_exactly(&mut new, first..600)?;
    }
    Ok(())
}

/// An index is written under another name first, and a full disk may have ended that.
#[test]
fn opening_deletes_what_was_to_be_an_index() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..20)?;
    queue.close()?;
    let ours = ["0000000000000001.idx.tmp", "0000000000000006.idx.tmp"];
    for name in ours.into_iter().chain(["notes.idx.tmp"]) {
        std::fs::write(path.join("segments").join(name), "begun").expect("can be written");
    }
    let queue = quick().open(&path)?;
    let left = files(&path);
    assert!(left.contains(&"notes.idx.tmp".to_owned()), "{left:?}");
    assert!(!left.iter().any(|name| ours.contains(&&**name)), "{left:?}");
    queue.close()
}

#[test]
fn an_index_that_cannot_be_written_leaves_nothing_behind() -> forebay::Result<()> {
    let storage = FaultyDirectory::over_memory(MemoryDirectory::new());
    let queue = quick().open_on(Arc::new(storage.clone()))?;
    enqueue(&queue, 0..20)?;
    let unfinished = "segments/0000000000000001.idx.tmp";
    storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full).on(unfinished));
    queue.close()?;
    assert_eq!(storage.failures(), 1);
    let left = storage.list("segments")?;
    assert_eq!(left, ["0000000000000001.log"]);
    Ok(())
}

/// It is written under another name first, which is gone when something fails later.
#[test]
fn an_error_names_the_file_that_is_there() -> forebay::Result<()> {
    for name in ["STATE", "cursors/a.cursor"] {
        let storage = FaultyDirectory::over_memory(MemoryDirectory::new());
        let queue = quick().open_on(Arc::new(storage.clone()))?;
        let mut consumer = queue.consumer("a")?;
        enqueue(&queue, 0..20)?;
        queue.sync()?;
        storage.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Io).on(name));
        let acknowledged = consumer.ack_through(at(3));
        drop(consumer);
        let failed = acknowledged.and_then(|()| queue.close());
        let error = failed.expect_err("its file cannot be written");
        let text = error.to_string();
        assert!(text.contains(name) && !text.contains(".tmp"), "{text}");
    }
    Ok(())
}
