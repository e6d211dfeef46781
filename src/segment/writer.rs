//! Making a segment file, and the control frames that open and close one or stand for what is gone.

use std::ops::Range;
use std::sync::Arc;

use super::Segment;
use super::open::data_start;
use crate::error::Result;
use crate::format::{
    ALIGNMENT, Chain, Control, Flags, Footer, FrameHeader, Framing, Gone, SegmentFile,
    SegmentHeader, Start, narrow, segment_file,
};
use crate::position::{Offset, Sequence};
use crate::storage::{Directory, File};

/// A segment file with its header block and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct NewSegment {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: SegmentHeader,
}

impl NewSegment {
    /// The segment as it will be once `start` is written with `chain` at `base`.
    pub(crate) fn begin(&self, start: Start, base: Sequence, chain: Chain) -> Segment {
        Segment {
            file: Arc::clone(&self.file),
            header: self.header,
            framing: self.header.framing(),
            base,
            start,
            chain,
            watermark: Sequence::ZERO,
            started_at: 0,
        }
    }
}

/// Creates the file of a segment, reserves `reserve` bytes for it if that can be had, and writes
/// its header block. After an error no such file is left, as far as that can be done.
///
/// # Durability
///
/// Neither the block nor the file's name survives power loss before both are synced.
pub(crate) fn create_segment(
    directory: &dyn Directory,
    header: SegmentHeader,
    reserve: Option<u64>,
) -> Result<NewSegment> {
    let name = segment_file(header.number, SegmentFile::Log);
    let file = directory.create(&name)?;
    let written = write_header(&*file, &header, reserve);
    if let Err(error) = written {
        // The caller needs the first error; a file left behind is unstarted and harmless.
        let _ignored = directory.remove(&name);
        return Err(error);
    }
    Ok(NewSegment { file, header })
}

fn write_header(file: &dyn File, header: &SegmentHeader, reserve: Option<u64>) -> Result<()> {
    // Too little room for a whole segment is room enough for some records.
    if let Some(bytes) = reserve
        && file.allocate(bytes).is_err()
    {
        file.set_length(0)?;
    }
    file.write_at(&header.encode(), 0)
}

/// What a control frame takes from the place where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlPlace {
    pub(crate) next: Sequence,
    pub(crate) watermark: Sequence,
    pub(crate) chain: Chain,
    pub(crate) time: u64,
}

impl ControlPlace {
    fn header(self, control: Control) -> FrameHeader {
        FrameHeader {
            payload_checksum: 0,
            length: 0,
            kind: control.kind(),
            flags: Flags::CONTROL_FRAME,
            sequence: self.next,
            time: self.time,
            watermark: self.watermark,
            chain: self.chain,
        }
    }
}

/// Appends the start frame of `segment` to `out`.
pub(crate) fn encode_start(segment: &Segment, place: ControlPlace, out: &mut Vec<u8>) {
    let offset = Offset::new(crate::format::BLOCK_BYTES);
    let header = place.header(Control::Start);
    segment
        .framing
        .encode_control(header, &segment.start.encode(), offset, out);
}

/// Appends the footer of `segment`, whose frames end at `offset`, to `out`.
pub(crate) fn encode_footer(
    segment: &Segment,
    place: ControlPlace,
    offset: Offset,
    out: &mut Vec<u8>,
) {
    let footer = Footer {
        base: segment.base,
        count: place.next.since(segment.base),
        bytes: offset.since(data_start(segment.framing)),
    };
    let header = place.header(Control::Footer);
    segment
        .framing
        .encode_control(header, &footer.encode(), offset, out);
}

/// Appends padding from `offset` to a multiple of `unit`, if it is not on one already.
pub(crate) fn encode_padding(
    framing: Framing,
    place: ControlPlace,
    (offset, unit): (Offset, u64),
    out: &mut Vec<u8>,
) {
    let short = offset.get().next_multiple_of(unit.max(ALIGNMENT)) - offset.get();
    if short == 0 {
        return;
    }
    let lead = framing.header_bytes();
    let units = lead.saturating_sub(short).div_ceil(unit.max(ALIGNMENT));
    let body = short + units * unit.max(ALIGNMENT) - lead;
    let payload = vec![0; narrow(body)];
    framing.encode_control(place.header(Control::Padding), &payload, offset, out);
}

/// Bytes of filling in one frame at most: a reader takes a frame into memory as a whole.
const FILLING_BYTES_MAX: u64 = 64 * 1024;

/// The least bytes of a gap frame for more than one record.
pub(crate) fn gap_bytes(framing: Framing) -> u64 {
    framing.frame_bytes(Gone::BODY_BYTES)
}

/// Whether `hole` has room for a gap of the records `gone`, and nothing is left over.
pub(crate) fn fits_gap(framing: Framing, gone: Range<Sequence>, hole: &Range<Offset>) -> bool {
    let bytes = hole.end.since(hole.start);
    let least = if gone.end == gone.start.plus(1) {
        framing.header_bytes()
    } else {
        gap_bytes(framing)
    };
    bytes >= least && bytes.is_multiple_of(ALIGNMENT) && !gone.is_empty()
}

/// Whether padding fills `hole` exactly.
pub(crate) fn fits_filling(framing: Framing, hole: &Range<Offset>) -> bool {
    let bytes = hole.end.since(hole.start);
    bytes.is_multiple_of(ALIGNMENT) && (bytes == 0 || bytes >= framing.header_bytes())
}

