//! Frames: a record's envelope.
//!
//! ```text
//!   0           4            8        12     14      16         24     32          40
//!   | header    | payload    | length | kind | flags | sequence | time | watermark | hash (32,
//!   | checksum  | checksum   |        |      |       |          | ns   |           | chained only)
//! ```
//! Then the payload, then zeros to the next multiple of 8. The length is trusted only after the
//! header checksum. The watermark makes every frame a statement: every sequence below it was
//! durable before the frame was written.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use super::checksum::{MaskSeed, crc32c};
use super::fields::{FieldFiller, FieldReader, FieldWriter, narrow, wide};
use super::{ALIGNMENT, Chain, Defect, Integrity, KEY_BYTES, Key, RecordDigest};
use crate::position::{Offset, QueueId, Sequence};

const HEADER_BYTES_PLAIN: u64 = 40;
const HEADER_BYTES_CHAINED: u64 = 72;

/// The 16 flag bits of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// Always set, so that a header of zeros is never a frame.
    const ALWAYS: u16 = 1;
    /// More frames of the same batch follow.
    const CONTINUES: u16 = 1 << 1;
    /// No record: a start, a footer, padding or a gap.
    const CONTROL: u16 = 1 << 3;
    /// The payload area begins with a key.
    const KEYED: u16 = 1 << 2;
    const KNOWN: u16 = Self::ALWAYS | Self::CONTINUES | Self::KEYED | Self::CONTROL;

    pub(crate) const RECORD: Self = Self(Self::ALWAYS);
    pub(crate) const BATCHED: Self = Self(Self::ALWAYS | Self::CONTINUES);
    pub(crate) const CONTROL_FRAME: Self = Self(Self::ALWAYS | Self::CONTROL);

    pub(crate) fn continues(self) -> bool {
        self.0 & Self::CONTINUES != 0
    }

    pub(crate) fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    pub(crate) fn is_keyed(self) -> bool {
        self.0 & Self::KEYED != 0
    }

    /// The same for a record with a key.
    pub(crate) fn keyed(self) -> Self {
        Self(self.0 | Self::KEYED)
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// The flags in these bits, if this version knows them all.
    fn from_bits(bits: u16) -> Option<Self> {
        let of_records = Self::CONTINUES | Self::KEYED;
        let legal = bits & Self::ALWAYS != 0
            && bits & !Self::KNOWN == 0
            && (bits & Self::CONTROL == 0 || bits & of_records == 0);
        legal.then_some(Self(bits))
    }
}

/// Everything a frame says about its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// CRC-32C of the payload, unmasked.
    pub(crate) payload_checksum: u32,
    /// Payload bytes, those of the key included.
    pub(crate) length: u32,
    /// The user's kind; which control frame it is when `flags` says so.
    pub(crate) kind: u16,
    pub(crate) flags: Flags,
    /// The record's sequence; in a control frame that of the next record.
    pub(crate) sequence: Sequence,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    /// Every sequence below this was durable before the frame was written.
    pub(crate) watermark: Sequence,
    /// The chain after this frame; zeros without a chain.
    pub(crate) chain: Chain,
}

impl FrameHeader {
    /// The key, if the record has one, and the user's bytes, out of what the frame carries.
    pub(crate) fn divide<'a>(&self, stored: &'a [u8]) -> (Option<Key>, &'a [u8]) {
        let keyed = self.flags.is_keyed();
        match stored.split_first_chunk::<KEY_BYTES>() {
            Some((key, payload)) if keyed => (Some(*key), payload),
            Some(_) | None => (None, stored),
        }
    }
}

/// How the frames of one segment are laid out and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Framing {
    seed: MaskSeed,
    integrity: Integrity,
}

impl Framing {
    pub(crate) fn new(queue: QueueId, salt: u64, integrity: Integrity) -> Self {
        Self {
            seed: MaskSeed::new(queue, salt),
            integrity,
        }
    }

