//! Golden bytes of every structure, and `docs/FORMAT.md` held against the code.
//!
//! The bytes were computed by another program, with its own CRC-32C and BLAKE3, from the document.
//! A golden that fails means that the format changed: that needs a new version, not a new golden.

use proptest::prelude::*;

use super::control::{Footer, Gone, Start};
use super::cursor::consumer_id;
use super::frame::{Flags, FrameHeader, Framing};
use super::index::{IndexEntry, IndexHeader};
use super::keys::{Key, KeyEntry, KeyFile};
use super::*;
use crate::position::{Epoch, Offset, Position, QueueId, SegmentNumber, Sequence};

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

const IDENTITY_BYTES: &str = "46425951554555450100000020000000101112131415161718191a1b1c1d1e1f\
    01000000000000002827262524232221c6d45a7b";

const SEGMENT_HEADER_BYTES: &str = "4642595345474d540100000030000000101112131415161718191a1b\
    1c1d1e1f2827262524232221383736353433323148474645444342410200000000000000b88a037a";

const CHAINED_FRAME_BYTES: &str = "ee981e539eafd93f050000000b0a030058575655545352516867666564636261\
    7877767574737271808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f\
    68656c6c6f000000";

const PLAIN_FRAME_BYTES: &str = "b87eefef9eafd93f050000000b0a010058575655545352516867666564636261\
    787776757473727168656c6c6f000000";

const START_FRAME_BYTES: &str = "a00c1e6eaddc6245400000000100090058575655545352516867666564636261\
    7877767574737271808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f\
    a8a7a6a5a4a3a2a1b8b7b6b5b4b3b2b1c8c7c6c5c4c3c2c1d8d7d6d5d4d3d2d1\
    e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

const FOOTER_FRAME_BYTES: &str = "eb4c059cfa00d9d8180000000200090058575655545352516867666564636261\
    7877767574737271a8a7a6a5a4a3a2a1b8b7b6b5b4b3b2b1c8c7c6c5c4c3c2c1";

const PADDING_FRAME_BYTES: &str = "ebd4760de30130c40800000003000900585756555453525168676665646362\
    6178777675747372710000000000000000";

const GAP_FRAME_BYTES: &str = "a1dafb52e6a42875080000000400090058575655545352516867666564636261\
    78777675747372719897969594939291";

const STATE_BYTES: &str = "464259535441544501000000900000000807060504030201101112131415161718191a\
    1b1c1d1e1f2827262524232221010000000000000038373635343332314847464544434241585756555453525168\
    676665646362617877767574737271808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e\
    9fa8a7a6a5a4a3a2a1d8d7d6d5d4d3d2d1b8b7b6b5b4b3b2b1c8c7c6c5c4c3c2c19625f2ec";

const CURSOR_BYTES: &str = "464259435552535201000000780000000807060504030201101112131415161718191a\
    1b1c1d1e1f64e5c6d18adbd1b3880fb7c70b0b403d38373635343332314847464544434241585756555453525168\
    676665646362617877767574737271a8a7a6a5a4a3a2a1808182838485868788898a8b8c8d8e8f90919293949596\
    9798999a9b9c9d9e9fb0899af7";

const INDEX_BYTES: &str = "464259494e4445580100000044000000101112131415161718191a1b1c1d1e1f282726\
    25242322214847464544434241585756555453525168676665646362617877767574737271020000000000000\
    0d48fddc995dc38120000000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000001102000004030201\
    14131211";

const SNAPSHOT_BYTES: &str = "464259534e4150530100000044000000101112131415161718191a1b1c1d1e1f64e5c6d18adbd1b3\
    880fb7c70b0b403d3837363534333231585756555453525168676665646362610500000000000000\
    4cbb719ad6a4403f0000000000000000000000000000000000000000000000000000000000000000\
    000000000000000068656c6c6f";

/// The bytes of the frame goldens' segment, whose salt has them.
const KEYED_FRAME_BYTES: &str = "3b3b7e7afe1ee1c8150000000b0a07005857565554535251686766656463626178\
     77767574737271808182838485868788898a8b8c8d8e8f909192939495969798999a\
     9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf68656c6c6f000000";
const KEYS_BYTES: &str = "4642594b455945440100000058000000101112131415161718191a1b1c1d1e1f38\
     3736353433323168676665646362610200000000000000a1a2a3a4a5a6a7a8a9aaab\
     acadaeafb02827262524232221d1d2d3d4d5d6d7d8d9dadbdcdddedfe05857565554\
     5352519b9e5460";

const SALT: u64 = 0x4142_4344_4546_4748;
/// Where the record goldens stand.
const PLACE: Offset = Offset::new(0x1_0008);

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "whole bytes");
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs
        .map(|pair| u8::from_str_radix(&pair, 16).expect("hexadecimal digits"))
        .collect()
}

/// The number whose eight bytes in the file count down from `first` + 7 to `first`.
fn counting(first: u8) -> u64 {
    (0..8).fold(0, |number, step| (number << 8) | u64::from(first + step))
}

fn run_from<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        let byte = next;
        next = next.wrapping_add(1);
        byte
    })
}

fn queue() -> QueueId {
    QueueId::new(run_from(0x10))
}

fn framing(integrity: Integrity) -> Framing {
    Framing::new(queue(), SALT, integrity)
}

fn identity() -> Identity {
    Identity {
        queue: queue(),
        integrity: Integrity::Chained,
        created: counting(0x21),
    }
}

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        queue: queue(),
        number: SegmentNumber::new(counting(0x21)),
        epoch: Epoch::new(counting(0x31)),
        salt: SALT,
        integrity: Integrity::Crc32c,
    }
}

fn frame_header(integrity: Integrity, flags: Flags) -> FrameHeader {
    FrameHeader {
        payload_checksum: 0x9a71_bb4c,
        length: 5,
        kind: 0x0a0b,
        flags,
        sequence: Sequence::new(counting(0x51)),
        time: counting(0x61),
        watermark: Sequence::new(counting(0x71)),
        chain: match integrity {
            Integrity::Chained => Chain::new(run_from(0x80)),
            Integrity::Crc32c => Chain::default(),
        },
    }
}

fn start() -> Start {
    Start {
        previous: SegmentNumber::new(counting(0xa1)),
        previous_end: Offset::new(counting(0xb1)),
        previous_next: Sequence::new(counting(0xc1)),
        log_bytes: counting(0xd1),
        previous_chain: Chain::new(run_from(0xe0)),
    }
}

fn footer() -> Footer {
    Footer {
        base: Sequence::new(counting(0xa1)),
        count: counting(0xb1),
        bytes: counting(0xc1),
    }
}

