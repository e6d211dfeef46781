//! Records in order, again and again until they are acknowledged.

use std::time::{Duration, Instant};

use forebay::{ErrorKind, SyncPolicy};

use crate::scene::{PATIENCE, at, drain_exactly, enqueue, folder, payload, quick, refused};

#[test]
fn peek_repeats_until_the_record_is_acknowledged() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_none());
    enqueue(&queue, 0..300)?;
    for number in 0..300 {
        for _ in 0..2 {
            let record = consumer.peek()?.expect("it was enqueued");
            assert_eq!(
                (record.sequence, record.payload),
                (at(number), &payload(number)[..])
            );
        }
        assert_eq!(consumer.len()?, 300 - number);
        consumer.ack_through(at(number))?;
        assert_eq!(consumer.next_sequence(), at(number + 1));
    }
    assert!(consumer.peek()?.is_none() && consumer.is_empty()?);
    enqueue(&queue, 300..301)?;
    assert_eq!(
        consumer.peek()?.map(|record| record.sequence),
        Some(at(300))
    );
    Ok(())
}

#[test]
fn reading_makes_written_records_durable_first() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..3)?;
    assert_eq!(queue.durable(), at(0));
    assert!(consumer.peek()?.is_some());
    assert_eq!(queue.durable(), at(3));
    Ok(())
}

#[test]
fn batches_are_in_order_across_segments_and_as_small_as_asked() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..500)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek_batch(0)?.is_empty());
    let mut next = 0;
    for max in [1, 2, 3, 7, 50, 1000].into_iter().cycle() {
        let batch = consumer.peek_batch(max)?;
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= max);
        assert_eq!(batch.iter().len(), batch.len());
        for (index, record) in batch.iter().enumerate() {
            assert_eq!(
                (record.sequence, record.payload),
                (at(next), &payload(next)[..])
            );
            assert_eq!(batch.get(index), Some(record));
            next += 1;
        }
        assert_eq!(batch.get(batch.len()), None);
        let last = batch.last().expect("not empty").sequence;
        consumer.ack_through(last)?;
    }
    assert_eq!(next, 500);
    assert!(consumer.peek_batch(10)?.is_empty());
    Ok(())
}

#[test]
fn a_batch_repeats_until_it_is_acknowledged_and_may_be_in_part() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..40)?;
    let mut consumer = queue.consumer("a")?;
    let mut first = 0;
    while first < 40 {
        for _ in 0..2 {
            let batch = consumer.peek_batch(10)?;
            let sequences: Vec<u64> = batch.iter().map(|record| record.sequence.get()).collect();
            let wanted: Vec<u64> = (first..(first + 10).min(40)).collect();
            assert_eq!(sequences, wanted[..sequences.len()]);
            assert!(!sequences.is_empty());
        }
        consumer.ack_through(at(first + 2))?;
        // A record of the batch that was peeked, after some of it was acknowledged.
        consumer.ack_through(at(first + 3))?;
        assert_eq!(
            consumer.peek()?.map(|record| record.sequence.get()),
            (first < 36).then_some(first + 4)
        );
        first += 4;
    }
    Ok(())
}

#[test]
fn a_batch_can_be_acknowledged_after_other_reading() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..300)?;
    let mut consumer = queue.consumer("a")?;
    let last = consumer.peek_batch(50)?.last().expect("some").sequence;
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(0)));
    enqueue(&queue, 300..400)?;
    consumer.ack_through(last)?;
    drop(consumer);
    queue.close()?;
    let queue = quick().open(&path)?;
    drain_exactly(&mut queue.consumer("a")?, last.get() + 1..400)
}

#[test]
fn ack_through_is_inclusive_and_passes_over_what_was_acknowledged() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..10)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(4))?;
    assert_eq!((consumer.next_sequence(), consumer.len()?), (at(5), 5));
    for sequence in [0, 3, 4] {
        consumer.ack_through(at(sequence))?;
        assert_eq!(consumer.next_sequence(), at(5));
    }
    assert_eq!(queue.stats()?.delivered, 5);
    drain_exactly(&mut consumer, 5..10)
}

#[test]
fn what_cannot_have_been_delivered_cannot_be_acknowledged() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    refused(consumer.ack_through(at(0)), ErrorKind::OutOfRange);
    enqueue(&queue, 0..3)?;
    // Written, but not durable: it could come back as another record.
    refused(consumer.ack_through(at(0)), ErrorKind::OutOfRange);
    queue.sync()?;
    for sequence in [3, 4, u64::MAX] {
        refused(consumer.ack_through(at(sequence)), ErrorKind::OutOfRange);
    }
    drain_exactly(&mut consumer, 0..3)?;
    refused(consumer.ack_through(at(3)), ErrorKind::OutOfRange);
    Ok(())
}

