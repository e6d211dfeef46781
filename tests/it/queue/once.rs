//! Records that are enqueued once: what a retry with the same key gets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Barrier;

use forebay::{Entry, ErrorKind, Integrity, Overflow, Queue, QueueOptions, Result, SyncPolicy};

use crate::scene::{Heard, Recorder, at, drain, folder, quick, refused};

fn key(number: u64) -> [u8; 16] {
    let mut key = [0xee; 16];
    key[4..12].copy_from_slice(&number.to_le_bytes());
    key
}

/// Enqueues the record `number` under its key; where the first one is.
fn once(queue: &Queue, number: u64) -> Result<u64> {
    let entry = format!("once {number}");
    queue
        .enqueue_once(key(number), &entry)
        .map(forebay::Sequence::get)
}

/// The keys of all records that `consumer` gets, in order; 0 for none.
fn keys_of(queue: &Queue, consumer: &str) -> Result<Vec<Option<[u8; 16]>>> {
    let mut keys = Vec::new();
    queue.consumer(consumer)?.drain(|record| {
        keys.push(record.key);
        Ok::<(), ()>(())
    })?;
    Ok(keys)
}

/// Fills whole segments with records that everybody has seen, and deletes them.
fn pass_segments(queue: &Queue, records: u64) -> Result<()> {
    for _ in 0..records {
        queue.enqueue(vec![7; 900])?;
    }
    queue.sync()?;
    drain(&mut queue.consumer("c")?)?;
    queue.reclaim()?;
    Ok(())
}

#[test]
fn overlapping_retries_across_a_close_leave_each_record_once() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = Queue::open(&path)?;
    for number in 0..10 {
        assert_eq!(once(&queue, number)?, number);
    }
    queue.close()?;
    let queue = Queue::open(&path)?;
    for number in 5..15 {
        assert_eq!(once(&queue, number)?, number);
    }
    assert_eq!(queue.len(), 15);
    let keys: Vec<_> = (0..15).map(|number| Some(key(number))).collect();
    assert_eq!(keys_of(&queue, "c")?, keys);
    Ok(())
}

#[test]
fn a_consumer_sees_the_payload_the_kind_and_the_key_apart() -> Result<()> {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let folder = folder();
        let queue = quick().integrity(integrity).open(folder.path().join("q"))?;
        queue.enqueue("plain")?;
        queue.enqueue_once(key(1), Entry::new("keyed").kind(9))?;
        queue.enqueue_once(key(2), "")?;
        let mut consumer = queue.consumer("c")?;
        let batch = consumer.peek_batch(10)?;
        let seen: Vec<_> = batch
            .iter()
            .map(|record| (record.payload.to_vec(), record.kind, record.key))
            .collect();
        let expected = [
            (b"plain".to_vec(), 0, None),
            (b"keyed".to_vec(), 9, Some(key(1))),
            (Vec::new(), 0, Some(key(2))),
        ];
        assert_eq!(seen, expected);
    }
    Ok(())
}

#[test]
fn the_first_payload_stays_whatever_a_retry_brings() -> Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    queue.enqueue_once(key(1), "first")?;
    assert_eq!(queue.enqueue_once(key(1), "second")?, at(0));
    let found = drain(&mut queue.consumer("c")?)?;
    assert_eq!(found, [(0, b"first".to_vec())]);
    Ok(())
}

#[test]
fn a_key_is_known_to_the_last_record_of_its_window_and_not_one_longer() -> Result<()> {
    for reopened in [false, true] {
        for (others, expected) in [(3, 0), (4, 5)] {
            let folder = folder();
            let path = folder.path().join("q");
            let options = quick().once_window(4);
            let mut queue = options.clone().open(&path)?;
            once(&queue, 1)?;
            for number in 0..others {
                queue.enqueue(format!("other {number}"))?;
            }
            if reopened {
                queue.close()?;
                queue = options.open(&path)?;
            }
            assert_eq!(
                once(&queue, 1)?,
                expected.min(others + 1),
                "{others} others"
            );
        }
    }
    Ok(())
}

#[test]
fn with_a_window_of_no_records_every_record_is_new() -> Result<()> {
    let folder = folder();
    let queue = quick().once_window(0).open(folder.path().join("q"))?;
    assert_eq!(once(&queue, 1)?, 0);
    assert_eq!(once(&queue, 1)?, 1);
    assert_eq!(keys_of(&queue, "c")?, [Some(key(1)); 2]);
    Ok(())
}