fn state() -> StateSlot {
    StateSlot {
        generation: counting(0x01),
        queue: queue(),
        opener: counting(0x21),
        clean: true,
        continues: false,
        damaged: false,
        epoch: Epoch::new(counting(0x31)),
        end: End {
            position: Position {
                segment: SegmentNumber::new(counting(0x41)),
                offset: Offset::new(counting(0x51)),
            },
            next: Sequence::new(counting(0x61)),
            log_bytes: counting(0x71),
            chain: Chain::new(run_from(0x80)),
        },
        first_segment: SegmentNumber::new(counting(0xa1)),
        first_base: Sequence::new(counting(0xd1)),
        watermark: Sequence::new(counting(0xb1)),
        floor: Sequence::new(counting(0xc1)),
    }
}

fn cursor() -> CursorSlot {
    CursorSlot {
        generation: counting(0x01),
        queue: queue(),
        consumer: consumer_id("ship"),
        epoch: Epoch::new(counting(0x31)),
        next: Sequence::new(counting(0x41)),
        watermark: Sequence::new(counting(0x51)),
        position: Position {
            segment: SegmentNumber::new(counting(0x61)),
            offset: Offset::new(counting(0x71)),
        },
        log_bytes: counting(0xa1),
        filter: run_from(0x80),
    }
}

fn key() -> Key {
    run_from(0xa0)
}

fn keys() -> KeyFile {
    KeyFile {
        queue: queue(),
        epoch: Epoch::new(counting(0x31)),
        covered: Sequence::new(counting(0x61)),
        entries: [0x21, 0x51]
            .map(|first| KeyEntry {
                key: run_from(first + 0x80),
                sequence: Sequence::new(counting(first)),
            })
            .to_vec(),
    }
}

/// A record with a key.
fn keyed_frame() -> (FrameHeader, Vec<u8>) {
    let stored = [&key()[..], b"hello"].concat();
    let header = FrameHeader {
        payload_checksum: checksum::crc32c(&stored),
        length: 21,
        ..frame_header(Integrity::Chained, Flags::BATCHED.keyed())
    };
    (header, stored)
}

fn index() -> (IndexHeader, [IndexEntry; 2]) {
    let header = IndexHeader {
        queue: queue(),
        segment: SegmentNumber::new(counting(0x21)),
        salt: SALT,
        base: Sequence::new(counting(0x51)),
        next: Sequence::new(counting(0x61)),
        end: Offset::new(counting(0x71)),
    };
    let entry = |relative: u64, units: u64| IndexEntry {
        sequence: header.base.plus(relative),
        offset: Offset::new(units * ALIGNMENT),
    };
    (
        header,
        [entry(0, 4232 / 8), entry(0x0102_0304, 0x1112_1314)],
    )
}

fn snapshot() -> SnapshotHeader {
    let mut state = StateSum::default();
    state.add(b"hel");
    state.add(b"lo");
    SnapshotHeader {
        queue: queue(),
        name: consumer_id("ship"),
        epoch: Epoch::new(counting(0x31)),
        covers: Sequence::new(counting(0x51)),
        watermark: Sequence::new(counting(0x61)),
        state,
    }
}

/// A whole snapshot file as a reader judges it.
fn decode_snapshot(file: &[u8]) -> Result<String, Defect> {
    let header = SnapshotHeader::decode(file, wide(file.len()))?;
    let state = file.get(SnapshotHeader::STATE_OFFSET..).unwrap_or_default();
    let mut found = StateSum::default();
    found.add(state);
    header.check(found)?;
    Ok(text(&(header, state)))
}

/// A golden and how it is read: a decoder to a text of all values, so that structures compare.
struct Golden {
    name: &'static str,
    bytes: Vec<u8>,
    /// Bytes that the document says a reader ignores.
    ignored: std::ops::Range<usize>,
    decode: fn(&[u8]) -> Result<String, Defect>,
}