#[test]
fn wait_wakes_on_a_record_from_another_thread() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let queue = quick().sync_policy(policy).open(folder.path().join("q"))?;
        let mut consumer = queue.consumer("a")?;
        std::thread::scope(|scope| {
            for number in 0..20 {
                let queue = &queue;
                let producer = scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(1));
                    enqueue(queue, number..number + 1).expect("open");
                });
                assert!(consumer.wait(PATIENCE).expect("open"));
                let record = consumer.peek().expect("open").expect("waited for");
                assert_eq!(record.sequence, at(number));
                consumer.ack_through(at(number)).expect("delivered");
                producer.join().expect("no panic");
            }
        });
    }
    Ok(())
}

#[test]
fn wait_is_true_at_once_when_a_record_waits_and_false_in_the_end() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    let (start, limit) = (Instant::now(), Duration::from_millis(30));
    assert!(!consumer.wait(limit)?);
    assert!(start.elapsed() >= limit);
    assert!(!consumer.wait(Duration::ZERO)?);
    enqueue(&queue, 0..1)?;
    assert!(consumer.wait(Duration::ZERO)?);
    assert!(consumer.wait(Duration::MAX)?);
    drain_exactly(&mut consumer, 0..1)?;
    assert!(!consumer.wait(Duration::ZERO)?);
    Ok(())
}

/// Everything it would deliver was dropped: there is nothing to wake up for.
#[test]
fn wait_is_not_woken_by_records_that_are_gone() -> forebay::Result<()> {
    let folder = folder();
    let options = quick()
        .max_records(0)
        .overflow(forebay::Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..5)?;
    assert!(consumer.is_empty()?);
    assert!(!consumer.wait(Duration::from_millis(10))?);
    Ok(())
}

#[test]
fn two_consumers_are_independent() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..200)?;
    let (mut first, mut second) = (queue.consumer("first")?, queue.consumer("second")?);
    queue.sync()?;
    first.ack_through(at(99))?;
    assert_eq!((first.len()?, second.len()?, queue.len()), (100, 200, 200));
    second.ack_through(at(149))?;
    assert_eq!(queue.len(), 100);
    drop((first, second));
    queue.close()?;
    let queue = quick().open(&path)?;
    assert_eq!(queue.consumers(), ["first", "second"]);
    drain_exactly(&mut queue.consumer("first")?, 100..200)?;
    drain_exactly(&mut queue.consumer("second")?, 150..200)
}

#[test]
fn a_second_live_handle_is_busy_until_the_first_is_gone() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let first = queue.consumer("a")?;
    let error = refused(queue.consumer("a"), ErrorKind::Busy);
    assert!(error.to_string().contains("\"a\""), "{error}");
    refused(queue.clone().consumer("a"), ErrorKind::Busy);
    assert_eq!(first.name(), "a");
    drop(first);
    drop(queue.consumer("a")?);
    drop(queue.consumer("a")?);
    Ok(())
}

#[test]
fn a_drain_of_bytes_borrows_and_stops_where_it_is_refused() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..300)?;
    let mut consumer = queue.consumer("a")?;
    let mut next = 0;
    for stop in [0, 1, 5, 100, 250, 1000] {
        let accepted = consumer.drain(|record| {
            assert_eq!(record.sequence, at(next));
            if next == stop {
                return Err(());
            }
            next += 1;
            Ok(())
        })?;
        assert_eq!(consumer.next_sequence(), at(next));
        assert!(accepted <= 250);
    }
    assert_eq!(next, 300);
    Ok(())
}

#[test]
fn large_records_come_whole_whatever_the_read_buffer() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick()
        .segment_bytes(4 << 20)
        .open(folder.path().join("q"))?;
    let size = |number: usize| (number * 77_777) % 700_000;
    for number in 0..30 {
        let fill = u8::try_from(number).expect("small");
        queue.enqueue(vec![fill; size(number)])?;
    }
    let mut consumer = queue.consumer("a")?;
    let mut number = 0;
    while let Some(record) = consumer.peek()? {
        let fill = u8::try_from(number).expect("small");
        assert_eq!(record.payload.len(), size(number));
        assert!(record.payload.iter().all(|byte| *byte == fill));
        let sequence = record.sequence;
        let batch = consumer.peek_batch(3)?;
        assert!(
            batch
                .iter()
                .next()
                .is_some_and(|first| first.sequence == sequence)
        );
        consumer.ack_through(sequence)?;
        number += 1;
    }
    assert_eq!(number, 30);
    Ok(())
}
