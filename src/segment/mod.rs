//! One segment file: its header and start frame, its frames in order, its index.

mod index;
mod open;
mod scan;
mod stream;
mod writer;

pub(crate) use index::{IndexBuilder, IndexFile, known_index, map_index, read_index, write_index};
pub(crate) use open::{Segment, data_start, is_zero_from, read_header};
pub(crate) use scan::{
    Ending, Mark, Run, SegmentScan, judge_frame, resync, scan, scan_from_least, scan_unstarted,
};
pub(crate) use stream::{FrameStream, Span};
pub(crate) use writer::{
    ControlPlace, NewSegment, create_segment, encode_filling, encode_footer, encode_gap,
    encode_padding, encode_start, fits_filling, fits_gap, gap_bytes,
};