fn text(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn decode_frame(bytes: &[u8], integrity: Integrity, offset: Offset) -> Result<String, Defect> {
    let framing = framing(integrity);
    let header = framing.decode_header(bytes, offset)?;
    let payload = framing.payload(&header, bytes)?;
    if !header.flags.is_control() {
        return Ok(text(&(header, payload)));
    }
    match Control::of(&header)? {
        Control::Start => Start::decode(payload).map(|body| text(&(header, body))),
        Control::Footer => Footer::decode(payload).map(|body| text(&(header, body))),
        Control::Padding => Ok(text(&(header, payload))),
        Control::Gap => Gone::decode(&header, payload).map(|body| text(&(header, body))),
    }
}

fn goldens() -> Vec<Golden> {
    let golden = |name, hex, ignored, decode| Golden {
        name,
        bytes: bytes_of(hex),
        ignored,
        decode,
    };
    let mut block = golden("segment header", SEGMENT_HEADER_BYTES, 68..4096, |bytes| {
        SegmentHeader::decode(bytes).map(|header| text(&header))
    });
    block.bytes.resize(4096, 0);
    vec![
        golden("QUEUE", IDENTITY_BYTES, 0..0, |bytes| {
            Identity::decode(bytes).map(|identity| text(&identity))
        }),
        block,
        golden("chained frame", CHAINED_FRAME_BYTES, 77..80, |bytes| {
            decode_frame(bytes, Integrity::Chained, PLACE)
        }),
        golden("plain frame", PLAIN_FRAME_BYTES, 45..48, |bytes| {
            decode_frame(bytes, Integrity::Crc32c, PLACE)
        }),
        golden("keyed frame", KEYED_FRAME_BYTES, 93..96, |bytes| {
            decode_frame(bytes, Integrity::Chained, PLACE)
        }),
        golden("KEYS", KEYS_BYTES, 0..0, |bytes| {
            KeyFile::decode(bytes).map(|keys| text(&keys))
        }),
        golden("start frame", START_FRAME_BYTES, 0..0, |bytes| {
            decode_frame(bytes, Integrity::Chained, Offset::new(0x1000))
        }),
        golden("footer", FOOTER_FRAME_BYTES, 0..0, |bytes| {
            decode_frame(bytes, Integrity::Crc32c, Offset::new(0x2000))
        }),
        golden("padding frame", PADDING_FRAME_BYTES, 0..0, |bytes| {
            decode_frame(bytes, Integrity::Crc32c, Offset::new(0x3000))
        }),
        golden("gap frame", GAP_FRAME_BYTES, 0..0, |bytes| {
            decode_frame(bytes, Integrity::Crc32c, Offset::new(0x4000))
        }),
        golden("STATE", STATE_BYTES, 0..0, |bytes| {
            StateSlot::decode(bytes).map(|slot| text(&slot))
        }),
        golden("cursor", CURSOR_BYTES, 0..0, |bytes| {
            CursorSlot::decode(bytes).map(|slot| text(&slot))
        }),
        golden("index", INDEX_BYTES, 88..128, |bytes| {
            let (header, packed) = IndexHeader::decode(bytes)?;
            Ok(text(&(header, packed)))
        }),
        golden("snapshot", SNAPSHOT_BYTES, 88..128, decode_snapshot),
    ]
}

fn encode_frame(integrity: Integrity, flags: Flags) -> Vec<u8> {
    let mut out = Vec::new();
    framing(integrity).encode(&frame_header(integrity, flags), b"hello", PLACE, &mut out);
    out
}

fn encode_control(integrity: Integrity, control: Control, body: &[u8], place: u64) -> Vec<u8> {
    let header = FrameHeader {
        kind: control.kind(),
        ..frame_header(integrity, Flags::CONTROL_FRAME)
    };
    let mut out = Vec::new();
    framing(integrity).encode_control(header, body, Offset::new(place), &mut out);
    out
}

#[test]
fn enveloped_structures_are_written_as_the_goldens_and_read_back() {
    assert_eq!(identity().encode(), bytes_of(IDENTITY_BYTES));
    assert_eq!(Identity::decode(&bytes_of(IDENTITY_BYTES)), Ok(identity()));

    let mut block = bytes_of(SEGMENT_HEADER_BYTES);
    block.resize(4096, 0);
    assert_eq!(segment_header().encode(), block);
    assert_eq!(SegmentHeader::decode(&block), Ok(segment_header()));

    assert_eq!(state().encode(), bytes_of(STATE_BYTES));
    assert_eq!(StateSlot::decode(&bytes_of(STATE_BYTES)), Ok(state()));

    let mut file = snapshot().encode();
    file.extend_from_slice(b"hello");
    assert_eq!(file, bytes_of(SNAPSHOT_BYTES));
    let front = file.first_chunk::<128>().expect("a header");
    let read = SnapshotHeader::decode(front, wide(file.len()));
    assert_eq!(read, Ok(snapshot()));

    assert_eq!(cursor().encode(), bytes_of(CURSOR_BYTES));
    assert_eq!(CursorSlot::decode(&bytes_of(CURSOR_BYTES)), Ok(cursor()));

    let (header, entries) = index();
    let file = bytes_of(INDEX_BYTES);
    assert_eq!(header.encode(&entries), file);
    let (read, packed) = IndexHeader::decode(&file).expect("the golden is good");
    assert_eq!(read, header);
    for entry in entries {
        assert_eq!(read.at_or_before(packed, entry.sequence), Some(entry));
    }
}

#[test]
fn record_frames_are_written_as_the_goldens_and_read_back() {
    for (integrity, flags, hex) in [
        (Integrity::Chained, Flags::BATCHED, CHAINED_FRAME_BYTES),
        (Integrity::Crc32c, Flags::RECORD, PLAIN_FRAME_BYTES),
    ] {
        let bytes = bytes_of(hex);
        assert_eq!(encode_frame(integrity, flags), bytes);
        let framing = framing(integrity);
        let header = framing
            .decode_header(&bytes, PLACE)
            .expect("the golden is good");
        assert_eq!(header, frame_header(integrity, flags));
        assert_eq!(framing.payload(&header, &bytes), Ok(&b"hello"[..]));
        assert_eq!(framing.frame_bytes(header.length), wide(bytes.len()));
    }
}

#[test]
fn a_record_with_a_key_is_written_as_the_golden_and_read_back() {
    let (header, stored) = keyed_frame();
    let framing = framing(Integrity::Chained);
    let mut bytes = Vec::new();
    framing.encode(&header, &stored, PLACE, &mut bytes);
    assert_eq!(bytes, bytes_of(KEYED_FRAME_BYTES));
    assert_eq!(framing.decode_header(&bytes, PLACE), Ok(header));
    let read = framing
        .payload(&header, &bytes)
        .expect("the golden is good");
    assert_eq!(header.divide(read), (Some(key()), &b"hello"[..]));
    let plain = frame_header(Integrity::Chained, Flags::RECORD);
    assert_eq!(plain.divide(read), (None, read));
}

#[test]
fn a_record_too_short_for_its_key_is_refused_under_a_good_checksum() {
    let framing = framing(Integrity::Chained);
    for length in [0, 15, 16] {
        let (header, stored) = keyed_frame();
        let stored = &stored[..length];
        let header = FrameHeader {
            payload_checksum: checksum::crc32c(stored),
            length: u32::try_from(length).expect("a short record"),
            ..header
        };
        let mut bytes = Vec::new();
        framing.encode(&header, stored, PLACE, &mut bytes);
        let read = framing.decode_header(&bytes, PLACE);
        assert_eq!(read.is_ok(), length == 16, "{length}: {read:?}");
    }
}

#[test]
fn keys_out_of_order_or_not_covered_are_refused_under_a_good_checksum() {
    assert_eq!(keys().encode(), bytes_of(KEYS_BYTES));
    assert_eq!(KeyFile::decode(&bytes_of(KEYS_BYTES)), Ok(keys()));
    let size = KeyFile::file_bytes(2);
    assert_eq!(wide(keys().encode().len()), size);
    let refused = |change: fn(&mut KeyFile)| {
        let mut changed = keys();
        change(&mut changed);
        let read = KeyFile::decode(&changed.encode());
        matches!(read, Err(Defect::Field { .. }))
    };
    assert!(!refused(|keys| keys.entries.clear()));
    assert!(refused(|keys| keys.entries.swap(0, 1)));
    assert!(refused(|keys| keys.entries[1] = keys.entries[0]));
    assert!(refused(|keys| keys.covered = keys.entries[1].sequence));
    let more = keys().encode();
    let mut body = more[16..more.len() - 4].to_vec();
    body[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    let read = KeyFile::decode(&envelope::seal(*b"FBYKEYED", &body));
    let found = u64::MAX;
    let name = "keys count";
    assert_eq!(read, Err(Defect::Field { name, found }));
}

#[test]
fn control_frames_are_written_as_the_goldens_and_read_back() {
    let bytes = bytes_of(START_FRAME_BYTES);
    let body = start().encode();
    assert_eq!(wide(body.len()), u64::from(Start::BODY_BYTES));
    assert_eq!(
        encode_control(Integrity::Chained, Control::Start, &body, 0x1000),
        bytes
    );
    assert_eq!(Start::decode(bytes.get(72..).expect("a body")), Ok(start()));

    let bytes = bytes_of(FOOTER_FRAME_BYTES);
    let body = footer().encode();
    assert_eq!(wide(body.len()), u64::from(Footer::BODY_BYTES));
    assert_eq!(
        encode_control(Integrity::Crc32c, Control::Footer, &body, 0x2000),
        bytes
    );
    assert_eq!(
        Footer::decode(bytes.get(40..).expect("a body")),
        Ok(footer())
    );

    let padding = encode_control(Integrity::Crc32c, Control::Padding, &[0; 8], 0x3000);
    assert_eq!(padding, bytes_of(PADDING_FRAME_BYTES));

    let gone = Gone {
        next: Sequence::new(counting(0x91)),
    };
    let bytes = bytes_of(GAP_FRAME_BYTES);
    let written = encode_control(Integrity::Crc32c, Control::Gap, &gone.encode(), 0x4000);
    assert_eq!(written, bytes);
    let header = framing(Integrity::Crc32c).decode_header(&bytes, Offset::new(0x4000));
    let header = header.expect("a good frame");
    let body = bytes.get(40..).expect("a body");
    assert_eq!(Gone::decode(&header, body), Ok(gone));
}

#[test]
fn a_gap_ends_behind_its_beginning() {
    let header = frame_header(Integrity::Crc32c, Flags::CONTROL_FRAME);
    let first = header.sequence.get();
    let decoded = |body: &[u8]| Gone::decode(&header, body).map(|gone| gone.next.get());
    assert_eq!(decoded(&[]), Ok(first + 1));
    assert_eq!(decoded(&(first + 1).to_le_bytes()), Ok(first + 1));
    assert_eq!(
        decoded(&[&(first + 9).to_le_bytes()[..], &[7; 9]].concat()),
        Ok(first + 9)
    );
    for found in [first, first - 1, 0] {
        let name = "end of a gap";
        assert_eq!(
            decoded(&found.to_le_bytes()),
            Err(Defect::Field { name, found })
        );
    }
    assert_eq!(
        decoded(&[1; 7]),
        Err(Defect::Short {
            needed: 8,
            found: 7
        })
    );
}

#[test]
fn each_state_flag_has_its_bit_and_others_are_refused() {
    for bits in 0..8_u64 {
        let slot = StateSlot {
            clean: bits & 1 != 0,
            continues: bits & 2 != 0,
            damaged: bits & 4 != 0,
            ..state()
        };
        assert_eq!(slot.encode().get(48..56), Some(&bits.to_le_bytes()[..]));
        assert_eq!(StateSlot::decode(&slot.encode()), Ok(slot));
    }
    let mut body = state().encode_body();
    *body.get_mut(32).expect("the flags of the body") = 8;
    let unknown = envelope::seal(StateSlot::MAGIC, &body);
    let defect = Defect::Field {
        name: "state flags",
        found: 8,
    };
    assert_eq!(StateSlot::decode(&unknown), Err(defect));
}

#[test]
fn flags_and_kinds_that_no_writer_sets_are_refused_under_a_good_checksum() {
    let crafted = |flags: u16| {
        let mut bytes = bytes_of(PLAIN_FRAME_BYTES);
        bytes
            .get_mut(14..16)
            .expect("flags")
            .copy_from_slice(&flags.to_le_bytes());
        let mask = checksum::MaskSeed::new(queue(), SALT).at(PLACE);
        let sum = checksum::crc32c(bytes.get(4..40).expect("a header")) ^ mask;
        bytes
            .get_mut(..4)
            .expect("checksum")
            .copy_from_slice(&sum.to_le_bytes());
        framing(Integrity::Crc32c).decode_header(&bytes, PLACE)
    };
    assert!(crafted(1).is_ok());
    assert!(crafted(1 | 1 << 3).is_ok());
    // Five bytes have no room for a key, which says that the flag is known.
    let short = crafted(1 | 1 << 2);
    assert!(matches!(short, Err(Defect::Field { .. })), "{short:?}");
    for found in [0b1011, 0b1101] {
        assert_eq!(crafted(found), Err(Defect::Flags { found }));
    }
    assert_eq!(crafted(0), Err(Defect::Flags { found: 0 }));
    for bit in (0..16).filter(|bit| !(0..=3).contains(bit)) {
        let found = 1 | 1 << bit;
        assert_eq!(crafted(found), Err(Defect::Flags { found }), "bit {bit}");
    }
    let mut header = frame_header(Integrity::Crc32c, Flags::CONTROL_FRAME);
    for kind in [0, 5, u16::MAX] {
        header.kind = kind;
        let defect = Defect::Field {
            name: "control kind",
            found: u64::from(kind),
        };
        assert_eq!(Control::of(&header), Err(defect));
    }
}

#[test]
fn masks_and_chain_have_the_values_of_the_document() {
    let seed = checksum::MaskSeed::new(queue(), SALT);
    assert_eq!(seed.at(Offset::new(0x1000)), 0xd6c6_1773);
    assert_eq!(seed.at(PLACE), 0xa5a8_14d2);

    let mut chain = Chain::default();
    let mut steps = Vec::new();
    chain = chain.after_epoch(EXAMPLE_EPOCH, EXAMPLE_SALT, Sequence::ZERO);
    steps.push(chain);
    for (header, payload) in example_records() {
        let digest = framing(Integrity::Chained).digest(payload);
        chain = chain.after_record(&header, &digest);
        assert_eq!(chain, header.chain);
        steps.push(chain);
    }
    steps.push(chain.after_gap(Sequence::new(2), Sequence::new(5)));
    for (step, expected) in steps.iter().zip(EXAMPLE_CHAIN) {
        assert_eq!(step.bytes().to_vec(), bytes_of(expected));
        assert!(DOCUMENT.contains(expected), "the document gives {expected}");
    }
    assert_eq!(
        consumer_id("ship").to_vec(),
        bytes_of("64e5c6d18adbd1b3880fb7c70b0b403d")
    );
    for value in [
        "0xd6c61773",
        "0xa5a814d2",
        "64e5c6d18adbd1b3880fb7c70b0b403d",
    ] {
        assert!(DOCUMENT.contains(value), "the document gives {value}");
    }
}

#[test]
fn no_single_bit_of_a_golden_can_flip_unseen_unless_the_document_says_ignored() {
    for golden in goldens() {
        let value = (golden.decode)(&golden.bytes).expect(golden.name);
        for bit in 0..golden.bytes.len() * 8 {
            let (at, name) = (bit / 8, golden.name);
            let mut flipped = golden.bytes.clone();
            *flipped.get_mut(at).expect("inside") ^= 1 << (bit % 8);
            let read = (golden.decode)(&flipped);
            if golden.ignored.contains(&at) {
                assert_eq!(read.as_ref(), Ok(&value), "{name}, ignored bit {bit}");
            } else {
                assert!(read.is_err(), "{name}, bit {bit}");
            }
        }
    }
}

#[test]
fn no_byte_of_a_golden_can_trade_places_with_its_neighbour() {
    for golden in goldens() {
        let value = (golden.decode)(&golden.bytes).expect(golden.name);
        for at in 1..golden.bytes.len() {
            let mut moved = golden.bytes.clone();
            moved.swap(at - 1, at);
            if moved == golden.bytes {
                continue;
            }
            let read = (golden.decode)(&moved);
            assert!(
                read.is_err() || read == Ok(value.clone()),
                "{}, byte {at}",
                golden.name
            );
            let ignored = golden.ignored.contains(&at) && golden.ignored.contains(&(at - 1));
            assert_eq!(read.is_ok(), ignored, "{}, byte {at}", golden.name);
        }
    }
}

/// I14: a length is used only after its checksum, and never beyond the bytes there are.
#[test]
fn a_golden_cut_short_anywhere_is_refused_unless_only_ignored_bytes_are_missing() {
    for golden in goldens() {
        let value = (golden.decode)(&golden.bytes).expect(golden.name);
        for length in 0..golden.bytes.len() {
            let read = (golden.decode)(golden.bytes.get(..length).expect("shorter"));
            let only_ignored = golden.ignored.end == golden.bytes.len()
                && golden.ignored.start <= length
                && !golden.ignored.is_empty();
            if only_ignored {
                assert_eq!(read.as_ref(), Ok(&value), "{}, {length} bytes", golden.name);
            } else {
                assert!(read.is_err(), "{}, {length} bytes", golden.name);
            }
        }
    }
}

#[test]
fn magic_version_and_checksum_are_three_different_defects_of_every_envelope() {
    for golden in goldens() {
        if !golden.bytes.starts_with(b"FBY") {
            continue;
        }
        let spoiled = |at: usize, value: u8| {
            let mut bytes = golden.bytes.clone();
            *bytes.get_mut(at).expect("inside") = value;
            (golden.decode)(&bytes)
        };
        let name = golden.name;
        assert!(
            matches!(spoiled(0, b'X'), Err(Defect::Magic { .. })),
            "{name}"
        );
        // A version that nobody wrote is damage; one under a good checksum is a later release.
        assert!(
            matches!(spoiled(8, 2), Err(Defect::Checksum { .. })),
            "{name}"
        );
        let mut later = golden.bytes.clone();
        *later.get_mut(8).expect("inside") = 2;
        let length = later.get(12).copied().map_or(0, usize::from);
        let covered = later.get(..16 + length).expect("the body");
        let checksum = checksum::crc32c(covered).to_le_bytes();
        later
            .get_mut(16 + length..20 + length)
            .expect("the checksum")
            .copy_from_slice(&checksum);
        assert_eq!(
            (golden.decode)(&later),
            Err(Defect::Version { found: 2 }),
            "{name}"
        );
        assert!(
            matches!(spoiled(20, 0xff), Err(Defect::Checksum { .. })),
            "{name}"
        );
        assert!(
            matches!(spoiled(14, 0xff), Err(Defect::Short { .. })),
            "{name}"
        );
        assert!(
            matches!((golden.decode)(&[]), Err(Defect::Short { .. })),
            "{name}"
        );
    }
}

#[test]
fn a_body_without_its_last_field_is_refused_under_a_good_checksum() {
    for golden in goldens() {
        let Some((lead, rest)) = golden.bytes.split_at_checked(16) else {
            continue;
        };
        if !lead.starts_with(b"FBY") {
            continue;
        }
        let magic = *lead.first_chunk::<8>().expect("a magic");
        let length = u32::from_le_bytes(*lead.last_chunk::<4>().expect("a length"));
        let body = rest.get(..narrow(u64::from(length)) - 1).expect("a body");
        let short = (golden.decode)(&envelope::seal(magic, body));
        assert!(
            matches!(short, Err(Defect::Field { .. })),
            "{}",
            golden.name
        );
    }
}

#[test]
fn places_beyond_four_gibibytes_keep_all_their_bits() {
    let framing = framing(Integrity::Crc32c);
    let header = frame_header(Integrity::Crc32c, Flags::RECORD);
    for place in [1 << 32, (1 << 32) + 8, 5 << 30, SEGMENT_BYTES_MAX - 4096] {
        let mut bytes = Vec::new();
        framing.encode(&header, b"hello", Offset::new(place), &mut bytes);
        let there = framing.decode_header(&bytes, Offset::new(place));
        assert!(there.is_ok(), "{place}");
        let folded = framing.decode_header(&bytes, Offset::new(place % (1 << 32)));
        assert!(folded.is_err() || place < 1 << 32, "{place}");
        let entry = IndexEntry {
            sequence: index().0.base.plus(7),
            offset: Offset::new(place),
        };
        let file = index().0.encode(&[entry]);
        let (read, packed) = IndexHeader::decode(&file).expect("it is whole");
        assert_eq!(read.at_or_before(packed, entry.sequence), Some(entry));
    }
}

#[test]
fn a_header_of_zeros_is_no_frame() {
    for integrity in [Integrity::Chained, Integrity::Crc32c] {
        assert_eq!(
            framing(integrity).decode_header(&[0; 72], PLACE),
            Err(Defect::Zeros)
        );
    }
}

#[test]
fn of_two_slots_the_higher_valid_generation_counts() {
    let slot = |generation| StateSlot {
        generation,
        ..state()
    };
    let file = |first: &StateSlot, second: &StateSlot| {
        let mut bytes = first.encode();
        bytes.resize(4096, 0);
        bytes.extend_from_slice(&second.encode());
        bytes.resize(8192, 0);
        bytes
    };
    assert_eq!(Pair::<StateSlot>::FILE_BYTES, 8192);
    assert_eq!(Pair::<StateSlot>::offset(1), Offset::new(4096));
    let newest = |bytes: &[u8]| {
        let pair = Pair::<StateSlot>::decode(bytes);
        let newest = pair.newest_of(state().queue);
        newest.map(|(which, slot)| (which, slot.generation))
    };
    assert_eq!(newest(&file(&slot(7), &slot(6))), Some((0, 7)));
    assert_eq!(newest(&file(&slot(7), &slot(8))), Some((1, 8)));
    assert_eq!(newest(&file(&slot(7), &slot(7))), Some((1, 7)));
    let mut torn = file(&slot(7), &slot(8));
    *torn.get_mut(4096 + 100).expect("inside") ^= 1;
    assert_eq!(newest(&torn), Some((0, 7)));
    let foreign = StateSlot {
        queue: QueueId::new([9; 16]),
        ..slot(9)
    };
    assert_eq!(newest(&file(&slot(7), &foreign)), Some((0, 7)));
    assert_eq!(newest(&file(&foreign, &slot(7))), Some((1, 7)));
    assert_eq!(newest(&file(&foreign, &foreign)), Some((1, 9)));
    for length in [0, 100, 4096] {
        assert_eq!(
            newest(torn.get(..length).expect("shorter")).is_some(),
            length == 4096
        );
    }
    assert!(
        Pair::<StateSlot>::decode(&[0; 8192])
            .future_version()
            .is_none()
    );
    let mut future = b"FBYSTATE\x02\0\0\0\0\0\0\0".to_vec();
    let checksum = checksum::crc32c(&future);
    future.extend_from_slice(&checksum.to_le_bytes());
    let pair = Pair::<StateSlot>::decode(&future);
    assert_eq!(pair.future_version(), Some(Defect::Version { found: 2 }));
}

fn any_integrity() -> impl Strategy<Value = Integrity> {
    prop_oneof![Just(Integrity::Chained), Just(Integrity::Crc32c)]
}

fn any_flags() -> impl Strategy<Value = Flags> {
    prop_oneof![
        Just(Flags::RECORD),
        Just(Flags::BATCHED),
        Just(Flags::BATCHED.keyed()),
        Just(Flags::CONTROL_FRAME)
    ]
}

prop_compose! {
    fn any_header()(
        flags in any_flags(),
        kind: u16,
        (sequence, time, watermark) in any::<(u64, u64, u64)>(),
        chain: [u8; 32],
    ) -> FrameHeader {
        FrameHeader {
            payload_checksum: 0,
            length: 0,
            kind,
            flags,
            sequence: Sequence::new(sequence),
            time,
            watermark: Sequence::new(watermark),
            chain: Chain::new(chain),
        }
    }
}

prop_compose! {
    /// A frame as written: how, where, its header, its payload, its bytes.
    fn any_frame()(
        integrity in any_integrity(),
        salt: u64,
        units in 512..u32::MAX,
        header in any_header(),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) -> (u64, Integrity, Offset, FrameHeader, Vec<u8>, Vec<u8>) {
        let framing = Framing::new(queue(), salt, integrity);
        let mut payload = payload;
        if header.flags.is_keyed() {
            payload.resize(payload.len().max(16), 7);
        }
        let digest = framing.digest(&payload);
        let mut header = FrameHeader {
            payload_checksum: digest.checksum,
            length: u32::try_from(payload.len()).expect("a short payload"),
            ..header
        };
        if integrity == Integrity::Crc32c {
            header.chain = Chain::default();
        }
        let offset = Offset::new(u64::from(units) * ALIGNMENT);
        let mut bytes = Vec::new();
        framing.encode(&header, &payload, offset, &mut bytes);
        (salt, integrity, offset, header, payload, bytes)
    }
}

proptest! {
    #[test]
    fn frames_read_back_what_was_written(frame in any_frame(), after: [u8; 9]) {
        let (salt, integrity, offset, header, payload, mut bytes) = frame;
        let framing = Framing::new(queue(), salt, integrity);
        prop_assert_eq!(wide(bytes.len()), framing.frame_bytes(header.length));
        prop_assert_eq!(bytes.len() % 8, 0);
        bytes.extend_from_slice(&after);
        prop_assert_eq!(framing.decode_header(&bytes, offset), Ok(header));
        prop_assert_eq!(framing.payload(&header, &bytes), Ok(&payload[..]));
    }

    // The differences below fit in 32 bits in a row, which a CRC-32C always tells apart.
    #[test]
    fn a_frame_elsewhere_is_refused(
        frame in any_frame(),
        elsewhere in 512..u32::MAX,
        difference in 1..=u32::MAX,
        word in 0..4_usize,
    ) {
        let (salt, integrity, offset, _, _, bytes) = frame;
        let here = Framing::new(queue(), salt, integrity);
        let moved = Offset::new(u64::from(elsewhere) * ALIGNMENT);
        prop_assert_eq!(here.decode_header(&bytes, moved).is_ok(), moved == offset);

        let other_salt = salt ^ (u64::from(difference) << (word * 8));
        let stale = Framing::new(queue(), other_salt, integrity);
        prop_assert!(stale.decode_header(&bytes, offset).is_err());

        let mut id = queue().get();
        for (byte, change) in id.iter_mut().skip(word * 4).zip(difference.to_le_bytes()) {
            *byte ^= change;
        }
        let foreign = Framing::new(QueueId::new(id), salt, integrity);
        prop_assert!(foreign.decode_header(&bytes, offset).is_err());
    }

    /// I14: a length is used only after its checksum, and never beyond the bytes there are.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for golden in goldens() {
            prop_assert!((golden.decode)(&bytes).is_err());
            let mut grafted = golden.bytes.clone();
            for (to, from) in grafted.iter_mut().skip(12).zip(&bytes) {
                *to = *from;
            }
            let _unspecified = (golden.decode)(&grafted);
        }
    }

    #[test]
    fn slots_and_indexes_read_back_what_was_written(
        (a, b, c, d) in any::<(u64, u64, u64, u64)>(),
        filter: [u8; 32],
        gaps in proptest::collection::vec((1..1000_u64, 1..100_000_u64), 0..50),
    ) {
        let slot = CursorSlot {
            generation: a,
            next: Sequence::new(b),
            log_bytes: c,
            epoch: Epoch::new(d),
            filter,
            ..cursor()
        };
        prop_assert_eq!(CursorSlot::decode(&slot.encode()), Ok(slot));
        let end = End { next: Sequence::new(b), log_bytes: c, ..state().end };
        let slot = StateSlot { generation: a, end, floor: Sequence::new(d), ..state() };
        prop_assert_eq!(StateSlot::decode(&slot.encode()), Ok(slot));

        let (header, _) = index();
        let (mut sequence, mut offset) = (header.base, Offset::new(4232));
        let mut entries = Vec::new();
        for (records, units) in gaps {
            entries.push(IndexEntry { sequence, offset });
            sequence = sequence.plus(records);
            offset = offset.plus(units * ALIGNMENT);
        }
        let file = header.encode(&entries);
        let (read, packed) = IndexHeader::decode(&file).expect("just encoded");
        prop_assert_eq!(read, header);
        for entry in entries {
            prop_assert_eq!(read.at_or_before(packed, entry.sequence), Some(entry));
        }
    }
}

