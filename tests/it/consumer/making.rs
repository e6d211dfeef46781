//! Where consumers begin, how far they are behind, and how they go.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forebay::inspect::inspect_on;
use forebay::storage::memory::MemoryDirectory;
use forebay::{ConsumerOptions, ErrorKind, Overflow, QueueOptions, Retention, Start, repair};

use crate::scene::{Clock, at, drain_exactly, enqueue, folder, payload, quick, refused};

fn from(start: Start) -> ConsumerOptions {
    ConsumerOptions::new().start(start)
}

#[test]
fn a_new_consumer_begins_where_it_was_told_and_an_old_one_where_it_was() -> forebay::Result<()> {
    let folder = folder();
    let kept = quick().retention(Retention::KeepForever);
    let queue = kept.open(folder.path().join("q"))?;
    enqueue(&queue, 0..500)?;
    drain_exactly(
        &mut queue.consumer_with("first", &from(Start::First))?,
        0..500,
    )?;
    drain_exactly(
        &mut queue.consumer_with("at", &from(Start::At(at(321))))?,
        321..500,
    )?;
    let mut end = queue.consumer_with("end", &from(Start::End))?;
    let mut next = queue.consumer_with("next", &from(Start::At(at(500))))?;
    drain_exactly(&mut end, 500..500)?;
    refused(
        queue.consumer_with("x", &from(Start::At(at(501)))),
        ErrorKind::OutOfRange,
    );
    assert!(!queue.consumers().contains(&"x".to_owned()));
    enqueue(&queue, 500..510)?;
    drain_exactly(&mut end, 500..510)?;
    drain_exactly(&mut next, 500..510)?;
    drop(end);
    drain_exactly(
        &mut queue.consumer_with("end", &from(Start::First))?,
        510..510,
    )
}

#[test]
fn a_consumer_can_begin_at_a_time() -> forebay::Result<()> {
    let clock = Clock::at(1_000);
    let queue = quick()
        .host(Arc::<Clock>::clone(&clock))
        .open_on(Arc::new(MemoryDirectory::new()))?;
    for number in 0..300 {
        clock.set(1_000 + 10 * number);
        queue.enqueue(payload(number))?;
    }
    let time = |nanoseconds: u64| -> SystemTime { UNIX_EPOCH + Duration::from_nanos(nanoseconds) };
    for (moment, expected) in [
        (0, 0),
        (1_000, 0),
        (1_001, 1),
        (1_010, 1),
        (2_000, 100),
        (3_985, 299),
        (3_990, 299),
        (3_991, 300),
    ] {
        let name = format!("at {moment}");
        let consumer = queue.consumer_with(&name, &from(Start::Time(time(moment))))?;
        assert_eq!(consumer.next_sequence(), at(expected), "{moment}");
    }
    let before = UNIX_EPOCH - Duration::from_secs(1);
    let consumer = queue.consumer_with("before", &from(Start::Time(before)))?;
    assert_eq!(consumer.next_sequence(), at(0));
    Ok(())
}

#[test]
fn a_segment_of_which_a_repair_knew_no_time_hides_no_record_from_who_begins_at_one()
-> forebay::Result<()> {
    let clock = Clock::at(1_000);
    let memory = MemoryDirectory::new();
    let options = quick()
        .retention(Retention::KeepForever)
        .host(Arc::<Clock>::clone(&clock));
    let queue = options.clone().open_on(Arc::new(memory.clone()))?;
    for number in 0..300 {
        clock.set(1_000 + 10 * number);
        queue.enqueue(payload(number))?;
    }
    queue.close()?;
    // A header, and the start frame behind it.
    for (number, damaged) in [(2, 0..4096), (3, 4096..4200)] {
        let name = format!("segments/{number:016}.log");
        let mut bytes = memory.file_bytes(&name).expect("a segment");
        bytes[damaged].fill(0);
        memory.put_file(&name, &bytes);
    }
    let lost = repair::apply_on(&memory)?.lost();
    let [lost] = &*lost else {
        panic!("one segment is lost: {lost:?}");
    };
    // The start frame that was made again is of a time that is told as 1970.
    let found = inspect_on(&memory)?;
    let unknown = found
        .segments
        .iter()
        .find(|view| view.begun == Some(UNIX_EPOCH));
    assert_eq!(unknown.and_then(|view| view.base), Some(lost.end));
    let queue = options.open_on(Arc::new(memory.clone()))?;
    for number in 0..lost.start.get() {
        let moment = UNIX_EPOCH + Duration::from_nanos(1_000 + 10 * number);
        let name = format!("at {number}");
        let mut consumer = queue.consumer_with(&name, &from(Start::Time(moment)))?;
        let first = consumer.peek()?.map(|record| record.sequence);
        assert_eq!(first, Some(at(number)));
    }
    Ok(())
}

