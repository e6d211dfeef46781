//! Frames: good at one place of one segment of one queue, and nowhere else.

use super::input::Input;
use super::segment_file::{QUEUE, SegmentBytes};
use crate::format::{
    ALIGNMENT, Control, Defect, Footer, FrameHeader, Framing, Start, narrow, wide,
};
use crate::position::{Offset, QueueId, Sequence};
use crate::segment::Ending;

/// The frame at the front of `bytes` with what speaks against it put right: the length to what
/// there is, then the checksums.
fn mended(framing: Framing, bytes: &mut [u8], offset: Offset) -> Option<FrameHeader> {
    let lead = narrow(framing.header_bytes());
    let seal = |bytes: &mut [u8]| match framing.decode_header(bytes, offset) {
        Err(Defect::Checksum { expected, .. }) => {
            bytes[..4].copy_from_slice(&expected.to_le_bytes());
            framing.decode_header(bytes, offset).ok()
        }
        other => other.ok(),
    };
    let header = seal(bytes)?;
    if let Err(Defect::Short { .. }) = framing.payload(&header, bytes) {
        let length = u32::try_from(bytes.len() - lead).ok()?;
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        seal(bytes)?;
    }
    let header = framing.decode_header(bytes, offset).ok()?;
    if let Err(Defect::Payload { expected, found }) = framing.payload(&header, bytes) {
        let change = (expected ^ found).to_le_bytes();
        bytes[4..8]
            .iter_mut()
            .zip(change)
            .for_each(|(byte, change)| *byte ^= change);
        seal(bytes)?;
    }
    framing.decode_header(bytes, offset).ok()
}

/// One frame, anywhere.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let integrity = input.integrity();
    let offset = Offset::new(u64::from(input.word()) * ALIGNMENT);
    let salt = input.long();
    let turn = narrow(u64::from(input.short()));
    let framing = Framing::new(QUEUE, salt, integrity);
    let mut bytes = input.rest().to_vec();
    let Some(header) = mended(framing, &mut bytes, offset) else {
        return;
    };
    let lead = narrow(framing.header_bytes());
    let whole = lead + narrow(u64::from(header.length));
    let payload = framing
        .payload(&header, &bytes)
        .expect("its checksum is right");
    assert_eq!(framing.digest(payload).checksum, header.payload_checksum);
    let mut encoded = Vec::new();
    framing.encode(&header, payload, offset, &mut encoded);
    assert_eq!(wide(encoded.len()), framing.frame_bytes(header.length));
    assert_eq!(
        encoded[..whole],
        bytes[..whole],
        "two encodings of one frame"
    );

    // Each of these differs in at most 32 neighbouring bits: a CRC never misses that.
    let moved = Offset::new(offset.get() ^ (ALIGNMENT << (turn % 32)));
    assert!(
        framing.decode_header(&bytes, moved).is_err(),
        "good at {moved} too"
    );
    let other = Framing::new(QUEUE, salt ^ (1 << (turn % 64)), integrity);
    assert!(
        other.decode_header(&bytes, offset).is_err(),
        "good with another salt"
    );
    let mut queue = QUEUE.get();
    queue[turn % 16] ^= 1 << (turn / 16 % 8);
    let other = Framing::new(QueueId::new(queue), salt, integrity);
    assert!(
        other.decode_header(&bytes, offset).is_err(),
        "good in another queue"
    );

    let bit = turn % (whole * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    let read = framing
        .decode_header(&bytes, offset)
        .and_then(|header| framing.payload(&header, &bytes).map(<[u8]>::len));
    assert!(read.is_err(), "bit {bit} flipped unseen");
    assert!(framing.decode_header(&bytes[..lead - 1], offset).is_err());
}

/// A control frame at the end of a segment of a few records: a footer only if all of it agrees.
pub fn footer(data: &[u8]) {
    let decoded = Footer::decode(data);
    assert_eq!(
        decoded.is_ok(),
        data.len() >= narrow(u64::from(Footer::BODY_BYTES))
    );
    if let Ok(footer) = decoded {
        assert_eq!(footer.encode(), data[..24]);
    }
    if let Ok(start) = Start::decode(data) {
        assert_eq!(start.encode(), data[..64]);
    }
    let mut input = Input::new(data);
    let mut segment = SegmentBytes::started(input.integrity(), u64::from(input.byte()));
    for _ in 0..input.byte() % 4 {
        segment.record(&[7; 20], false);
    }
    // Small differences from what is due, so that some are none.
    let mut near = |right: u64| {
        right
            .wrapping_add(u64::from(input.byte() % 4))
            .wrapping_sub(1)
    };
    let due = segment.due;
    let footer = Footer {
        base: Sequence::new(near(segment.base)),
        count: near(due - segment.base),
        bytes: near(0),
    };
    let (sequence, watermark) = (near(due), near(due));
    let kind = near(2);
    let mut body = footer.encode();
    body.truncate(32 - usize::from(input.byte() % 16));
    body.extend_from_slice(input.rest());
    let offset = Offset::new(wide(segment.bytes.len()));
    segment.control(kind, (sequence, watermark), &body);

    let scan = segment.scan();
    let run = scan.runs.first().expect("there is one run at least");
    let agrees = kind == u64::from(Control::Footer.kind())
        && (sequence, footer.base.get(), footer.count) == (due, segment.base, due - segment.base)
        && watermark <= sequence
        && body.len() >= 24;
    let is_padding = kind == u64::from(Control::Padding.kind());
    let is_gap = kind == u64::from(Control::Gap.kind()) && footer.base.get() > sequence;
    let passes = (is_padding || is_gap) && sequence == due && watermark <= sequence;
    assert_eq!(run.ending == Ending::Footer, agrees, "{footer:?} {run:?}");
    assert_eq!(run.ending == Ending::Quiet, passes, "{footer:?} {run:?}");
    let seen = if is_gap && passes {
        footer.base
    } else {
        Sequence::new(due)
    };
    assert_eq!(run.seen, seen);
    if let Ending::Defect { offset: found, .. } = run.ending {
        assert_eq!(found, offset);
    }
}
