//! Making a segment file, and the control frames that open and close one.

use std::sync::Arc;

use super::Segment;
use super::open::data_start;
use crate::error::Result;
use crate::format::{
    ALIGNMENT, Chain, Control, Flags, Footer, FrameHeader, Framing, SegmentFile, SegmentHeader,
    Start, segment_file,
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
#[derive(Clone, Copy, Debug)]
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
    let payload = vec![0; crate::format::narrow(body)];
    framing.encode_control(place.header(Control::Padding), &payload, offset, out);
}
