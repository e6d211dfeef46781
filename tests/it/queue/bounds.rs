//! Capacity in records, bytes and age; what happens at it; the size of one record.

use std::time::Duration;

use forebay::{
    CommitPadding, ErrorKind, FullReason, GapReason, Overflow, Queue, QueueOptions, Retention,
};

use crate::scene::{
    Clock, Heard, PATIENCE, Recorder, at, drain, drain_exactly, enqueue, folder, payload, quick,
    refused,
};

fn full(reason: FullReason) -> ErrorKind {
    ErrorKind::Full { reason }
}

#[test]
fn reject_refuses_at_max_records_and_accepts_after_an_ack() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().max_records(3).open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..3)?;
    refused(queue.enqueue(payload(3)), full(FullReason::Records));
    assert_eq!((queue.next(), queue.len()), (at(3), 3));
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(0))?;
    enqueue(&queue, 3..4)?;
    refused(queue.submit(payload(4)), full(FullReason::Records));
    drain_exactly(&mut consumer, 1..4)
}

#[test]
fn max_records_zero_refuses_everything() -> forebay::Result<()> {
    let folder = folder();
    for overflow in [Overflow::Reject, Overflow::Block(PATIENCE)] {
        let options = quick().max_records(0).overflow(overflow);
        let queue = options.open(folder.path().join("q"))?;
        refused(queue.enqueue(b"a"), full(FullReason::Records));
        assert_eq!(queue.next(), at(0));
    }
    Ok(())
}

#[test]
fn a_batch_that_does_not_fit_changes_nothing() -> forebay::Result<()> {
    let folder = folder();
    for overflow in [Overflow::Reject, Overflow::Block(Duration::from_millis(5))] {
        let options = quick().max_records(10).overflow(overflow);
        let queue = options.open(folder.path().join(format!("{overflow:?}")))?;
        enqueue(&queue, 0..4)?;
        let too_many = queue.enqueue_batch((4..11).map(payload));
        refused(too_many, full(FullReason::Records));
        // More than the capacity can never fit: no waiting helps.
        let never = queue.enqueue_batch((0..11).map(payload));
        refused(never, full(FullReason::Records));
        assert_eq!((queue.next(), queue.len()), (at(4), 4));
        assert_eq!(queue.enqueue_batch((4..10).map(payload))?, at(4)..at(10));
        drain_exactly(&mut queue.consumer("a")?, 0..10)?;
    }
    Ok(())
}

#[test]
fn a_batch_with_one_record_too_large_changes_nothing() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().max_record_bytes(8).open(folder.path().join("q"))?;
    let batch = queue.enqueue_batch([&b"ok"[..], b"too large", b"ok"]);
    refused(batch, ErrorKind::RecordTooLarge);
    assert_eq!(queue.next(), at(0));
    Ok(())
}

#[test]
fn drop_oldest_keeps_the_newest_and_tells_the_gap() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().max_records(10).overflow(Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..25)?;
    assert_eq!((queue.len(), queue.first()), (10, at(15)));
    drain_exactly(&mut consumer, 15..25)?;
    let gaps = consumer.take_gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].range, at(0)..at(15));
    assert_eq!(gaps[0].reason, GapReason::Dropped);
    Ok(())
}

#[test]
fn drop_oldest_takes_a_batch_larger_than_the_capacity() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().max_records(3).overflow(Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    queue.enqueue_batch((0..10).map(payload))?;
    assert_eq!(queue.stats()?.dropped, 7);
    drain_exactly(&mut queue.consumer("a")?, 7..10)
}

#[test]
fn block_waits_for_an_ack() -> forebay::Result<()> {
    let folder = folder();
    for by_bytes in [false, true] {
        let options = quick().overflow(Overflow::Block(PATIENCE));
        let options = if by_bytes {
            options.max_bytes(250)
        } else {
            options.max_records(3)
        };
        let queue = options.open(folder.path().join(format!("{by_bytes}")))?;
        let mut consumer = queue.consumer("a")?;
        enqueue(&queue, 0..3)?;
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| queue.enqueue(payload(3)));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!blocked.is_finished());
            assert!(consumer.peek().expect("open").is_some());
            consumer.ack_through(at(0)).expect("open");
            let sequence = blocked.join().expect("no panic").expect("there is room");
            assert_eq!(sequence, at(3));
        });
        drain_exactly(&mut consumer, 1..4)?;
    }
    Ok(())
}

