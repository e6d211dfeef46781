//! The segments of a rebuild, one after the other.

use super::{Rebuild, RebuildRecord};
use crate::error::Result;
use crate::format::{
    Chain, End, Flags, FrameHeader, Integrity, SEGMENT_BYTES_MAX, SegmentHeader, Start, wide,
};
use crate::position::{Epoch, Offset, Position, Sequence};
use crate::segment::{
    ControlPlace, IndexBuilder, Segment, create_segment, encode_footer, encode_gap, encode_start,
    gap_bytes, write_index,
};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;
/// More than a gap and a footer take.
const CLOSING_BYTES: u64 = 512;

/// The segment that grows.
#[derive(Debug)]
pub(super) struct Growing {
    segment: Segment,
    index: IndexBuilder,
    /// Frames that are not written yet; they end at `offset`.
    buffer: Vec<u8>,
    offset: Offset,
    pub(super) next: Sequence,
    chain: Chain,
    /// When the last record was enqueued.
    time: u64,
}

impl Growing {
    /// Says that the records up to `to` are gone.
    pub(super) fn gap(&mut self, to: Sequence) {
        let (place, before) = (self.place(), self.buffer.len());
        let framing = self.segment.framing;
        let hole = self.offset..self.offset.plus(gap_bytes(framing));
        let fits = encode_gap(framing, place, to, hole, &mut self.buffer);
        debug_assert!(
            fits,
            "the hole is as long as a gap, and {to} is a later record"
        );
        self.grow(before);
        if self.segment.header.integrity == Integrity::Chained {
            self.chain = self.chain.after_gap(self.next, to);
        }
        self.next = to;
    }

    /// What a control frame says here. Everything before this segment is durable.
    fn place(&self) -> ControlPlace {
        ControlPlace {
            next: self.next,
            watermark: self.segment.base,
            chain: self.chain,
            time: self.time,
        }
    }

    /// Moves the end behind what was added to the buffer since it had `before` bytes.
    fn grow(&mut self, before: usize) {
        let added = self.buffer.len().saturating_sub(before);
        self.offset = self.offset.plus(wide(added));
    }

    fn write_if_full(&mut self) -> Result<()> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let begin = self.offset.get().saturating_sub(wide(self.buffer.len()));
        self.segment.file.write_at(&self.buffer, begin)?;
        self.buffer.clear();
        // One large record is no reason to keep as much memory.
        self.buffer.shrink_to(BUFFER_BYTES);
        Ok(())
    }

    /// Whether a record with this sequence and so many frame bytes belongs into the next segment.
    fn is_full_for(&self, sequence: Sequence, bytes: u64, segment_bytes: u64) -> bool {
        let limit = segment_bytes.min(SEGMENT_BYTES_MAX.saturating_sub(CLOSING_BYTES));
        let has_records = self.next > self.segment.base;
        let ends = self.offset.plus(bytes).get();
        // The index counts from the base in four bytes.
        has_records && (ends > limit || sequence.since(self.segment.base) > u64::from(u32::MAX))
    }
}