/// Appends what fills `hole` exactly: a gap frame for the records from `place.next` up to `to`, and
/// padding behind it. `place.chain` is the chain before the gap, which is bound in here.
///
/// False, and nothing appended, where the hole has no room for that: less than a header, or than
/// [`gap_bytes`] where more than one record is gone.
#[must_use]
pub(crate) fn encode_gap(
    framing: Framing,
    place: ControlPlace,
    to: Sequence,
    hole: Range<Offset>,
    out: &mut Vec<u8>,
) -> bool {
    if !fits_gap(framing, place.next..to, &hole) {
        return false;
    }
    let bytes = hole.end.since(hole.start);
    let lead = framing.header_bytes();
    let first = if bytes > FILLING_BYTES_MAX {
        gap_bytes(framing)
    } else {
        bytes
    };
    let mut body = Gone { next: to }.encode();
    body.resize(narrow(first.saturating_sub(lead)), 0);
    let place = ControlPlace {
        chain: place.chain.after_gap(place.next, to),
        ..place
    };
    framing.encode_control(place.header(Control::Gap), &body, hole.start, out);
    let behind = ControlPlace { next: to, ..place };
    encode_filling(framing, behind, hole.start.plus(first)..hole.end, out)
}

/// Appends padding frames that fill `range` exactly; false, and nothing appended, where it is
/// shorter than a header.
#[must_use]
pub(crate) fn encode_filling(
    framing: Framing,
    place: ControlPlace,
    range: Range<Offset>,
    out: &mut Vec<u8>,
) -> bool {
    if !fits_filling(framing, &range) {
        return false;
    }
    let lead = framing.header_bytes();
    let mut offset = range.start;
    while offset < range.end {
        let left = range.end.since(offset);
        // What is left behind a full frame must have room for a header again.
        let bytes = if left <= FILLING_BYTES_MAX {
            left
        } else {
            FILLING_BYTES_MAX.min(left.saturating_sub(lead))
        };
        let payload = vec![0; narrow(bytes.saturating_sub(lead))];
        framing.encode_control(place.header(Control::Padding), &payload, offset, out);
        offset = offset.plus(bytes);
    }
    true
}

#[cfg(all(test, feature = "test-support"))]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the numbers are the test's own"
)]
mod tests {
    use super::*;
    use crate::format::{Integrity, wide};
    use crate::position::QueueId;
    use crate::segment::FrameStream;
    use crate::storage::Access;
    use crate::storage::memory::MemoryDirectory;

    const HOLE: Offset = Offset::new(8192);

    fn place() -> ControlPlace {
        ControlPlace {
            next: Sequence::new(7),
            watermark: Sequence::new(7),
            chain: Chain::default(),
            time: 1,
        }
    }

    /// Every frame of `bytes` at [`HOLE`]: how many, and the sequence due behind them.
    fn frames(framing: Framing, bytes: &[u8]) -> (usize, Sequence) {
        let memory = MemoryDirectory::new();
        let mut file = vec![0; narrow(HOLE.get())];
        file.extend_from_slice(bytes);
        memory.put_file("file", &file);
        let opened = memory.open("file", Access::Read).expect("it is there");
        let mut stream = FrameStream::new(opened, framing);
        let limit = Offset::new(wide(file.len()));
        let (mut offset, mut due, mut count) = (HOLE, place().next, 0);
        while offset < limit {
            let found = stream.frame_at(offset, limit).expect("memory works");
            let span = found.expect("a whole frame");
            assert_eq!(span.header.sequence, due);
            assert!(span.header.flags.is_control() && span.end > offset);
            (offset, due, count) = (span.end, span.next, count + 1);
        }
        (count, due)
    }

    #[test]
    fn a_gap_fills_a_hole_of_any_size_exactly() {
        for integrity in [Integrity::Chained, Integrity::Crc32c] {
            let framing = Framing::new(QueueId::new([3; 16]), 9, integrity);
            let lead = framing.header_bytes();
            let near = |middle: u64| (middle - 2 * lead..middle + 2 * lead).step_by(8);
            let sizes = (8..4 * lead).step_by(8).chain(near(FILLING_BYTES_MAX));
            for bytes in sizes.chain(near(2 * FILLING_BYTES_MAX)).chain([1 << 20]) {
                for records in [1, 2, 1 << 40] {
                    let to = place().next.plus(records);
                    let hole = HOLE..HOLE.plus(bytes);
                    let mut out = Vec::new();
                    let fits = encode_gap(framing, place(), to, hole, &mut out);
                    let least = if records == 1 {
                        lead
                    } else {
                        gap_bytes(framing)
                    };
                    assert_eq!(fits, bytes >= least, "{records} records in {bytes} bytes");
                    if fits {
                        assert_eq!(wide(out.len()), bytes);
                        assert_eq!(frames(framing, &out).1, to, "{bytes} bytes");
                    } else {
                        assert!(out.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn filling_hides_no_record_and_leaves_nothing_over() {
        let framing = Framing::new(QueueId::new([3; 16]), 9, Integrity::Chained);
        let lead = framing.header_bytes();
        for bytes in [
            0,
            lead,
            lead + 8,
            FILLING_BYTES_MAX + 8,
            3 * FILLING_BYTES_MAX + 16,
        ] {
            let mut out = Vec::new();
            assert!(encode_filling(
                framing,
                place(),
                HOLE..HOLE.plus(bytes),
                &mut out
            ));
            assert_eq!(wide(out.len()), bytes);
            assert_eq!(frames(framing, &out).1, place().next);
        }
        for bytes in [8, lead - 8, lead + 4] {
            let mut out = Vec::new();
            assert!(!encode_filling(
                framing,
                place(),
                HOLE..HOLE.plus(bytes),
                &mut out
            ));
            assert!(out.is_empty());
        }
    }
}
