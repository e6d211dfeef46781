//! Consumers of some kinds: what they are given, what they are bound to, what they hold back.

use forebay::{Consumer, ConsumerOptions, Entry, ErrorKind, Overflow, Queue, Retention};

use crate::scene::{at, folder, payload, quick, refused};

fn of(kinds: &[u16]) -> ConsumerOptions {
    ConsumerOptions::new().kinds(kinds.iter().copied())
}

/// Enqueues records `numbers`, of the kind that is their number modulo ten.
fn enqueue_kinds(queue: &Queue, numbers: std::ops::Range<u64>) -> forebay::Result<()> {
    for number in numbers {
        let kind = u16::try_from(number % 10).expect("a digit");
        queue.enqueue(Entry::from(payload(number)).kind(kind))?;
    }
    Ok(())
}

fn drained(consumer: &mut Consumer) -> forebay::Result<Vec<u64>> {
    let mut sequences = Vec::new();
    consumer.drain(|record| {
        assert_eq!(record.payload, payload(record.sequence.get()));
        sequences.push(record.sequence.get());
        Ok::<(), ()>(())
    })?;
    Ok(sequences)
}

#[test]
fn a_consumer_is_given_its_kinds_only_however_it_reads() -> forebay::Result<()> {
    let folder = folder();
    let kept = quick().retention(Retention::KeepForever);
    let queue = kept.open(folder.path().join("q"))?;
    enqueue_kinds(&queue, 0..1000)?;
    let wanted: Vec<u64> = (0..1000)
        .filter(|number| [3, 7].contains(&(number % 10)))
        .collect();
    assert_eq!(
        drained(&mut queue.consumer_with("drain", &of(&[7, 3]))?)?,
        wanted
    );

    let mut consumer = queue.consumer_with("batches", &of(&[3, 7]))?;
    let mut found = Vec::new();
    loop {
        let batch = consumer.peek_batch(7)?;
        let Some(last) = batch.last().map(|last| last.sequence) else {
            break;
        };
        found.extend(batch.iter().map(|record| record.sequence.get()));
        consumer.ack_through(last)?;
    }
    assert_eq!(found, wanted);

    let mut consumer = queue.consumer_with("peek", &of(&[3, 7]))?;
    let mut found = Vec::new();
    while let Some(sequence) = consumer.peek()?.map(|record| record.sequence) {
        found.push(sequence.get());
        consumer.ack_through(sequence)?;
    }
    assert_eq!(found, wanted);
    let delivered = queue.stats()?.delivered;
    assert_eq!(delivered, 600, "what is passed over is not delivered");
    Ok(())
}

#[test]
fn a_consumer_is_bound_to_its_kinds_over_reopening() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let queue = quick().open(&path)?;
    enqueue_kinds(&queue, 0..20)?;
    drop(queue.consumer_with("some", &of(&[1, 2]))?);
    drop(queue.consumer("all")?);
    queue.close()?;
    let queue = quick().open(&path)?;
    let error = refused(queue.consumer("some"), ErrorKind::InvalidInput);
    let text = error.to_string();
    assert!(
        text.contains("every kind") && text.contains("some.cursor"),
        "{text}"
    );
    refused(
        queue.consumer_with("some", &of(&[1])),
        ErrorKind::InvalidInput,
    );
    refused(
        queue.consumer_with("some", &of(&[1, 2, 3])),
        ErrorKind::InvalidInput,
    );
    refused(
        queue.consumer_with("all", &of(&[1, 2])),
        ErrorKind::InvalidInput,
    );
    refused(
        queue.consumer_with("none", &of(&[])),
        ErrorKind::InvalidInput,
    );
    assert_eq!(queue.consumers(), ["all", "some"]);
    // The order in which they are named, and names twice, make no other filter.
    let mut same = queue.consumer_with("some", &of(&[2, 1, 2]))?;
    assert_eq!(drained(&mut same)?, [1, 2, 11, 12]);
    Ok(())
}

#[test]
fn records_of_other_kinds_hold_back_no_reclaim_and_no_writer() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let full = quick().max_records(2000).overflow(Overflow::Reject);
    let queue = full.clone().open(&path)?;
    let mut consumer = queue.consumer_with("a", &of(&[77]))?;
    for round in 0..3 {
        enqueue_kinds(&queue, round * 2000..(round + 1) * 2000)?;
        assert!(consumer.peek()?.is_none());
        assert_eq!(queue.len(), 0);
    }
    queue.reclaim()?;
    assert!(queue.stats()?.segments <= 2, "{:?}", queue.stats()?);
    drop(consumer);
    queue.close()?;
    let consumer = full.open(&path)?.consumer_with("a", &of(&[77]))?;
    assert_eq!(consumer.next_sequence(), at(6000), "it is not read again");
    Ok(())
}

#[test]
fn a_record_of_another_kind_that_is_acknowledged_by_number_is_passed() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    enqueue_kinds(&queue, 0..30)?;
    let mut consumer = queue.consumer_with("a", &of(&[5]))?;
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(5)));
    consumer.ack_through(at(10))?;
    assert_eq!(consumer.peek()?.map(|record| record.sequence), Some(at(15)));
    Ok(())
}

#[test]
fn a_refusal_for_other_kinds_names_those_asked_for_and_the_way_out() -> forebay::Result<()> {
    let folder = folder();
    let queue = quick().open(folder.path().join("q"))?;
    drop(queue.consumer_with("a", &of(&[1]))?);
    let other = refused(
        queue.consumer_with("a", &of(&[7, 3])),
        ErrorKind::InvalidInput,
    );
    let text = other.to_string();
    assert!(text.contains("asked for with the kinds 3, 7"), "{text}");
    assert!(text.contains("remove_consumer"), "{text}");
    let every = refused(queue.consumer("a"), ErrorKind::InvalidInput).to_string();
    assert!(every.contains("asked for with every kind"), "{every}");
    Ok(())
}