const EXAMPLE_EPOCH: Epoch = Epoch::new(0x0000_0001_c0ff_ee42);
const EXAMPLE_SALT: u64 = 0x0123_4567_89ab_cdef;
const EXAMPLE_TIME: u64 = 1_700_000_000_000_000_000;

/// The chain of the document's test vector: after the epoch, each record, and a gap.
const EXAMPLE_CHAIN: [&str; 4] = [
    "f9b18b8ac05dfe40ae3fedeb2412d726bb1ca1cfc451412222ea3684cc2e6555",
    "ab165373353a7e8a209079f3a5b16385523cdb12c60e4dc6b22c57d35795f5bc",
    "adc43bb05756e072ea7abf68b008bbee4e39daf5c1d9472406e415aa930cc70a",
    "94682fb7739dbfba2071ca5a5384ed4a4bebeb4fb72af1a87481f5aac2c11da3",
];

fn example_chain(step: usize) -> Chain {
    let bytes = bytes_of(EXAMPLE_CHAIN.get(step).expect("a step"));
    Chain::new(*bytes.first_chunk().expect("32 bytes"))
}

fn example_header(next: u64, time: u64, watermark: u64, step: usize) -> FrameHeader {
    FrameHeader {
        payload_checksum: 0,
        length: 0,
        kind: 0,
        flags: Flags::RECORD,
        sequence: Sequence::new(next),
        time: EXAMPLE_TIME + time,
        watermark: Sequence::new(watermark),
        chain: example_chain(step),
    }
}

