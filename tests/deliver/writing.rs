//! A sink that writes, and writers that fail: each event is there whole, and none twice.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use forebay::{Bytes, EventBuffer, Framing, Refusal, Sent, WriteSink};
use parking_lot::Mutex;

use super::folder;

type Plain = EventBuffer<Vec<u8>, Bytes>;

const EVENTS: [&[u8]; 3] = [b"first", b"", b"the third"];

fn filled(folder: &tempfile::TempDir) -> Plain {
    let buffer = Plain::new(folder.path().join("buffer"), 100).expect("a new buffer");
    let enqueued = EVENTS
        .iter()
        .try_for_each(|event| buffer.enqueue(&event.to_vec()));
    enqueued.expect("there is room");
    buffer
}

/// What the other side has, and what was done to it.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    calls: Vec<&'static str>,
}

/// Takes so many bytes, then fails once with each of `failures`.
#[derive(Clone, Default)]
struct Pipe {
    seen: Arc<Mutex<Seen>>,
    takes: usize,
    failures: Vec<ErrorKind>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.seen.lock();
        let room = self.takes.saturating_sub(seen.bytes.len());
        if room == 0
            && let Some(failure) = self.failures.pop()
        {
            return Err(failure.into());
        }
        // Three bytes at a time, as a pipe that is nearly full may.
        let most = if self.failures.is_empty() {
            3
        } else {
            room.min(3)
        };
        let taken = &bytes[..bytes.len().min(most)];
        seen.bytes.extend_from_slice(taken);
        seen.calls.push("write");
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.seen.lock().calls.push("flush");
        Ok(())
    }
}

fn refusal(sent: Sent) -> Refusal {
    sent.refused.expect("it was refused").refusal()
}

#[test]
fn lines_are_whole_wherever_a_write_fails_and_is_tried_again() -> forebay::Result<()> {
    for takes in 0..17 {
        let folder = folder();
        let buffer = filled(&folder);
        let pipe = Pipe {
            takes,
            failures: vec![ErrorKind::TimedOut, ErrorKind::Interrupted],
            ..Pipe::default()
        };
        let seen = Arc::clone(&pipe.seen);
        let mut sink = WriteSink::new(pipe);
        assert_eq!(refusal(buffer.drain_to(&mut sink)?), Refusal::Retry);
        buffer.drain_to(&mut sink)?;
        assert!(buffer.is_empty()?);
        assert_eq!(seen.lock().bytes, b"first\n\nthe third\n", "{takes} bytes");
    }
    Ok(())
}

#[test]
fn an_event_half_written_that_goes_away_is_ended_before_the_next() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder);
    let pipe = Pipe {
        takes: 2,
        failures: vec![ErrorKind::TimedOut],
        ..Pipe::default()
    };
    let seen = Arc::clone(&pipe.seen);
    let mut sink = WriteSink::new(pipe);
    assert_eq!(refusal(buffer.drain_to(&mut sink)?), Refusal::Retry);
    assert_eq!(seen.lock().bytes, b"fi");
    buffer.skip()?;
    assert_eq!(buffer.drain_to(&mut sink)?.accepted, 2);
    assert_eq!(seen.lock().bytes, b"first\n\nthe third\n");
    Ok(())
}

#[test]
fn with_lengths_before_them_payloads_may_be_anything() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder);
    buffer.enqueue(&b"two\nlines".to_vec())?;
    let mut sink = WriteSink::new(Vec::new()).framing(Framing::Lengths);
    assert_eq!(buffer.drain_to(&mut sink)?.accepted, 4);
    let expected = b"\x05\0\0\0first\0\0\0\0\x09\0\0\0the third\x09\0\0\0two\nlines";
    assert_eq!(sink.into_inner(), expected);
    Ok(())
}

#[test]
fn a_newline_between_newlines_is_rejected_and_leaves_nothing() -> forebay::Result<()> {
    let folder = folder();
    let buffer = Plain::new(folder.path().join("buffer"), 100)?;
    buffer.enqueue(&b"two\nlines".to_vec())?;
    let mut sink = WriteSink::new(Vec::new());
    assert_eq!(refusal(buffer.drain_to(&mut sink)?), Refusal::Reject);
    assert_eq!(sink.into_inner(), b"");
    Ok(())
}

#[test]
fn nobody_at_the_other_end_says_stop_and_a_writer_without_room_says_retry() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder);
    let pipe = Pipe {
        failures: vec![ErrorKind::BrokenPipe],
        ..Pipe::default()
    };
    assert_eq!(
        refusal(buffer.drain_to(&mut WriteSink::new(pipe))?),
        Refusal::Stop
    );
    let no_room: &mut [u8] = &mut [0; 3];
    assert_eq!(
        refusal(buffer.drain_to(&mut WriteSink::new(no_room))?),
        Refusal::Retry
    );
    assert_eq!(buffer.len()?, 3);
    Ok(())
}

#[test]
fn an_event_is_written_then_flushed_then_confirmed_then_removed() -> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder);
    let pipe = Pipe::default();
    let seen = Arc::clone(&pipe.seen);
    let (at_confirm, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(buffer));
    let (calls, waiting) = (Arc::clone(&at_confirm), Arc::clone(&left));
    let mut sink = WriteSink::new(pipe).confirm(move |pipe: &mut Pipe| {
        let last = pipe.seen.lock().calls.last().copied();
        calls.lock().push((last, waiting.len().expect("open")));
        Ok(())
    });
    assert_eq!(left.drain_to(&mut sink)?.accepted, 3);
    let flushed = Some("flush");
    assert_eq!(
        *at_confirm.lock(),
        [(flushed, 3), (flushed, 2), (flushed, 1)]
    );
    assert_eq!(seen.lock().bytes, b"first\n\nthe third\n");
    Ok(())
}

#[test]
fn after_a_confirmation_that_failed_nothing_is_accepted_until_there_is_a_new_sink()
-> forebay::Result<()> {
    let folder = folder();
    let buffer = filled(&folder);
    let pipe = Pipe::default();
    let mut calls = 0;
    let mut sink = WriteSink::new(pipe.clone()).confirm(move |_: &mut Pipe| {
        calls += 1;
        match calls {
            2 => Err(io::Error::other("the device is gone")),
            _ => Ok(()),
        }
    });
    let sent = buffer.drain_to(&mut sink)?;
    assert_eq!((sent.accepted, refusal(sent)), (1, Refusal::Stop));
    for _ in 0..2 {
        let sent = buffer.drain_to(&mut sink)?;
        assert_eq!((sent.accepted, refusal(sent)), (0, Refusal::Stop));
    }
    assert_eq!(
        buffer.drain_to(&mut WriteSink::new(pipe.clone()))?.accepted,
        2
    );
    // At least once: the one that could not be confirmed is there twice.
    assert_eq!(pipe.seen.lock().bytes, b"first\n\n\nthe third\n");
    Ok(())
}
