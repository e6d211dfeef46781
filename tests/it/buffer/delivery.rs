//! In order, byte by byte, removed only once accepted.

use std::cell::Cell;
use std::sync::mpsc;

use forebay::{ErrorKind, EventBuffer, QueueOptions, SyncPolicy};

use super::{Plain, drain};
use crate::scene::{PATIENCE, folder, refused};
use crate::tree::copy_tree;

#[test]
fn events_leave_in_the_order_in_which_they_came() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100)?;
    for event in 0..5 {
        buffer.enqueue(&event)?;
    }
    assert_eq!(buffer.len()?, 5);
    assert!(!buffer.is_empty()?);
    assert_eq!(drain(&buffer)?, [0, 1, 2, 3, 4]);
    assert!(buffer.is_empty()?);
    assert_eq!(buffer.len()?, 0);
    Ok(())
}

#[test]
fn bytes_come_back_as_they_were() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let every: Vec<u8> = (0..=255).collect();
    let large = every.repeat(4096);
    let events = [Vec::new(), every, vec![0; 4096], vec![0xFF; 77], large];
    let buffer = Plain::new(&path, 10)?;
    for event in &events {
        buffer.enqueue(event)?;
    }
    drop(buffer);
    assert_eq!(drain(&Plain::new(&path, 10)?)?, events);
    Ok(())
}

#[test]
fn an_event_is_there_until_the_sink_has_accepted_it() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100)?;
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    let mut seen = Vec::new();
    buffer.drain(|event| {
        seen.push((event, buffer.len().expect("open")));
        Ok::<(), ()>(())
    })?;
    assert_eq!(seen, [(0, 3), (1, 2), (2, 1)]);
    Ok(())
}

#[test]
fn a_kill_between_accepting_and_removing_delivers_again() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("b"), folder.path().join("image"));
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    buffer.drain(|event| {
        if event == 1 {
            copy_tree(&path, &image);
        }
        Ok::<(), ()>(())
    })?;
    assert_eq!(drain(&EventBuffer::<u32>::new(&image, 100)?)?, [1, 2]);
    Ok(())
}

#[test]
fn the_first_refusal_ends_the_drain_and_a_later_one_goes_on_there() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    let mut buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    (0..5).try_for_each(|event| buffer.enqueue(&event))?;
    let mut offered = Vec::new();
    let sent = buffer.drain(|event| {
        offered.push(event);
        if offered.len() > 2 {
            Err("down")
        } else {
            Ok(())
        }
    })?;
    assert_eq!((sent, buffer.len()?), (2, 3));
    assert_eq!(offered, [0, 1, 2]);
    // Refused again and again, also by another process life: nothing moves.
    for _ in 0..3 {
        assert_eq!(
            buffer.drain(|event| if event == 2 { Err(()) } else { Ok(()) })?,
            0
        );
        drop(buffer);
        buffer = EventBuffer::new(&path, 100)?;
    }
    assert_eq!(drain(&buffer)?, [2, 3, 4]);
    assert_eq!(drain(&buffer)?, Vec::<u32>::new());
    Ok(())
}

#[test]
fn an_empty_drain_is_zero_and_does_not_touch_the_sink() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100)?;
    let never = |_| -> Result<(), ()> { panic!("there is nothing to send") };
    assert_eq!(buffer.drain(never)?, 0);
    buffer.enqueue(&1)?;
    drain(&buffer)?;
    assert_eq!(buffer.drain(never)?, 0);
    assert_eq!(buffer.skip()?, None);
    Ok(())
}

