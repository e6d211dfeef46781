//! Where a consumer is: over reopening, a kill, a power cut, and seeking.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, SyncPolicy};

use crate::scene::{at, drain_exactly, enqueue, folder, payload, quick, refused, wait_until};

#[test]
fn an_ack_survives_a_close_and_a_kill() -> forebay::Result<()> {
    let memory = Arc::new(MemoryDirectory::new());
    let queue = quick().open_on(Arc::<MemoryDirectory>::clone(&memory))?;
    enqueue(&queue, 0..300)?;
    let mut consumer = queue.consumer("a")?;
    queue.sync()?;
    for through in [0, 1, 99, 100, 101, 298] {
        consumer.ack_through(at(through))?;
        let killed = quick().open_on(Arc::new(memory.process_kill()))?;
        let mut again = killed.consumer("a")?;
        assert_eq!(again.taken_back(), None);
        drain_exactly(&mut again, through + 1..300)?;
    }
    drop(consumer);
    queue.close()?;
    drain_exactly(&mut quick().open_on(memory)?.consumer("a")?, 299..300)
}

#[test]
fn acks_of_a_drain_survive_a_kill_one_by_one() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..120)?;
    let mut consumer = queue.consumer("a")?;
    consumer.drain(|record| {
        if record.sequence.get() % 10 == 0 {
            let killed = quick()
                .open_on(Arc::new(memory.process_kill()))
                .expect("opens");
            let again = killed.consumer("a").expect("is there");
            assert_eq!(again.next_sequence(), record.sequence);
        }
        Ok::<(), ()>(())
    })?;
    Ok(())
}

#[test]
fn an_ack_becomes_durable_by_itself() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..10)?;
    let mut consumer = queue.consumer("a")?;
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(4))?;
    wait_until("the idle sync", || {
        let image = quick()
            .open_on(Arc::new(memory.crash_losing_all()))
            .expect("opens");
        image.consumer("a").expect("is there").next_sequence() == at(5)
    });
    Ok(())
}

#[test]
fn after_a_power_cut_a_consumer_is_at_or_before_its_ack() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let options = || quick().sync_policy(SyncPolicy::Always);
    let queue = options().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..30)?;
    let mut consumer = queue.consumer("a")?;
    for acked in 1..=30 {
        consumer.ack_through(at(acked - 1))?;
        for image in [memory.crash_losing_all(), memory.crash_keeping_all()] {
            let queue = options().open_on(Arc::new(image))?;
            let mut again = queue.consumer("a")?;
            let from = again.next_sequence();
            assert!(from <= at(acked));
            drain_exactly(&mut again, from.get()..30)?;
        }
    }
    Ok(())
}

#[test]
fn seek_goes_back_and_forward_within_the_log() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let options = || quick().retention(forebay::Retention::KeepForever);
    let queue = options().open(&path)?;
    enqueue(&queue, 0..300)?;
    let mut consumer = queue.consumer("a")?;
    for to in [0, 299, 150, 1, 300, 0, 80] {
        consumer.seek(at(to))?;
        assert_eq!(
            (consumer.next_sequence(), consumer.len()?),
            (at(to), 300 - to)
        );
        let found = consumer.peek()?.map(|record| record.payload.to_vec());
        assert_eq!(found, (to < 300).then(|| payload(to)));
    }
    drain_exactly(&mut consumer, 80..300)?;
    consumer.seek(at(200))?;
    drop(consumer);
    queue.close()?;
    let queue = options().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    drain_exactly(&mut consumer, 200..300)?;
    consumer.seek(at(7))?;
    drain_exactly(&mut consumer, 7..300)
}

