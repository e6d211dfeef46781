//! A record as a consumer sees it: borrowed from the read buffer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::Here;
use crate::position::{Epoch, QueueId, RecordId, Sequence};
use crate::segment::Span;

/// The segment, with its read buffer, that records are borrowed from; none before anything was
/// read, and there is no record then.
type Source<'a> = Option<&'a Here>;

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
    /// The queue's identity.
    pub queue: QueueId,
}

impl<'a> Record<'a> {
    pub(crate) fn new(source: Source<'a>, span: &Span) -> Self {
        let bytes = source.map_or(&[][..], |here| here.stream.payload(span));
        let (key, payload) = span.header.divide(bytes);
        let header = source.map(|here| &here.segment.header);
        Self {
            sequence: span.header.sequence,
            kind: span.header.kind,
            enqueued_at: UNIX_EPOCH + Duration::from_nanos(span.header.time),
            payload,
            key,
            epoch: header.map_or_else(Epoch::default, |header| header.epoch),
            queue: header.map_or_else(QueueId::default, |header| header.queue),
        }
    }

    /// What names the record for ever: what a receiver can know a redelivery by.
    #[must_use]
    pub fn id(&self) -> RecordId {
        RecordId {
            queue: self.queue,
            epoch: self.epoch,
            sequence: self.sequence,
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
