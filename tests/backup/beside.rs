//! Backups beside a writer at full speed, whose segments come and go.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use forebay::backup::{BackupReport, backup, restore};
use forebay::{ConsumerOptions, Preallocate, Queue, QueueOptions, Sequence, SyncPolicy};

const BACKUPS: usize = 20;

fn options(preallocate: Preallocate) -> QueueOptions {
    Queue::options()
        .segment_bytes(64 << 10)
        .preallocate(preallocate)
        .sync_policy(SyncPolicy::Manual)
}

fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number % 700).expect("a small number");
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + length, number.to_le_bytes()[0]);
    bytes
}

/// Enqueues in batches and one by one until told to stop, keeping at most so many ahead of the
/// consumer that disk and test stay small.
fn write(queue: &Queue, done: &AtomicBool) {
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        let count = number % 5 + 1;
        let batch: Vec<Vec<u8>> = (number..number + count).map(payload).collect();
        queue
            .enqueue_batch(batch.iter().map(|bytes| &**bytes))
            .expect("room");
        number += count;
        if number % 64 < 5 {
            queue.sync().expect("a working disk");
        }
    }
}

/// Opens what was restored and reads all of it.
fn assert_whole(report: &BackupReport, durable: Sequence, path: &std::path::Path) {
    let manifest = &report.manifest;
    assert!(!report.is_damaged(), "{:?}", report.damage);
    assert!(manifest.next >= durable, "{} < {durable}", manifest.next);
    let queue = Queue::options()
        .open_existing()
        .open(path)
        .expect("a queue");
    let found = queue.recovery();
    assert!(found.corruption.is_empty(), "{found:?}");
    assert!(found.torn.is_none(), "{found:?}");
    assert_eq!(queue.next(), manifest.next);
    assert_eq!(queue.first(), manifest.first);
    let mut due = queue.first().get();
    let mut all = queue
        .consumer_with("all", &ConsumerOptions::new())
        .expect("a consumer");
    all.drain(|record| {
        assert_eq!(record.sequence.get(), due);
        assert_eq!(record.payload, payload(due));
        due += 1;
        Ok::<_, ()>(())
    })
    .expect("no damage");
    assert_eq!(due, manifest.next.get());
    assert!(all.take_gaps().is_empty());
    // The other one's place is in what was copied: nothing was lost between the two.
    let mut ship = queue.consumer("ship").expect("a consumer");
    ship.drain(|_| Ok::<_, ()>(())).expect("no damage");
    assert!(ship.take_gaps().is_empty());
    assert!(ship.taken_back().is_none());
}

fn backups_beside_a_writer(preallocate: Preallocate) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let queue = options(preallocate).open(at("queue")).expect("a new queue");
    let mut ship = queue.consumer("ship").expect("a new consumer");
    let done = AtomicBool::new(false);
    let mut firsts = BTreeSet::new();
    thread::scope(|scope| {
        scope.spawn(|| write(&queue, &done));
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                ship.drain(|_| Ok::<_, ()>(())).expect("no damage");
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..BACKUPS {
                let durable = queue.durable();
                let report = backup(at("queue"), at("copy")).expect("a backup");
                restore(at("copy"), at("place")).expect("a whole backup");
                assert_whole(&report, durable, &at("place"));
                firsts.insert(report.manifest.first);
                for name in ["copy", "place"] {
                    std::fs::remove_dir_all(at(name)).expect("a folder");
                }
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(firsts.len() > BACKUPS / 2, "segments went: {firsts:?}");
    queue.close().expect("the writer noticed nothing");
}

#[test]
fn backups_beside_a_writer_are_whole() {
    backups_beside_a_writer(Preallocate::None);
}

#[test]
fn backups_beside_a_writer_that_reserves_its_segments_are_whole() {
    backups_beside_a_writer(Preallocate::Zero);
}
