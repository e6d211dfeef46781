//! What a consumer did not get, told once.

use std::sync::Arc;
use std::time::Duration;

use forebay::{Consumer, GapReason, Overflow, QueueOptions, Retention};

use crate::scene::{Clock, Recorder, at, drain, drain_exactly, enqueue, folder, quick};

fn gaps(consumer: &mut Consumer) -> Vec<(u64, u64, GapReason)> {
    let range = |gap: &forebay::Gap| (gap.range.start.get(), gap.range.end.get(), gap.reason);
    consumer.take_gaps().iter().map(range).collect()
}

fn bounded() -> QueueOptions {
    quick().max_records(10).overflow(Overflow::DropOldest)
}

#[test]
fn a_dropped_range_is_told_once() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = bounded().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..15)?;
    assert_eq!(gaps(&mut consumer), [], "it has not come there yet");
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(5)));
    assert_eq!(gaps(&mut consumer), [(0, 5, GapReason::Dropped)]);
    drain_exactly(&mut consumer, 5..15)?;
    assert_eq!(gaps(&mut consumer), []);
    enqueue(&queue, 15..40)?;
    drain_exactly(&mut consumer, 30..40)?;
    assert_eq!(gaps(&mut consumer), [(15, 30, GapReason::Dropped)]);
    drop(consumer);
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), []);
    drop(consumer);
    queue.close()?;
    let queue = bounded().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), []);
    Ok(())
}

#[test]
fn a_gap_told_is_not_told_again_to_the_next_handle_though_nothing_was_acked() -> forebay::Result<()>
{
    let folder = folder();
    let path = folder.path().join("q");
    let queue = bounded().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..15)?;
    assert!(consumer.peek()?.is_some());
    assert_eq!(gaps(&mut consumer), [(0, 5, GapReason::Dropped)]);
    drop(consumer);
    let mut consumer = queue.consumer("a")?;
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(5)));
    assert_eq!(gaps(&mut consumer), []);
    drop(consumer);
    queue.close()?;
    let queue = bounded().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(5)));
    assert_eq!(gaps(&mut consumer), []);
    Ok(())
}

#[test]
fn an_expired_range_is_told_once_also_to_the_next_handle() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let clock = Clock::new();
    let options = || quick().host(clock.clone()).max_age(Duration::from_mins(1));
    let queue = options().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..5)?;
    clock.advance(Duration::from_secs(61));
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), [(0, 5, GapReason::Expired)]);
    drop(consumer);
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), []);
    drop(consumer);
    queue.close()?;
    let queue = options().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), []);
    Ok(())
}

#[test]
fn expired_and_dropped_are_told_apart() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let options = bounded()
        .host(clock.clone())
        .max_age(Duration::from_mins(1));
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..15)?;
    assert!(consumer.peek()?.is_some());
    clock.advance(Duration::from_secs(61));
    assert!(consumer.peek()?.is_none());
    let told = [(0, 5, GapReason::Dropped), (5, 15, GapReason::Expired)];
    assert_eq!(gaps(&mut consumer), told);
    Ok(())
}

/// Records given up for their age by an enqueue are as expired as those met by a reader.
#[test]
fn what_an_enqueue_gave_up_for_its_age_is_told_as_expired() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let options = quick().host(clock.clone()).max_age(Duration::from_mins(1));
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..5)?;
    clock.advance(Duration::from_secs(61));
    enqueue(&queue, 5..6)?;
    drain_exactly(&mut consumer, 5..6)?;
    assert_eq!(gaps(&mut consumer), [(0, 5, GapReason::Expired)]);
    Ok(())
}

#[test]
fn a_reclaimed_range_is_told_once_to_whoever_went_back() -> forebay::Result<()> {
    let folder = folder();
    let options = quick().retention(Retention::KeepBytes(20_000));
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..200)?;
    assert_eq!(drain(&mut consumer)?.len(), 200);
    let first = queue.first();
    consumer.seek(first)?;
    enqueue(&queue, 200..1000)?;
    queue.sync()?;
    let mut other = queue.consumer("b")?;
    assert!(other.peek()?.is_some());
    other.ack_through(at(999))?;
    consumer.ack_through(at(999))?;
    consumer.seek(queue.first())?;
    let from = consumer.next_sequence();
    queue.reclaim()?;
    let begin = queue.first().get();
    drain_exactly(&mut consumer, begin..1000)?;
    let told = gaps(&mut consumer);
    if from.get() < begin {
        assert_eq!(told, [(from.get(), begin, GapReason::Reclaimed)]);
    } else {
        assert_eq!(told, []);
    }
    assert_eq!(gaps(&mut consumer), []);
    Ok(())
}