fn example_records() -> [(FrameHeader, &'static [u8]); 2] {
    let hello = FrameHeader {
        payload_checksum: 0x9a71_bb4c,
        length: 5,
        kind: 7,
        ..example_header(1, 1000, 1, 2)
    };
    [(example_header(0, 0, 0, 1), b""), (hello, b"hello")]
}

fn example_segment() -> Vec<u8> {
    let header = SegmentHeader {
        queue: queue(),
        number: SegmentNumber::new(1),
        epoch: EXAMPLE_EPOCH,
        salt: EXAMPLE_SALT,
        integrity: Integrity::Chained,
    };
    let framing = header.framing();
    let mut file = header.encode();
    let end = |file: &[u8]| Offset::new(wide(file.len()));
    let start = FrameHeader {
        kind: Control::Start.kind(),
        ..example_header(0, 0, 0, 0)
    };
    let offset = end(&file);
    framing.encode_control(start, &Start::default().encode(), offset, &mut file);
    let data_start = file.len();
    for (header, payload) in example_records() {
        let offset = end(&file);
        framing.encode(&header, payload, offset, &mut file);
    }
    let footer = Footer {
        base: Sequence::ZERO,
        count: 2,
        bytes: wide(file.len() - data_start),
    };
    let header = FrameHeader {
        kind: Control::Footer.kind(),
        ..example_header(2, 2000, 2, 2)
    };
    let offset = end(&file);
    framing.encode_control(header, &footer.encode(), offset, &mut file);
    file
}

/// The part of the document under `heading`, up to the next heading.
fn section(heading: &str) -> &'static str {
    let start = DOCUMENT.find(&format!("\n{heading}\n")).expect(heading) + 1 + heading.len();
    let rest = DOCUMENT.get(start..).expect("a section");
    rest.split("\n#").next().expect("at least one part")
}

