//! A record as a consumer sees it: borrowed from the read buffer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::LogReader;
use crate::position::{Epoch, Sequence};
use crate::segment::{FrameStream, Span};

/// The read buffer that records are borrowed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// `None` before anything was read: there is no record then.
    pub(super) stream: Option<&'a FrameStream>,
    pub(super) epoch: Epoch,
}

impl<'a> From<&'a LogReader> for Source<'a> {
    fn from(reader: &'a LogReader) -> Self {
        Self {
            stream: reader.stream(),
            epoch: reader.epoch().unwrap_or_default(),
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The record's number.
    pub sequence: Sequence,
    /// The kind it was enqueued with; 0 unless chosen.
    pub kind: u16,
    /// When it was enqueued, by the clock of the machine.
    pub enqueued_at: SystemTime,
    /// The bytes that were enqueued.
    pub payload: &'a [u8],
    /// The key, if it was enqueued by [`enqueue_once`](crate::Queue::enqueue_once).
    pub key: Option<[u8; 16]>,
    /// The run of the log that wrote it: with the queue's id and the sequence it names the record
    /// for ever.
    pub epoch: Epoch,
}

impl<'a> Record<'a> {
    pub(crate) fn new(source: impl Into<Source<'a>>, span: &Span) -> Self {
        let source = source.into();
        let stream = source.stream;
        let bytes = stream.map_or(&[][..], |stream| stream.payload(span));
        let (key, payload) = span.header.divide(bytes);
        Self {
            sequence: span.header.sequence,
            kind: span.header.kind,
            enqueued_at: UNIX_EPOCH + Duration::from_nanos(span.header.time),
            payload,
            key,
            epoch: source.epoch,
        }
    }
}

/// Consecutive records, borrowed from one read buffer.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub(super) source: Source<'a>,
    pub(super) spans: &'a [Span],
}

impl<'a> Batch<'a> {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The record at `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'a>> {
        self.spans
            .get(index)
            .map(|span| Record::new(self.source, span))
    }

    /// The last record: acknowledge through its sequence when all are handled.
    #[must_use]
    pub fn last(&self) -> Option<Record<'a>> {
        self.spans.last().map(|span| Record::new(self.source, span))
    }

    /// The records in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'a>> + use<'a> {
        let source = self.source;
        self.spans.iter().map(move |span| Record::new(source, span))
    }
}
