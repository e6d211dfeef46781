//! Bounded: the oldest goes, counted, and enqueueing neither waits nor fails.

use std::sync::Arc;

use forebay::{EventBuffer, GapReason, QueueOptions, SyncPolicy};

use super::{Plain, drain, dropped};
use crate::scene::{Heard, Recorder, folder, wait_until};
use crate::tree::copy_tree;

#[test]
fn the_oldest_goes_at_capacity_exactly_one_per_excess() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let recorder = Recorder::new();
        let options = QueueOptions::new()
            .sync_policy(policy)
            .listener(Arc::<Recorder>::clone(&recorder));
        let buffer: EventBuffer<u32> =
            EventBuffer::with_options(folder.path().join("b"), 10, options)?;
        assert_eq!(buffer.capacity(), 10);
        for event in 0..15_u32 {
            buffer.enqueue(&event)?;
            let so_far = u64::from(event) + 1;
            let expected = (so_far, so_far.saturating_sub(10), 0);
            assert_eq!(recorder.counts(), expected, "before enqueue returned");
            let waiting = usize::try_from(so_far.min(10)).expect("small");
            assert_eq!(buffer.len()?, waiting);
        }
        assert_eq!(drain(&buffer)?, (5..15).collect::<Vec<_>>());
        assert_eq!(recorder.counts(), (15, 5, 10));
        let stats = buffer.queue().stats()?;
        assert_eq!(
            (stats.enqueued, stats.dropped, stats.delivered),
            (15, 5, 10)
        );
    }
    Ok(())
}

#[test]
fn every_counter_moves_on_the_callers_thread() -> forebay::Result<()> {
    let folder = folder();
    let recorder = Recorder::new();
    let options = QueueOptions::new().listener(Arc::<Recorder>::clone(&recorder));
    let buffer: EventBuffer<u32> = EventBuffer::with_options(folder.path().join("b"), 3, options)?;
    for event in 0..9 {
        buffer.enqueue(&event)?;
    }
    drain(&buffer)?;
    let own = std::thread::current().id();
    for (thread, heard) in recorder.all_with_threads() {
        if matches!(
            heard,
            Heard::Enqueued(..) | Heard::Dropped(..) | Heard::Delivered(..)
        ) {
            assert_eq!(thread, own, "{heard:?}");
        }
    }
    assert_eq!(recorder.counts(), (9, 6, 3));
    Ok(())
}

#[test]
fn each_dropped_event_is_told_once_with_its_range() -> forebay::Result<()> {
    let folder = folder();
    let recorder = Recorder::new();
    let options = QueueOptions::new().listener(Arc::<Recorder>::clone(&recorder));
    let buffer = Plain::with_options(folder.path().join("b"), 2, options)?;
    (0..5).try_for_each(|event| buffer.enqueue(&vec![event]))?;
    let told: Vec<_> = recorder
        .all()
        .into_iter()
        .filter(|heard| matches!(heard, Heard::Dropped(..)))
        .collect();
    let one = |from: u64| Heard::Dropped(from..from + 1, GapReason::Dropped, 1);
    assert_eq!(told, [one(0), one(1), one(2)]);
    Ok(())
}

#[test]
fn capacity_zero_accepts_every_event_and_drops_it_at_once() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 0)?;
    for event in 0..7 {
        buffer.enqueue(&event)?;
        assert_eq!(buffer.len()?, 0);
    }
    let never = |_| -> Result<(), ()> { panic!("everything was dropped") };
    assert_eq!(buffer.drain(never)?, 0);
    assert_eq!(dropped(buffer.queue()), 7);
    drop(buffer);
    // Reopened with room, the dropped ones stay dropped.
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 10)?;
    assert_eq!(buffer.len()?, 0);
    buffer.enqueue(&7)?;
    assert_eq!(drain(&buffer)?, [7]);
    Ok(())
}

#[test]
fn the_largest_capacity_drops_nothing() -> forebay::Result<()> {
    let folder = folder();
    let options = QueueOptions::new().sync_policy(SyncPolicy::Manual);
    let buffer: EventBuffer<u32> =
        EventBuffer::with_options(folder.path().join("b"), usize::MAX, options)?;
    assert_eq!(buffer.capacity(), usize::MAX);
    (0..300).try_for_each(|event| buffer.enqueue(&event))?;
    assert_eq!((buffer.len()?, dropped(buffer.queue())), (300, 0));
    assert_eq!(drain(&buffer)?, (0..300).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_smaller_capacity_applies_from_the_first_enqueue_after_opening() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    (0..20).try_for_each(|event| buffer.enqueue(&event))?;
    drop(buffer);
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 5)?;
    assert_eq!((buffer.capacity(), buffer.len()?), (5, 20));
    buffer.enqueue(&20)?;
    assert_eq!((buffer.len()?, dropped(buffer.queue())), (5, 16));
    assert_eq!(drain(&buffer)?, [16, 17, 18, 19, 20]);
    Ok(())
}

#[test]
fn without_an_enqueue_a_smaller_capacity_drops_nothing() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    (0..20).try_for_each(|event| buffer.enqueue(&event))?;
    drop(buffer);
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 5)?;
    assert_eq!(drain(&buffer)?, (0..20).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn what_was_dropped_stays_dropped_after_a_close_and_after_a_kill() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("b"), folder.path().join("image"));
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 10)?;
    (0..15).try_for_each(|event| buffer.enqueue(&event))?;
    // Whoever syncs `STATE` while the last commit ends writes that one's floor behind it.
    wait_until("the floor is written", || {
        std::fs::remove_dir_all(&image).ok();
        copy_tree(&path, &image);
        let killed = EventBuffer::<u32>::new(&image, 10);
        killed
            .and_then(|buffer| buffer.len())
            .is_ok_and(|waiting| waiting == 10)
    });
    drop(buffer);
    for place in [&path, &image] {
        let buffer: EventBuffer<u32> = EventBuffer::new(place, 10)?;
        assert_eq!(buffer.len()?, 10, "{}", place.display());
        assert_eq!(drain(&buffer)?, (5..15).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn a_backlog_of_many_segments_is_bounded_on_disk_too() -> forebay::Result<()> {
    let folder = folder();
    let options = QueueOptions::new()
        .sync_policy(SyncPolicy::Manual)
        .segment_bytes(8192);
    let buffer = Plain::with_options(folder.path().join("b"), 10, options)?;
    for event in 0..2000_u32 {
        buffer.enqueue(&event.to_le_bytes().to_vec())?;
    }
    buffer.queue().sync()?;
    buffer.queue().reclaim()?;
    assert_eq!(buffer.len()?, 10);
    assert!(
        buffer.queue().stats()?.segments <= 2,
        "{:?}",
        buffer.queue().stats()?
    );
    let left: Vec<_> = (1990..2000_u32)
        .map(|event| event.to_le_bytes().to_vec())
        .collect();
    assert_eq!(drain(&buffer)?, left);
    Ok(())
}
