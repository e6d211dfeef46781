//! Consumers beside full disks, closes, copies, and records that are taken from under them.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use forebay::storage::fault::{CallKind, Failure, Fault, FaultyDirectory};
use forebay::storage::memory::MemoryDirectory;
use forebay::{ConsumerOptions, ErrorKind, Overflow, Preallocate, QueueOptions, Retention, Start};

use crate::gate::{Gated, Held};
use crate::scene::{PATIENCE, at, enqueue, folder, quick, refused, wait_until};
use crate::tree::copy_tree;

/// One write at a time, and nothing else in between.
fn plain() -> QueueOptions {
    QueueOptions::new()
        .gather(false)
        .preallocate(Preallocate::None)
}

#[test]
fn a_close_beside_consumers_that_are_made_never_hangs() {
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        for round in 0..300 {
            let queue = quick()
                .open_on(Arc::new(MemoryDirectory::new()))
                .expect("opens");
            queue.enqueue("x").expect("there is room");
            let makers = (0..3).map(|maker| {
                let queue = queue.clone();
                thread::spawn(move || {
                    (0..200).all(|number| queue.consumer(&format!("{maker} {number}")).is_ok())
                })
            });
            let makers: Vec<_> = makers.collect();
            thread::sleep(Duration::from_micros(round));
            queue.close().expect("nothing fails");
            for maker in makers {
                maker.join().expect("no panic");
            }
        }
        tell.send(()).ok();
    });
    assert!(hear.recv_timeout(3 * PATIENCE).is_ok(), "it stands still");
}

#[test]
fn a_consumer_begun_at_the_end_misses_nothing_that_a_full_disk_took_back() -> forebay::Result<()> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let gated = Gated::new(Arc::new(faulty.clone()), Held::Writes);
    let queue = plain().open_on(Arc::new(gated.clone()))?;
    queue.enqueue("zero")?;
    let mut other = queue.consumer("other")?;
    gated.gate.shut();
    let segment = "segments/0000000000000001.log";
    faulty.plan(
        Fault::nth_of(1, &[CallKind::Write], Failure::Full)
            .on(segment)
            .for_ever(),
    );
    let own = queue.clone();
    let doomed = thread::spawn(move || own.enqueue("doomed"));
    wait_until("the write", || gated.gate.waiting() > 0);
    let late = ConsumerOptions::new().start(Start::End);
    let mut late = queue.consumer_with("late", &late)?;
    refused(other.seek(at(2)), ErrorKind::OutOfRange);
    gated.gate.open();
    doomed
        .join()
        .expect("no panic")
        .expect_err("there is no room");
    faulty.clear();
    assert_eq!(queue.enqueue("after the consumer was made")?, at(1));
    assert_eq!(late.peek()?.map(|record| record.sequence), Some(at(1)));
    Ok(())
}

#[test]
fn a_snapshot_covers_nothing_that_is_only_on_its_way() -> forebay::Result<()> {
    let gated = Gated::new(Arc::new(MemoryDirectory::new()), Held::Writes);
    let keep = Retention::UntilSnapshot("v".to_owned());
    let queue = plain().retention(keep).open_on(Arc::new(gated.clone()))?;
    enqueue(&queue, 0..5)?;
    let store = queue.snapshots("v")?;
    let mut draft = store.begin()?;
    draft.put(b"good")?;
    draft.finish(at(3))?;
    gated.gate.shut();
    let own = queue.clone();
    let coming = thread::spawn(move || own.enqueue("in flight"));
    wait_until("the write", || gated.gate.waiting() > 0);
    let mut draft = store.begin()?;
    draft.put(b"newer")?;
    refused(draft.finish(queue.next()), ErrorKind::OutOfRange);
    gated.gate.open();
    coming.join().expect("no panic")?;
    assert_eq!(
        store.load()?.map(|loaded| loaded.state),
        Some(b"good".to_vec())
    );
    Ok(())
}

#[test]
fn an_acknowledgement_that_failed_was_not_made() -> forebay::Result<()> {
    let faulty = FaultyDirectory::over_memory(MemoryDirectory::new());
    let queue = quick().open_on(Arc::new(faulty.clone()))?;
    enqueue(&queue, 0..6)?;
    drop(queue.consumer("a")?);
    queue.close()?;
    let queue = quick().open_on(Arc::new(faulty.clone()))?;
    let mut consumer = queue.consumer("a")?;
    let take = |batch: forebay::Batch<'_>| -> Vec<u64> {
        batch.iter().map(|record| record.sequence.get()).collect()
    };
    assert_eq!(take(consumer.next_batch(3)?), [0, 1, 2]);
    for alone in [false, true] {
        faulty.plan(Fault::nth_of(1, &[CallKind::Write], Failure::Full).on("cursors/a.cursor"));
        let acked = if alone {
            consumer.ack(at(0))
        } else {
            consumer.ack_through(at(2))
        };
        assert!(matches!(
            acked.expect_err("no room").kind(),
            ErrorKind::Full { .. }
        ));
        faulty.clear();
        consumer.rewind();
        assert_eq!(take(consumer.next_batch(9)?), [0, 1, 2, 3, 4, 5]);
    }
    consumer.ack_through(at(5))?;
    assert!(consumer.is_empty()?);
    Ok(())
}

#[test]
fn what_is_dropped_while_it_is_out_is_told() -> forebay::Result<()> {
    let bounded = quick().max_records(5).overflow(Overflow::DropOldest);
    let queue = bounded.open_on(Arc::new(MemoryDirectory::new()))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..3)?;
    assert_eq!(consumer.next_batch(9)?.len(), 3);
    enqueue(&queue, 3..12)?;
    assert_eq!(consumer.next_batch(9)?.len(), 5);
    let gaps = consumer.take_gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].range, at(0)..at(7));
    // Late, and harmless.
    consumer.ack(at(1))?;
    consumer.ack_through(at(11))?;
    assert_eq!((queue.stats()?.dropped, queue.stats()?.delivered), (7, 5));
    Ok(())
}

#[test]
fn a_cursor_beyond_the_log_stays_refused_however_far_the_log_grows() -> forebay::Result<()> {
    let folder = folder();
    let (path, copy) = (folder.path().join("q"), folder.path().join("copy"));
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..5)?;
    drop(queue.consumer("x")?);
    queue.close()?;
    copy_tree(&path, &copy);
    let queue = quick().open(&path)?;
    enqueue(&queue, 5..20)?;
    queue.sync()?;
    queue.consumer("x")?.ack_through(at(14))?;
    queue.close()?;
    let cursor = "cursors/x.cursor";
    std::fs::copy(path.join(cursor), copy.join(cursor)).expect("it can be copied");
    let queue = quick().open(&copy)?;
    refused(queue.consumer("x"), ErrorKind::Corrupt);
    enqueue(&queue, 5..30)?;
    queue.sync()?;
    refused(queue.consumer("x"), ErrorKind::Corrupt);
    Ok(())
}
