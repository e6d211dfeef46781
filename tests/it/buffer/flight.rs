//! Dropped while the sink has it: counted once, by how it ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use forebay::{EventBuffer, Overflow, QueueOptions};

use super::{drain, dropped};
use crate::scene::{Recorder, enqueue, folder};

/// Three events in a buffer for three; while the first one is in the sink, six more come.
fn overrun(
    buffer: &EventBuffer<u32>,
    outcome: impl FnOnce() -> Result<(), ()>,
) -> forebay::Result<usize> {
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    let mut outcome = Some(outcome);
    buffer.drain(|event| match outcome.take() {
        Some(outcome) => {
            assert_eq!(event, 0);
            (3..9).for_each(|event| buffer.enqueue(&event).expect("neither blocks nor fails"));
            outcome()
        }
        None => Err(()),
    })
}

fn open(folder: &std::path::Path) -> forebay::Result<(EventBuffer<u32>, Arc<Recorder>)> {
    let recorder = Recorder::new();
    let options = QueueOptions::new().listener(Arc::<Recorder>::clone(&recorder));
    let buffer = EventBuffer::with_options(folder.join("b"), 3, options)?;
    Ok((buffer, recorder))
}

#[test]
fn dropped_in_flight_and_accepted_counts_as_delivered_only() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, recorder) = open(folder.path())?;
    assert_eq!(overrun(&buffer, || Ok(()))?, 1);
    // 9 came: 0 was delivered, 1 to 5 were dropped, 6 to 8 are there.
    let stats = buffer.queue().stats()?;
    assert_eq!((stats.delivered, stats.dropped, buffer.len()?), (1, 5, 3));
    assert_eq!(recorder.counts(), (9, 5, 1));
    assert_eq!(drain(&buffer)?, [6, 7, 8]);
    assert_eq!(recorder.counts(), (9, 5, 4));
    Ok(())
}

#[test]
fn dropped_in_flight_and_refused_counts_as_dropped_only() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, recorder) = open(folder.path())?;
    assert_eq!(overrun(&buffer, || Err(()))?, 0);
    let stats = buffer.queue().stats()?;
    assert_eq!((stats.delivered, stats.dropped, buffer.len()?), (0, 6, 3));
    assert_eq!(drain(&buffer)?, [6, 7, 8]);
    // The listener's sums must come out the same as the statistics.
    assert_eq!(recorder.counts(), (9, 6, 3));
    Ok(())
}

#[test]
fn a_sink_that_panics_refuses_and_the_buffer_goes_on() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, _) = open(folder.path())?;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        overrun(&buffer, || panic!("the sink is broken"))
    }));
    assert!(ended.is_err());
    assert_eq!((dropped(buffer.queue()), buffer.len()?), (6, 3));
    assert_eq!(drain(&buffer)?, [6, 7, 8]);
    Ok(())
}

#[test]
fn a_sink_that_panics_loses_nothing() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, recorder) = open(folder.path())?;
    (0..3).try_for_each(|event| buffer.enqueue(&event))?;
    for _ in 0..3 {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            buffer.drain(|event| -> Result<(), ()> {
                assert_eq!(event, 99, "the sink is broken");
                Ok(())
            })
        }));
        assert!(ended.is_err());
    }
    assert_eq!((buffer.len()?, recorder.counts()), (3, (3, 0, 0)));
    assert_eq!(drain(&buffer)?, [0, 1, 2]);
    Ok(())
}

#[test]
fn two_consumers_with_one_record_in_flight_drop_it_once() -> forebay::Result<()> {
    let folder = folder();
    let queue = QueueOptions::new()
        .max_records(3)
        .overflow(Overflow::DropOldest)
        .open(folder.path().join("q"))?;
    let (mut first, mut second) = (queue.consumer("first")?, queue.consumer("second")?);
    enqueue(&queue, 0..3)?;
    first.drain(|_| {
        let inner = second.drain(|_| {
            enqueue(&queue, 3..9).expect("room is made");
            Err(())
        });
        assert_eq!(inner.expect("a refusal is no error"), 0);
        Err(())
    })?;
    // 0 to 5 are gone, whoever had them in hand.
    assert_eq!(queue.stats()?.dropped, 6);
    Ok(())
}

#[test]
fn two_consumers_with_different_records_in_flight_drop_each_once() -> forebay::Result<()> {
    let folder = folder();
    let queue = QueueOptions::new()
        .max_records(3)
        .overflow(Overflow::DropOldest)
        .open(folder.path().join("q"))?;
    let (mut first, mut second) = (queue.consumer("first")?, queue.consumer("second")?);
    enqueue(&queue, 0..3)?;
    second.ack_through(forebay::Sequence::ZERO)?;
    first.drain(|_| {
        let inner = second.drain(|_| {
            enqueue(&queue, 3..9).expect("room is made");
            Err(())
        });
        assert_eq!(inner.expect("a refusal is no error"), 0);
        Err(())
    })?;
    assert_eq!(queue.stats()?.dropped, 6);
    Ok(())
}

#[test]
fn a_record_delivered_before_is_not_dropped_when_it_is_in_flight_again() -> forebay::Result<()> {
    let folder = folder();
    let queue = QueueOptions::new()
        .max_records(3)
        .overflow(Overflow::DropOldest)
        .open(folder.path().join("q"))?;
    let mut consumer = queue.consumer("a")?;
    enqueue(&queue, 0..3)?;
    consumer.drain(|_| Ok::<(), ()>(()))?;
    consumer.seek(forebay::Sequence::ZERO)?;
    consumer.drain(|_| {
        enqueue(&queue, 3..8).expect("room is made");
        Err(())
    })?;
    // 0 to 2 had been delivered; 3 and 4 never were.
    let stats = queue.stats()?;
    assert_eq!((stats.delivered, stats.dropped), (3, 2));
    Ok(())
}
