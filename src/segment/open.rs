//! A segment whose header block and start frame were read and verified.

use std::sync::Arc;

use super::FrameStream;
use crate::error::Result;
use crate::format::{
    BLOCK_BYTES, Chain, Control, Defect, Framing, SegmentFile, SegmentHeader, Start, is_zero,
    narrow, segment_file, wide,
};
use crate::position::{Offset, QueueId, SegmentNumber, Sequence};
use crate::storage::{Access, Directory, File, open_if_there, read_range};

/// A started segment, open.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: SegmentHeader,
    pub(crate) framing: Framing,
    /// The sequence of its first record.
    pub(crate) base: Sequence,
    pub(crate) start: Start,
    /// The chain before its first record.
    pub(crate) chain: Chain,
    /// What its start frame states as durable.
    pub(crate) watermark: Sequence,
    /// When its start frame was written, in nanoseconds since 1970.
    pub(crate) started_at: u64,
}

impl Segment {
    /// The segment `number` of `queue`, or why the file there is not a started segment of it.
    pub(crate) fn open(
        directory: &dyn Directory,
        queue: QueueId,
        number: SegmentNumber,
        access: Access,
    ) -> Result<std::result::Result<Self, Defect>> {
        let name = segment_file(number, SegmentFile::Log);
        let Some(file) = open_if_there(directory, &name, access)? else {
            return Ok(Err(Defect::Missing));
        };
        match read_header(&*file, queue, number)? {
            Ok(header) => Self::started(file, header),
            Err(defect) => Ok(Err(defect)),
        }
    }

    /// The segment in `file`, whose header is known, if its start frame is good.
    pub(crate) fn started(
        file: Arc<dyn File>,
        header: SegmentHeader,
    ) -> Result<std::result::Result<Self, Defect>> {
        let framing = header.framing();
        let offset = Offset::new(BLOCK_BYTES);
        let limit = Offset::new(file.length()?);
        let mut stream = FrameStream::new(Arc::clone(&file), framing);
        let span = match stream.frame_at(offset, limit)? {
            Ok(span) => span,
            Err(defect) => return Ok(Err(defect)),
        };
        let frame = span.header;
        if !frame.flags.is_control() || Control::of(&frame) != Ok(Control::Start) {
            return Ok(Err(Defect::Field {
                name: "start frame",
                found: u64::from(frame.kind),
            }));
        }
        if frame.watermark > frame.sequence {
            let found = frame.watermark.get();
            return Ok(Err(Defect::Field {
                name: "watermark",
                found,
            }));
        }
        Ok(Start::decode(stream.payload(&span)).map(|start| Self {
            file,
            header,
            framing,
            base: frame.sequence,
            start,
            chain: frame.chain,
            watermark: frame.watermark,
            started_at: frame.time,
        }))
    }

    pub(crate) fn number(&self) -> SegmentNumber {
        self.header.number
    }

    /// Where the first frame after the start frame stands.
    pub(crate) fn data_start(&self) -> Offset {
        data_start(self.framing)
    }

    /// Frame bytes of the whole log up to `offset` in this segment.
    pub(crate) fn log_bytes_at(&self, offset: Offset) -> u64 {
        self.start
            .log_bytes
            .saturating_add(offset.since(self.data_start()))
    }

    /// A stream over its frames.
    pub(crate) fn stream(&self) -> FrameStream {
        FrameStream::new(Arc::clone(&self.file), self.framing)
    }
}

/// Where the first frame after the start frame stands in every segment so framed.
pub(crate) fn data_start(framing: Framing) -> Offset {
    Offset::new(BLOCK_BYTES).plus(framing.frame_bytes(Start::BODY_BYTES))
}

/// Whether `file` holds nothing but zeros from `offset` on.
pub(crate) fn is_zero_from(file: &dyn File, mut offset: u64) -> Result<bool> {
    loop {
        let bytes = read_range(file, offset, 1 << 20)?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if !is_zero(&bytes) {
            return Ok(false);
        }
        offset = offset.saturating_add(wide(bytes.len()));
    }
}

/// The header block of `file`, if it is that of segment `number` of `queue`.
pub(crate) fn read_header(
    file: &dyn File,
    queue: QueueId,
    number: SegmentNumber,
) -> Result<std::result::Result<SegmentHeader, Defect>> {
    let block = read_range(file, 0, narrow(BLOCK_BYTES))?;
    if is_zero(&block) {
        return Ok(Err(Defect::Zeros));
    }
    Ok(SegmentHeader::decode(&block).and_then(|header| {
        if header.queue != queue {
            return Err(Defect::Owner { name: "queue" });
        }
        if header.number != number {
            return Err(Defect::Owner {
                name: "segment number",
            });
        }
        Ok(header)
    }))
}
