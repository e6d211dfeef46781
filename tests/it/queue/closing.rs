//! Closing, by hand and by dropping, with other handles about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, EventBuffer, Host, Queue, QueueOptions, SyncPolicy};

use crate::scene::{PATIENCE, at, drain_exactly, enqueue, folder, quick, refused};

#[test]
fn after_close_every_handle_says_closed() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..5)?;
    let mut consumer = queue.consumer("a")?;
    let other = queue.clone();
    queue.close()?;
    let closed = ErrorKind::Closed;
    refused(other.enqueue(b"a"), closed);
    refused(other.enqueue_batch([b"a"]), closed);
    let no_records: [&str; 0] = [];
    refused(other.enqueue_batch(no_records), closed);
    refused(other.submit(b"a"), closed);
    refused(other.sync(), closed);
    refused(other.wait_durable(at(9), PATIENCE), closed);
    refused(other.consumer("b"), closed);
    refused(other.reclaim(), closed);
    refused(consumer.peek().map(|record| record.is_some()), closed);
    refused(consumer.peek_batch(3).map(|batch| batch.len()), closed);
    refused(consumer.ack_through(at(0)), closed);
    refused(consumer.drain(|_| Ok::<(), ()>(())), closed);
    refused(consumer.seek(at(0)), closed);
    refused(consumer.wait(PATIENCE), closed);
    refused(consumer.len(), closed);
    refused(consumer.is_empty(), closed);
    refused(consumer.skip_corrupt(), closed);
    assert_eq!((other.next(), other.durable()), (at(5), at(5)));
    Ok(())
}

#[test]
fn a_second_close_is_fine() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let (second, third) = (queue.clone(), queue.clone());
    queue.close()?;
    second.close()?;
    drop(third);
    Ok(())
}

#[test]
fn close_makes_everything_durable_and_the_next_open_scans_nothing() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..500)?;
    queue.sync()?;
    queue.consumer("a")?.ack_through(at(9))?;
    queue.close()?;
    let queue = quick().open(&path)?;
    let report = queue.recovery();
    assert!(report.clean, "{report:?}");
    assert_eq!((report.scanned_segments, report.scanned_bytes), (0, 0));
    assert_eq!(queue.durable(), at(500));
    drain_exactly(&mut queue.consumer("a")?, 10..500)
}

#[test]
fn dropping_the_last_handle_closes() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    let clone = queue.clone();
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..5)?;
    drop(queue);
    enqueue(&clone, 5..6)?;
    drop(clone);
    // The consumer keeps the queue open.
    drain_exactly(&mut consumer, 0..6)?;
    refused(
        Queue::open(&path),
        ErrorKind::Locked {
            pid: Some(std::process::id()),
        },
    );
    drop(consumer);
    let queue = Queue::open(&path)?;
    assert!(queue.recovery().clean);
    assert!(queue.consumer("a")?.is_empty()?);
    Ok(())
}

#[test]
fn close_wakes_a_waiting_consumer() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || consumer.wait(Duration::MAX));
        std::thread::sleep(Duration::from_millis(20));
        queue.close().expect("nothing is wrong");
        refused(waiter.join().expect("no panic"), ErrorKind::Closed);
    });
    Ok(())
}

#[test]
fn closing_under_load_loses_nothing_that_was_accepted() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        for round in 0..8 {
            let folder = folder();
            let path = folder.path().join("q");
            let options = || QueueOptions::new().segment_bytes(8192).sync_policy(policy);
            let queue = options().open(&path)?;
            let mut accepted: Vec<u64> = Vec::new();
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3)
                    .map(|_| {
                        let queue = queue.clone();
                        scope.spawn(move || enqueue_until_closed(&queue))
                    })
                    .collect();
                std::thread::sleep(Duration::from_millis(round * 2));
                let other = queue.clone();
                let closer = scope.spawn(move || other.close());
                queue.clone().close().expect("nothing is wrong");
                closer.join().expect("no panic").expect("nothing is wrong");
                for thread in threads {
                    accepted.extend(thread.join().expect("no panic"));
                }
            });
            drop(queue);
            accepted.sort_unstable();
            let queue = options().open(&path)?;
            assert!(queue.recovery().clean);
            assert_eq!(
                queue.next().get(),
                u64::try_from(accepted.len()).expect("small")
            );
            assert_eq!(accepted, (0..queue.next().get()).collect::<Vec<_>>());
        }
    }
    Ok(())
}

fn enqueue_until_closed(queue: &Queue) -> Vec<u64> {
    let mut accepted = Vec::new();
    loop {
        match queue.enqueue(b"x") {
            Ok(sequence) => accepted.push(sequence.get()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                return accepted;
            }
        }
    }
}

/// A machine that says it is another process from some moment on, as after a fork.
#[derive(Debug, Default)]
struct Forking(AtomicU32);

impl Host for Forking {
    fn now(&self) -> u64 {
        0
    }

    fn random(&self) -> u64 {
        u64::from(self.0.fetch_add(2, Ordering::SeqCst))
    }

    fn process(&self) -> u32 {
        self.0.load(Ordering::SeqCst) & 1
    }
}

#[test]
fn a_forked_child_is_refused_and_writes_nothing() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let host = Arc::new(Forking::default());
    let options = || quick().host(host.clone());
    let queue = options().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..3)?;
    queue.sync()?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(0))?;
    crate::scene::wait_until("the background is done", || memory.unsynced_count() == 0);
    let files = || {
        memory
            .names()
            .iter()
            .map(|name| memory.file_bytes(name))
            .collect::<Vec<_>>()
    };
    let before = files();
    host.0.fetch_or(1, Ordering::SeqCst);
    let forked = ErrorKind::Forked;
    refused(queue.enqueue(b"a"), forked);
    refused(queue.submit(b"a"), forked);
    refused(queue.sync(), forked);
    refused(queue.reclaim(), forked);
    refused(queue.consumer("b"), forked);
    refused(consumer.peek().map(|record| record.is_some()), forked);
    refused(consumer.ack_through(at(1)), forked);
    drop(consumer);
    drop(queue);
    assert!(files() == before, "the child has written");
    Ok(())
}

#[test]
fn a_buffer_over_a_closed_queue_says_so() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 5)?;
    buffer.enqueue(&1)?;
    buffer.queue().clone().close()?;
    refused(buffer.enqueue(&2), ErrorKind::Closed);
    refused(buffer.len(), ErrorKind::Closed);
    refused(buffer.is_empty(), ErrorKind::Closed);
    refused(buffer.drain(|_| Ok::<(), ()>(())), ErrorKind::Closed);
    refused(buffer.skip(), ErrorKind::Closed);
    Ok(())
}

/// A program that cleans up may delete a directory under an open queue: no write fails then.
#[cfg(target_os = "linux")]
#[test]
fn a_queue_whose_directory_was_deleted_says_so_once_it_is_idle() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().segment_bytes(1 << 20).open(&path)?;
    queue.enqueue(b"a")?;
    queue.sync()?;
    std::fs::remove_dir_all(&path).expect("can be deleted");
    queue.enqueue(b"b")?;
    queue.sync()?;
    crate::scene::wait_until("it is noticed", || queue.enqueue(b"c").is_err());
    let error = refused(queue.enqueue(b"d"), ErrorKind::Poisoned);
    assert!(error.to_string().contains("deleted"), "{error}");
    Ok(())
}