    /// The framing under which the bytes at `offset` are a whole frame, if there is one.
    ///
    /// A frame's two checksums are masked alike, so that each of them alone gives the mask, and
    /// the mask gives what it was made of. Random bytes agree once in 2^32: nothing is proven
    /// before another frame of the file holds under the same framing.
    pub(crate) fn recovered(bytes: &[u8], offset: Offset, integrity: Integrity) -> Option<Self> {
        let end = Self::supposed_bytes(bytes, integrity)?;
        let fields = Fields::read(bytes, integrity)?;
        let start = narrow(end.saturating_sub(u64::from(fields.length)));
        let payload = bytes.get(start..narrow(end))?;
        let mask = fields.header_checksum ^ crc32c(bytes.get(4..start)?);
        (fields.payload_checksum ^ crc32c(payload) == mask).then(|| Self {
            seed: MaskSeed::giving(mask, offset),
            integrity,
        })
    }

    /// Bytes of the frame that may begin `bytes`, as its unproven length has it; `None` where no
    /// frame of this sort begins. For whoever has to read the whole frame first.
    pub(crate) fn supposed_bytes(bytes: &[u8], integrity: Integrity) -> Option<u64> {
        let fields = Fields::read(bytes, integrity)?;
        Flags::from_bits(fields.flags)?;
        let lead = match integrity {
            Integrity::Chained => HEADER_BYTES_CHAINED,
            Integrity::Crc32c => HEADER_BYTES_PLAIN,
        };
        (fields.watermark <= fields.sequence).then(|| lead.saturating_add(u64::from(fields.length)))
    }

    /// Bytes of a frame header.
    pub(crate) fn header_bytes(self) -> u64 {
        match self.integrity {
            Integrity::Chained => HEADER_BYTES_CHAINED,
            Integrity::Crc32c => HEADER_BYTES_PLAIN,
        }
    }

    /// Bytes of a whole frame, padding included.
    pub(crate) fn frame_bytes(self, length: u32) -> u64 {
        self.header_bytes()
            .saturating_add(u64::from(length))
            .next_multiple_of(ALIGNMENT)
    }

    /// Appends the frame that will stand at `offset` to `out`.
    pub(crate) fn encode(
        self,
        header: &FrameHeader,
        payload: &[u8],
        offset: Offset,
        out: &mut Vec<u8>,
    ) {
        let mask = self.seed.at(offset);
        let mut lead = [0; 72];
        let mut fields = FieldFiller(&mut lead);
        fields
            .put([0; 4])
            .put((header.payload_checksum ^ mask).to_le_bytes())
            .put(header.length.to_le_bytes())
            .put(header.kind.to_le_bytes())
            .put(header.flags.bits().to_le_bytes())
            .put(header.sequence.get().to_le_bytes())
            .put(header.time.to_le_bytes())
            .put(header.watermark.get().to_le_bytes());
        match self.integrity {
            Integrity::Chained => {
                fields.put(header.chain.bytes());
                seal(&mut lead, mask, out);
            }
            Integrity::Crc32c => {
                if let Some(lead) = lead.first_chunk_mut::<40>() {
                    seal(lead, mask, out);
                }
            }
        }
        out.extend_from_slice(payload);
        let ends = self.header_bytes().saturating_add(wide(payload.len()));
        let padding = ends.next_multiple_of(ALIGNMENT).saturating_sub(ends);
        out.extend_from_slice([0; 8].get(..narrow(padding)).unwrap_or_default());
    }

    /// Appends a control frame of `kind` to `out`; the header's own length and checksum are set.
    pub(crate) fn encode_control(
        self,
        header: FrameHeader,
        payload: &[u8],
        offset: Offset,
        out: &mut Vec<u8>,
    ) {
        let header = FrameHeader {
            payload_checksum: crc32c(payload),
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            flags: Flags::CONTROL_FRAME,
            ..header
        };
        self.encode(&header, payload, offset, out);
    }