#[test]
fn the_worked_example_of_the_document_is_what_we_write() {
    let mut shown = vec![0; 4480];
    let mut count = 0;
    for line in section("## Worked example").lines() {
        let Some((place, hex)) = line.split_once("  ") else {
            continue;
        };
        let Ok(place) = usize::from_str_radix(place, 16) else {
            continue;
        };
        for (to, from) in shown.iter_mut().skip(place).zip(bytes_of(hex)) {
            *to = from;
            count += 1;
        }
    }
    assert_eq!(
        count,
        68 + 4480 - 4096,
        "the example shows every byte that is not zero"
    );
    assert_eq!(example_segment(), shown);
}

/// One row of a field table of the document.
struct Row {
    offset: usize,
    size: usize,
    name: &'static str,
}

/// The first field table in `text`.
fn rows(text: &'static str) -> Vec<Row> {
    let table = text
        .lines()
        .skip_while(|line| !line.starts_with("| offset | size | name |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let mut cell = || cells.next().expect("a cell");
        let (offset, size) = (cell().parse(), cell().parse());
        Row {
            offset: offset.expect("an offset"),
            size: size.expect("a size"),
            name: cell(),
        }
    })
    .collect()
}

fn assert_table(text: &'static str, bytes: &[u8], fields: &[(&str, &[u8])]) {
    let rows = rows(text);
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let expected: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected);
    let mut end = 0;
    for (row, (name, value)) in rows.iter().zip(fields) {
        assert_eq!(row.offset, end, "{name} follows the field before it");
        end += row.size;
        assert_eq!(bytes.get(row.offset..end), Some(*value), "{name}");
    }
    assert_eq!(end, bytes.len(), "the table covers the structure");
}

