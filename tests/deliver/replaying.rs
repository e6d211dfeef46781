//! Dead letters that are looked at, put back, and thrown away.

use std::ops::ControlFlow;
use std::path::Path;

use forebay::{
    DeadLetter, DeadLetters, ErrorKind, EventBuffer, Follower, Queue, SendOptions, Sequence,
    SinkError,
};

use super::parking::{events_of, letters_of};
use super::{copy_tree, drained, folder, left};

/// A buffer whose five events are all dead letters.
fn all_dead(path: &Path) -> forebay::Result<(EventBuffer<u32>, DeadLetters)> {
    let letters = DeadLetters::open(path.join("dead"))?;
    let buffer = EventBuffer::new(path.join("buffer"), 10_000)?;
    buffer.enqueue(&0)?;
    buffer.enqueue_kind(&1, 9)?;
    buffer.enqueue_once([7; 16], &2)?;
    (3..5).try_for_each(|event| buffer.enqueue(&event))?;
    let options = SendOptions::new().dead_letters(&letters);
    let (_, sent) = drained(&buffer, &options, |_| Err(SinkError::reject("no")));
    assert_eq!(sent?.parked, 5);
    Ok((buffer, letters))
}

#[test]
fn letters_are_put_back_in_order_behind_what_waits_and_once() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    buffer.enqueue(&100)?;
    assert_eq!(letters.replay(&buffer)?, 5);
    assert_eq!(letters.replay(&buffer)?, 0);
    assert!(letters.is_empty()?);
    let mut kinds = Vec::new();
    let mut sink = |delivery: &forebay::Delivery<u32>| {
        kinds.push((delivery.event, delivery.kind));
        Ok(())
    };
    assert_eq!(buffer.drain_to(&mut sink)?.accepted, 6);
    assert_eq!(kinds, [(100, 0), (0, 0), (1, 9), (2, 0), (3, 0), (4, 0)]);
    Ok(())
}

#[test]
fn a_replay_cut_off_anywhere_and_done_again_puts_nothing_back_twice() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    drop((buffer, letters));
    // Killed after so many events were put back and before the last of them was removed.
    for cut in 0..5 {
        let image = folder.path().join(format!("image {cut}"));
        for part in ["buffer", "dead"] {
            copy_tree(&folder.path().join(part), &image.join(part));
        }
        let whole = image.join("dead");
        let earlier = image.join("dead before");
        copy_tree(&whole, &earlier);
        let buffer: EventBuffer<u32> = EventBuffer::new(image.join("buffer"), 10_000)?;
        let letters = DeadLetters::open(&whole)?;
        let beyond = letters_of(&letters)[cut].sequence;
        assert_eq!(letters.replay(&buffer)?, 5);
        drop(letters);
        // What was acknowledged beyond the cut was not.
        let letters = DeadLetters::open(&earlier)?;
        if let Some(last) = beyond.get().checked_sub(1) {
            letters.discard_through(Sequence::new(last))?;
        }
        assert_eq!(letters.replay(&buffer)?, 5 - cut);
        assert_eq!(left(&buffer), [0, 1, 2, 3, 4], "cut at {cut}");
    }
    Ok(())
}

#[test]
fn an_event_that_is_put_back_has_a_new_id_and_may_be_parked_again() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    let first = letters_of(&letters)[0].record;
    letters.replay(&buffer)?;
    let options = SendOptions::new().dead_letters(&letters);
    let (_, sent) = drained(&buffer, &options, |_| Err(SinkError::reject("still no")));
    assert_eq!((sent?.parked, letters.len()?), (5, 5));
    let again = &letters_of(&letters)[0];
    assert!(again.record != first && again.key.is_some());
    assert_eq!((again.attempts, again.reason.as_str()), (1, "still no"));
    Ok(())
}

#[test]
fn letters_are_thrown_away_up_to_one_or_all() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    letters.discard_through(Sequence::new(1))?;
    assert_eq!((events_of(&letters), letters.len()?), (vec![2, 3, 4], 3));
    drop(letters);
    let letters = DeadLetters::open(folder.path().join("dead"))?;
    assert_eq!(events_of(&letters), [2, 3, 4]);
    assert_eq!((letters.discard_all()?, letters.is_empty()?), (3, true));
    assert!(buffer.is_empty()?);
    Ok(())
}

#[test]
fn a_visitor_may_break_off_and_one_at_a_time_looks() -> forebay::Result<()> {
    let folder = folder();
    let (_, letters) = all_dead(folder.path())?;
    let mut seen = 0;
    letters.visit(|_| {
        seen += 1;
        let error = letters.discard_all().expect_err("the visitor is there");
        assert_eq!(error.kind(), ErrorKind::Busy);
        ControlFlow::Break(())
    })?;
    assert_eq!(seen, 1);
    assert_eq!(events_of(&letters), [0, 1, 2, 3, 4]);
    Ok(())
}

#[test]
fn what_is_no_letter_is_an_error_with_its_number() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    letters.queue().enqueue(b"something else")?;
    let error = letters.replay(&buffer).expect_err("the sixth is none");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("dead letter 5"), "{error}");
    assert_eq!((letters.len()?, buffer.len()?), (1, 5));
    Ok(())
}

#[test]
fn letters_are_read_along_by_a_follower_as_their_owner_sees_them() -> forebay::Result<()> {
    let folder = folder();
    let (_buffer, letters) = all_dead(folder.path())?;
    let mut follower = Follower::open(folder.path().join("dead"))?;
    let mut seen = Vec::new();
    while let Some(record) = follower.next()? {
        seen.push(DeadLetter::of_record(&record)?);
    }
    assert_eq!(seen, letters_of(&letters));
    assert_eq!(seen.len(), 5);
    assert_eq!(letters.queue().consumers(), [DeadLetters::CONSUMER]);
    let mut other = Follower::open(folder.path().join("buffer"))?;
    let record = other.next()?.expect("an event");
    let refused = DeadLetter::of_record(&record).expect_err("it is no letter");
    assert_eq!(refused.kind(), ErrorKind::Decode);
    Ok(())
}

#[test]
fn events_are_put_back_byte_for_byte_by_who_does_not_know_their_type() -> forebay::Result<()> {
    let folder = folder();
    let (buffer, letters) = all_dead(folder.path())?;
    let path = folder.path().join("buffer");
    drop(buffer);
    let queue = Queue::options().open_existing().open(&path)?;
    assert_eq!(letters.replay_into(&queue)?, 5);
    assert_eq!(letters.replay_into(&queue)?, 0);
    let mut follower = Follower::open(&path)?;
    let mut records = Vec::new();
    while let Some(record) = follower.next()? {
        records.push((record.kind, record.payload.to_vec()));
    }
    assert_eq!(records.len(), 10);
    assert_eq!(records[5..], records[..5]);
    queue.close()?;
    let buffer: EventBuffer<u32> = EventBuffer::new(&path, 10_000)?;
    assert_eq!(left(&buffer), [0, 1, 2, 3, 4]);
    Ok(())
}
