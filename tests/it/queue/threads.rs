//! Many threads, one queue.

use std::time::Duration;

use forebay::{Integrity, Queue, QueueOptions, SyncPolicy};

use crate::scene::{folder, wait_until};

const THREADS: usize = 8;
const EACH: u32 = 200;

/// Enqueues from eight threads, some of it in batches and by tickets.
fn enqueue_from_all(queue: &Queue) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let queue = queue.clone();
            scope.spawn(move || {
                let line = |number: u32| format!("{thread} {number}");
                let mut number = 0;
                while number < EACH {
                    match number % 10 {
                        4 => {
                            let range = queue.enqueue_batch((number..number + 3).map(line));
                            assert_eq!(range.as_ref().map(|r| r.end.since(r.start)).ok(), Some(3));
                            number += 3;
                        }
                        8 => {
                            let ticket = queue.submit(line(number)).expect("open");
                            assert_eq!(ticket.wait().expect("durable"), ticket.sequence());
                            number += 1;
                        }
                        _ => {
                            queue.enqueue(line(number)).map(drop).expect("open");
                            number += 1;
                        }
                    }
                }
            });
        }
    });
}

/// Claims that every thread's records are there once and in its order.
fn check_all(queue: &Queue) -> forebay::Result<()> {
    let mut next = [0_u32; THREADS];
    let mut sequence = 0;
    queue.consumer("check")?.drain(|record| {
        let text = std::str::from_utf8(record.payload).expect("text");
        let (thread, number) = text.split_once(' ').expect("two words");
        let thread: usize = thread.parse().expect("a number");
        assert_eq!(number.parse(), Ok(next[thread]), "of thread {thread}");
        assert_eq!(record.sequence.get(), sequence);
        next[thread] += 1;
        sequence += 1;
        Ok::<(), ()>(())
    })?;
    assert_eq!(next, [EACH; THREADS]);
    Ok(())
}

#[test]
fn what_eight_threads_enqueue_is_all_there_under_every_policy() -> forebay::Result<()> {
    for policy in [
        SyncPolicy::Always,
        SyncPolicy::Interval(Duration::from_millis(1)),
        SyncPolicy::Manual,
    ] {
        for integrity in [Integrity::Chained, Integrity::Crc32c] {
            let folder = folder();
            let path = folder.path().join("q");
            let options = || {
                let options = QueueOptions::new().segment_bytes(8192);
                options.sync_policy(policy).integrity(integrity)
            };
            let queue = options().open(&path)?;
            enqueue_from_all(&queue);
            check_all(&queue)?;
            drop(queue);
            let queue = options().open(&path)?;
            queue.consumer("check")?.seek(queue.first())?;
            assert!(queue.recovery().clean);
        }
    }
    Ok(())
}

/// I4: what is recovered is a prefix of what was accepted, with whole batches.
#[test]
fn a_kill_under_load_leaves_a_prefix_with_all_that_was_durable() -> forebay::Result<()> {
    use forebay::storage::memory::MemoryDirectory;
    use std::sync::Arc;

    let memory = MemoryDirectory::new();
    let options = || QueueOptions::new().segment_bytes(8192);
    let queue = options().open_on(Arc::new(memory.clone()))?;
    std::thread::scope(|scope| -> forebay::Result<()> {
        let load = scope.spawn(|| enqueue_from_all(&queue));
        while !load.is_finished() {
            let durable = queue.durable();
            for image in [memory.crash_losing_all(), memory.process_kill()] {
                let killed = options().open_on(Arc::new(image))?;
                let report = killed.recovery();
                assert!(
                    killed.next() >= durable,
                    "{durable} was durable: {report:?}"
                );
                assert!(report.corruption.is_empty(), "{report:?}");
                let mut found = 0;
                killed.consumer("check")?.drain(|record| {
                    assert_eq!(record.sequence.get(), found);
                    found += 1;
                    Ok::<(), ()>(())
                })?;
                assert_eq!(found, killed.next().get());
            }
        }
        load.join().expect("no panic");
        Ok(())
    })?;
    check_all(&queue)
}

#[test]
fn consumers_follow_producers_to_the_last_record() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let options = QueueOptions::new().segment_bytes(8192).sync_policy(policy);
        let queue = options.open(folder.path().join("q"))?;
        let total = u64::from(EACH) * 8;
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let mut consumer = queue.consumer(name).expect("a new one");
                scope.spawn(move || {
                    let mut next = 0;
                    while next < total {
                        assert!(consumer.wait(crate::scene::PATIENCE).expect("open"));
                        let sent = consumer.drain(|record| {
                            assert_eq!(record.sequence.get(), next);
                            next += 1;
                            Ok::<(), ()>(())
                        });
                        sent.expect("nothing is wrong");
                    }
                });
            }
            enqueue_from_all(&queue);
        });
        wait_until("what all have read is deleted", || {
            queue.reclaim().expect("nothing is wrong");
            queue.stats().expect("nothing is wrong").segments == 1
        });
    }
    Ok(())
}

#[test]
fn drop_oldest_under_load_counts_every_record_once() -> forebay::Result<()> {
    let folder = folder();
    let options = QueueOptions::new()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Manual)
        .max_records(50)
        .overflow(forebay::Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    let mut accepted = 0_u64;
    std::thread::scope(|scope| {
        let load = scope.spawn(|| enqueue_from_all(&queue));
        let mut last = None;
        while !load.is_finished() {
            let mut refuse = 0_u32;
            let drained = consumer.drain(|record| {
                assert!(last < Some(record.sequence), "in order, and only once");
                refuse += 1;
                if refuse.is_multiple_of(7) {
                    return Err(());
                }
                last = Some(record.sequence);
                accepted += 1;
                Ok(())
            });
            drained.expect("nothing is wrong");
        }
        load.join().expect("no panic");
    });
    accepted += u64::try_from(crate::scene::drain(&mut consumer)?.len()).expect("small");
    let stats = queue.stats()?;
    assert_eq!(stats.delivered, accepted);
    assert_eq!(stats.delivered + stats.dropped, stats.enqueued);
    Ok(())
}
