//! A sink that writes: files, pipes, anything with `Write`.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use crate::buffer::{Delivery, Sink, SinkError};

/// What tells one event from the next in what a [`WriteSink`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// A newline after each payload: for payloads that have none in them, like JSON.
    #[default]
    Lines,
    /// The payload's length before it, as a `u32`, little endian: for payloads of any bytes.
    Lengths,
}

/// A [`Sink`] that writes the payload of each event, the bytes that the buffer's codec made.
///
/// An event is confirmed once it is written and flushed, and [`confirm`](Self::confirm), where it
/// is set, has agreed: a file that is to survive power loss is synced there.
///
/// A write that fails half way leaves half an event with the other side. The sink remembers how
/// far it came: when the same event comes again it goes on there, so that the other side sees each
/// event whole. This works as long as the sink lives, and where a failed write wrote nothing, as
/// with files and pipes; it does not through a buffer that drops what it could not write. If
/// another event comes instead, which takes a drop at capacity or a dead letter, what is missing
/// of the half one is written first, so that what follows can be told apart from it.
///
/// A broken pipe asks for [`Refusal::Stop`](crate::Refusal::Stop), every other failed write for
/// [`Refusal::Retry`](crate::Refusal::Retry). A confirmation that fails asks for `Stop`, and so
/// does everything after it: what a failed sync left on the medium is unknown, and the next one
/// would not tell. A new sink goes on, with that event once more. A payload that its framing cannot hold, 4 GiB or
/// more, or with a newline in it between newlines, is [rejected](crate::Refusal::Reject).
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use forebay::{Bytes, EventBuffer, QueueOptions, WriteSink};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, target) = (folder.path().join("buffer"), folder.path().join("events.log"));
/// let buffer: EventBuffer<Vec<u8>, Bytes> = EventBuffer::new(&path, 100)?;
/// buffer.enqueue(&b"login".to_vec())?;
///
/// let file = File::options().append(true).create(true).open(&target).unwrap();
/// let mut sink = WriteSink::new(file).confirm(|file: &mut File| file.sync_data());
/// assert_eq!(buffer.drain_to(&mut sink)?.accepted, 1);
/// assert_eq!(std::fs::read(&target).unwrap(), b"login\n");
/// # Ok::<(), forebay::Error>(())
/// ```
pub struct WriteSink<W> {
    writer: W,
    framing: Framing,
    confirm: Option<Confirm<W>>,
    /// The framed event that is being written.
    event: Vec<u8>,
    /// How much of it was.
    written: usize,
    /// What names it.
    id: Option<String>,
    /// Whether a confirmation has failed.
    is_in_doubt: bool,
}

type Confirm<W> = Box<dyn FnMut(&mut W) -> io::Result<()> + Send>;

impl<W: fmt::Debug> fmt::Debug for WriteSink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSink")
            .field("writer", &self.writer)
            .field("framing", &self.framing)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl<W: Write> WriteSink<W> {
    /// A sink that writes lines to `writer`.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            framing: Framing::default(),
            confirm: None,
            event: Vec::new(),
            written: 0,
            id: None,
            is_in_doubt: false,
        }
    }

    /// How events are told apart. Default: [`Framing::Lines`].
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// What has to succeed, after the flush, before an event counts as accepted: `sync_data` of a
    /// file, for example. Default: nothing.
    #[must_use]
    pub fn confirm(
        mut self,
        confirm: impl FnMut(&mut W) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.confirm = Some(Box::new(confirm));
        self
    }

    /// The writer back. What was accepted is in it, and maybe the beginning of the next event.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.writer
    }

    /// Writes what is left of the event.
    fn write(&mut self) -> io::Result<()> {
        while let Some(left @ [_, ..]) = self.event.get(self.written..) {
            #[expect(
                clippy::disallowed_methods,
                reason = "write_all does not say how far it came"
            )]
            match self.writer.write(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()
    }

    /// Gets the next event ready, unless it is the one that was begun.
    fn begin(&mut self, payload: &[u8], id: String) -> Result<(), SinkError> {
        if !id.is_empty() && self.id.as_ref() == Some(&id) {
            return Ok(());
        }
        if self.written > 0 {
            self.write().map_err(refused)?;
        }
        self.id = None;
        self.written = 0;
        self.event.clear();
        match self.framing {
            Framing::Lines if payload.contains(&b'\n') => {
                return Err(SinkError::reject("the event has a newline in it"));
            }
            Framing::Lines => {
                self.event.extend_from_slice(payload);
                self.event.push(b'\n');
            }
            Framing::Lengths => {
                let length = u32::try_from(payload.len())
                    .map_err(|_wide| SinkError::reject("the event is larger than 4 GiB"))?;
                self.event.extend_from_slice(&length.to_le_bytes());
                self.event.extend_from_slice(payload);
            }
        }
        self.id = Some(id);
        Ok(())
    }
}

fn refused(error: io::Error) -> SinkError {
    if error.kind() == ErrorKind::BrokenPipe {
        SinkError::stop(error)
    } else {
        SinkError::retry(error)
    }
}

impl<T, W: Write> Sink<T> for WriteSink<W> {
    fn accept(&mut self, delivery: &Delivery<T>) -> Result<(), SinkError> {
        if self.is_in_doubt {
            return Err(SinkError::stop("an earlier event could not be confirmed"));
        }
        self.begin(&delivery.payload, delivery.id())?;
        self.write().map_err(refused)?;
        if let Some(confirm) = &mut self.confirm {
            // Should it panic, nobody knows either.
            self.is_in_doubt = true;
            confirm(&mut self.writer).map_err(SinkError::stop)?;
            self.is_in_doubt = false;
        }
        self.id = None;
        self.written = 0;
        Ok(())
    }
}