#[test]
fn block_waits_no_longer_than_it_may() -> forebay::Result<()> {
    let folder = folder();
    let limit = Duration::from_millis(30);
    let options = quick().max_records(3).overflow(Overflow::Block(limit));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..3)?;
    let start = std::time::Instant::now();
    refused(queue.enqueue(payload(3)), full(FullReason::Records));
    assert!(start.elapsed() >= limit);
    assert_eq!(queue.next(), at(3));
    Ok(())
}

#[test]
fn a_blocked_enqueue_hears_of_the_close() -> forebay::Result<()> {
    let folder = folder();
    let options = quick()
        .max_records(1)
        .overflow(Overflow::Block(Duration::MAX));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..1)?;
    let other = queue.clone();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| other.enqueue(payload(1)));
        std::thread::sleep(Duration::from_millis(20));
        queue.close().expect("nothing is wrong");
        refused(blocked.join().expect("no panic"), ErrorKind::Closed);
    });
    Ok(())
}

#[test]
fn max_bytes_counts_frames_and_gives_them_back() -> forebay::Result<()> {
    let folder = folder();
    // A frame of "record N" takes 72 + 8 bytes.
    let queue = quick().max_bytes(240).open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    for round in 0..200 {
        let first = round * 3;
        let short = |number: u64| format!("{:08}", first + number);
        for number in 0..3 {
            queue.enqueue(short(number))?;
        }
        assert_eq!(queue.stats()?.bytes, Some(240));
        refused(queue.enqueue(short(3)), full(FullReason::Bytes));
        assert_eq!(drain(&mut consumer)?.len(), 3);
        assert_eq!(queue.stats()?.bytes, Some(0));
    }
    refused(queue.enqueue(vec![0; 200]), full(FullReason::Bytes));
    Ok(())
}

#[test]
fn drop_oldest_by_bytes_keeps_what_fits() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().max_bytes(1000).overflow(Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    for number in 0..500_u64 {
        queue.enqueue(format!("{number:08}"))?;
        let bytes = queue.stats()?.bytes.expect("no damage");
        assert!(bytes <= 1000, "{bytes}");
    }
    assert_eq!((queue.len(), queue.stats()?.dropped), (12, 488));
    let left = drain(&mut queue.consumer("a")?)?;
    assert_eq!(left[0], (488, b"00000488".to_vec()));
    assert_eq!(left.len(), 12);
    Ok(())
}

/// Padding lies behind the last record, so that the floor of an empty queue was short of the end
/// of the log by it: such a queue was full for ever.
#[test]
fn an_empty_queue_is_not_full_of_padding() -> forebay::Result<()> {
    let folder = folder();
    for padding in [CommitPadding::Sector, CommitPadding::Page] {
        let options = QueueOptions::new().commit_padding(padding).max_bytes(400);
        let queue = options.open(folder.path().join(format!("{padding:?}")))?;
        let mut consumer = queue.consumer("a")?;
        for number in 0..20 {
            enqueue(&queue, number..number + 1)?;
            drain_exactly(&mut consumer, number..number + 1)?;
            assert_eq!(queue.stats()?.bytes, Some(0));
        }
    }
    Ok(())
}

/// The newest record was dropped for the padding of its own commit.
#[test]
fn drop_oldest_keeps_a_record_that_fits_whatever_the_padding() -> forebay::Result<()> {
    let folder = folder();
    let options = QueueOptions::new()
        .commit_padding(CommitPadding::Page)
        .max_bytes(400)
        .overflow(Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    for number in 0..5 {
        enqueue(&queue, number..number + 1)?;
        drain_exactly(&mut consumer, number..number + 1)?;
    }
    assert_eq!(queue.stats()?.dropped, 0);
    Ok(())
}

fn aged(clock: &std::sync::Arc<Clock>) -> QueueOptions {
    quick()
        .host(std::sync::Arc::<Clock>::clone(clock))
        .max_age(Duration::from_mins(1))
}

#[test]
fn records_older_than_max_age_go_when_something_is_enqueued() -> forebay::Result<()> {
    let folder = folder();
    let (clock, recorder) = (Clock::new(), Recorder::new());
    let options = aged(&clock).listener(std::sync::Arc::<Recorder>::clone(&recorder));
    let queue = options.open(folder.path().join("q"))?;
    enqueue(&queue, 0..5)?;
    clock.advance(Duration::from_secs(40));
    enqueue(&queue, 5..8)?;
    clock.advance(Duration::from_secs(40));
    assert_eq!(queue.len(), 8);
    enqueue(&queue, 8..9)?;
    assert_eq!((queue.len(), queue.stats()?.dropped), (4, 5));
    assert!(recorder.any(|heard| *heard == Heard::Dropped(0..5, GapReason::Expired, 5)));
    drain_exactly(&mut queue.consumer("a")?, 5..9)
}

#[test]
fn records_older_than_max_age_are_not_delivered() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let path = folder.path().join("q");
    let queue = aged(&clock).open(&path)?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..5)?;
    clock.advance(Duration::from_secs(40));
    enqueue(&queue, 5..8)?;
    clock.advance(Duration::from_secs(40));
    drain_exactly(&mut consumer, 5..8)?;
    let gaps = consumer.take_gaps();
    assert_eq!((gaps.len(), &gaps[0].range), (1, &(at(0)..at(5))));
    assert_eq!(gaps[0].reason, GapReason::Expired);
    assert_eq!((queue.stats()?.dropped, queue.stats()?.delivered), (5, 3));
    Ok(())
}