#[test]
fn a_key_outlives_the_segment_of_its_record() -> Result<()> {
    for reopened in [false, true] {
        let folder = folder();
        let path = folder.path().join("q");
        let mut queue = quick().open(&path)?;
        for number in 0..20 {
            once(&queue, number)?;
        }
        for _ in 0..3 {
            pass_segments(&queue, 40)?;
            if reopened {
                queue.close()?;
                queue = quick().open(&path)?;
            }
        }
        assert!(queue.stats()?.segments < 3, "what holds the keys is gone");
        for number in 0..20 {
            assert_eq!(once(&queue, number)?, number);
        }
        assert_eq!(once(&queue, 20)?, 140);
    }
    Ok(())
}

#[test]
fn who_reclaims_without_ever_having_a_key_keeps_those_of_others() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    for number in 0..20 {
        once(&queue, number)?;
    }
    queue.close()?;
    for _ in 0..3 {
        let queue = quick().open(&path)?;
        pass_segments(&queue, 40)?;
        queue.close()?;
    }
    let queue = quick().open(&path)?;
    for number in 0..20 {
        assert_eq!(once(&queue, number)?, number);
    }
    Ok(())
}

#[test]
fn a_queue_without_keys_has_no_file_for_them() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    pass_segments(&queue, 100)?;
    assert!(!path.join("KEYS").exists());
    once(&queue, 1)?;
    assert!(path.join("KEYS").exists());
    Ok(())
}

#[test]
fn threads_with_the_same_keys_enqueue_each_once_and_learn_the_same_sequence() -> Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let queue = quick().sync_policy(policy).open(folder.path().join("q"))?;
        let barrier = Barrier::new(4);
        let answers: Vec<BTreeMap<u64, u64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        (0..200)
                            .map(|number| {
                                let sequence = once(&queue, number).expect("nothing fails");
                                if policy == SyncPolicy::Always {
                                    assert!(queue.durable().get() > sequence);
                                }
                                (number, sequence)
                            })
                            .collect()
                    })
                })
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|answer| answer.expect("no panic")).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(queue.next(), at(200));
        let keys: BTreeSet<_> = keys_of(&queue, "c")?.into_iter().collect();
        assert_eq!(keys.len(), 200);
    }
    Ok(())
}

#[test]
fn a_known_key_is_not_refused_by_a_full_queue_nor_drops_anything() -> Result<()> {
    for overflow in [Overflow::Reject, Overflow::DropOldest] {
        let folder = folder();
        let queue = quick()
            .max_records(2)
            .overflow(overflow)
            .open(folder.path().join("q"))?;
        once(&queue, 0)?;
        once(&queue, 1)?;
        assert_eq!(once(&queue, 0)?, 0);
        assert_eq!(once(&queue, 1)?, 1);
        assert_eq!((queue.len(), queue.first()), (2, at(0)));
        if overflow == Overflow::Reject {
            let full = queue.enqueue_once(key(2), "third");
            refused(
                full,
                ErrorKind::Full {
                    reason: forebay::FullReason::Records,
                },
            );
        }
    }
    Ok(())
}

#[test]
fn the_key_of_a_dropped_record_is_known_all_the_same() -> Result<()> {
    let folder = folder();
    let queue = quick()
        .max_records(5)
        .overflow(Overflow::DropOldest)
        .open(folder.path().join("q"))?;
    for number in 0..100 {
        once(&queue, number)?;
    }
    queue.sync()?;
    queue.reclaim()?;
    assert_eq!(queue.first(), at(95));
    assert_eq!(once(&queue, 3)?, 3);
    Ok(())
}

#[test]
fn the_limit_on_records_counts_the_users_bytes_alone() -> Result<()> {
    let folder = folder();
    let queue = quick().max_record_bytes(10).open(folder.path().join("q"))?;
    queue.enqueue_once(key(1), &[1; 10])?;
    refused(
        queue.enqueue_once(key(2), &[1; 11]),
        ErrorKind::RecordTooLarge,
    );
    let limitless = quick().max_record_bytes(u32::MAX - 64 * 1024);
    limitless
        .open(folder.path().join("r"))?
        .enqueue_once(key(1), "x")?;
    Ok(())
}

