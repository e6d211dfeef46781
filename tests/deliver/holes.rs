//! What is behind an event that did not get through, while several are in flight.

use std::sync::atomic::{AtomicBool, Ordering};

use forebay::{
    Codec, CodecError, DeadLetters, ErrorKind, EventBuffer, QueueOptions, SendOptions, SinkError,
};

use super::executor::{Task, block_on};
use super::parking::events_of;
use super::upstream::{Answer, Upstream};
use super::{filled, folder, left};

/// Large events, a few to a read, of which it does not know one.
struct AllBut(u32);

impl Codec<u32> for AllBut {
    fn encode(&self, event: &u32, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(&event.to_le_bytes());
        out.resize(40_000, 0);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<u32, CodecError> {
        let (event, _) = bytes.split_first_chunk().ok_or("too short")?;
        let event = u32::from_le_bytes(*event);
        if event == self.0 {
            return Err("not what it knows".into());
        }
        Ok(event)
    }
}

#[test]
fn nothing_overtakes_an_event_that_cannot_be_decoded() {
    for in_flight in [1, 4] {
        for unknown in 1..12 {
            let folder = folder();
            let path = folder.path().join("buffer");
            let options = QueueOptions::new();
            let buffer = EventBuffer::with_codec(path, 1000, options, AllBut(unknown));
            let buffer = buffer.expect("a new buffer");
            (0..60).for_each(|event| buffer.enqueue(&event).expect("there is room"));
            let upstream = Upstream::new(in_flight, |_| Answer::Accept);
            let sent = block_on(buffer.drain_and_send(&upstream)).expect("those before it");
            assert_eq!(upstream.accepted(), (0..unknown).collect::<Vec<_>>());
            assert_eq!(u32::try_from(sent), Ok(unknown));
            assert_eq!(buffer.len().expect("open") + sent, 60);
            let again = block_on(buffer.drain_and_send(&upstream)).expect_err("it is first");
            assert_eq!(again.kind(), ErrorKind::Decode);
        }
    }
}

/// A drain of `events` with all of them in flight, none answered for.
fn all_in_flight<'a>(
    buffer: &'a EventBuffer<u32>,
    upstream: &'a Upstream<impl Fn(u32) -> Answer + Send + Sync>,
    options: &'a SendOptions,
    events: usize,
) -> Task<'a, forebay::Result<forebay::Sent>> {
    let mut task = Task::new(buffer.send_with(upstream, options));
    task.run_until(|| upstream.polls() >= events);
    task
}

#[test]
fn an_event_that_cannot_be_parked_stays_although_those_behind_it_were_accepted() {
    let folder = folder();
    let buffer = filled(&folder, 3);
    let small = QueueOptions::new().max_record_bytes(10);
    let letters = DeadLetters::with_options(folder.path().join("dead"), small).expect("new");
    let options = SendOptions::new().dead_letters(&letters);
    let upstream = Upstream::new(3, |_| Answer::Hold);
    let drain = all_in_flight(&buffer, &upstream, &options, 3);
    upstream.release(2, Ok(()));
    upstream.release(1, Ok(()));
    upstream.release(0, Err(SinkError::reject("poison")));
    let error = drain.finish().expect_err("the letter is too large");
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert_eq!(letters.len().expect("open"), 0);
    assert_eq!(left(&buffer), [0, 1, 2]);
}

/// A sink that keeps its order refuses what is behind a hole, for no fault of its own.
#[test]
fn what_is_refused_behind_a_poisoned_event_is_tried_again_and_no_dead_letter() {
    let folder = folder();
    let buffer = filled(&folder, 8);
    let letters = DeadLetters::open(folder.path().join("dead")).expect("new");
    let options = SendOptions::new().dead_letters(&letters).retries_max(0);
    let is_over = AtomicBool::new(false);
    let upstream = Upstream::new(8, |_| {
        if is_over.load(Ordering::Relaxed) {
            Answer::Accept
        } else {
            Answer::Hold
        }
    });
    let drain = all_in_flight(&buffer, &upstream, &options, 8);
    is_over.store(true, Ordering::Relaxed);
    upstream.release(0, Ok(()));
    upstream.release(1, Err(SinkError::reject("poison")));
    (2..8).for_each(|event| upstream.release(event, Err(SinkError::retry("behind a hole"))));
    let sent = drain.finish().expect("an open buffer");
    assert_eq!((sent.accepted, sent.parked), (7, 1));
    assert_eq!(events_of(&letters), [1]);
    assert_eq!(upstream.accepted(), [0, 2, 3, 4, 5, 6, 7]);
    assert_eq!(buffer.len().expect("open"), 0);
}

#[test]
fn two_buffers_with_the_same_dead_letters_both_give_up_their_events() {
    let (one, two) = (folder(), folder());
    let buffers = [filled(&one, 1), filled(&two, 1)];
    let letters = DeadLetters::open(one.path().join("dead")).expect("new");
    let options = SendOptions::new().dead_letters(&letters).retries_max(2);
    for _ in 0..3 {
        for buffer in &buffers {
            let upstream = Upstream::new(1, |_| Answer::Refuse(SinkError::retry("away")));
            block_on(buffer.send_with(&upstream, &options)).expect("an open buffer");
        }
    }
    assert_eq!(events_of(&letters), [0, 0]);
}