#[test]
fn going_back_keeps_nothing_from_being_deleted_and_tells_what_is_missing() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let (mut consumer, mut holder) = (queue.consumer("a")?, queue.consumer("holder")?);
    enqueue(&queue, 0..60)?;
    drain_exactly(&mut consumer, 0..60)?;
    consumer.seek(at(0))?;
    // Until here the other one kept everything in its place.
    drain_exactly(&mut holder, 0..60)?;
    enqueue(&queue, 60..400)?;
    queue.sync()?;
    crate::scene::wait_until("the first segment is deleted", || {
        queue.reclaim().expect("nothing is wrong");
        queue.first() > at(0)
    });
    let begin = queue.first().get();
    assert!(begin <= 60, "60 is still needed");
    drain_exactly(&mut consumer, begin..400)?;
    assert_eq!(gaps(&mut consumer), [(0, begin, GapReason::Reclaimed)]);
    Ok(())
}

/// Records too old behind one that is out take it with them: each is counted and told once.
#[test]
fn what_expires_behind_a_record_that_is_out_is_counted_and_told_once() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let recorder = Recorder::new();
    let options = quick()
        .host(clock.clone())
        .listener(Arc::<Recorder>::clone(&recorder))
        .max_age(Duration::from_mins(1));
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..4)?;
    assert_eq!(consumer.next_batch(1)?.len(), 1);
    clock.advance(Duration::from_secs(61));
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), [(0, 4, GapReason::Expired)]);
    consumer.rewind();
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), [], "told is told");
    consumer.ack(at(0))?;
    let stats = queue.stats()?;
    assert_eq!((stats.enqueued, stats.delivered, stats.dropped), (4, 0, 4));
    assert_eq!(recorder.counts(), (4, 4, 0));
    assert_eq!(consumer.lag()?.records, 0);
    Ok(())
}

/// The clock may step back: a record that is out and not too old is not given up with one behind it.
#[test]
fn a_record_that_is_out_and_young_holds_what_is_behind_it() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::at(1_000_000_000_000);
    let options = quick().host(clock.clone()).max_age(Duration::from_mins(1));
    let queue = options.open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..1)?;
    clock.set(900_000_000_000);
    enqueue(&queue, 1..2)?;
    clock.set(1_000_000_000_000);
    assert_eq!(consumer.next_batch(1)?.len(), 1);
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(1)));
    consumer.ack(at(0))?;
    assert!(consumer.peek()?.is_none());
    assert_eq!(gaps(&mut consumer), [(1, 2, GapReason::Expired)]);
    let stats = queue.stats()?;
    assert_eq!((stats.enqueued, stats.delivered, stats.dropped), (2, 1, 1));
    Ok(())
}

/// One who is behind loses nothing to one who is ahead, and what both give up counts once.
#[test]
fn what_two_consumers_find_expired_counts_once() -> forebay::Result<()> {
    let folder = folder();
    let clock = Clock::new();
    let options = quick().host(clock.clone()).max_age(Duration::from_mins(1));
    let queue = options.open(folder.path().join("q"))?;
    let (mut ahead, mut behind) = (queue.consumer("ahead")?, queue.consumer("behind")?);
    enqueue(&queue, 0..6)?;
    ahead.next_batch(2)?;
    ahead.ack_through(at(1))?;
    assert_eq!(ahead.next_batch(2)?.len(), 2);
    assert_eq!(behind.next_batch(1)?.len(), 1);
    clock.advance(Duration::from_secs(61));
    assert!(ahead.peek()?.is_none());
    assert_eq!(gaps(&mut ahead), [(2, 6, GapReason::Expired)]);
    assert_eq!(queue.stats()?.dropped, 0, "one is behind");
    behind.ack(at(0))?;
    assert!(behind.peek()?.is_none());
    assert_eq!(gaps(&mut behind), [(1, 6, GapReason::Expired)]);
    ahead.rewind();
    assert!(ahead.peek()?.is_none());
    assert_eq!(gaps(&mut ahead), []);
    assert_eq!(queue.stats()?.dropped, 5);
    Ok(())
}