#[test]
fn the_listener_hears_of_a_record_once_and_without_its_key() -> Result<()> {
    let folder = folder();
    let recorder = Recorder::new();
    let queue = quick()
        .listener(Arc::<Recorder>::clone(&recorder))
        .open(folder.path().join("q"))?;
    once(&queue, 1)?;
    once(&queue, 1)?;
    let bytes = "once 1".len() as u64;
    assert_eq!(recorder.all(), [Heard::Enqueued(1, bytes)]);
    assert_eq!(queue.stats()?.enqueued, 1);
    Ok(())
}

#[test]
fn a_known_key_is_refused_like_any_record_once_the_queue_is_closed() -> Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    once(&queue, 1)?;
    queue.clone().close()?;
    refused(queue.enqueue_once(key(1), "again"), ErrorKind::Closed);
    Ok(())
}

#[test]
fn a_window_larger_than_what_memory_should_hold_is_out_of_range() {
    let folder = folder();
    let path = folder.path().join("q");
    let open = |window| QueueOptions::new().once_window(window).open(&path);
    let error = refused(open((1 << 24) + 1), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("once_window"), "{error}");
    open(1 << 24).expect("the largest window");
}

#[test]
fn a_damaged_file_of_keys_stops_those_with_a_key_and_nobody_else() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    for number in 0..20 {
        once(&queue, number)?;
    }
    pass_segments(&queue, 40)?;
    queue.close()?;
    let file = path.join("KEYS");
    let mut bytes = std::fs::read(&file).expect("there");
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).expect("writable");

    let queue = quick().open(&path)?;
    let error = refused(queue.enqueue_once(key(1), "again"), ErrorKind::Corrupt);
    assert!(error.to_string().contains("KEYS"), "{error}");
    let next = queue.next();
    pass_segments(&queue, 40)?;
    assert_eq!(queue.next().since(next), 40);
    refused(queue.enqueue_once(key(1), "again"), ErrorKind::Corrupt);

    std::fs::remove_file(&file).expect("there");
    let next = queue.next().get();
    assert_eq!(once(&queue, 1)?, next, "its key was in the file alone");
    Ok(())
}

#[test]
fn a_file_of_keys_of_another_queue_or_of_a_longer_log_is_refused() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let other = folder.path().join("other");
    for path in [&path, &other] {
        let queue = quick().open(path)?;
        once(&queue, 1)?;
        queue.close()?;
    }
    std::fs::copy(other.join("KEYS"), path.join("KEYS")).expect("a copy");
    let queue = quick().open(&path)?;
    refused(queue.enqueue_once(key(1), "again"), ErrorKind::Corrupt);
    queue.close()?;

    // What a backup of the log brings back while the keys stay.
    let backup = folder.path().join("backup");
    crate::tree::copy_tree(&other, &backup);
    let queue = quick().open(&other)?;
    once(&queue, 1)?;
    pass_segments(&queue, 40)?;
    queue.close()?;
    std::fs::copy(other.join("KEYS"), backup.join("KEYS")).expect("a copy");
    let queue = quick().open(&backup)?;
    refused(queue.enqueue_once(key(1), "again"), ErrorKind::Corrupt);
    Ok(())
}

#[test]
fn without_the_file_of_keys_those_in_the_records_still_count() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    for number in 0..20 {
        once(&queue, number)?;
    }
    queue.close()?;
    std::fs::remove_file(path.join("KEYS")).expect("there");
    let queue = quick().open(&path)?;
    for number in 0..20 {
        assert_eq!(once(&queue, number)?, number);
    }
    Ok(())
}

#[test]
fn the_key_of_a_damaged_record_alone_is_unknown() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    for number in 0..60 {
        let entry = vec![b'a'; 400];
        queue.enqueue_once(key(number), &entry)?;
    }
    queue.close()?;
    let segment = path.join("segments/0000000000000001.log");
    let mut bytes = std::fs::read(&segment).expect("there");
    let place = bytes
        .windows(16)
        .position(|window| window == key(3))
        .expect("the key is in the frame");
    bytes[place + 40] ^= 1;
    std::fs::write(&segment, &bytes).expect("writable");
    let queue = quick().open(&path)?;
    for number in 0..60 {
        let expected = if number == 3 { 60 } else { number };
        assert_eq!(once(&queue, number)?, expected);
    }
    Ok(())
}