/// Capacity was looked at before age: a queue full of expired records refused new ones for ever.
#[test]
fn expired_records_make_room() -> forebay::Result<()> {
    let folder = folder();
    for overflow in [Overflow::Reject, Overflow::Block(Duration::from_millis(50))] {
        let clock = Clock::new();
        let options = aged(&clock).max_records(3).overflow(overflow);
        let queue = options.open(folder.path().join(format!("{overflow:?}")))?;
        enqueue(&queue, 0..3)?;
        clock.advance(Duration::from_secs(40));
        refused(queue.enqueue(payload(3)), full(FullReason::Records));
        clock.advance(Duration::from_secs(40));
        enqueue(&queue, 3..5)?;
        assert_eq!((queue.len(), queue.stats()?.dropped), (2, 3));
    }
    Ok(())
}

/// Looking for expired records declared everything below the floor dropped.
#[test]
fn age_and_bytes_do_not_drop_what_was_acknowledged() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    for (name, options) in [
        ("age", aged(&clock)),
        (
            "bytes",
            quick().max_bytes(1 << 20).overflow(Overflow::DropOldest),
        ),
    ] {
        let options = options.retention(Retention::KeepForever);
        let queue = options.open(folder.path().join(name))?;
        let mut consumer = queue.consumer("a")?;
        enqueue(&queue, 0..5)?;
        drain_exactly(&mut consumer, 0..5)?;
        enqueue(&queue, 5..6)?;
        assert_eq!(queue.first(), at(0), "{name}: it is kept, and not dropped");
        consumer.seek(at(0))?;
        drain_exactly(&mut consumer, 0..6)?;
        assert_eq!(consumer.take_gaps(), [], "{name}");
        assert_eq!(queue.stats()?.dropped, 0, "{name}");
    }
    Ok(())
}

#[test]
fn a_record_of_exactly_the_limit_is_accepted_and_one_more_byte_is_not() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    for limit in [0_u32, 1, 100, 16 << 20] {
        let size = usize::try_from(limit).expect("fits");
        let options = QueueOptions::new().max_record_bytes(limit);
        let queue = options.open(&path)?;
        let next = queue.next();
        let error = refused(queue.enqueue(vec![7; size + 1]), ErrorKind::RecordTooLarge);
        let text = error.to_string();
        assert!(
            text.contains(&format!("{limit}")) && text.contains("max_record_bytes"),
            "{text}"
        );
        refused(queue.submit(vec![7; size + 1]), ErrorKind::RecordTooLarge);
        assert_eq!(queue.next(), next);
        queue.enqueue(vec![7; size])?;
    }
    // The limit is for new records only.
    let queue = QueueOptions::new().max_record_bytes(0).open(&path)?;
    let found: Vec<_> = drain(&mut queue.consumer("a")?)?;
    let lengths: Vec<_> = found.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 100, 16 << 20]);
    Ok(())
}

#[test]
fn the_default_limit_of_a_record_is_16_mebibytes() -> forebay::Result<()> {
    let folder = folder();
    let queue = Queue::open(folder.path().join("q"))?;
    queue.enqueue(vec![0; 16 << 20])?;
    refused(
        queue.enqueue(vec![0; (16 << 20) + 1]),
        ErrorKind::RecordTooLarge,
    );
    Ok(())
}

#[test]
fn an_oversized_record_has_a_segment_to_itself() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    queue.enqueue(payload(0))?;
    queue.enqueue(vec![1; 100_000])?;
    queue.enqueue(payload(2))?;
    queue.enqueue_batch(vec![vec![3; 9000]; 3])?;
    queue.enqueue(payload(6))?;
    assert_eq!(queue.stats()?.segments, 5);
    drop(queue);
    let queue = quick().open(&path)?;
    let found = drain(&mut queue.consumer("a")?)?;
    let lengths: Vec<_> = found.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [8, 100_000, 8, 9000, 9000, 9000, 8]);
    Ok(())
}
