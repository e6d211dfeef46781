//! Sequences, batches, kinds, times, and what the queue says of itself.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use forebay::{Entry, Integrity, Queue, QueueOptions, Sequence};

use crate::scene::{Clock, at, drain_exactly, enqueue, folder, payload, quick};

#[test]
fn sequences_are_dense_from_zero_across_segments_and_reopening() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    for round in 0..4 {
        let queue = quick().open(&path)?;
        assert_eq!(queue.next(), at(round * 200));
        enqueue(&queue, round * 200..(round + 1) * 200)?;
        assert!(queue.stats()?.segments > 1);
    }
    let queue = quick().open(&path)?;
    drain_exactly(&mut queue.consumer("a")?, 0..800)
}

#[test]
fn a_batch_is_one_range_also_where_it_crosses_a_segments_end() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut next = 0;
    for size in (1..60).chain([200, 1, 3]) {
        let range = queue.enqueue_batch((next..next + size).map(payload))?;
        assert_eq!(range, at(next)..at(next + size));
        next += size;
    }
    assert!(queue.stats()?.segments > 5);
    let no_records: [&str; 0] = [];
    assert_eq!(queue.enqueue_batch(no_records)?, at(next)..at(next));
    drain_exactly(&mut queue.consumer("a")?, 0..next)
}

#[test]
fn kinds_and_times_come_back() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let before = SystemTime::now();
    let queue = Queue::open(&path)?;
    queue.enqueue(Entry::new(b"a").kind(7))?;
    queue.enqueue(b"b")?;
    queue.enqueue_batch([Entry::new("c").kind(u16::MAX), Entry::new("d")])?;
    let after = SystemTime::now();
    drop(queue);
    let queue = Queue::open(&path)?;
    let mut consumer = queue.consumer("a")?;
    let mut last = before - Duration::from_millis(1);
    let mut found = Vec::new();
    consumer.drain(|record| {
        assert!(last <= record.enqueued_at && record.enqueued_at <= after);
        last = record.enqueued_at;
        found.push((record.payload.to_vec(), record.kind));
        Ok::<(), ()>(())
    })?;
    let wanted: Vec<(Vec<u8>, u16)> = vec![
        (b"a".into(), 7),
        (b"b".into(), 0),
        (b"c".into(), u16::MAX),
        (b"d".into(), 0),
    ];
    assert_eq!(found, wanted);
    Ok(())
}

#[test]
fn times_are_what_the_clock_said() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let queue = quick().host(clock.clone()).open(folder.path().join("q"))?;
    queue.enqueue(b"a")?;
    clock.advance(Duration::from_secs(5));
    queue.enqueue(b"b")?;
    let mut times = Vec::new();
    queue.consumer("a")?.drain(|record| {
        times.push(record.enqueued_at);
        Ok::<(), ()>(())
    })?;
    assert_eq!(
        times[1].duration_since(times[0]).ok(),
        Some(Duration::from_secs(5))
    );
    Ok(())
}

#[test]
fn everything_that_is_bytes_can_be_enqueued() -> forebay::Result<()> {
    let folder = folder();
    let queue = Queue::open(folder.path().join("q"))?;
    let (vector, text) = (vec![1_u8, 2], "text".to_owned());
    let entry = Entry::new(&vector);
    queue.enqueue(b"array")?;
    queue.enqueue(&vector[..])?;
    queue.enqueue(&vector)?;
    queue.enqueue(vector.clone())?;
    queue.enqueue("str")?;
    queue.enqueue(&text)?;
    queue.enqueue(text.clone())?;
    queue.enqueue(&entry)?;
    queue.enqueue(entry)?;
    queue.enqueue_batch(["a", "b"])?;
    queue.enqueue_batch(&[Entry::new("c")])?;
    queue.enqueue_batch(vec![vec![0_u8; 3]])?;
    assert_eq!(queue.len(), 13);
    Ok(())
}

#[test]
fn an_empty_record_is_a_record() -> forebay::Result<()> {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        let folder = folder();
        let path = folder.path().join("q");
        let queue = quick().integrity(integrity).open(&path)?;
        (0..500).try_for_each(|_| queue.enqueue(b"").map(drop))?;
        drop(queue);
        let queue = quick().open(&path)?;
        let mut lengths = Vec::new();
        queue.consumer("a")?.drain(|record| {
            lengths.push(record.payload.len());
            Ok::<(), ()>(())
        })?;
        assert_eq!(lengths, [0; 500]);
    }
    Ok(())
}

#[test]
fn len_first_next_and_durable_tell_the_state() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().segment_bytes(1 << 20).open(&path)?;
    let state = |queue: &Queue| -> forebay::Result<[u64; 4]> {
        let [first, next, durable] = [queue.first(), queue.next(), queue.durable()];
        Ok([queue.len(), first.get(), next.get(), durable.get()])
    };
    assert_eq!(state(&queue)?, [0, 0, 0, 0]);
    assert!(queue.is_empty());
    enqueue(&queue, 0..10)?;
    assert_eq!(state(&queue)?, [10, 0, 10, 0]);
    assert_eq!(queue.sync()?, at(10));
    assert_eq!(state(&queue)?, [10, 0, 10, 10]);
    let mut consumer = queue.consumer("a")?;
    consumer.ack_through(at(3))?;
    assert_eq!(state(&queue)?, [6, 0, 10, 10]);
    drain_exactly(&mut consumer, 4..10)?;
    assert!(queue.is_empty());
    drop(consumer);
    queue.close()?;
    let queue = quick().open(&path)?;
    assert_eq!(state(&queue)?, [0, 0, 10, 10]);
    Ok(())
}