/// Going back keeps nothing, and what was deleted counted as waiting after reopening.
#[test]
fn records_deleted_behind_a_cursor_that_went_back_do_not_wait() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let options = || quick().max_records(20);
    let queue = options().open(&path)?;
    let mut consumer = queue.consumer("a")?;
    for batch in 0..10 {
        enqueue(&queue, batch * 20..(batch + 1) * 20)?;
        drain_exactly(&mut consumer, batch * 20..(batch + 1) * 20)?;
    }
    consumer.seek(queue.first())?;
    queue.reclaim()?;
    drop(consumer);
    queue.close()?;
    let queue = options().open(&path)?;
    let stats = queue.stats()?;
    assert!(stats.first <= stats.floor, "{stats:?}");
    assert!(queue.len() <= 200 - queue.first().get());
    Ok(())
}

#[test]
fn seek_outside_of_the_log_is_refused_and_moves_nothing() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..500)?;
    for to in [501, u64::MAX] {
        refused(consumer.seek(at(to)), ErrorKind::OutOfRange);
    }
    queue.sync()?;
    assert!(consumer.peek()?.is_some());
    consumer.ack_through(at(400))?;
    queue.reclaim()?;
    let first = queue.first();
    assert!(first > at(0));
    refused(consumer.seek(at(first.get() - 1)), ErrorKind::OutOfRange);
    assert_eq!(consumer.next_sequence(), at(401));
    consumer.seek(first)?;
    drain_exactly(&mut consumer, first.get()..500)
}

#[test]
fn going_forward_past_written_records_is_safe_over_a_power_cut() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..5)?;
    queue.sync()?;
    enqueue(&queue, 5..9)?;
    let mut consumer = queue.consumer("a")?;
    consumer.seek(at(9))?;
    for image in [memory.crash_losing_all(), memory.crash_keeping_all()] {
        let after = quick().open_on(Arc::new(image))?;
        let next = after.next().get();
        let mut consumer = after.consumer("a")?;
        assert!(consumer.next_sequence() <= after.next());
        enqueue(&after, next..next + 3)?;
        let from = consumer.next_sequence().get();
        drain_exactly(&mut consumer, from..next + 3)?;
        assert!(from <= next);
    }
    Ok(())
}

#[test]
fn a_cursor_beyond_what_a_power_cut_left_is_taken_back_and_told() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    enqueue(&queue, 0..5)?;
    let mut consumer = queue.consumer("a")?;
    drain_exactly(&mut consumer, 0..5)?;
    enqueue(&queue, 5..9)?;
    consumer.seek(at(9))?;
    // The cursor reaches the medium, the records do not.
    let image = memory.crash(&mut |unsynced| {
        if unsynced.name.contains("cursor") {
            forebay::storage::memory::Fate::Kept
        } else {
            forebay::storage::memory::Fate::Lost
        }
    });
    let after = quick().open_on(Arc::new(image))?;
    assert_eq!(after.next(), at(5));
    let mut consumer = after.consumer("a")?;
    assert_eq!(consumer.next_sequence(), at(5));
    assert_eq!(consumer.taken_back(), Some(at(5)..at(9)));
    enqueue(&after, 5..7)?;
    drain_exactly(&mut consumer, 5..7)
}

#[test]
fn a_new_consumer_begins_at_the_oldest_record() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick()
        .max_records(20)
        .overflow(forebay::Overflow::DropOldest)
        .open(folder.path().join("q"))?;
    assert_eq!(queue.consumer("early")?.next_sequence(), at(0));
    enqueue(&queue, 0..30)?;
    let mut late = queue.consumer("late")?;
    assert_eq!(late.next_sequence(), at(10));
    drain_exactly(&mut late, 10..30)?;
    assert_eq!(late.take_gaps(), []);
    Ok(())
}

#[test]
fn a_consumer_made_survives_a_power_cut() -> forebay::Result<()> {
    let memory = MemoryDirectory::new();
    let queue = quick().open_on(Arc::new(memory.clone()))?;
    drop(queue.consumer("a")?);
    let after = quick().open_on(Arc::new(memory.crash_losing_all()))?;
    assert_eq!(after.consumers(), ["a"]);
    Ok(())
}