#[test]
fn a_buffer_opens_again_at_once_in_the_same_process() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("b");
    for round in 0..20_u32 {
        let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
        assert_eq!(buffer.len()?, usize::try_from(round).expect("small"));
        buffer.enqueue(&round)?;
    }
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    assert_eq!(drain(&buffer)?, (0..20).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_second_drain_is_busy_and_nothing_is_delivered_twice() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100)?;
    (0..10).try_for_each(|event| buffer.enqueue(&event))?;
    let (entered, waiting) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut first = Vec::new();
    std::thread::scope(|scope| {
        let (buffer, first) = (&buffer, &mut first);
        let drain = scope.spawn(move || {
            buffer.drain(|event| {
                if event == 0 {
                    entered.send(()).expect("the test listens");
                    released.recv_timeout(PATIENCE).expect("the test releases");
                }
                first.push(event);
                Ok::<(), ()>(())
            })
        });
        waiting.recv_timeout(PATIENCE).expect("the drain begins");
        let never = |_| -> Result<(), ()> { panic!("the first drain has the events") };
        refused(buffer.drain(never), ErrorKind::Busy);
        refused(buffer.skip(), ErrorKind::Busy);
        release.send(()).expect("the drain waits");
        assert_eq!(drain.join().expect("no panic").expect("a drain"), 10);
    });
    assert_eq!(first, (0..10).collect::<Vec<_>>());
    assert_eq!(drain(&buffer)?, Vec::<u32>::new());
    Ok(())
}

#[test]
fn a_drain_inside_a_sink_is_busy() -> forebay::Result<()> {
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100)?;
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    let sent = buffer.drain(|_| {
        refused(buffer.drain(|_| Ok::<(), ()>(())), ErrorKind::Busy);
        Ok::<(), ()>(())
    })?;
    assert_eq!(sent, 3);
    Ok(())
}

#[test]
fn events_can_be_enqueued_while_the_sink_runs() -> forebay::Result<()> {
    for policy in [SyncPolicy::Always, SyncPolicy::Manual] {
        let folder = folder();
        let options = QueueOptions::new().sync_policy(policy);
        let buffer: EventBuffer<u32> =
            EventBuffer::with_options(folder.path().join("b"), 100, options)?;
        buffer.enqueue(&0)?;
        let more = Cell::new(1);
        let mut seen = Vec::new();
        let sent = buffer.drain(|event| {
            seen.push(event);
            if more.get() < 4 {
                // From this thread and from another one.
                buffer.enqueue(&more.get()).expect("no lock is held");
                let next = more.get() + 1;
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| buffer.enqueue(&next));
                    other.join().expect("no panic").expect("no lock is held");
                });
                more.set(next + 1);
            }
            Ok::<(), ()>(())
        })?;
        assert_eq!((sent, seen), (5, vec![0, 1, 2, 3, 4]));
    }
    Ok(())
}

#[test]
fn an_outage_loses_nothing_and_the_flush_is_in_order() -> forebay::Result<()> {
    // What the publisher does: send first, buffer what was refused, flush when it is up again.
    let folder = folder();
    let buffer: EventBuffer<u32> = EventBuffer::new(folder.path().join("b"), 100_000)?;
    let mut received = Vec::new();
    let publish = |event: u32, up: bool, received: &mut Vec<u32>| {
        if up {
            received.push(event);
            Ok(())
        } else {
            buffer.enqueue(&event)
        }
    };
    (0..1000).try_for_each(|event| publish(event, true, &mut received))?;
    assert_eq!(buffer.len()?, 0);
    (1000..1100).try_for_each(|event| publish(event, false, &mut received))?;
    assert_eq!(buffer.len()?, 100);
    assert_eq!(buffer.drain(|_| Err(()))?, 0);
    let flushed = buffer.drain(|event| {
        received.push(event);
        Ok::<(), ()>(())
    })?;
    assert_eq!((flushed, buffer.len()?), (100, 0));
    assert_eq!(received, (0..1100).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_killed_buffer_opens_at_once_with_every_event() -> forebay::Result<()> {
    let folder = folder();
    let (path, image) = (folder.path().join("b"), folder.path().join("b.ready"));
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 100)?;
    (0..5).try_for_each(|event| buffer.enqueue(&event))?;
    copy_tree(&path, &image);
    let killed: EventBuffer<u32> = EventBuffer::new(&image, 100)?;
    assert_eq!(killed.len()?, 5);
    assert_eq!(drain(&killed)?, [0, 1, 2, 3, 4]);
    assert_eq!(buffer.len()?, 5);
    Ok(())
}

#[test]
fn a_buffer_is_shared_between_threads() -> forebay::Result<()> {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let folder = folder();
    let buffer = shared(Plain::new(folder.path().join("b"), 1000)?);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| buffer.enqueue(&vec![1]).expect("open")));
        }
    });
    assert_eq!(drain(&buffer)?.len(), 200);
    Ok(())
}
