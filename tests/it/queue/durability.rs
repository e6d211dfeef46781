//! What is durable when: the three policies, the barrier, and waiting for it.

use std::time::{Duration, Instant};

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, Queue, QueueOptions, SyncPolicy};
use std::sync::Arc;

use crate::scene::{PATIENCE, at, drain_exactly, enqueue, refused, wait_until};

fn open(directory: &MemoryDirectory, policy: SyncPolicy) -> forebay::Result<Queue> {
    QueueOptions::new()
        .segment_bytes(64 << 10)
        .sync_policy(policy)
        .open_on(Arc::new(directory.clone()))
}

/// How many records a power cut now would leave.
fn records_after_power_cut(directory: &MemoryDirectory) -> forebay::Result<u64> {
    let queue = open(&directory.crash_losing_all(), SyncPolicy::Manual)?;
    let next = queue.next().get();
    drain_exactly(&mut queue.consumer("check")?, 0..next)?;
    Ok(next)
}

#[test]
fn always_returns_when_the_record_survives_a_power_cut() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Always)?;
    for number in 0..10 {
        enqueue(&queue, number..number + 1)?;
        assert_eq!(queue.durable(), at(number + 1));
        assert_eq!(records_after_power_cut(&memory)?, number + 1);
    }
    queue.enqueue_batch((10..20).map(crate::scene::payload))?;
    assert_eq!(records_after_power_cut(&memory)?, 20);
    Ok(())
}

#[test]
fn manual_makes_nothing_durable_until_sync() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    enqueue(&queue, 0..10)?;
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!((queue.durable(), queue.stats()?.syncs), (at(0), 0));
    assert_eq!(records_after_power_cut(&memory)?, 0);
    assert_eq!(queue.sync()?, at(10));
    assert_eq!(records_after_power_cut(&memory)?, 10);
    enqueue(&queue, 10..12)?;
    assert_eq!(queue.durable(), at(10));
    assert_eq!(queue.sync()?, at(12));
    assert_eq!(queue.sync()?, at(12), "nothing is left to do");
    assert_eq!(records_after_power_cut(&memory)?, 12);
    Ok(())
}

#[test]
fn a_kill_keeps_what_manual_has_written() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    enqueue(&queue, 0..10)?;
    let killed = open(&memory.process_kill(), SyncPolicy::Manual)?;
    assert_eq!(killed.durable(), at(10), "opening makes it durable");
    drain_exactly(&mut killed.consumer("a")?, 0..10)
}

#[test]
fn interval_makes_records_durable_by_itself() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Interval(Duration::from_millis(10)))?;
    for number in 0..5 {
        enqueue(&queue, number..number + 1)?;
        wait_until("the interval's sync", || queue.durable() == at(number + 1));
        assert_eq!(records_after_power_cut(&memory)?, number + 1);
    }
    Ok(())
}

#[test]
fn a_long_interval_does_not_sync_each_record() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    for interval in [Duration::from_hours(1), Duration::MAX] {
        let queue = open(&memory, SyncPolicy::Interval(interval))?;
        queue.enqueue(b"a")?;
        assert!(queue.durable() < queue.next());
        queue.sync()?;
        assert_eq!(queue.durable(), queue.next());
    }
    Ok(())
}

#[test]
fn wait_durable_waits_for_whoever_syncs() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    enqueue(&queue, 0..3)?;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.wait_durable(at(2), PATIENCE));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished());
        queue.sync().expect("nothing is wrong");
        waiter.join().expect("no panic").expect("it is durable");
    });
    queue.wait_durable(at(0), Duration::ZERO)
}

#[test]
fn wait_durable_times_out_also_for_a_record_to_come() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    enqueue(&queue, 0..3)?;
    let start = Instant::now();
    for sequence in [0, 2, 3, u64::MAX] {
        let waited = queue.wait_durable(at(sequence), Duration::from_millis(20));
        refused(waited, ErrorKind::TimedOut);
    }
    assert!(start.elapsed() >= Duration::from_millis(80));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.wait_durable(at(3), PATIENCE));
        enqueue(&queue, 3..4).expect("open");
        queue.sync().expect("nothing is wrong");
        waiter.join().expect("no panic").expect("it came");
    });
    Ok(())
}

#[test]
fn a_sync_covers_records_of_every_segment() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = QueueOptions::new()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Manual)
        .open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..400)?;
    queue.sync()?;
    assert_eq!(records_after_power_cut(&memory)?, 400);
    Ok(())
}

#[test]
fn a_crash_loses_a_batch_whole_or_not_at_all() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    queue.enqueue_batch((0..7).map(crate::scene::payload))?;
    queue.sync()?;
    queue.enqueue_batch((7..20).map(crate::scene::payload))?;
    let changes = memory.unsynced_count();
    for keep in 0..=changes {
        let mut asked = 0;
        let image = memory.crash(&mut |_| {
            asked += 1;
            if asked <= keep {
                forebay::storage::memory::Fate::Kept
            } else {
                forebay::storage::memory::Fate::Lost
            }
        });
        let left = records_after_power_cut(&image)?;
        assert!(
            [7, 20].contains(&left),
            "{left} of the batch 7..20, keeping {keep}"
        );
    }
    Ok(())
}

/// I4: what is recovered is a prefix of what was accepted, with whole batches.
#[test]
fn a_batch_torn_at_any_byte_is_gone_whole() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = open(&memory, SyncPolicy::Manual)?;
    let name = "segments/0000000000000001.log";
    queue.enqueue_batch((0..3).map(crate::scene::payload))?;
    let used = |bytes: &[u8]| {
        bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1)
    };
    let before = used(&memory.file_bytes(name).expect("a segment"));
    queue.enqueue_batch((3..9).map(crate::scene::payload))?;
    let whole = memory.file_bytes(name).expect("a segment");
    for cut in (before..used(&whole)).step_by(7) {
        let image = memory.process_kill();
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        image.put_file(name, &torn);
        assert_eq!(records_after_power_cut(&image)?, 3, "cut at {cut}");
    }
    Ok(())
}
