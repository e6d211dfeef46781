//! A segment file put together frame by frame, right or wrong, and read again.

use crate::format::{
    Chain, Control, Flags, Footer, FrameHeader, Framing, Gone, Integrity, SegmentFile,
    SegmentHeader, Start, segment_file, wide,
};
use crate::position::{Epoch, Offset, QueueId, SegmentNumber, Sequence};
use crate::segment::{NewSegment, Segment, SegmentScan, scan};
use crate::storage::memory::MemoryDirectory;
use crate::storage::{Access, Directory};

/// The queue that everything here belongs to.
pub(super) const QUEUE: QueueId = QueueId::new(*b"the fuzzed queue");
const NUMBER: SegmentNumber = SegmentNumber::new(1);
const SALT: u64 = 0x0123_4567_89ab_cdef;

/// The bytes of a segment file while it is made.
#[derive(Clone, Debug)]
pub(super) struct SegmentBytes {
    pub(super) bytes: Vec<u8>,
    pub(super) base: u64,
    /// The sequence of the next record.
    pub(super) due: u64,
    pub(super) framing: Framing,
    header: SegmentHeader,
}

impl SegmentBytes {
    /// A header block and a start frame.
    pub(super) fn started(integrity: Integrity, base: u64) -> Self {
        let header = SegmentHeader {
            queue: QUEUE,
            number: NUMBER,
            epoch: Epoch::new(1 << 32),
            salt: SALT,
            integrity,
        };
        let mut segment = Self {
            bytes: header.encode(),
            base,
            due: base,
            framing: header.framing(),
            header,
        };
        let kind = u64::from(Control::Start.kind());
        segment.control(kind, (base, base), &Start::default().encode());
        segment
    }

    pub(super) fn offset(&self) -> Offset {
        Offset::new(wide(self.bytes.len()))
    }

    /// A control frame of any kind, with any numbers in its header.
    pub(super) fn control(&mut self, kind: u64, (sequence, watermark): (u64, u64), body: &[u8]) {
        let header = FrameHeader {
            kind: u16::try_from(kind).unwrap_or(u16::MAX),
            flags: Flags::CONTROL_FRAME,
            ..Self::header_of(sequence, watermark)
        };
        let offset = self.offset();
        self.framing
            .encode_control(header, body, offset, &mut self.bytes);
    }

    /// The footer that is due.
    pub(super) fn footer(&mut self) {
        let footer = Footer {
            base: Sequence::new(self.base),
            count: self.due - self.base,
            bytes: 0,
        };
        let kind = u64::from(Control::Footer.kind());
        self.control(kind, (self.due, self.due), &footer.encode());
    }

    /// A gap of `records`, with `bytes` more than it needs.
    pub(super) fn gap(&mut self, records: u64, bytes: usize) {
        let next = self.due + records;
        let mut body = Gone {
            next: Sequence::new(next),
        }
        .encode();
        body.resize(body.len() + bytes, 0);
        self.control(u64::from(Control::Gap.kind()), (self.due, 0), &body);
        self.due = next;
    }

    /// The record that is due.
    pub(super) fn record(&mut self, payload: &[u8], continues: bool) {
        let offset = self.offset();
        let frame = self.frame(self.due, payload, continues, offset);
        self.bytes.extend_from_slice(&frame);
        self.due += 1;
    }

    /// A record frame as it stands at `offset`.
    pub(super) fn frame(
        &self,
        sequence: u64,
        payload: &[u8],
        continues: bool,
        offset: Offset,
    ) -> Vec<u8> {
        let header = FrameHeader {
            payload_checksum: self.framing.digest(payload).checksum,
            length: u32::try_from(payload.len()).expect("short"),
            flags: if continues {
                Flags::BATCHED
            } else {
                Flags::RECORD
            },
            ..Self::header_of(sequence, sequence)
        };
        let mut frame = Vec::new();
        self.framing.encode(&header, payload, offset, &mut frame);
        frame
    }

    fn header_of(sequence: u64, watermark: u64) -> FrameHeader {
        FrameHeader {
            payload_checksum: 0,
            length: 0,
            kind: 0,
            flags: Flags::RECORD,
            sequence: Sequence::new(sequence),
            time: 1_700_000_000_000_000_000,
            watermark: Sequence::new(watermark),
            chain: Chain::default(),
        }
    }

    /// The file as a segment, if its start frame is good.
    pub(super) fn open(&self) -> Option<Segment> {
        Segment::open(&self.directory(), QUEUE, NUMBER, Access::Read)
            .expect("memory does not fail")
            .ok()
    }

    /// The file as a segment of which nothing is known but its header.
    pub(super) fn unstarted(&self) -> Segment {
        let name = segment_file(NUMBER, SegmentFile::Log);
        let file = self.directory().open(&name, Access::Read);
        let created = NewSegment {
            file: file.expect("memory does not fail"),
            header: self.header,
        };
        created.begin(Start::default(), Sequence::ZERO, Chain::default())
    }

    pub(super) fn scan(&self) -> SegmentScan {
        let segment = self.open().expect("its start frame is good");
        scan(&segment).expect("memory does not fail")
    }

    fn directory(&self) -> MemoryDirectory {
        let directory = MemoryDirectory::new();
        directory.put_file(&segment_file(NUMBER, SegmentFile::Log), &self.bytes);
        directory
    }
}
