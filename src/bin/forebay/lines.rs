//! Lines from standard input, read ahead in another thread while the queue syncs.
//!
//! A line is a record; its newline is not part of it, a carriage return is. What has been read and
//! is complete is handed over before the reader waits for more, so that a slow producer's lines
//! are never held back. Memory is bounded by a few chunks, each of one long line at most.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes to read at once, and of a chunk of more than one line.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that wait to be enqueued.
const CHUNKS_AHEAD: usize = 4;

/// Whole lines, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Bytes of input, newlines included.
    pub(crate) read_bytes: u64,
}

/// What the reader hands over. When it has ended, the channel has too.
#[derive(Debug)]
pub(crate) enum Lines {
    Chunk(Chunk),
    /// The line with this number, counted from 1, is longer than allowed.
    TooLong(u64),
    Failed(io::Error),
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lines = starts.zip(&self.ends);
        lines.map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }
}

/// Begins to read standard input, in chunks of at most `lines_max` lines.
pub(crate) fn read_ahead(lines_max: usize, line_bytes_max: u32) -> io::Result<Receiver<Lines>> {
    let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
    thread::Builder::new()
        .name("forebay-stdin".to_owned())
        .spawn(move || {
            let input = BufReader::with_capacity(CHUNK_BYTES, io::stdin().lock());
            // An error here is that nobody listens any more.
            forward(input, (lines_max, line_bytes_max), &sender).ok();
        })?;
    Ok(receiver)
}

/// The receiver is gone.
#[derive(Debug)]
struct Deaf;

fn forward(
    mut input: BufReader<impl Read>,
    (lines_max, line_bytes_max): (usize, u32),
    sender: &SyncSender<Lines>,
) -> Result<(), Deaf> {
    let send = |lines| sender.send(lines).map_err(|_unsent| Deaf);
    // One byte for the newline, and one more to tell a line that is too long.
    let allowed = u64::from(line_bytes_max).saturating_add(1);
    let mut chunk = Chunk::default();
    let mut number = 0_u64;
    loop {
        let is_full = chunk.len() >= lines_max || chunk.bytes.len() >= CHUNK_BYTES;
        let would_wait = !input.buffer().contains(&b'\n');
        if chunk.len() > 0 && (is_full || would_wait) {
            send(Lines::Chunk(std::mem::take(&mut chunk)))?;
        }
        number += 1;
        match (&mut input)
            .take(allowed)
            .read_until(b'\n', &mut chunk.bytes)
        {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let ended = chunk.bytes.last() == Some(&b'\n');
                if ended {
                    chunk.bytes.pop();
                }
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                if !ended && count == allowed {
                    // What is whole before this line is still to be enqueued.
                    chunk.ends_at_last_line();
                    send(Lines::Chunk(chunk))?;
                    return send(Lines::TooLong(number));
                }
                chunk.ends.push(chunk.bytes.len());
                chunk.read_bytes += count;
            }
            Err(error) => {
                chunk.ends_at_last_line();
                send(Lines::Chunk(chunk))?;
                return send(Lines::Failed(error));
            }
        }
    }
}

impl Chunk {
    /// Gives up a line that is not whole.
    fn ends_at_last_line(&mut self) {
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(input: &str, lines_max: usize, line_bytes_max: u32) -> (Vec<String>, Option<u64>) {
        let (sender, receiver) = sync_channel(1000);
        let input = BufReader::with_capacity(8, input.as_bytes());
        forward(input, (lines_max, line_bytes_max), &sender).expect("a listener");
        drop(sender);
        let mut lines = Vec::new();
        let mut too_long = None;
        for found in receiver {
            match found {
                Lines::Chunk(chunk) => lines.extend(
                    chunk
                        .iter()
                        .map(|line| String::from_utf8_lossy(line).into_owned()),
                ),
                Lines::TooLong(number) => too_long = Some(number),
                Lines::Failed(error) => panic!("{error}"),
            }
        }
        (lines, too_long)
    }

    #[test]
    fn every_line_is_a_record_without_its_newline() {
        for lines_max in [1, 2, 100] {
            let (lines, _) = lines_of("a\n\nlonger than the buffer\r\nlast", lines_max, 100);
            assert_eq!(lines, ["a", "", "longer than the buffer\r", "last"]);
            assert_eq!(lines_of("a\n", lines_max, 100).0, ["a"]);
            assert!(lines_of("", lines_max, 100).0.is_empty());
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_named_after_all_before_it() {
        let (lines, too_long) = lines_of("123\n\n1234\n5\n", 100, 3);
        assert_eq!((lines.len(), too_long), (2, Some(3)));
        assert_eq!(lines_of("1234\n", 100, 4), (vec!["1234".to_owned()], None));
        assert_eq!(lines_of("1234", 100, 4), (vec!["1234".to_owned()], None));
    }
}