    /// The header of the frame at `offset`, where `bytes` begins.
    pub(crate) fn decode_header(self, bytes: &[u8], offset: Offset) -> Result<FrameHeader, Defect> {
        let needed = self.header_bytes();
        let header = bytes.get(..narrow(needed)).ok_or(Defect::Short {
            needed,
            found: wide(bytes.len()),
        })?;
        let fields = Fields::read(header, self.integrity).ok_or(Defect::Short {
            needed,
            found: wide(bytes.len()),
        })?;
        if fields.flags & Flags::ALWAYS == 0 {
            // Judged before the checksum: most places where the search for frames looks end here.
            let zeros = header.iter().all(|byte| *byte == 0);
            return Err(if zeros {
                Defect::Zeros
            } else {
                Defect::Flags {
                    found: fields.flags,
                }
            });
        }
        let mask = self.seed.at(offset);
        let expected = crc32c(header.get(4..).unwrap_or_default()) ^ mask;
        if fields.header_checksum != expected {
            return Err(Defect::Checksum {
                expected,
                found: fields.header_checksum,
            });
        }
        let flags = Flags::from_bits(fields.flags).ok_or(Defect::Flags {
            found: fields.flags,
        })?;
        if flags.is_keyed() && u64::from(fields.length) < wide(KEY_BYTES) {
            return Err(Defect::Field {
                name: "length of a record with a key",
                found: u64::from(fields.length),
            });
        }
        Ok(FrameHeader {
            payload_checksum: fields.payload_checksum ^ mask,
            length: fields.length,
            kind: fields.kind,
            flags,
            sequence: Sequence::new(fields.sequence),
            time: fields.time,
            watermark: Sequence::new(fields.watermark),
            chain: fields.chain,
        })
    }

    /// The payload of the frame whose header is `header`, out of the bytes from the frame's start.
    pub(crate) fn payload<'a>(
        self,
        header: &FrameHeader,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], Defect> {
        let start = self.header_bytes();
        let end = start.saturating_add(u64::from(header.length));
        let payload = bytes.get(narrow(start)..narrow(end)).ok_or(Defect::Short {
            needed: end,
            found: wide(bytes.len()),
        })?;
        let found = crc32c(payload);
        if found != header.payload_checksum {
            return Err(Defect::Payload {
                expected: header.payload_checksum,
                found,
            });
        }
        Ok(payload)
    }

    /// What of a record can be computed before its place is known.
    pub(crate) fn digest(self, payload: &[u8]) -> RecordDigest {
        RecordDigest::of(payload, self.integrity)
    }

    pub(crate) fn integrity(self) -> Integrity {
        self.integrity
    }
}

/// Puts its checksum into the header `lead` and appends it to `out`.
fn seal<const N: usize>(lead: &mut [u8; N], mask: u32, out: &mut Vec<u8>) {
    if let Some((checksum, covered)) = lead.split_first_chunk_mut() {
        *checksum = (crc32c(covered) ^ mask).to_le_bytes();
    }
    out.extend_from_slice(lead);
}

/// A header's fields as stored, nothing checked.
struct Fields {
    header_checksum: u32,
    payload_checksum: u32,
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u64,
    time: u64,
    watermark: u64,
    chain: Chain,
}

impl Fields {
    fn read(header: &[u8], integrity: Integrity) -> Option<Self> {
        let mut fields = FieldReader::new(header);
        Some(Self {
            header_checksum: fields.u32()?,
            payload_checksum: fields.u32()?,
            length: fields.u32()?,
            kind: fields.u16()?,
            flags: fields.u16()?,
            sequence: fields.u64()?,
            time: fields.u64()?,
            watermark: fields.u64()?,
            chain: match integrity {
                Integrity::Chained => Chain::new(fields.bytes()?),
                Integrity::Crc32c => Chain::default(),
            },
        })
    }
}

/// A body of fields, for control frames.
pub(super) fn body(fields: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FieldWriter(&mut bytes);
    for field in fields {
        writer.u64(*field);
    }
    bytes
}