/// The eight bytes of [`counting`] as they stand in a file.
fn field(first: u8) -> [u8; 8] {
    counting(first).to_le_bytes()
}

#[test]
fn the_tables_of_frames_agree_with_the_code() {
    let golden = bytes_of(CHAINED_FRAME_BYTES);
    let [sequence, time, watermark] = [0x51, 0x61, 0x71].map(field);
    let fields: [(&str, &[u8]); 9] = [
        ("header checksum", &[0xee, 0x98, 0x1e, 0x53]),
        ("payload checksum", &[0x9e, 0xaf, 0xd9, 0x3f]),
        ("length", &[5, 0, 0, 0]),
        ("kind", &[0x0b, 0x0a]),
        ("flags", &[3, 0]),
        ("sequence", &sequence),
        ("time", &time),
        ("watermark", &watermark),
        ("hash", &run_from::<32>(0x80)),
    ];
    let header_bytes = narrow(framing(Integrity::Chained).header_bytes());
    let header = golden.get(..header_bytes).expect("a header");
    assert_table(section("### Frame header"), header, &fields);
    assert_eq!(
        framing(Integrity::Crc32c).header_bytes(),
        40,
        "all but the hash"
    );

    let [a, b, c, d] = [0xa1, 0xb1, 0xc1, 0xd1].map(field);
    let start_body: [(&str, &[u8]); 5] = [
        ("previous", &a),
        ("previous end", &b),
        ("previous next", &c),
        ("log bytes", &d),
        ("previous chain", &run_from::<32>(0xe0)),
    ];
    let (starts, footers) = section("### Control frames")
        .split_once("**Footer body**")
        .expect("both bodies have a table");
    assert_table(starts, &start().encode(), &start_body);
    let footer_body: [(&str, &[u8]); 3] = [("base", &a), ("count", &b), ("bytes", &c)];
    assert_table(footers, &footer().encode(), &footer_body);
}