impl Rebuild {
    pub(super) fn append(&mut self, record: &RebuildRecord<'_>) -> Result<()> {
        if self.first.is_none() {
            self.first = Some(record.sequence);
            self.end.next = record.sequence;
        }
        let epoch = self.epoch.unwrap_or(record.epoch);
        self.gap_before(record.sequence, epoch, record.enqueued_at)?;
        self.stored.clear();
        self.stored
            .extend_from_slice(record.key.as_ref().map_or(&[], <[u8; 16]>::as_slice));
        self.stored.extend_from_slice(record.payload);
        let length = u32::try_from(self.stored.len()).unwrap_or(u32::MAX);
        let bytes = self.framing.frame_bytes(length);
        let is_over = self.growing.as_ref().is_some_and(|growing| {
            growing.segment.header.epoch != record.epoch
                || growing.is_full_for(record.sequence, bytes, self.segment_bytes)
        });
        if is_over {
            self.seal()?;
        }
        if self.growing.is_none() {
            self.begin(record.sequence, record.epoch, record.enqueued_at)?;
        }
        let digest = self.framing.digest(&self.stored);
        let Some(growing) = &mut self.growing else {
            return Ok(());
        };
        let flags = match record.key {
            Some(_) => Flags::RECORD.keyed(),
            None => Flags::RECORD,
        };
        let mut header = FrameHeader {
            payload_checksum: digest.checksum,
            length,
            kind: record.kind,
            flags,
            sequence: record.sequence,
            time: record.enqueued_at,
            watermark: growing.segment.base,
            chain: growing.chain,
        };
        if growing.segment.header.integrity == Integrity::Chained {
            header.chain = growing.chain.after_record(&header, &digest);
        }
        growing.chain = header.chain;
        growing.time = record.enqueued_at;
        growing.index.note(record.sequence, growing.offset);
        let (before, offset) = (growing.buffer.len(), growing.offset);
        let framing = growing.segment.framing;
        framing.encode(&header, &self.stored, offset, &mut growing.buffer);
        growing.grow(before);
        growing.next = record.sequence.plus(1);
        self.keyed |= record.key.is_some();
        self.done.records += 1;
        self.done.payload_bytes += wide(record.payload.len());
        growing.write_if_full()
    }

    /// Begins the next segment, with the record `base`, in `epoch`.
    pub(super) fn begin(&mut self, base: Sequence, epoch: Epoch, time: u64) -> Result<()> {
        let header = SegmentHeader {
            queue: self.identity.queue,
            number: self.end.position.segment.following(),
            epoch,
            salt: self.draw.next(),
            integrity: self.identity.integrity,
        };
        let created = create_segment(&*self.directory, header, None)?;
        let start = Start {
            previous: self.end.position.segment,
            previous_end: self.end.position.offset,
            previous_next: base,
            log_bytes: self.end.log_bytes,
            previous_chain: self.end.chain,
        };
        let is_new = self.epoch != Some(epoch);
        let chain = match self.identity.integrity {
            Integrity::Chained if is_new => self.end.chain.after_epoch(epoch, header.salt, base),
            Integrity::Chained => self.end.chain,
            Integrity::Crc32c => Chain::default(),
        };
        let mut growing = Growing {
            segment: created.begin(start, base, chain),
            index: IndexBuilder::new(base),
            buffer: Vec::new(),
            offset: Offset::new(crate::format::BLOCK_BYTES),
            next: base,
            chain,
            time,
        };
        let place = growing.place();
        encode_start(&growing.segment, place, &mut growing.buffer);
        growing.grow(0);
        self.growing = Some(growing);
        self.epoch = Some(epoch);
        self.epoch_seen = self.epoch_seen.max(epoch);
        self.done.segments += 1;
        Ok(())
    }

    /// Completes the segment that grows, if there is one.
    pub(super) fn seal(&mut self) -> Result<()> {
        let Some(mut growing) = self.growing.take() else {
            return Ok(());
        };
        growing.write()?;
        let file = &*growing.segment.file;
        file.sync()?;
        let ends = growing.offset;
        let place = ControlPlace {
            // All of its records are durable by now, which the footer may state.
            watermark: growing.next,
            ..growing.place()
        };
        let mut footer = Vec::new();
        encode_footer(&growing.segment, place, ends, &mut footer);
        file.write_at(&footer, ends.get())?;
        file.sync()?;
        // A cache: a queue without it is as good.
        write_index(
            &*self.directory,
            &growing.segment,
            &growing.index,
            (growing.next, ends),
        )
        .ok();
        self.end = End {
            position: Position {
                segment: growing.segment.number(),
                offset: ends,
            },
            next: growing.next,
            log_bytes: growing.segment.log_bytes_at(ends),
            chain: growing.chain,
        };
        Ok(())
    }
}