#[test]
fn stats_agree_with_the_calls_they_sum_up() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..300)?;
    queue.sync()?;
    let mut consumer = queue.consumer("a")?;
    consumer.ack_through(at(99))?;
    let stats = queue.stats()?;
    assert_eq!(
        (stats.first, stats.next, stats.floor),
        (queue.first(), at(300), at(100))
    );
    assert_eq!(
        (stats.durable, stats.epoch),
        (queue.durable(), queue.epoch())
    );
    assert_eq!((stats.records, stats.consumers), (200, 1));
    assert_eq!(
        (stats.enqueued, stats.delivered, stats.dropped),
        (300, 100, 0)
    );
    assert!(stats.syncs >= 1 && stats.segments > 1);
    let bytes = |range: Range<u64>| range.map(|n| framed(payload(n).len())).sum::<u64>();
    let held = stats.bytes.expect("no damage");
    assert!(held >= bytes(100..300), "{held}");
    drain_exactly(&mut consumer, 100..300)?;
    assert_eq!(queue.stats()?.bytes, Some(0));
    Ok(())
}

/// The bytes of a chained frame.
fn framed(payload: usize) -> u64 {
    u64::try_from((72 + payload).next_multiple_of(8)).expect("small")
}

#[test]
fn an_epoch_stays_over_a_clean_close_and_changes_after_a_kill() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("q"), folder.path().join("image"));
    let queue = Queue::open(&path)?;
    let (epoch, id) = (queue.epoch(), queue.id());
    queue.enqueue(b"a")?;
    crate::tree::copy_tree(&path, &image);
    drop(queue);
    let queue = Queue::open(&path)?;
    assert_eq!((queue.epoch(), queue.id()), (epoch, id));
    assert!(queue.recovery().clean);
    let killed = Queue::open(&image)?;
    assert!(killed.epoch() > epoch);
    assert_eq!(killed.id(), id);
    assert!(!killed.recovery().clean);
    assert_eq!(killed.recovery().epoch, killed.epoch());
    Ok(())
}

#[test]
fn a_record_names_the_epoch_that_wrote_it() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("q"), folder.path().join("image"));
    let queue = Queue::open(&path)?;
    let before = queue.epoch();
    queue.enqueue(b"a")?;
    crate::tree::copy_tree(&path, &image);
    let killed = Queue::open(&image)?;
    killed.enqueue(b"b")?;
    let mut epochs = Vec::new();
    killed.consumer("a")?.drain(|record| {
        epochs.push(record.epoch);
        Ok::<(), ()>(())
    })?;
    assert_eq!(epochs, [before, killed.epoch()]);
    Ok(())
}

#[test]
fn the_chain_head_is_that_of_the_durable_watermark() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    let empty = queue.chain_head();
    assert_eq!(empty.1, Sequence::ZERO);
    queue.enqueue(b"a")?;
    assert_eq!(queue.chain_head(), empty, "nothing is durable yet");
    queue.sync()?;
    let one = queue.chain_head();
    assert_eq!((one.0, one.1), (queue.epoch(), at(1)));
    assert_ne!(one.2, empty.2);
    queue.close()?;
    let queue = quick().open(&path)?;
    assert_eq!(queue.chain_head(), one);
    queue.enqueue(b"a")?;
    queue.sync()?;
    let two = queue.chain_head();
    assert_ne!(two.2, one.2, "the same payload again is another head");
    queue.close()?;
    assert_eq!(quick().open(&path)?.chain_head(), two);
    Ok(())
}

#[test]
fn without_a_chain_the_head_is_zeros() -> forebay::Result<()> {
    let folder = folder();
    let options = QueueOptions::new().integrity(Integrity::Crc32c);
    let queue = options.open(folder.path().join("q"))?;
    queue.enqueue(b"a")?;
    assert_eq!(queue.chain_head().2, [0; 32]);
    Ok(())
}

#[test]
fn the_report_tells_created_closed_and_killed_apart() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("q"), folder.path().join("image"));
    // The next segment is not made ready before the first is a quarter full.
    let queue = QueueOptions::new().open(&path)?;
    assert!(queue.recovery().created);
    enqueue(&queue, 0..5)?;
    crate::tree::copy_tree(&path, &image);
    queue.close()?;

    let queue = quick().open(&path)?;
    let report = queue.recovery();
    assert!(report.clean && !report.created);
    assert_eq!((report.scanned_segments, report.next), (0, at(5)));

    let killed = quick().open(&image)?;
    let report = killed.recovery();
    assert!(!report.clean && !report.created && !report.state_rebuilt);
    assert_eq!((report.scanned_segments, report.next), (1, at(5)));
    assert!(
        report.torn.is_none() && report.corruption.is_empty(),
        "{report:?}"
    );
    Ok(())
}