/// The rows that every envelope begins with.
fn lead(bytes: &[u8]) -> [(&'static str, &[u8]); 3] {
    let part = |range| bytes.get(range).expect("a lead");
    [
        ("magic", part(0..8)),
        ("version", &[1, 0, 0, 0]),
        ("body length", part(12..16)),
    ]
}

fn assert_enveloped(heading: &str, magic: &str, bytes: &[u8], body: &[(&str, &[u8])]) {
    let text = section(heading);
    assert!(bytes.starts_with(magic.as_bytes()));
    assert!(
        text.contains(&format!("| magic | `{magic}` |")),
        "{heading}"
    );
    let checksum = bytes.last_chunk::<4>().expect("a checksum");
    let mut fields = lead(bytes).to_vec();
    fields.extend_from_slice(body);
    fields.push(("checksum", checksum));
    assert_table(text, bytes, &fields);
    let length = bytes.len() - 20;
    assert!(
        text.contains(&format!("| body length | {length} |")),
        "{heading}"
    );
}

#[test]
fn the_tables_of_keys_agree_with_the_code() {
    let id = queue().get();
    let [first, epoch, covered] = [0x21, 0x31, 0x61].map(field);
    let file = bytes_of(KEYS_BYTES);
    let text = section("## KEYS");
    assert!(text.contains("| magic | `FBYKEYED` |"));
    let mut keys = lead(&file).to_vec();
    keys.extend::<[(&str, &[u8]); 4]>([
        ("queue id", &id),
        ("epoch", &epoch),
        ("covered", &covered),
        ("count", &[2, 0, 0, 0, 0, 0, 0, 0]),
    ]);
    assert_table(text, &file[..56], &keys);
    let (_, entries) = text.split_once("Each entry").expect("a table of entries");
    let entry: [(&str, &[u8]); 2] = [("key", &file[56..72]), ("sequence", &first)];
    assert_table(entries, &file[56..80], &entry);
    assert_eq!(file.len() - 4, 56 + 2 * 24);
    let shown: Vec<u8> = text
        .lines()
        .filter(|line| line.starts_with("00"))
        .flat_map(|line| bytes_of(&line[6..]))
        .collect();
    let example = KeyFile {
        queue: queue(),
        epoch: EXAMPLE_EPOCH,
        covered: Sequence::new(9),
        entries: vec![KeyEntry {
            key: key(),
            sequence: Sequence::new(3),
        }],
    };
    assert_eq!(example.encode(), shown);
}

#[test]
fn the_tables_of_static_structures_agree_with_the_code() {
    let id = queue().get();
    let [first, epoch, salt, base, next, end] = [0x21, 0x31, 0x41, 0x51, 0x61, 0x71].map(field);
    let identity: [(&str, &[u8]); 3] = [
        ("queue id", &id),
        ("integrity", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("created", &first),
    ];
    assert_enveloped("## QUEUE", "FBYQUEUE", &bytes_of(IDENTITY_BYTES), &identity);

    let header: [(&str, &[u8]); 5] = [
        ("queue id", &id),
        ("segment number", &first),
        ("epoch", &epoch),
        ("salt", &salt),
        ("integrity", &[2, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let golden = bytes_of(SEGMENT_HEADER_BYTES);
    assert_enveloped("### Segment header", "FBYSEGMT", &golden, &header);

    let file = bytes_of(INDEX_BYTES);
    let index: [(&str, &[u8]); 8] = [
        ("queue id", &id),
        ("segment number", &first),
        ("salt", &salt),
        ("base", &base),
        ("next", &next),
        ("end", &end),
        ("count", &[2, 0, 0, 0, 0, 0, 0, 0]),
        ("entries checksum", file.get(80..84).expect("a checksum")),
    ];
    assert_enveloped(
        "## Index file",
        "FBYINDEX",
        file.get(..88).expect("a header"),
        &index,
    );

    let file = bytes_of(SNAPSHOT_BYTES);
    let snapshot: [(&str, &[u8]); 7] = [
        ("queue id", &id),
        ("name id", &consumer_id("ship")),
        ("epoch", &epoch),
        ("covers", &base),
        ("watermark", &next),
        ("state length", &[5, 0, 0, 0, 0, 0, 0, 0]),
        ("state checksum", &[0x4c, 0xbb, 0x71, 0x9a]),
    ];
    assert_enveloped(
        "## Snapshot file",
        "FBYSNAPS",
        file.get(..88).expect("a header"),
        &snapshot,
    );
}

#[test]
fn a_snapshot_that_covers_more_than_was_durable_is_refused_under_a_good_checksum() {
    let header = SnapshotHeader {
        covers: snapshot().watermark.plus(1),
        ..snapshot()
    };
    let read = SnapshotHeader::decode(&header.encode(), 133);
    assert!(matches!(read, Err(Defect::Field { .. })), "{read:?}");
    let even = SnapshotHeader {
        covers: snapshot().watermark,
        ..snapshot()
    };
    assert_eq!(SnapshotHeader::decode(&even.encode(), 133), Ok(even));
}

#[test]
fn a_snapshot_file_has_exactly_the_length_that_its_header_states() {
    let front = snapshot().encode();
    for found in [0, 128, 132, 134, u64::MAX] {
        let read = SnapshotHeader::decode(&front, found);
        assert_eq!(read, Err(Defect::Short { needed: 133, found }));
    }
}

#[test]
fn the_tables_of_slots_agree_with_the_code() {
    let id = queue().get();
    let chain = run_from::<32>(0x80);
    let [one, two, three, four, five] = [0x01, 0x21, 0x31, 0x41, 0x51].map(field);
    let [six, seven, eight, nine] = [0x61, 0x71, 0xa1, 0xb1].map(field);
    let [ten, eleven] = [0xc1, 0xd1].map(field);
    let state: [(&str, &[u8]); 14] = [
        ("generation", &one),
        ("queue id", &id),
        ("opener", &two),
        ("flags", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("epoch", &three),
        ("end segment", &four),
        ("end offset", &five),
        ("next", &six),
        ("log bytes", &seven),
        ("chain", &chain),
        ("first segment", &eight),
        ("first base", &eleven),
        ("watermark", &nine),
        ("floor", &ten),
    ];
    assert_enveloped("### STATE slot", "FBYSTATE", &bytes_of(STATE_BYTES), &state);

    let consumer = consumer_id("ship");
    let cursor: [(&str, &[u8]); 10] = [
        ("generation", &one),
        ("queue id", &id),
        ("consumer id", &consumer),
        ("epoch", &three),
        ("next", &four),
        ("watermark", &five),
        ("hint segment", &six),
        ("hint offset", &seven),
        ("log bytes", &eight),
        ("filter id", &chain),
    ];
    assert_enveloped(
        "### Cursor slot",
        "FBYCURSR",
        &bytes_of(CURSOR_BYTES),
        &cursor,
    );
}

proptest! {
    #[test]
    fn a_frame_alone_tells_how_all_frames_of_its_file_are_masked(
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        queue: [u8; 16],
        salt: u64,
        (here, there) in (512..1_u64 << 30, 512..1_u64 << 30),
        chained: bool,
        flipped: u16,
    ) {
        let integrity = if chained { Integrity::Chained } else { Integrity::Crc32c };
        let framing = Framing::new(QueueId::new(queue), salt, integrity);
        let (here, there) = (Offset::new(here * ALIGNMENT), Offset::new(there * ALIGNMENT));
        let header = FrameHeader {
            payload_checksum: framing.digest(&payload).checksum,
            length: u32::try_from(payload.len()).expect("a short payload"),
            kind: 3,
            flags: Flags::RECORD,
            sequence: Sequence::new(9),
            time: 5,
            watermark: Sequence::new(9),
            chain: Chain::default(),
        };
        let frame_at = |offset| {
            let mut bytes = Vec::new();
            framing.encode(&header, &payload, offset, &mut bytes);
            bytes
        };
        let found = Framing::recovered(&frame_at(here), here, integrity).expect("a frame");
        let other = frame_at(there);
        prop_assert_eq!(found.decode_header(&other, there), Ok(header));
        prop_assert_eq!(found.payload(&header, &other), Ok(&payload[..]));
        let covered = narrow(framing.header_bytes()) + payload.len();
        let mut damaged = frame_at(here);
        damaged[usize::from(flipped) % covered] ^= 1;
        prop_assert!(Framing::recovered(&damaged, here, integrity).is_none());
    }
}