#[test]
fn a_removed_consumer_holds_back_nothing_and_is_gone_for_good() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..1000)?;
    let slow = queue.consumer("slow")?;
    drain_exactly(&mut queue.consumer("quick")?, 0..1000)?;
    assert_eq!(queue.len(), 1000);
    refused(queue.remove_consumer("slow"), ErrorKind::Busy);
    drop(slow);
    queue.remove_consumer("slow")?;
    refused(queue.remove_consumer("slow"), ErrorKind::NotFound);
    assert_eq!(queue.consumers(), ["quick"]);
    assert_eq!(queue.len(), 0);
    queue.reclaim()?;
    assert!(queue.stats()?.segments <= 2);
    let image = quick().open_on(Arc::new(memory.crash_losing_all()))?;
    assert_eq!(image.consumers(), ["quick"]);
    // Who comes back under the name is new.
    assert_eq!(queue.consumer("slow")?.next_sequence(), queue.first());
    Ok(())
}

#[test]
fn without_its_last_consumer_a_queue_keeps_everything() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue(&queue, 0..1000)?;
    let mut consumer = queue.consumer("a")?;
    consumer.ack_through(at(499)).ok();
    queue.sync()?;
    consumer.ack_through(at(499))?;
    drop(consumer);
    queue.reclaim()?;
    let first = queue.first();
    assert!(first > at(0));
    queue.remove_consumer("a")?;
    assert_eq!(
        queue.len(),
        queue.next().since(first),
        "what is gone does not wait"
    );
    assert_eq!(queue.reclaim()?, 0);
    assert_eq!(queue.first(), first);
    Ok(())
}

#[test]
fn a_consumer_with_a_damaged_cursor_can_be_removed() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..1000)?;
    drain_exactly(&mut queue.consumer("whole")?, 0..1000)?;
    drop(queue.consumer("bad")?);
    queue.close()?;
    std::fs::write(path.join("cursors/bad.cursor"), [7; 8192]).expect("can be written");
    let queue = quick().open(&path)?;
    refused(queue.consumer("bad"), ErrorKind::Corrupt);
    assert_eq!(queue.reclaim()?, 0, "nobody knows what it needs");
    queue.remove_consumer("bad")?;
    queue.reclaim()?;
    assert!(queue.first() > at(0));
    drain_exactly(&mut queue.consumer("bad")?, queue.first().get()..1000)
}

#[test]
fn lag_tells_records_bytes_and_age() -> forebay::Result<()> {
    let clock = Clock::at(5_000);
    let queue = quick()
        .host(Arc::<Clock>::clone(&clock))
        .open_on(Arc::new(MemoryDirectory::new()))?;
    let mut consumer = queue.consumer("a")?;
    let none = consumer.lag()?;
    assert_eq!((none.records, none.bytes, none.age), (0, Some(0), None));
    for number in 0..200 {
        clock.set(5_000 + number);
        queue.enqueue(payload(number))?;
    }
    clock.set(6_000);
    queue.sync()?;
    let all = queue.stats()?.bytes;
    let lag = consumer.lag()?;
    assert_eq!((lag.records, lag.bytes), (200, all));
    assert_eq!(lag.age, Some(Duration::from_micros(1)));
    consumer.ack_through(at(149))?;
    let lag = consumer.lag()?;
    assert_eq!(lag, queue.lag("a")?);
    assert_eq!(lag.age, Some(Duration::from_nanos(850)));
    assert_eq!(lag.records, 50);
    assert!(lag.bytes > Some(50 * 72) && lag.bytes < all, "{lag:?}");
    drop(consumer);
    assert_eq!(queue.lag("a")?, lag, "also without a handle");
    refused(queue.lag("b"), ErrorKind::NotFound);
    Ok(())
}

#[test]
fn a_gap_that_nobody_was_told_of_is_told_by_the_next_handle() -> forebay::Result<()> {
    let folder = folder();
    let options: QueueOptions = quick().max_records(10).overflow(Overflow::DropOldest);
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..30)?;
    assert!(consumer.peek()?.is_some());
    drop(consumer);
    let gaps = queue.consumer("a")?.take_gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].range, at(0)..at(20));
    assert!(queue.consumer("a")?.take_gaps().is_empty());
    Ok(())
}
